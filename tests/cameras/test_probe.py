from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cameras.errors import CameraError
from pipeline.cameras.probe import probe
from pipeline.cameras.replay import ReplayServer
from pipeline.config.camera import StreamSettings


@pytest.mark.serial
def test_it_says_what_a_camera_is(server: ReplayServer) -> None:
    info = probe(StreamSettings(url=server.urls["h265"]))
    assert (info.codec, info.width, info.height, info.time_source) == ("h265", 640, 360, "rtcp")
    assert info.fps == pytest.approx(25, rel=0.05)
    assert abs(info.offset_ms) < 200


@pytest.mark.parametrize("pace", ["own", "fast"])
def test_it_says_what_a_file_is(clips: dict[str, Path], pace: str) -> None:
    info = probe(StreamSettings(url=clips["mpeg4"].as_uri(), pace=pace))
    assert (info.codec, info.width, info.height, info.time_source) == ("mpeg4", 640, 360, "file")
    assert info.fps == pytest.approx(25, rel=0.05)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("rtsp://127.0.0.1:1/x", "rtsp://127.0.0.1:1/x cannot be reached"),
        ("rtsp://no-such-host.invalid/x", "cannot be reached"),
        ("file:///no/such/file.mp4", "file:///no/such/file.mp4 does not exist"),
    ],
)
def test_it_says_why_not(url: str, says: str) -> None:
    with pytest.raises(CameraError, match=says):
        probe(StreamSettings(url=url), timeout_s=5)

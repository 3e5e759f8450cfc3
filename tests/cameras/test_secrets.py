from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from pipeline.cameras.errors import CameraError
from pipeline.cameras.gst import scrub
from pipeline.cameras.probe import probe
from pipeline.cameras.replay import ReplayServer
from pipeline.cameras.source import StreamSpec
from pipeline.config.camera import StreamSettings
from tests.cameras.support import Relay, Watched, settings

SECRET = "p@ss/w:rd%41&x"
TOKEN = "tok-5f3a"


@pytest.fixture
def locked(clips: dict[str, Path]) -> object:
    with ReplayServer([clips["plain"]], username="viewer", password=SECRET) as server:
        yield server


def told(watched: Watched, capture: pytest.CaptureFixture[str], log: pytest.LogCaptureFixture) -> str:
    out, err = capture.readouterr()
    return repr(watched.health) + repr(watched.camera.stats()) + out + err + log.text


def test_the_right_password_opens_and_is_seen_nowhere(
    locked: ReplayServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CAMERA_PASSWORD", SECRET)
    url = f"{locked.urls['plain']}?token={TOKEN}"
    with Watched(settings(url, username="viewer", password_env="CAMERA_PASSWORD")) as watched:
        watched.until_frames(5)
        pid = watched.camera.stats().pid
        shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        threads = [Path(f"/proc/{pid}/task/{t.id}/comm").read_text() for t in psutil.Process(pid).threads()]
    for secret in (SECRET, TOKEN):
        assert secret.encode() not in shown
        assert secret not in told(watched, capfd, caplog) + repr(threads)


def test_a_wrong_password_is_a_clear_reason_without_it(
    locked: ReplayServer,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "wr0ng-pa55"
    file = tmp_path / "password"
    file.write_text(wrong + "\n")
    url = locked.urls["plain"].replace("rtsp://", "rtsp://viewer@") + f"?token={TOKEN}"
    with Watched(settings(url, password_file=file)) as watched:
        watched.until(lambda: "down" in watched.states())
        assert watched.health[1].reason == (
            f"{locked.urls['plain']} refuses the user name or password (401): check username and password"
        )
        text = told(watched, capfd, caplog)
        assert wrong not in text
        assert TOKEN not in text
        # The operator mends it: no restart is needed.
        file.write_text(SECRET + "\n")
        watched.until(lambda: bool(watched.frames))
    file.write_text(wrong)
    with pytest.raises(CameraError, match=r"401") as caught:
        probe(StreamSettings(url=url, password_file=file), timeout_s=5)
    assert wrong not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_password_that_cannot_be_read_is_down_until_it_can(
    locked: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_YET", raising=False)
    config = settings(locked.urls["plain"], username="viewer", password_env="NOT_YET")
    with Watched(config) as watched:
        watched.until(lambda: "down" in watched.states())
        assert watched.health[-1].reason == "environment variable NOT_YET (password_env) is not set"
        os.environ["NOT_YET"] = SECRET
        watched.until(lambda: bool(watched.frames))
    monkeypatch.delenv("NOT_YET")


def test_whatever_else_fails_the_address_is_shown_without_secrets(
    clips: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CAMERA_PASSWORD", SECRET)
    with ReplayServer([clips["plain"]]) as server, Relay(server.port) as relay:
        url = f"{relay.url('plain')}?user=viewer&token={TOKEN}"
        config = settings(url, username="viewer", password_env="CAMERA_PASSWORD")
        with Watched(config) as watched:
            watched.until_frames(5)
            relay.frozen = True
            watched.until(lambda: "stalled" in watched.states())
            relay.mend()
            relay.cut(refuse=True)
            watched.until(lambda: "down" in watched.states())
    text = told(watched, capfd, caplog)
    assert relay.url("plain") in text
    assert SECRET not in text
    assert TOKEN not in text


def test_a_login_in_the_path_is_shown_nowhere(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"rtsp://127.0.0.1:9/live/user=viewer&password={TOKEN}&channel=1&stream=0.sdp?real_stream"
    with Watched(settings(url)) as watched:
        watched.until(lambda: "down" in watched.states())
    text = told(watched, capfd, caplog)
    assert "rtsp://127.0.0.1:9/live/… cannot be reached" in text
    assert TOKEN not in text
    spec = StreamSpec(url, StreamSettings(url=url).public_url(), "tcp", False, False, None, None)
    assert f"user=viewer&password={TOKEN}&channel=1&stream=0.sdp" in spec.secrets
    assert TOKEN not in scrub(f"no {urlsplit(url).path} there", spec.secrets)
    plain = StreamSpec("file:///srv/day=1.mp4", "file:///srv/day=1.mp4", "tcp", False, False, None, None)
    assert plain.secrets == ()


def test_scrub() -> None:
    text = f"cannot open rtsp://viewer:{SECRET}@10.0.0.1:554/a?token={TOKEN}&x=1 because {SECRET}"
    clean = scrub(text, (SECRET, TOKEN))
    assert SECRET not in clean
    assert TOKEN not in clean
    assert "10.0.0.1:554/a" in clean
    assert scrub("rtsp://u:p@host/a?b=c failed") == "rtsp://host/a failed"
    for path in ("user=u&password=p&x=1.sdp", "user%3Du&password%3Dp/1?x=2", "user%3Du/password=p"):
        assert scrub(f"rtsp://host:554/a/{path} failed") == "rtsp://host:554/a/… failed"
    for kept in ("rtsp://host/a/b failed: x=1", "no file:///srv/day=1/a.mp4"):
        assert scrub(kept) == kept
    assert "p%40ss" not in scrub("x p%40ss y", ("p@ss",))

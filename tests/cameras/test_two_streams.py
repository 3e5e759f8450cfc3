"""A camera with a sub stream to analyse and a main stream to take evidence from."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cameras.replay import ReplayServer
from pipeline.config.camera import StreamSettings
from pipeline.types import Still
from tests.cameras.clips import make_clip, number_of, number_of_jpeg, read_clip
from tests.cameras.support import Watched, settings


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Twenty seconds of the same numbered pictures, small and large."""
    folder = tmp_path_factory.mktemp("two-streams")
    return {
        "sub": make_clip(folder / "sub.mp4", size=(320, 180), frames=500),
        "main": make_clip(folder / "main.mp4", size=(1280, 720), frames=500, gop=50),
    }


@pytest.mark.serial
def test_evidence_comes_from_the_main_stream_and_fits_in_time(
    streams: dict[str, Path], tmp_path: Path
) -> None:
    with ReplayServer(list(streams.values())) as server:
        config = settings(server.urls["sub"], rate_hz=12, record=StreamSettings(url=server.urls["main"]))
        with Watched(config, lambda f: (number_of(f.picture), f.time, f.picture.shape)) as watched:
            # Sender reports of both streams are in after a few seconds.
            watched.until(lambda: bool(watched.frames) and watched.frames[-1][1].source == "rtcp", 20)
            watched.until_frames(60, 30)
            seen = watched.frames[-30::8]
            assert watched.camera.wait_until(seen[-1][1].captured_at_s, 5)
            stills = watched.camera.stills([time.captured_at_s for _, time, _ in seen])
            clip = watched.camera.clip(
                seen[0][1].captured_at_s, seen[-1][1].captured_at_s, tmp_path / "clip.mp4"
            )
            ring_s = watched.camera.stats().ring_seconds
    ahead = []
    for (number, time, shape), still in zip(seen, stills, strict=True):
        assert shape == (180, 320, 3)
        assert isinstance(still, Still), still
        assert (still.width, still.height) == (1280, 720)
        assert still.captured_at_s == pytest.approx(time.captured_at_s, abs=0.03)
        ahead.append(number_of_jpeg(still.jpeg) - number)
    print(f"\nmain stream's pictures minus sub stream's at the same moment: {ahead}, ring {ring_s:.1f} s")
    # The server begins each playback when it is first asked for: a constant lead, if any.
    assert max(ahead) - min(ahead) <= 1
    assert abs(ahead[0]) < 50
    assert clip.start_s <= seen[0][1].captured_at_s
    assert clip.end_s >= seen[-1][1].captured_at_s - 0.1
    numbers = [number for number, _ in read_clip(tmp_path / "clip.mp4")]
    assert numbers == list(range(numbers[0], numbers[0] + clip.frames))


@pytest.mark.serial
def test_analysis_goes_on_while_the_main_stream_is_away(streams: dict[str, Path]) -> None:
    with ReplayServer([streams["sub"]]) as server, ReplayServer([streams["main"]]) as main:
        config = settings(server.urls["sub"], rate_hz=12, record=StreamSettings(url=main.urls["main"]))
        with Watched(config) as watched:
            watched.until_frames(20)
            main.stop()
            watched.until_frames(60)
            (still,) = watched.camera.stills([watched.frames[-1].time.captured_at_s])
    assert not isinstance(still, Still), "nothing of that moment was recorded"
    assert "c1" in str(still)

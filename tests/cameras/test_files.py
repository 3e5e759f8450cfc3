from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from pipeline.types import Frame
from tests.cameras.clips import make_clip, number_of
from tests.cameras.support import Watched, settings


def numbered(frame: Frame) -> tuple[int, Frame]:
    return number_of(frame.picture), frame


@pytest.mark.parametrize("codec", ["plain", "h264", "h265", "mpeg4"])
def test_fast_every_picture_comes_once_in_order_at_its_own_time(clips: dict[str, Path], codec: str) -> None:
    with Watched(settings(clips[codec].as_uri(), pace="fast"), numbered) as watched:
        watched.until(lambda: watched.camera.ended, 30)
    assert [number for number, _ in watched.frames] == list(range(250))
    frames = [frame for _, frame in watched.frames]
    start_s = frames[0].time.captured_at_s
    for number, frame in enumerate(frames):
        assert frame.sequence == number
        assert frame.time.source == "file"
        assert frame.time.captured_at_s - start_s == pytest.approx(number / 25, abs=2e-3)
        assert frame.picture.shape == (360, 640, 3)
        assert frame.source_size == (640, 360)
    assert abs(start_s - watched.health[0].since_s) < 5
    assert watched.states() == ["connecting", "up", "stopped"]
    assert "ended" in watched.health[-1].reason


def test_fast_a_slow_consumer_loses_nothing_but_what_the_rate_says(clips: dict[str, Path]) -> None:
    def slow(frame: Frame) -> int:
        time.sleep(0.02)
        return number_of(frame.picture)

    with Watched(settings(clips["plain"].as_uri(), pace="fast", rate_hz=5), slow) as watched:
        watched.until(lambda: watched.camera.ended, 30)
    assert len(watched.frames) == pytest.approx(50, abs=2)
    gaps = [b - a for a, b in itertools.pairwise(watched.frames[2:])]
    assert set(gaps) == {5}
    assert watched.camera.stats().frames_dropped == 0


def test_own_pace_is_real_time_and_loops_without_going_back(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "short.mp4", frames=40, bframes=2)
    with Watched(settings(clip.as_uri(), loop=True), numbered) as watched:
        watched.until_frames(85, 20)
    numbers = [number for number, _ in watched.frames]
    times = [frame.time.captured_at_s for _, frame in watched.frames]
    loops = [n for n, (a, b) in enumerate(itertools.pairwise(numbers)) if b < a]
    assert len(loops) >= 2, "played at least twice more"
    assert all(b > a for a, b in itertools.pairwise(times))
    connections = [frame.connection for _, frame in watched.frames]
    assert connections[0] < connections[loops[0] + 1] < connections[loops[1] + 1], "identities must not go on"
    took_s = watched.came_s[-1] - watched.came_s[0]
    assert times[-1] - times[0] == pytest.approx(took_s, abs=0.5)


def test_connections_leave_no_memory_behind(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "tiny.mp4", frames=3)
    with Watched(settings(clip.as_uri(), loop=True), lambda frame: frame.connection) as watched:
        watched.until(lambda: bool(watched.frames) and watched.frames[-1] >= 8)
        before = watched.camera.stats().rss_bytes
        watched.until(lambda: watched.frames[-1] >= 28, 30)
        grown = watched.camera.stats().rss_bytes - before
    assert grown < 16e6, f"{grown / 20e6:.1f} MB a connection"


def test_wide_pictures_are_scaled_down_in_their_shape(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "wide.mp4", frames=10, size=(1918, 1078))
    config = settings(clip.as_uri(), pace="fast")
    config = config.model_copy(update={"analysis": config.analysis.model_copy(update={"max_width_px": 638})})
    with Watched(config, numbered) as watched:
        watched.until(lambda: watched.camera.ended)
    assert [number for number, _ in watched.frames] == list(range(10))
    height, width, _ = watched.frames[0][1].picture.shape
    assert width == 638, "rows of 1914 bytes are padded on the way"
    assert width / height == pytest.approx(1918 / 1078, rel=0.01)
    assert watched.frames[0][1].source_size == (1918, 1078)


def test_change_of_size_in_the_middle(clips: dict[str, Path]) -> None:
    with Watched(settings(clips["sizes"].as_uri(), pace="fast"), numbered) as watched:
        watched.until(lambda: watched.camera.ended)
    sizes = [(frame.source_size, frame.picture.shape[:2]) for _, frame in watched.frames]
    assert set(sizes) == {((640, 360), (360, 640)), ((960, 540), (540, 960))}
    assert sizes == sorted(sizes)
    assert len(sizes) == 75


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b"nothing of the kind" * 1000), "clip.mkv"),
        (lambda path: path.write_bytes(b""), "clip.mkv"),
        (lambda path: make_clip(path, "vp8", frames=10), "use H.264 or H.265"),
    ],
    ids=["missing", "garbage", "empty", "vp8"],
)
def test_a_file_that_cannot_be_read_is_down_with_a_sentence(tmp_path: Path, make: object, says: str) -> None:
    path = tmp_path / "clip.mkv"
    make(path)
    with Watched(settings(path.as_uri())) as watched:
        watched.until(lambda: "down" in watched.states())
    reason = watched.health[-1].reason if watched.health[-1].reason else watched.health[-2].reason
    assert says in reason
    assert str(path) in reason
    assert watched.frames == []


def test_motion_jpeg_is_decoded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "motion.mkv", "jpeg", frames=50)
    with Watched(settings(clip.as_uri(), pace="fast"), numbered) as watched:
        watched.until(lambda: watched.camera.ended)
    assert [number for number, _ in watched.frames] == list(range(50))


def test_a_decoder_that_cannot_do_it_after_all_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands for a hardware decoder: ranked first, opens, and does not know the stream's profile."""
    clip = make_clip(tmp_path / "full.mp4", "h264-444", frames=20)
    monkeypatch.setenv("GST_PLUGIN_FEATURE_RANK", "openh264dec:999")
    with Watched(settings(clip.as_uri(), pace="fast"), numbered) as watched:
        watched.until(lambda: watched.camera.ended)
    assert watched.states() == ["connecting", "down", "up", "stopped"]
    assert [number for number, _ in watched.frames] == list(range(20))

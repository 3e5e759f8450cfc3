from __future__ import annotations

import itertools
import re
import time
from pathlib import Path

import pytest

from pipeline.cameras.replay import ReplayServer
from pipeline.config.camera import ClockSettings
from pipeline.types import Frame
from tests.cameras.clips import make_clip, number_of
from tests.cameras.support import QUICK, Relay, Watched, settings


def numbered(frame: Frame) -> tuple[int, Frame]:
    return number_of(frame.picture), frame


def by_rtcp(watched: Watched) -> bool:
    return bool(watched.frames) and watched.frames[-1][1].time.source == "rtcp"


@pytest.mark.serial
@pytest.mark.parametrize(
    ("codec", "transport"), [("h264", "tcp"), ("h264", "udp"), ("h265", "tcp"), ("mpeg4", "tcp")]
)
def test_capture_time_by_sender_reports_is_the_moment_the_picture_was_due(
    server: ReplayServer, codec: str, transport: str
) -> None:
    with Watched(settings(server.urls[codec], transport=transport), numbered) as watched:
        watched.until(lambda: by_rtcp(watched))
        watched.until_frames(40)
        early = len(watched.frames) - 35
    timed = [(n, f, c) for (n, f), c in zip(watched.frames, watched.came_s, strict=True)][early:]
    assert {frame.time.source for _, frame, _ in timed} == {"rtcp"}
    due = [frame.time.captured_at_s - number / 25 for number, frame, _ in timed]
    assert max(due) - min(due) < 0.01, "capture time follows the pictures' own time line"
    delays = [came_s - frame.time.captured_at_s for _, frame, came_s in timed]
    # Sent when due; then B-frames wait for their order, and MPEG-4's parser for the next picture.
    assert min(delays) >= 0
    assert max(delays) < 0.6
    assert all(-150 < frame.time.offset_ms <= 0 for _, frame, _ in timed)
    # Not any moment's: health may be told before its first picture says what is in it.
    assert {codec} == {health.codec for health in watched.health if health.codec}


def test_a_camera_whose_clock_is_a_little_ahead_is_believed_and_the_offset_said(server: ReplayServer) -> None:
    with Relay(server.port) as relay:
        relay.clock_ahead_s = 3
        with Watched(settings(relay.url("plain")), numbered) as watched:
            watched.until(lambda: by_rtcp(watched))
            watched.until_frames(50)
        _, frame = watched.frames[-1]
        assert relay.reports > 0
        assert frame.time.captured_at_s - watched.came_s[-1] == pytest.approx(3, abs=0.3)
        assert frame.time.offset_ms == pytest.approx(3000, abs=100)
        assert frame.time.uncertainty_ms > 2900
        times = [(f.connection, f.time.captured_at_s) for _, f in watched.frames]
        assert times == sorted(times), "the step to the camera's clock is not inside a connection"


def test_a_camera_whose_clock_is_far_off_is_timed_by_arrival_and_says_so(server: ReplayServer) -> None:
    with Relay(server.port) as relay:
        relay.clock_ahead_s = -90
        config = settings(relay.url("plain"), clock=ClockSettings(max_offset_s=5))
        with Watched(config, numbered) as watched:
            watched.until(lambda: any("clock" in health.reason for health in watched.health))
            watched.until_frames(20)
    health = watched.health[-2]
    assert health.state == "up"
    assert re.search(r"clock is (89\.9|90\.\d) s behind this host's", health.reason)
    assert health.reason.count("NTP") == 1
    assert {frame.time.source for _, frame in watched.frames} == {"arrival"}
    assert abs(watched.frames[-1][1].time.captured_at_s - watched.came_s[-1]) < 0.3


@pytest.mark.serial
def test_a_slow_consumer_gets_the_newest_picture_and_no_queue_builds(server: ReplayServer) -> None:
    def slow(frame: Frame) -> float:
        age_s = time.time() - frame.time.captured_at_s
        time.sleep(0.4)
        return age_s

    with Watched(settings(server.urls["plain"]), slow) as watched:
        watched.until_frames(9, 20)
        stats = watched.camera.stats()
    assert max(watched.frames[2:]) < 0.25, f"a picture was old when taken: {watched.frames}"
    assert stats.frames_dropped > stats.frames_handed


def test_uneven_gaps_and_repeated_time_stamps(tmp_path: Path) -> None:
    """A recorder's gaps of 0.16 to 0.24 s, and every fourth picture with the time of the one before."""
    times, now = [], 0.0
    for number in range(60):
        times.append(now)
        now += (0.16, 0.0, 0.24, 0.16)[number % 4]
    clip = make_clip(tmp_path / "uneven.mkv", frames=60, gop=12, times_s=times)
    with ReplayServer([clip]) as server, Watched(settings(server.urls["uneven"]), numbered) as watched:
        watched.until_frames(26, 20)
    last = watched.frames[-1][1].connection
    stamps = [frame.time.captured_at_s for _, frame in watched.frames if frame.connection == last]
    assert len(stamps) >= 12
    connections = [(f.connection, f.time.captured_at_s) for _, f in watched.frames]
    assert connections == sorted(connections)
    gaps = [b - a for a, b in itertools.pairwise(stamps[-12:])]
    assert min(gaps) > 0.1, "a repeated time stamp hands on one picture"
    assert max(gaps) < 0.3
    assert "up" in watched.states()
    assert "down" not in watched.states()


def test_change_of_size_in_the_middle_of_a_stream(server: ReplayServer) -> None:
    with Watched(settings(server.urls["sizes"]), numbered) as watched:
        watched.until(lambda: {(640, 360), (960, 540)} <= {f.source_size for _, f in watched.frames}, 20)
        watched.until_frames(30)
        # The clip loops; on a busy machine the first size may be over before health is told again.
        watched.until(lambda: {(640, 360), (960, 540)} <= {health.size for health in watched.health}, 20)
    shapes = {(frame.source_size, frame.picture.shape[:2]) for _, frame in watched.frames}
    assert shapes == {((640, 360), (360, 640)), ((960, 540), (540, 960))}
    assert "down" not in watched.states()


def test_camera_with_two_streams_analyses_one_and_keeps_the_other(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    main = make_clip(tmp_path / "main.mp4", frames=100, size=(1280, 720), bframes=2)
    with ReplayServer([main, clips["plain"]]) as server:
        config = settings(server.urls["plain"], rate_hz=10)
        config = config.model_copy(
            update={"record": config.detect.model_copy(update={"url": server.urls["main"]})}
        )
        with Watched(config, numbered) as watched:
            watched.until(lambda: by_rtcp(watched))
            watched.until_frames(20)
            time_s = watched.frames[-1][1].time.captured_at_s
            assert watched.camera.wait_until(time_s + 0.5, 5)
            still = watched.camera.stills([time_s])[0]
            assert (still.width, still.height) == (1280, 720)
            assert abs(still.captured_at_s - time_s) < 0.045
            made = watched.camera.clip(time_s - 1, time_s, tmp_path / "clip.mp4")
            assert made.start_s <= time_s - 1
    assert {frame.picture.shape for _, frame in watched.frames} == {(360, 640, 3)}


def test_wait_until_does_not_wait_longer_than_told(server: ReplayServer) -> None:
    with Watched(settings(server.urls["plain"])) as watched:
        watched.until_frames(5)
        began_s = time.monotonic()
        assert not watched.camera.wait_until(time.time() + 100, 0.5)
        assert 0.4 < time.monotonic() - began_s < 1.5
        goal_s = time.time() + 0.5
        assert watched.camera.wait_until(goal_s, 5)
        assert goal_s - 0.1 < time.time() < goal_s + 2


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("rtsp://127.0.0.1:1/x", "cannot be reached"),
        ("rtsp://127.0.0.1:{port}/nope", "does not exist"),
    ],
)
def test_unreachable_cameras_say_why_and_are_tried_for_ever(
    server: ReplayServer, url: str, says: str
) -> None:
    with Watched(settings(url.format(port=server.port), reconnect=QUICK)) as watched:
        watched.until(lambda: bool(watched.health) and watched.health[-1].state == "down")
        first = watched.camera.stats()
        time.sleep(2)
    assert says in watched.health[1].reason
    assert watched.states() == ["connecting", "down", "stopped"], "the same trouble is told once"
    assert first.restarts == 0

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cameras.recording import StillPicture, stills
from pipeline.cameras.replay import ReplayServer
from pipeline.cameras.ring import AccessUnit, Ring
from pipeline.config.camera import RingSettings
from pipeline.types import Clip, RecordingError, Still
from tests.cameras.clips import make_clip, number_of, number_of_jpeg, read_clip
from tests.cameras.support import Watched, settings
from tests.evidence.film import shoot


@pytest.fixture(params=["plain", "h264", "h265", "mpeg4"])
def recorded(request: pytest.FixtureRequest, clips: dict[str, Path]) -> Iterator[tuple[str, Watched]]:
    """A file of ten seconds, read to its end, all of it in the ring; frames are (number, capture time)."""
    config = settings(clips[request.param].as_uri(), pace="fast")
    with Watched(config, lambda f: (number_of(f.picture), f.time.captured_at_s)) as watched:
        watched.until(lambda: watched.camera.ended, 30)
        assert watched.camera.wait_until(watched.frames[-1][1], 5)
        yield request.param, watched


def test_stills_show_exactly_the_picture_of_the_moment(recorded: tuple[str, Watched]) -> None:
    _, watched = recorded
    asked = [watched.frames[n] for n in (0, 1, 24, 25, 26, 99, 100, 131, 248, 249, 131, 3)]
    stills = watched.camera.stills([time_s for _, time_s in asked])
    for (number, time_s), still in zip(asked, stills, strict=True):
        assert isinstance(still, Still), still
        assert number_of_jpeg(still.jpeg) == number
        assert still.captured_at_s == pytest.approx(time_s, abs=1e-6)
        assert (still.width, still.height) == (640, 360)
    between = watched.frames[70][1] + 0.013
    (nearest,) = watched.camera.stills([between])
    assert number_of_jpeg(nearest.jpeg) == 70
    (missing,) = watched.camera.stills([watched.frames[0][1] - 30])
    assert isinstance(missing, RecordingError)
    assert "camera c1: the recording holds" in str(missing)


def test_clip_holds_every_picture_of_the_span_untouched(
    recorded: tuple[str, Watched], tmp_path: Path
) -> None:
    codec, watched = recorded
    start_s, end_s = watched.frames[110][1], watched.frames[187][1]
    path = tmp_path / "clip.mp4"
    clip = watched.camera.clip(start_s, end_s, path)
    shown = read_clip(path)
    first = round((clip.start_s - watched.frames[0][1]) * 25)
    assert [number for number, _ in shown] == list(range(first, first + clip.frames))
    assert first in (99, 100), "from the key frame before (H.265's open groups lie one picture off)"
    assert watched.frames[186][1] < clip.end_s <= end_s + 4 / 25
    assert shown[-1][0] == round((clip.end_s - watched.frames[0][1]) * 25)
    for place, (number, second) in enumerate(shown):
        assert second - shown[0][1] == pytest.approx(place / 25, abs=2e-3), number
    assert clip == Clip(path, clip.start_s, clip.end_s, codec.replace("plain", "h264"), clip.frames)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index comes first, so that a browser can start"
    assert {entry.name for entry in tmp_path.iterdir()} == {"clip.mp4"}


def test_clip_is_not_encoded_anew(clips: dict[str, Path], tmp_path: Path) -> None:
    """All of the file as a clip: the coded pictures are the very bytes of the file."""
    with Watched(settings(clips["h264"].as_uri(), pace="fast"), lambda f: f.time.captured_at_s) as watched:
        watched.until(lambda: watched.camera.ended, 30)
        watched.camera.wait_until(watched.frames[-1], 5)
        clip = watched.camera.clip(watched.frames[0], watched.frames[-1], tmp_path / "clip.mp4")
    assert clip.frames == 250
    assert coded_pictures(clip.path) == coded_pictures(clips["h264"])


def coded_pictures(path: Path) -> list[bytes]:
    """The slices (NAL types 1 and 5) of an H.264 file's samples."""
    from pipeline.cameras.gst import Gst

    pipeline = Gst.parse_launch(
        f"filesrc location={path} ! qtdemux ! h264parse ! video/x-h264,stream-format=avc,alignment=au"
        " ! appsink name=out sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    slices = []
    while (sample := pipeline.get_by_name("out").emit("try-pull-sample", 5 * Gst.SECOND)) is not None:
        data = sample.get_buffer().extract_dup(0, sample.get_buffer().get_size())
        while data:
            size = int.from_bytes(data[:4], "big")
            if data[4] & 0x1F in (1, 5):
                slices.append(data[4 : 4 + size])
            data = data[4 + size :]
    pipeline.set_state(Gst.State.NULL)
    assert len(slices) >= 250
    return slices


def test_clip_that_cannot_be_written_leaves_nothing(recorded: tuple[str, Watched], tmp_path: Path) -> None:
    _, watched = recorded
    start_s, end_s = watched.frames[50][1], watched.frames[100][1]
    with pytest.raises(RecordingError, match=r"camera c1: the clip clip\.mp4 could not be written"):
        watched.camera.clip(start_s, end_s, tmp_path / "nowhere" / "clip.mp4")
    with pytest.raises(RecordingError, match="the recording holds"):
        watched.camera.clip(start_s - 100, end_s - 100, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []
    assert isinstance(watched.camera.stills([start_s])[0], Still), "the recording goes on working"


def test_full_disk(clips: dict[str, Path], tmp_path: Path) -> None:
    """/dev/full stands in for a disk without room: every write fails with ENOSPC."""
    with Watched(settings(clips["plain"].as_uri(), pace="fast"), lambda f: f.time.captured_at_s) as watched:
        watched.until(lambda: watched.camera.ended, 30)
        full = tmp_path / "full"
        full.symlink_to("/dev/full")
        with pytest.raises(RecordingError, match="No space left on the resource"):
            watched.camera.clip(watched.frames[0], watched.frames[-1], full)


def test_live_with_b_frames_stills_and_clip_match_the_frames_analysed(
    server: ReplayServer, tmp_path: Path
) -> None:
    config = settings(server.urls["h264"], rate_hz=5, ring=RingSettings(seconds=4, megabytes=4))
    with Watched(config, lambda f: (number_of(f.picture), f.time)) as watched:
        watched.until(lambda: bool(watched.frames) and watched.frames[-1][1].source == "rtcp")
        watched.until_frames(18)
        asked = watched.frames[-12:-4]
        last_s = asked[-1][1].captured_at_s
        assert watched.camera.wait_until(last_s, 5)
        before = len(watched.came_s)
        made: list[Clip] = []
        muxing = threading.Thread(
            target=lambda: made.append(watched.camera.clip(last_s - 1, last_s, tmp_path / "clip.mp4"))
        )
        muxing.start()
        stills = watched.camera.stills([time.captured_at_s for _, time in asked])
        muxing.join(20)
        watched.until_frames(10)
        stats = watched.camera.stats()
    assert [number_of_jpeg(still.jpeg) for still in stills] == [number for number, _ in asked]
    shown = [number for number, _ in read_clip(made[0].path)]
    assert shown == list(range(shown[0], shown[0] + len(shown)))
    assert shown[-1] >= asked[-1][0] >= shown[0] + 20
    assert 4 - 4 / 25 <= stats.ring_seconds <= 6, "B-frames still to come are counted out"
    gaps = [b - a for a, b in itertools.pairwise(watched.came_s[before - 1 :])]
    assert max(gaps) < 0.6, f"the live picture stood still while evidence was taken: {gaps}"


def test_clip_over_a_change_of_size_takes_the_longer_part(clips: dict[str, Path], tmp_path: Path) -> None:
    with Watched(settings(clips["sizes"].as_uri(), pace="fast"), lambda f: f.time.captured_at_s) as watched:
        watched.until(lambda: watched.camera.ended, 30)
        clip = watched.camera.clip(watched.frames[10], watched.frames[-1], tmp_path / "clip.mp4")
        stills = watched.camera.stills([watched.frames[20], watched.frames[30]])
    assert [(still.width, still.height) for still in stills] == [(640, 360), (960, 540)]
    assert [number for number, _ in read_clip(clip.path)] == list(range(50))
    assert clip.start_s == pytest.approx(watched.frames[25], abs=0.05)


def test_stills_are_true_where_time_stepped_back_within_a_group() -> None:
    """As it does when a camera's first report comes: pictures 30 to 49 lean on those that came before it."""
    film = shoot()
    ring = Ring(60, 10**9)
    times = [n / 10 - (0.5 if n >= 30 else 0.0) for n in range(100)]
    for number, time_s in enumerate(times):
        one = film.units[number]
        ring.append(AccessUnit(one.data, time_s, one.key, film.caps, int(number >= 30)))
    pictures = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE) for jpeg in film.jpegs]
    for act in ((10, 26, 29), (31, 34, 49), (30, 33, 60)):
        for number, still in zip(act, stills(ring, [times[n] for n in act]), strict=True):
            assert isinstance(still, StillPicture), still
            shown = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
            errors = [float(cv2.absdiff(shown, picture).mean()) for picture in pictures]
            assert errors.index(min(errors)) == number


def test_motion_jpeg_gives_stills_and_no_clip(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "motion.mkv", "jpeg", frames=50)
    with Watched(settings(source.as_uri(), pace="fast"), lambda f: f.time.captured_at_s) as watched:
        watched.until(lambda: watched.camera.ended, 30)
        assert number_of_jpeg(watched.camera.stills([watched.frames[20]])[0].jpeg) == 20
        with pytest.raises(RecordingError, match=r"image/jpeg cannot go into a clip: use H\.264"):
            watched.camera.clip(watched.frames[0], watched.frames[-1], tmp_path / "clip.mp4")


def test_without_a_connection_there_is_a_clear_no(tmp_path: Path) -> None:
    with Watched(settings("rtsp://127.0.0.1:1/x")) as watched:
        watched.until(lambda: "down" in watched.states())
        (still,) = watched.camera.stills([1.0])
        assert "no key frame has come yet" in str(still)
        with pytest.raises(RecordingError, match="camera c1"):
            watched.camera.clip(1, 2, tmp_path / "clip.mp4")
    (still,) = watched.camera.stills([1.0])
    assert "no recording" in str(still)

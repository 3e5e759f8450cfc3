"""Tracks on disk: bounded, whole after a kill, and never in the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import structlog

from pipeline.config import TracksSettings
from pipeline.tracks import log as tracks_log
from pipeline.tracks import store
from pipeline.tracks.errors import TracksError
from pipeline.tracks.log import TrackLog
from pipeline.tracks.store import BLOCK_S, StoredTracks
from pipeline.types import FrameTime, Observation
from tests.conftest import ROOT
from tests.tracks.test_codec import START_S, traffic
from tests.waiting import wait_for

ON = TracksSettings(enabled=True)
DAY_S = 86400.0
LIMIT_MB = 0.05
NOBODY = 65534


class Counts(Counter[tuple[str, str]]):
    def __call__(self, camera_id: str, outcome: str, frames: int) -> None:
        self[camera_id, outcome] += frames


@pytest.fixture(autouse=True)
def _tests_add_faster_than_any_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks_log, "WAITING", 10_000)


def write(root: Path, observations: list[Observation], settings: TracksSettings = ON) -> Counts:
    counts = Counts()
    tracks = TrackLog(root, settings, counts)
    tracks.start()
    camera = tracks.camera("cam")
    assert camera is not None
    for observation in observations:
        camera.add(observation)
    tracks.close(20.0)
    return counts


def read(root: Path, from_s: float | None = None, to_s: float | None = None) -> list[list[Observation]]:
    stored = StoredTracks(root)
    return [
        [observation for _, observation in stored.observations("cam", run)]
        for run in stored.places("cam", from_s, to_s)
    ]


def quiet(start_s: float, frames: int = 120) -> list[Observation]:
    return [Observation("cam", FrameTime(start_s + n / 6, "rtcp"), (), {}) for n in range(frames)]


def test_what_was_written_is_read_over_the_end_of_a_day_and_of_a_worker(tmp_path: Path) -> None:
    observations = list(traffic(700))
    midnight = (observations[0].time.captured_at_s // DAY_S + 1) * DAY_S
    shift_s = midnight - observations[350].time.captured_at_s
    moved = [
        Observation(
            o.camera_id,
            FrameTime(o.time.captured_at_s + shift_s, "rtcp"),
            (),
            o.signals,
            connection=o.connection,
        )
        for o in observations
    ]
    assert write(tmp_path, moved) == {("cam", "stored"): 700}
    write(tmp_path, observations[:50])
    assert not list(tmp_path.rglob("*-wal")), "a file can be copied alone"
    assert len(store.files(tmp_path)) == 2
    first, second = read(tmp_path)
    assert first == moved
    assert second == observations[:50]


def test_a_span_of_time_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, quiet(START_S, 6 * 600))
    (part,) = read(tmp_path, START_S + 100, START_S + 130)
    times = [observation.time.captured_at_s - START_S for observation in part]
    assert 100 - BLOCK_S <= times[0] <= 100
    assert 129.8 <= times[-1] <= 130 + BLOCK_S


def test_days_outside_the_span_are_not_looked_at(tmp_path: Path) -> None:
    """Nor are they in the way where they are damaged."""
    midnight_s = (START_S // DAY_S + 1) * DAY_S
    write(tmp_path, quiet(midnight_s - 2.0, 30))
    (day,) = store.files(tmp_path)
    assert len(read(tmp_path, midnight_s + 1.0)[0]) == 30, "a day's last block goes on into the next"
    store.day_file(tmp_path, "cam", midnight_s - 2 * DAY_S).write_bytes(b"junk")
    assert len(read(tmp_path, midnight_s - DAY_S)[0]) == 30
    assert read(tmp_path, to_s=midnight_s - 3 * DAY_S) == []
    with pytest.raises(TracksError, match="move it away to leave this day out"):
        read(tmp_path)
    assert StoredTracks(tmp_path).span("cam") == pytest.approx((midnight_s - 2.0, midnight_s - 2.0 + 29 / 6))
    day.unlink()
    assert StoredTracks(tmp_path).span("cam") is None


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_tracks_in_a_folder_that_may_not_be_written_are_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        write(root, quiet(START_S))
        (path,) = store.files(root)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        try:
            with as_nobody():
                assert len(read(root)[0]) == 120
            path.with_name(path.name + "-wal").write_bytes(b"of a worker that was killed")
            with as_nobody(), pytest.raises(TracksError, match="copy the folder"):
                read(root)
            path.chmod(0)
            with as_nobody(), pytest.raises(TracksError, match="may not be read: check its owner"):
                read(root)
        finally:
            path.parent.chmod(0o755)


@pytest.mark.parametrize("closed", [".", "tracks"])
def test_tracks_of_another_user_are_named_with_what_to_do(closed: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tracks"
        write(root, quiet(START_S))
        Path(folder).chmod(0o755)
        (Path(folder) / closed).chmod(0o700)
        with as_nobody(), pytest.raises(TracksError, match="tracks: may not be read: check its owner"):
            StoredTracks(root)


def test_switched_off_nothing_is_kept(tmp_path: Path) -> None:
    tracks = TrackLog(tmp_path / "tracks", TracksSettings(), Counts())
    tracks.start()
    assert tracks.camera("cam") is None
    tracks.close(1.0)
    assert not (tmp_path / "tracks").exists()
    with pytest.raises(TracksError, match="enabled"):
        StoredTracks(tmp_path / "tracks")


def test_days_beyond_retention_go_and_no_others(tmp_path: Path) -> None:
    now_s = time.time()
    for age_days in (9.0, 6.0):
        write(tmp_path, quiet(START_S - age_days * DAY_S))
        path = store.day_file(tmp_path, "cam", START_S - age_days * DAY_S)
        os.utime(path, (now_s - age_days * DAY_S,) * 2)
    write(tmp_path, quiet(START_S), TracksSettings(enabled=True, retention_days=7))
    expected = [store.day_file(tmp_path, "cam", START_S - age * DAY_S) for age in (6.0, 0.0)]
    assert store.files(tmp_path) == expected


def test_a_damaged_day_moved_aside_goes_with_its_time_and_counts_until_then(tmp_path: Path) -> None:
    aside = [store.day_file(tmp_path, "cam", START_S - age * DAY_S) for age in (9.0, 6.0)]
    aside = [path.with_name(path.name + store.DAMAGED) for path in aside]
    aside[0].parent.mkdir()
    for path, age in zip(aside, (9.0, 6.0), strict=True):
        path.write_bytes(bytes(30_000))
        os.utime(path, (time.time() - age * DAY_S,) * 2)
    tracks = TrackLog(tmp_path, TracksSettings(enabled=True, retention_days=7), Counts())
    tracks.start()
    camera = tracks.camera("cam")
    assert camera is not None
    list(map(camera.add, quiet(START_S)))
    tracks.close(20.0)
    assert [path.exists() for path in aside] == [False, True]
    assert 30_000 < tracks.bytes() < 60_000


def test_a_folder_removed_by_hand_is_begun_anew(tmp_path: Path) -> None:
    counts = Counts()
    tracks = TrackLog(tmp_path, ON, counts)
    tracks.start()
    camera = tracks.camera("cam")
    assert camera is not None
    list(map(camera.add, quiet(START_S)))
    camera.flush()
    assert wait_for(lambda: counts["cam", "stored"] == 120)
    shutil.rmtree(tmp_path / "cam")
    list(map(camera.add, quiet(START_S + 60)))
    tracks.close(20.0)
    assert counts == {("cam", "stored"): 240}
    (kept,) = read(tmp_path)
    assert len(kept) == 120


def test_one_camera_in_trouble_is_told_once_though_another_is_well(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("a file is in the way")
    counts = Counts()
    tracks = TrackLog(tmp_path, ON, counts)
    tracks.start()
    cameras = [tracks.camera(camera_id) for camera_id in ("bad", "cam")]
    with structlog.testing.capture_logs() as logs:
        for observation in quiet(START_S, 6 * 60):
            for camera in cameras:
                assert camera is not None
                camera.add(observation)
        tracks.close(20.0)
    assert counts == {("bad", "refused"): 360, ("cam", "stored"): 360}
    assert [entry["camera"] for entry in logs if entry["event"] == "tracks_refused"] == ["bad"]


def test_the_bound_holds_and_the_oldest_days_go_first(tmp_path: Path) -> None:
    big = list(traffic(400))
    days = [
        [
            Observation("cam", FrameTime(o.time.captured_at_s + n * 30 * DAY_S, "rtcp"), o.road_users, {})
            for o in big
        ]
        for n in range(2)
    ]
    settings = TracksSettings.model_construct(enabled=True, max_megabytes=LIMIT_MB, retention_days=9.0)
    assert write(tmp_path, days[0][:150], settings)["cam", "refused"] == 0
    oldest = store.files(tmp_path)[0]
    counts = write(tmp_path, days[1], settings)
    assert oldest not in store.files(tmp_path)
    assert counts["cam", "refused"] > 0
    assert counts["cam", "stored"] + counts["cam", "refused"] == 400
    assert sum(map(store.size, store.files(tmp_path))) < LIMIT_MB * 1e6 + 20_000


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LEAST_FREE_BYTES", 1 << 62)
    assert write(tmp_path, quiet(START_S)) == {("cam", "refused"): 120}


def test_a_slow_disk_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk stands still: adding goes on, what does not fit is counted, the rest is written."""
    go_on = threading.Event()
    append = store.append

    def slow(*values: object) -> None:
        assert go_on.wait(60)
        append(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "append", slow)
    monkeypatch.setattr(tracks_log, "WAITING", 4)
    counts = Counts()
    tracks = TrackLog(tmp_path, ON, counts)
    tracks.start()
    camera = tracks.camera("cam")
    assert camera is not None
    observations = quiet(START_S, 6 * 100)
    longest_s = 0.0
    for observation in observations:
        began = time.perf_counter()
        camera.add(observation)
        longest_s = max(longest_s, time.perf_counter() - began)
    assert counts["cam", "refused"] > 300
    assert longest_s < 1.0
    go_on.set()
    tracks.close(20.0)
    assert counts["cam", "stored"] + counts["cam", "refused"] == 600
    (kept,) = read(tmp_path)
    assert len(kept) == counts["cam", "stored"]
    assert all(a.time.captured_at_s < b.time.captured_at_s for a, b in pairwise(kept))


CHILD = """
import sys, time
from pathlib import Path
from pipeline.config import TracksSettings
from pipeline.tracks.log import TrackLog
from tests.tracks.test_codec import traffic

tracks = TrackLog(Path(sys.argv[1]), TracksSettings(enabled=True), lambda *counted: None)
tracks.start()
camera = tracks.camera("cam")
for n, observation in enumerate(traffic(1_000_000)):
    camera.add(observation)
    if n % 20 == 0:
        print(observation.time.captured_at_s, flush=True)
    time.sleep(0.001)
"""


def test_a_killed_worker_loses_no_more_than_the_last_seconds(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    told_s = [float(child.stdout.readline()) for _ in range(8)][-1]
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    told_s = max([told_s, *(float(line) for line in child.stdout if line.endswith("\n"))])
    (kept,) = read(tmp_path)
    assert kept == list(traffic(len(kept)))
    # Twenty frames lie between two lines, some of them not told; a second or two may be on their way.
    assert told_s - kept[-1].time.captured_at_s < 3 * BLOCK_S
    assert len(kept) > 100
    write(tmp_path, quiet(START_S + DAY_S))
    assert len(read(tmp_path)) == 2


def test_damage_is_named_when_read_and_moved_aside_when_written(tmp_path: Path) -> None:
    write(tmp_path, quiet(START_S))
    (path,) = store.files(tmp_path)
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(TracksError, match=path.name):
        read(tmp_path)
    assert write(tmp_path, quiet(START_S))["cam", "stored"] == 120
    assert path.with_name(path.name + ".damaged").exists()
    assert len(read(tmp_path)[0]) == 120

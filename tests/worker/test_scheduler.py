"""The detector is shared fairly, in order, newest first, and survives a bad frame."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pipeline.types import Frame, FrameTime
from pipeline.worker import scheduler as scheduling
from pipeline.worker.scheduler import Scheduler
from tests.waiting import wait_for


def frame(camera_id: str, sequence: int) -> Frame:
    return Frame(
        camera_id, np.zeros((2, 2, 3), np.uint8), FrameTime(float(sequence), "file"), sequence=sequence
    )


class Mailboxes:
    """Cameras whose newest frame replaces the one before it."""

    def __init__(self) -> None:
        self.newest: dict[str, Frame] = {}
        self.lock = threading.Lock()
        self.scheduler: Scheduler | None = None

    def post(self, camera_id: str, sequence: int) -> None:
        with self.lock:
            self.newest[camera_id] = frame(camera_id, sequence)
        assert self.scheduler is not None
        self.scheduler.frame_ready(camera_id)

    def take(self, camera_id: str) -> Frame | None:
        with self.lock:
            return self.newest.pop(camera_id, None)


def running(see: Callable[[Sequence[Frame]], None], *, threads: int = 2, batch: int = 1) -> Mailboxes:
    boxes = Mailboxes()
    boxes.scheduler = Scheduler(boxes.take, see, threads=threads, batch=batch)
    boxes.scheduler.start()
    return boxes


@pytest.mark.serial
def test_slow_consumer_sees_newest_and_never_goes_back() -> None:
    seen: list[int] = []

    def slow(frames: Sequence[Frame]) -> None:
        seen.extend(f.sequence for f in frames)
        time.sleep(0.02)

    boxes = running(slow)
    for sequence in range(200):
        boxes.post("a", sequence)
        time.sleep(0.001)
    assert wait_for(lambda: seen[-1:] == [199])
    assert boxes.scheduler is not None
    boxes.scheduler.stop(1)
    assert seen == sorted(set(seen))
    assert len(seen) < 60


def test_a_camera_is_on_one_thread_at_a_time() -> None:
    inside: Counter[str] = Counter()
    worst: Counter[str] = Counter()
    lock = threading.Lock()

    def see(frames: Sequence[Frame]) -> None:
        for f in frames:
            with lock:
                inside[f.camera_id] += 1
                worst[f.camera_id] = max(worst[f.camera_id], inside[f.camera_id])
            time.sleep(0.003)
            with lock:
                inside[f.camera_id] -= 1

    boxes = running(see, threads=4)
    for sequence in range(100):
        boxes.post("a", sequence)
        boxes.post("b", sequence)
        time.sleep(0.001)
    assert boxes.scheduler is not None
    boxes.scheduler.stop(1)
    assert worst == {"a": 1, "b": 1}


def test_busy_camera_does_not_starve_the_others() -> None:
    counts: Counter[str] = Counter()

    def see(frames: Sequence[Frame]) -> None:
        counts.update(f.camera_id for f in frames)
        time.sleep(0.002)

    boxes = running(see, threads=1)
    for sequence in range(300):
        boxes.post("busy", sequence)
        if sequence % 10 == 0:
            # While one camera floods the queue, the other one's frame is seen all the same.
            before = counts["calm"]
            boxes.post("calm", sequence)
            assert wait_for(lambda before=before: counts["calm"] == before + 1)
    assert boxes.scheduler is not None
    boxes.scheduler.stop(1)
    assert counts["calm"] == 30


def test_batches_hold_different_cameras() -> None:
    batches: list[list[str]] = []
    gate = threading.Event()

    def see(frames: Sequence[Frame]) -> None:
        batches.append([f.camera_id for f in frames])
        gate.wait(2)

    boxes = running(see, threads=1, batch=4)
    boxes.post("first", 0)
    assert wait_for(lambda: bool(batches))
    for camera_id in ("a", "b", "c", "d", "e"):
        boxes.post(camera_id, 1)
    gate.set()
    assert wait_for(lambda: len(batches) == 3)
    assert boxes.scheduler is not None
    boxes.scheduler.stop(1)
    assert batches == [["first"], ["a", "b", "c", "d"], ["e"]]


def test_an_error_ends_neither_thread_nor_camera() -> None:
    seen: list[int] = []

    def see(frames: Sequence[Frame]) -> None:
        if frames[0].sequence == 1:
            raise RuntimeError("bad frame")
        seen.append(frames[0].sequence)

    boxes = running(see, threads=1)
    for sequence in range(3):
        boxes.post("a", sequence)
        assert wait_for(lambda: "a" not in boxes.newest)
    assert wait_for(lambda: seen == [0, 2])
    assert boxes.scheduler is not None
    assert boxes.scheduler.alive()
    boxes.scheduler.stop(1)


@pytest.mark.parametrize("bad", [lambda n: True, lambda n: n % 5 > 0, lambda n: False])
def test_a_detector_that_only_fails_sees_nothing_and_one_that_fails_at_times_does(
    bad: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "FAILING_S", 0.2)
    tried: list[int] = []

    def see(frames: Sequence[Frame]) -> None:
        tried.append(frames[0].sequence)
        if bad(frames[0].sequence):
            raise RuntimeError("an illegal memory access")

    boxes = running(see, threads=1)
    assert boxes.scheduler is not None
    assert boxes.scheduler.alive(), "nothing was tried yet"
    for sequence in range(21):
        boxes.post("a", sequence)
        assert wait_for(lambda sequence=sequence: tried[-1:] == [sequence])
        time.sleep(0.02)
    assert boxes.scheduler.alive() is not bad(0)
    boxes.scheduler.stop(1)


def test_one_failure_before_the_cameras_are_gone_is_no_illness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "FAILING_S", 0.1)
    tried = threading.Event()

    def see(frames: Sequence[Frame]) -> None:
        tried.set()
        raise RuntimeError("bad frame")

    boxes = running(see, threads=1)
    assert boxes.scheduler is not None
    boxes.post("a", 0)
    assert tried.wait(10)
    time.sleep(0.3)
    assert boxes.scheduler.alive()
    boxes.scheduler.stop(1)

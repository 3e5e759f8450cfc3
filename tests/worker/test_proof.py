"""Hits wait for their clip, are refused aloud when too many wait, and are finished at once on a drain."""

from __future__ import annotations

import threading
import time

from pipeline.scene import Scene, SceneSettings
from pipeline.types import FrameTime, Hit, RoadUserKind, TrackPoint
from pipeline.worker.act import Act
from pipeline.worker.proof import ProofQueue

SCENE = Scene(SceneSettings())


def act(track_id: int, end_s: float = 100.0) -> Act:
    moment = TrackPoint(end_s, (0.1, 0.1, 0.2, 0.2))
    hit = Hit(
        rule="red_light",
        camera_id="a",
        track_id=track_id,
        kind=RoadUserKind.CAR,
        before=moment,
        at=moment,
        after=moment,
        confidence=1.0,
        time=FrameTime(end_s, "file"),
    )
    return Act(hit, SCENE)


def test_a_hit_waits_until_its_clip_has_been_filmed() -> None:
    done: list[tuple[int, float]] = []
    began = time.monotonic()
    queue = ProofQueue(
        lambda a, _: done.append((a.hit.track_id, time.monotonic() - began)),
        lambda _: None,
        delay_s=1.0,
        limit=10,
        threads=2,
    )
    queue.start()
    queue.submit(act(1, end_s=100.0), now_s=100.0)
    queue.submit(act(2, end_s=100.0), now_s=102.0)  # its clip's end has passed already
    deadline = time.monotonic() + 10
    while len(done) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    queue.drain(1)
    assert [track for track, _ in done] == [2, 1]
    assert done[0][1] < 1.0 <= done[1][1]


def test_a_clock_put_back_lets_no_proof_wait_longer_than_its_clip_takes() -> None:
    done = threading.Event()
    queue = ProofQueue(lambda *_: done.set(), lambda _: None, delay_s=0.2, limit=10, threads=1)
    queue.start()
    queue.submit(act(1, end_s=7 * 3600.0), now_s=0.0)
    assert done.wait(10)
    queue.drain(1)


def test_a_full_queue_refuses_at_once() -> None:
    refused: list[int] = []
    queue = ProofQueue(
        lambda *_: None, lambda a: refused.append(a.hit.track_id), delay_s=60, limit=3, threads=1
    )
    queue.start()
    for track_id in range(5):
        queue.submit(act(track_id), now_s=100.0)
    assert refused == [3, 4]
    assert queue.waiting() == 3
    queue.drain(1)


def test_drain_finishes_what_waits_at_once_and_tells_what_is_left() -> None:
    finished: list[tuple[int, bool]] = []
    stuck = threading.Event()

    def finish(a: Act, draining: bool) -> None:
        if a.hit.track_id == 3:
            stuck.wait(5)
        finished.append((a.hit.track_id, draining))

    queue = ProofQueue(finish, lambda _: None, delay_s=60, limit=10, threads=2)
    queue.start()
    for track_id in (1, 2, 3):
        queue.submit(act(track_id), now_s=100.0)
    began = time.monotonic()
    assert queue.drain(0.3) == 1
    assert time.monotonic() - began < 1
    assert sorted(finished) == [(1, True), (2, True)]
    stuck.set()


def test_an_error_in_one_proof_leaves_the_others() -> None:
    finished: list[int] = []

    def finish(a: Act, draining: bool) -> None:
        if a.hit.track_id == 1:
            raise RuntimeError("disk on fire")
        finished.append(a.hit.track_id)

    queue = ProofQueue(finish, lambda _: None, delay_s=0, limit=10, threads=1)
    queue.start()
    queue.submit(act(1), now_s=101.0)
    queue.submit(act(2), now_s=101.0)
    deadline = time.monotonic() + 10
    while finished != [2] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert queue.alive()
    queue.drain(5)
    assert finished == [2]

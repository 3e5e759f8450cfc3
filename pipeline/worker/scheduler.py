"""Shares the detector among cameras: newest frame first, the camera that waited longest next."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from pipeline.types import Frame

log = structlog.get_logger(__name__)

Take = Callable[[str], Frame | None]
"""Camera id to its newest frame, or None when another has it."""

FAILING_S = 30.0
"""When nothing but errors came of frames for this long, nothing is seen any more."""

See = Callable[[Sequence[Frame]], None]
"""Analyse one frame each of different cameras, through to the rules."""


class Scheduler:
    """A few threads that take ready cameras in turn.

    A camera is worked on by one thread at a time, so its frames stay in order of capture; while it is,
    newer frames replace each other in its mailbox. Nothing here queues frames: what waits is camera ids.
    """

    def __init__(self, take: Take, see: See, *, threads: int, batch: int) -> None:
        self._take = take
        self._see = see
        self._batch = batch
        self._ready: deque[str] = deque()
        self._queued: set[str] = set()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._failing: tuple[float, float] | None = None
        """When seeing failed first and last (monotonic), None after it succeeded."""
        self._threads = [
            threading.Thread(target=self._run, name=f"see-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def frame_ready(self, camera_id: str) -> None:
        """Note that `camera_id` has a new frame; called from any thread, returns at once."""
        with self._changed:
            if camera_id in self._busy:
                self._again.add(camera_id)
            elif camera_id not in self._queued:
                self._queue(camera_id)

    def stop(self, timeout_s: float) -> None:
        """Finish the frames in hand and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def alive(self) -> bool:
        """Whether all threads run, and not only errors came of frames for FAILING_S seconds. A frame that is
        still being worked on is no error: the first may take minutes.
        """
        failing = self._failing
        if failing is not None and failing[1] - failing[0] >= FAILING_S:
            return False
        return all(thread.is_alive() for thread in self._threads)

    def _queue(self, camera_id: str) -> None:
        self._queued.add(camera_id)
        self._ready.append(camera_id)
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._ready and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                camera_ids = [self._ready.popleft() for _ in range(min(self._batch, len(self._ready)))]
                self._queued.difference_update(camera_ids)
                self._busy.update(camera_ids)
            try:
                frames = [frame for frame in map(self._take, camera_ids) if frame is not None]
                if frames:
                    self._see(frames)
                    self._failing = None
            except Exception:
                # One bad frame or a bug in one rule must not end the eyes of all cameras.
                now_s = time.monotonic()
                self._failing = (self._failing or (now_s, now_s))[0], now_s
                log.exception("frame_failed", cameras=camera_ids)
            finally:
                with self._changed:
                    self._busy.difference_update(camera_ids)
                    for camera_id in camera_ids:
                        if camera_id in self._again:
                            self._again.discard(camera_id)
                            self._queue(camera_id)

"""From a hit to an event in the outbox: journal, wait for the pictures, bundle, event, in this order.

A hit is written to the outbox's journal before anything else, so that one that was seen is told even if
the box loses power while its clip is still being filmed: the next start publishes it with what is missing.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from pipeline.worker.act import Act

log = structlog.get_logger(__name__)

Finish = Callable[[Act, bool], None]
"""Make the evidence of an act and write its event; the second argument is whether the queue is draining: then
only what costs no time is done."""


@dataclass(order=True, slots=True)
class _Job:
    due_s: float
    number: int
    act: Act = field(compare=False)


class ProofQueue:
    """Hits that wait until their clip's end has been filmed, and the threads that then make the proof."""

    def __init__(
        self, finish: Finish, refuse: Callable[[Act], None], *, delay_s: float, limit: int, threads: int
    ) -> None:
        """`finish` is called on one of `threads` when a hit is due; `refuse` at once when `limit` wait."""
        self._finish = finish
        self._refuse = refuse
        self._delay_s = delay_s
        self._limit = limit
        self._jobs: list[_Job] = []
        self._number = 0
        self._working = 0
        self._changed = threading.Condition()
        self._draining = False
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._run, name=f"proof-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, act: Act, now_s: float) -> None:
        """Take an act; `now_s`, the newest capture time, tells how much of its clip is filmed already."""
        with self._changed:
            full = len(self._jobs) >= self._limit
            if not full:
                self._number += 1
                # A clock put back must not let proofs wait until the ring has lost their pictures.
                wait_s = min(max(0.0, act.hit.after.time_s + self._delay_s - now_s), self._delay_s)
                heapq.heappush(self._jobs, _Job(time.monotonic() + wait_s, self._number, act))
                self._changed.notify()
        if full:
            self._refuse(act)

    def waiting(self) -> int:
        """How many hits wait or are being worked on."""
        with self._changed:
            return len(self._jobs) + self._working

    def overdue(self) -> int:
        """How many wait for a thread alone: all of their clip has been filmed."""
        now_s = time.monotonic()
        with self._changed:
            return sum(job.due_s <= now_s for job in self._jobs)

    def alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def drain(self, timeout_s: float) -> int:
        """Make the proof of every waiting hit now, with what has been filmed; return how many are left."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._draining = True
            self._changed.notify_all()
            while (self._jobs or self._working) and time.monotonic() < deadline:
                self._changed.wait(max(0.0, deadline - time.monotonic()))
            self._stopped = True
            self._changed.notify_all()
            return len(self._jobs) + self._working

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due():
                    if self._stopped:
                        return
                    self._changed.wait(self._next_due_in_s())
                job = heapq.heappop(self._jobs)
                self._working += 1
                draining = self._draining
            try:
                self._finish(job.act, draining)
            except Exception:
                # The hit stays in the journal: the next start publishes it with what is missing.
                log.exception("proof_failed", camera=job.act.hit.camera_id, rule=job.act.hit.rule)
            finally:
                with self._changed:
                    self._working -= 1
                    self._changed.notify_all()

    def _due(self) -> bool:
        if not self._jobs or self._stopped:
            return False
        return self._draining or self._jobs[0].due_s <= time.monotonic()

    def _next_due_in_s(self) -> float | None:
        return max(0.0, self._jobs[0].due_s - time.monotonic()) if self._jobs else None

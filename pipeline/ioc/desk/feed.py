"""What happens now, for consoles and streams: new cases and decisions, whichever service took them in.

The database is asked once a second, so that several services on one database tell the same. Where more comes
than a screen can show, the newest are told.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from pipeline.ioc.desk.queue import CaseRow, row_of
from pipeline.ioc.store import Database, clock
from pipeline.ioc.store.models import Case, Decision

log = structlog.get_logger(__name__)

POLL_S = 1.0
OVERLAP_MS = 5000
"""A transaction is seen only once it is committed, this much later at most."""
MOST = 200
WAITING = 400


@dataclass(frozen=True, slots=True)
class News:
    """A case that is new, or that was decided on."""

    what: Literal["new", "decided"]
    row: CaseRow


class Feed:
    """Subscribers live on event loops; the feed on a thread."""

    def __init__(self, database: Database, notice_days: int) -> None:
        self._database = database
        self._notice_days = notice_days
        self._subscribers: set[tuple[asyncio.AbstractEventLoop, asyncio.Queue[News]]] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._told: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._since_ms = clock.now_ms()

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self) -> None:
        """Tell no more."""
        self._stop.set()
        self._thread.join(timeout=5)

    @property
    def stopped(self) -> bool:
        """Whether nothing more will come."""
        return self._stop.is_set()

    def subscribe(self) -> asyncio.Queue[News]:
        """A bounded queue of what comes from now on; the oldest is dropped where nobody reads it."""
        queue: asyncio.Queue[News] = asyncio.Queue(WAITING)
        with self._lock:
            self._subscribers.add((asyncio.get_running_loop(), queue))
        return queue

    def unsubscribe(self, queue: asyncio.Queue[News]) -> None:
        """Forget a subscriber."""
        with self._lock:
            self._subscribers = {(loop, q) for loop, q in self._subscribers if q is not queue}

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            with self._lock:
                subscribers = list(self._subscribers)
            try:
                news = self._news()
            except SQLAlchemyError as error:
                log.warning("feed_waits", reason=str(getattr(error, "orig", error))[:200])
                continue
            for loop, queue in subscribers:
                try:
                    loop.call_soon_threadsafe(_put, queue, news)
                except RuntimeError:  # its loop has ended
                    self.unsubscribe(queue)

    def _news(self) -> list[News]:
        now_ms = clock.now_ms()
        since_ms = self._since_ms - OVERLAP_MS
        with self._database.read() as session:
            new = session.scalars(
                select(Case).where(Case.received_ms >= since_ms).order_by(Case.received_ms.desc()).limit(MOST)
            ).all()
            decided = session.execute(
                select(Decision.id, Case)
                .join(Case, Case.id == Decision.case_id)
                .where(Decision.at_ms >= since_ms)
                .order_by(Decision.id.desc())
                .limit(MOST)
            ).all()
        self._since_ms = now_ms
        news = [
            News("new", row_of(case, now_ms, self._notice_days))
            for case in new
            if self._first(case.id, now_ms)
        ]
        news += [
            News("decided", row_of(case, now_ms, self._notice_days))
            for number, case in decided
            if self._first(f"decision {number}", now_ms)
        ]
        self._told = {key: at for key, at in self._told.items() if at >= now_ms - 4 * OVERLAP_MS}
        return sorted(news, key=lambda one: one.row.at_ms)

    def _first(self, key: str, now_ms: int) -> bool:
        fresh = key not in self._told
        self._told[key] = now_ms
        return fresh


def _put(queue: asyncio.Queue[News], news: list[News]) -> None:
    for one in news:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(one)

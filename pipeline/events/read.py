"""Read an outbox beside the worker that fills it: what `ngatu events` shows."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from pipeline.events.event import Event, EventType
from pipeline.events.outbox_file import clear_errors, insert_event, open_beside

log = structlog.get_logger(__name__)


def read_events(
    path: Path,
    *,
    only: EventType | None = None,
    follow: bool = False,
    stop: threading.Event | None = None,
    poll_s: float = 0.3,
) -> Iterator[Event]:
    """The events that wait and those of rules on trial (`Event.is_shadow`), in the order they were put.

    With `follow`, then each new one until `stop`.

    Raises OutboxError when there is no outbox or it cannot be read.
    """
    stop = stop or threading.Event()
    with closing(open_beside(path)) as db:
        seen = dict.fromkeys(_tables(db), 0)
        while True:
            rows = []
            for table in seen:
                with clear_errors(path):
                    rows += db.execute(
                        f"SELECT put_at_s, ?, seq, body FROM {table}"  # noqa: S608 - our own names
                        " WHERE seq > ? AND type = ifnull(?, type)",
                        (table, seen[table], only),
                    ).fetchall()
            for _, table, seq, body in sorted(rows):
                seen[table] = seq
                try:
                    event = Event.from_json(body)
                except ValueError as error:
                    log.error("event_unreadable", outbox=str(path), seq=seq, reason=str(error))
                else:
                    yield event
            if not follow or stop.wait(poll_s):
                return


def _tables(db: sqlite3.Connection) -> list[str]:
    """Where events are: an outbox that an earlier version writes has none of rules on trial."""
    known = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return [table for table in ("events", "shadows") if table in known]


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that no sink accepted, or that can no longer be read."""

    id: str
    type: str
    reason: str
    body: str


def read_set_aside(path: Path) -> Iterator[SetAside]:
    """What was set aside, oldest first. Raises OutboxError as `read_events` does."""
    with closing(open_beside(path)) as db, clear_errors(path):
        for row in db.execute("SELECT id, type, reason, body FROM refused ORDER BY seq"):
            yield SetAside(*row)


def send_again(path: Path) -> int:
    """Let what was set aside wait for the broker anew, behind what waits already. Returns how many events.

    What cannot be read stays aside, and so do states of cameras: on a compacted topic, an old one would
    replace the newest. Raises OutboxError as `read_events` does.
    """
    with closing(open_beside(path, "rw")) as db, clear_errors(path):
        db.execute("BEGIN IMMEDIATE")
        sent = 0
        aside = db.execute("SELECT id, CAST(body AS BLOB) FROM refused ORDER BY seq").fetchall()
        for event_id, body in aside:
            try:
                event = Event.from_json(body)
            except ValueError:
                continue
            if event.id == event_id and event.type is not EventType.HEALTH:
                insert_event(db, event, body.decode())
                db.execute("DELETE FROM refused WHERE id = ?", (event_id,))
                sent += 1
        db.execute("COMMIT")
    return sent

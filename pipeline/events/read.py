"""Read an outbox beside the worker that fills it: what `ngatu events` shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from pipeline.events.event import Event, EventType
from pipeline.events.outbox_file import clear_errors, open_for_reading

log = structlog.get_logger(__name__)


def read_events(
    path: Path,
    *,
    only: EventType | None = None,
    follow: bool = False,
    stop: threading.Event | None = None,
    poll_s: float = 0.3,
) -> Iterator[Event]:
    """The events that wait, in the order they were put; with `follow`, then each new one until `stop`.

    Raises OutboxError when there is no outbox or it cannot be read.
    """
    stop = stop or threading.Event()
    with closing(open_for_reading(path)) as db:
        seen = 0
        while True:
            with clear_errors(path):
                rows = db.execute(
                    "SELECT seq, body FROM events WHERE seq > ? AND type = ifnull(?, type) ORDER BY seq",
                    (seen, only),
                ).fetchall()
            for seq, body in rows:
                seen = seq
                try:
                    event = Event.from_json(body)
                except ValueError as error:
                    log.error("event_unreadable", outbox=str(path), seq=seq, reason=str(error))
                else:
                    yield event
            if not follow or stop.wait(poll_s):
                return


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that no sink accepted, or that can no longer be read."""

    id: str
    type: str
    reason: str
    body: str


def read_set_aside(path: Path) -> Iterator[SetAside]:
    """What was set aside, oldest first. Raises OutboxError as `read_events` does."""
    with closing(open_for_reading(path)) as db, clear_errors(path):
        for row in db.execute("SELECT id, type, reason, body FROM refused ORDER BY seq"):
            yield SetAside(*row)

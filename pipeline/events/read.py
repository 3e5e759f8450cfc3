"""Read an outbox beside the worker that fills it: what `ngatu events` shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pipeline.events.event import Event, EventType
from pipeline.events.outbox_file import clear_errors, open_for_reading


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
                yield Event.from_json(body)
            if not follow or stop.wait(poll_s):
                return


def read_refused(path: Path) -> Iterator[tuple[Event, str]]:
    """The events that no sink accepted, with the reasons."""
    with closing(open_for_reading(path)) as db, clear_errors(path):
        for body, reason in db.execute("SELECT body, reason FROM refused ORDER BY seq"):
            yield Event.from_json(body), reason

"""The durable queue on this box's disk: an event is safe once `put` has returned.

SQLite in WAL mode with synchronous=FULL: every `put` is flushed to the disk before it returns, and a crash
or power loss leaves whole events only. Delivery is at least once; a repeat carries the same id.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import structlog

from pipeline.config import OutboxSettings
from pipeline.events.errors import OutboxFull
from pipeline.events.event import Event, EventType
from pipeline.events.outbox_file import PRIORITY, clear_errors, delete, insert_event, open_outbox

log = structlog.get_logger(__name__)

REMEMBER_DAYS: Mapping[str, float] = {
    EventType.VIOLATION: 366.0,
    EventType.INCOMPLETE: 366.0,
    EventType.SECURITY: 366.0,
    EventType.HEALTH: 2.0,
    EventType.FLOW: 2.0,
}
"""How long the id of a sent event is known, so that a repeat is not sent again."""
SHADOWS = 5000
"""Events of rules on trial that are kept; the oldest go first."""
TIGHT_SHARE, EASY_SHARE = 0.95, 0.9
"""Of what every type may fill: from the first on room has to be made, down to the second. In the rest between
two looks of the worker acts and flow find their place."""


class Put(Enum):
    """What became of an event that was put."""

    STORED = "stored"
    REPEATED = "repeated"
    """Its id is pending, was sent or was set aside already: nothing was written."""


class Outbox:
    """Events wait here until a sink has acknowledged them. All methods may be called from any thread."""

    def __init__(
        self,
        path: Path,
        settings: OutboxSettings | None = None,
        *,
        extra_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        """Open or begin the outbox file. A damaged one is moved aside and a new one begun.

        `extra_bytes` tells what else counts towards the bound (evidence); called with every `put`, so it
        must be quick. Raises OutboxError when the disk does not let an outbox be.
        """
        self._path = path
        self._settings = settings or OutboxSettings()
        self._extra_bytes = extra_bytes
        self._lock = threading.RLock()
        self._arrived = threading.Condition()
        self._arrivals = 0
        self._refused: Counter[EventType] = Counter()
        self._forget_next_s = 0.0
        self._db = open_outbox(path)

    def put(self, event: Event) -> Put:
        """Keep the event; on disk when this returns. Takes the hit with the event's id out of the journal.

        Events of rules on trial are kept apart: no sink ever gets them.

        Raises OutboxFull when bound or disk is reached (traffic.flow first, violations last), and
        OutboxError when the disk fails; the outbox stays usable and later calls may succeed.
        """
        body = event.to_json()
        try:
            with self._transaction() as db:
                if self._known(event.id):
                    outcome = Put.REPEATED
                elif event.is_shadow:
                    self._make_room(event, len(body.encode()))
                    db.execute(
                        "INSERT INTO shadows (id, type, put_at_s, body) VALUES (?, ?, ?, ?)",
                        (event.id, event.type, time.time(), body),
                    )
                    trimmed = delete(
                        db,
                        "DELETE FROM shadows WHERE seq <= (SELECT max(seq) FROM shadows) - ?"
                        " RETURNING id, type",
                        (SHADOWS,),
                    )
                    # Still known: its evidence expires, and no start takes it for lost in a crash.
                    self._remember(trimmed, time.time())
                    outcome = Put.STORED
                else:
                    self._make_room(event, len(body.encode()))
                    insert_event(db, event, body)
                    outcome = Put.STORED
                delete(db, "DELETE FROM hits WHERE id = ?", (event.id,))
        except OutboxFull:
            self._refused[event.type] += 1
            raise
        if outcome is Put.STORED:
            with self._arrived:
                self._arrivals += 1
                self._arrived.notify_all()
        return outcome

    def journal(self, event: Event) -> None:
        """Note a hit whose evidence is yet to come, as the event that tells of it without evidence.

        `put` of an event with the same id takes it out again. Raises as `put` does.
        """
        with self._transaction() as db:
            if not self._known(event.id):
                db.execute(
                    "INSERT OR IGNORE INTO hits (id, at_s, body) VALUES (?, ?, ?)",
                    (event.id, time.time(), event.to_json()),
                )

    def leftover_hits(self) -> list[Event]:
        """The journal, oldest first: at start, the hits whose evidence was never finished."""
        events = []
        for hit_id, body in self._read("SELECT id, CAST(body AS BLOB) FROM hits ORDER BY at_s, id"):
            try:
                events.append(Event.from_json(body))
            except ValueError as error:
                log.error("hit_unreadable", hit_id=hit_id, reason=str(error))
        return events

    def batch(self, limit: int, held: Collection[tuple[EventType, str]] = ()) -> list[Event]:
        """The next events to send: violations, then health, then flow; each in the order they were put.

        Without those whose type and key are `held`.
        """
        events = []
        # The body as bytes: what is no longer UTF-8 is no event.
        rows = self._read(
            "SELECT seq, id, CAST(body AS BLOB) FROM events"
            " WHERE (type, key) NOT IN"
            " (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"
            " ORDER BY priority, seq LIMIT ?",
            (json.dumps(list(held)), limit),
        )
        for seq, event_id, body in rows:
            try:
                event = Event.from_json(body)
                if event.id != event_id:
                    # Nobody knows which of the two is right: it might go out as another.
                    raise ValueError(f"it says that it is event {event.id}")
                events.append(event)
            except ValueError as error:
                log.error("event_unreadable", event_id=event_id, reason=str(error))
                with self._transaction() as db:
                    _move_aside(db, seq, f"cannot be read any more: {error}")
        return events

    def acknowledge(self, ids: Collection[str]) -> None:
        """Forget the bodies of events that the sink has taken; their ids stay known for some days."""
        now_s = time.time()
        with self._transaction() as db:
            for event_id in ids:
                deleted = delete(
                    db, "DELETE FROM events WHERE seq = ? RETURNING ?, type", (_seq(db, event_id), event_id)
                )
                self._remember(deleted, now_s)
            if now_s >= self._forget_next_s:
                delete(db, "DELETE FROM sent WHERE forget_at_s < ?", (now_s,))
                self._forget_next_s = now_s + 3600

    def set_aside(self, event_id: str, reason: str) -> None:
        """Take an event that no sink will ever accept out of the queue; it is kept, with the reason."""
        with self._transaction() as db:
            _move_aside(db, _seq(db, event_id), reason)

    def knows(self, event_id: str) -> bool:
        """Whether an event of this id waits, was sent, or was set aside."""
        with self._lock, clear_errors(self._path):
            return self._known(event_id)

    def is_done(self, event_id: str) -> bool:
        """Whether nobody waits for it: acknowledged (and still remembered), or of a rule on trial."""
        query = "SELECT 1 FROM sent WHERE id = ?1 UNION ALL SELECT 1 FROM shadows WHERE id = ?1"
        return bool(self._read(query, (event_id,)))

    def wait(self, timeout_s: float, seen: int) -> int:
        """Wait for an event put after `seen` (a number this returned before; 0 at first)."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._arrivals != seen, timeout_s)
            return self._arrivals

    def count(self) -> int:
        """Events that wait."""
        return int(self._read("SELECT count(*) FROM events")[0][0])

    def set_aside_count(self) -> int:
        """Events that no sink accepted."""
        return int(self._read("SELECT count(*) FROM refused")[0][0])

    def oldest_age_s(self) -> float:
        """How long the oldest event has waited; 0 when none waits."""
        oldest = self._read("SELECT put_at_s FROM events ORDER BY seq LIMIT 1")
        return max(0.0, time.time() - oldest[0][0]) if oldest else 0.0

    def bytes(self) -> int:
        """What the outbox holds on disk, without its write-ahead log and without `extra_bytes`."""
        with self._lock, clear_errors(self._path):
            return self._pages("page_count") - self._pages("freelist_count")

    def refused(self) -> Mapping[EventType, int]:
        """How many events were refused since the start because the outbox was full, per type."""
        return {event_type: self._refused[event_type] for event_type in EventType}

    def limit_bytes(self) -> int:
        """The bound in force now, evidence included: configured size, share of the disk, or what is left."""
        with self._lock, clear_errors(self._path):
            return self._limit(self.bytes() + self._extra_bytes())

    def excess_bytes(self) -> int:
        """How much evidence should go so that no type will be refused; 0 while there is room."""
        with self._lock, clear_errors(self._path):
            used = self.bytes() + self._extra_bytes()
            for_all = self._limit(used) * (1 - self._settings.reserve_share)
        return int(used - EASY_SHARE * for_all) if used > TIGHT_SHARE * for_all else 0

    def close(self) -> None:
        """Close the file. Events stay."""
        with self._lock, clear_errors(self._path):
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, clear_errors(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        with self._lock, clear_errors(self._path):
            return self._db.execute(query, values).fetchall()

    def _known(self, event_id: str) -> bool:
        query = "SELECT 1 FROM {} WHERE id = ?"
        return any(
            self._db.execute(query.format(table), (event_id,)).fetchone()
            for table in ("events", "sent", "refused", "shadows")
        )

    def _remember(self, events: Iterable[tuple[str, str]], now_s: float) -> None:
        """Within a transaction: ids and types of events that nobody waits for any more."""
        for event_id, event_type in events:
            # What bit rot left of a type is remembered the longest.
            forget_at_s = now_s + REMEMBER_DAYS.get(event_type, max(REMEMBER_DAYS.values())) * 86400
            self._db.execute("INSERT OR REPLACE INTO sent VALUES (?, ?)", (event_id, forget_at_s))

    def _make_room(self, event: Event, size: int) -> None:
        """Within a transaction: let the event in, or raise OutboxFull. The last part is for violations."""
        used = self.bytes() + self._extra_bytes()
        limit = self._limit(used)
        priority = PRIORITY[EventType.FLOW if event.is_shadow else event.type]
        reserve = self._settings.reserve_share * priority / PRIORITY[EventType.FLOW]
        if used + size <= limit * (1 - reserve):
            return
        if event.type is EventType.HEALTH:
            # The newest state replaces those of the same camera that still wait: their topic is compacted.
            replaced = "DELETE FROM events WHERE type = ? AND key = ? RETURNING seq"
            if delete(self._db, replaced, (event.type, event.key)):
                return
        raise OutboxFull(
            f"outbox {self._path} is full: {used / 1e6:.1f} of {limit / 1e6:.1f} MB are used, "
            f"{event.type} is refused"
        )

    def _limit(self, used: int) -> int:
        disk = shutil.disk_usage(self._path.parent)
        room = used + disk.free + self._pages("freelist_count")
        return int(min(self._settings.bound_bytes(disk.total), room))

    def _pages(self, pragma: str) -> int:
        pages, size = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in (pragma, "page_size"))
        return int(pages) * int(size)


def _seq(db: sqlite3.Connection, event_id: str) -> int | None:
    """The row of an event that waits; looked for without the index as well, whose bits may have flipped."""
    for how in ("", "NOT INDEXED"):
        query = f"SELECT seq FROM events {how} WHERE id = ?"  # noqa: S608 - our own words
        if row := db.execute(query, (event_id,)).fetchone():
            return int(row[0])
    return None


def _move_aside(db: sqlite3.Connection, seq: int | None, reason: str) -> None:
    """Within a transaction."""
    db.execute(
        "INSERT OR REPLACE INTO refused (id, type, at_s, reason, body)"
        " SELECT id, type, ?, ?, body FROM events WHERE seq = ?",
        (time.time(), reason, seq),
    )
    delete(db, "DELETE FROM events WHERE seq = ?", (seq,))

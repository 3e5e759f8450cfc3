"""The outbox's file: its tables, how it is opened, what is done about damage, and what its errors mean."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from pipeline.events.errors import OutboxError, OutboxFull
from pipeline.events.event import Event, EventType

log = structlog.get_logger(__name__)

FILE_VERSION = 1
WAL_PAGES = 256
"""About a megabyte: what the write-ahead log may take beside the bound."""

TABLES = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    priority INTEGER NOT NULL,
    key TEXT NOT NULL,
    put_at_s REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_by_priority ON events (priority, seq);
CREATE TABLE hits (id TEXT PRIMARY KEY, at_s REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE sent (id TEXT PRIMARY KEY, forget_at_s REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX sent_by_age ON sent (forget_at_s);
CREATE TABLE refused (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    at_s REAL NOT NULL,
    reason TEXT NOT NULL,
    body TEXT NOT NULL
);
"""

SHADOWS = """
CREATE TABLE IF NOT EXISTS shadows (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    put_at_s REAL NOT NULL,
    body TEXT NOT NULL
)
"""
"""Events of rules on trial; outboxes begun by earlier versions get the table when they are opened."""


PRIORITY = {
    EventType.VIOLATION: 0,
    EventType.INCOMPLETE: 0,
    EventType.SECURITY: 0,
    EventType.HEALTH: 1,
    EventType.FLOW: 2,
}
"""What is sent first and refused last."""


class _Damage(sqlite3.DatabaseError):
    """The file opens but is not whole."""


def open_outbox(path: Path) -> sqlite3.Connection:
    """Open the file for writing, or begin it. A damaged one is moved aside, and said so; nothing is deleted.

    Raises OutboxError when the disk does not let it be, or when a newer version wrote it.
    """
    with clear_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open(path)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, _Damage) and _name(error) not in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
                raise
            aside = _move_aside(path)
            log.error("outbox_damaged", outbox=str(path), moved_to=str(aside), reason=str(error))
            return _open(path)


def open_beside(path: Path, mode: str = "ro") -> sqlite3.Connection:
    """Open an outbox beside its worker, for reading, or with `mode` "rw" for both. Raises OutboxError."""
    if not path.is_file():
        raise OutboxError(f"there is no outbox at {path}")
    with clear_errors(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
        db.text_factory = _as_far_as_it_can_be_read
        _check_version(db, path)
        return db


def insert_event(db: sqlite3.Connection, event: Event, body: str) -> None:
    """Within a transaction: let it wait, behind those of its priority. `body` is the event's JSON."""
    db.execute(
        "INSERT INTO events (id, type, priority, key, put_at_s, body) VALUES (?, ?, ?, ?, ?, ?)",
        (event.id, event.type, PRIORITY[event.type], event.key, time.time(), body),
    )


def delete(db: sqlite3.Connection, statement: str, values: Sequence[object]) -> list[Any]:
    """Within a transaction: run a DELETE; what it returns.

    Where bit rot has set a table and its index apart, SQLite deletes no such row: then indexes are made anew.
    """
    try:
        return db.execute(statement, values).fetchall()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", None) != "SQLITE_CORRUPT_INDEX":
            raise
        log.error("outbox_index_damaged", reason=str(error))
        db.execute("REINDEX")
        return db.execute(statement, values).fetchall()


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into this room's, each with what it means."""
    try:
        yield
    except sqlite3.Error as error:
        name = _name(error)
        if name == "SQLITE_FULL":
            raise OutboxFull(f"outbox {path}: the disk is full") from error
        if name.startswith("SQLITE_READONLY"):
            raise OutboxError(f"outbox {path}: the disk is read-only") from error
        if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
            raise OutboxError(f"outbox {path} is damaged: restart, it is then moved aside") from error
        raise OutboxError(f"outbox {path}: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutboxFull(f"outbox {path}: the disk is full") from error
        raise OutboxError(f"outbox {path}: {error.strerror or error}") from error


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o640)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    db.text_factory = _as_far_as_it_can_be_read
    try:
        version = _check_version(db, path)
        if version == 0:
            db.execute("PRAGMA auto_vacuum = FULL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        if version == 0:
            db.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FILE_VERSION}; COMMIT;")
        db.execute(SHADOWS)
        problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise _Damage(problem)
    except BaseException:
        db.close()
        raise
    return db


def _as_far_as_it_can_be_read(text: bytes) -> str:
    # One row that is no longer UTF-8 must not hide the others.
    return text.decode(errors="replace")


def _check_version(db: sqlite3.Connection, path: Path) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > FILE_VERSION:
        raise OutboxError(f"outbox {path} was written by a newer version ({version}): update this one")
    return version


def _move_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _name(error: sqlite3.Error) -> str:
    # Extended codes such as SQLITE_CORRUPT_INDEX fold into their family.
    name: str = getattr(error, "sqlite_errorname", None) or ""
    for family in ("SQLITE_CORRUPT", "SQLITE_FULL"):
        if name.startswith(family):
            return family
    return name

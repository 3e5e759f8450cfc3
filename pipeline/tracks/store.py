"""Files of stored tracks: DIR/CAMERA/YYYY-MM-DD.tracks (UTC), each an SQLite database of blocks.

SQLite in WAL mode: what was committed outlives a killed process, and files are read while they are written.
"""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import structlog

from pipeline.tracks.codec import Block, Memory, decode
from pipeline.tracks.errors import TracksError
from pipeline.types import Observation

log = structlog.get_logger(__name__)

SUFFIX = ".tracks"
DAMAGED = ".damaged"
"""After the name of a day that was moved aside."""
FORMAT = 1
BLOCK_S = 5.0
"""A block spans this much capture time: what a killed process loses of a camera."""
PAGE_BYTES = 1024
"""A block has some kilobytes: of larger pages the last one would stay half empty."""
WAL_PAGES = 1000
LEAST_FREE_BYTES = 500_000_000
"""Tracks leave this much of the disk to events and evidence."""

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_FORBIDDEN = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")
_RIGHTS = "check its owner and rights"
_LEAVE_OUT = "move it away to leave this day out"

_TABLE = """
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    first_s REAL NOT NULL,
    last_s REAL NOT NULL,
    frames INTEGER NOT NULL,
    body BLOB NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block lies."""

    run: int
    """Tells one life of a worker from the next: identities do not go on from one to the other."""
    number: int
    """Its place in the run."""
    first_s: float
    last_s: float
    frames: int
    id: int
    file: Path


def day_file(root: Path, camera_id: str, time_s: float) -> Path:
    """The file of a camera for the day of a moment. Raises TracksError for a time outside the calendar."""
    try:
        day = datetime.fromtimestamp(time_s, UTC).date()
    except (ValueError, OverflowError, OSError):
        raise TracksError(f"camera {camera_id}: {time_s:g} s is not a time") from None
    return root / camera_id / f"{day.isoformat()}{SUFFIX}"


def open_file(path: Path) -> sqlite3.Connection:
    """Open a day's file for writing, or begin it; a damaged one is moved aside. Raises TracksError."""
    with _clear_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open_for_writing(path)
        except sqlite3.DatabaseError as error:
            if not _is(error, _DAMAGE):
                raise
            remove(path.with_name(path.name + DAMAGED))
            for part, aside in zip(_parts(path), _parts(path.with_name(path.name + DAMAGED)), strict=True):
                if part.exists():
                    part.rename(aside)
            log.error("tracks_damaged", file=str(path), reason=str(error))
            return _open_for_writing(path)


def _open_for_writing(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o640)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
    try:
        if _format(db, path) == 0:
            db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            db.executescript(f"BEGIN; {_TABLE}; PRAGMA user_version = {FORMAT}; COMMIT;")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    except BaseException:
        db.close()
        raise
    return db


def append(db: sqlite3.Connection, path: Path, run: int, number: int, block: Block, body: bytes) -> None:
    """Add a block with its encoded `body`; a killed process no longer loses it. Raises TracksError."""
    with _clear_errors(path, "written"):
        db.execute(
            "INSERT INTO blocks (run, number, first_s, last_s, frames, body) VALUES (?, ?, ?, ?, ?, ?)",
            (run, number, block.first_s, block.last_s, block.frames, body),
        )


def files(root: Path) -> list[Path]:
    """All days of all cameras, oldest day first."""
    return sorted(root.glob(f"*/*{SUFFIX}"), key=lambda path: (path.name, path.parent.name))


def kept(root: Path) -> list[Path]:
    """All that takes room: the days, and those moved aside as damaged; oldest day first."""
    return sorted([*files(root), *root.glob(f"*/*{SUFFIX}{DAMAGED}")], key=lambda path: path.name)


def size(path: Path) -> int:
    """Bytes of a day's file on disk, its write-ahead log included; 0 where it is gone."""
    total = 0
    for part in _parts(path):
        try:
            total += part.stat().st_size
        except FileNotFoundError:
            continue
    return total


def remove(path: Path) -> None:
    """Delete a day. Raises OSError."""
    for part in _parts(path):
        part.unlink(missing_ok=True)


def free_bytes(root: Path) -> int:
    """What the file system of `root` has left."""
    return shutil.disk_usage(root).free


class StoredTracks:
    """Reads what workers stored below a folder, also while they still do."""

    def __init__(self, root: Path) -> None:
        """Raises TracksError where there is nothing, or nothing that may be read."""
        self._root = root
        with _clear_errors(root, "read"):
            self.cameras = sorted({path.parent.name for path in files(root)})
            if not self.cameras and root.is_dir():
                next(root.iterdir(), None)  # looking for files passes over a folder that may not be listed
        if not self.cameras:
            raise TracksError(
                f"no stored tracks in {root}: switch them on in the worker's configuration (tracks.enabled); "
                "they lie in its data_dir under tracks/"
            )

    def places(
        self, camera_id: str, from_s: float | None = None, to_s: float | None = None
    ) -> list[list[Place]]:
        """The camera's blocks that have a part of the span, one list for each run of a worker, in order.

        Raises TracksError for a file that cannot be read; those of days outside the span are not looked at.
        """
        found: list[Place] = []
        for path in self._days(camera_id):
            first_s, end_s = _day(path)
            # A day's last block goes on into the next day.
            if (to_s is not None and first_s >= to_s) or (from_s is not None and end_s + BLOCK_S < from_s):
                continue
            try:
                found += _places(path, from_s, to_s)
            except TracksError:
                if from_s is None or from_s < end_s:
                    raise
                # Of another day, whose last seconds at most are in the span.
        runs: dict[int, list[Place]] = {}
        for place in sorted(found, key=lambda place: (place.run, place.number)):
            runs.setdefault(place.run, []).append(place)
        return list(runs.values())

    def span(self, camera_id: str) -> tuple[float, float] | None:
        """Times (epoch seconds) between which something of the camera is stored, as far as its files can be
        read; None where there is nothing.
        """
        spans: list[tuple[float, float]] = []
        for path in self._days(camera_id):
            with suppress(TracksError), _reading(path) as db:
                rows = db.execute("SELECT min(first_s), max(last_s) FROM blocks")
                spans += (row for row in rows if row[0] is not None)
        if not spans:
            return None
        return min(first_s for first_s, _ in spans), max(last_s for _, last_s in spans)

    def _days(self, camera_id: str) -> list[Path]:
        return sorted((self._root / camera_id).glob(f"*{SUFFIX}"))

    def observations(self, camera_id: str, run: list[Place]) -> Iterator[tuple[Place, Observation]]:
        """What the rules saw in one run, in order. Raises TracksError naming a file that is damaged."""
        memory = Memory()
        path: Path | None = None
        db: sqlite3.Connection | None = None
        try:
            for place in run:
                if place.file != path:
                    if db is not None:
                        db.close()
                    path, db = place.file, _open_for_reading(place.file)
                with _clear_errors(place.file, "read"):
                    assert db is not None
                    row = db.execute("SELECT body FROM blocks WHERE id = ?", (place.id,)).fetchone()
                if row is None:
                    continue  # expired while it was read
                try:
                    for observation in decode(row[0], camera_id, memory):
                        yield place, observation
                except ValueError as error:
                    raise TracksError(
                        f"{place.file}: is damaged (block {place.id} {error}): {_LEAVE_OUT}"
                    ) from None
        finally:
            if db is not None:
                db.close()


def _parts(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(_open_for_reading(path)) as db, _clear_errors(path, "read"):
        yield db


def _day(path: Path) -> tuple[float, float]:
    """When a file's day begins and ends, by its name; all times where its name is no day."""
    try:
        day = datetime.strptime(path.stem, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return -math.inf, math.inf
    return day.timestamp(), (day + timedelta(days=1)).timestamp()


def _places(path: Path, from_s: float | None, to_s: float | None) -> list[Place]:
    with _reading(path) as db:
        rows = db.execute(
            "SELECT run, number, first_s, last_s, frames, id FROM blocks"
            " WHERE last_s >= ifnull(?, last_s) AND first_s < ifnull(?, first_s + 1)",
            (from_s, to_s),
        )
        return [
            Place(run, number, first_s, last_s, frames, row_id, path)
            for run, number, first_s, last_s, frames, row_id in rows
        ]


def _open_for_reading(path: Path) -> sqlite3.Connection:
    with _clear_errors(path, "read"):
        try:
            return _connected(path, "mode=ro")
        except sqlite3.OperationalError as error:
            # Even a reader writes an index of the log beside the file, where it may. Without a log there is
            # nothing to index, and nobody who writes.
            if not _is(error, _FORBIDDEN) or _logged(path):
                raise
            return _connected(path, "mode=ro&immutable=1")


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
    try:
        if _format(db, path) == 0:
            raise TracksError(f"{path}: holds no tracks: {_LEAVE_OUT}")
    except BaseException:
        db.close()
        raise
    return db


def _logged(path: Path) -> bool:
    """Whether something of a day is still in its write-ahead log alone."""
    log_file = _parts(path)[1]
    return log_file.exists() and log_file.stat().st_size > 0


def _format(db: sqlite3.Connection, path: Path) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > FORMAT:
        raise TracksError(f"{path}: was written by a newer version ({version}): update this one")
    return version


def _is(error: sqlite3.Error, names: tuple[str, ...]) -> bool:
    return (getattr(error, "sqlite_errorname", None) or "").startswith(names)


@contextmanager
def _clear_errors(path: Path, done: Literal["read", "written"]) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TracksError(f"{path}: {_advice(path, error, done)}") from error
    except PermissionError as error:
        raise TracksError(f"{path}: may not be {done}: {_RIGHTS}") from error
    except OSError as error:
        raise TracksError(f"{path}: cannot be {done}: {error.strerror or error}") from error


def _advice(path: Path, error: sqlite3.Error, done: Literal["read", "written"]) -> str:
    """What is wrong, and what to do about it."""
    if _is(error, _DAMAGE):
        return f"is damaged ({error}): {_LEAVE_OUT}"
    if str(error).startswith("no such table"):
        return f"holds no tracks: {_LEAVE_OUT}"
    if not _is(error, _FORBIDDEN):
        return f"cannot be {done}: {error}"
    if done == "read" and not path.exists():
        return "is gone: its worker let it expire meanwhile; try again"
    if done == "read" and os.access(path, os.R_OK, effective_ids=True):
        return "was not closed by its worker, so that its folder must be writable to read it: copy the folder"
    return f"may not be {done}: {_RIGHTS}"

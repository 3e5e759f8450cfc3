"""Files of stored tracks: DIR/CAMERA/YYYY-MM-DD.tracks (UTC), each an SQLite database of blocks.

SQLite in WAL mode: what was committed outlives a killed process, and files are read while they are written.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from pipeline.tracks.codec import Block, Memory, decode
from pipeline.tracks.errors import TracksError
from pipeline.types import Observation

log = structlog.get_logger(__name__)

SUFFIX = ".tracks"
FORMAT = 1
PAGE_BYTES = 1024
"""A block has some kilobytes: of larger pages the last one would stay half empty."""
WAL_PAGES = 1000
LEAST_FREE_BYTES = 500_000_000
"""Tracks leave this much of the disk to events and evidence."""

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")

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
    with _clear_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open_for_writing(path)
        except sqlite3.DatabaseError as error:
            if not (getattr(error, "sqlite_errorname", None) or "").startswith(_DAMAGE):
                raise
            remove(path.with_name(path.name + ".damaged"))
            for part, aside in zip(_parts(path), _parts(path.with_name(path.name + ".damaged")), strict=True):
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
    with _clear_errors(path):
        db.execute(
            "INSERT INTO blocks (run, number, first_s, last_s, frames, body) VALUES (?, ?, ?, ?, ?, ?)",
            (run, number, block.first_s, block.last_s, block.frames, body),
        )


def files(root: Path) -> list[Path]:
    """All days of all cameras, oldest day first."""
    return sorted(root.glob(f"*/*{SUFFIX}"), key=lambda path: (path.name, path.parent.name))


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
        """Raises TracksError where there is nothing."""
        self._root = root
        self.cameras = sorted({path.parent.name for path in files(root)})
        if not self.cameras:
            raise TracksError(
                f"no stored tracks in {root}: switch them on in the worker's configuration (tracks.enabled); "
                "they lie in its data_dir under tracks/"
            )

    def places(
        self, camera_id: str, from_s: float | None = None, to_s: float | None = None
    ) -> list[list[Place]]:
        """The camera's blocks that have a part of the span, one list for each run of a worker, in order.

        Raises TracksError for a file that cannot be read.
        """
        found: list[Place] = []
        for path in sorted((self._root / camera_id).glob(f"*{SUFFIX}")):
            with _reading(path) as db:
                rows = db.execute(
                    "SELECT run, number, first_s, last_s, frames, id FROM blocks"
                    " WHERE last_s >= ifnull(?, last_s) AND first_s < ifnull(?, first_s + 1)",
                    (from_s, to_s),
                )
                found += [
                    Place(run, number, first_s, last_s, frames, row_id, path)
                    for run, number, first_s, last_s, frames, row_id in rows
                ]
        runs: dict[int, list[Place]] = {}
        for place in sorted(found, key=lambda place: (place.run, place.number)):
            runs.setdefault(place.run, []).append(place)
        return list(runs.values())

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
                with _clear_errors(place.file):
                    assert db is not None
                    row = db.execute("SELECT body FROM blocks WHERE id = ?", (place.id,)).fetchone()
                if row is None:
                    continue  # expired while it was read
                try:
                    for observation in decode(row[0], camera_id, memory):
                        yield place, observation
                except ValueError as error:
                    raise TracksError(
                        f"{place.file}: block {place.id} {error}; move the file away to leave this day out"
                    ) from None
        finally:
            if db is not None:
                db.close()


def _parts(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(_open_for_reading(path)) as db, _clear_errors(path):
        yield db


def _open_for_reading(path: Path) -> sqlite3.Connection:
    with _clear_errors(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            if _format(db, path) == 0:
                raise TracksError(f"{path}: holds no tracks")
        except BaseException:
            db.close()
            raise
        return db


def _format(db: sqlite3.Connection, path: Path) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > FORMAT:
        raise TracksError(f"{path}: was written by a newer version ({version}): update this one")
    return version


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TracksError(f"{path}: {error}") from error
    except OSError as error:
        raise TracksError(f"{path}: {error.strerror or error}") from error

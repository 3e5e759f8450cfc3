"""Writes tracks beside the flow of a worker: nothing that is judged ever waits for it."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from pipeline.config import TracksSettings
from pipeline.tracks import store
from pipeline.tracks.codec import Block, Memory
from pipeline.tracks.errors import TracksError
from pipeline.types import Observation

log = structlog.get_logger(__name__)

WAITING = 64
"""Blocks that may wait for the disk."""
TIDY_S = 600.0


@dataclass(frozen=True, slots=True)
class _Job:
    camera_id: str
    number: int
    block: Block


class TrackLog:
    """Takes observations of all cameras of a worker, stores them in blocks, and keeps within its bounds.

    Where the settings do not switch it on, it does nothing.
    """

    def __init__(self, root: Path, settings: TracksSettings, count: Callable[[str, str, int], None]) -> None:
        """`count` is told of camera, outcome ("stored", or "refused" by a slow or full disk) and frames."""
        self._root, self._settings, self._count = root, settings, count
        self._run = time.time_ns()
        self._cameras: dict[str, CameraTracks] = {}
        self._jobs: queue.Queue[_Job | None] = queue.Queue(WAITING)
        self._open: dict[str, tuple[Path, sqlite3.Connection]] = {}
        self._bytes = 0
        self._tidied_s: float | None = None
        self._trouble: dict[str, str] = {}
        """Why a camera's last block was refused."""
        self._thread = threading.Thread(target=self._write_all, name="tracks", daemon=True)

    def start(self) -> None:
        """Start the thread that writes."""
        if self._settings.enabled:
            self._thread.start()

    def camera(self, camera_id: str) -> CameraTracks | None:
        """Where the observations of a camera go; None where they are not kept."""
        if not self._settings.enabled:
            return None
        return self._cameras.setdefault(camera_id, CameraTracks(camera_id, self._submit))

    def bytes(self) -> int:
        """What all stored tracks take on disk, as of the last block."""
        return self._bytes

    def close(self, timeout_s: float) -> None:
        """Write what is there, as far as the time allows. Call when no camera adds any more."""
        if not self._thread.is_alive():
            return
        deadline = time.monotonic() + timeout_s
        for camera in self._cameras.values():
            camera.flush()
        try:
            self._jobs.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _submit(self, camera_id: str, number: int, block: Block) -> None:
        try:
            self._jobs.put_nowait(_Job(camera_id, number, block))
        except queue.Full:
            self._count(camera_id, "refused", block.frames)

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._write(job)
            except (TracksError, OSError) as error:
                self._refuse(job, str(error))
            except Exception as error:
                # An error of ours must not end the thread: the box runs on for months.
                log.exception("tracks_failed", camera=job.camera_id)
                self._refuse(job, repr(error))
            else:
                self._trouble.pop(job.camera_id, None)
        for _, db in self._open.values():
            db.close()

    def _write(self, job: _Job) -> None:
        block = job.block
        path = store.day_file(self._root, job.camera_id, block.first_s)
        body = block.encode()
        self._make_room(len(body))
        store.append(self._database(job.camera_id, path), path, self._run, job.number, block, body)
        self._bytes += len(body)
        self._count(job.camera_id, "stored", block.frames)

    def _refuse(self, job: _Job, reason: str) -> None:
        self._count(job.camera_id, "refused", job.block.frames)
        if reason != self._trouble.get(job.camera_id):
            log.error("tracks_refused", camera=job.camera_id, reason=reason)
            self._trouble[job.camera_id] = reason

    def _database(self, camera_id: str, path: Path) -> sqlite3.Connection:
        known = self._open.get(camera_id)
        if known is not None and known[0] == path and path.exists():
            return known[1]
        if known is not None:
            # Of another day, or removed by hand: what is written to that would be nowhere.
            known[1].close()
            del self._open[camera_id]
        db = store.open_file(path)
        self._open[camera_id] = (path, db)
        return db

    def _make_room(self, more: int) -> None:
        """Remove old days now and then, and where a bound is reached.

        Raises TracksError where that is not enough.
        """
        now = time.monotonic()
        limit = int(self._settings.max_megabytes * 1e6)
        if self._tidied_s is None or now - self._tidied_s > TIDY_S or self._bytes + more > limit:
            self._tidied_s = now
            self._tidy(limit - more)
        if self._bytes + more > limit:
            raise TracksError(f"tracks take {limit / 1e6:g} MB already (tracks.max_megabytes), all of today")
        if store.free_bytes(self._root) < store.LEAST_FREE_BYTES:
            raise TracksError(f"less than {store.LEAST_FREE_BYTES / 1e6:g} MB are left on the disk")

    def _tidy(self, limit: int) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        sizes = {path: store.size(path) for path in store.kept(self._root)}
        total = sum(sizes.values())
        oldest_s = time.time() - self._settings.retention_days * 86400
        newest = max((path.name for path, _ in self._open.values()), default="")
        for camera_id in [camera_id for camera_id, (path, _) in self._open.items() if path.name < newest]:
            self._open.pop(camera_id)[1].close()  # a camera that has been gone since another day
        in_use = {path for path, _ in self._open.values()}
        for path, size in sizes.items():
            crowded = total > limit or store.free_bytes(self._root) < store.LEAST_FREE_BYTES
            if path in in_use or not (crowded or path.stat().st_mtime < oldest_s):
                continue
            store.remove(path)
            total -= size
            log.info("tracks_expired", file=str(path))
        self._bytes = total


class CameraTracks:
    """One camera's side: called by the one thread that judges this camera."""

    def __init__(self, camera_id: str, submit: Callable[[str, int, Block], None]) -> None:
        self._camera_id, self._submit = camera_id, submit
        self._memory = Memory()
        self._block = Block(self._memory)
        self._number = 0

    def add(self, observation: Observation) -> None:
        """Keep what the rules see now."""
        now_s = observation.time.captured_at_s
        if self._block.frames and not 0 <= now_s - self._block.first_s < store.BLOCK_S:
            self.flush()
        self._block.add(observation)

    def flush(self) -> None:
        """Hand over what has been gathered."""
        if self._block.frames:
            self._submit(self._camera_id, self._number, self._block)
            self._number += 1
            self._block = Block(self._memory)

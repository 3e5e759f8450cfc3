"""Bundles on disk: root/YYYY-MM-DD/camera/event-id/, whole or not there at all.

A bundle grows in a staging directory of the same file system and gets its name by one rename, after all of
it is on the disk. What a killed worker left in staging is rubbish; `sweep` removes it at the next start.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import math
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from PIL import Image

from pipeline.config import EvidenceSettings
from pipeline.evidence.durable import make_directories, sync, write_file
from pipeline.evidence.errors import EvidenceError
from pipeline.evidence.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest, utc
from pipeline.evidence.signing import SigningKey
from pipeline.evidence.verify import STAGING_NAME, read_bundle
from pipeline.types import EvidenceBundle, EvidenceItem, Hit, Still

log = structlog.get_logger(__name__)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CHUNK_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A bundle read back from disk, with all that its event says."""

    event_id: str
    hit: Hit
    bundle: EvidenceBundle
    manifest: Manifest
    """Camera, worker, model and software as they were when the bundle was made."""

    def still(self, role: str) -> Still:
        """The still of a moment: before, at or after.

        Raises EvidenceError where there is none, or it is not what the manifest says.
        """
        item = next((item for item in self.bundle.items if item.role == role), None)
        if item is None or item.captured_at_s is None:
            raise EvidenceError(f"bundle {self.bundle.path} has no still {role!r}")
        try:
            jpeg = (self.bundle.path / item.file).read_bytes()
        except OSError as error:
            raise EvidenceError(f"{self.bundle.path / item.file} cannot be read: {error.strerror}") from error
        if hashlib.sha256(jpeg).hexdigest() != item.sha256:
            raise EvidenceError(f"{self.bundle.path / item.file} is not what its manifest says")
        with Image.open(io.BytesIO(jpeg)) as picture:
            return Still(jpeg, item.captured_at_s, picture.width, picture.height)


class EvidenceStore:
    """All bundles of a worker. Threads may share it; so may processes, each with a store of its own."""

    def __init__(self, root: Path, settings: EvidenceSettings, key: SigningKey) -> None:
        """Count what is there; writes nothing yet, so that a read-only disk shows at the first bundle."""
        self.root = root
        self._settings = settings
        self._trusted = frozenset({key.public_key})
        self._lock = threading.Lock()
        self._staging: Path | None = None
        self._staging_fd = -1
        self._bytes = 0
        self.recount()

    def bytes(self) -> int:
        """Bytes of all bundles, as counted at start and kept up by this store; costs nothing."""
        return self._bytes

    def recount(self) -> int:
        """Count the bytes anew from the disk (one stat per file), other processes' bundles included."""
        total = sum(_tree_bytes(bundle) for bundle in self._bundles())
        with self._lock:
            self._bytes = total
        return total

    def path_of(self, hit: Hit, event_id: str) -> Path:
        """Where the bundle of a hit lies; the day is the act's, in UTC."""
        for name in (hit.camera_id, event_id):
            if not _SAFE_NAME.fullmatch(name):
                raise EvidenceError(f"{name!r} cannot name a directory: use letters, digits, '.', '_', '-'")
        try:
            day = utc(hit.at.time_s).strftime("%Y-%m-%d")
        except (ValueError, OverflowError) as error:
            raise EvidenceError(f"hit of rule {hit.rule} has no moment: {error}") from error
        return self.root / day / hit.camera_id / event_id

    def load(self, path: Path) -> StoredBundle:
        """Read a bundle back; raises EvidenceError when it is not whole or not this worker's."""
        try:
            manifest, sha256 = read_bundle(path, self._trusted)
        except EvidenceError as error:
            raise EvidenceError(f"bundle {path}: {error}") from error
        if manifest.event_id != path.name:
            raise EvidenceError(f"bundle {path} is that of event {manifest.event_id}")
        return StoredBundle(manifest.event_id, manifest.hit(), manifest.bundle(path, sha256), manifest)

    def unsent_bundles(self, is_known: Callable[[str], bool]) -> Iterator[StoredBundle]:
        """Whole bundles whose event `is_known` denies: made just before a crash, before the outbox had it.

        For the start of a worker. A bundle that is damaged or signed by another is logged and left alone.
        """
        for path in self._bundles():
            if is_known(path.name):
                continue
            try:
                yield self.load(path)
            except EvidenceError as error:
                log.warning("evidence_refused", error=str(error))

    def expire(self, now_s: float, is_acknowledged: Callable[[str], bool]) -> int:
        """Remove bundles made more than `retention_days` before `now_s` (epoch) that the broker has.

        Others stay, however old. Returns how many went; each goes as a whole.
        """
        cutoff_s = now_s - self._settings.retention_days * 86_400
        old = (path for path in self._bundles() if _made_at_s(path) < cutoff_s)
        return sum(self._discard(path, is_acknowledged) is not None for path in old)

    def make_room(self, now_s: float, wanted_bytes: int, is_acknowledged: Callable[[str], bool]) -> int:
        """Remove bundles that the broker has, the oldest first, until `wanted_bytes` are free.

        Others stay, and so do those made less than `least_days` before `now_s` (epoch), whatever is wanted:
        that the broker has an event does not mean that anybody has looked at it. Returns how many went; each
        goes as a whole.
        """
        cutoff_s = now_s - self._settings.least_days * 86_400
        freed_bytes = removed = 0
        for made_at_s, path in sorted((_made_at_s(path), path) for path in self._bundles()):
            if freed_bytes >= wanted_bytes or made_at_s >= cutoff_s:
                break
            size_bytes = self._discard(path, is_acknowledged)
            if size_bytes is not None:
                freed_bytes += size_bytes
                removed += 1
        return removed

    def sweep(self) -> int:
        """Remove what killed workers left half done; a living process's staging is locked and stays."""
        base = self.root / STAGING_NAME
        if not base.is_dir():
            return 0
        removed = 0
        try:
            with _locked(base):
                for area in base.iterdir():
                    removed += _sweep_area(area)
        except OSError as error:
            log.warning("evidence_not_swept", path=str(base), error=str(error))
        return removed

    @contextmanager
    def stage(self, event_id: str) -> Iterator[Stage]:
        """A directory to build a bundle in; gone afterwards unless published.

        Raises EvidenceError when the disk takes nothing at all.
        """
        try:
            path = self._own_staging() / f"{event_id}-{os.urandom(4).hex()}"
            path.mkdir(mode=0o750)
        except OSError as error:
            raise disk_error(self.root, error) from error
        try:
            yield Stage(path)
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def publish(self, stage: Stage, final: Path) -> bool:
        """Give a closed stage its name, durably; False when a bundle of that name is there already.

        Raises OSError when it cannot be named.
        """
        size_bytes = _tree_bytes(stage.path)
        for attempt in range(3):
            make_directories(final.parent)
            try:
                stage.path.rename(final)
                break
            except FileNotFoundError:
                # The day's directory was empty and has been cleared away in between.
                if attempt == 2:
                    raise
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
        sync(final.parent)
        with self._lock:
            self._bytes += size_bytes
        return True

    def _bundles(self) -> Iterator[Path]:
        for day in _directories(self.root):
            if _DAY.fullmatch(day.name):
                for camera in _directories(day):
                    yield from _directories(camera)

    def _discard(self, path: Path, is_acknowledged: Callable[[str], bool]) -> int | None:
        """Bytes of the bundle that went; None where it stays."""
        try:
            return self._remove(path) if is_acknowledged(path.name) else None
        except (OSError, EvidenceError) as error:
            log.warning("evidence_not_removed", path=str(path), error=str(error))
            return None

    def _remove(self, path: Path) -> int:
        size_bytes = _tree_bytes(path)
        # Out of sight in one step: a kill while files go must leave no half bundle under the name.
        with self.stage(path.name) as stage:
            path.rename(stage.path)
            sync(path.parent)
        with self._lock:
            self._bytes -= size_bytes
        for parent in (path.parent, path.parent.parent):
            try:
                parent.rmdir()
            except OSError:
                break
        return size_bytes

    def _own_staging(self) -> Path:
        with self._lock:
            if self._staging is None:
                base = self.root / STAGING_NAME
                make_directories(base)
                with _locked(base):
                    own = Path(tempfile.mkdtemp(dir=base, prefix=f"{os.getpid()}-"))
                    self._staging_fd = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
                    # Held for life and let go by the kernel, even at kill -9: tells `sweep` who lives.
                    fcntl.flock(self._staging_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._staging = own
            return self._staging


class Stage:
    """A bundle under construction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._items: dict[str, EvidenceItem] = {}

    @property
    def items(self) -> tuple[EvidenceItem, ...]:
        """What has been added, in order."""
        return tuple(self._items.values())

    def write(self, role: str, file: str, media_type: str, data: bytes, captured_at_s: float | None) -> None:
        """Add a file with `data`. Raises OSError, then leaving nothing of it."""
        write_file(self.path / file, data)
        digest = hashlib.sha256(data).hexdigest()
        self._items[role] = EvidenceItem(role, file, media_type, len(data), digest, captured_at_s)

    def adopt(self, role: str, file: str, media_type: str, captured_at_s: float | None) -> None:
        """Add a file that another part wrote into the stage. Raises OSError."""
        digest = hashlib.sha256()
        size_bytes = 0
        with (self.path / file).open("rb") as stream:
            os.fsync(stream.fileno())
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
        self._items[role] = EvidenceItem(
            role, file, media_type, size_bytes, digest.hexdigest(), captured_at_s
        )

    def drop_largest(self) -> EvidenceItem | None:
        """Give up the largest item, its file goes at the next `close`; None when there is none left."""
        if not self._items:
            return None
        return self.drop(max(self._items.values(), key=lambda item: item.size_bytes).role)

    def drop(self, role: str) -> EvidenceItem | None:
        """Give up an item, its file goes at the next `close`; None when there is none of that role."""
        return self._items.pop(role, None)

    def close(self, manifest: bytes, signature: bytes) -> None:
        """Write the manifest and its signature, remove whatever is no item, and sync the directory.

        Raises OSError; may be called again after room was made.
        """
        wanted = {item.file for item in self._items.values()}
        for entry in list(self.path.iterdir()):
            if entry.name not in wanted:
                entry.unlink()
        write_file(self.path / MANIFEST_NAME, manifest)
        write_file(self.path / SIGNATURE_NAME, signature)
        sync(self.path)


def disk_error(path: Path, error: OSError) -> EvidenceError:
    """The one sentence for a disk that does not take evidence at `path`."""
    return EvidenceError(
        f"evidence cannot be written to {path}: {error.strerror or error}; check the disk's space and mount"
    )


def _directories(path: Path) -> Iterator[Path]:
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in names:
        if not name.startswith("."):
            yield path / name


def _made_at_s(bundle: Path) -> float:
    """Epoch seconds; never, where it cannot be seen (any more)."""
    try:
        return bundle.stat().st_mtime
    except OSError:
        return math.inf


def _tree_bytes(path: Path) -> int:
    try:
        with os.scandir(path) as entries:
            return sum(
                _tree_bytes(Path(entry.path))
                if entry.is_dir(follow_symlinks=False)
                else entry.stat(follow_symlinks=False).st_size
                for entry in entries
            )
    except OSError:
        return 0


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _sweep_area(area: Path) -> int:
    fd = os.open(area, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    else:
        shutil.rmtree(area)
        return 1
    finally:
        os.close(fd)

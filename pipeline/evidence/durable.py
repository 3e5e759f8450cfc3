"""File writes that survive a crash: data and directory entries are on the disk before a name counts."""

from __future__ import annotations

import os
from pathlib import Path


def write_file(path: Path, data: bytes, mode: int = 0o640) -> None:
    """Create `path` with `data` and sync it; raise OSError and leave nothing behind when that fails."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def sync(path: Path) -> None:
    """Flush a file's data, or a directory's entries, to the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directories(path: Path) -> None:
    """Create `path` and its missing parents, each synced into its own parent."""
    if path.is_dir():
        return
    make_directories(path.parent)
    path.mkdir(mode=0o750, exist_ok=True)
    sync(path.parent)

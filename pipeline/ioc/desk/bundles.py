"""Where workers' evidence lies: folders and object stores behind one face, that of fsspec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from fsspec.core import url_to_fs

from pipeline.ioc.config import EvidenceStores

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # without the extra s3
    _FAULTS: tuple[type[Exception], ...] = (OSError, ValueError, ImportError)
else:
    _FAULTS = (OSError, ValueError, ImportError, BotoCoreError, ClientError)

_S3_PATIENCE = {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}}


class StoreAwayError(Exception):
    """A store does not answer, or refuses: nothing can be said of what is in it."""


class Bundles:
    """All workers' stores. Threads may share it.

    Paths come from events, whose parts were examined when they came in (store.act): plain names, no "..".
    """

    def __init__(self, stores: EvidenceStores) -> None:
        self._stores = stores

    def url(self, worker: str) -> str:
        """The root of a worker's bundles."""
        return self._stores.workers.get(worker, self._stores.url).rstrip("/")

    def read(self, worker: str, path: str, limit: int) -> bytes:
        """The first `limit` bytes of a file. Raises FileNotFoundError, StoreAwayError."""
        with self._at(worker) as (files, root), files.open(f"{root}/{path}", "rb", **_plain(files)) as file:
            return bytes(file.read(limit))

    def remove(self, worker: str, bundle: str, names: Iterable[str]) -> None:
        """Remove these very files, in this order; then the folder, if nothing else is in it.

        What is not there is no fault. Raises StoreAwayError.
        """
        with self._at(worker) as (files, root):
            for name in names:
                try:
                    files.rm_file(f"{root}/{bundle}/{name}")
                except FileNotFoundError:
                    continue
            if not _is_folder(files):
                return  # of an object store nothing is left
            parts = bundle.split("/")
            for depth in range(len(parts), 0, -1):
                try:
                    files.rmdir(f"{root}/{'/'.join(parts[:depth])}")
                except OSError:
                    return

    def holds_anything(self, worker: str) -> bool:
        """Whether anything lies in the store: where a disk is not mounted there is an empty folder, or none.

        Raises StoreAwayError.
        """
        with self._at(worker) as (files, root):
            try:
                return any(True for _ in files.ls(root, detail=False))
            except FileNotFoundError:
                return False

    @contextmanager
    def _at(self, worker: str) -> Iterator[tuple[Any, str]]:
        url = self.url(worker)
        try:
            files, root = url_to_fs(url, **self._options(url))
            yield files, root.rstrip("/")
        except FileNotFoundError:
            raise
        except _FAULTS as error:
            reason = str(error)[:200] or type(error).__name__
            raise StoreAwayError(f"evidence store {url}: {reason}") from error

    def _options(self, url: str) -> dict[str, Any]:
        if not url.startswith("s3://"):
            return {}
        s3 = self._stores.s3
        options: dict[str, Any] = {"use_listings_cache": False, "config_kwargs": _S3_PATIENCE}
        if s3.endpoint_url is not None:
            options["endpoint_url"] = s3.endpoint_url
        if s3.region is not None:
            options["client_kwargs"] = {"region_name": s3.region}
        if s3.username is not None:
            options |= {"key": s3.username, "secret": s3.password() or ""}
        return options


def _is_folder(files: Any) -> bool:
    return "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))


def _plain(files: Any) -> dict[str, Any]:
    """Read straight through: blocks that are kept for later would be fetched for nothing."""
    return {} if _is_folder(files) else {"cache_type": "readahead", "block_size": 8_388_608}

"""Evidence on its way out: only files that the event names, and only as its manifest has them."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from pipeline.ioc.config import EvidenceStores
from pipeline.ioc.desk.bundles import Bundles, StoreAwayError
from pipeline.ioc.desk.desk import CaseView
from pipeline.ioc.store.act import Evidence, Item

CACHE_BYTES = 192_000_000
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SIGNATURE_BYTES = 1024
THUMBNAIL_PX = (208, 117)
Image.MAX_IMAGE_PIXELS = 50_000_000


class FileError(Exception):
    """The file cannot be served; the message says why."""


class FileGoneError(FileError):
    """It is not there: not known, expired, or the store is away."""


class FileChangedError(FileError):
    """It is not what the manifest says."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One file of a bundle against its hash."""

    file: str
    ok: bool
    problem: str


class EvidenceFiles:
    """Reads bundles of all workers; keeps for a while what was found right. Threads may share it."""

    def __init__(self, stores: EvidenceStores) -> None:
        self._bundles = Bundles(stores)
        self._limit = round(stores.max_megabytes * 1e6)
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def read(self, case: CaseView, file: str) -> tuple[bytes, Item]:
        """The file's bytes, as the manifest has them, and what the event says of it. Raises FileError."""
        evidence = _kept(case)
        item = next((item for item in evidence.items if item.file == file), None)
        if item is None or evidence.bundle is None:
            raise FileGoneError(f"the case has no file {file[:80]!r}")
        return self._checked(case, item.file, item.sha256, item.size_bytes), item

    def thumbnail(self, case: CaseView) -> bytes:
        """A small JPEG of the road user at the decisive moment. Raises FileError."""
        _kept(case)
        key = f"thumbnail {case.row.id}"
        if (known := self._cached(key)) is not None:
            return known
        item = item_of(case, "at") or item_of(case, "crop")
        if item is None:
            raise FileGoneError("the case has no still")
        content, _ = self.read(case, item.file)
        try:
            with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as picture:
                picture.draft("RGB", (1280, 720))
                small = _around(
                    picture.convert("RGB"), case.act.moments.at.box if item.role == "at" else None
                )
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            raise FileChangedError("the still is no picture") from error
        out = io.BytesIO()
        small.save(out, "JPEG", quality=78)
        return self._keep(key, out.getvalue())

    def verify(self, case: CaseView) -> list[Checked]:
        """Every file of the bundle, and the manifest itself, against the hashes in the event."""
        evidence = case.act.evidence
        if case.evidence_gone_ms or evidence.bundle is None or evidence.manifest_sha256 is None:
            return []
        wanted: list[tuple[str, str, int | None]] = [(MANIFEST, evidence.manifest_sha256, None)]
        wanted += [(item.file, item.sha256, item.size_bytes) for item in evidence.items]
        found = []
        for file, sha256, size in wanted:
            try:
                self._checked(case, file, sha256, size, fresh=True)
            except FileError as error:
                found.append(Checked(file, ok=False, problem=str(error)))
            else:
                found.append(Checked(file, ok=True, problem=""))
        return found

    def seal(self, case: CaseView) -> tuple[bytes, bytes]:
        """The manifest, as the event has it, and its signature. Raises FileError."""
        evidence = _kept(case)
        if evidence.bundle is None or evidence.manifest_sha256 is None:
            raise FileGoneError("the case has no bundle of evidence")
        manifest = self._checked(case, MANIFEST, evidence.manifest_sha256, None, fresh=True)
        return manifest, self._fetch(case, SIGNATURE, SIGNATURE_BYTES)

    def _checked(
        self, case: CaseView, file: str, sha256: str, size: int | None, *, fresh: bool = False
    ) -> bytes:
        key = f"{case.worker} {case.act.evidence.bundle} {file} {sha256}"
        if not fresh and (known := self._cached(key)) is not None:
            return known
        if size is not None and size > self._limit:
            raise FileGoneError(f"{file} is larger than {self._limit} bytes")
        content = self._fetch(case, file, self._limit)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise FileChangedError(f"{file} was changed: its SHA-256 is not the one in the event")
        return content if fresh else self._keep(key, content)

    def _fetch(self, case: CaseView, file: str, limit: int) -> bytes:
        try:
            content = self._bundles.read(case.worker, f"{case.act.evidence.bundle}/{file}", limit + 1)
        except (FileNotFoundError, StoreAwayError) as error:
            raise FileGoneError(f"{file} is not there") from error
        if len(content) > limit:
            raise FileGoneError(f"{file} is larger than {limit} bytes")
        return content

    def _cached(self, key: str) -> bytes | None:
        with self._lock:
            if (content := self._cache.get(key)) is not None:
                self._cache.move_to_end(key)
            return content

    def _keep(self, key: str, content: bytes) -> bytes:
        with self._lock:
            if len(content) <= CACHE_BYTES // 4 and key not in self._cache:
                self._cache[key] = content
                self._cached_bytes += len(content)
                while self._cached_bytes > CACHE_BYTES:
                    self._cached_bytes -= len(self._cache.popitem(last=False)[1])
        return content


def _kept(case: CaseView) -> Evidence:
    if case.evidence_gone_ms:
        raise FileGoneError("the evidence has expired")
    return case.act.evidence


def item_of(case: CaseView, role: str) -> Item | None:
    """The file of a role."""
    return next((item for item in case.act.evidence.items if item.role == role), None)


def _around(picture: Image.Image, box: tuple[float, float, float, float] | None) -> Image.Image:
    """A part of the thumbnail's shape around the box, at least a fifth of the picture wide."""
    width, height = picture.size
    if box is not None:
        left, top, right, bottom = (min(1.0, max(0.0, edge)) for edge in box)
        x, y = (left + right) / 2 * width, (top + bottom) / 2 * height
        ratio = THUMBNAIL_PX[0] / THUMBNAIL_PX[1]
        wide = max((right - left) * width * 1.6, (bottom - top) * height * 1.6 * ratio, width / 5)
        wide = min(wide, width, height * ratio)
        high = wide / ratio
        x0 = min(max(0.0, x - wide / 2), width - wide)
        y0 = min(max(0.0, y - high / 2), height - high)
        picture = picture.crop((round(x0), round(y0), round(x0 + wide), round(y0 + high)))
    picture.thumbnail((THUMBNAIL_PX[0] * 2, THUMBNAIL_PX[1] * 2))
    return picture

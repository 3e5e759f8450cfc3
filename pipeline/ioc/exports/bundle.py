"""A case's evidence as a zip: the bundle as it is, or a copy without bystanders that says that it is one."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any

from pipeline import __version__
from pipeline.ioc.desk import CaseView
from pipeline.ioc.desk.files import MANIFEST, SIGNATURE, EvidenceFiles, item_of
from pipeline.ioc.exports.hidden import STILLS, hidden_still, marked

COPY = "copy.json"
_IN_MEMORY_BYTES = 16_000_000
_CHUNK_BYTES = 262_144
_NOTE = {
    "vi": "Bản sao để gửi ra ngoài: đã che người và phương tiện không liên quan. Không thay thế bản gốc. "
    "Bản gốc còn nguyên và được nhận biết bằng các mã băm dưới đây.",
    "en": "A copy to hand out: bystanders are hidden. It does not stand for the original, which is unchanged "
    "and known by the hashes below.",
}
_NOT_HIDDEN = "nobody who stands by can be hidden in it"
_LEFT_OUT = {
    "clip": f"nobody knows who is in each of its pictures, so {_NOT_HIDDEN}",
    "crop": f"others may stand within it, and {_NOT_HIDDEN}",
    "annotated": f"its whole scene is shown, and {_NOT_HIDDEN}",
}


def evidence_zip(files: EvidenceFiles, view: CaseView) -> IO[bytes]:
    """The bundle in a folder of the case's id, each file held against its hash; `ngatu verify` accepts it.

    An open file, at its beginning; gone once it is closed. Raises FileError: whole, or not at all.
    """
    manifest, signature = files.seal(view)

    def parts() -> Iterator[tuple[str, bytes]]:
        yield MANIFEST, manifest
        yield SIGNATURE, signature
        for item in view.act.evidence.items:
            yield item.file, files.read(view, item.file)[0]

    return _zipped(view, view.row.id, parts())


def copy_zip(files: EvidenceFiles, view: CaseView, *, by: str, now_ms: int) -> IO[bytes]:
    """Stills with bystanders hidden, the composite (made so), and what the originals' hashes are.

    No bundle: there is no manifest in it, and `ngatu verify` refuses it. Raises FileError.
    """
    files.seal(view)
    items = view.act.evidence.items
    mark = f"BẢN SAO · đã che người và phương tiện không liên quan · {view.row.id}"
    made: list[tuple[str, bytes]] = []
    told: list[dict[str, Any]] = []
    for role in (*STILLS, "composite"):
        item = item_of(view, role)
        if item is None:
            continue
        if role in STILLS:
            change = "bystanders hidden: all but the judged vehicle and the lamps is a mosaic"
            content = marked(hidden_still(files, view, item), f"{mark} · SHA-256 gốc {item.sha256[:16]}…")
        else:
            change = "none: the worker made it with bystanders hidden"
            content, _ = files.read(view, item.file)
        made.append((f"{role}.jpg", content))
        sha256 = hashlib.sha256(content).hexdigest()
        told.append({"file": f"{role}.jpg", "sha256": sha256, "of": item.file, "change": change})
    taken = {each["of"] for each in told}
    note = {
        "kind": "copy",
        "note": _NOTE,
        "case": view.row.id,
        "made_at": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "made_by": by,
        "software": f"ngatu {__version__}",
        "files": told,
        "left_out": [
            {
                "of": item.file,
                "reason": _LEFT_OUT.get(item.role, f"it is not known what it shows: {_NOT_HIDDEN}"),
            }
            for item in items
            if item.file not in taken
        ],
        "originals": {
            "worker": view.worker,
            "bundle": view.act.evidence.bundle,
            "manifest_sha256": view.act.evidence.manifest_sha256,
            "items": [item.model_dump(mode="json") for item in items],
        },
    }
    made.append((COPY, (json.dumps(note, ensure_ascii=False, indent=2) + "\n").encode()))
    return _zipped(view, f"{view.row.id}-copy", iter(made))


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The file in parts; closed after the last."""
    with file:
        while part := file.read(_CHUNK_BYTES):
            yield part


def _zipped(view: CaseView, folder: str, parts: Iterator[tuple[str, bytes]]) -> IO[bytes]:
    # On disk before the first byte goes out: a file that was changed is an answer of its own then.
    out = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - the caller's
    try:
        at = datetime.fromtimestamp(view.row.at_ms / 1000, UTC).timetuple()[:6]
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, content in parts:
                entry = zipfile.ZipInfo(f"{folder}/{name}", (max(1980, at[0]), *at[1:]))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content)
        out.seek(0)
    except BaseException:
        out.close()
        raise
    return out

"""The catalogue of models: what is known, what is here, and how to get the rest."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import structlog

from pipeline.config.model import ModelSettings
from pipeline.perception import cards
from pipeline.perception.cards import ModelCard, UltralyticsSource, UrlSource, read_card
from pipeline.perception.errors import PerceptionError
from pipeline.perception.model import load_model

_CHUNK_BYTES = 256 * 1024
_TIMEOUT_S = 30.0

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes that will be (None: not known)."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One model, known or found."""

    name: str
    path: Path
    """Where its .onnx is, or would be."""
    card: ModelCard
    size_bytes: int | None
    """None: it is not here."""
    sha256: str | None
    """Of the file that is here."""

    @property
    def present(self) -> bool:
        """Whether the file is here."""
        return self.size_bytes is not None

    @property
    def classes(self) -> int | None:
        """Number of class names on its card; None where only the model itself tells."""
        return None if self.card.names is None else len(self.card.names)


def catalogue(directory: Path) -> list[CatalogueEntry]:
    """Every model that has a card in the project or in `directory`, or a file in `directory`, by name.

    Raises PerceptionError naming the card that cannot be read.
    """
    found: dict[str, ModelCard] = {path.stem: ModelCard() for path in directory.glob("*.onnx")}
    for folder in (cards.KNOWN_MODELS, directory):
        found |= {path.stem: read_card(path) for path in sorted(folder.glob("*.yaml"))}
    return [_entry(name, directory, card) for name, card in sorted(found.items())]


def pull(name: str, directory: Path, progress: Progress | None = None) -> Path:
    """Fetch the model `name` of the catalogue into `directory` and return its path.

    A download counts only with the SHA-256 of its card, and appears whole or not at all. Raises
    PerceptionError when the name is not known, or the model cannot be had.
    """
    entries = {entry.name: entry for entry in catalogue(directory)}
    entry = entries.get(name)
    if entry is None:
        raise PerceptionError(f"model {name!r} is not in the catalogue: it has {', '.join(entries)}")
    directory.mkdir(parents=True, exist_ok=True)
    if entry.card.download is not None:
        if entry.sha256 == entry.card.download.sha256:
            return entry.path
        _refuse_other(entry)
        _download(entry.card.download, entry.path, progress)
    elif entry.card.export is not None:
        if entry.present:
            return entry.path
        _export(entry.card.export, entry.path)
    elif not entry.present:
        raise PerceptionError(f"model {name} has neither `download:` nor `export:` on its card")
    log.info("model pulled", model=name, path=str(entry.path))
    return entry.path


def _entry(name: str, directory: Path, card: ModelCard) -> CatalogueEntry:
    path = directory / f"{name}.onnx"
    if not path.is_file():
        return CatalogueEntry(name, path, card, None, None)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return CatalogueEntry(name, path, card, path.stat().st_size, digest)


def _refuse_other(entry: CatalogueEntry) -> None:
    """Never write over a file that is not what the card names: it may be the operator's own."""
    if entry.present:
        raise PerceptionError(
            f"{entry.path} is here with another SHA-256 than its card names: move it away first"
        )


def _download(source: UrlSource, target: Path, progress: Progress | None) -> None:
    """Fetch, check, and only then put in place."""
    url = str(source.url)
    most = int(source.max_megabytes * 1_000_000)
    digest = hashlib.sha256()
    received = 0
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as part:
        partial = Path(part.name)
        try:
            # The scheme is one of http, https and file: the card's model sees to it.
            with urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310
                length = response.headers.get("Content-Length")
                total = int(length) if length and length.isdigit() else None
                while chunk := response.read(_CHUNK_BYTES):
                    received += len(chunk)
                    if received > most or (total or 0) > most:
                        raise PerceptionError(
                            f"{url} is larger than the {source.max_megabytes:g} MB that its card allows"
                        )
                    digest.update(chunk)
                    part.write(chunk)
                    if progress is not None:
                        progress(received, total)
            if digest.hexdigest() != source.sha256:
                raise PerceptionError(
                    f"{url} is not the model that its card names: SHA-256 {digest.hexdigest()[:16]}... "
                    f"instead of {source.sha256[:16]}...; nothing was kept"
                )
            part.flush()
            partial.chmod(0o644)
            partial.replace(target)
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise PerceptionError(f"{url} cannot be fetched: {reason}") from None
        finally:
            partial.unlink(missing_ok=True)


def _export(source: UltralyticsSource, target: Path) -> None:
    """Have Ultralytics fetch its weights and write them as ONNX; used only if the model then loads."""
    try:
        from ultralytics import YOLO
    except ImportError:
        raise PerceptionError(
            f"exporting {source.weights} needs Ultralytics, which is not installed: "
            "pip install 'ngatu[export]', or give the model a `download:` on its card"
        ) from None
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
        try:
            model: Any = YOLO(str(Path(folder) / source.weights))
            exported = Path(model.export(format="onnx", imgsz=source.image_size, dynamic=True))
        except Exception as error:  # Ultralytics' errors share no base class
            raise PerceptionError(f"Ultralytics cannot export {source.weights}: {error}") from error
        load_model(ModelSettings(path=exported, providers=("cpu",)))
        shutil.move(exported, target)

"""What a model says about itself: ONNX metadata, the YAML beside it, or the project's card of that name."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, HttpUrl, ValidationError, field_validator

from pipeline.config.base import Settings
from pipeline.perception.coco import COCO_NAMES
from pipeline.perception.errors import PerceptionError

_PACKAGED = Path(__file__).parent / "known_models"
KNOWN_MODELS = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "models"
"""Cards of the models we know: models/ in a checkout, packed into the wheel beside this file."""

_MAX_CARD_BYTES = 64 * 1024
_MAX_DEPTH = 8

ClassName = Annotated[str, Field(min_length=1, max_length=64)]
ClassNames = Annotated[tuple[ClassName, ...], Field(min_length=1, max_length=2000)]
Pixels = Annotated[int, Field(ge=32, le=4096)]
Riders = Literal["persons", "in-box"]
RIDERS: tuple[Riders, ...] = get_args(Riders)


class InputCard(Settings):
    """How a picture becomes the model's input; what is not said is the layout's habit."""

    width: Pixels | None = None
    height: Pixels | None = None
    color: Literal["bgr", "rgb"] | None = None
    range: Literal[1, 255] | None = None
    """Largest value of a pixel: 1 or 255."""
    letterbox: Literal["top-left", "centre"] | None = None
    pad: Annotated[int, Field(ge=0, le=255)] | None = None


class UrlSource(Settings):
    """A file to download."""

    url: Annotated[HttpUrl, Field()] | Annotated[str, Field(pattern=r"^file:///")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    max_megabytes: Annotated[float, Field(gt=0, le=2048)] = 512.0


class UltralyticsSource(Settings):
    """Weights that Ultralytics downloads and exports (extra `export`)."""

    weights: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}\.pt$")]
    image_size: Pixels = 640


class ModelCard(Settings):
    """One model's YAML: a sidecar beside the .onnx, and an entry of the catalogue."""

    title: Annotated[str, Field(max_length=400)] = ""
    license: Annotated[str, Field(max_length=200)] = ""
    layout: Annotated[str, Field(max_length=32)] | None = None
    names: ClassNames | None = None
    """Class names in the model's order; the word `coco` stands for its 80."""
    riders: Riders = "persons"
    """Whether it sees who rides a two-wheeler as a person of its own, as models of COCO do, or as part of the
    two-wheeler: then a person never is a rider, and never becomes one."""
    input: InputCard = InputCard()
    download: UrlSource | None = None
    export: UltralyticsSource | None = None

    @field_validator("names", mode="before")
    @classmethod
    def _spelled_out(cls, names: Any) -> Any:
        if names == "coco":
            return COCO_NAMES
        return _in_order(names) if isinstance(names, dict) else names


def read_card(path: Path) -> ModelCard:
    """Read one card. Raises PerceptionError naming the file and the key."""
    try:
        if path.stat().st_size > _MAX_CARD_BYTES:
            raise PerceptionError(f"model card {path} is larger than {_MAX_CARD_BYTES // 1024} KiB")
        text = path.read_text(encoding="utf-8")
        _refuse_bombs(path, text)
        return ModelCard.model_validate(yaml.safe_load(text) or {})
    except (OSError, UnicodeDecodeError) as error:
        raise PerceptionError(f"model card {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}" if where is not None else ""
        raise PerceptionError(f"model card {path}{line} is not YAML") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top)"
        raise PerceptionError(f"model card {path} key {key}: {first['msg']}") from None


def _refuse_bombs(path: Path, text: str) -> None:
    """Before anything is built: a few lines of aliases unfold to gigabytes, deep nesting takes minutes."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise PerceptionError(f"model card {path} uses a YAML alias (*name): write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise PerceptionError(f"model card {path} is nested too deeply")


def card_for(model: Path, metadata: Mapping[str, str]) -> tuple[ModelCard, str]:
    """The card that counts for a model file, and where it comes from, what wins first.

    A YAML beside the model wins over the model's own metadata: it is how an operator corrects a model.
    The project's card of the same file name fills in what neither says: a model that was copied without its
    YAML would lose what its metadata cannot tell.
    """
    beside, known = model.with_suffix(".yaml"), KNOWN_MODELS / f"{model.stem}.yaml"
    own = card_of_metadata(metadata)
    cards: list[tuple[ModelCard, str]] = []
    if beside.is_file():
        cards.append((read_card(beside), str(beside)))
    if own.model_fields_set:
        cards.append((own, "its ONNX metadata"))
    if known.is_file() and not (beside.is_file() and known.samefile(beside)):
        cards.append((read_card(known), f"the known model {model.stem}"))
    said: dict[str, Any] = {}
    form: dict[str, Any] = {}
    for card, _ in reversed(cards):
        said |= card.model_dump(exclude_unset=True)
        form |= card.input.model_dump(exclude_unset=True)
    merged = ModelCard.model_validate(said | {"input": form})
    return merged, ", then ".join(source for _, source in cards) or "nothing but its shapes"


def card_of_metadata(metadata: Mapping[str, str]) -> ModelCard:
    """What Ultralytics writes into a model (names, imgsz as [height, width]), and scripts/detector besides
    (riders); junk counts as not said."""
    said: dict[str, Any] = {}
    names = _literal(metadata.get("names"))
    if isinstance(names, dict | list):
        said["names"] = names
    size = _literal(metadata.get("imgsz"))
    if isinstance(size, list | tuple) and len(size) == 2:
        said["input"] = {"height": size[0], "width": size[1]}
    if metadata.get("riders") in RIDERS:
        said["riders"] = metadata["riders"]
    try:
        return ModelCard.model_validate(said)
    except ValidationError:
        return ModelCard()


def _literal(text: str | None) -> Any:
    """The Python literal in `text`, None when there is none or it is too long to be one."""
    if text is None or len(text) > _MAX_CARD_BYTES:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _in_order(names: Mapping[Any, Any]) -> list[Any]:
    """{0: a, 1: b} as [a, b]; raises ValueError where a number is missing."""
    try:
        return [names[index] for index in range(len(names))]
    except KeyError as error:
        raise ValueError(f"class number {error} is missing: number them 0 to {len(names) - 1}") from None

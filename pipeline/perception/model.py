"""Loads an ONNX detector: file, execution provider, layout, class names and input."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import structlog

from pipeline.config.model import ModelSettings
from pipeline.perception.cards import InputCard, ModelCard, card_for
from pipeline.perception.errors import PerceptionError
from pipeline.perception.layouts import LAYOUTS, Floats, InputFormat, Layout, Shape, Size, recognise

PROVIDERS: dict[str, str] = {
    "cpu": "CPUExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}

_PRECISIONS: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_LARGEST_BYTES = 2**31 - 1
"""Protocol buffers hold no more, so no ONNX file without side files is larger."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Model:
    """A detector that is ready to run. `run` may be called from several threads at once."""

    path: Path
    sha256: str
    provider: str
    """Short name: cpu, openvino, cuda or tensorrt."""
    layout: Layout
    names: tuple[str, ...]
    """The model's own class names, in its order."""
    riders_in_box: bool
    """Whether it sees a rider as part of the two-wheeler, never as a person: see ModelCard.riders."""
    size: Size
    """Width and height of its input."""
    form: InputFormat
    batch: int | None
    """Pictures a run; None where the model takes any number."""
    session: Any
    precision: type[np.floating[Any]]

    def run(self, tensor: Floats) -> Floats:
        """(B, 3, height, width) in, the first output as float32 (B, ...) out."""
        feed = {self.session.get_inputs()[0].name: tensor.astype(self.precision, copy=False)}
        output = self.session.run([self.session.get_outputs()[0].name], feed)
        return np.asarray(output[0], dtype=np.float32)


def load_model(settings: ModelSettings, threads_per_run: int = 1) -> Model:
    """Load and try out the model of `settings`.

    Raises PerceptionError, in one sentence, when the file is missing, is no ONNX model, does not run, or
    fits no known layout.
    """
    path = settings.path
    content = _read(path)
    session, provider = _open(path, content, settings.providers, threads_per_run)
    found = _describe(session)
    card, source = card_for(path, session.get_modelmeta().custom_metadata_map)
    batch, size, precision = _input(path, session, card.input, found)
    output = _try_out(path, session, batch or 1, size, precision)
    layout, why = _layout(path, card, output.shape[1:], size, found)
    names = _names(path, card, layout, output.shape[1:], found)
    model = Model(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        provider=provider,
        layout=layout,
        names=names,
        riders_in_box=card.riders == "in-box",
        size=size,
        form=_form(layout, card.input),
        batch=batch,
        session=session,
        precision=precision,
    )
    log.info(
        "model loaded",
        model=path.name,
        sha256=model.sha256[:12],
        provider=provider,
        wanted=",".join(settings.providers),
        layout=layout.name,
        because=why,
        described_by=source,
        input=f"{size[0]}x{size[1]}",
        classes=len(names),
        riders=card.riders,
    )
    return model


def _read(path: Path) -> bytes:
    """The file's bytes: what is hashed is what runs."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise PerceptionError(f"model {path} is larger than 2 GiB, which no ONNX file is")
        return path.read_bytes()
    except FileNotFoundError:
        raise PerceptionError(
            f"model {path} is not there: correct model.path, or fetch one with `ngatu models pull NAME`"
        ) from None
    except OSError as error:
        raise PerceptionError(f"model {path} cannot be read: {error.strerror or error}") from None


def _open(path: Path, content: bytes, wanted: Sequence[str], threads_per_run: int) -> tuple[Any, str]:
    """A session on the first provider of `wanted` that is there, and that provider's short name."""
    unknown = [name for name in wanted if name not in PROVIDERS]
    if unknown:
        raise PerceptionError(
            f"execution provider {unknown[0]!r} is not known: model.providers takes {', '.join(PROVIDERS)}"
        )
    there = ort.get_available_providers()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads_per_run
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for name in wanted:
        if PROVIDERS[name] not in there:
            continue
        providers = list(dict.fromkeys((PROVIDERS[name], PROVIDERS["cpu"])))
        try:
            session = ort.InferenceSession(content, options, providers=providers)
        except Exception as error:  # onnxruntime's errors share no base class
            raise PerceptionError(
                f"model {path} is not a usable ONNX model: {_first_line(error)}; fetch or export it again"
            ) from None
        # A provider that is built in but lacks its driver makes room for the next one silently.
        if session.get_providers()[0] == PROVIDERS[name]:
            return session, name
        log.warning("execution provider does not start", provider=name)
    here = ", ".join(name for name, full in PROVIDERS.items() if full in there)
    raise PerceptionError(
        f"none of the execution providers {', '.join(wanted)} runs here: give model.providers one of {here}"
    )


def _input(
    path: Path, session: Any, card: InputCard, found: str
) -> tuple[int | None, Size, type[np.floating[Any]]]:
    """Batch (None: any), size and precision of the input."""
    first = session.get_inputs()[0]
    shape = first.shape
    if len(session.get_inputs()) != 1 or len(shape) != 4 or shape[1] != 3 or first.type not in _PRECISIONS:
        raise PerceptionError(f"model {path} does not take pictures as [batch, 3, height, width] ({found})")
    height, width = (dim if isinstance(dim, int) and dim > 0 else None for dim in shape[2:])
    if (height and card.height not in (None, height)) or (width and card.width not in (None, width)):
        raise PerceptionError(
            f"model {path} takes {width}x{height}, but its card says {card.width}x{card.height}: correct that"
        )
    height, width = height or card.height, width or card.width
    if height is None or width is None:
        raise PerceptionError(
            f"model {path} takes pictures of any size and nothing says which: give input.width and "
            f"input.height in {path.with_suffix('.yaml').name} beside it ({found})"
        )
    if not (32 <= height <= 4096 and 32 <= width <= 4096):
        raise PerceptionError(f"model {path} takes {width}x{height}, outside 32 to 4096 pixels")
    batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
    return batch, (width, height), _PRECISIONS[first.type]


def _try_out(
    path: Path, session: Any, batch: int, size: Size, precision: type[np.floating[Any]]
) -> np.ndarray[Any, Any]:
    """What the model makes of a grey picture: its true output shape, and the proof that it runs."""
    grey = np.zeros((batch, 3, size[1], size[0]), precision)
    try:
        output = session.run(None, {session.get_inputs()[0].name: grey})[0]
    except Exception as error:  # onnxruntime's errors share no base class
        raise PerceptionError(
            f"model {path} does not run at {size[0]}x{size[1]}: {_first_line(error)}"
        ) from None
    return np.asarray(output)


def _layout(path: Path, card: ModelCard, shape: Shape, size: Size, found: str) -> tuple[Layout, str]:
    """The one layout of the model, and why it is this one."""
    fitting = recognise(shape, size)
    if card.layout is not None:
        named = LAYOUTS.get(card.layout)
        if named is None:
            raise PerceptionError(
                f"the card of model {path} names layout {card.layout!r}; known are {', '.join(LAYOUTS)}"
            )
        if named not in fitting:
            raise PerceptionError(
                f"model {path} is not {named.name} as its card says, which is {named.why} "
                f"(output {list(shape)} at {size[0]}x{size[1]}; {found})"
            )
        return named, "its card says so"
    if len(fitting) == 1:
        return fitting[0], fitting[0].why
    if fitting:
        raise PerceptionError(
            f"model {path} fits more than one layout ({', '.join(each.name for each in fitting)}): say which "
            f"as `layout:` in {path.with_suffix('.yaml').name} beside it"
        )
    known = "; ".join(f"{each.name} {each.why}" for each in LAYOUTS.values())
    raise PerceptionError(
        f"model {path} fits no known layout: found {found}, run at {size[0]}x{size[1]} it gives "
        f"{list(shape)} a picture; known are {known}"
    )


def _names(path: Path, card: ModelCard, layout: Layout, shape: Shape, found: str) -> tuple[str, ...]:
    """The model's class names, as many as it has classes."""
    if card.names is None:
        raise PerceptionError(
            f"model {path} does not say its class names: list them as `names:` in "
            f"{path.with_suffix('.yaml').name} beside it ({found})"
        )
    count = layout.classes(shape)
    if count is not None and count != len(card.names):
        raise PerceptionError(
            f"model {path} has {count} classes as {layout.name}, but {len(card.names)} names are given: "
            "correct `names:` or `layout:` in its card"
        )
    return card.names


def _form(layout: Layout, card: InputCard) -> InputFormat:
    """The layout's habit, corrected by what the card says."""
    habit = layout.input
    return InputFormat(
        color=card.color or habit.color,
        range=card.range or habit.range,
        letterbox=card.letterbox or habit.letterbox,
        pad=habit.pad if card.pad is None else card.pad,
    )


def _describe(session: Any) -> str:
    """Inputs, outputs and metadata keys, for messages."""

    def shapes(values: Any) -> str:
        return ", ".join(f"{value.name} {value.shape} {value.type}" for value in values)

    keys = ", ".join(sorted(session.get_modelmeta().custom_metadata_map)) or "none"
    return (
        f"input {shapes(session.get_inputs())}; output {shapes(session.get_outputs())}; metadata keys {keys}"
    )


def _first_line(error: Exception) -> str:
    """The first line of a library's message, shortened."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

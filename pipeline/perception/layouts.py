"""Output layouts of detector families: raw tensor to boxes, one function each.

To add one, write a function and register it with `@layout`, saying which output shapes it recognises and
what input its family is fed with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Shape = tuple[int, ...]
Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class InputFormat:
    """How a picture is turned into a model's input."""

    color: Literal["bgr", "rgb"]
    range: Literal[1, 255]
    letterbox: Literal["top-left", "centre"]
    pad: int = 114


class Candidates(NamedTuple):
    """Boxes before non-maximum suppression, in pixels of the model's input."""

    xyxy: Floats
    """(M, 4)"""
    scores: Floats
    """(M,), 0..1"""
    classes: npt.NDArray[np.intp]
    """(M,) numbers of the model's own classes."""


Fits = Callable[[Shape, Size], bool]
Decode = Callable[[Floats, Size, float], Candidates]


@dataclass(frozen=True, slots=True)
class Layout:
    """One family of models."""

    name: str
    input: InputFormat
    fits: Fits
    """(output shape without batch, input size) -> whether this layout recognises it."""
    classes: Callable[[Shape], int | None]
    """Output shape without batch -> number of classes; None where the shape does not tell."""
    decode: Decode
    """(output of one picture, input size, lowest score) -> candidates at or above that score."""
    why: str
    """What tells this layout from the others, for the log."""


LAYOUTS: dict[str, Layout] = {}

_ULTRALYTICS = InputFormat(color="rgb", range=1, letterbox="centre")


def layout(
    name: str, *, input: InputFormat, fits: Fits, classes: Callable[[Shape], int | None], why: str
) -> Callable[[Decode], Decode]:
    """Register the decorated function as the layout `name`."""

    def register(decode: Decode) -> Decode:
        LAYOUTS[name] = Layout(name, input, fits, classes, decode, why)
        return decode

    return register


def recognise(shape: Shape, size: Size) -> list[Layout]:
    """Every layout that recognises an output of `shape` (without the batch axis)."""
    return [candidate for candidate in LAYOUTS.values() if candidate.fits(shape, size)]


def cells(size: Size) -> set[int]:
    """How many grid cells a detector of this input has: strides 8, 16, 32, and 64 in the larger families."""
    width, height = size
    per_stride = [-(-width // stride) * -(-height // stride) for stride in (8, 16, 32, 64)]
    return {sum(per_stride[:3]), sum(per_stride)}


@layout(
    "yolox",
    input=InputFormat(color="bgr", range=255, letterbox="top-left"),
    fits=lambda shape, size: len(shape) == 2 and shape[1] >= 6 and shape[0] in cells(size),
    classes=lambda shape: shape[1] - 5,
    why="[cells, 5 + classes] with one anchor a cell",
)
def yolox(output: Floats, size: Size, lowest: float) -> Candidates:
    """(N, 5 + C), not grid-decoded: xy = (xy + cell) * stride, wh = exp(wh) * stride; score = obj * class.

    Source: Ge et al., YOLOX (2021), section 2.1, and demo_postprocess of its ONNX demo.
    """
    rows, scores, classes = _scored_rows(output, lowest)
    if not len(rows):
        return _none()
    origin, stride = _grid(size, len(output))
    stride = stride[rows, None]
    centre = (output[rows, :2] + origin[rows]) * stride
    extent = np.exp(np.minimum(output[rows, 2:4], 10.0)) * stride
    return Candidates(_corners(centre, extent), scores, classes)


@layout(
    "yolov5",
    input=_ULTRALYTICS,
    fits=lambda shape, size: (
        len(shape) == 2 and shape[1] >= 6 and shape[0] in {3 * count for count in cells(size)}
    ),
    classes=lambda shape: shape[1] - 5,
    why="[cells * 3, 5 + classes] with three anchors a cell",
)
def yolov5(output: Floats, size: Size, lowest: float) -> Candidates:
    """(N, 5 + C), decoded: centre x, y, width, height in input pixels; score = objectness * class."""
    rows, scores, classes = _scored_rows(output, lowest)
    return Candidates(_corners(output[rows, :2], output[rows, 2:4]), scores, classes)


@layout(
    "yolov8",
    input=_ULTRALYTICS,
    fits=lambda shape, size: len(shape) == 2 and shape[0] >= 5 and shape[1] in cells(size),
    classes=lambda shape: shape[0] - 4,
    why="[4 + classes, cells], transposed and without objectness",
)
def yolov8(output: Floats, size: Size, lowest: float) -> Candidates:
    """(4 + C, N), decoded: centre x, y, width, height in input pixels; score = class. YOLOv8, YOLO11."""
    scores = output[4:].max(axis=0)
    columns = np.flatnonzero(scores >= lowest)
    found = output[:, columns]
    return Candidates(
        _corners(found[:2].T, found[2:4].T), scores[columns], found[4:].argmax(axis=0).astype(np.intp)
    )


@layout(
    "end2end",
    input=_ULTRALYTICS,
    fits=lambda shape, size: (
        len(shape) == 2 and shape[1] == 6 and shape[0] <= 1000 and shape[0] not in cells(size)
    ),
    classes=lambda shape: None,
    why="[at most 1000 detections, 6], suppressed inside the model",
)
def end2end(output: Floats, size: Size, lowest: float) -> Candidates:
    """(K, 6): left, top, right, bottom in input pixels, score, class number. YOLOv10, YOLO26."""
    found = output[output[:, 4] >= lowest]
    return Candidates(found[:, :4], found[:, 4], found[:, 5].astype(np.intp))


def _scored_rows(output: Floats, lowest: float) -> tuple[npt.NDArray[np.intp], Floats, npt.NDArray[np.intp]]:
    """Rows of (N, 5 + C) whose objectness * best class reaches `lowest`, that score, and that class."""
    # A score never exceeds its objectness: most rows fall here, before their classes are looked at.
    rows = np.flatnonzero(output[:, 4] >= lowest)
    per_class = output[rows, 5:]
    classes = per_class.argmax(axis=1)
    scores = per_class[np.arange(len(rows)), classes] * output[rows, 4]
    enough = scores >= lowest
    return rows[enough], scores[enough], classes[enough]


def _grid(size: Size, count: int) -> tuple[Floats, Floats]:
    """Cell coordinates (N, 2) and strides (N,) of a raw one-anchor output, finest stride first."""
    width, height = size
    origins: list[Floats] = []
    strides: list[Floats] = []
    for stride in (8, 16, 32, 64):
        columns, rows = -(-width // stride), -(-height // stride)
        y, x = np.divmod(np.arange(columns * rows, dtype=np.float32), columns)
        origins.append(np.stack((x, y), axis=1))
        strides.append(np.full(columns * rows, stride, dtype=np.float32))
    return np.concatenate(origins)[:count], np.concatenate(strides)[:count]


def _corners(centre: Floats, extent: Floats) -> Floats:
    """(M, 2) centres and (M, 2) widths and heights as (M, 4) corners."""
    return np.concatenate((centre - extent / 2, centre + extent / 2), axis=1)


def _none() -> Candidates:
    """No candidates."""
    return Candidates(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.intp))

"""Parts of a picture that the detector is shown a second time by themselves: what is far is larger there.

A junction camera sees riders at its far stop line a dozen pixels wide once the picture is scaled to the
model's input; in a window of half the picture's width they are twice as large.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.perception.detector import Detector, each_once
from pipeline.types import Box, Picture

_EDGE_PX = 2.0
"""What ends this near to a window's edge is cut off by it; in pixels of the model's input where those are
larger than the picture's."""
_SAME = 0.5
"""Overlap (IoU) above which two boxes of one class are one thing."""

Boxes = npt.NDArray[np.float32]


def detect(
    detector: Detector, pictures: Sequence[Picture], windows: Sequence[Sequence[Box]]
) -> list[sv.Detections]:
    """Detections of each picture as `Detector.detect` gives them, with those of its `windows` (0..1).

    Where the whole picture is shown no smaller than it is, its windows are left out: see `show_more`. Raises
    PerceptionError as the detector does.
    """
    spans = [
        [
            _pixels(window, picture)
            for window in asked
            if show_more((picture.shape[1], picture.shape[0]), detector.input_size)
        ]
        for picture, asked in zip(pictures, windows, strict=True)
    ]
    parts = [
        np.ascontiguousarray(picture[top:bottom, left:right])
        for picture, asked in zip(pictures, spans, strict=True)
        for left, top, right, bottom in asked
    ]
    found = detector.detect([*pictures, *parts])
    wholes, rest = found[: len(pictures)], iter(found[len(pictures) :])
    return [
        _together(whole, [(next(rest), span) for span in asked], picture, detector.input_size)
        if asked
        else whole
        for whole, asked, picture in zip(wholes, spans, pictures, strict=True)
    ]


def show_more(size: tuple[int, int], input_size: tuple[int, int]) -> bool:
    """Whether a picture of `size` (width, height) is scaled down into the model's input, by its width or by
    its height: only then does a window hold more than the whole showed."""
    return _scale(size, input_size) < 1


def _scale(size: tuple[int, int], input_size: tuple[int, int]) -> float:
    """Pixels of the model's input a pixel of a picture of `size`."""
    return min(input_size[0] / size[0], input_size[1] / size[1])


def _pixels(window: Box, picture: Picture) -> tuple[int, int, int, int]:
    """Whole pixels of a window, at least one."""
    high, wide = picture.shape[:2]
    left, top = min(int(window[0] * wide), wide - 1), min(int(window[1] * high), high - 1)
    return left, top, max(round(window[2] * wide), left + 1), max(round(window[3] * high), top + 1)


def _together(
    whole: sv.Detections,
    parts: Sequence[tuple[sv.Detections, tuple[int, int, int, int]]],
    picture: Picture,
    input_size: tuple[int, int],
) -> sv.Detections:
    """Each thing once, by the surest of its boxes; what a window's edge cuts off is left to the whole."""
    all_of = [whole]
    for found, span in parts:
        shifted = (found.xyxy + np.tile(span[:2], 2)).astype(np.float32)
        kept = np.flatnonzero(~_cut_off(shifted, span, picture, input_size))
        found = found.select(kept)
        found.xyxy = shifted[kept]
        all_of.append(found)
    boxes: Boxes = np.concatenate([one.xyxy for one in all_of])
    confidence = np.concatenate([np.asarray(one.confidence) for one in all_of])
    classes = np.concatenate([np.asarray(one.class_id) for one in all_of])
    if not len(boxes):
        return whole
    once = each_once(boxes, confidence, classes, 0.0, _SAME)
    return sv.Detections(xyxy=boxes[once], confidence=confidence[once], class_id=classes[once])


def _cut_off(
    boxes: Boxes, span: tuple[int, int, int, int], picture: Picture, input_size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """(M,): which of the boxes (M, 4) end at an edge of the window that is none of the picture."""
    high, wide = picture.shape[:2]
    left, top, right, bottom = span
    low = np.array((left if left > 0 else -np.inf, top if top > 0 else -np.inf))
    far = np.array((right if right < wide else np.inf, bottom if bottom < high else np.inf))
    edge = _EDGE_PX / min(1.0, _scale((right - left, bottom - top), input_size))
    ends = (boxes[:, :2] < low + edge) | (boxes[:, 2:] > far - edge)
    return np.asarray(ends.any(axis=1))

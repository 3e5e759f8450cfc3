"""Pictures into a model's input, and boxes back out of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.perception.layouts import Floats, InputFormat, Size
from pipeline.types import Picture


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in the model's input."""

    scale: float
    """Input pixels per picture pixel."""
    left: int
    top: int
    width: int
    """Of the picture, in its own pixels."""
    height: int

    def to_picture(self, xyxy: Floats) -> Floats:
        """(M, 4) boxes in input pixels as boxes in picture pixels, clipped to the picture."""
        offset = np.array((self.left, self.top, self.left, self.top), np.float32)
        limit = np.array((self.width, self.height, self.width, self.height), np.float32)
        boxes: Floats = np.clip((xyxy - offset) / np.float32(self.scale), 0, limit)
        return boxes


def letterbox(picture: Picture, size: Size, form: InputFormat, out: Floats) -> Placement:
    """Write `picture`, scaled whole into `size` and padded, to `out` (3, height, width) float32."""
    height, width = picture.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    left = (size[0] - inner[0]) // 2 if form.letterbox == "centre" else 0
    top = (size[1] - inner[1]) // 2 if form.letterbox == "centre" else 0
    small = (
        cv2.resize(picture, inner, interpolation=cv2.INTER_LINEAR) if inner != (width, height) else picture
    )
    out[:] = form.pad / 255 if form.range == 1 else form.pad
    inside = out[:, top : top + inner[1], left : left + inner[0]]
    planes = cv2.split(small)
    for plane, channel in zip(inside, planes if form.color == "bgr" else planes[::-1], strict=True):
        if form.range == 1:
            np.multiply(channel, np.float32(1 / 255), out=plane, casting="unsafe")
        else:
            plane[:] = channel
    return Placement(scale, left, top, width, height)

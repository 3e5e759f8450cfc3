"""Hides everybody but the judged vehicle, for good: what leaves the police must not name bystanders.

Used for the composite and for exports, never for the originals. Whoever is hidden becomes a mosaic with
cells of a tenth of their height, coarser than the letters of a plate or the features of a face, in few
shades, each shifted by chance. A blur that only spreads light could be sharpened again; here it is gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.types import Box, Picture

PARTS = frozenset(("license_plate", "helmet", "head"))
"""What a detector tells of a road user's parts; anything else is a whole road user."""

CELLS = 10
"""A road user becomes this many cells high; a plate's letters are about a twentieth of it, a head a fifth."""
PART_CELLS = 2
"""The same for a plate or a head that was found by itself."""
LEAST_CELL_PX = 8
"""However small: letters under 8 pixels cannot be read anyway."""
UNKNOWN_CELLS = 36
"""Where nobody knows who is in a picture all of it is hidden: cells in its height."""

_MARGIN = 0.08
"""Of a road user's box on each side: a box is rarely exact."""
_PART_MARGIN = 0.35
OWN = 0.7
"""What lies in a kept box with this share of its area belongs to it: its riders, their heads, its plate."""
_SHADES = 16
_CHANCE = 12
"""Levels by which a cell may be off: more than half a shade, or chance would be rounded away."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody, or a part of somebody, in a picture."""

    what: str
    """A class of road user, or one of PARTS."""
    box: Box
    judged: bool = False
    """It is whom the record is about."""


def blur(picture: Picture, keep: Sequence[Box], others: Sequence[Seen] | None) -> Picture:
    """A copy of `picture` (H, W, 3) with `others` made unrecognisable; what lies in `keep` stays as it is.

    Boxes are in 0..1 and may stick out. `others` None: nobody knows who is in it, so all but `keep` is
    hidden. The same picture and boxes give the same copy. Chance comes from the hidden pixels themselves: who
    has only the copy cannot compute it, so trying plates until one gives the same mosaic does not work.
    """
    height, width = picture.shape[:2]
    copy = picture.copy()
    kept = [_pixels(box, width, height, 0.0) for box in keep]
    for left, top, right, bottom, cell in _regions(width, height, keep, others):
        _mosaic(picture, copy, left, top, right, bottom, cell)
    for left, top, right, bottom in kept:
        copy[top:bottom, left:right] = picture[top:bottom, left:right]
    return copy


def _regions(
    width: int, height: int, keep: Sequence[Box], others: Sequence[Seen] | None
) -> Iterator[tuple[int, int, int, int, int]]:
    """What to hide, in pixels, and its cells' side; the coarsest last, so that it wins where they overlap."""
    if others is None:
        yield 0, 0, width, height, max(LEAST_CELL_PX, height // UNKNOWN_CELLS)
        return
    found = []
    for other in others:
        if other.judged or any(share_inside(other.box, box) >= OWN for box in keep):
            continue
        is_part = other.what in PARTS
        left, top, right, bottom = _pixels(other.box, width, height, _PART_MARGIN if is_part else _MARGIN)
        tall = (other.box[3] - other.box[1]) * height
        cell = max(LEAST_CELL_PX, int(np.ceil(min(tall, height) / (PART_CELLS if is_part else CELLS))))
        if left < right and top < bottom:
            found.append((left, top, right, bottom, cell))
    yield from sorted(found, key=lambda region: region[-1])


def _mosaic(picture: Picture, copy: Picture, left: int, top: int, right: int, bottom: int, cell: int) -> None:
    original = np.ascontiguousarray(picture[top:bottom, left:right])
    size = (max(1, -(-(right - left) // cell)), max(1, -(-(bottom - top) // cell)))
    cells = cv2.resize(original, size, interpolation=cv2.INTER_AREA).astype(np.int16)
    seed = int.from_bytes(hashlib.sha256(original.tobytes()).digest()[:16])
    chance = np.random.default_rng(seed).integers(-_CHANCE, _CHANCE + 1, (size[1], size[0], 1))
    step = 256 // _SHADES
    shades = (np.clip(cells + chance, 0, 255) // step * step + step // 2).astype(np.uint8)
    copy[top:bottom, left:right] = cv2.resize(
        shades, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST
    )


def _pixels(box: Box, width: int, height: int, margin: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of `box` grown by `margin` of its size, rounded outwards, in the picture."""
    left, top, right, bottom = box
    air_x, air_y = (right - left) * margin, (bottom - top) * margin
    edges = np.clip([left - air_x, top - air_y, right + air_x, bottom + air_y], 0, 1)
    x0, y0 = np.floor(edges[:2] * (width, height)).astype(int)
    x1, y1 = np.ceil(edges[2:] * (width, height)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def share_inside(box: Box, around: Box) -> float:
    """Share of `box` that lies in `around`."""
    across = min(box[2], around[2]) - max(box[0], around[0])
    down = min(box[3], around[3]) - max(box[1], around[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return across * down / area if across > 0 and down > 0 and area > 0 else 0.0

"""Sheets of two-wheelers with labels: enlarged, side by side, so that the detector learns large ones as well.

Cut out of large pictures, some as coarse as a sub stream's; in cities with many bare heads and full machines,
which the streets of the other pictures have few of.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipeline.perception.riders import Boxes
from pipeline.sim.types import ActKind
from pipeline.types import Picture
from scripts.detector.pictures import DRAWN, SAVED, View, labels, render
from scripts.detector.windows import inside

SHEET = (640, 360)
"""Width and height in pixels."""
TILE_PX = 120
"""Side of a tile, in pixels of the sheet."""
BODY_PX = 90
"""Longer side of the machine's box in it: its riders' heads are some 12 pixels high then."""
PLACES = tuple(
    (x, y)
    for y in range(0, SHEET[1] - TILE_PX + 1, TILE_PX)
    for x in range(0, SHEET[0] - TILE_PX + 1, TILE_PX)
)
"""Left and top of the tiles."""
_GREY = 114
ACTS = {ActKind.NO_HELMET: 14.0, ActKind.TOO_MANY_RIDERS: 10.0}
"""A minute."""
LEAST_TALL_PX = 30.0
"""Of a machine in the large picture."""
LEAST_VISIBLE = 0.5
BOX_ERROR = 0.04
"""Standard deviation of an edge, of the box's height."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One machine's place on the sheet."""

    corner: tuple[int, int]
    """Left, top on the sheet."""
    origin: tuple[float, float]
    """Left, top in the picture."""
    scale: float
    """Pixels of the sheet a pixel of the picture."""

    @property
    def shift(self) -> tuple[float, float]:
        """To add to a place on the sheet divided by `scale`, for its place in the picture."""
        (left, top), (x, y) = self.origin, self.corner
        return (left - x / self.scale, top - y / self.scale)


def draw_sheets(view: View) -> Iterator[tuple[Picture, list[str]]]:
    """Full sheets (360, 640, 3) and their label lines, out of a view's pictures; none of a yard."""
    chosen = view.scenario()
    if chosen.plan == "yard":
        return
    chosen = replace(chosen, acts=ACTS)
    dice = random.Random(f"sheets {view.family} {view.seed}")
    sheet, lines, used = _blank(), [], 0
    for drawn in render(view, chosen):
        picture = drawn.picture
        if dice.random() < 0.4:  # as from a sub stream
            picture = cv2.resize(cv2.resize(picture, SAVED, interpolation=cv2.INTER_AREA), DRAWN)
        for one in drawn.seen:
            high = one.box[3] - one.box[1]
            ridden = one.kind in ("motorbike", "bicycle") and bool(one.heads)
            if not ridden or one.visible < LEAST_VISIBLE or high < LEAST_TALL_PX:
                continue
            # The closer look has the tracker's box, not the true one.
            box = np.array(one.box) + [dice.gauss(0, BOX_ERROR) * high for _ in range(4)]
            tile = put(sheet, PLACES[used], picture, box.astype(np.float32))
            x, y = tile.corner
            frame = (x, y, x + TILE_PX, y + TILE_PX)
            lines += labels(list(inside(drawn.seen, tile.shift, tile.scale, frame)), 1.0, SHEET)
            used += 1
            if used == len(PLACES):
                yield sheet, lines
                sheet, lines, used = _blank(), [], 0


def _blank() -> Picture:
    return np.full((SHEET[1], SHEET[0], 3), _GREY, np.uint8)


def put(sheet: Picture, corner: tuple[int, int], picture: Picture, box: Boxes) -> Tile:
    """Fill one tile with what is around `box`; grey where the picture ends."""
    left, top, right, bottom = (float(edge) for edge in box)
    scale = BODY_PX / max(right - left, bottom - top, 1.0)
    side = TILE_PX / scale
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    matrix = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
    sheet[corner[1] : corner[1] + TILE_PX, corner[0] : corner[0] + TILE_PX] = cv2.warpAffine(
        picture, matrix, (TILE_PX, TILE_PX), flags=cv2.INTER_LINEAR, borderValue=(_GREY, _GREY, _GREY)
    )
    return Tile(corner, (x, y), scale)

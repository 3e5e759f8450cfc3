"""A closer look: two-wheelers cut out of the picture, enlarged, side by side in one more run of the detector.

A head of five pixels is at the limit of what a detector sees; the same head enlarged to a dozen is not.
Fifteen machines fit into one sheet, so the look costs one run a picture. It is trained on sheets too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import supervision as sv

from pipeline.perception.classes import MOTORBIKE
from pipeline.perception.detector import Detector
from pipeline.perception.riders import Boxes, with_heads
from pipeline.perception.road_users import fuse
from pipeline.types import Picture

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
LEAST_PX = 16.0
"""Height of a machine's box: heads of smaller ones have two pixels."""
_GREY = 114
_OTHER = 0.5
"""Overlap (IoU) below which a road user seen in a tile is another one."""


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


def look_closer(detector: Detector, picture: Picture, users: sv.Detections) -> sv.Detections:
    """`users` of riders.with_heads, with the heads that a closer look at their motorbikes shows, if any."""
    tall = users.xyxy[:, 3] - users.xyxy[:, 1]
    rows = np.flatnonzero((np.asarray(users.class_id) == MOTORBIKE) & (tall >= LEAST_PX))
    data: dict[str, Any] = users.data
    for row, found in zip(rows, heads(detector, picture, users.xyxy[rows].astype(np.float32)), strict=True):
        if len(found):
            data["heads"][row] = found
    return users


def heads(detector: Detector, picture: Picture, boxes: Boxes) -> list[Boxes]:
    """Heads of the riders of each of `boxes` (M, 4), pixels of `picture`: (H, 6) as of riders.with_heads."""
    found: list[Boxes] = [np.empty((0, 6), np.float32)] * len(boxes)
    for start in range(0, len(boxes), len(PLACES)):
        sheet, tiles = lay_out(picture, boxes[start : start + len(PLACES)])
        [detections] = detector.detect([sheet])
        for row, tile in enumerate(tiles, start):
            found[row] = _in_tile(detections, tile, boxes[row])
    return found


def lay_out(picture: Picture, boxes: Boxes) -> tuple[Picture, list[Tile]]:
    """A sheet with up to len(PLACES) of `boxes`, and where each lies."""
    sheet = np.full((SHEET[1], SHEET[0], 3), _GREY, np.uint8)
    return sheet, [put(sheet, corner, picture, box) for corner, box in zip(PLACES, boxes, strict=False)]


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


def _in_tile(detections: sv.Detections, tile: Tile, box: Boxes) -> Boxes:
    """What is seen in one tile, back in the picture."""
    x, y = tile.corner
    middle = (detections.xyxy[:, :2] + detections.xyxy[:, 2:]) / 2 - (x, y)
    here = detections.select(np.flatnonzero(((middle >= 0) & (middle < TILE_PX)).all(axis=1)))
    here.xyxy = (here.xyxy / tile.scale + np.tile(tile.shift, 2)).astype(np.float32)
    around = fuse(here)
    apart = sv.box_iou_batch(box[None], around.xyxy) if len(around) else np.empty((1, 0))
    others = np.flatnonzero(apart[0] < _OTHER)
    users = sv.Detections(
        xyxy=np.concatenate((box[None], around.xyxy[others])).astype(np.float32),
        class_id=np.concatenate(([MOTORBIKE], np.asarray(around.class_id, np.intp)[others])),
    )
    seen: Boxes = with_heads(users, here).data["heads"][0]
    return seen

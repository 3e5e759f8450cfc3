"""Sheets of two-wheelers with labels: what perception.closer shows to the detector, so that it knows them.

Cut out of large pictures, some as coarse as a sub stream's; in cities with many bare heads and full machines,
which the streets of the other pictures have few of.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from pipeline.perception.closer import PLACES, SHEET, TILE_PX, put
from pipeline.sim.types import ActKind
from pipeline.types import Picture
from scripts.detector.pictures import DRAWN, SAVED, View, labels, render
from scripts.detector.windows import inside

ACTS = {ActKind.NO_HELMET: 14.0, ActKind.TOO_MANY_RIDERS: 10.0}
"""A minute."""
LEAST_TALL_PX = 30.0
"""Of a machine in the large picture."""
LEAST_VISIBLE = 0.5
BOX_ERROR = 0.04
"""Standard deviation of an edge, of the box's height."""


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
    return np.full((SHEET[1], SHEET[0], 3), 114, np.uint8)

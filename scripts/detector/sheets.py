"""Sheets of two-wheelers with labels: what perception.closer shows to the detector, so that it knows them.

Cut out of large pictures, some as coarse as a sub stream's; in cities with many bare heads and full machines,
which the streets of the other pictures have few of.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from pipeline.perception.closer import PLACES, SHEET, TILE_PX, Tile, put
from pipeline.perception.riders import Boxes
from pipeline.sim.city import City
from pipeline.sim.render import Renderer
from pipeline.sim.types import ActKind, Seen
from pipeline.types import Picture
from scripts.detector.pictures import DRAWN, GAP_S, LEAST_HEAD_PX, SAVED, View, labels

ACTS = {ActKind.NO_HELMET: 14.0, ActKind.TOO_MANY_RIDERS: 10.0}
"""A minute."""
LEAST_TALL_PX = 30.0
"""Of a machine in the large picture."""
LEAST_VISIBLE = 0.5
BOX_ERROR = 0.04
"""Standard deviation of an edge, of the box's height."""
LEAST_INSIDE = 0.5
"""Share of a box that must lie in its tile to be labelled there."""


def sheets(view: View) -> Iterator[tuple[Picture, list[str]]]:
    """Full sheets (360, 640, 3) and their label lines, out of a view's pictures."""
    chosen = view.scenario()
    if chosen.plan == "yard":
        return
    chosen = replace(chosen, acts=ACTS)
    dice = random.Random(f"sheets {view.family} {view.seed}")
    renderer = Renderer(chosen.site().layout, view.pose(chosen), chosen.conditions)
    sheet, lines, used = _blank(), [], 0
    for moment in City(chosen).moments(1 / GAP_S):
        drawn = renderer.draw(moment)
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
            lines += labels(list(inside(drawn.seen, tile)), 1.0, SHEET)
            used += 1
            if used == len(PLACES):
                yield sheet, lines
                sheet, lines, used = _blank(), [], 0


def save_sheets(view: View, folder: Path) -> int:
    """Draw a view's sheets into a training folder; how many there are."""
    name = f"{view.family}-sheet-{view.seed:05d}"
    count = 0
    dice = random.Random(f"jpeg {name}")
    for count, (sheet, lines) in enumerate(sheets(view), 1):
        quality = [cv2.IMWRITE_JPEG_QUALITY, dice.randint(60, 95)]
        cv2.imwrite(str(folder / "images" / f"{name}-{count:03d}.jpg"), sheet, quality)
        (folder / "labels" / f"{name}-{count:03d}.txt").write_text("\n".join(lines))
    return count


def _blank() -> Picture:
    return np.full((SHEET[1], SHEET[0], 3), 114, np.uint8)


def inside(seen: tuple[Seen, ...], tile: Tile) -> Iterator[Seen]:
    """What a tile shows, in pixels of the sheet."""
    for one in seen:
        box = _cut(one.box, tile)
        if box is None:
            continue
        heads = tuple(
            (*cut, head[4])
            for head in one.heads
            if head[3] - head[1] >= LEAST_HEAD_PX and (cut := _cut(head[:4], tile)) is not None
        )
        plate = None if one.plate_box is None else _cut(one.plate_box, tile)
        yield replace(one, box=box, heads=heads, plate_box=plate)


def _cut(box: tuple[float, float, float, float], tile: Tile) -> tuple[float, float, float, float] | None:
    shift = np.tile(tile.shift, 2)
    whole: Boxes = ((np.array(box) - shift) * tile.scale).astype(np.float32)
    low = np.tile(np.array(tile.corner, np.float32), 2)
    left, top, right, bottom = np.clip(whole, low, low + TILE_PX).tolist()
    area = float((whole[2] - whole[0]) * (whole[3] - whole[1]))
    if (right - left) * (bottom - top) < LEAST_INSIDE * max(area, 1e-9):
        return None
    return left, top, right, bottom

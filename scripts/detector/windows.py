"""Windows into large pictures with labels: what a detector is shown of a camera's large stream.

A worker that analyses only the part of a picture where its scene is sees road users larger than in a sub
stream, and cut by the part's edges.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from pipeline.perception.riders import Boxes
from pipeline.sim.types import Seen
from pipeline.types import Picture
from scripts.detector.pictures import DRAWN, LEAST_HEAD_PX, SAVED, View, labels, render

ZOOM = (0.7, 1.1)
"""Pixels saved a pixel drawn; a sub stream has half as many."""
LEAST_INSIDE = 0.5
"""Share of a box that must lie in the frame to be labelled there."""


def draw_windows(view: View) -> Iterator[tuple[Picture, list[str]]]:
    """A window (360, 640, 3) of each of the view's pictures, around one of its road users, and its labels."""
    dice = random.Random(f"windows {view.family} {view.seed}")
    for drawn in render(view, view.scenario()):
        zoom = dice.uniform(*ZOOM)
        size = np.array(SAVED) / zoom
        middle = np.array(DRAWN) * (dice.random(), dice.random())
        if drawn.seen:
            box = dice.choice(drawn.seen).box
            middle = np.array(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)) + size * dice.uniform(-0.4, 0.4)
        corner = np.clip(middle - size / 2, 0, np.array(DRAWN) - size)
        matrix = np.array([[zoom, 0, -corner[0] * zoom], [0, zoom, -corner[1] * zoom]])
        flags = cv2.INTER_LINEAR if zoom >= 1 else cv2.INTER_AREA
        picture = cv2.warpAffine(drawn.picture, matrix, SAVED, flags=flags)
        seen = inside(drawn.seen, (float(corner[0]), float(corner[1])), zoom, (0, 0, *SAVED))
        yield picture, list(labels(list(seen), 1.0, SAVED))


def inside(
    seen: Sequence[Seen], shift: tuple[float, float], scale: float, frame: tuple[float, float, float, float]
) -> Iterator[Seen]:
    """What a part of a picture shows: `seen` less `shift`, times `scale`, cut at `frame` (its own pixels)."""
    for one in seen:
        box = _cut(one.box, shift, scale, frame)
        if box is None:
            continue
        heads = tuple(
            (*cut, head[4])
            for head in one.heads
            if (head[3] - head[1]) * min(scale, 1.0) >= LEAST_HEAD_PX
            and (cut := _cut(head[:4], shift, scale, frame)) is not None
        )
        plate = None if one.plate_box is None else _cut(one.plate_box, shift, scale, frame)
        yield replace(one, box=box, heads=heads, plate_box=plate)


def _cut(
    box: Sequence[float], shift: tuple[float, float], scale: float, frame: tuple[float, float, float, float]
) -> tuple[float, float, float, float] | None:
    whole: Boxes = ((np.array(box) - np.tile(shift, 2)) * scale).astype(np.float32)
    low, high = np.tile(frame[:2], 2), np.tile(frame[2:], 2)
    left, top, right, bottom = np.clip(whole, low, high).tolist()
    area = float((whole[2] - whole[0]) * (whole[3] - whole[1]))
    if (right - left) * (bottom - top) < LEAST_INSIDE * max(area, 1e-9):
        return None
    return left, top, right, bottom

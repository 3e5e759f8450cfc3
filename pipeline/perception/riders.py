"""Whose head is it: boxes of heads and helmets, given to the two-wheelers whose riders they belong to.

A detector that knows `helmet` and `head` boxes every head it can see, those of pedestrians too, and sometimes
one head as both. Here each becomes one head with what was said for either, and goes to the road user on top
of whose box it sits best.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.perception.classes import BICYCLE, KINDS, MOTORBIKE, PARTS, PERSON
from pipeline.types import Head, on_grid

HELMET, BARE = (len(KINDS) + PARTS.index(name) for name in ("helmet", "head"))

_SAME_HEAD = 0.4
"""Overlap (IoU) above which a helmet and a bare head are one head."""
_LOWEST = 0.35
"""Of a two-wheeler's box, from its top: no rider's head has its middle lower. In the city: 0.05 to 0.25."""
_SHARE = (0.06, 0.35)
"""Of a head's height in the box's: 0.10 to 0.19 in the city, more where something hides the wheels."""
_WALKER = 0.8
"""In head heights: a pedestrian's head is no further than this from the top of its box."""

Boxes = npt.NDArray[np.float32]


def with_heads(users: sv.Detections, detections: sv.Detections) -> sv.Detections:
    """`users` (M) of `road_users.fuse` with "heads" in their data, out of the `detections` they were made of.

    (M,) objects, each (H, 6) float32: left, top, right, bottom in pixels, and the confidences that it wears a
    helmet and that it is bare, 0 where nothing spoke for it. Only two-wheelers have any.
    """
    owned: list[list[Boxes]] = [[] for _ in range(len(users))]
    kinds = np.asarray(users.class_id, np.intp)
    for head in _heads(detections):
        owner = _owner(head, users.xyxy.astype(np.float32), kinds)
        if owner is not None and kinds[owner] != PERSON:
            owned[owner].append(head)
    data: dict[str, Any] = users.data
    data["heads"] = np.empty(len(users), object)
    for row, heads in enumerate(owned):
        data["heads"][row] = np.array(heads, np.float32).reshape(-1, 6)
    return users


def each_once(heads: Sequence[Boxes], users: Boxes) -> list[Boxes]:
    """The (H, 6) heads of each of the two-wheelers `users` (M, 4); those told of several with one alone."""
    stays = [np.ones(len(each), np.bool_) for each in heads]
    kinds = np.full(2, MOTORBIKE, np.intp)
    for one, other in combinations(range(len(users)), 2):
        if not len(heads[one]) or not len(heads[other]):
            continue
        same = sv.box_iou_batch(heads[one][:, :4], heads[other][:, :4]) >= _SAME_HEAD
        for a, b in np.argwhere(same).tolist():
            if stays[one][a] and stays[other][b]:
                first = bool(heads[one][a, 4:].max() >= heads[other][b, 4:].max())
                owner = _owner(heads[one][a] if first else heads[other][b], users[[one, other]], kinds)
                first = first if owner is None else owner == 0
                stays[one][a], stays[other][b] = first, not first
    return [each[kept] for each, kept in zip(heads, stays, strict=True)]


def told(heads: Boxes, size: tuple[int, int]) -> tuple[Head, ...]:
    """(H, 6) as of `with_heads` in a picture of `size` (width, height) as the rules get them."""
    width, height = size
    return tuple(
        Head(
            box=(
                on_grid(left / width),
                on_grid(top / height),
                on_grid(right / width),
                on_grid(bottom / height),
            ),
            helmet=on_grid(helmet),
            bare=on_grid(bare),
            height_px=round((bottom - top) * 8) / 8,
        )
        for left, top, right, bottom, helmet, bare in heads.tolist()
    )


def _heads(detections: sv.Detections) -> Boxes:
    """(H, 6): each head once, the surest box of it."""
    if detections.class_id is None or detections.confidence is None:
        return np.empty((0, 6), np.float32)
    classes = np.asarray(detections.class_id, np.intp)
    rows = np.flatnonzero(np.isin(classes, (HELMET, BARE)))
    confidence = np.asarray(detections.confidence, np.float32)
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    heads: list[Boxes] = []
    for row in rows:
        box = detections.xyxy[row].astype(np.float32)
        said = np.array((confidence[row], 0) if classes[row] == HELMET else (0, confidence[row]), np.float32)
        known = np.array([head[:4] for head in heads], np.float32).reshape(-1, 4)
        overlap = sv.box_iou_batch(box[None], known)[0] if len(known) else np.empty(0)
        if len(overlap) and overlap.max() >= _SAME_HEAD:
            same = heads[int(overlap.argmax())]
            same[4:] = np.maximum(same[4:], said)
        else:
            heads.append(np.concatenate((box, said)))
    return np.array(heads, np.float32).reshape(-1, 6)


def _owner(head: Boxes, users: Boxes, kinds: npt.NDArray[np.intp]) -> int | None:
    """Row of the road user whose head it is; None where it fits nobody.

    Among several the one under whose top edge's middle it sits most closely: a rider further away is higher
    up in the picture, and the nearer one's head far below the top of its box.
    """
    if not len(users):
        return None
    left, top, right, bottom = users.T
    tall, wide = head[3] - head[1], np.maximum(right - left, 1.0)
    height = np.maximum(bottom - top, 1.0)
    x, y = (head[0] + head[2]) / 2, (head[1] + head[3]) / 2
    below = (head[1] - top) / tall
    aside = np.abs(x - (left + right) / 2) / wide
    rides = (
        np.isin(kinds, (BICYCLE, MOTORBIKE))
        & (aside <= 0.55)
        & (y >= top - tall / 2)
        & (y <= top + _LOWEST * height)
        & (tall >= _SHARE[0] * height)
        & (tall <= _SHARE[1] * height)
    )
    walks = (kinds == PERSON) & (aside <= 0.5) & (np.abs(below) <= _WALKER)
    fits = np.flatnonzero(rides | walks)
    if not len(fits):
        return None
    return int(fits[np.argmin(np.abs(below[fits]) + 2 * aside[fits])])

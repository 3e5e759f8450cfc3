"""One thing on the road, one box: what a detector saw in parts or twice is put together.

A detector of COCO sees one motorbike sometimes as `person`, sometimes as `motorcycle`, sometimes as both, and
as `motorcycle` once with its rider and once without. Here those boxes become one road user. To one that boxes
riders with their machine a person is somebody on foot, however near to a machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.perception.classes import BICYCLE, KINDS, MOTORBIKE, PERSON

_SAME_TWO_WHEELER = 0.7
"""Share of the smaller of two two-wheeler boxes inside the larger, above which they are one machine."""
_SAME_VEHICLE = 0.65
"""Overlap (IoU) above which a car, bus and truck box are one vehicle."""
_SAME_BOX = 0.7
"""Overlap (IoU) above which a person's and a two-wheeler's box are one thing under two names."""
_SEATED = 0.3
"""Least share of a person's lower half inside the two-wheeler's box."""

Boxes = npt.NDArray[np.float32]

_EMPTY = sv.Detections(
    xyxy=np.empty((0, 4), np.float32), confidence=np.empty(0, np.float32), class_id=np.empty(0, np.intp)
)


def fuse(detections: sv.Detections, riders_in_box: bool) -> sv.Detections:
    """Road users (M <= N) out of detections (N) with class ids of `classes.KINDS`; others are left out.

    `riders_in_box`: the detector's own, see there; then nobody is put on a two-wheeler, and a person and a
    two-wheeler in nearly the same box are one thing, for which both speak.

    Each has the union of its boxes, the highest confidence among them, and in `data`: "votes" (M, kinds)
    float32, the confidence of each class that spoke for it; "riders" (M,) objects, each (R, 4) float32
    boxes of the persons on it; "seat" (M, 4) float32, the two-wheeler's own box, NaN where none was seen.
    """
    if detections.class_id is None or detections.confidence is None:
        detections = _EMPTY
    classes = np.asarray(detections.class_id, np.intp)
    is_kind = np.flatnonzero(classes < len(KINDS))
    classes = classes[is_kind]
    boxes: Boxes = detections.xyxy[is_kind].astype(np.float32)
    confidence = np.asarray(detections.confidence, np.float32)[is_kind]

    two_wheeled = np.isin(classes, (BICYCLE, MOTORBIKE))
    people = np.flatnonzero(classes == PERSON)
    owner = np.arange(len(boxes))
    _join(owner, np.flatnonzero(two_wheeled), confidence, _contained(boxes) >= _SAME_TWO_WHEELER)
    _join(
        owner,
        np.flatnonzero(~two_wheeled & (classes != PERSON)),
        confidence,
        sv.box_iou_batch(boxes, boxes) >= _SAME_VEHICLE if len(boxes) else np.empty((0, 0), bool),
    )
    seats = np.flatnonzero(two_wheeled)
    seated = (_same if riders_in_box else _seated)(boxes[people], boxes[seats])
    for person, row in zip(people, seated, strict=True):
        if len(row) and row.max() > 0:
            owner[person] = owner[seats[row.argmax()]]
    return _gather(owner, boxes, classes, confidence, riders_in_box)


def _join(
    owner: npt.NDArray[np.intp],
    members: npt.NDArray[np.intp],
    confidence: npt.NDArray[np.float32],
    same: npt.NDArray[np.bool_],
) -> None:
    """Give each of `members` the strongest member before it that it is the `same` as, as owner."""
    ordered = members[np.argsort(-confidence[members], kind="stable")]
    for place, index in enumerate(ordered):
        for stronger in ordered[:place]:
            if owner[stronger] == stronger and same[index, stronger]:
                owner[index] = stronger
                break


def _seated(people: Boxes, seats: Boxes) -> Boxes:
    """(P, S): how much of each person's lower half lies in each two-wheeler; 0 where it is no rider.

    A rider's middle is over the machine, the feet are not below its wheels (somebody in front of it stands
    lower), not above its upper part either, and the head is above the seat.
    """
    left, top, right, bottom = (people[:, None, side] for side in range(4))
    seat_left, seat_top, seat_right, seat_bottom = (seats[None, :, side] for side in range(4))
    height, seat_height, seat_width = bottom - top, seat_bottom - seat_top, seat_right - seat_left
    waist = (top + bottom) / 2
    across = np.minimum(right, seat_right) - np.maximum(left, seat_left)
    down = np.minimum(bottom, seat_bottom) - np.maximum(waist, seat_top)
    share = np.clip(across, 0, None) * np.clip(down, 0, None) / ((right - left) * height / 2)
    middle = (left + right) / 2
    rides = (
        (share >= _SEATED)
        & (middle >= seat_left)
        & (middle <= seat_right)
        & (bottom <= seat_bottom + 0.1 * height)
        & (bottom >= seat_top + 0.2 * seat_height)
        & (top <= seat_top + 0.4 * seat_height)
        & (height >= 0.4 * seat_height)
        & (height <= 3 * seat_height)
        & (right - left <= 1.8 * seat_width)
    )
    seated: Boxes = np.where(rides, share, 0).astype(np.float32)
    return seated


def _same(people: Boxes, seats: Boxes) -> Boxes:
    """(P, S): overlap of persons and two-wheelers that are one thing under two names; 0 of others."""
    if not len(people) or not len(seats):
        return np.zeros((len(people), len(seats)), np.float32)
    overlap = sv.box_iou_batch(people, seats)
    return np.where(overlap >= _SAME_BOX, overlap, 0).astype(np.float32)


def _contained(boxes: Boxes) -> npt.NDArray[np.float32]:
    """(N, N): intersection over the smaller box."""
    if not len(boxes):
        return np.empty((0, 0), np.float32)
    overlap: npt.NDArray[np.float32] = sv.box_iou_batch(boxes, boxes, sv.OverlapMetric.IOS)
    return overlap


def _gather(
    owner: npt.NDArray[np.intp],
    boxes: Boxes,
    classes: npt.NDArray[np.intp],
    confidence: npt.NDArray[np.float32],
    riders_in_box: bool,
) -> sv.Detections:
    """One row for each owner."""
    owners = np.unique(owner)
    count = len(owners)
    xyxy = np.empty((count, 4), np.float32)
    seat = np.full((count, 4), np.nan, np.float32)
    votes = np.zeros((count, len(KINDS)), np.float32)
    riders = np.empty(count, object)
    best = np.empty(count, np.float32)
    for row, index in enumerate(owners):
        members = np.flatnonzero(owner == index)
        people = members[classes[members] == PERSON]
        machines = members[classes[members] != PERSON]
        xyxy[row] = _union(boxes[members])
        np.maximum.at(votes[row], classes[members], confidence[members])
        on_two_wheels = bool(len(machines)) and classes[index] in (BICYCLE, MOTORBIKE)
        ridden = on_two_wheels and not riders_in_box
        riders[row] = boxes[people] if ridden else np.empty((0, 4), np.float32)
        if on_two_wheels:
            seat[row] = _union(boxes[machines])
        best[row] = confidence[members].max()
    data: dict[str, Any] = {"votes": votes, "riders": riders, "seat": seat}
    return sv.Detections(xyxy=xyxy, confidence=best, class_id=classes[owners], data=data)


def _union(boxes: Boxes) -> Boxes:
    """(4,) box around all of (N, 4)."""
    return np.concatenate((boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)))

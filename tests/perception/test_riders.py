"""Whose head is it: hand-made cases; pixels, y down."""

from __future__ import annotations

import numpy as np
import pytest
import supervision as sv

from pipeline.perception.camera import CameraPerception
from pipeline.perception.classes import KIND_ID, KINDS
from pipeline.perception.riders import BARE, HELMET, each_once, told, with_heads
from pipeline.perception.road_users import fuse
from pipeline.types import GRID, Frame, FrameTime, RoadUser, RoadUserKind

PERSON, BICYCLE, MOTORBIKE, CAR, BUS, TRUCK = (KIND_ID[kind] for kind in RoadUserKind)
Seen = tuple[int, tuple[float, float, float, float], float]

BIKE: Seen = (MOTORBIKE, (100, 100, 140, 170), 0.8)
DRIVER: Seen = (HELMET, (114, 102, 124, 112), 0.7)
PASSENGER: Seen = (BARE, (122, 104, 132, 114), 0.6)


def boxes(*given: Seen) -> sv.Detections:
    return sv.Detections(
        xyxy=np.array([box for _, box, _ in given], np.float32).reshape(-1, 4),
        confidence=np.array([confidence for *_, confidence in given], np.float32),
        class_id=np.array([kind for kind, *_ in given], np.intp),
    )


def heads(*given: Seen) -> dict[str, list[list[float]]]:
    """Heads of each road user, by its class and left edge, from left to right."""
    users = with_heads(fuse(boxes(*given), riders_in_box=False), boxes(*given))
    return {
        f"{KINDS[kind].value} {box[0]:g}": sorted(rows.round(2).tolist())
        for kind, box, rows in zip(users.class_id, users.xyxy, users.data["heads"], strict=True)
    }


def test_driver_and_passenger_are_the_motorbikes() -> None:
    found = heads(BIKE, DRIVER, PASSENGER)
    assert found == {
        "motorbike 100": [
            pytest.approx([114, 102, 124, 112, 0.7, 0]),
            pytest.approx([122, 104, 132, 114, 0, 0.6]),
        ]
    }


def test_one_head_seen_as_both_is_one() -> None:
    both: Seen = (BARE, (114, 103, 124, 112), 0.3)
    assert heads(BIKE, DRIVER, both)["motorbike 100"] == [pytest.approx([114, 102, 124, 112, 0.7, 0.3])]


@pytest.mark.parametrize("kind", [HELMET, BARE])
def test_a_walker_keeps_its_head_beside_a_motorbike(kind: int) -> None:
    walker: Seen = (PERSON, (130, 100, 150, 182), 0.7)
    own: Seen = (kind, (135, 101, 145, 111), 0.8)
    assert len(heads(BIKE, DRIVER, walker, own)["motorbike 100"]) == 1


def test_a_nearer_motorbikes_rider_is_not_the_farther_ones() -> None:
    """The nearer one's driver is in front of the farther one's lower half."""
    near: Seen = (MOTORBIKE, (105, 125, 150, 205), 0.8)
    near_head: Seen = (BARE, (120, 127, 131, 138), 0.7)
    found = heads(BIKE, DRIVER, near, near_head)
    assert [head[1] for head in found["motorbike 100"]] == [102]
    assert [head[1] for head in found["motorbike 105"]] == [127]


@pytest.mark.parametrize(
    "head",
    [
        (110, 140, 120, 150),  # at the wheels
        (160, 102, 170, 112),  # beside it
        (100, 100, 140, 140),  # as large as half of it
        (118, 102, 121, 105),  # a mirror
    ],
)
def test_what_no_rider_can_be_is_nobodys(head: tuple[float, float, float, float]) -> None:
    assert heads(BIKE, (BARE, head, 0.9)) == {"motorbike 100": []}


def test_cars_have_no_heads() -> None:
    assert heads((CAR, (90, 100, 150, 160), 0.9), DRIVER) == {"car 90": []}


def test_without_detections_nobody_has_heads() -> None:
    empty = sv.Detections.empty()
    assert len(with_heads(fuse(empty, riders_in_box=False), empty)) == 0


def test_a_head_told_of_two_machines_is_the_one_s_on_which_it_sits() -> None:
    users = np.array([(100, 100, 140, 200), (130, 90, 170, 190)], np.float32)
    mine, theirs = (112, 102, 124, 116, 0.8, 0.1), (144, 92, 156, 106, 0.3, 0.6)
    blurred = (111, 103, 123, 117, 0.9, 0.0)
    heads = [np.array(each, np.float32) for each in ((mine,), (theirs, blurred))]
    first, second = each_once(heads, users)
    assert first == pytest.approx(np.array([mine]))
    assert second == pytest.approx(np.array([theirs]))
    assert [len(each) for each in each_once([heads[0], np.empty((0, 6), np.float32)], users)] == [1, 0]


def test_heads_are_told_on_the_grid() -> None:
    [head] = told(np.array([[114, 102, 124, 111.6, 0.7, 0.1]], np.float32), (640, 360))
    assert head.box == pytest.approx((114 / 640, 102 / 360, 124 / 640, 111.6 / 360), abs=0.5 / GRID)
    assert all((share * GRID).is_integer() for share in (*head.box, head.helmet, head.bare))
    assert head.height_px == 9.625


def test_a_tracked_motorbike_comes_with_its_heads() -> None:
    perception = CameraPerception("test")
    users: list[RoadUser] = []
    for number in range(5):
        shift = 6 * number
        moved = [
            (kind, (box[0] + shift, box[1], box[2] + shift, box[3]), c) for kind, box, c in (BIKE, DRIVER)
        ]
        frame = Frame("test", np.zeros((360, 640, 3), np.uint8), FrameTime(1e9 + number / 6, "file"), number)
        users = list(perception.observe(frame, boxes(*moved)).road_users)
    [user] = users
    [head] = user.heads
    assert (head.helmet, head.bare) == (pytest.approx(0.7, abs=1e-3), 0)
    assert head.height_px == 10

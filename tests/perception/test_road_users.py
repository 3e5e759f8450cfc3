"""Fusing boxes by hand-made cases; pixels, y down."""

from __future__ import annotations

import numpy as np
import pytest
import supervision as sv

from pipeline.perception.classes import KIND_ID, KINDS, PARTS
from pipeline.perception.road_users import fuse
from pipeline.types import RoadUserKind

PERSON, BICYCLE, MOTORBIKE, CAR, BUS, TRUCK = (KIND_ID[kind] for kind in RoadUserKind)

BIKE_REAR = (100, 150, 130, 200)
RIDER_REAR = (98, 110, 132, 185)


def boxes(*given: tuple[int, tuple[float, float, float, float]], confidence: float = 0.6) -> sv.Detections:
    return sv.Detections(
        xyxy=np.array([box for _, box in given], np.float32).reshape(-1, 4),
        confidence=np.full(len(given), confidence, np.float32),
        class_id=np.array([kind for kind, _ in given], np.intp),
    )


def kinds(fused: sv.Detections) -> list[str]:
    return sorted(KINDS[index].value for index in fused.class_id)


def test_a_rider_and_a_motorbike_are_one_road_user_around_both() -> None:
    fused = fuse(boxes((PERSON, RIDER_REAR), (MOTORBIKE, BIKE_REAR)), riders_in_box=False)
    assert kinds(fused) == ["motorbike"]
    assert fused.xyxy[0].tolist() == [98, 110, 132, 200]
    assert fused.data["riders"][0].tolist() == [list(RIDER_REAR)]
    assert fused.data["votes"][0, [PERSON, MOTORBIKE]].tolist() == np.float32([0.6, 0.6]).tolist()


def test_every_rider_of_a_motorbike_is_kept() -> None:
    behind = (99, 120, 131, 190)
    child = (104, 130, 122, 180)
    fused = fuse(
        boxes((PERSON, RIDER_REAR), (PERSON, behind), (PERSON, child), (MOTORBIKE, BIKE_REAR)),
        riders_in_box=False,
    )
    assert kinds(fused) == ["motorbike"]
    assert len(fused.data["riders"][0]) == 3


def test_a_motorbike_seen_whole_and_in_part_is_one() -> None:
    fused = fuse(boxes((MOTORBIKE, (98, 110, 132, 198)), (MOTORBIKE, BIKE_REAR)), riders_in_box=False)
    assert kinds(fused) == ["motorbike"]
    assert fused.xyxy[0].tolist() == [98, 110, 132, 200]


def test_a_cyclist_is_a_bicycle() -> None:
    assert kinds(fuse(boxes((PERSON, RIDER_REAR), (BICYCLE, BIKE_REAR)), riders_in_box=False)) == ["bicycle"]


def test_a_pedestrian_beside_a_motorbike_stays_one() -> None:
    beside = (125, 105, 160, 202)
    assert kinds(fuse(boxes((PERSON, beside), (MOTORBIKE, BIKE_REAR)), riders_in_box=False)) == [
        "motorbike",
        "person",
    ]


def test_a_pedestrian_in_front_of_a_motorbike_seen_from_its_side_stays_one() -> None:
    side = (100, 150, 190, 200)
    in_front = (130, 110, 165, 222)
    assert kinds(fuse(boxes((PERSON, in_front), (MOTORBIKE, side)), riders_in_box=False)) == [
        "motorbike",
        "person",
    ]


def test_a_pedestrian_far_behind_a_motorbike_stays_one() -> None:
    far = (108, 120, 122, 156)
    assert kinds(fuse(boxes((PERSON, far), (MOTORBIKE, BIKE_REAR)), riders_in_box=False)) == [
        "motorbike",
        "person",
    ]


def test_riders_side_by_side_keep_their_own_machines() -> None:
    shift = np.array((36, 0, 36, 0))
    fused = fuse(
        boxes(
            (PERSON, RIDER_REAR),
            (MOTORBIKE, BIKE_REAR),
            (PERSON, tuple(RIDER_REAR + shift)),
            (MOTORBIKE, tuple(BIKE_REAR + shift)),
        ),
        riders_in_box=False,
    )
    assert kinds(fused) == ["motorbike", "motorbike"]
    assert [len(riders) for riders in fused.data["riders"]] == [1, 1]


def test_one_vehicle_under_two_names_is_one_road_user_with_both_votes() -> None:
    fused = fuse(
        boxes((CAR, (10, 10, 110, 80)), (TRUCK, (12, 10, 112, 82)), (BUS, (300, 10, 500, 200))),
        riders_in_box=False,
    )
    assert kinds(fused) == ["bus", "car"]
    assert set(np.flatnonzero(fused.data["votes"][0])) == {CAR, TRUCK}


def test_a_car_behind_a_motorbike_is_not_swallowed() -> None:
    assert kinds(fuse(boxes((CAR, (60, 60, 200, 190)), (MOTORBIKE, BIKE_REAR)), riders_in_box=False)) == [
        "car",
        "motorbike",
    ]


@pytest.mark.parametrize("person", [RIDER_REAR, (94, 120, 112, 190)])
def test_nobody_rides_to_a_model_that_boxes_riders_with_their_machine(
    person: tuple[float, float, float, float],
) -> None:
    """Whoever is a person to it stands beside the machine, behind it or before it."""
    whole = (96, 108, 134, 200)
    fused = fuse(boxes((PERSON, person), (MOTORBIKE, (100, 150, 130, 200))), riders_in_box=True)
    assert kinds(fused) == ["motorbike", "person"]
    assert {tuple(box) for box in fused.xyxy.tolist()} == {person, BIKE_REAR}
    assert not fused.data["votes"][fused.class_id == MOTORBIKE][0, PERSON]
    assert [len(riders) for riders in fused.data["riders"]] == [0, 0]
    walker = (116, 112, 146, 204)
    fused = fuse(boxes((PERSON, walker), (MOTORBIKE, whole)), riders_in_box=True)
    assert {tuple(box) for box in fused.xyxy.tolist()} == {walker, whole}


@pytest.mark.parametrize("person", [0.4, 0.8])
def test_one_box_under_two_names_is_one_to_a_model_that_boxes_riders_and_both_speak(person: float) -> None:
    """Which of the two it is, the votes of its track tell."""
    seen = boxes((PERSON, (97, 109, 133, 199)), (MOTORBIKE, (96, 108, 134, 200)))
    seen.confidence = np.array([person, 0.6], np.float32)
    fused = fuse(seen, riders_in_box=True)
    assert fused.xyxy.tolist() == [[96, 108, 134, 200]]
    assert fused.data["votes"][0, [PERSON, MOTORBIKE]] == pytest.approx([person, 0.6])
    assert len(fused.data["riders"][0]) == 0


@pytest.mark.parametrize("riders_in_box", [False, True])
def test_parts_and_nothing_at_all_give_no_road_users(riders_in_box: bool) -> None:
    plate = len(KINDS) + PARTS.index("license_plate")
    assert len(fuse(boxes((plate, (10, 10, 30, 20))), riders_in_box)) == 0
    assert len(fuse(boxes(), riders_in_box)) == 0
    assert len(fuse(sv.Detections.empty(), riders_in_box)) == 0

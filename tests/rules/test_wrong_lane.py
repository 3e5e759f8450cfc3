"""Driving in a lane that is for others, on hand-made trajectories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline.types import Observation, RoadUserKind
from tests.rules.drive import START_S, Driver, judge, names, observe

CAR, MOTORBIKE, PERSON = RoadUserKind.CAR, RoadUserKind.MOTORBIKE, RoadUserKind.PERSON
SCENE: dict[str, Any] = {
    "lanes": [
        {
            "id": name,
            "polygon": [[left, 0.1], [left + 0.2, 0.1], [left + 0.2, 0.95], [left, 0.95]],
            "direction": [[left + 0.1, 0.9], [left + 0.1, 0.15]],
            "classes": classes,
        }
        for name, left, classes in (
            ("bikes", 0.3, ["motorbike", "bicycle"]),
            ("cars", 0.5, ["car", "bus", "truck"]),
            ("all", 0.7, []),
        )
    ],
    "rules": {"wrong_lane": None},
}
ALONG = [(0.0, 0.4, 0.9), (5.0, 0.4, 0.2)]


@pytest.mark.parametrize("rate_hz", [5.0, 10.0, 25.0])
def test_a_car_that_drives_along_the_motorbikes_lane_is_one_hit(rate_hz: float) -> None:
    (hit,) = judge(SCENE, observe([Driver(ALONG, CAR, jitter=0.05)], rate_hz=rate_hz))
    assert hit.rule == "wrong_lane"
    assert hit.facts["lane"] == "bikes"
    assert hit.facts["lane_classes"] == ["motorbike", "bicycle"]
    assert hit.facts["way_box_heights"] >= 4.0
    assert hit.facts["seen_entering"] is False
    assert START_S <= hit.before.time_s < hit.at.time_s < hit.after.time_s < START_S + 4
    assert {"lane bikes", "direction bikes"} == set(hit.geometry)
    assert 0.8 < hit.confidence < 0.95


def test_one_that_comes_over_from_its_own_lane_is_seen_entering() -> None:
    way = [(0.0, 0.6, 0.9), (1.0, 0.6, 0.8), (2.0, 0.4, 0.7), (6.0, 0.4, 0.15)]
    (hit,) = judge(SCENE, observe([Driver(way, CAR)]))
    assert hit.facts["seen_entering"] is True


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver([(0.0, 0.6, 0.9), (5.0, 0.6, 0.2)], CAR), id="in its own lane"),
        pytest.param(Driver([(0.0, 0.8, 0.9), (5.0, 0.8, 0.2)], CAR), id="in a lane for everyone"),
        pytest.param(Driver([(0.0, 0.1, 0.5), (4.0, 0.9, 0.5)], CAR), id="crossing the lanes"),
        pytest.param(Driver([(0.0, 0.4, 0.2), (5.0, 0.4, 0.9)], CAR), id="against the lane"),
        pytest.param(Driver([(0.0, 0.4, 0.5), (9.0, 0.4, 0.5)], CAR, jitter=0.1), id="standing"),
        pytest.param(Driver(ALONG, PERSON), id="on foot"),
        pytest.param(
            Driver([(0.0, 0.5, 0.9), (6.0, 0.5, 0.2)], CAR, jitter=0.1), id="on the line between the lanes"
        ),
        pytest.param(
            Driver(
                [(0.0, 0.6, 0.9), (2.0, 0.6, 0.65), (2.6, 0.47, 0.57), (3.2, 0.6, 0.5), (5.0, 0.6, 0.2)], CAR
            ),
            id="a moment over the line, round somebody",
        ),
        pytest.param(Driver(ALONG, CAR, kind_confidence=0.5), id="a class that is not known well"),
        pytest.param(
            Driver([(0.0, 0.4, 0.7), (12.0, 0.4, 0.7)], CAR, cut=lambda t: 0.5 if 4 < t < 6 else 0.0),
            id="standing, half hidden for a while",
        ),
    ],
)
def test_look_alikes_are_nothing(driver: Driver) -> None:
    assert judge(SCENE, observe([driver])) == []


def test_a_track_lost_and_found_again_is_one_hit() -> None:
    assert names(judge(SCENE, observe([Driver(ALONG, CAR, unseen=((1.0, 2.2),))]))) == ["wrong_lane"]


def test_a_flickering_box_is_one_hit() -> None:
    flicker = tuple((k * 0.5, k * 0.5 + 0.2) for k in range(12))
    assert names(judge(SCENE, observe([Driver(ALONG, CAR, unseen=flicker)], rate_hz=10))) == ["wrong_lane"]


def test_a_track_that_leaps_into_the_lane_from_another_vehicle_counts_from_there() -> None:
    way = [(0.0, 0.6, 0.9), (3.0, 0.6, 0.45), (3.01, 0.4, 0.3), (4.0, 0.4, 0.2)]
    assert judge(SCENE, observe([Driver(way, CAR)])) == []


def told_as(
    kind: RoadUserKind, spells: list[tuple[float, float]], driver: Driver, rate_hz: float
) -> Iterator[Observation]:
    """What the camera sees of a driver, whose class is voted to be `kind` for some spells."""
    for seen in observe([driver], rate_hz=rate_hz):
        now_s = seen.time.captured_at_s - START_S
        mistaken = any(start <= now_s < end for start, end in spells)
        users = (replace(user, kind=kind if mistaken else user.kind) for user in seen.road_users)
        yield replace(seen, road_users=tuple(users))


@pytest.mark.parametrize("rate_hz", [3.0, 6.0, 15.0])
@pytest.mark.parametrize(
    ("true", "kind", "spells", "said"),
    [
        (MOTORBIKE, CAR, [(0.0, 0.9), (6.0, 6.4)], []),
        (MOTORBIKE, CAR, [(1.0, 1.4), (6.0, 6.4)], []),
        (CAR, MOTORBIKE, [(3.0, 3.4)], ["wrong_lane"]),
        (CAR, MOTORBIKE, [(1.0, 1.4), (2.0, 3.0)], ["wrong_lane"]),
    ],
    ids=["lawful, mistaken at first", "lawful, mistaken twice", "a moment", "until later"],
)
def test_a_class_that_is_mistaken_for_a_moment_is_no_stay(
    true: RoadUserKind, kind: RoadUserKind, spells: list[tuple[float, float]], said: list[str], rate_hz: float
) -> None:
    slow = Driver([(0.0, 0.4, 0.94), (9.0, 0.4, 0.12)], true, jitter=0.02)
    assert names(judge(SCENE, told_as(kind, spells, slow, rate_hz))) == said

"""Who has no business on a motorway, on hand-made trajectories."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.types import RoadUserKind
from tests.rules.drive import Driver, judge, names, observe

SCENE: dict[str, Any] = {
    "zones": [
        {"id": "north", "polygon": [[0.2, 0.1], [0.8, 0.1], [0.8, 0.9], [0.2, 0.9]], "purpose": "motorway"}
    ],
    "rules": {"motorway_intruder": None},
}
ALONG = [(0.0, 0.5, 0.85), (6.0, 0.5, 0.2)]


@pytest.mark.parametrize("kind", [RoadUserKind.PERSON, RoadUserKind.BICYCLE, RoadUserKind.MOTORBIKE])
def test_those_that_are_banned_are_one_hit_each(kind: RoadUserKind) -> None:
    (hit,) = judge(SCENE, observe([Driver(ALONG, kind, jitter=0.05)]))
    assert (hit.rule, hit.kind, hit.facts["zone"]) == ("motorway_intruder", kind, "north")


def test_standing_there_is_enough() -> None:
    stands = Driver([(0.0, 0.5, 0.5), (6.0, 0.5, 0.5)], RoadUserKind.PERSON, jitter=0.05)
    assert names(judge(SCENE, observe([stands]))) == ["motorway_intruder"]


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver(ALONG, RoadUserKind.CAR), id="car"),
        pytest.param(Driver(ALONG, RoadUserKind.BUS), id="bus"),
        pytest.param(Driver([(0.0, 0.1, 0.85), (6.0, 0.1, 0.2)]), id="on the road beside it"),
        pytest.param(Driver([(0.0, 0.2, 0.85), (6.0, 0.2, 0.2)], jitter=0.1), id="along its fence"),
        pytest.param(Driver([(0.0, 0.5, 0.5), (1.0, 0.5, 0.45)]), id="a flicker"),
        pytest.param(Driver(ALONG, kind_confidence=0.5), id="a class that is not known well"),
    ],
)
def test_look_alikes_are_nothing(driver: Driver) -> None:
    assert judge(SCENE, observe([driver])) == []


def test_a_zone_may_name_whom_it_is_closed_to() -> None:
    closed = {**SCENE, "zones": [{**SCENE["zones"][0], "classes": ["person", "bicycle"]}]}
    assert judge(closed, observe([Driver(ALONG)])) == []
    assert names(judge(closed, observe([Driver(ALONG, RoadUserKind.BICYCLE)]))) == ["motorway_intruder"]


def test_lost_behind_a_bus_and_found_again_is_one_hit() -> None:
    assert names(judge(SCENE, observe([Driver(ALONG, unseen=((0.9, 2.4),))]))) == ["motorway_intruder"]


def test_a_zone_may_be_in_force_at_some_hours_only() -> None:
    closed = {**SCENE, "zones": [{**SCENE["zones"][0], "hours": [{"start": "00:00", "end": "00:01"}]}]}
    assert judge(closed, observe([Driver(ALONG)])) == []


@pytest.mark.parametrize(
    "way", [[(0.0, 0.5, 0.96), (12.0, 0.5, 0.96)], [(0.0, 0.4, 0.96), (12.0, 0.6, 0.96)]]
)
def test_who_is_half_hidden_beside_it_is_not_on_it(way: list[tuple[float, float, float]]) -> None:
    """A parked car hides the legs for two seconds: what shows ends within the zone."""
    beside = Driver(
        way, RoadUserKind.PERSON, height=0.25, jitter=0.01, cut=lambda t: 0.5 if 3 < t < 5.2 else 0.0
    )
    assert judge(SCENE, observe([beside])) == []

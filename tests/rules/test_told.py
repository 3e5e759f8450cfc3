"""A road user with two tracks is reported once; two road users are reported twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.types import LampColor, RoadUserKind
from tests.rules.drive import JUNCTION, Driver, Program, judge, observe

TRUCK = RoadUserKind.TRUCK
RED: Program = {"ball": [(-30.0, LampColor.RED)], "arrow": [(-30.0, LampColor.RED)]}
ACROSS = [(0.0, 0.5, 0.95), (4.0, 0.5, 0.15)]


LANE: dict[str, Any] = {
    "lanes": [
        {
            "id": "down",
            "polygon": [[0.3, 0.05], [0.7, 0.05], [0.7, 0.95], [0.3, 0.95]],
            "direction": [[0.5, 0.1], [0.5, 0.9]],
        }
    ],
    "rules": {"wrong_way": None},
}


def reported(*drivers: Driver, scene: dict[str, Any] = JUNCTION) -> list[int]:
    rule = next(iter(scene["rules"]))
    return [hit.track_id for hit in judge(scene, observe(drivers, RED)) if hit.rule == rule]


def told_of(*drivers: Driver, scene: dict[str, Any] | None = None, rate_hz: float = 6.0) -> list[int]:
    """Whom the scene's rules tell, by default those about lorries in a zone closed to them."""
    return [hit.track_id for hit in judge(scene or BAN, observe(drivers, until_s=20.0, rate_hz=rate_hz))]


def one_act(*drivers: Driver, scene: dict[str, Any] = JUNCTION) -> bool:
    """Each would be reported if it were alone; together one is."""
    assert all(reported(replace(driver, points=[]), scene=scene) for driver in drivers)
    return len(reported(*drivers, scene=scene)) == 1


def test_two_boxes_on_one_motorbike_are_one_act() -> None:
    shifted = [(time_s, x + 0.005, y) for time_s, x, y in ACROSS]
    assert one_act(Driver(ACROSS, track_id=1), Driver(shifted, track_id=2))


def test_the_cab_and_the_whole_of_a_lorry_are_one_act() -> None:
    whole = Driver(ACROSS, RoadUserKind.TRUCK, track_id=1, height=0.2, width=1.0)
    cab = Driver(ACROSS, RoadUserKind.TRUCK, track_id=2, height=0.12, width=0.8)
    assert one_act(whole, cab)


def test_one_that_is_lost_and_found_is_one_act() -> None:
    first = Driver([(0.0, 0.5, 0.95), (3.0, 0.5, 0.55)], track_id=1)
    found = Driver([(3.4, 0.5, 0.5), (6.4, 0.5, 0.1)], track_id=2)
    assert one_act(first, found, scene=LANE)


def test_one_that_comes_the_same_way_a_little_later_is_another() -> None:
    first = Driver([(0.0, 0.5, 0.95), (3.0, 0.5, 0.55)], track_id=1)
    follower = Driver([(3.4, 0.5, 0.8), (8.4, 0.5, 0.1)], track_id=2)
    assert len(reported(first, follower, scene=LANE)) == 2


def test_two_side_by_side_are_two() -> None:
    beside = [(time_s, x + 0.06, y) for time_s, x, y in ACROSS]
    assert len(reported(Driver(ACROSS, track_id=1), Driver(beside, track_id=2))) == 2


def test_two_one_after_the_other_are_two() -> None:
    behind = [(time_s + 1.0, x, y) for time_s, x, y in ACROSS]
    assert len(reported(Driver(ACROSS, track_id=1), Driver(behind, track_id=2))) == 2


def test_a_motorbike_before_a_lorry_is_another() -> None:
    lorry = Driver(ACROSS, RoadUserKind.TRUCK, track_id=1, height=0.2, width=1.0)
    assert len(reported(lorry, Driver(ACROSS, track_id=2, height=0.08))) == 2


def test_what_a_rule_is_less_sure_of_than_the_scene_asks_is_not_told() -> None:
    back = Driver([(0.0, 0.5, 0.9), (4.0, 0.5, 0.4)], kind_confidence=0.5)

    def told(min_confidence: float) -> bool:
        rules = {"wrong_way": {"min_confidence": min_confidence}}
        return bool(reported(replace(back, points=[]), scene={**LANE, "rules": rules}))

    [hit] = judge(LANE, observe([replace(back, points=[])]))
    assert told(hit.confidence - 0.01)
    assert not told(hit.confidence + 0.01)


def test_one_that_is_lost_and_found_twice_is_one_act() -> None:
    spans = ((0.0, 3.1), (3.5, 6.6), (7.0, 9.9))
    first, *others = [
        Driver([(a, 0.5, 0.95 - 0.09 * a), (b, 0.5, 0.95 - 0.09 * b)], track_id=number)
        for number, (a, b) in enumerate(spans, 1)
    ]
    assert one_act(first, *others, scene=LANE)


RATES_HZ = pytest.mark.parametrize("rate_hz", [3.0, 6.0, 15.0])


@RATES_HZ
@pytest.mark.parametrize("shared", [0, 1, 2, 3, 4])
def test_tracks_of_which_one_takes_over_from_the_other_are_one_act(shared: int, rate_hz: float) -> None:
    """For some pictures both are seen."""
    begin_s = 4.0 + (1 - shared) / rate_hz
    spans = ((0.0, 4.001), (begin_s - 0.001, 9.0))
    first, second = (
        Driver([(a, 0.5, 0.95 - 0.1 * a), (b, 0.5, 0.95 - 0.1 * b)], track_id=number)
        for number, (a, b) in enumerate(spans, 1)
    )
    assert told_of(first, second, scene=LANE, rate_hz=rate_hz) == [1]
    assert sum(a.time_s == b.time_s for a in first.points for b in second.points) == shared


@RATES_HZ
def test_one_that_is_found_beside_where_another_is_lost_is_another(rate_hz: float) -> None:
    first = Driver([(0.0, 0.5, 0.95), (4.001, 0.5, 0.55)], track_id=1)
    beside = Driver([(3.999 - 1 / rate_hz, 0.53, 0.55), (9.0, 0.53, 0.05)], track_id=2)
    assert told_of(first, beside, scene=LANE, rate_hz=rate_hz) == [1, 2]


@RATES_HZ
def test_one_that_is_lost_as_another_passes_is_another(rate_hz: float) -> None:
    """The other was seen long before, and hidden until just then."""
    first = Driver([(0.0, 0.5, 0.95), (4.001, 0.5, 0.55)], track_id=1)
    passes = Driver(
        [(0.0, 0.42, 0.95), (3.0, 0.42, 0.65), (4.0, 0.5, 0.56), (9.0, 0.5, 0.05)],
        track_id=2,
        unseen=((2.5, 3.999),),
    )
    assert told_of(first, passes, scene=LANE, rate_hz=rate_hz) == [1, 2]


BAN: dict[str, Any] = {
    "zones": [
        {
            "id": "centre",
            "purpose": "restricted_hours",
            "polygon": [[0.1, 0.1], [0.95, 0.1], [0.95, 0.95], [0.1, 0.95]],
            "classes": ["truck"],
        }
    ],
    "rules": {"restricted_hours": None},
}


def up_to_the_corner(number: int, at_s: float = 0.0) -> Driver:
    way = [(at_s, 0.6, 0.97), (at_s + 3.5, 0.6, 0.55)]
    return Driver(way, TRUCK, track_id=number, width=1.2, jitter=0.02)


def out_of_the_corner(number: int, at_s: float) -> Driver:
    """To the left, and seen from the side."""
    way = [(at_s, 0.57, 0.52), (at_s + 3.5, 0.2, 0.5)]
    return Driver(way, TRUCK, track_id=number, width=1.6, jitter=0.02)


@RATES_HZ
@pytest.mark.parametrize("gap_s", [0.5, 1.5, 3.0, 5.0])
def test_a_lorry_that_is_lost_at_a_corner_is_one_act(gap_s: float, rate_hz: float) -> None:
    lorry = (up_to_the_corner(1), out_of_the_corner(2, 3.5 + gap_s))
    assert told_of(*lorry, rate_hz=rate_hz) == [1]


@RATES_HZ
@pytest.mark.parametrize("apart_s", [1.5, 4.0])
def test_of_two_lorries_that_are_lost_at_a_corner_both_are_told(apart_s: float, rate_hz: float) -> None:
    convoy = (
        *(up_to_the_corner(1), out_of_the_corner(2, 6.5)),
        *(up_to_the_corner(3, apart_s), out_of_the_corner(4, apart_s + 6.5)),
    )
    assert told_of(*convoy, rate_hz=rate_hz) == [1, 3]


@RATES_HZ
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            [(3.0, 0.6, 0.97), (6.5, 0.6, 0.55), (6.8, 0.57, 0.52), (10.3, 0.2, 0.5)],
            id="follows, seen whole",
        ),
        pytest.param([(6.5, 0.6, 0.5), (10.0, 0.6, 0.92)], id="comes the other way"),
        pytest.param([(6.5, 0.25, 0.5), (10.0, 0.25, 0.92)], id="comes out elsewhere"),
    ],
)
def test_after_a_lorry_that_is_lost_another_is_told(
    other: list[tuple[float, float, float]], rate_hz: float
) -> None:
    another = Driver(other, TRUCK, track_id=2, width=1.2)
    assert told_of(up_to_the_corner(1), another, rate_hz=rate_hz) == [1, 2]


def test_a_lorry_that_comes_in_where_another_left_is_told() -> None:
    leaves = Driver([(0.0, 0.3, 0.6), (4.0, 0.97, 0.6)], TRUCK, track_id=1, width=1.2)
    comes = Driver([(6.5, 0.97, 0.62), (10.5, 0.3, 0.62)], TRUCK, track_id=2, width=1.2)
    assert told_of(leaves, comes) == [1, 2]


def test_a_lorry_that_is_followed_for_long_is_not_found_where_another_was_lost() -> None:
    """Of its trajectory the last 4 s are kept at this rate: where that begins, nobody has come out."""
    creeps = Driver([(0.0, 0.53, 0.85), (12.0, 0.53, 0.42)], TRUCK, track_id=2, width=1.2)
    assert told_of(up_to_the_corner(1), creeps, rate_hz=15.0) == [1, 2]


def test_a_track_that_comes_over_to_a_lorry_is_told_with_it() -> None:
    """It has followed another one for most of its time, outside of the zone."""
    lorry = Driver(
        [(0.0, 0.5, 0.95), (8.5, 0.5, 0.7), (13.0, 0.5, 0.15)], TRUCK, track_id=1, height=0.2, width=1.0
    )
    comes = Driver(
        [(0.0, 0.9, 0.95), (8.5, 0.9, 0.7), (8.6, 0.5, 0.69), (13.0, 0.5, 0.14)], TRUCK, track_id=2
    )
    behind = Driver([(9.0, 0.5, 0.95), (15.0, 0.5, 0.15)], TRUCK, track_id=3, height=0.2, width=1.0)
    zone = {**BAN["zones"][0], "polygon": [[0.1, 0.1], [0.8, 0.1], [0.8, 0.95], [0.1, 0.95]]}
    scene = {**BAN, "zones": [zone]}
    assert told_of(replace(comes, points=[]), scene=scene) == [2]
    assert len(told_of(replace(lorry, points=[]), replace(comes, points=[]), scene=scene)) == 1
    assert sorted(told_of(replace(lorry, points=[]), behind, scene=scene)) == [1, 3]

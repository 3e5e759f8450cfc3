"""Counts per minute, lane and class."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.rules import Flow
from pipeline.scene import Scene, SceneSettings
from pipeline.types import FlowCount, RoadUserKind
from tests.rules.drive import START_S, Driver, moments, observe

LANES: dict[str, Any] = {
    "lanes": [
        {
            "id": name,
            "polygon": [[left, 0.1], [left + 0.2, 0.1], [left + 0.2, 0.95], [left, 0.95]],
            "direction": [[left + 0.1, 0.9], [left + 0.1, 0.15]],
        }
        for name, left in (("a", 0.2), ("b", 0.4))
    ]
}
MINUTE_S = START_S - START_S % 60


def count(scene: dict[str, Any], drivers: list[Driver], until_s: float = 12.0) -> list[FlowCount]:
    drawn = Scene(SceneSettings.model_validate(scene))
    flow = Flow(drawn)
    counts = [c for m in moments(drawn, observe(drivers, until_s=until_s)) for c in flow.observe(m)]
    return counts + list(flow.finish())


def through(x: float, start_s: float = 0.0) -> list[tuple[float, float, float]]:
    return [(start_s, x, 0.9), (start_s + 4, x, 0.15)]


def test_road_users_are_counted_per_lane_and_class() -> None:
    drivers = [
        Driver(through(0.3), track_id=1),
        Driver(through(0.3, 3.0), track_id=2),
        Driver(through(0.5, 1.0), RoadUserKind.BUS, track_id=3),
        Driver(through(0.8), track_id=4),
    ]
    counts = count(LANES, drivers)
    assert {(c.lane, c.kind, c.count) for c in counts} == {
        ("a", RoadUserKind.MOTORBIKE, 2),
        ("b", RoadUserKind.BUS, 1),
    }
    assert all(c.camera_id == "cam" and c.end_s - c.start_s == 60 for c in counts)


def test_a_change_of_id_away_from_the_middle_does_not_count_twice() -> None:
    first = Driver([(0.0, 0.3, 0.9), (1.0, 0.3, 0.75)], track_id=1)
    second = Driver([(1.1, 0.3, 0.73), (3.0, 0.3, 0.35)], track_id=2)
    third = Driver([(3.1, 0.3, 0.34), (4.0, 0.3, 0.15)], track_id=3)
    assert [c.count for c in count(LANES, [first, second, third])] == [1]


def test_one_that_comes_out_from_behind_another_beyond_the_middle_is_counted() -> None:
    ahead = Driver(through(0.3), RoadUserKind.BUS, track_id=1)
    hidden = Driver([(3.0, 0.32, 0.5), (5.0, 0.32, 0.15)], track_id=2)
    assert {c.kind: c.count for c in count(LANES, [ahead, hidden])} == {
        RoadUserKind.BUS: 1,
        RoadUserKind.MOTORBIKE: 1,
    }


def test_one_that_was_there_when_the_camera_came_or_sets_off_beyond_the_middle_is_not() -> None:
    there = Driver([(0.0, 0.3, 0.5), (2.0, 0.3, 0.15)], track_id=1)
    parked = Driver([(3.0, 0.5, 0.4), (6.0, 0.5, 0.4), (7.0, 0.5, 0.2)], track_id=2)
    backing = Driver([(3.0, 0.3, 0.3), (5.0, 0.3, 0.45)], track_id=3)
    assert count(LANES, [there, parked, backing]) == []


def test_one_that_keeps_to_the_kerb_is_in_the_lane_beside_it() -> None:
    assert [(c.lane, c.count) for c in count(LANES, [Driver(through(0.19))])] == [("a", 1)]
    assert count(LANES, [Driver(through(0.13))]) == []


def test_standing_at_the_middle_is_not_counted() -> None:
    assert count(LANES, [Driver([(0.0, 0.3, 0.525), (12.0, 0.3, 0.525)], jitter=0.1)]) == []


@pytest.mark.parametrize("beyond", [-0.02, -0.01, 0.0, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("seed", range(3))
def test_a_change_of_id_while_it_waits_on_the_middle_does_not_count_twice(beyond: float, seed: int) -> None:
    y = 0.525 - beyond
    ways = [
        [(0.0, 0.3, 0.9), (3.0, 0.3, y), (6.0, 0.3, y)],
        [(6.4, 0.3, y), (14.0, 0.3, y)],
        [(14.4, 0.3, y), (20.0, 0.3, y), (23.0, 0.3, 0.2)],
    ]
    cars = [
        Driver(way, RoadUserKind.CAR, track_id=i + 1, jitter=0.04, seed=seed * 3 + i)
        for i, way in enumerate(ways)
    ]
    assert [c.count for c in count(LANES, cars, until_s=26)] == [1]


def test_one_that_comes_to_wait_where_another_left_is_counted() -> None:
    """The first drives on before the second is there; the third comes beside one hidden for a while."""
    first = Driver([(0.0, 0.3, 0.9), (2.0, 0.3, 0.52), (4.0, 0.3, 0.52), (5.5, 0.3, 0.2)], track_id=1)
    second = Driver([(4.0, 0.3, 0.9), (6.5, 0.3, 0.53), (9.0, 0.3, 0.53), (11.0, 0.3, 0.2)], track_id=2)
    third = Driver(
        [(6.5, 0.34, 0.56), (9.0, 0.34, 0.54), (11.0, 0.34, 0.2)], track_id=3, unseen=((7.0, 7.3),)
    )
    assert sum(c.count for c in count(LANES, [first, second, third], until_s=14)) == 3


def test_one_that_is_lost_just_beyond_the_middle_and_found_further_on_is_counted_once() -> None:
    """The number it had lived too short to be counted while it was followed: it is only once it is lost."""
    lost = Driver([(0.3, 0.3, 0.6), (1.0, 0.3, 0.44)], track_id=1)
    found = Driver([(1.3, 0.3, 0.385), (2.6, 0.3, 0.15)], track_id=2)
    other = Driver([(2.0, 0.3, 0.9), (4.5, 0.3, 0.15)], track_id=3)
    assert [c.count for c in count(LANES, [lost, found, other])] == [2]


def test_two_boxes_on_one_lorry_are_counted_once_and_two_lorries_twice() -> None:
    whole = Driver(through(0.3), RoadUserKind.TRUCK, track_id=1, height=0.2)
    cab = Driver([(1.0, 0.3, 0.7), (4.0, 0.3, 0.14)], RoadUserKind.TRUCK, track_id=2)
    behind = Driver(through(0.3, 1.5), RoadUserKind.TRUCK, track_id=3, height=0.2)
    beside = Driver(through(0.5, 0.2), RoadUserKind.TRUCK, track_id=4, height=0.2)
    counts = count(LANES, [whole, cab, behind, beside])
    assert [(c.lane, c.count) for c in counts] == [("a", 2), ("b", 1)]


def test_one_that_changes_lanes_at_the_gates_is_counted_once() -> None:
    lanes = {"lanes": [LANES["lanes"][0], {**LANES["lanes"][1], "direction": [[0.5, 0.7], [0.5, 0.15]]}]}
    across = Driver([(0.0, 0.36, 0.9), (1.9, 0.38, 0.53), (2.8, 0.44, 0.4), (4.0, 0.46, 0.15)], track_id=1)
    back = Driver([(6.0, 0.3, 0.9), (8.0, 0.3, 0.4), (10.0, 0.5, 0.3), (13.0, 0.5, 0.8)], track_id=2)
    counts = count(lanes, [across, back], until_s=15)
    assert [(c.lane, c.count) for c in counts] == [("a", 2), ("b", 1)]


def test_without_lanes_the_whole_picture_counts_those_that_move() -> None:
    drivers = [
        Driver(through(0.3), track_id=1),
        Driver([(0.0, 0.6, 0.5), (12.0, 0.6, 0.5)], track_id=2, jitter=0.05),
        Driver(through(0.8), RoadUserKind.PERSON, track_id=3),
        Driver([(2.0, 0.5, 0.5), (2.2, 0.5, 0.45)], track_id=4),
    ]
    counts = count({}, drivers)
    assert {(c.lane, c.kind, c.count) for c in counts} == {
        (None, RoadUserKind.MOTORBIKE, 1),
        (None, RoadUserKind.PERSON, 1),
    }


def test_minutes_are_of_capture_time_and_handed_out_when_they_are_over() -> None:
    to_the_minute = 60 - START_S % 60
    drivers = [Driver(through(0.3, to_the_minute + d), track_id=i) for i, d in enumerate((-20.0, -8.0, 5.0))]
    scene = Scene(SceneSettings.model_validate(LANES))
    flow = Flow(scene)
    at: list[tuple[float, FlowCount]] = []
    for moment in moments(scene, observe(drivers, until_s=to_the_minute + 15)):
        at += [(moment.observation.time.captured_at_s - START_S, c) for c in flow.observe(moment)]
    assert [(c.start_s, c.count) for _, c in at] == [(MINUTE_S, 2)]
    assert to_the_minute < at[0][0] < to_the_minute + 4
    assert [(c.start_s, c.count) for c in flow.finish()] == [(MINUTE_S + 60, 1)]

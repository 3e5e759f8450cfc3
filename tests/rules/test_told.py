"""A road user with two tracks is reported once; two road users are reported twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.types import LampColor, RoadUserKind
from tests.rules.drive import JUNCTION, Driver, Program, judge, observe

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

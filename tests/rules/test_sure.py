"""`min_confidence`: what lasts is told as soon as the rule is sure enough of it, once; else never."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline.types import Observation, RoadUserKind
from tests.rules.drive import START_S, Driver, judge, observe
from tests.rules.riding import BARE, Machine, Sight
from tests.rules.riding import judge as judge_riders
from tests.rules.test_illegal_stop import SCENE, parks
from tests.rules.yard import person, yard

STANDS = [(0.0, 0.1, 0.6), (4.0, 0.5, 0.6), (40.0, 0.5, 0.6)]
SURE = {"min_confidence": 0.8}
BUS_LANE = {
    "id": "buses",
    "polygon": [[0.4, 0.05], [0.7, 0.05], [0.7, 0.99], [0.4, 0.99]],
    "direction": [[0.55, 0.95], [0.55, 0.1]],
    "classes": ["bus"],
}
CREEPS = Driver([(0.0, 0.55, 0.95), (40.0, 0.55, 0.1)], RoadUserKind.CAR, height=0.05)
ACTS: list[tuple[dict[str, Any], Driver]] = [
    ({**SCENE, "rules": {"illegal_stop": {"min_s": 5, **SURE}}}, Driver(parks(), RoadUserKind.CAR)),
    (yard("restricted", "intrusion", SURE), person(STANDS)),
    (yard("loitering", "loitering", {"min_s": 5, **SURE}), person(STANDS)),
    (yard("abandoned_object", "abandoned_object", {"alone_s": 5, **SURE}), Driver(STANDS)),
    ({"lanes": [BUS_LANE], "rules": {"wrong_lane": {"min_heights": 1.5, **SURE}}}, CREEPS),
]


def voted(observations: Iterable[Observation], sure_from_s: float) -> Iterator[Observation]:
    """The same with a vote for the class that becomes clear at a moment."""
    for seen in observations:
        share = 0.9 if seen.time.captured_at_s - START_S >= sure_from_s else 0.6
        users = tuple(replace(user, kind_confidence=share) for user in seen.road_users)
        yield replace(seen, road_users=users)


@pytest.mark.parametrize(("scene", "driver"), ACTS, ids=[next(iter(scene["rules"])) for scene, _ in ACTS])
def test_an_act_that_lasts_is_told_when_it_is_sure(scene: dict[str, Any], driver: Driver) -> None:
    def hits(sure_from_s: float) -> list[float]:
        seen = voted(observe([replace(driver, points=[])], {}, 24.0), sure_from_s)
        return [hit.after.time_s - START_S for hit in judge(scene, seen)]

    (soon,) = hits(0.0)
    assert soon < 15
    (later,) = hits(18.0)
    assert later == pytest.approx(18.0, abs=0.5)
    assert hits(99.0) == []


def test_a_crowd_is_told_when_it_is_sure() -> None:
    people = [person([(0.0, 0.4 + 0.02 * k, 0.6), (40.0, 0.4 + 0.02 * k, 0.6)], k) for k in range(4)]
    scene = yard("crowd", "crowd", {"min_people": 3, "min_s": 5, **SURE})
    (hit,) = judge(scene, voted(observe(people, {}, 30.0), 18.0))
    assert 18 <= hit.after.time_s - START_S <= 23


def test_a_bare_head_is_told_when_enough_pictures_say_so() -> None:
    def told(until_s: float) -> list[float]:
        def heads(time_s: float) -> tuple[Sight, ...]:
            return (BARE,) if time_s < until_s else ()

        machine = Machine(heads, speed=(40.0, 0.0), size=(20.0, 30.0))
        hits = judge_riders("no_helmet", [machine], 12.0, finish=False, min_confidence=0.9)
        return [hit.after.time_s - START_S for hit in hits]

    assert told(3.0) == []
    (after_s,) = told(12.0)
    assert 6.0 < after_s < 9.0

"""Abandoned: a two-wheeler that is brought and left alone; not one that is parked, waited with or watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from pipeline.rules import asks_for_heads
from pipeline.scene import SceneSettings
from pipeline.types import Head, Observation, RoadUserKind
from tests.rules.drive import START_S, Driver, judge, names, observe
from tests.rules.yard import person, yard

PLACE = yard("abandoned_object", "abandoned_object", {"alone_s": 15.0})
BRING = [(0.0, 0.1, 0.6), (4.0, 0.5, 0.6), (40.0, 0.5, 0.6)]
"""Ridden in, standing from 4 s on."""
LEAVE = [(5.0, 0.5, 0.61), (7.0, 0.52, 0.61), (16.0, 0.95, 0.61)]
"""Its rider gets off and walks away."""


def bike(**more: object) -> Driver:
    return Driver(BRING, RoadUserKind.MOTORBIKE, **{"jitter": 0.02, **more})  # type: ignore[arg-type]


def ridden(observations: Iterable[Observation], until_s: float) -> Iterator[Observation]:
    """The same with somebody on the two-wheeler up to a moment."""
    for seen in observations:
        on = seen.time.captured_at_s - START_S < until_s
        yield replace(
            seen,
            road_users=tuple(
                replace(user, riders=(user.now.box,)) if on and user.kind is RoadUserKind.MOTORBIKE else user
                for user in seen.road_users
            ),
        )


def test_a_motorbike_left_alone_is_one_hit() -> None:
    (hit,) = judge(PLACE, ridden(observe([bike(), person(LEAVE, 2)], until_s=39.0), 5.0))
    assert (hit.rule, hit.track_id, hit.kind) == ("abandoned_object", 1, RoadUserKind.MOTORBIKE)
    assert 20.0 <= hit.after.time_s - START_S <= 25.0
    assert hit.facts["alone_s"] >= 15.0
    assert PLACE["zones"][0]["id"] == hit.facts["zone"]


@pytest.mark.parametrize("x", [0.315, 0.35, 0.38])
def test_what_is_left_just_inside_the_edge_was_brought_as_well(x: float) -> None:
    brought = Driver([(0.0, 0.155, 0.6), (4.0, x, 0.6), (40.0, x, 0.6)], jitter=0.01)
    assert names(judge(PLACE, ridden(observe([brought], until_s=39.0), 5.0))) == ["abandoned_object"]
    parked = Driver([(0.0, x, 0.6), (40.0, x, 0.6)], jitter=0.05)
    assert judge(PLACE, observe([parked], until_s=39.0)) == []


@pytest.mark.parametrize("back_s", [18.5, 19.0, 19.5, 20.0, 20.5])
def test_pushed_over_the_edge_for_a_while_it_begins_to_be_alone_anew(back_s: float) -> None:
    way = [(0.0, 0.1, 0.6), (3.0, 0.44, 0.6), (4.0, 0.335, 0.6), (14.0, 0.335, 0.6), (14.5, 0.287, 0.6)]
    way += [(back_s, 0.287, 0.6), (back_s + 0.5, 0.335, 0.6), (45.0, 0.335, 0.6)]
    (hit,) = judge(PLACE, ridden(observe([Driver(way)], until_s=44.0), 5.0))
    assert hit.after.time_s - START_S == pytest.approx(back_s + 15.3, abs=0.6)
    assert 15.0 <= hit.facts["alone_s"] <= hit.facts["in_zone_s"]


def test_a_rider_who_stays_on_it_has_left_nothing() -> None:
    assert judge(PLACE, ridden(observe([bike()], until_s=39.0), 40.0)) == []


def with_heads(observations: Iterable[Observation], seen: Callable[[float], bool]) -> Iterator[Observation]:
    """The same with a head on the two-wheeler in some pictures, as where the detector boxes both together."""
    for observation in observations:
        users = tuple(
            replace(user, heads=(Head((*user.now.box[:3], user.now.box[1] + 0.03), 0.9, 0.05, 14.0),))
            for user in observation.road_users
        )
        on = seen(observation.time.captured_at_s - START_S)
        yield replace(observation, road_users=users) if on else observation


def test_a_rider_who_is_boxed_with_it_and_stays_on_it_has_left_nothing() -> None:
    """His head is missed in one picture of twelve."""
    assert asks_for_heads(SceneSettings.model_validate(PLACE))
    assert judge(PLACE, with_heads(observe([bike()], until_s=39.0), lambda t: round(t * 6) % 12 > 0)) == []


def test_a_head_seen_now_and_then_on_an_empty_one_is_nobody() -> None:
    def seen(time_s: float) -> bool:
        return time_s < 5.0 or round(time_s * 6) % 3 > 0

    (hit,) = judge(PLACE, with_heads(observe([bike()], until_s=39.0), seen))
    assert 19.0 <= hit.after.time_s - START_S <= 21.0


def test_somebody_who_stands_by_looks_after_it() -> None:
    beside = person([(5.0, 0.5, 0.61), (7.0, 0.56, 0.61), (40.0, 0.56, 0.61)], 2)
    assert judge(PLACE, ridden(observe([bike(), beside], until_s=39.0), 5.0)) == []


def test_those_who_walk_past_do_not() -> None:
    passers = [
        person([(6.0 + 5 * k, 0.1, 0.63), (18.0 + 5 * k, 0.95, 0.63)], 10 + k, seed=k) for k in range(4)
    ]
    hits = judge(PLACE, ridden(observe([bike(), person(LEAVE, 2), *passers], until_s=39.0), 5.0))
    assert names(hits) == ["abandoned_object"]


def test_what_stood_there_before_anybody_looked_is_parked() -> None:
    parked = Driver([(0.0, 0.5, 0.6), (40.0, 0.5, 0.6)], jitter=0.05)
    assert judge(PLACE, observe([parked], until_s=39.0)) == []


def test_outside_the_zone_everybody_may_park() -> None:
    away = Driver([(0.0, 0.02, 0.9), (4.0, 0.2, 0.9), (40.0, 0.2, 0.9)])
    assert judge(PLACE, observe([away], until_s=39.0)) == []


def test_passing_crowds_that_hide_it_do_not_make_it_new() -> None:
    hidden = ((8.0, 9.5), (12.0, 13.5))
    assert names(judge(PLACE, observe([bike(unseen=hidden, jitter=0.05)], until_s=39.0))) == [
        "abandoned_object"
    ]
    first = Driver([w for w in BRING if w[0] <= 4.0] + [(9.0, 0.5, 0.6)])
    found = Driver([(14.0, 0.5, 0.6), (40.0, 0.5, 0.6)], track_id=2)
    (hit,) = judge(PLACE, observe([first, found], until_s=39.0))
    assert hit.facts["tracks"] == [1, 2]


@pytest.mark.parametrize("kind", [RoadUserKind.CAR, RoadUserKind.PERSON])
def test_other_kinds_are_not_judged(kind: RoadUserKind) -> None:
    assert judge(PLACE, observe([replace(bike(), kind=kind, points=[])], until_s=39.0)) == []

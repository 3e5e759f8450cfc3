"""Crowd: enough people for long enough, counted once each."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from pipeline.types import Observation
from tests.rules.drive import START_S, Driver, judge, names, observe
from tests.rules.yard import person, yard

PLACE = yard("crowd", "crowd", {"min_people": 5, "min_s": 8.0})


def group(count: int, from_s: float = 0.0, to_s: float = 20.0, **more: object) -> list[Driver]:
    """People who stand in two rows, a good step apart."""
    places = [(0.35 + 0.06 * (k % 6), 0.55 + 0.1 * (k // 6)) for k in range(count)]
    return [
        person([(from_s, *place), (to_s, *place)], track_id=k + 1, seed=k, **more)
        for k, place in enumerate(places)
    ]


def test_a_crowd_is_one_hit_that_shows_all_of_it() -> None:
    (hit,) = judge(PLACE, observe(group(6), until_s=20.0))
    assert hit.rule == "crowd"
    assert hit.facts["people"] == 6
    left, _, right, _ = hit.at.box
    assert left < 0.35
    assert right > 0.65
    assert hit.at.time_s - START_S == pytest.approx(6.0, abs=1.5)
    assert hit.before.time_s <= hit.at.time_s <= hit.after.time_s


def test_one_too_few_is_nothing() -> None:
    assert judge(PLACE, observe(group(4), until_s=20.0)) == []


def test_too_short_is_nothing() -> None:
    people = group(3) + [
        person([(5.0, 0.4 + 0.1 * k, 0.75), (10.0, 0.4 + 0.1 * k, 0.75)], track_id=10 + k) for k in range(3)
    ]
    assert judge(PLACE, observe(people, until_s=20.0)) == []


def test_people_around_the_zone_do_not_count() -> None:
    around = [person([(0.0, 0.1 + 0.02 * k, 0.6), (20.0, 0.1, 0.6)], track_id=20 + k) for k in range(8)]
    assert judge(PLACE, observe(group(4) + around, until_s=20.0)) == []


def test_one_person_under_many_ids_is_no_crowd() -> None:
    """Four people whose ids change every second or two: never more than four at once."""
    rng = random.Random(4)
    people, number = [], 0
    for k in range(4):
        now = 0.0
        while now < 24.0:
            lasts = rng.uniform(1.0, 2.0)
            x = 0.4 + 0.08 * k
            number += 1
            people.append(person([(now, x, 0.6), (now + lasts, x, 0.6)], track_id=number, seed=number))
            now += lasts + 0.2
    assert judge(PLACE, observe(people, until_s=25.0)) == []


def test_a_crowd_whose_members_hide_each_other_is_one() -> None:
    people = group(7)
    for k, one in enumerate(people):
        one.unseen = tuple((t + 0.4 * k, t + 0.4 * k + 1.0) for t in range(1, 20, 4))
        one.jitter = 0.05
    assert names(judge(PLACE, observe(people, until_s=20.0))) == ["crowd"]


def test_a_busy_place_does_not_hide_the_crowd_that_comes() -> None:
    """For minutes there are enough by turns only; then twice as many, to stay. The last seconds count."""
    corner = [person([(3.2 * k, 0.5, 0.75), (3.2 * k + 0.8, 0.5, 0.75)], track_id=100 + k) for k in range(40)]
    crowd = [
        person([(128.0, 0.35 + 0.05 * k, 0.7), (170.0, 0.35 + 0.05 * k, 0.7)], track_id=50 + k)
        for k in range(6)
    ]
    assert judge(PLACE, observe([*group(4, to_s=170.0), *corner], until_s=128.0)) == []
    (hit,) = judge(PLACE, observe([*group(4, to_s=170.0), *corner, *crowd], until_s=170.0))
    assert hit.after.time_s - START_S == pytest.approx(136.0, abs=2.5)
    assert hit.track_id >= 50
    assert hit.facts["people_median"] == 10
    assert hit.facts["lasted_s"] == pytest.approx(8.0, abs=0.5)


def put_back(by_s: float, before: list[Driver], after: list[Driver]) -> Iterator[Observation]:
    """Ten seconds of some, then, as the camera's clock is put back, thirty of others."""
    yield from observe(before, until_s=10.0)
    for seen in later(10.0 - by_s, observe(after, until_s=30.0, connection=lambda time_s: 1)):
        users = tuple(replace(user, track_id=user.track_id + 1000) for user in seen.road_users)
        yield replace(seen, road_users=users)


def later(by_s: float, observations: Iterable[Observation]) -> Iterator[Observation]:
    for seen in observations:
        users = tuple(
            replace(user, trajectory=tuple(replace(p, time_s=p.time_s + by_s) for p in user.trajectory))
            for user in seen.road_users
        )
        time = replace(seen.time, captured_at_s=seen.time.captured_at_s + by_s)
        yield replace(seen, time=time, road_users=users)


@pytest.mark.parametrize("by_s", [0.1, 3.0, 15.0, 3600.0])
def test_who_was_there_before_the_clock_was_put_back_is_no_ghost(by_s: float) -> None:
    assert judge(PLACE, put_back(by_s, group(4), group(2, to_s=30.0))) == []


@pytest.mark.parametrize("by_s", [0.1, 3.0, 15.0, 3600.0])
def test_a_crowd_is_told_whatever_the_clock_did_before(by_s: float) -> None:
    assert names(judge(PLACE, put_back(by_s, group(6, 7.0, 10.0), group(6, to_s=30.0)))) == ["crowd"]


@pytest.mark.parametrize("gap_s", [0.1, 1.5, 5.0])
def test_nobody_counts_twice_over_a_reconnect(gap_s: float) -> None:
    few = yard("crowd", "crowd", {"min_people": 5, "min_s": 1.0})
    assert judge(few, put_back(-gap_s, group(4), group(4, to_s=30.0))) == []


def test_the_same_crowd_is_not_told_again_another_one_is() -> None:
    dip = group(4, 0.0, 80.0) + [
        person([(start, 0.5, 0.75), (start + 14.0, 0.5, 0.75)], track_id=100 + int(start))
        for start in (0.0, 20.0)
    ]
    assert names(judge(PLACE, observe(dip, until_s=50.0))) == ["crowd"]
    again = group(4, 0.0, 99.0) + [
        person([(start, 0.5, 0.75), (start + 14.0, 0.5, 0.75)], track_id=100 + int(start))
        for start in (0.0, 60.0)
    ]
    assert len(judge(PLACE, observe(again, until_s=90.0))) == 2

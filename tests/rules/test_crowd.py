"""Crowd: enough people for long enough, counted once each."""

from __future__ import annotations

import random

import pytest

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

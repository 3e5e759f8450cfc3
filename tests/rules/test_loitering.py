"""Loitering: a person who stays where one only passes, over what the tracker makes of it."""

from __future__ import annotations

import pytest

from pipeline.types import RoadUserKind
from tests.rules.drive import START_S, Driver, judge, names, observe
from tests.rules.yard import person, yard

QUIET = yard("loitering", "loitering", {"min_s": 20.0})
STAYS = [(0.0, 0.1, 0.6), (4.0, 0.4, 0.6), (12.0, 0.6, 0.5), (20.0, 0.4, 0.7), (32.0, 0.5, 0.6)]
"""In the zone from 2.7 s on, moving about."""


def test_a_person_who_stays_is_one_hit() -> None:
    (hit,) = judge(QUIET, observe([person(STAYS)], until_s=33.0))
    assert (hit.rule, hit.kind) == ("loitering", RoadUserKind.PERSON)
    assert hit.after.time_s - START_S == pytest.approx(22.8, abs=0.7)
    assert 0 < hit.at.time_s - hit.before.time_s < 4
    assert hit.facts["stayed_s"] == pytest.approx(20.0, abs=0.5)
    assert hit.facts["bridged_s"] == 0


def test_passing_through_is_nothing_however_many_do() -> None:
    passers = [
        person([(4.0 * k, 0.1, 0.6), (4.0 * k + 12.0, 0.9, 0.6)], track_id=k + 1, seed=k) for k in range(10)
    ]
    assert judge(QUIET, observe(passers, until_s=55.0)) == []


def test_one_after_the_other_at_the_same_place_are_not_one() -> None:
    """Each walks in, stands for ten seconds, and walks out as the next comes in."""
    waiting = [
        person(
            [
                (12.0 * k, 0.1, 0.6),
                (12.0 * k + 3.5, 0.5, 0.6),
                (12.0 * k + 11.5, 0.5, 0.6),
                (12.0 * k + 15.0, 0.9, 0.6),
            ],
            track_id=k + 1,
            seed=k,
        )
        for k in range(4)
    ]
    assert judge(QUIET, observe(waiting, until_s=60.0)) == []


def test_leaving_for_long_begins_anew_leaving_for_a_moment_does_not() -> None:
    away = [(0.0, 0.5, 0.6), (12.0, 0.5, 0.6), (13.0, 0.2, 0.6), (17.0, 0.2, 0.6), (18.0, 0.5, 0.6)]
    assert judge(QUIET, observe([person([*away, (34.0, 0.5, 0.6)])], until_s=35.0)) == []
    moment = [(0.0, 0.5, 0.42), (12.0, 0.5, 0.42), (12.5, 0.5, 0.38), (13.0, 0.5, 0.38), (13.5, 0.5, 0.42)]
    hits = judge(QUIET, observe([person([*moment, (25.0, 0.5, 0.42)])], until_s=26.0))
    assert names(hits) == ["loitering"]


@pytest.mark.parametrize("gap_s", [0.5, 3.0, 8.0])
def test_lost_and_found_under_another_id_is_the_same_person(gap_s: float) -> None:
    first = person([(0.0, 0.5, 0.6), (10.0, 0.5, 0.6)])
    second = person([(10.0 + gap_s, 0.52, 0.6), (22.0, 0.5, 0.6)], track_id=2)
    (hit,) = judge(QUIET, observe([first, second], until_s=23.0))
    assert hit.facts["tracks"] == [1, 2]
    assert hit.facts["bridged_s"] == pytest.approx(gap_s, abs=0.6)
    whole = judge(QUIET, observe([person([(0.0, 0.5, 0.6), (22.0, 0.5, 0.6)])], until_s=23.0))
    assert hit.confidence < whole[0].confidence


def test_somebody_found_elsewhere_or_much_later_is_another() -> None:
    first = [(0.0, 0.4, 0.6), (10.0, 0.4, 0.6)]
    elsewhere = person([(10.5, 0.65, 0.6), (24.0, 0.65, 0.6)], track_id=2)
    later = person([(25.0, 0.4, 0.6), (40.0, 0.4, 0.6)], track_id=3)
    assert judge(QUIET, observe([person(first), elsewhere], until_s=25.0)) == []
    assert judge(QUIET, observe([person(first), later], until_s=41.0)) == []


def test_a_passer_by_takes_no_time_from_one_who_was_lost() -> None:
    """Whoever waited has gone into a shop; the other was on the way here before that."""
    waited = person([(0.0, 0.36, 0.6), (17.0, 0.36, 0.6)])
    passes = person([(11.0, 0.05, 0.6), (15.0, 0.2, 0.6), (19.0, 0.29, 0.6), (27.0, 0.72, 0.6)], 2)
    assert judge(QUIET, observe([waited, passes], until_s=28.0)) == []


def test_an_id_that_hops_to_a_passer_by_takes_nothing_along() -> None:
    """Box and id leap from the one who waits to one who walks by: two people, neither of them long here."""
    hop = [(0.0, 0.4, 0.6), (11.0, 0.4, 0.6), (11.1, 0.6, 0.5), (16.0, 0.95, 0.5)]
    assert judge(QUIET, observe([person(hop)], until_s=17.0)) == []


@pytest.mark.parametrize("gap_s", [0.1, 2.0])
def test_a_reconnect_of_the_camera_does_not_lose_the_person(gap_s: float) -> None:
    """Nor does a clock that was set forward: it counts as a connection too."""
    first = person([(0.0, 0.5, 0.6), (10.0, 0.5, 0.6)], track_id=7)
    second = person([(10.0 + gap_s, 0.5, 0.6), (24.0, 0.5, 0.6)], track_id=7)
    seen = observe([first, second], until_s=25.0, connection=lambda time_s: int(time_s > 10.0))
    assert names(judge(QUIET, seen)) == ["loitering"]


def test_occlusion_by_a_bus_and_flicker_do_not_end_it() -> None:
    hidden = ((6.0, 7.5), (9.0, 9.2), (11.0, 11.4), (13.0, 14.5))
    assert names(judge(QUIET, observe([person(STAYS, jitter=0.05, unseen=hidden)], until_s=33.0))) == [
        "loitering"
    ]


def test_vehicles_do_not_loiter() -> None:
    assert judge(QUIET, observe([Driver(STAYS)], until_s=33.0)) == []

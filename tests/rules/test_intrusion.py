"""Intrusion: being in a closed zone, and what only looks like it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.rules import RuleError
from pipeline.types import Observation, RoadUserKind
from tests.rules.drive import START_S, Driver, judge, names, observe
from tests.rules.yard import person, yard

IN = [(0.0, 0.1, 0.6), (3.0, 0.28, 0.6), (8.0, 0.6, 0.6), (11.0, 0.95, 0.6)]
"""Walks in at 3.3 s, through the zone, and out again at 8.9 s."""
CLOSED = yard("restricted", "intrusion")


@pytest.mark.parametrize("rate_hz", [4.0, 6.0, 15.0])
def test_somebody_who_walks_in_is_one_hit(rate_hz: float) -> None:
    (hit,) = judge(CLOSED, observe([person(IN)], rate_hz=rate_hz))
    assert (hit.rule, hit.kind, hit.track_id) == ("intrusion", RoadUserKind.PERSON, 1)
    assert hit.before.ground[0] < 0.32
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s
    assert hit.at.time_s - START_S == pytest.approx(3.4, abs=0.5)
    assert hit.after.time_s - hit.at.time_s >= 0.99
    assert hit.facts["seen_entering"] is True
    assert 0.5 < hit.confidence <= 1
    assert hit.geometry["zone square"][0] == (0.3, 0.4)
    json.dumps(dict(hit.facts))


def test_a_hit_does_not_wait_for_the_end() -> None:
    assert names(judge(CLOSED, observe([person(IN)], until_s=5.2), finish=False)) == ["intrusion"]


@pytest.mark.parametrize("kind", [RoadUserKind.MOTORBIKE, RoadUserKind.CAR])
def test_vehicles_may_not_enter_either_unless_only_people_are_meant(kind: RoadUserKind) -> None:
    assert names(judge(CLOSED, observe([Driver(IN, kind)]))) == ["intrusion"]
    assert judge(yard("restricted", "intrusion", classes=["person"]), observe([Driver(IN, kind)])) == []


def test_who_is_inside_from_the_beginning_is_reported_and_it_is_said() -> None:
    (hit,) = judge(CLOSED, observe([person([(0.0, 0.5, 0.6), (9.0, 0.55, 0.6)])]))
    assert hit.facts["seen_entering"] is False
    assert hit.before == hit.at


def test_walking_along_the_fence_is_nothing() -> None:
    along = [(0.0, 0.1, 0.81), (10.0, 0.9, 0.81)]
    for seed in range(8):
        assert judge(CLOSED, observe([person(along, jitter=0.06, seed=seed)])) == []


def test_passing_in_front_of_the_zone_taller_than_its_depth_is_nothing() -> None:
    """The body covers the zone in the picture; the feet are what counts."""
    assert judge(CLOSED, observe([person([(0.0, 0.1, 0.9), (10.0, 0.9, 0.9)], height=0.5)])) == []


def test_a_step_over_the_edge_is_nothing() -> None:
    step = [(0.0, 0.2, 0.6), (3.0, 0.28, 0.6), (3.3, 0.32, 0.6), (3.6, 0.28, 0.6), (8.0, 0.1, 0.6)]
    assert judge(CLOSED, observe([person(step)])) == []


def test_feet_that_something_hides_do_not_stand_where_it_hides_them() -> None:
    """Behind a parked car the box ends at its roof: up in the picture, in the zone behind."""
    walk = [(0.0, 0.1, 0.83), (10.0, 0.9, 0.83)]

    def behind(time_s: float) -> float:
        return 0.5 if 4.0 <= time_s <= 6.0 else 0.0

    assert judge(CLOSED, observe([person(walk, cut=behind)])) == []


def test_an_intruder_stays_one_through_flicker_losses_and_new_ids() -> None:
    flicker = tuple((t, t + 0.17) for t in (3.9, 4.6, 5.3, 6.1))
    assert names(judge(CLOSED, observe([person(IN, jitter=0.06, unseen=flicker)]))) == ["intrusion"]
    first = person([w for w in IN if w[0] <= 3.0] + [(5.5, 0.43, 0.6)])
    second = person([(7.0, 0.53, 0.6), (8.0, 0.6, 0.6), (9.0, 0.65, 0.6)], track_id=2)
    assert names(judge(CLOSED, observe([first, second]))) == ["intrusion"]


def test_two_intruders_are_two_and_one_who_comes_back_after_a_while_is_one_more() -> None:
    other = person([(0.0, 0.9, 0.5), (3.0, 0.72, 0.5), (8.0, 0.5, 0.5)], track_id=2)
    assert len(judge(CLOSED, observe([person(IN), other]))) == 2
    back = [*IN, (50.0, 0.95, 0.6), (55.0, 0.6, 0.6), (60.0, 0.5, 0.6)]
    assert len(judge(CLOSED, observe([person(back)], until_s=62.0))) == 2
    soon = [*IN, (14.0, 0.6, 0.6), (20.0, 0.5, 0.6)]
    assert len(judge(CLOSED, observe([person(soon)], until_s=22.0))) == 1


NIGHT = [{"start": "22:00", "end": "06:00"}]


@pytest.mark.parametrize(
    ("when", "hours", "expected"),
    [
        ("2023-11-15T05:13", NIGHT, 1),
        ("2023-11-15T06:13", NIGHT, 0),
        ("2023-11-15T23:00", NIGHT, 1),
        ("2023-11-15T05:13", [{**NIGHT[0], "days": ["tue"]}], 1),
        ("2023-11-15T05:13", [{**NIGHT[0], "days": ["wed"]}], 0),
        ("2023-11-16T05:13", [{**NIGHT[0], "days": ["wed"]}], 1),
        ("2023-11-15T12:00", [{"start": "08:00", "end": "10:00"}, {"start": "11:00", "end": "13:00"}], 1),
    ],
)
def test_hours_are_those_of_the_place(when: str, hours: list[dict[str, Any]], expected: int) -> None:
    scene = yard("restricted", "intrusion", hours=hours)
    assert len(judge(scene, at(when, observe([person(IN)])))) == expected


def at(when: str, observations: Iterable[Observation]) -> Iterator[Observation]:
    """The same, from a moment of local time on."""
    later_s = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")).timestamp() - START_S
    for seen in observations:
        time = replace(seen.time, captured_at_s=seen.time.captured_at_s + later_s)
        users = tuple(
            replace(user, trajectory=tuple(replace(p, time_s=p.time_s + later_s) for p in user.trajectory))
            for user in seen.road_users
        )
        yield replace(seen, time=time, road_users=users)


def test_who_is_inside_when_the_zone_closes_is_reported_then() -> None:
    closes = yard("restricted", "intrusion", hours=NIGHT)
    stays = [(0.0, 0.5, 0.6), (40.0, 0.5, 0.6)]
    (hit,) = judge(closes, at("2023-11-15T21:59:40", observe([person(stays)], until_s=30.0)))
    closing_s = datetime.fromisoformat("2023-11-15T22:00+07:00").timestamp()
    assert closing_s <= hit.at.time_s < closing_s + 0.5


def test_a_scene_without_such_a_zone_is_refused_by_name() -> None:
    with pytest.raises(RuleError, match="intrusion is on, but the scene lacks a zone"):
        judge(yard("loitering", "intrusion"), observe([]))

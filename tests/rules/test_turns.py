"""Banned turns and U-turns, on hand-made trajectories through a junction seen from behind."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pipeline.rules import RuleError
from pipeline.types import RoadUserKind
from tests.rules.drive import Driver, judge, names, observe

CAR = RoadUserKind.CAR
ENTRY = [[0.5, 0.7], [0.7, 0.7], [0.7, 0.95], [0.5, 0.95]]
BACK = [[0.3, 0.7], [0.48, 0.7], [0.48, 0.95], [0.3, 0.95]]
LEFT = [[0.05, 0.25], [0.25, 0.25], [0.25, 0.55], [0.05, 0.55]]


def scene(**turn: Any) -> dict[str, Any]:
    turns = [
        {"id": "south.back", "act": "u_turn", "entry": ENTRY, "exit": BACK},
        {"id": "south.left", "act": "banned_turn", "entry": ENTRY, "exit": LEFT},
    ]
    return {"turns": [one | turn for one in turns], "rules": {"u_turn": None, "banned_turn": None}}


Way = list[tuple[float, float, float]]
STRAIGHT: Way = [(0.0, 0.6, 0.93), (4.0, 0.6, 0.1)]


def arc(
    start_s: float, centre: tuple[float, float], radius: float, to_deg: float, seconds: float = 3.0
) -> Way:
    """From the right of a centre round to the left, seen from above as the picture has it."""
    steps = 12
    angles = [math.radians(to_deg * k / steps) for k in range(steps + 1)]
    return [
        (start_s + seconds * k / steps, centre[0] + radius * math.cos(a), centre[1] - radius * math.sin(a))
        for k, a in enumerate(angles)
    ]


ROUND: Way = [(0.0, 0.6, 0.93), *arc(2.0, (0.5, 0.6), 0.1, 180), (7.0, 0.4, 0.93)]
TURN_LEFT: Way = [(0.0, 0.6, 0.93), *arc(2.0, (0.35, 0.65), 0.25, 90), (6.5, 0.1, 0.4)]


@pytest.mark.parametrize("rate_hz", [5.0, 10.0])
@pytest.mark.parametrize(("way", "rule"), [(ROUND, "u_turn"), (TURN_LEFT, "banned_turn")])
def test_the_forbidden_way_is_one_hit(way: Way, rule: str, rate_hz: float) -> None:
    (hit,) = judge(scene(), observe([Driver(way, CAR, jitter=0.03)], rate_hz=rate_hz))
    assert hit.rule == rule
    assert hit.facts["to_the"] == "left"
    assert hit.facts["turned_deg"] == pytest.approx(180 if rule == "u_turn" else 90, abs=30)
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver(STRAIGHT, CAR), id="straight on"),
        pytest.param(Driver([(0.0, 0.4, 0.1), (5.0, 0.4, 0.93)], CAR), id="oncoming"),
        pytest.param(Driver([(0.0, 0.9, 0.4), (4.0, 0.1, 0.4)], CAR), id="cross traffic into the exit"),
        pytest.param(Driver([(0.0, 0.1, 0.4), *arc(3.0, (0.2, 0.5), 0.2, 0)], CAR), id="the other way"),
        pytest.param(
            Driver([(0.0, 0.6, 0.93), (6.0, 0.6, 0.75), (12.0, 0.6, 0.72)], CAR), id="waiting in the entry"
        ),
        pytest.param(Driver(ROUND, RoadUserKind.PERSON), id="on foot"),
        pytest.param(
            Driver([(0.0, 0.52, 0.8), (12.0, 0.5, 0.8)], CAR, jitter=0.2),
            id="a box that jitters over the middle",
        ),
    ],
)
def test_look_alikes_are_nothing(driver: Driver) -> None:
    assert judge(scene(), observe([driver])) == []


def test_a_track_taken_over_by_one_coming_back_has_not_turned() -> None:
    # As near as it could be: the next lane, at the same height of the picture.
    way = [(0.0, 0.52, 0.93), (2.0, 0.52, 0.75), (2.01, 0.46, 0.73), (4.0, 0.46, 0.93)]
    assert judge(scene(), observe([Driver(way, CAR)])) == []


def test_lost_in_the_junction_for_a_moment_is_still_one_hit() -> None:
    assert names(judge(scene(), observe([Driver(ROUND, CAR, unseen=((3.0, 4.0),))]))) == ["u_turn"]


def test_first_seen_in_the_junction_is_nothing() -> None:
    assert judge(scene(), observe([Driver(ROUND[4:], CAR)])) == []


def test_a_turn_may_bind_some_classes_only() -> None:
    assert judge(scene(classes=["bus"]), observe([Driver(ROUND, CAR)])) == []
    assert names(judge(scene(classes=["car"]), observe([Driver(ROUND, CAR)]))) == ["u_turn"]


def test_a_rule_without_a_turn_of_its_own_is_refused_by_name() -> None:
    only = {"turns": scene()["turns"][:1], "rules": {"banned_turn": None}}
    with pytest.raises(RuleError, match=r"banned_turn is on, but the scene lacks .* act banned_turn"):
        judge(only, [])


def test_a_turn_with_a_long_wait_is_shown_by_pictures_that_are_still_to_be_had() -> None:
    points = arc(2.0, (0.5, 0.6), 0.1, 180)
    waits = [(t + 20.0, x, y) for t, x, y in points[3:]]
    way = [(0.0, 0.6, 0.93), *points[:3], *waits, (27.0, 0.4, 0.93)]
    (hit,) = judge(scene(), observe([Driver(way, CAR)], until_s=32.0))
    assert hit.rule == "u_turn"
    assert hit.after.time_s - hit.before.time_s <= 20
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s

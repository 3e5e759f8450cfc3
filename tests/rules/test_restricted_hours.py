"""Classes banned at certain hours, on hand-made trajectories."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.rules import RuleError
from pipeline.types import Hit, Observation, RoadUserKind
from tests.rules.drive import START_S, Driver, judge, names, observe

TRUCK, CAR = RoadUserKind.TRUCK, RoadUserKind.CAR
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
RUSH = [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "06:00", "end": "09:00"}]
THROUGH = [(0.0, 0.5, 0.95), (6.0, 0.5, 0.1)]


def scene(hours: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    zone = {
        "id": "centre",
        "polygon": [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]],
        "purpose": "restricted_hours",
        "classes": ["truck"],
        "hours": hours,
    }
    return {"zones": [zone | changes], "rules": {"restricted_hours": None}}


def at(when: str, drivers: list[Driver], drawn: dict[str, Any]) -> list[Hit]:
    """What the rule says of a drive that begins at a local time."""
    shift_s = datetime.fromisoformat(when).replace(tzinfo=LOCAL).timestamp() - START_S
    return judge(drawn, (_later(o, shift_s) for o in observe(drivers)))


def _later(observation: Observation, by_s: float) -> Observation:
    users = tuple(
        replace(user, trajectory=tuple(replace(p, time_s=p.time_s + by_s) for p in user.trajectory))
        for user in observation.road_users
    )
    time = replace(observation.time, captured_at_s=observation.time.captured_at_s + by_s)
    return replace(observation, time=time, road_users=users)


def test_a_truck_in_the_banned_hours_is_one_hit() -> None:
    (hit,) = at("2026-03-02 07:30", [Driver(THROUGH, TRUCK, jitter=0.05)], scene(RUSH))
    assert hit.facts["zone"] == "centre"
    assert hit.facts["banned_classes"] == ["truck"]
    assert hit.facts["local_time"].startswith("2026-03-02T07:30:0")
    assert hit.facts["local_time"].endswith("+07:00")
    assert hit.facts["seen_entering"] is True


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-02 05:59:50", 0),  # ends before it begins
        ("2026-03-02 06:00:00", 1),  # Monday
        ("2026-03-02 08:59:50", 1),
        ("2026-03-02 09:00:00", 0),
        ("2026-03-06 08:00", 1),  # Friday
        ("2026-03-07 08:00", 0),  # Saturday
        ("2026-03-08 08:00", 0),
    ],
)
def test_the_hours_are_of_the_place_and_of_the_day_of_the_week(when: str, expected: int) -> None:
    assert len(at(when, [Driver(THROUGH, TRUCK)], scene(RUSH))) == expected


def test_who_is_inside_already_when_the_ban_begins_may_drive_on() -> None:
    slow = [(0.0, 0.5, 0.95), (2.0, 0.5, 0.75), (6.0, 0.5, 0.2)]
    assert at("2026-03-02 05:59:57", [Driver(slow, TRUCK)], scene(RUSH)) == []
    assert len(at("2026-03-02 06:00:00", [Driver(slow, TRUCK)], scene(RUSH))) == 1


@pytest.mark.parametrize(("when", "expected"), [("22:30", 1), ("04:59", 1), ("05:30", 0), ("21:00", 0)])
def test_hours_may_go_over_midnight(when: str, expected: int) -> None:
    night = [
        {"days": ["sun", "mon"], "start": 22 * 60, "end": "05:00"}
    ]  # 22:00 without quotes, as YAML has it
    assert len(at(f"2026-03-02 {when}", [Driver(THROUGH, TRUCK)], scene(night))) == expected


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = [{"days": ["fri"], "start": "22:00", "end": "05:00"}]
    assert len(at("2026-03-07 03:00", [Driver(THROUGH, TRUCK)], scene(friday))) == 1
    assert at("2026-03-06 03:00", [Driver(THROUGH, TRUCK)], scene(friday)) == []


def test_without_hours_the_ban_is_always_in_force() -> None:
    assert names(at("2026-03-07 12:00", [Driver(THROUGH, TRUCK)], scene([]))) == ["restricted_hours"]


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver(THROUGH, CAR), id="another class"),
        pytest.param(Driver([(0.0, 0.1, 0.95), (6.0, 0.1, 0.1)], TRUCK), id="beside the zone"),
        pytest.param(
            Driver([(0.0, 0.5, 0.5), (12.0, 0.5, 0.5)], TRUCK, jitter=0.1), id="parked since before"
        ),
        pytest.param(Driver(THROUGH, TRUCK, kind_confidence=0.5), id="a class that is not known well"),
        pytest.param(
            Driver([(0.0, 0.5, 0.95), (2.0, 0.5, 0.72), (4.0, 0.5, 0.95)], TRUCK),
            id="turns round at the edge",
        ),
    ],
)
def test_look_alikes_are_nothing(driver: Driver) -> None:
    assert at("2026-03-02 07:30", [driver], scene(RUSH)) == []


def test_a_track_lost_behind_a_bus_is_one_hit() -> None:
    hits = at("2026-03-02 07:30", [Driver(THROUGH, TRUCK, unseen=((1.5, 3.0),))], scene(RUSH))
    assert names(hits) == ["restricted_hours"]


def test_a_zone_that_bans_nobody_is_refused_by_name() -> None:
    with pytest.raises(RuleError, match=r"restricted_hours is on, but the scene lacks a zone .* `classes`"):
        at("2026-03-02 07:30", [], scene(RUSH, classes=[]))


def test_who_has_long_been_loading_there_is_shown_driving_on() -> None:
    loads = Driver([(0.0, 0.5, 0.6), (60.0, 0.5, 0.6), (64.0, 0.5, 0.25)], TRUCK, jitter=0.02)
    shift_s = datetime(2026, 3, 2, 7, 30, tzinfo=LOCAL).timestamp() - START_S
    (hit,) = judge(scene(RUSH), (_later(o, shift_s) for o in observe([loads], until_s=66.0)))
    assert hit.facts["duration_s"] > 50
    assert hit.before.time_s >= hit.after.time_s - 12.5
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s
    assert hit.facts["local_time"] == datetime.fromtimestamp(hit.at.time_s, LOCAL).isoformat(
        timespec="seconds"
    )

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
from tests.rules import metres
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


@pytest.mark.parametrize(("min_s", "oldest_s"), [(1.0, 2.0), (10.0, 11.0), (20.0, 4.0), (60.0, 4.0)])
def test_pictures_are_shown_that_are_still_to_be_had(min_s: float, oldest_s: float) -> None:
    """A worker keeps those of the last 30 s, and waits some seconds for the end of the clip."""
    walks_in = person([(0.0, 0.1, 0.6), (6.0, 0.5, 0.6), (80.0, 0.5, 0.6)])
    (hit,) = judge(yard("restricted", "intrusion", {"min_s": min_s}), observe([walks_in], until_s=80.0))
    assert hit.facts["seen_entering"] is True
    assert hit.facts["inside_s"] == pytest.approx(min_s, abs=0.3)
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s
    assert hit.after.time_s - hit.before.time_s <= oldest_s


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


def test_nor_of_somebody_who_walks_on_away_from_the_camera() -> None:
    """His top goes up the picture all the while."""
    away = [(0.0, 0.5, 0.98), (4.0, 0.5, 0.95), (6.5, 0.5, 0.85), (9.0, 0.5, 0.84)]

    def behind(time_s: float) -> float:
        return 0.5 if 4.0 <= time_s <= 6.5 else 0.0

    assert judge(CLOSED, observe([person(away, height=0.2, cut=behind)], until_s=9.0)) == []


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("kmh", [10, 20, 40])
@pytest.mark.parametrize(
    ("kind", "size_m"),
    [
        (RoadUserKind.PERSON, (0.4, 0.5, 1.7)),
        (RoadUserKind.MOTORBIKE, (1.9, 0.7, 1.6)),
        (RoadUserKind.CAR, (4.3, 1.75, 1.5)),
    ],
)
def test_who_moves_away_from_the_camera_is_told_as_soon_as_others(
    kind: RoadUserKind, size_m: tuple[float, float, float], kmh: int, calibrated: bool
) -> None:
    """Growing smaller is not having the feet hidden."""
    corners = ((-3.5, 3.0), (3.5, 3.0), (3.5, 50.0), (-3.5, 50.0))
    depot = {"id": "d", "purpose": "restricted", "polygon": [list(metres.seen(*at)) for at in corners]}
    scene: dict[str, Any] = {"zones": [depot], "rules": {"intrusion": None}}
    if calibrated:
        scene["calibration"] = metres.CALIBRATION
    intruder = metres.Vehicle(metres.steady(kmh, -2.0), kind=kind, size_m=size_m, jitter=0.01)
    (hit,) = judge(scene, metres.observe([intruder], metres.every(1 / 6, 16.0)))
    assert hit.after.time_s - metres.START_S < 5.0 / (kmh / 3.6) + 1.8


def test_a_low_camera_knows_a_lorry_that_drives_away_by_its_height_on_the_ground(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its top is above the lens: it does not rise with the lower edge, as if that were hidden."""
    low = replace(metres.POSE, position=(0.0, -12.0, 3.0), look_at=(0.0, 8.0, 1.0))
    monkeypatch.setattr(metres, "POSE", low)
    corners = ((-3.5, 3.0), (3.5, 3.0), (3.5, 50.0), (-3.5, 50.0))
    depot = {"id": "d", "purpose": "restricted", "polygon": [list(metres.seen(*at)) for at in corners]}
    points = [{"picture": list(metres.seen(*at)), "ground_m": list(at)} for at in metres.SURVEYED]
    scene = {"zones": [depot], "rules": {"intrusion": None}, "calibration": {"points": points}}
    lorry = metres.Vehicle(
        metres.steady(20, -2.0), kind=RoadUserKind.TRUCK, size_m=(7.0, 2.2, 3.3), jitter=0.01
    )
    (hit,) = judge(scene, metres.observe([lorry], metres.every(1 / 6, 10.0)))
    assert hit.after.time_s - metres.START_S < 2.8


def test_who_bends_down_shows_his_feet() -> None:
    def bent(observations: Iterable[Observation]) -> Iterator[Observation]:
        for seen in observations:
            yield replace(
                seen,
                road_users=tuple(
                    replace(
                        user,
                        trajectory=tuple(
                            replace(p, box=(p.box[0], p.box[3] - 0.055, *p.box[2:]))
                            if p.time_s - START_S > 3.6
                            else p
                            for p in user.trajectory
                        ),
                    )
                    for user in seen.road_users
                ),
            )

    (hit,) = judge(CLOSED, bent(observe([person(IN)])))
    assert hit.after.time_s - START_S < 5.2


def test_an_intruder_stays_one_through_flicker_losses_and_new_ids() -> None:
    flicker = tuple((t, t + 0.17) for t in (3.9, 4.6, 5.3, 6.1))
    assert names(judge(CLOSED, observe([person(IN, jitter=0.06, unseen=flicker)]))) == ["intrusion"]
    first = person([w for w in IN if w[0] <= 3.0] + [(5.5, 0.43, 0.6)])
    second = person([(7.0, 0.53, 0.6), (8.0, 0.6, 0.6), (9.0, 0.65, 0.6)], track_id=2)
    assert names(judge(CLOSED, observe([first, second]))) == ["intrusion"]


def test_who_is_lost_on_the_edge_and_found_there_is_still_one() -> None:
    first = person([w for w in IN if w[0] <= 3.0] + [(5.0, 0.33, 0.6)])
    second = person([(7.0, 0.295, 0.6), (8.0, 0.31, 0.6), (9.0, 0.4, 0.6), (12.0, 0.5, 0.6)], track_id=2)
    assert names(judge(CLOSED, observe([first, second]))) == ["intrusion"]


@pytest.mark.parametrize("gap_s", [0.5, 0.8, 1.2, 1.7, 1.9, 3.0])
def test_who_has_one_id_after_another_inside_is_still_one(gap_s: float) -> None:
    """The last steps of an id come late, when the next one has gone on already."""
    spans = ((0.0, 8.0), (8.0 + gap_s, 9.0 + gap_s), (9.0 + 2 * gap_s, 25.0))
    ways = [[(a, x, 0.6), (b, x, 0.6)] for (a, b), x in zip(spans, (0.4, 0.44, 0.4), strict=True)]
    people = [person(way, track_id=number) for number, way in enumerate(ways, 1)]
    assert [hit.track_id for hit in judge(CLOSED, observe(people, until_s=30.0))] == [1]


def test_who_was_seen_outside_is_not_the_one_who_was_lost_inside() -> None:
    lost = person([(0.0, 0.5, 0.35), (0.5, 0.5, 0.35), (3.0, 0.5, 0.6), (10.0, 0.5, 0.6)])
    watched = person([(4.0, 0.05, 0.6), (12.0, 0.2, 0.6), (15.0, 0.42, 0.6), (30.0, 0.42, 0.6)], 2)
    hits = judge(CLOSED, observe([lost, watched], until_s=30.0))
    assert [hit.track_id for hit in hits] == [1, 2]
    comes = person([(11.0, 0.24, 0.6), (14.0, 0.42, 0.6), (30.0, 0.42, 0.6)], 2)
    assert len(judge(CLOSED, observe([lost, comes], until_s=30.0))) == 2


def test_who_goes_on_into_another_zone_is_not_lost_to_the_first() -> None:
    square = yard("restricted", "intrusion")["zones"][0]
    wide, corner = (
        [[left, 0.4], [right, 0.4], [right, 0.8], [left, 0.8]] for left, right in ((0, 0.5), (0, 0.3))
    )
    scene = {
        **CLOSED,
        "zones": [{**square, "id": "wide", "polygon": wide}, {**square, "id": "corner", "polygon": corner}],
    }
    # For eleven seconds the picture's edge cuts the box: it is not known where he stands, but he is there.
    way = [
        (0.0, 0.7, 0.6),
        (4.0, 0.4, 0.6),
        (8.0, 0.1, 0.6),
        (9.0, 0.02, 0.6),
        (20.0, 0.02, 0.6),
        (22.0, 0.15, 0.6),
    ]
    hits = judge(scene, observe([person([*way, (26.0, 0.15, 0.6)])], until_s=26.0))
    assert [hit.facts["zone"] for hit in hits] == ["wide", "corner"]


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
    assert hit.facts["seen_entering"] is False
    assert hit.before == hit.at


@pytest.mark.parametrize(("walks_in_s", "seen_entering"), [(8.0, False), (23.0, True)])
def test_only_who_walks_in_after_the_zone_closes_is_seen_entering(
    walks_in_s: float, seen_entering: bool
) -> None:
    """It closes in second 20."""
    closes = yard("restricted", "intrusion", hours=NIGHT)
    way = [(0.0, 0.1, 0.6), (walks_in_s, 0.1, 0.6), (walks_in_s + 5.0, 0.5, 0.6), (40.0, 0.5, 0.6)]
    (hit,) = judge(closes, at("2023-11-15T21:59:40", observe([person(way)], until_s=35.0)))
    assert hit.facts["seen_entering"] is seen_entering
    assert (hit.before.ground[0] < 0.32) is seen_entering


def test_a_scene_without_such_a_zone_is_refused_by_name() -> None:
    with pytest.raises(RuleError, match="intrusion is on, but the scene lacks a zone"):
        judge(yard("loitering", "intrusion"), observe([]))

"""Spans of traffic: minutes, and parts of minutes that add up."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.events.build import build_flow
from pipeline.events.outbox import Outbox, Put
from pipeline.rules import Flow, Traffic
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Observation
from pipeline.worker.minutes import FlowMinute, FlowMinutes
from tests.events.examples import ORIGIN, camera
from tests.rules.drive import START_S, Driver, moments, observe
from tests.rules.test_flow import LANES, MINUTE_S, through

TO_THE_MINUTE = 60 - START_S % 60


def watch(observations: Iterable[Observation]) -> list[FlowMinute]:
    """All that a worker tells from its start, or from a scene drawn anew, to the end of it."""
    scene = Scene(SceneSettings.model_validate(LANES))
    minutes = FlowMinutes(Flow(scene), Traffic(scene))
    told = [minute for moment in moments(scene, observations) for minute in minutes.observe(moment)]
    return [*told, *minutes.finish()]


def counted(minutes: Iterable[FlowMinute]) -> list[int]:
    return [sum(count.count for count in minute.counts) for minute in minutes]


def stored(folder: Path, minutes: Iterable[FlowMinute]) -> bool:
    """Whether all of them are events of their own."""
    outbox = Outbox(folder / "outbox.db")
    events = [
        build_flow(
            minute.counts,
            camera("cam"),
            ORIGIN,
            start_s=minute.start_s,
            end_s=minute.end_s,
            observed_s=minute.observed_s,
            lanes=minute.lanes,
        )
        for minute in minutes
    ]
    return all(outbox.put(event) is Put.STORED for event in events)


def split(observations: Iterable[Observation], at_s: float) -> tuple[list[Observation], list[Observation]]:
    seen = list(observations)
    early = [one for one in seen if one.time.captured_at_s < START_S + at_s]
    return early, seen[len(early) :]


def test_the_first_span_begins_and_the_last_ends_with_what_was_seen() -> None:
    told = watch(observe([], until_s=TO_THE_MINUTE + 75))
    assert [(m.start_s - MINUTE_S, m.end_s - MINUTE_S) for m in told] == [
        (pytest.approx(START_S % 60), 60),
        (60, 120),
        (120, pytest.approx(135, abs=0.2)),
    ]
    assert all(m.observed_s == pytest.approx(m.end_s - m.start_s, abs=0.2) for m in told)


def test_minutes_that_a_clock_put_back_leads_to_again_add_up(tmp_path: Path) -> None:
    drivers = [Driver(through(0.3, TO_THE_MINUTE + s), track_id=s) for s in range(2, 230, 6)]
    seen = list(observe(drivers, until_s=TO_THE_MINUTE + 240))
    later = [one for one in seen if one.time.captured_at_s > START_S + TO_THE_MINUTE + 60]
    once, twice = watch(seen), watch([*seen, *(replace(one, connection=1) for one in later)])
    assert stored(tmp_path, twice)
    assert [(m.start_s, m.end_s) for m in twice[: len(once) - 1]] == [
        (m.start_s, m.end_s) for m in once[: len(once) - 1]
    ], "a clock that runs on tells whole minutes"
    assert all(0 < m.end_s - m.start_s <= MINUTE_S for m in twice)
    assert sum(counted(twice)) > sum(counted(once)) + 20


def test_two_parts_of_a_minute_are_two_events_that_add_up(tmp_path: Path) -> None:
    drivers = [Driver(through(0.3, TO_THE_MINUTE + s), track_id=s) for s in range(2, 50, 6)]
    seen = observe(drivers, until_s=TO_THE_MINUTE + 59)
    before, after = split(seen, TO_THE_MINUTE + 20.5)
    parts = [watch(before)[-1], *watch(after)]
    assert len(parts) == 2
    assert sum(counted(parts)) == len(drivers)
    assert parts[0].end_s < parts[1].start_s
    assert sum(part.observed_s for part in parts) == pytest.approx(59, abs=0.5)
    assert stored(tmp_path, parts)


@pytest.mark.parametrize("at_s", [2.5, 3.0, 4.0, 6.0, 7.5])
def test_who_was_counted_before_a_scene_was_drawn_anew_is_not_counted_again(at_s: float) -> None:
    """Identities go on, and a road user brings its whole trajectory along. It passes at 4.9 s."""
    before, after = split(observe([Driver([(1.0, 0.3, 0.9), (8.8, 0.3, 0.15)])], until_s=12), at_s)
    assert sum(counted([*watch(before), *watch(after)])) == 1


def test_a_clock_that_is_put_back_loses_no_counts() -> None:
    """By an hour, between the first and the second vehicle."""
    drivers = [Driver(through(0.3, 1.0), track_id=1), Driver(through(0.3, 20.0), track_id=2)]
    seen = observe(drivers, until_s=30)
    late = [one if one.time.captured_at_s < START_S + 12 else _earlier(one, 3600) for one in seen]
    told = watch(late)
    assert sum(counted(told)) == 2
    assert all(minute.start_s <= minute.end_s for minute in told)


def _earlier(seen: Observation, by_s: float) -> Observation:
    users = tuple(
        replace(
            user,
            trajectory=tuple(replace(point, time_s=point.time_s - by_s) for point in user.trajectory),
        )
        for user in seen.road_users
    )
    time = replace(seen.time, captured_at_s=seen.time.captured_at_s - by_s)
    return replace(seen, time=time, road_users=users)


def test_a_part_tells_nothing_of_the_time_before_it() -> None:
    stands = Driver([(0.0, 0.3, 0.525), (12.0, 0.3, 0.525)])
    _, after = split(observe([stands], until_s=12), 9.0)
    (part,) = watch(after)
    assert part.lanes[0].occupied_s == pytest.approx(part.end_s - part.start_s, abs=0.5)


def test_who_is_sure_to_have_passed_only_after_the_minute_counts_in_the_next() -> None:
    """Appears before the middle, passes it a second before the minute ends, waits at a red, drives on."""
    end_s = TO_THE_MINUTE - 1.0
    way = [
        (end_s - 1.0, 0.3, 0.55),
        (end_s + 0.5, 0.3, 0.515),
        (end_s + 20, 0.3, 0.515),
        (end_s + 23, 0.3, 0.2),
    ]
    others = [
        Driver(through(0.3, TO_THE_MINUTE + s), track_id=2 + i) for i, s in enumerate((-12.0, 25.0, 30.0))
    ]
    told = watch(observe([Driver(way), *others], until_s=TO_THE_MINUTE + 75))
    assert counted(told) == [1, 3, 0]
    # One count for each lane and kind, of the span that tells it.
    (count,) = told[1].counts
    assert (count.start_s, count.end_s) == (told[1].start_s, told[1].end_s)


def test_time_that_was_not_seen_has_no_span_and_late_counts_go_into_the_next_that_has() -> None:
    way = [
        (TO_THE_MINUTE - 2.0, 0.3, 0.55),
        (TO_THE_MINUTE - 0.5, 0.3, 0.515),
        (TO_THE_MINUTE + 4, 0.3, 0.515),
    ]
    seen = observe([Driver([*way, (TO_THE_MINUTE + 7, 0.3, 0.2)])], until_s=TO_THE_MINUTE + 200)
    dark = (TO_THE_MINUTE + 20, TO_THE_MINUTE + 190)
    told = watch(one for one in seen if not dark[0] <= one.time.captured_at_s - START_S <= dark[1])
    assert [(m.start_s - MINUTE_S) // 60 for m in told] == [0, 1, 4]
    assert counted(told) == [0, 1, 0]
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(told))

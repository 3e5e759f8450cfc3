"""Traffic: the same again, nobody through anybody, and like traffic."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from pipeline.sim.sites.measures import REACH, STOP
from pipeline.sim.types import Actor
from pipeline.types import VEHICLES, LampColor
from tests.sim.runs import Run, run


def corners(actor: Actor) -> np.ndarray:
    c, s = math.cos(actor.heading), math.sin(actor.heading)
    half = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * [actor.length_m / 2, actor.width_m / 2]
    return half @ np.array([[c, s], [-s, c]]) + actor.position


def apart(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a side of one of two convex polygons separates them."""
    for polygon in (a, b):
        for k in range(4):
            normal = (polygon[k] - polygon[k - 1]) @ np.array([[0, 1], [-1, 0]])
            if (a @ normal).max() < (b @ normal).min() or (b @ normal).max() < (a @ normal).min():
                return True
    return False


def test_the_same_seed_runs_the_same_and_another_one_does_not() -> None:
    first, again = run("junction-day", 3, 8.0, 5.0), run("junction-day", 3, 8.0, 5.0)
    assert first.moments == again.moments
    assert first.acts == again.acts
    other = run("junction-day", 4, 8.0, 5.0)
    assert other.moments != first.moments


def test_the_picture_rate_changes_nothing_that_happens() -> None:
    slow, fast = run("road-day", 1, 20.0, 1.0), run("road-day", 1, 20.0, 25.0)
    assert slow.acts == fast.acts
    assert slow.moments == fast.moments[::25]


def no_two_footprints_overlap(five_minutes: Run) -> None:
    checked = 0
    for moment in five_minutes.moments:
        shapes = [corners(actor) for actor in moment.actors]
        at = np.array([actor.position for actor in moment.actors])
        reach = np.array([math.hypot(a.length_m, a.width_m) / 2 for a in moment.actors])
        away = np.hypot(*(at[:, None] - at).transpose(2, 0, 1))
        for i, j in zip(*np.nonzero(np.triu(away < reach[:, None] + reach, 1)), strict=True):
            checked += 1
            assert apart(shapes[i], shapes[j]), (moment.time_s, moment.actors[i], moment.actors[j])
    assert checked > 1000, "the junction was too empty for this to mean anything"


def test_everybody_moves_smoothly_from_moment_to_moment() -> None:
    last: dict[int, Actor] = {}
    seen = 0
    for moment in run("demo", 5, 20.0, 25.0).moments:
        for actor in moment.actors:
            before = last.get(actor.id)
            if before is not None:
                way = math.dist(before.position, actor.position)
                assert way < 0.04 * (max(before.speed_mps, actor.speed_mps) + 1.0) + 0.02
                turn = abs(math.remainder(actor.heading - before.heading, 2 * math.pi))
                # Who is there from the start needs a moment to settle on its way, far from all cameras.
                if actor.kind != "person" and moment.time_s > 0.3:
                    assert turn < 0.15
                seen += 1
        last = {actor.id: actor for actor in moment.actors}
    assert seen > 20_000


def traffic_flows_queues_and_discharges(five_minutes: Run) -> None:
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    moving_kmh: list[float] = []
    abreast = 0
    for moment in five_minutes.moments:
        waiting: dict[str, list[Actor]] = defaultdict(list)
        for actor in moment.actors:
            if actor.kind not in VEHICLES:
                continue
            first.setdefault(actor.id, moment.time_s)
            last[actor.id] = moment.time_s
            if actor.speed_mps > 1:
                moving_kmh.append(actor.speed_mps * 3.6)
            x, y = actor.position
            if actor.kind == "motorbike" and actor.speed_mps < 0.1 and -STOP - 3 < y < -STOP and x > 6:
                waiting["S"].append(actor)
        abreast = max(abreast, len(waiting["S"]))
    left = [key for key in last if last[key] < 290 and first[key] > 0]
    assert len(left) * 12 > 1200, "vehicles an hour"
    assert abreast >= 3, "motorbikes wait side by side at the line"
    assert 15 < np.mean(moving_kmh) < 40
    # Whoever drives in is out again within two cycles: nobody is stuck.
    gone = {key for key in first if last[key] < 299.5}
    late = [key for key in set(first) - gone if first[key] > 0 and 299.5 - first[key] > 200]
    assert not late


def vehicles_wait_for_their_lamp(five_minutes: Run) -> None:
    """Seen from outside: fronts that pass the southern line do so on green or yellow, or are in the truth."""
    truth = {act.actor_id for act in five_minutes.acts}
    fronts: dict[int, float] = {}
    passed = 0
    for moment in five_minutes.moments:
        lamps = {lamp.head_id: lamp.color for lamp in moment.lamps}
        now: dict[int, float] = {}
        for actor in moment.actors:
            x, y = actor.position
            if (
                actor.kind in VEHICLES
                and 0 < x < 11.5
                and -REACH < y < 0
                and abs(actor.heading - math.pi / 2) < 0.4
            ):
                now[actor.id] = y + actor.length_m / 2
                if fronts.get(actor.id, 0.0) < -STOP <= now[actor.id]:
                    passed += 1
                    lamp = lamps["S.right" if actor.indicator == "right" else "S.ball"]
                    assert lamp is not LampColor.RED or actor.id in truth
        fronts = now
    assert passed > 20


def test_five_minutes_at_the_junction() -> None:
    five_minutes = run("junction-day", 2, 300.0, 5.0)
    no_two_footprints_overlap(five_minutes)
    traffic_flows_queues_and_discharges(five_minutes)
    vehicles_wait_for_their_lamp(five_minutes)

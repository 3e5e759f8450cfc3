"""The script and the audit: what is asked for happens, what happens is recorded, nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.sim.audit import Auditor, Track
from pipeline.sim.layout import Site
from pipeline.sim.signals import Signals
from pipeline.sim.sites import PHASES, site
from pipeline.sim.traffic.movers import Mover
from pipeline.sim.types import Act, ActKind, Rider
from pipeline.types import LampColor, RoadUserKind
from tests.sim.runs import Run, run

K = ActKind
OF_GROUPS = {K.CROWD, K.ABANDONED_OBJECT}
"""Their truth names whoever completed the crowd, or the thing, not whom the script began with."""


def violations(acts: tuple[Act, ...]) -> set[tuple[ActKind, int]]:
    return {(a.kind, a.actor_id) for a in acts if not a.kind.startswith("legal.") and a.kind not in OF_GROUPS}


def scripted(result: Run) -> set[tuple[ActKind, int]]:
    return {(kind, mover.id) for kind, mover in result.city.script.begun}


@pytest.fixture(scope="module")
def town() -> Run:
    """Everything that can happen on wheels, in a town of two and a half minutes."""
    return run("demo", 1, 150.0, 1.0, places=())


def test_every_kind_asked_for_comes_about(town: Run) -> None:
    asked = set(town.city.scenario.acts)
    assert asked >= set(K) - OF_GROUPS - {K.INTRUSION, K.LOITERING}
    assert {act.kind for act in town.acts} >= asked


@pytest.mark.parametrize("seed", [0, 1])
def test_every_incident_on_foot_comes_about(seed: int) -> None:
    acts = run("security", seed, 180.0, 1.0).acts
    assert {act.kind for act in acts} == {K.INTRUSION, K.LOITERING, K.CROWD, K.ABANDONED_OBJECT}


def test_nobody_but_the_script_breaks_a_law(town: Run) -> None:
    done = violations(town.acts)
    assert {actor for _, actor in done} <= {actor for _, actor in scripted(town)}
    assert len(done & scripted(town)) >= 0.9 * len(done)


def test_without_a_script_nothing_is_broken() -> None:
    quiet = run("demo", 7, 120.0, 1.0, acts={})
    assert violations(quiet.acts) == set()


def test_acts_lie_within_the_run_and_in_order(town: Run) -> None:
    decisive = [act.decisive_s for act in town.acts]
    assert decisive == sorted(decisive)
    assert all(act.start_s <= act.decisive_s <= act.end_s for act in town.acts)
    assert all(act.decisive_s <= town.city.scenario.duration_s for act in town.acts)
    assert all(act.place for act in town.acts if act.kind in (K.RED_LIGHT, K.WRONG_WAY, K.ILLEGAL_STOP))


def test_trucks_keep_out_while_they_are_banned() -> None:
    banned = run("road-day", 2, 60.0, 2.0)
    trucks = {a.id for m in banned.moments for a in m.actors if a.kind is RoadUserKind.TRUCK}
    assert trucks <= {actor for kind, actor in scripted(banned) if kind is K.RESTRICTED_HOURS}


# What the audit finds in trajectories made by hand, where nobody scripted anything.


@pytest.fixture(scope="module")
def junction() -> Site:
    return site("junction", 0)


@pytest.fixture(scope="module")
def signals(junction: Site) -> Signals:
    return Signals(PHASES, junction.layout.heads, junction.groups, 4)


def when(signals: Signals, group: str, color: LampColor) -> float:
    """A moment three seconds into a colour that lasts ten more."""
    for tenth in range(3000):
        shown = signals.shown(group, tenth / 10)
        if shown.color is color and tenth / 10 - shown.since_s >= 3 and shown.until_s - tenth / 10 > 10:
            return tenth / 10
    raise AssertionError(f"{group} is never {color}")


def drive(
    junction: Site, signals: Signals, points: list[tuple[float, float, float]], **mover: object
) -> list[ActKind]:
    """Acts of a motorbike that passes through places at times (x, y, t), straight from one to the next."""
    x, y, t = np.array(points, float).T
    times = np.arange(t[0], t[-1], 0.08)
    xs, ys = np.interp(times, t, x), np.interp(times, t, y)
    dx, dy = np.gradient(xs, times), np.gradient(ys, times)
    speed = np.hypot(dx, dy)
    cos, sin = np.where(speed > 0.01, dx, 0), np.where(speed > 0.01, dy, 1)
    size = np.hypot(cos, sin)
    who = Mover(1, RoadUserKind.MOTORBIKE, 1.1, 0, None, riders=(Rider(True, 0),))
    route = next(route for route in junction.routes if route.id == "S.2.bike")
    who = replace(who, route=replace(route, tags=frozenset()), **mover)  # type: ignore[arg-type]
    who.trail = [
        (a, b, c, d, e, f, False)
        for a, b, c, d, e, f in zip(times, xs, ys, cos / size, sin / size, speed, strict=True)
    ]
    audit = Auditor(junction, signals, trucks_banned=False)
    return [act.kind for act in (*audit.judge(Track(who, 1.9, 0.7)), *audit.finish())]


def test_audit_sees_a_red_light_run_and_a_green_one_passed(junction: Site, signals: Signals) -> None:
    red, green = when(signals, "S.ball", LampColor.RED), when(signals, "S.ball", LampColor.GREEN)
    way = [(9.0, -40.0, -2.0), (9.0, 0.0, 2.0)]
    assert drive(junction, signals, [(x, y, t + red) for x, y, t in way]) == [K.RED_LIGHT]
    assert drive(junction, signals, [(x, y, t + green) for x, y, t in way]) == []


def test_audit_tells_standing_past_the_line_from_running_on(junction: Site, signals: Signals) -> None:
    red = when(signals, "S.ball", LampColor.RED)
    assert drive(
        junction, signals, [(9, -40, red - 2), (9, -16.5, red), (9, -16.5, red + 5), (9, -16.4, red + 8)]
    ) == [K.STOP_LINE]


def test_audit_sees_wrong_way_lane_line_pavement_speed_and_stop(junction: Site, signals: Signals) -> None:
    assert drive(junction, signals, [(9, -30, 0), (9, -60, 5)]) == [K.WRONG_WAY]
    assert drive(junction, signals, [(5.4, -100, 0), (5.4, -60, 5)]) == [K.WRONG_LANE]
    assert K.SOLID_LINE in drive(junction, signals, [(9, -40, 0), (9, -35, 1), (2, -25, 3)])
    assert drive(junction, signals, [(14, -90, 0), (14, -60, 5)]) == [K.PAVEMENT]
    assert drive(junction, signals, [(9, -120, 0), (9, -60, 3)]) == [K.SPEEDING]
    halt = [(-10.5, -25, 0), (-10.5, -40, 3), (-10.5, -40, 16), (-10.5, -50, 19)]
    assert drive(junction, signals, halt) == [K.ILLEGAL_STOP]


def test_audit_sees_turns_that_are_forbidden(junction: Site, signals: Signals) -> None:
    green = when(signals, "W.ball", LampColor.GREEN)
    left = [(-40, -2, green - 3), (-5, -2, green), (2, 5, green + 1), (2, 40, green + 4)]
    assert K.BANNED_TURN in drive(junction, signals, left)
    green = when(signals, "S.ball", LampColor.GREEN)
    back = [
        (2, -30, green),
        (2, -10, green + 3),
        (0, -8, green + 4),
        (-2, -10, green + 5),
        (-2, -40, green + 9),
    ]
    assert K.U_TURN in drive(junction, signals, back)


def test_audit_counts_riders_and_helmets(junction: Site, signals: Signals) -> None:
    way = [(9.0, -120.0, 0.0), (9.0, -80.0, 5.0)]
    bare = (Rider(True, 0), Rider(False, 1))
    assert drive(junction, signals, way, riders=bare) == [K.NO_HELMET]
    assert drive(junction, signals, way, riders=(Rider(True, 0),) * 3) == [K.TOO_MANY_RIDERS]

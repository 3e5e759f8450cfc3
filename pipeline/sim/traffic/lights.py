"""What each one does about the stop line, its own errands and the ways it gives."""

from __future__ import annotations

import math

from pipeline.sim.layout import Movement, Route, Walk
from pipeline.sim.signals import Shown, Signals
from pipeline.sim.traffic.movers import Mover, Movers
from pipeline.sim.types import ActKind
from pipeline.types import LampColor

YELLOW_BRAKING = 2.8
"""On yellow a driver stops where this deceleration is enough, m/s²."""
RED_BRAKING = 9.0
GOING_S = 0.6
"""A red-runner turns back to law when the red will not last until it is over the line."""


def group_of(route: Route) -> str | None:
    """The signal group that governs a route; forbidden movements follow the one they are like."""
    if route.line is None:
        return None
    wanted: tuple[Movement, ...] = (route.movement, "left", "straight")
    return next(route.line.groups[movement] for movement in wanted if movement in route.line.groups)


def stop_for(m: Movers, row: int, mover: Mover, signals: Signals, time_s: float) -> float:
    """Where this row's front must stand at this moment, metres along its path; inf: nowhere."""
    if isinstance(mover.route, Walk):
        return _walker(m, row, mover, mover.route, signals, time_s)
    if not isinstance(mover.route, Route):
        return math.inf
    front = float(m.s[row] + m.length[row] / 2)
    stop = math.inf if mover.waits_at is None else max(mover.waits_at, front)
    group = group_of(mover.route)
    if group is not None and front < mover.route.stop_m + 8.0:
        stop = min(stop, _line(m, row, mover, mover.route, front, signals.shown(group, time_s), time_s))
    if mover.halt_m is not None:
        if mover.halted_at_s is None and m.v[row] < 0.05 and abs(mover.halt_m - front) < 1.5:
            mover.halted_at_s = time_s
        if mover.halted_at_s is not None and time_s > mover.halted_at_s + mover.halt_s:
            mover.halt_m, mover.swerve = None, None
        else:
            stop = min(stop, mover.halt_m)
    return stop


def _line(
    m: Movers, row: int, mover: Mover, route: Route, front: float, shown: Shown, time_s: float
) -> float:
    line = route.stop_m
    red = shown.color is LampColor.RED
    if mover.past_m is not None:
        mover.seen_red |= red
        if front < line - 1.0 and m.v[row] < 0.05:
            # Somebody is in the way: another time.
            mover.past_m, mover.act, mover.seen_red = None, None, False
        elif mover.seen_red and shown.color is LampColor.GREEN:
            mover.past_m = None
        else:
            return line + mover.past_m
    if front > line or shown.color is LampColor.GREEN:
        if mover.runs_red and front < line:
            _obey(m, row, mover)
        return math.inf
    if mover.runs_red:
        over_s = (line + 6.0 - front) / max(float(m.v[row]), 3.0)
        if red and shown.until_s - time_s > over_s + GOING_S:
            return math.inf
        _obey(m, row, mover)
    needed = float(m.v[row]) ** 2 / (2 * max(line - front, 0.01))
    if needed > (RED_BRAKING if red else YELLOW_BRAKING):
        return math.inf
    return max(line - mover.shy_m, front)


def committed(m: Movers, row: int, mover: Mover, signals: Signals, time_s: float) -> bool:
    """Whether it has begun to cross the way of others, or waits in the junction for a gap that came no more
    while it had green.
    """
    route = mover.route
    if not isinstance(route, Route) or not mover.yields or route.movement == "right":
        return False
    front = m.s[row] + m.length[row] / 2
    if front > mover.yields[0] + 0.4:
        return True
    group = group_of(route)
    if group is None or mover.runs_red or mover.waits_at is None or front < route.stop_m + 2.0:
        return False
    return signals.shown(group, time_s).color is LampColor.RED


def _obey(m: Movers, row: int, mover: Mover) -> None:
    """Too late to run this red."""
    mover.runs_red, mover.waits_at = False, None
    if mover.act is ActKind.RED_LIGHT:
        mover.act = None
    if isinstance(mover.route, Route):
        mover.yields, m.priority[row] = mover.route.yield_m, mover.route.priority


def _walker(m: Movers, row: int, mover: Mover, walk: Walk, signals: Signals, time_s: float) -> float:
    front = float(m.s[row] + m.length[row] / 2)
    if mover.halt_m is not None:
        if mover.halted_at_s is None and m.v[row] < 0.05 and abs(mover.halt_m - front) < 1.0:
            mover.halted_at_s = time_s
        if mover.halted_at_s is None or time_s < mover.halted_at_s + mover.halt_s:
            return mover.halt_m
        mover.halt_m = None
    if not math.isfinite(walk.wait_m) or mover.crossing or front > walk.wait_m + 0.6:
        return math.inf
    shown = signals.shown(walk.group, time_s)
    left_s = shown.until_s - time_s + (4.0 if shown.color is LampColor.GREEN else 0.0)
    enough_s = (walk.cross_m + walk.wait_m - front) / mover.cruise_mps + 2.0
    if shown.color is walk.color and left_s > enough_s and time_s - shown.since_s > 1.0:
        if walk.wait_m - front < 1.5:
            mover.crossing = True
        return math.inf
    return max(walk.wait_m, front)

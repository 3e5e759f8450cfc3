"""Acts of vehicles."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pipeline.sim.acts.stage import Direction, Stage, Start
from pipeline.sim.layout import Route, Site, along, place_at
from pipeline.sim.sites.measures import CENTRES
from pipeline.sim.traffic.movers import Mover
from pipeline.sim.types import ActKind, Ground, Rider
from pipeline.types import LampColor, RoadUserKind

MOTORBIKE, CAR, TRUCK = RoadUserKind.MOTORBIKE, RoadUserKind.CAR, RoadUserKind.TRUCK
BRAKING = 2.4
"""What a scripted stop may ask, m/s²."""
CLEAR_ROAD_M = 110.0
MEET_M = 3.5
ARRIVAL_S = 13.0
"""From the entry to a stop line."""


def _spawn(
    stage: Stage,
    kind: ActKind,
    fits: Callable[[Route], bool],
    vehicle: RoadUserKind | None = None,
    **values: float,
) -> Mover | None:
    routes = stage.routes(fits)
    if not routes:
        return None
    route = stage.rng.choice(routes)
    mover = stage.arrivals.send(route, vehicle or stage.rng.choice(route.classes), **values)
    if mover is not None:
        mover.act = kind
    return mover


def _tagged(kind: ActKind, tag: str) -> Start:
    def start(stage: Stage, time_s: float) -> Mover | None:
        return _spawn(stage, kind, lambda route: tag in route.tags)

    return start


def _halts(stage: Stage) -> list[Ground]:
    """Where scripted stops are made now."""
    return [
        place_at(mover.route.points, mover.route.halt_m)
        for mover in stage.active(ActKind.ILLEGAL_STOP)
        if isinstance(mover.route, Route) and mover.halt_m is not None
    ]


def _meets(way: tuple[Ground, ...], place: Ground) -> bool:
    """Whether somebody on this way would find somebody at that place in it."""
    return math.dist(place_at(way, along(way, place)), place) < MEET_M


def _wrong_way(stage: Stage, time_s: float) -> Mover | None:
    halts = _halts(stage)

    def fits(route: Route) -> bool:
        return "wrong_way" in route.tags and not any(_meets(route.points, halt) for halt in halts)

    return _spawn(stage, ActKind.WRONG_WAY, fits, want=stage.rng.uniform(4.5, 6.5))


def _ordinary(vehicle: RoadUserKind) -> Callable[[Route], bool]:
    return lambda route: route.share > 0 and vehicle in route.classes


def _no_helmet(stage: Stage, time_s: float) -> Mover | None:
    mover = _spawn(stage, ActKind.NO_HELMET, _ordinary(MOTORBIKE), MOTORBIKE)
    if mover is not None:
        bare = stage.rng.randrange(len(mover.riders))
        mover.riders = tuple(
            Rider(rider.helmet and k != bare, rider.seed) for k, rider in enumerate(mover.riders)
        )
    return mover


def _too_many(stage: Stage, time_s: float) -> Mover | None:
    mover = _spawn(stage, ActKind.TOO_MANY_RIDERS, _ordinary(MOTORBIKE), MOTORBIKE)
    if mover is not None:
        mover.riders = tuple(Rider(True, stage.rng.getrandbits(30)) for _ in range(3))
    return mover


def _truck(stage: Stage, time_s: float) -> Mover | None:
    return _spawn(stage, ActKind.RESTRICTED_HOURS, _ordinary(TRUCK), TRUCK)


def _speeding(stage: Stage, time_s: float) -> Mover | None:
    m = stage.movers

    def empty(route: Route) -> bool:
        if "speeding" not in route.tags:
            return False
        lane = [stage.arrivals.index[other.id] for other in stage.site.routes if other.id[:-1] in route.id]
        return not bool(
            np.any(np.isin(m.path, [*lane, stage.arrivals.index[route.id]]) & (m.s < CLEAR_ROAD_M))
        )

    routes = [route for route in stage.routes(empty) if MOTORBIKE in route.classes or CAR in route.classes]
    if not routes:
        return None
    route = stage.rng.choice(routes)
    vehicle = CAR if CAR in route.classes else MOTORBIKE
    mover = stage.arrivals.send(route, vehicle, want=stage.rng.uniform(18.5, 22.5))
    if mover is not None:
        mover.act = ActKind.SPEEDING
    return mover


def _illegal_stop(stage: Stage, time_s: float) -> Mover | None:
    against = [mover.route for mover in stage.active(ActKind.WRONG_WAY) if isinstance(mover.route, Route)]

    def fits(route: Route) -> bool:
        if route.halt_m <= 0 or not route.share:
            return False
        place = place_at(route.points, route.halt_m)
        return not any(_meets(other.points, place) for other in against)

    routes = stage.routes(fits)
    if not routes:
        return None
    route = stage.rng.choice(routes)
    if any(mover.halt_m is not None and mover.route is route for mover in stage.movers.who):
        return None
    vehicle = CAR if CAR in route.classes else MOTORBIKE
    mover = stage.arrivals.send(route, vehicle)
    if mover is not None:
        mover.act = ActKind.ILLEGAL_STOP
        mover.halt_m, mover.halt_s = route.halt_m, stage.rng.uniform(16.0, 32.0)
    return mover


def _slow(stage: Stage, time_s: float) -> Mover | None:
    mover = _spawn(stage, ActKind.SLOW_IN_JAM, lambda route: "slow_in_jam" in route.tags, CAR)
    if mover is not None and isinstance(mover.route, Route):
        mover.crawl = (mover.route.halt_m - 28.0, mover.route.halt_m + 10.0, 1.1)
    return mover


def _overtakes(stage: Stage, time_s: float) -> Mover | None:
    routes = stage.routes(lambda route: "overtakes" in route.tags)
    if not routes:
        return None
    route = stage.rng.choice(routes)
    slow = stage.arrivals.send(route, MOTORBIKE, want=5.5, d=0.0, aim=0.0)
    fast = stage.arrivals.send(route, MOTORBIKE, want=11.5, d=0.0, aim=0.0)
    if slow is None or fast is None:
        return None
    slow.passed, fast.partner_id, fast.act = True, slow.id, ActKind.OVERTAKES_IN_LANE
    return fast


def _right_on_arrow(stage: Stage, time_s: float) -> Mover | None:
    def arrow(route: Route) -> bool:
        return (
            route.movement == "right"
            and route.line is not None
            and route.line.groups["right"] != route.line.groups["straight"]
        )

    routes = stage.routes(arrow)
    line = routes[0].line
    if line is None:
        return None
    for after_s in (ARRIVAL_S - 2.0, ARRIVAL_S + 2.0):
        ball = stage.signals.shown(line.groups["straight"], time_s + after_s)
        right = stage.signals.shown(line.groups["right"], time_s + after_s)
        if ball.color is not LampColor.RED or right.color is not LampColor.GREEN:
            return None
    return _spawn(stage, ActKind.RIGHT_ON_ARROW, arrow, MOTORBIKE)


def _red_light(stage: Stage, time_s: float) -> Mover | None:
    m = stage.movers
    for row, mover, route, to_line_m in stage.approaching(MOTORBIKE, CAR):
        if route.movement != "straight" or route.line is None or not route.share:
            continue
        shown = stage.signals.shown(route.line.groups["straight"], time_s)
        v = float(m.v[row])
        at_s = time_s + to_line_m / max(v, 4.0)
        coming = 10 < to_line_m < 40 and v > 4
        waiting = to_line_m < 3 and v < 0.5
        if shown.color is not LampColor.RED or not (coming or waiting):
            continue
        if (
            at_s - shown.since_s < 1.3
            or shown.until_s - at_s < 5.0
            or not stage.free(row, to_line_m + 1, 0.7, 0.7)
        ):
            continue
        mover.runs_red, mover.yields, mover.region_m = True, (route.stop_m - 0.7,), 36.0
        m.priority[row] = 0
        mover.act = ActKind.RED_LIGHT
        return mover
    return None


def _stop_line(stage: Stage, time_s: float) -> Mover | None:
    m = stage.movers
    for row, mover, route, to_line_m in stage.approaching(MOTORBIKE):
        if route.line is None or not route.share or not 7 < to_line_m < 40 or m.v[row] < 3:
            continue
        shown = [stage.signals.shown(group, time_s) for group in sorted(set(route.line.groups.values()))]
        at_s = time_s + to_line_m / float(m.v[row]) * 1.5
        if any(s.color is not LampColor.RED or s.since_s > time_s - 1.0 for s in shown):
            continue
        if min(s.until_s for s in shown) < at_s + 7.0 or not stage.free(row, to_line_m + 5, 0.6, 0.6):
            continue
        mover.past_m, mover.act = stage.rng.uniform(2.5, 3.2), ActKind.STOP_LINE
        return mover
    return None


def _waits_past(stage: Stage, time_s: float) -> Mover | None:
    m = stage.movers
    for row, mover, route, to_line_m in stage.approaching(MOTORBIKE):
        if route.line is None or route.movement == "right" or not route.share or m.v[row] < 3:
            continue
        shown = stage.signals.shown(route.line.groups["straight"], time_s)
        left_s = shown.until_s - time_s
        v = float(m.v[row])
        if shown.color is not LampColor.GREEN or left_s > 8.0 or not v**2 / (2 * BRAKING) < to_line_m + 2:
            continue
        if not -1.8 < left_s - to_line_m / v < 3.0 or not stage.free(row, to_line_m + 5, 0.6, 0.6):
            continue
        mover.past_m, mover.act = 2.6, ActKind.WAITS_PAST_LINE
        return mover
    return None


def _solid_line(stage: Stage, time_s: float) -> Mover | None:
    m = stage.movers
    over = CENTRES[2] - CENTRES[1]
    for row, mover, route, to_line_m in stage.approaching(CAR):
        if "solid_line" not in route.tags or route.line is None or not 21 < to_line_m < 29 or m.v[row] < 4:
            continue
        if not stage.free(row, 12.0, -0.9, over + 1.4, behind_m=9.0):
            continue
        mover.swerve, mover.act = -over, ActKind.SOLID_LINE
        return mover
    return None


def _has_tag(tag: str) -> Callable[[Site], bool]:
    return lambda site: any(tag in route.tags for route in site.routes)


def _has_lines(site: Site) -> bool:
    return bool(site.lines)


def _has_traffic(site: Site) -> bool:
    return bool(site.routes)


def _has_arrow(site: Site) -> bool:
    return any(line.groups.get("right") != line.groups.get("straight") for line in site.lines)


DIRECTIONS = (
    Direction(ActKind.RED_LIGHT, _red_light, _has_lines, at_once=True),
    Direction(ActKind.STOP_LINE, _stop_line, _has_lines, at_once=True),
    Direction(ActKind.WAITS_PAST_LINE, _waits_past, _has_lines, at_once=True),
    Direction(ActKind.SOLID_LINE, _solid_line, _has_tag("solid_line"), at_once=True),
    Direction(ActKind.RIGHT_ON_ARROW, _right_on_arrow, _has_arrow),
    Direction(ActKind.WRONG_WAY, _wrong_way, _has_tag("wrong_way")),
    *(
        Direction(kind, _tagged(kind, kind.value), _has_tag(kind.value))
        for kind in (
            ActKind.WRONG_LANE,
            ActKind.BANNED_TURN,
            ActKind.U_TURN,
            ActKind.PAVEMENT,
        )
    ),
    Direction(ActKind.ILLEGAL_STOP, _illegal_stop, lambda site: any(r.halt_m > 0 for r in site.routes)),
    Direction(ActKind.SPEEDING, _speeding, _has_tag("speeding")),
    Direction(ActKind.RESTRICTED_HOURS, _truck, _has_traffic),
    Direction(ActKind.NO_HELMET, _no_helmet, _has_traffic),
    Direction(ActKind.TOO_MANY_RIDERS, _too_many, _has_traffic),
    Direction(ActKind.OVERTAKES_IN_LANE, _overtakes, _has_tag("overtakes")),
    Direction(ActKind.SLOW_IN_JAM, _slow, _has_tag("slow_in_jam")),
)

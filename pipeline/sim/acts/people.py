"""Acts of people on foot."""

from __future__ import annotations

import math

from pipeline.scene.geometry import inside
from pipeline.sim.acts.stage import Direction, Stage
from pipeline.sim.layout import Site, Walk, Zone, along, length, place_at, rounded
from pipeline.sim.traffic.movers import Mover
from pipeline.sim.types import ActKind, Ground

CROWD = 8
TRIES = 20


def _zone(site: Site, purpose: str) -> Zone | None:
    return next((zone for zone in site.zones if zone.purpose == purpose), None)


def _within(zone: Zone, right: float, up: float) -> Ground:
    """A place of the zone's bounding box, shares 0..1."""
    xs, ys = [x for x, _ in zone.polygon], [y for _, y in zone.polygon]
    return min(xs) + right * (max(xs) - min(xs)), min(ys) + up * (max(ys) - min(ys))


def _enters(points: tuple[Ground, ...], zone: Zone) -> bool:
    steps = int(length(points) / 0.5)
    return any(inside(place_at(points, 0.5 * k), zone.polygon) for k in range(steps + 1))


def _visit(
    stage: Stage, kind: ActKind, places: list[Ground], *, halt: int | None = None, halt_s: float = 0.0
) -> Mover | None:
    """Somebody who leaves a lawful walk half way, goes to the places one by one, and goes on.

    `halt` numbers the place to stay at.
    """
    rng = stage.rng
    lawful = [walk for walk in stage.site.walks if math.isinf(walk.wait_m)]
    closed = _zone(stage.site, "restricted")
    for _ in range(TRIES):
        base = rng.choice(lawful)
        points = rounded((base.points[0], *places, base.points[-1]), 0.8)
        if kind is ActKind.INTRUSION or closed is None or not _enters(points, closed):
            break
    else:
        return None
    walk = Walk(f"{kind.value}.{rng.getrandbits(40):x}", points)
    mover = stage.arrivals.walk(walk, d=0.0, aim=0.0)
    if mover is None:
        return None
    mover.act, mover.prefers_m = kind, 0.0
    if halt is not None:
        mover.halt_s = halt_s
        mover.halt_m = along(points, places[halt])
    return mover


def _intrusion(stage: Stage, time_s: float) -> Mover | None:
    zone = _zone(stage.site, "restricted")
    if zone is None:
        return None
    rng = stage.rng
    places = [_within(zone, 0.1, -0.15), _within(zone, rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.6))]
    return _visit(stage, ActKind.INTRUSION, [*places, _within(zone, -0.1, 0.3)])


def _loitering(stage: Stage, time_s: float) -> Mover | None:
    zone = _zone(stage.site, "loitering")
    if zone is None:
        return None
    rng = stage.rng
    places: list[Ground] = []
    side = rng.random() < 0.5
    for k in range(5):
        places.append(_within(zone, 0.15 + 0.7 * ((k + side) % 2), 0.2 + 0.15 * k + rng.uniform(-0.04, 0.04)))
    return _visit(stage, ActKind.LOITERING, places, halt=2, halt_s=rng.uniform(8.0, 16.0))


def _crowd(stage: Stage, time_s: float) -> Mover | None:
    zone = _zone(stage.site, "crowd")
    if zone is None:
        return None
    first: Mover | None = None
    for k in range(CROWD):
        angle = 2 * math.pi * k / CROWD
        place = _within(zone, 0.5 + 0.28 * math.cos(angle), 0.5 + 0.28 * math.sin(angle))
        mover = _visit(stage, ActKind.CROWD, [place], halt=0, halt_s=45.0)
        if mover is not None:
            mover.act = ActKind.CROWD if first is None else None
            first = first or mover
    return first


def _abandoned(stage: Stage, time_s: float) -> Mover | None:
    zone = _zone(stage.site, "abandoned_object")
    if zone is None:
        return None
    rng = stage.rng
    place = _within(zone, rng.uniform(0.35, 0.65), rng.uniform(0.25, 0.5))
    return _visit(stage, ActKind.ABANDONED_OBJECT, [place], halt=0, halt_s=3.0)


def put_down(stage: Stage) -> None:
    """Let go of the bag of everybody who has stopped to leave one."""
    m = stage.movers
    for row, mover in enumerate(m.who):
        if mover.act is not ActKind.ABANDONED_OBJECT or mover.kind == "object":
            continue
        if mover.halted_at_s is not None and not mover.passed:
            x, y, c, s = (float(column[row]) for column in (m.x, m.y, m.cos, m.sin))
            stage.arrivals.put(mover, x + 0.75 * s, y - 0.75 * c)
            mover.passed = True


DIRECTIONS = (
    Direction(ActKind.INTRUSION, _intrusion, lambda site: _zone(site, "restricted") is not None),
    Direction(ActKind.LOITERING, _loitering, lambda site: _zone(site, "loitering") is not None),
    Direction(ActKind.CROWD, _crowd, lambda site: _zone(site, "crowd") is not None),
    Direction(ActKind.ABANDONED_OBJECT, _abandoned, lambda site: _zone(site, "abandoned_object") is not None),
)

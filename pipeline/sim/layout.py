"""What stands still in the city, and what it means: roads, lanes, lines, zones, routes and cameras.

`Layout` (pipeline.sim.types) is what can be seen; a `Site` adds what traffic follows and what the law says.
Lateral offsets are metres to the left of a route.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from pipeline.sim.types import CameraPose, Ground, Layout, Paint, Surface
from pipeline.types import LampColor, RoadUserKind

Movement = Literal["left", "straight", "right", "u_turn"]


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane in the direction of travel."""

    id: str
    polygon: tuple[Ground, ...]
    direction: tuple[Ground, ...]
    classes: tuple[RoadUserKind, ...] = ()
    """Who may use it; empty: everyone."""


@dataclass(frozen=True, slots=True)
class StopLine:
    """A stop line and the signal groups that govern it."""

    id: str
    line: tuple[Ground, Ground]
    heading: float
    """Of travel across it, radians."""
    groups: dict[Movement, str]
    """Movement to signal group; a movement left out is forbidden."""
    clearance: tuple[Ground, Ground]
    """Beyond this line a vehicle has gone on into the junction: the far edge of the crossing."""
    exits: dict[Movement, tuple[Ground, ...]]
    """Where vehicles of each movement leave the junction, forbidden ones too."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A way through a junction that nobody may take."""

    line: StopLine
    act: Literal["banned_turn", "u_turn"]
    entry: tuple[Ground, ...]
    """Before the stop line."""
    exit: tuple[Ground, ...]


@dataclass(frozen=True, slots=True)
class Zone:
    """An area with a purpose."""

    id: str
    polygon: tuple[Ground, ...]
    purpose: str


@dataclass(frozen=True, slots=True)
class Room:
    """From `from_m` along a route on, a vehicle's sides stay between `right_m` and `left_m` of it."""

    from_m: float
    right_m: float
    left_m: float


@dataclass(frozen=True, slots=True)
class Route:
    """A way through the site that vehicles follow."""

    id: str
    points: tuple[Ground, ...]
    entry: str
    """Where it begins: arrivals of one entry share its queue."""
    classes: tuple[RoadUserKind, ...]
    rooms: tuple[Room, ...]
    share: float = 0.0
    """Weight among the routes of its entry that a class may choose; 0: taken by scripted actors only."""
    movement: Movement = "straight"
    line: StopLine | None = None
    stop_m: float = math.inf
    """Where the stop line lies along it."""
    yield_m: tuple[float, ...] = ()
    """Where a front waits for those that go first."""
    priority: int = 3
    """Who goes first where routes meet: the higher."""
    aside_m: float = 0.0
    """Where cars keep across their lane."""
    tags: frozenset[str] = frozenset()
    halt_m: float = 0.0
    """Where a scripted stop takes place; 0: nowhere."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A way of pedestrians, between two doors."""

    id: str
    points: tuple[Ground, ...]
    wait_m: float = math.inf
    """Where they wait to cross the road."""
    cross_m: float = 0.0
    """Length of the crossing from there."""
    group: str = ""
    """They walk over while this signal group ..."""
    color: LampColor = LampColor.RED
    """... shows this colour, and for long enough."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A place where a vehicle stands for good."""

    position: Ground
    heading: float
    kind: RoadUserKind


@dataclass(frozen=True, slots=True)
class Site:
    """A piece of the city."""

    layout: Layout
    lanes: tuple[Lane, ...] = ()
    lines: tuple[StopLine, ...] = ()
    zones: tuple[Zone, ...] = ()
    routes: tuple[Route, ...] = ()
    walks: tuple[Walk, ...] = ()
    parked: tuple[Parked, ...] = ()
    cameras: tuple[CameraPose, ...] = ()
    groups: dict[str, str] = field(default_factory=dict)
    """Head id to signal group."""
    limit_kmh: float = 50.0
    flow: float = 1.0
    """Arrivals at each entry relative to the scenario's."""


def pavements(site: Site) -> tuple[Zone, ...]:
    """Every pavement as a zone of its own."""
    grounds = [area for area in site.layout.areas if area.surface is Surface.PAVEMENT]
    return tuple(Zone(f"pavement.{k}", area.corners, "pavement") for k, area in enumerate(grounds))


ENTRY_M, BACK_M = 15.0, (1.0, 26.0)
"""Before a stop line, and beside it on the way back, what belongs to a turn."""
MIDDLE_M = 0.75
"""Between the two."""


def bans(site: Site) -> tuple[Ban, ...]:
    """U-turns at every stop line, and left turns where they have no signal group."""
    out = []
    for line in site.lines:
        (ax, ay), (bx, by) = line.line
        ux, uy = math.cos(line.heading), math.sin(line.heading)

        def behind(point: Ground, way_m: float, ux: float = ux, uy: float = uy) -> Ground:
            return point[0] - way_m * ux, point[1] - way_m * uy

        entry = (line.line[0], line.line[1], behind((bx, by), ENTRY_M), behind((ax, ay), ENTRY_M))
        size = math.dist(*line.line)
        near, other = ((ax - m * (bx - ax) / size, ay - m * (by - ay) / size) for m in (MIDDLE_M, size))
        back = tuple(behind(at, BACK_M[0]) for at in (near, other))
        far = tuple(behind(at, BACK_M[1]) for at in (other, near))
        out.append(Ban(line, "u_turn", entry, (*back, *far)))
        if "left" not in line.groups:
            out.append(Ban(line, "banned_turn", entry, line.exits["left"]))
    return tuple(out)


DOUBLE_M = 0.5
"""Solid lines that run side by side as near as this are one."""


def solid_lines(site: Site) -> tuple[tuple[Ground, Ground], ...]:
    """All solid paint as straight lines, a double one as its middle."""
    out: list[tuple[Ground, Ground]] = []
    for mark in site.layout.markings:
        if mark.paint is not Paint.SOLID:
            continue
        a, b = mark.line[0], mark.line[-1]
        twin = next(
            (k for k, (c, d) in enumerate(out) if max(math.dist(a, c), math.dist(b, d)) < DOUBLE_M), None
        )
        if twin is None:
            out.append((a, b))
        else:
            c, d = out[twin]
            out[twin] = (
                ((a[0] + c[0]) / 2, (a[1] + c[1]) / 2),
                ((b[0] + d[0]) / 2, (b[1] + d[1]) / 2),
            )
    return tuple(out)


@dataclass(frozen=True, slots=True)
class Outlaw:
    """A way from one lane between houses to the next that no lawful rider takes."""

    tag: str
    sides: tuple[float, float]
    """Room to the right (negative) and to the left, for getting past what stands there."""


AGAINST = Outlaw("wrong_way", (-0.5, 0.5))
"""Along the kerb, against the traffic, in the strip that others leave free."""
KERB_STRIP_M = 1.3
PAVEMENT = Outlaw("pavement", (-0.6, 2.2))
"""On the pavement, with the kerb to the right."""


def joined(sites: tuple[Site, ...]) -> Site:
    """Several pieces as one city."""
    layouts = [site.layout for site in sites]
    return Site(
        layout=Layout(
            areas=tuple(a for x in layouts for a in x.areas),
            markings=tuple(m for x in layouts for m in x.markings),
            heads=tuple(h for x in layouts for h in x.heads),
            seed=layouts[0].seed,
        ),
        lanes=tuple(x for site in sites for x in site.lanes),
        lines=tuple(x for site in sites for x in site.lines),
        zones=tuple(x for site in sites for x in site.zones),
        routes=tuple(x for site in sites for x in site.routes),
        walks=tuple(x for site in sites for x in site.walks),
        parked=tuple(x for site in sites for x in site.parked),
        cameras=tuple(x for site in sites for x in site.cameras),
        groups={k: v for site in sites for k, v in site.groups.items()},
    )


def rectangle(x0: float, y0: float, x1: float, y1: float) -> tuple[Ground, ...]:
    """An upright rectangle, counter-clockwise."""
    left, right, low, high = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    return ((left, low), (right, low), (right, high), (left, high))


def turned(points: tuple[Ground, ...], quarter: int) -> tuple[Ground, ...]:
    """Points turned about the origin by quarters, counter-clockwise."""
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter % 4]
    return tuple((c * x - s * y, s * x + c * y) for x, y in points)


def moved(points: tuple[Ground, ...], by: Ground) -> tuple[Ground, ...]:
    """Points shifted."""
    return tuple((x + by[0], y + by[1]) for x, y in points)


def length(points: tuple[Ground, ...]) -> float:
    """Of a polyline, metres."""
    return sum(math.dist(a, b) for a, b in pairwise(points))


def along(points: tuple[Ground, ...], near: Ground) -> float:
    """How far along a polyline the place nearest to a point lies, metres."""
    best, start = (math.inf, 0.0), 0.0
    for a, b in pairwise(points):
        size = max(math.dist(a, b), 1e-9)
        t = ((near[0] - a[0]) * (b[0] - a[0]) + (near[1] - a[1]) * (b[1] - a[1])) / size**2
        t = min(max(t, 0.0), 1.0)
        away = math.dist(near, (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
        best = min(best, (away, start + t * size))
        start += size
    return best[1]


def place_at(points: tuple[Ground, ...], way_m: float) -> Ground:
    """The place that lies so far along a polyline, or its end."""
    for a, b in pairwise(points):
        size = math.dist(a, b)
        if way_m <= size:
            share = way_m / size if size else 0.0
            return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
        way_m -= size
    return points[-1]


def bend(a: Ground, corner_a: Ground, corner_b: Ground, b: Ground, steps: int = 24) -> tuple[Ground, ...]:
    """A cubic Bézier curve from a to b."""
    out = []
    for k in range(steps + 1):
        t = k / steps
        w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        out.append(
            (
                sum(f * p[0] for f, p in zip(w, (a, corner_a, corner_b, b), strict=True)),
                sum(f * p[1] for f, p in zip(w, (a, corner_a, corner_b, b), strict=True)),
            )
        )
    return tuple(out)


def arc(centre: Ground, radius: float, start: float, end: float, steps: int = 16) -> tuple[Ground, ...]:
    """Part of a circle, angles in radians."""
    angles = [start + (end - start) * k / steps for k in range(steps + 1)]
    return tuple((centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles)


def rounded(points: tuple[Ground, ...], cut_m: float = 1.2) -> tuple[Ground, ...]:
    """A polyline whose corners are cut by curves that begin `cut_m` before each."""
    out = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        ends = []
        for other in (before, after):
            size = math.dist(corner, other)
            cut = min(cut_m, 0.45 * size) / size
            ends.append((corner[0] + cut * (other[0] - corner[0]), corner[1] + cut * (other[1] - corner[1])))
        out += bend(ends[0], corner, corner, ends[1], steps=8)
    return (*out, points[-1])

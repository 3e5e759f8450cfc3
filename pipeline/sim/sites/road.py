"""A straight road with two lanes each way, apart from the junction.

Eastbound both lanes are for everyone, with a bay to park in and a stretch where stopping is forbidden.
Westbound the kerb lane is for motorbikes and bicycles and the inner one for the others.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pipeline.sim.layout import (
    AGAINST,
    KERB_STRIP_M,
    PAVEMENT,
    Lane,
    Outlaw,
    Parked,
    Room,
    Route,
    Site,
    Walk,
    Zone,
    moved,
    rectangle,
    rounded,
)
from pipeline.sim.types import Area, CameraPose, Ground, Layout, Marking, Paint, Surface
from pipeline.types import RoadUserKind

AT: Ground = (0.0, -330.0)
"""Where it lies in the city."""
REACH = 150.0
EDGES = (0.3, 3.9, 8.1)
"""Lane borders from the middle outwards; the last is the kerb."""
INNER, OUTER = 2.1, 6.0
KERB = EDGES[-1]
BACK = KERB + 5.0
DEEP = BACK + 18.0
ALLEYS = (-58.0, -8.0, 46.0)
ALLEY_WIDTH = 4.0
BAY = (-46.0, -20.0, 2.6)
"""From, to, depth of the parking bay south of the road."""
NO_STOPPING = (4.0, 36.0)
CRAWL = (-40.0, 30.0)
"""Where a jam may be."""

WIDE = (RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK)
NARROW = (RoadUserKind.MOTORBIKE, RoadUserKind.BICYCLE)


def road(seed: int) -> Site:
    """The road, with its middle at AT."""
    lanes = (
        Lane("road.east1", rectangle(-REACH, -3.9, REACH, -0.3), ((-REACH, -INNER), (REACH, -INNER))),
        Lane("road.east2", rectangle(-REACH, -8.1, REACH, -3.9), ((-REACH, -OUTER), (REACH, -OUTER))),
        Lane("road.west1", rectangle(-REACH, 0.3, REACH, 3.9), ((REACH, INNER), (-REACH, INNER)), WIDE),
        Lane("road.west2", rectangle(-REACH, 3.9, REACH, 8.1), ((REACH, OUTER), (-REACH, OUTER)), NARROW),
    )
    zones = (
        Zone(
            "road.no_stopping", rectangle(NO_STOPPING[0], -KERB, NO_STOPPING[1], -KERB + 3.4), "no_stopping"
        ),
        Zone("road.no_trucks", rectangle(-REACH, -KERB, REACH, KERB), "restricted_hours"),
    )
    cameras = (
        CameraPose("road-east", (-64.0, -11.5, 7.0), (0.0, -2.0, 0.0), 52.0),
        CameraPose("road-west", (66.0, 11.5, 7.5), (6.0, 2.5, 0.0), 52.0),
        # A gantry over the westbound lanes, with a long lens on the backs of those who have passed below it.
        CameraPose("road-lanes", (6.0, 4.2, 6.0), (-22.0, 4.2, 0.6), 15.0, reads_plates=True),
    )
    return Site(
        layout=Layout(
            tuple(Area(a.surface, moved(a.corners, AT)) for a in _ground()),
            tuple(Marking(m.paint, moved(m.line, AT), m.width_m) for m in _paint()),
            (),
            seed,
        ),
        lanes=tuple(Lane(x.id, moved(x.polygon, AT), moved(x.direction, AT), x.classes) for x in lanes),
        zones=tuple(Zone(z.id, moved(z.polygon, AT), z.purpose) for z in zones),
        routes=tuple(_routes()),
        walks=tuple(_walks()),
        parked=tuple(_parked()),
        cameras=tuple(
            replace(camera, position=_lifted(camera.position), look_at=_lifted(camera.look_at))
            for camera in cameras
        ),
    )


def _lifted(point: tuple[float, float, float]) -> tuple[float, float, float]:
    return (point[0] + AT[0], point[1] + AT[1], point[2])


def _stretches(cuts: list[tuple[float, float]]) -> list[tuple[float, float]]:
    edges = [-REACH, *(e for cut in sorted(cuts) for e in cut), REACH]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _ground() -> list[Area]:
    alleys = [(x - ALLEY_WIDTH / 2, x + ALLEY_WIDTH / 2) for x in ALLEYS]
    start, end, depth = BAY
    out = [Area(Surface.ROAD, rectangle(-REACH, -KERB, REACH, KERB))]
    out.append(Area(Surface.ROAD, rectangle(start, -KERB, end, -KERB - depth)))
    out.append(Area(Surface.PAVEMENT, rectangle(start, -KERB - depth, end, -BACK)))
    for side, bays in ((1, []), (-1, [(start, end)])):
        for a, b in _stretches([*alleys, *bays]):
            out.append(Area(Surface.PAVEMENT, rectangle(a, side * KERB, b, side * BACK)))
        for a, b in _stretches(alleys):
            out.append(Area(Surface.PLOT, rectangle(a, side * BACK, b, side * DEEP)))
        for a, b in alleys:
            out.append(Area(Surface.ROAD, rectangle(a, side * KERB, b, side * DEEP)))
        out.append(Area(Surface.GRASS, rectangle(-REACH, side * DEEP, REACH, side * (DEEP + 40))))
    return out


def _paint() -> list[Marking]:
    out = [Marking(Paint.SOLID, ((-REACH, y), (REACH, y))) for y in (-0.15, 0.15)]
    out += [Marking(Paint.DASHED, ((-REACH, y), (REACH, y))) for y in (-EDGES[1], EDGES[1])]
    for x in range(-120, 121, 60):
        for y in (-INNER, -OUTER):
            out.append(Marking(Paint.ARROW_STRAIGHT, ((x, y), (x + 4.0, y)), 0.3))
        for y in (INNER, OUTER):
            out.append(Marking(Paint.ARROW_STRAIGHT, ((x, y), (x - 4.0, y)), 0.3))
    return out


def _routes() -> list[Route]:
    out = []

    def add(
        id_: str,
        classes: tuple[RoadUserKind, ...],
        share: float,
        sides: tuple[float, float],
        *tags: str,
        halt_m: float = 0.0,
        aside_m: float = 0.0,
    ) -> None:
        direction, lane = id_.split(".")[0], id_.split(".")[1][0]
        sign = 1 if direction == "east" else -1
        y = -sign * (INNER if lane == "1" else OUTER)
        out.append(
            Route(
                f"road.{id_}",
                moved(((-sign * REACH, y), (sign * REACH, y)), AT),
                f"road.{direction}",
                classes,
                (Room(0, *sides),),
                share,
                aside_m=aside_m,
                tags=frozenset(tags),
                halt_m=halt_m,
            )
        )

    inner, outer = (-1.8, 1.8), (-2.1 + KERB_STRIP_M, 2.1)
    add("east.1", WIDE, 5, inner, "speeding")
    add("east.1bike", NARROW[:1], 2, inner, "speeding")
    add(
        "east.2",
        WIDE,
        1,
        (-2.1 + KERB_STRIP_M, 5.7),
        "slow_in_jam",
        halt_m=REACH + (NO_STOPPING[0] + NO_STOPPING[1]) / 2,
        aside_m=0.6,
    )
    add("east.2bike", NARROW, 6, outer, "overtakes", halt_m=REACH + NO_STOPPING[1] - 9)
    add("west.1", WIDE, 6, inner, "speeding")
    add("west.1bike", NARROW[:1], 0, inner, "wrong_lane")
    add("west.2", NARROW, 8, outer, "overtakes")
    add("west.2car", WIDE[:1], 0, outer, "wrong_lane", aside_m=0.6)
    first, second, third = ALLEYS
    for side, a, b in (("south", third, second), ("north", first, second)):
        s = -1.0 if side == "south" else 1.0
        inward = 0.7 if b > a else -0.7
        y = s * (KERB - 0.8)
        against = rounded(
            ((a - inward, s * DEEP), (a - inward, y), (b + inward, y), (b + inward, s * DEEP)), 3.5
        )
        out.append(_alley_route(f"road.{side}.against", against, DEEP - KERB - 0.4, AGAINST))
        y = s * (KERB + 0.8)
        path = rounded(
            ((a + inward, s * DEEP), (a + inward, y), (b - inward, y), (b - inward, s * DEEP)), 2.5
        )
        out.append(_alley_route(f"road.{side}.pavement", path, DEEP - BACK, PAVEMENT))
    return out


def _alley_route(id_: str, points: tuple[Ground, ...], wait_m: float, out: Outlaw) -> Route:
    return Route(
        id_,
        moved(points, AT),
        id_,
        NARROW[:1],
        (Room(0, *out.sides),),
        yield_m=(wait_m,),
        priority=0,
        tags=frozenset({out.tag}),
    )


def _walks() -> list[Walk]:
    out = []
    for k, (side, a, b) in enumerate(
        ((1, -90.0, 20.0), (1, -30.0, 80.0), (-1, 6.0, 70.0), (-1, -95.0, -52.0))
    ):
        y, door = side * (KERB + 2.3), side * (BACK + 1.2)
        points = moved(rounded(((a, door), (a, y), (b, y), (b, door))), AT)
        out.append(Walk(f"road.walk{k}", points))
        out.append(Walk(f"road.walk{k}.back", points[::-1]))
    return out


def _parked() -> list[Parked]:
    out = []
    start, _, depth = BAY
    for k in range(4):
        (at,) = moved(((start + 3.4 + 6.2 * k, -KERB - depth / 2),), AT)
        if k != 2:
            out.append(Parked(at, 0.0, RoadUserKind.CAR))
    for k in range(6):
        (at,) = moved(((9.0 + 1.35 * k, BACK - 0.85),), AT)
        out.append(Parked(at, math.pi / 2 - 0.95, RoadUserKind.MOTORBIKE))
    return out

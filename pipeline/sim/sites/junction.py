"""A junction of four arms with signals. Right-hand traffic, as in Viet Nam.

Each arm has three lanes in and three out: for turning left, for cars going straight, and at the kerb for
motorbikes and everybody who turns right. Left turns from the west arm and all U-turns are forbidden. Every
arm is drawn as the southern one, in metres from the junction's centre, and turned into place.
"""

from __future__ import annotations

import math
from itertools import pairwise

from pipeline.sim.layout import (
    AGAINST,
    KERB_STRIP_M,
    PAVEMENT,
    Lane,
    Movement,
    Outlaw,
    Parked,
    Room,
    Route,
    Site,
    StopLine,
    Zone,
    along,
    arc,
    bend,
    length,
    rectangle,
    rounded,
    turned,
)
from pipeline.sim.sites.beside import cameras, parked, walks
from pipeline.sim.sites.measures import (
    ALLEY_WIDTH,
    ALLEYS,
    ARMS,
    BACK,
    CENTRES,
    CLEAR,
    CORNER_RADIUS,
    DEEP,
    EDGES,
    KERB,
    NARROW,
    REACH,
    RIGHT_SHIFT_M,
    SOLID_TO,
    STOP,
    TURNING_WIDTH,
    WIDE,
    ZEBRA,
    ZEBRA_WIDTH,
)
from pipeline.sim.types import (
    Area,
    Ground,
    Layout,
    Marking,
    Paint,
    SignalHead,
    Surface,
)
from pipeline.types import RoadUserKind


def junction(seed: int) -> Site:
    """The junction around the world's origin."""
    areas: list[Area] = [Area(Surface.ROAD, _outline())]
    markings: list[Marking] = []
    lanes: list[Lane] = []
    zones: list[Zone] = []
    places: list[Parked] = []
    for arm in range(4):
        areas += [Area(a.surface, turned(a.corners, arm)) for a in _ground(arm)]
        markings += [Marking(m.paint, turned(m.line, arm), m.width_m) for m in _paint(arm)]
        lanes += _lanes(arm)
        places += parked(arm)
        zones.append(
            Zone(
                f"{ARMS[arm]}.no_stopping",
                turned(rectangle(-KERB, -58, -KERB + 3.2, -30), arm),
                "no_stopping",
            )
        )
    zones.append(Zone("junction.no_trucks", rectangle(-STOP, -STOP, STOP, STOP), "restricted_hours"))
    lines = tuple(_line(arm) for arm in range(4))
    heads, groups = _heads()
    return Site(
        layout=Layout(tuple(areas), tuple(markings), heads, seed),
        lanes=tuple(lanes),
        lines=lines,
        zones=tuple(zones),
        routes=tuple(route for arm in range(4) for route in _routes(arm, lines[arm])),
        walks=tuple(walk for arm in range(4) for walk in walks(arm)),
        parked=tuple(places),
        cameras=cameras(),
        groups=groups,
    )


def _outline() -> tuple[Ground, ...]:
    far = KERB + CORNER_RADIUS
    one = ((-KERB, -REACH), (KERB, -REACH), *arc((far, -far), CORNER_RADIUS, math.pi, math.pi / 2, 10))
    return tuple(point for arm in range(4) for point in turned(one, arm))


def _between(cuts: tuple[float, ...], start: float, end: float) -> list[tuple[float, float]]:
    """The stretches of start..end that alleys leave."""
    edges = [start, *(e for c in cuts for e in (c - ALLEY_WIDTH / 2, c + ALLEY_WIDTH / 2)), end]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _ground(arm: int) -> list[Area]:
    far = KERB + CORNER_RADIUS
    kerb = arc((far, -far), CORNER_RADIUS, math.pi, math.pi / 2, 10)
    out = [Area(Surface.PAVEMENT, (*kerb, (far, -BACK), (BACK, -BACK), (BACK, -far)))]
    out.append(Area(Surface.PAVEMENT, rectangle(KERB, -REACH, BACK, -far)))
    out.append(Area(Surface.PLOT, rectangle(BACK, -REACH, DEEP, -BACK)))
    out.append(Area(Surface.GRASS, rectangle(DEEP, -REACH, REACH, -DEEP)))
    for a, b in _between(ALLEYS, far, REACH):
        out.append(Area(Surface.PAVEMENT, rectangle(-KERB, -a, -BACK, -b)))
    for a, b in _between(ALLEYS, DEEP, REACH):
        if b > a:
            out.append(Area(Surface.PLOT, rectangle(-BACK, -a, -DEEP, -b)))
    for at in ALLEYS:
        out.append(Area(Surface.ROAD, rectangle(-KERB, -at - ALLEY_WIDTH / 2, -DEEP, -at + ALLEY_WIDTH / 2)))
    return out


def _paint(arm: int) -> list[Marking]:
    out = [
        Marking(Paint.STOP_LINE, ((EDGES[0], -STOP), (KERB, -STOP)), 0.4),
        Marking(Paint.CROSSING, ((-KERB, -ZEBRA), (KERB, -ZEBRA)), ZEBRA_WIDTH),
    ]
    for x in (-0.15, 0.15):
        out.append(Marking(Paint.SOLID, ((x, -STOP), (x, -REACH))))
    for x in EDGES[1:3]:
        out.append(Marking(Paint.SOLID, ((x, -STOP), (x, -SOLID_TO))))
        out.append(Marking(Paint.DASHED, ((x, -SOLID_TO), (x, -REACH))))
        out.append(Marking(Paint.DASHED, ((-x, -STOP), (-x, -REACH))))
    arrows = [Paint.ARROW_STRAIGHT if ARMS[arm] == "W" else Paint.ARROW_LEFT, Paint.ARROW_STRAIGHT]
    for paint, x in zip([*arrows, Paint.ARROW_RIGHT], CENTRES, strict=True):
        for at in (STOP + 9, STOP + 24):
            out.append(Marking(paint, ((x, -at), (x, -at + 4.0)), 0.3))
    return out


def _lanes(arm: int) -> list[Lane]:
    out = []
    name = ARMS[arm]
    for k, (a, b) in enumerate(pairwise(EDGES)):
        x = CENTRES[k]
        classes = WIDE if k == 1 else ()
        into = Lane(
            f"{name}.in{k + 1}",
            rectangle(a, -REACH, b, -STOP),
            ((x, -REACH), (x, -STOP)),
            classes,
        )
        out_of = Lane(
            f"{name}.out{k + 1}",
            rectangle(-b, -REACH, -a, -STOP),
            ((-x, -STOP), (-x, -REACH)),
        )
        out += [
            Lane(lane.id, turned(lane.polygon, arm), turned(lane.direction, arm), lane.classes)
            for lane in (into, out_of)
        ]
    return out


def _line(arm: int) -> StopLine:
    name = ARMS[arm]
    ball = f"{name}.ball"
    groups: dict[Movement, str] = {"left": ball, "straight": ball, "right": ball}
    if name == "S":
        groups["right"] = "S.right"
    if name == "W":
        del groups["left"]
    exits: dict[Movement, tuple[Ground, ...]] = {
        "left": rectangle(-20, 0.3, -9, KERB),
        "straight": rectangle(0.3, -4, KERB, 20),
        "right": rectangle(11, -KERB, 20, -0.3),
    }
    a, b = turned(((EDGES[0], -STOP), (KERB, -STOP)), arm)
    c, d = turned(((EDGES[0], -CLEAR), (KERB, -CLEAR)), arm)
    return StopLine(
        f"{name}.line",
        (a, b),
        (1 + arm) * math.pi / 2,
        groups,
        (c, d),
        {movement: turned(area, arm) for movement, area in exits.items()},
    )


def _heads() -> tuple[tuple[SignalHead, ...], dict[str, str]]:
    heads: list[SignalHead] = []
    groups: dict[str, str] = {}

    def add(
        arm: int, name: str, at: tuple[float, float, float], pole: Ground, group: str, arrow: bool
    ) -> None:
        (x, y), foot = turned((at[:2], pole), arm)
        head = f"{ARMS[arm]}.{name}"
        heads.append(
            SignalHead(
                head,
                (x, y, at[2]),
                (arm - 1) * math.pi / 2,
                "single" if arrow else "vertical",
                "arrow_right" if arrow else "ball",
                foot,
            )
        )
        groups[head] = f"{ARMS[arm]}.{group}"

    for arm in range(4):
        add(arm, "ball", (8.6, -18.0, 5.6), (12.4, -18.0), "ball", False)
        add(arm, "far", (12.4, 18.2, 4.2), (12.6, 18.2), "ball", False)
        # Repeats the ball low on its mast, as for those who stand right under it.
        add(arm, "low", (12.15, -18.0, 2.6), (12.4, -18.0), "ball", False)
    add(0, "right", (9.7, -18.0, 5.4), (12.4, -18.0), "right", True)
    return tuple(heads), groups


def _routes(arm: int, line: StopLine) -> list[Route]:
    name = ARMS[arm]
    left, middle, kerb = CENTRES
    out = []
    wide, narrow = WIDE, NARROW

    def add(
        id_: str,
        lane: int,
        way: tuple[Ground, ...],
        classes: tuple[RoadUserKind, ...],
        share: float,
        movement: Movement = "straight",
        waits: tuple[Ground, ...] = (),
        priority: int = 3,
        tags: tuple[str, ...] = (),
        leaves_by: int = 0,
    ) -> None:
        x = CENTRES[lane]
        points = ((x, -REACH), (x, -STOP), *way)
        stop_m = REACH - STOP
        sides = (-(EDGES[lane + 1] - x), x - EDGES[lane])
        if lane == 2 and classes == NARROW:
            rooms = [Room(0, sides[0] + TURNING_WIDTH, sides[1])]
        elif movement == "right":
            rooms = [Room(0, sides[0], sides[0] + TURNING_WIDTH)]
        else:
            rooms = [Room(0, *sides)]
        gone_m = length(points) - REACH + 24
        away = CENTRES[leaves_by] - RIGHT_SHIFT_M * (movement == "right")
        rooms.append(
            Room(
                gone_m,
                KERB_STRIP_M * (leaves_by == 2) - (EDGES[leaves_by + 1] - away),
                away - EDGES[max(leaves_by - 1, 0)],
            )
        )
        out.append(
            Route(
                f"{name}.{id_}",
                turned(points, arm),
                name,
                classes,
                tuple(rooms),
                share,
                movement,
                line,
                stop_m,
                tuple(along(points, wait) for wait in waits),
                priority,
                0.35 if lane == 0 else 0.5 if lane == 2 else 0.0,
                frozenset(tags),
                length(points) - REACH + 44 if leaves_by == 2 else 0.0,
            )
        )

    def turn_left() -> tuple[Ground, ...]:
        near, far = -CLEAR - 0.75, -CLEAR - 0.75
        h = 0.58 * (left - near)
        return (*bend((left, near), (left, near + h), (far + h, left), (far, left)), (-REACH, left))

    def turn_right() -> tuple[Ground, ...]:
        near, away = -17.0, kerb - RIGHT_SHIFT_M
        h = 0.6 * (-near - kerb)
        return (*bend((kerb, near), (kerb, near + h), (-near - h, -away), (-near, -away)), (REACH, -away))

    def turn_round() -> tuple[Ground, ...]:
        radius = (left + middle) / 2
        return (
            (left, -12.0),
            *arc((left - radius, -12.0), radius, 0, math.pi),
            (-middle, -REACH),
        )

    gives_way: tuple[Ground, ...] = ((-1.4, -3.4), (-CLEAR + 0.4, left - 0.2))
    if name == "W":
        add("1.straight", 0, ((left, REACH),), wide, 3.0)
        add("1.banned", 0, turn_left(), (*wide[:1], NARROW[0]), 0, "left", gives_way, 0, ("banned_turn",))
    else:
        add("1.left", 0, turn_left(), (*wide, NARROW[0]), 2.0, "left", gives_way, 1)
    add(
        "1.u_turn",
        0,
        turn_round(),
        (wide[0], NARROW[0]),
        0,
        "u_turn",
        ((left, -13.0),),
        0,
        ("u_turn",),
        leaves_by=1,
    )
    add("2.straight", 1, ((middle, REACH),), wide, 5.0, tags=("solid_line",), leaves_by=1)
    add("2.bike", 1, ((middle, REACH),), NARROW[:1], 0, tags=("wrong_lane",), leaves_by=1)
    add("3.straight", 2, ((kerb, REACH),), narrow, 6.0, leaves_by=2)
    add(
        "3.right",
        2,
        turn_right(),
        (*wide, *narrow),
        2.0,
        "right",
        ((kerb, -STOP - 0.6), (CLEAR - 0.5, -kerb)),
        2,
        leaves_by=2,
    )
    near, far = ALLEYS
    x = -KERB + 0.8
    against = rounded(((-DEEP, -far - 0.7), (x, -far - 0.7), (x, -near + 0.7), (-DEEP, -near + 0.7)), 3.5)
    out.append(_alley_route(f"{name}.against", arm, against, (-KERB - 0.4, -far - 0.7), AGAINST))
    x = -KERB - 0.8
    path = rounded(((-DEEP, -far + 0.7), (x, -far + 0.7), (x, -near - 0.7), (-DEEP, -near - 0.7)), 2.5)
    out.append(_alley_route(f"{name}.pavement", arm, path, (-BACK, -far + 0.7), PAVEMENT))
    return out


def _alley_route(id_: str, arm: int, points: tuple[Ground, ...], wait: Ground, out: Outlaw) -> Route:
    return Route(
        id_,
        turned(points, arm),
        id_,
        NARROW[:1],
        (Room(0, *out.sides),),
        yield_m=(along(points, wait),),
        priority=0,
        tags=frozenset({out.tag}),
    )

"""Which model and colours an actor has, drawn from its seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np

from pipeline.sim.render import cars, heavy, people, twowheelers
from pipeline.sim.render.mesh import Material, Mesh
from pipeline.sim.render.paints import (
    BIKE_PAINT,
    CAR_PAINT,
    HAIR,
    HELMETS,
    SHIRTS,
    SKIN,
    TROUSERS,
    UNIFORMS,
    Palette,
    Rgb,
    draw,
    palette,
)
from pipeline.sim.types import Actor, Rider

M = Material


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One model of an actor and where it sits on it."""

    mesh: Mesh
    coarse: Mesh
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    """In the actor's own coordinates, metres."""
    colors: Palette
    head: int = 0
    """1 for the first rider's head, and so on."""
    helmet: bool = False
    head_at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head_radius: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """All pieces of an actor, and where its plates are: centre, half width, height, facing (+1 forward) and
    how far the plate leans back."""

    pieces: tuple[Piece, ...]
    plates: tuple[tuple[tuple[float, float, float], float], ...] = field(default=())


@cache
def _pair(kind: str, *details: object) -> tuple[Mesh, Mesh]:
    build = {
        "car": cars.car,
        "bus": heavy.bus,
        "truck": heavy.truck,
        "motorbike": twowheelers.motorbike,
        "load": twowheelers.load,
        "bicycle": twowheelers.bicycle,
        "rider": people.rider,
        "pedestrian": people.pedestrian,
        "object": twowheelers.luggage,
    }[kind]
    fine, coarse = (build(*details, detail) for detail in (1.0, 0.5))  # type: ignore[operator]
    return fine, coarse


@dataclass(frozen=True, slots=True)
class Body:
    """What an actor's look depends on."""

    kind: str
    seed: int
    size: tuple[float, float, float]
    riders: tuple[Rider, ...]
    step: int
    plate: str
    """Its plate's colour, or nothing."""


def look(actor: Actor) -> Look:
    """An actor's models and colours; the same for the same seed."""
    step = people.STEPS
    if actor.kind == "person" and actor.speed_mps > 0.15:
        step = int(actor.stride % 1.0 * people.STEPS) % people.STEPS
    size = (round(actor.length_m, 3), round(actor.width_m, 3), round(actor.height_m, 3))
    plate = actor.plate.color if actor.plate else ""
    return _look(Body(str(actor.kind), actor.seed, size, actor.riders, step, plate))


@lru_cache(maxsize=8192)
def _look(body: Body) -> Look:
    rng = np.random.default_rng([body.seed, 47])
    make = {
        "car": _car,
        "bus": _bus,
        "truck": _truck,
        "motorbike": _motorbike,
        "bicycle": _bicycle,
        "person": _person,
        "object": _object,
    }[body.kind]
    return make(body, rng)


def _piece(body: Body, colors: Palette, kind: str, *details: object) -> Piece:
    fine, coarse = _pair(kind, *details)
    scale = tuple(have / want for have, want in zip(body.size, fine.size, strict=True))
    return Piece(fine, coarse, (scale[0], scale[1], scale[2]), (0.0, 0.0, 0.0), colors)


def _car(body: Body, rng: np.random.Generator) -> Look:
    length, _, height = body.size
    chance = rng.random()
    if length > 4.9:
        style = "pickup" if chance < 0.7 else "minivan"
    elif height > 1.62:
        style = "suv" if chance < 0.62 else "minivan" if chance < 0.85 else "pickup"
    elif length < 4.2:
        style = "hatchback"
    else:
        style = "sedan" if chance < 0.62 else "suv" if chance < 0.85 else "hatchback"
    taxi = body.plate == "yellow" and style in ("sedan", "hatchback", "suv") and rng.random() < 0.7
    paint = draw(rng, CAR_PAINT)
    sign: Rgb = (226, 226, 222)
    if taxi:
        paint = ((228, 230, 228), (16, 122, 70), (236, 190, 30), (120, 190, 196))[rng.integers(4)]
        sign = ((20, 130, 70), (240, 240, 235), (240, 200, 40))[rng.integers(3)]
    trim = paint if style not in ("suv", "pickup", "minivan") or rng.random() < 0.5 else (38, 38, 40)
    colors = palette(PAINT=paint, TRIM=trim, SIGN=sign)
    if rng.random() < 0.3:
        colors[M.METAL] = (70, 72, 74, 60)
    piece = _piece(body, colors, "car", style, taxi)
    low = {"sedan": 0.40, "hatchback": 0.36, "suv": 0.42, "minivan": 0.34, "pickup": 0.40}[style] * height
    return Look(
        (piece,), (((-length / 2 - 0.035, 0.0, low), -1.0), ((length / 2 + 0.045, 0.0, 0.27 * height), 1.0))
    )


def _bus(body: Body, rng: np.random.Generator) -> Look:
    schemes: tuple[tuple[Rgb, Rgb], ...] = (
        ((20, 110, 70), (235, 235, 230)),
        ((225, 225, 220), (200, 60, 40)),
        ((230, 180, 40), (180, 40, 40)),
        ((60, 130, 190), (240, 240, 240)),
        ((200, 60, 50), (240, 220, 90)),
    )
    paint, trim = schemes[rng.integers(len(schemes))]
    colors = palette(PAINT=paint, TRIM=trim, SIGN=(225, 222, 210))
    length, _, height = body.size
    piece = _piece(body, colors, "bus", bool(rng.random() < 0.6))
    return Look(
        (piece,),
        (((-length / 2 - 0.05, 0.0, 0.27 * height), -1.0), ((length / 2 + 0.08, 0.0, 0.15 * height), 1.0)),
    )


def _truck(body: Body, rng: np.random.Generator) -> Look:
    cabs: tuple[tuple[Rgb, float], ...] = (
        ((225, 226, 224), 0.35),
        ((40, 90, 160), 0.25),
        ((40, 120, 80), 0.12),
        ((170, 36, 30), 0.14),
        ((220, 170, 40), 0.14),
    )
    style = str(rng.choice(["van", "stake", "tipper", "tank"], p=[0.5, 0.25, 0.15, 0.10]))
    paint = draw(rng, cabs)
    cargo: Rgb = (226, 227, 224)
    trim: Rgb = draw(rng, cabs)
    if style in ("stake", "tipper"):
        cargo, trim = ((150, 120, 84), (120, 116, 104), (176, 150, 60))[rng.integers(3)], paint
    elif style == "tank":
        cargo = (176, 180, 182)
    colors = palette(PAINT=paint, TRIM=trim, CARGO=cargo, SIGN=draw(rng, SHIRTS, 20))
    length, _, height = body.size
    piece = _piece(body, colors, "truck", style)
    return Look(
        (piece,),
        (((-length / 2 - 0.03, 0.0, 0.19 * height), -1.0), ((length / 2 + 0.06, 0.0, 0.26 * height), 1.0)),
    )


def _clothes(rng: np.random.Generator, helmet: bool, uniform: Rgb | None) -> Palette:
    colors = palette(
        SKIN=SKIN[rng.integers(len(SKIN))],
        SHIRT=uniform or draw(rng, SHIRTS),
        TROUSERS=draw(rng, TROUSERS, 8),
        HAT=(uniform or draw(rng, HELMETS)) if helmet else HAIR[rng.integers(len(HAIR))],
        MASK=((200, 206, 210), (40, 42, 46), (120, 160, 190), (190, 140, 150))[rng.integers(4)],
        CARGO=draw(rng, SHIRTS, 20),
        SHOES=((36, 34, 34), (196, 192, 186), (110, 80, 60))[rng.integers(3)],
    )
    if not helmet:
        colors[M.HAT, 3] = 22
    return colors


def _seated(
    body: Body,
    rider: Rider,
    place: int,
    seat: str,
    offset: tuple[float, float, float],
    scale: float,
) -> Piece:
    rng = np.random.default_rng([rider.seed, 53])
    uniform = UNIFORMS[rng.integers(3)] if seat.startswith("driver") and rng.random() < 0.14 else None
    if rider.helmet:
        wear = str(rng.choice(["helmet", "half", "full"], p=[0.42, 0.45, 0.13]))
    else:
        wear = str(
            rng.choice(
                ["hair", "long", "cap"] if seat != "cyclist" else ["hair", "long", "cone"],
                p=[0.55, 0.3, 0.15],
            )
        )
    mask = bool(rng.random() < 0.45)
    fine, coarse = _pair("rider", seat, wear, mask)
    colors = _clothes(rng, rider.helmet, uniform)
    if wear in ("cap", "cone"):
        colors[M.HAT] = (*((206, 186, 140) if wear == "cone" else draw(rng, SHIRTS)), 20)
    x, y, z = people.head_centre(seat)
    return Piece(
        fine,
        coarse,
        (scale, scale, scale),
        offset,
        colors,
        place,
        rider.helmet,
        (x * scale + offset[0], y * scale + offset[1], z * scale + offset[2]),
        people.HEAD_RADIUS_M * scale,
    )


def _motorbike(body: Body, rng: np.random.Generator) -> Look:
    style = str(rng.choice(["underbone", "scooter", "classic"], p=[0.46, 0.44, 0.10]))
    paint = draw(rng, BIKE_PAINT)
    length = body.size[0]
    fine, coarse = _pair("motorbike", style)
    s = length / fine.size[0]
    bike = palette(PAINT=paint, TRIM=paint, METAL=(140, 142, 146))
    pieces = [Piece(fine, coarse, (s, s, s), (0, 0, 0), bike)]
    count = len(body.riders)
    small = count >= 3
    driver = "driver2" if rng.random() < 0.35 else "driver"
    # More than two sit closer together: the driver forward, a child between or in front.
    forward = 0.0 if count < 3 else 0.12
    seats: list[tuple[str, tuple[float, float, float], float]] = [(driver, (forward, 0.0, 0.0), 1.0)]
    if count == 2:
        seats.append(("pillion", (0.0, 0.0, 0.0), float(rng.uniform(0.92, 1.0))))
    elif small:
        back = (-0.10, 0.0, 0.0)
        seats += [("pillion", (0.13, 0.0, 0.14), 0.80), ("pillion", back, 0.96)]
        seats += [("pillion", (0.62, 0.0, 0.10), 0.62)] * (count - 3)
    for place, (rider, (seat, offset, scale)) in enumerate(
        zip(body.riders[:4], seats, strict=False), start=1
    ):
        at = (offset[0] * s, offset[1], offset[2])
        pieces.append(_seated(body, rider, place, seat, at, scale))
    if count <= 1 and rng.random() < 0.22:
        pieces.append(_load(str(rng.choice(["box", "sacks", "gas"], p=[0.5, 0.35, 0.15])), s, rng))
    elif rng.random() < 0.15:
        pieces.append(_load("bag", s, rng))
    x, z = {"underbone": (-0.862, 0.52), "scooter": (-0.868, 0.46), "classic": (-0.888, 0.55)}[style]
    return Look(tuple(pieces), (((x * s, 0.0, z * s), -1.0),))


def _load(style: str, s: float, rng: np.random.Generator) -> Piece:
    fine, coarse = _pair("load", style)
    cargo: Rgb = draw(rng, SHIRTS, 20)
    if style == "box":
        cargo = ((20, 130, 70), (226, 140, 20), (170, 120, 70), (40, 44, 50), (200, 40, 40))[rng.integers(5)]
    elif style == "gas":
        cargo = ((60, 90, 150), (150, 150, 150), (200, 50, 40))[rng.integers(3)]
    return Piece(fine, coarse, (s, s, s), (0, 0, 0), palette(CARGO=cargo, SIGN=draw(rng, SHIRTS, 20)))


def _bicycle(body: Body, rng: np.random.Generator) -> Look:
    fine, coarse = _pair("bicycle")
    s = body.size[0] / fine.size[0]
    pieces = [Piece(fine, coarse, (s, s, s), (0, 0, 0), palette(PAINT=draw(rng, BIKE_PAINT)))]
    for place, rider in enumerate(body.riders[:1], start=1):
        pieces.append(_seated(body, rider, place, "cyclist", (0.0, 0.0, 0.0), 1.0))
    return Look(tuple(pieces))


def _person(body: Body, rng: np.random.Generator) -> Look:
    wear = str(rng.choice(["hair", "long", "cap", "cone"], p=[0.46, 0.28, 0.12, 0.14]))
    fine, coarse = _pair("pedestrian", body.step, wear, bool(rng.random() < 0.3))
    s = body.size[2] / fine.size[2]
    colors = _clothes(rng, False, None)
    if wear in ("cap", "cone"):
        colors[M.HAT] = (*((206, 186, 140) if wear == "cone" else draw(rng, SHIRTS)), 20)
    if rng.random() < 0.25:
        colors[M.TROUSERS, :3] = colors[M.SKIN, :3]
    x, y, z = people.head_centre("pedestrian")
    return Look(
        (
            Piece(
                fine,
                coarse,
                (s, s, s),
                (0, 0, 0),
                colors,
                1,
                False,
                (x * s, y * s, z * s),
                people.HEAD_RADIUS_M * s,
            ),
        )
    )


def _object(body: Body, rng: np.random.Generator) -> Look:
    style = str(rng.choice(["suitcase", "carton", "backpack"]))
    paint = (170, 130, 84) if style == "carton" else draw(rng, SHIRTS, 20)
    return Look((_piece(body, palette(CARGO=paint), "object", style),))

"""What road users are: sizes, manners, plates and riders."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pipeline.sim.types import Plate, PlateColor, Rider
from pipeline.types import RoadUserKind

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Model:
    """One class: spans to draw from, metres and seconds.

    `height_m` is the vehicle's own, without riders. Acceleration, braking, headway and standoff are the
    parameters a, b, T and s0 of the Intelligent Driver Model.
    """

    length_m: Span
    width_m: Span
    height_m: Span
    speed_mps: Span
    acceleration: float
    braking: float
    headway_s: float
    standoff_m: float
    margin_m: float
    """Room kept at each side."""
    ease_m: float
    """Way in which it moves over."""


K = RoadUserKind
MODELS = {
    K.CAR: Model((3.9, 4.75), (1.7, 1.85), (1.45, 1.72), (9.2, 12.4), 1.7, 2.2, 1.1, 1.5, 0.22, 6.0),
    K.BUS: Model((8.2, 11.2), (2.35, 2.5), (2.9, 3.2), (8.2, 10.8), 1.0, 1.8, 1.4, 1.8, 0.22, 9.0),
    K.TRUCK: Model((5.6, 8.2), (2.0, 2.35), (2.3, 3.1), (8.0, 10.8), 1.0, 1.8, 1.4, 1.8, 0.22, 8.0),
    K.MOTORBIKE: Model((1.82, 1.98), (0.66, 0.76), (1.05, 1.15), (8.2, 11.6), 2.1, 2.4, 0.75, 0.5, 0.13, 3.0),
    K.BICYCLE: Model((1.65, 1.8), (0.55, 0.62), (1.0, 1.08), (3.2, 4.8), 0.9, 1.8, 0.8, 0.5, 0.13, 2.5),
    K.PERSON: Model((0.38, 0.46), (0.42, 0.5), (1.5, 1.78), (1.15, 1.5), 1.2, 2.0, 0.4, 0.3, 0.08, 1.2),
}

MIX = {K.MOTORBIKE: 0.75, K.CAR: 0.16, K.BICYCLE: 0.04, K.TRUCK: 0.03, K.BUS: 0.02}
"""Shares of arriving vehicles, as in Vietnamese towns."""

PROVINCES = tuple(str(n) for n in range(11, 100) if n not in (13, 42, 44, 45, 46, 87, 91, 96))
LOCAL = ("70", "62", "51", "59", "61")
FIRST = "ABCDEFGHKLMNPSTUVXYZ"
SECOND = "ABCDEFHKLMNPRSTUVXYZ"


def plate(kind: RoadUserKind, rng: random.Random) -> Plate | None:
    """A plate of valid grammar; None for those that carry none."""
    if kind not in (K.CAR, K.BUS, K.TRUCK, K.MOTORBIKE):
        return None
    province = rng.choice(LOCAL) if rng.random() < 0.8 else rng.choice(PROVINCES)
    digits = f"{rng.randrange(100000):05d}"
    if kind is K.MOTORBIKE:
        if rng.random() < 0.5:
            series = rng.choice(FIRST) + rng.choice(SECOND)
        else:
            series = f"{rng.choice(FIRST)}{rng.randrange(1, 10)}"
            digits = digits if rng.random() < 0.75 else digits[:4]
        return Plate(f"{province}{series}{digits}", 2, "blue" if rng.random() < 0.01 else "white")
    colors: dict[RoadUserKind, tuple[float, float]] = {
        K.CAR: (0.25, 0.04),
        K.BUS: (0.85, 0),
        K.TRUCK: (0.8, 0),
    }
    yellow, blue = colors[kind]
    draw = rng.random()
    color: PlateColor = "yellow" if draw < yellow else "blue" if draw < yellow + blue else "white"
    return Plate(f"{province}{rng.choice(FIRST)}{digits}", 2 if rng.random() < 0.4 else 1, color)


def riders(kind: RoadUserKind, rng: random.Random) -> tuple[Rider, ...]:
    """Law-abiding ones: at most two, all with helmets on a motorbike."""
    if kind is K.MOTORBIKE:
        count = 2 if rng.random() < 0.3 else 1
        return tuple(Rider(True, rng.getrandbits(30)) for _ in range(count))
    return (Rider(False, rng.getrandbits(30)),) if kind is K.BICYCLE else ()

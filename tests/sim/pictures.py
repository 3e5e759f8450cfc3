"""A road to look at, who is on it, and where a picture changes."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np

from pipeline.sim.types import (
    Actor,
    Area,
    CameraPose,
    Lamp,
    Layout,
    Marking,
    Moment,
    Paint,
    SignalHead,
    Surface,
)
from pipeline.types import RoadUserKind

K = RoadUserKind
SIZES = {
    K.CAR: (4.4, 1.75, 1.5),
    K.BUS: (9.6, 2.45, 3.05),
    K.TRUCK: (6.6, 2.2, 2.8),
    K.MOTORBIKE: (1.9, 0.7, 1.1),
    K.BICYCLE: (1.7, 0.6, 1.05),
    K.PERSON: (0.42, 0.46, 1.7),
    "object": (0.5, 0.35, 0.5),
}
NORTH, SOUTH = math.pi / 2, -math.pi / 2


def make_layout() -> Layout:
    """A road to the north with pavements, houses, a crossing and two heads."""
    areas = (
        Area(Surface.ROAD, ((-7, -40), (7, -40), (7, 90), (-7, 90))),
        Area(Surface.PAVEMENT, ((7, -40), (11, -40), (11, 90), (7, 90))),
        Area(Surface.PAVEMENT, ((-11, -40), (-7, -40), (-7, 90), (-11, 90))),
        Area(Surface.PLOT, ((11, -40), (30, -40), (30, 90), (11, 90))),
        Area(Surface.PLOT, ((-30, -40), (-11, -40), (-11, 90), (-30, 90))),
    )
    markings = (
        Marking(Paint.SOLID, ((0, -40), (0, 20))),
        Marking(Paint.STOP_LINE, ((0, 22), (7, 22)), 0.3),
        Marking(Paint.CROSSING, ((-7, 26), (7, 26)), 4.0),
        Marking(Paint.ARROW_LEFT, ((3, 10), (3, 14)), 0.3),
    )
    heads = (
        SignalHead("ball", (4.0, 33.0, 5.2), SOUTH, pole=(8.0, 33.0)),
        SignalHead("arrow", (5.2, 33.0, 5.2), SOUTH, layout="single", shows="arrow_right"),
    )
    return Layout(areas, markings, heads, seed=5)


def make_camera(**changes: object) -> CameraPose:
    pose = CameraPose("test", (1.0, -6.0, 7.5), (1.0, 20.0, 0.0), 58.0, 960, 540)
    return dataclasses.replace(pose, **changes)


def make_actor(
    number: int, kind: K | str, x: float, y: float, heading: float = NORTH, **changes: object
) -> Actor:
    length, width, height = SIZES[kind]  # type: ignore[index]
    actor = Actor(number, kind, (x, y), heading, 5.0, length, width, height, seed=1000 + number)  # type: ignore[arg-type]
    return dataclasses.replace(actor, **changes)  # type: ignore[arg-type]


def moment(*actors: Actor, time_s: float = 1.0, lamps: tuple[Lamp, ...] = ()) -> Moment:
    return Moment(time_s, actors, lamps)


def changed(with_: np.ndarray, without: np.ndarray, least: int = 14) -> np.ndarray:
    return cv2.absdiff(with_, without).max(axis=2) > least

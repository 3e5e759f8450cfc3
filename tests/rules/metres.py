"""A straight road of known metres under a camera, and vehicles driven along it in metres."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.sim.camera import project
from pipeline.sim.types import CameraPose
from pipeline.types import (
    FrameTime,
    LampColor,
    Observation,
    RoadUser,
    RoadUserKind,
    SignalState,
    TrackPoint,
)

START_S = 1_700_000_040.0
"""The begin of a minute."""
POSE = CameraPose("c", position=(0.0, -12.0, 7.0), look_at=(0.0, 8.0, 0.0), fov_deg=50.0)
SIZE = (POSE.width_px, POSE.height_px)


def seen(x: float, y: float, z: float = 0.0) -> tuple[float, float]:
    """A place in the picture, 0..1."""
    (pixel,), _ = project(POSE, [(x, y, z)])
    return float(pixel[0]) / SIZE[0], float(pixel[1]) / SIZE[1]


SURVEYED = ((-3.5, 2.0), (3.5, 2.0), (-3.5, 15.0), (3.5, 15.0), (-3.5, 45.0), (3.5, 45.0), (0.0, 30.0))
CALIBRATION = {
    "points": [{"picture": [round(v, 3) for v in seen(*at)], "ground_m": list(at)} for at in SURVEYED]
}


def lane(name: str, left: float, right: float, **more: Any) -> dict[str, Any]:
    """A lane away from the camera, from 0 to 60 m."""
    corners = [(left, 0.0), (right, 0.0), (right, 60.0), (left, 60.0)]
    middle = (left + right) / 2
    direction = [seen(middle, 0.5), seen(middle, 59.5)]
    return {"id": name, "polygon": [list(seen(*c)) for c in corners], "direction": direction, **more}


@dataclass
class Vehicle:
    """Drives along x = `x`; `way` tells how far it is after a second, in metres."""

    way: Callable[[float], float]
    x: float = 0.0
    kind: RoadUserKind = RoadUserKind.CAR
    track: Callable[[float], int] = lambda time_s: 1
    size_m: tuple[float, float, float] = (4.3, 1.75, 1.5)
    jitter: float = 0.0
    """Standard deviation of each edge, of the box's size."""
    hidden: Callable[[float], float] = lambda time_s: 0.0
    """Share of the box that is hidden from below."""
    unseen: Callable[[float], bool] = lambda time_s: False
    seed: int = 0
    points: dict[int, list[TrackPoint]] = field(default_factory=dict)

    def see(self, time_s: float, stamp_s: float) -> RoadUser | None:
        """At `time_s`, which the camera stamps as `stamp_s`."""
        y = self.way(time_s)
        if self.unseen(time_s) or not -3 <= y <= 55:
            return None
        long, wide, high = self.size_m
        corners = [
            seen(self.x + a, y + b, c)
            for a in (-wide / 2, wide / 2)
            for b in (0.0, long)
            for c in (0.0, high)
        ]
        (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
        bottom -= self.hidden(time_s) * (bottom - top)
        shake = random.Random(f"{self.seed} {time_s}")
        jump = [shake.gauss(0, self.jitter) for _ in range(4)]
        w, h = right - left, bottom - top
        box = np.clip(
            (left + jump[0] * w, top + jump[1] * h, right + jump[2] * w, bottom + jump[3] * h), 0, 1
        )
        points = self.points.setdefault(self.track(time_s), [])
        points.append(TrackPoint(START_S + stamp_s, tuple(map(float, box)), 0.9))
        return RoadUser(self.track(time_s), self.kind, tuple(points[-40:]), 0.95)


def steady(kmh: float, start_m: float = 0.0, from_s: float = 0.0) -> Callable[[float], float]:
    """Even speed from second `from_s` on."""
    return lambda time_s: start_m + kmh / 3.6 * (time_s - from_s)


def every(gap_s: float, until_s: float = 6.0) -> list[float]:
    return [i * gap_s for i in range(int(until_s / gap_s))]


def observe(
    vehicles: Iterable[Vehicle],
    times_s: Iterable[float] | None = None,
    *,
    stamp: Callable[[float], float] = lambda time_s: time_s,
    uncertainty_ms: Callable[[float], float] = lambda time_s: 5.0,
    lamp: Callable[[float], LampColor] | None = None,
) -> Iterator[Observation]:
    """What the camera reports, six times a second unless told."""
    vehicles = list(vehicles)
    since: tuple[LampColor, float] | None = None
    for time_s in times_s if times_s is not None else every(1 / 6):
        stamp_s = stamp(time_s)
        users = [user for one in vehicles if (user := one.see(time_s, stamp_s)) is not None]
        signals = {}
        if lamp is not None:
            color = lamp(time_s)
            if since is None or since[0] is not color:
                since = (color, START_S + stamp_s)
            signals["ball"] = SignalState("ball", *since)
        time = FrameTime(START_S + stamp_s, "rtcp", 0.0, uncertainty_ms(time_s))
        yield Observation("cam", time, tuple(users), signals, SIZE)

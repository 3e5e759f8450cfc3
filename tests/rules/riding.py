"""Motorbikes with riders on a straight road, as perception reports them; pixels of a 640x360 picture."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.rules import Moments, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.types import (
    FrameTime,
    Head,
    Hit,
    Observation,
    RoadUser,
    RoadUserKind,
    TrackPoint,
    on_grid,
)

START_S = 1_700_000_000.0
WIDTH, HEIGHT = 640, 360
RATE_HZ = 6.0

Pixels = tuple[float, float]


@dataclass(frozen=True)
class Sight:
    """A head as the detector saw it; its place is in head heights from the middle of the box's top edge."""

    helmet: float = 0.0
    bare: float = 0.0
    at: Pixels = (0.0, 0.5)


HELMET = Sight(helmet=0.7)
BARE = Sight(bare=0.7)
PILLION = (0.9, 0.7)


def sits(sight: Sight, at: Pixels) -> Sight:
    """The same rider elsewhere on the machine."""
    return Sight(sight.helmet, sight.bare, at)


@dataclass
class Machine:
    """One machine, `size` pixels wide and high, whose heads are `head_px` high."""

    heads: Callable[[float], Sequence[Sight]] = lambda time_s: (HELMET,)
    track: Callable[[float], int] = lambda time_s: 1
    start: Pixels = (40.0, 200.0)
    """Left and top of its box at second 0."""
    speed: Pixels = (90.0, 0.0)
    """Pixels a second."""
    size: Pixels = (40.0, 60.0)
    head_px: float = 9.0
    kind: RoadUserKind = RoadUserKind.MOTORBIKE
    unseen: Callable[[float], bool] = lambda time_s: False
    waits: tuple[float, float] = (0.0, 0.0)
    """It stands from the one second to the other."""
    sure: float = 0.95
    """Share of the vote for its kind."""
    jitter_px: float = 0.6
    seed: int = 0
    points: dict[int, list[TrackPoint]] = field(default_factory=dict)

    def see(self, time_s: float) -> RoadUser | None:
        if self.unseen(time_s):
            return None
        dice = random.Random(f"{self.seed} {time_s}")
        ridden_s = time_s - max(0.0, min(time_s, self.waits[1]) - self.waits[0])
        left, top = (
            a + v * ridden_s + dice.gauss(0, self.jitter_px)
            for a, v in zip(self.start, self.speed, strict=True)
        )
        wide, high = self.size
        if left < 2 or left + wide > WIDTH - 2:
            return None
        track = self.track(time_s)
        points = self.points.setdefault(track, [])
        points.append(TrackPoint(START_S + time_s, _box(left, top, left + wide, top + high), 0.8))
        heads = []
        for sight in self.heads(time_s):
            x, y = (
                centre + n * self.head_px + dice.gauss(0, self.jitter_px)
                for centre, n in zip((left + wide / 2, top), sight.at, strict=True)
            )
            half = self.head_px / 2
            heads.append(
                Head(_box(x - half, y - half, x + half, y + half), sight.helmet, sight.bare, self.head_px)
            )
        return RoadUser(track, self.kind, tuple(points[-60:]), self.sure, (), tuple(heads))


def judge(
    rule: str, machines: Iterable[Machine], until_s: float = 5.0, finish: bool = True, **parameters: Any
) -> list[Hit]:
    """What the rule reports of them, by when the video ends or before."""
    scene = Scene(SceneSettings.model_validate({"rules": {rule: parameters}}))
    moments, [only] = Moments(scene), build_rules(scene)
    hits: list[Hit] = []
    for observation in observe(list(machines), until_s):
        for moment in moments.observe(observation):
            hits += only.observe(moment)
    for moment in moments.finish() if finish else ():
        hits += only.observe(moment)
    return hits


def observe(machines: Sequence[Machine], until_s: float) -> Iterator[Observation]:
    """What the camera reports."""
    for number in range(int(until_s * RATE_HZ)):
        time_s = number / RATE_HZ
        users = [user for one in machines if (user := one.see(time_s)) is not None]
        time = FrameTime(START_S + time_s, "rtcp")
        yield Observation("cam", time, tuple(users), {}, (WIDTH, HEIGHT))


def _box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    return (on_grid(left / WIDTH), on_grid(top / HEIGHT), on_grid(right / WIDTH), on_grid(bottom / HEIGHT))

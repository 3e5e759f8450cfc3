"""Builds observations from hand-made trajectories: the scene here is a junction seen from behind.

The stop line runs across the picture at y = 0.6, vehicles drive up the picture. Boxes are 0.1 high.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.rules import Moment, Moments, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.types import (
    FrameTime,
    Hit,
    LampColor,
    Observation,
    RoadUser,
    RoadUserKind,
    SignalState,
    TrackPoint,
)

START_S = 1_700_000_000.0
HEIGHT = 0.1
SIZE = (1600, 1200)

JUNCTION: dict[str, Any] = {
    "lamps": [
        {"id": "ball", "box": [0.9, 0.1, 0.95, 0.2]},
        {"id": "arrow", "box": [0.9, 0.2, 0.95, 0.25], "layout": "single", "shows": "arrow"},
    ],
    "stop_lines": [
        {
            "id": "south",
            "line": [[0.2, 0.6], [0.8, 0.6]],
            "travel": [[0.5, 0.8], [0.5, 0.4]],
            "movements": {"left": {"lamp": "ball"}, "straight": {"lamp": "ball"}, "right": {"lamp": "ball"}},
            "junction": {"clearance": [[0.2, 0.5], [0.8, 0.5]]},
        }
    ],
    "rules": {"red_light": None, "stop_line": None},
}


def junction(**line: Any) -> dict[str, Any]:
    """The scene with parts of its stop line replaced."""
    return {**JUNCTION, "stop_lines": [{**JUNCTION["stop_lines"][0], **line}]}


@dataclass
class Driver:
    """A road user: waypoints (seconds, x, y) of its ground point, straight and even between them."""

    waypoints: list[tuple[float, float, float]]
    kind: RoadUserKind = RoadUserKind.MOTORBIKE
    track_id: int = 1
    height: float = HEIGHT
    jitter: float = 0.0
    """Share of its height by which each edge of the box jumps."""
    cut: Callable[[float], float] = lambda time_s: 0.0
    """Share of the box hidden from below at a moment."""
    side: Callable[[float], float] = lambda time_s: 0.0
    """Share of the box hidden from its left at a moment."""
    unseen: tuple[tuple[float, float], ...] = ()
    """Spans in which it is not detected."""
    seed: int = 0
    kind_confidence: float = 0.9
    """Share of the vote for its class."""
    width: float = 0.5
    """Of its box, of its height."""
    confidence: float = 0.8
    """Of its box."""
    points: list[TrackPoint] = field(default_factory=list)

    def see(self, time_s: float) -> RoadUser | None:
        times = [t for t, _, _ in self.waypoints]
        if not times[0] <= time_s <= times[-1] or any(a <= time_s <= b for a, b in self.unseen):
            return None
        for (t0, x0, y0), (t1, x1, y1) in zip(self.waypoints, self.waypoints[1:], strict=False):
            if t0 <= time_s <= t1:
                share = (time_s - t0) / (t1 - t0)
                x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        shake = random.Random(f"{self.seed} {time_s}")
        jump = [shake.uniform(-self.jitter, self.jitter) * self.height for _ in range(3)]
        top, bottom = y - self.height + jump[0], y - self.cut(time_s) * self.height + jump[1]
        half = self.width * self.height / 2
        left = x - half + self.side(time_s) * 2 * half
        box = (left + jump[2], top, x + half + jump[2], bottom)
        self.points.append(TrackPoint(START_S + time_s, box, self.confidence))
        return RoadUser(
            self.track_id, self.kind, tuple(self.points[-60:]), kind_confidence=self.kind_confidence
        )


Program = Mapping[str, Iterable[tuple[float, LampColor]]]
"""Lamp id to (second, colour from then on)."""

RED: Program = {"ball": [(-30.0, LampColor.RED)], "arrow": [(-30.0, LampColor.RED)]}


def shows(*changes: tuple[float, LampColor], arrow: LampColor = LampColor.RED) -> Program:
    return {"ball": list(changes), "arrow": [(-30.0, arrow)]}


def _signals(program: Program, time_s: float) -> dict[str, SignalState]:
    states = {}
    for lamp, changes in program.items():
        for since_s, color in changes:
            if since_s <= time_s:
                states[lamp] = SignalState(lamp, color, START_S + since_s, 0.9)
    return states


def observe(
    drivers: Iterable[Driver],
    program: Program = RED,
    until_s: float = 12.0,
    rate_hz: float = 6.0,
    connection: Callable[[float], int] = lambda time_s: 0,
) -> Iterable[Observation]:
    """What the camera sees from second 0 on, at an even rate."""
    drivers = list(drivers)
    for i in range(int(until_s * rate_hz)):
        time_s = i / rate_hz
        users = [user for driver in drivers if (user := driver.see(time_s)) is not None]
        yield Observation(
            "cam", FrameTime(START_S + time_s, "rtcp", 12.0, 5.0), tuple(users), _signals(program, time_s),
            SIZE, connection(time_s),
        )  # fmt: skip


def judge(scene: Mapping[str, Any], observations: Iterable[Observation], finish: bool = True) -> list[Hit]:
    """Everything the scene's rules report."""
    drawn = Scene(SceneSettings.model_validate(scene))
    rules = build_rules(drawn)
    return [
        hit
        for moment in moments(drawn, observations, finish)
        for rule in rules
        for hit in rule.observe(moment)
    ]


def moments(scene: Scene, observations: Iterable[Observation], finish: bool = True) -> Iterator[Moment]:
    """What the rules see."""
    follow = Moments(scene)
    for observation in observations:
        yield from follow.observe(observation)
    if finish:
        yield from follow.finish()


def names(hits: Iterable[Hit]) -> list[str]:
    return [hit.rule for hit in hits]

"""What rules see of a road user: a moment of its smoothed trajectory. How it comes about: see trajectory."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pipeline.types import Box, FrameTime, Point, RoadUserKind, TrackPoint

EDGE = 0.004
"""Of the picture: boxes that reach as near to its edge are cut by it."""

HEIGHT_M = 1.5
"""What a limit in box heights is in metres, where those are known."""


def at_edge(box: Box) -> bool:
    """Whether the left, right or lower edge of the picture cuts a box."""
    left, _, right, bottom = box
    return left < EDGE or right > 1 - EDGE or bottom > 1 - EDGE


@dataclass(frozen=True, slots=True)
class Step:
    """A road user at one moment of its smoothed trajectory. Lengths in picture heights, true proportions."""

    time: FrameTime
    position: Point
    """Smoothed ground point."""
    velocity: Point
    """Per second."""
    height: float
    """Of its box, smoothed."""
    raw: TrackPoint
    """The box as it was seen."""
    hidden: bool = False
    """Its box is suddenly much lower than a calibrated scene allows: its lower part is hidden, and where
    it stands is not known."""
    covered: bool = False
    """Somebody nearer, whose box reaches lower, hides its foot: what it is told to stand on is a guess."""
    position_m: Point | None = None
    """Smoothed place on the ground, as Calibration.to_ground has it; None where that knows none."""
    velocity_mps: Point | None = None
    """On the ground, in metres a second; None as `position_m`."""
    depth: float = 0.0
    """How far up the picture from `position` the middle of its footprint lies; 0 without calibration."""
    tall_m: float = 0.0
    """What the height of its box would be on something upright there; 0 without calibration."""
    centre_m: Point | None = None
    """Middle of its footprint on the ground; None as `position_m`."""

    @property
    def centre(self) -> Point:
        """Middle of its footprint. Where the camera looks across a lane, the bottom of a long vehicle's box
        can be in the next one; its middle is not."""
        return (self.position[0], self.position[1] - self.depth)

    @property
    def cut(self) -> bool:
        """Whether it is hidden, or the picture's edge cuts its box: where it stands is not known then."""
        return self.hidden or at_edge(self.raw.box)

    @property
    def time_s(self) -> float:
        """Capture time."""
        return self.time.captured_at_s

    @property
    def speed(self) -> float:
        """In box heights a second: about 1.5 m, however near or far."""
        return math.hypot(*self.velocity) / self.height

    @property
    def pace(self) -> float:
        """The same, measured on the ground where that is known: true also of motion away from the camera,
        but far off less steady than `speed`."""
        return self.speed if self.velocity_mps is None else math.hypot(*self.velocity_mps) / HEIGHT_M


class Timed(Protocol):
    """Something of a moment: a step, a point of a track."""

    @property
    def time_s(self) -> float:
        """Capture time."""
        ...


T = TypeVar("T", bound=Timed)


def remember(past: deque[T], newest: T, last_s: float) -> None:
    """Add the newest to those of the last seconds, oldest first; what is older goes."""
    past.append(newest)
    while newest.time_s - past[0].time_s > last_s:
        past.popleft()


@dataclass(frozen=True, slots=True)
class Track:
    """Whose steps they are: one road user's trajectory, from its first step or its last break on."""

    id: int
    kind: RoadUserKind
    kind_confidence: float
    segment: int = 0
    """Rises when the trajectory breaks: what was known of its course no longer holds."""


Advance = tuple[Track, Step | None]
"""A new step of a track; None instead of it where the track has ended."""

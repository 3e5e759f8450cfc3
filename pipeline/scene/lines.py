"""What is drawn in a scene, ready to be asked: points in picture heights, true proportions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.scene import geometry
from pipeline.scene.calibration import Calibration
from pipeline.scene.geometry import in_proportion
from pipeline.scene.settings import (
    LaneSettings,
    MovementSettings,
    SolidLineSettings,
    StopLineSettings,
    TurnSettings,
    ZoneSettings,
)
from pipeline.types import Point

FAR_HEIGHTS, FAR_M = 10.0, 300.0
"""Farther than a camera sees."""


def _on_ground(points: Sequence[Point], calibration: Calibration | None) -> tuple[Point, ...] | None:
    """In metres; None without calibration, or where a point lies beyond the horizon."""
    if calibration is None:
        return None
    there = calibration.to_ground(points).tolist()
    known = all(math.isfinite(value) for point in there for value in point)
    return tuple((x, y) for x, y in there) if known else None


def _bounds(points: Sequence[Point]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _distance_m(point: Point, ground: Sequence[Point] | None) -> float | None:
    """From a line, by its points and those of an arrow to the side of positive distances; all in metres."""
    if ground is None:
        return None
    *line, start, end = ground
    return geometry.signed_distance(point, line, geometry.minus(end, start))


def _leads_over(point: Point, way: Point, line: Sequence[Point], far: float) -> bool:
    """Whether a straight way through a point, `far` to both sides, meets a line; `way` is a unit vector."""
    ahead = (point[0] + far * way[0], point[1] + far * way[1])
    behind = (point[0] - far * way[0], point[1] - far * way[1])
    return geometry.crossed(behind, ahead, tuple(line)) is not None


class StopLine:
    """A stop line; every point in and out is in picture heights, or metres where its name says so."""

    def __init__(self, settings: StopLineSettings, aspect: float, calibration: Calibration | None) -> None:
        self.settings = settings
        self.id = settings.id
        self.line = in_proportion(settings.line, aspect)
        start, end = in_proportion(settings.travel, aspect)
        self.travel = geometry.unit(geometry.minus(end, start))
        """Unit vector of the direction of travel."""
        self._ground = _on_ground((*settings.line, *settings.travel), calibration)
        self.movements: dict[str, MovementSettings] = settings.movements.present()
        self._exits = {
            name: in_proportion(movement.exit, aspect)
            for name, movement in self.movements.items()
            if movement.exit is not None
        }
        junction = settings.junction
        self._area = in_proportion(junction.area, aspect) if junction.area else None
        self._clearance = in_proportion(junction.clearance, aspect) if junction.clearance else None
        self._beyond_heights = junction.beyond_heights

    @property
    def has_exits(self) -> bool:
        """Whether any movement has an exit area drawn."""
        return bool(self._exits)

    def distance(self, point: Point) -> float:
        """From the line, negative before it and positive beyond it in the direction of travel."""
        return geometry.signed_distance(point, self.line, self.travel)

    def distance_m(self, point: Point) -> float | None:
        """The same for a place on the ground, in metres; None where the ground is not known."""
        return _distance_m(point, self._ground)

    def faces(self, point: Point) -> bool:
        """Whether going on in the direction of travel (or back against it) leads over the line's span."""
        return _leads_over(point, self.travel, self.line, FAR_HEIGHTS)

    def faces_m(self, point: Point) -> bool | None:
        """The same for a place on the ground, in metres, where lanes do not draw together; None where the
        ground is not known."""
        if self._ground is None:
            return None
        *line, start, end = self._ground
        return _leads_over(point, geometry.unit(geometry.minus(end, start)), line, FAR_M)

    def crossed(self, a: Point, b: Point) -> float | None:
        """Fraction 0..1 of the way from a to b at which it passes the line within its span; else None."""
        return geometry.crossed(a, b, self.line)

    def in_junction(self, point: Point, height: float) -> bool:
        """Whether a vehicle whose box is `height` high has gone on into the junction."""
        if self._area is not None:
            return geometry.inside(point, self._area)
        if self._clearance is not None:
            return geometry.signed_distance(point, self._clearance, self.travel) >= 0
        return self._beyond_heights is not None and self.distance(point) >= self._beyond_heights * height

    def exit_of(self, point: Point) -> str | None:
        """The movement whose exit area holds the point."""
        return next((name for name, area in self._exits.items() if geometry.inside(point, area)), None)


class _Area:
    """A polygon; every point in is in picture heights, or metres where its name says so."""

    def __init__(self, polygon: Sequence[Point], aspect: float, calibration: Calibration | None) -> None:
        self._polygon = in_proportion(polygon, aspect)
        self._bounds = _bounds(self._polygon)
        self._ground = _on_ground(polygon, calibration)

    def holds(self, point: Point) -> bool:
        """Whether the point is in it."""
        left, top, right, bottom = self._bounds
        near = left <= point[0] <= right and top <= point[1] <= bottom
        return near and geometry.inside(point, self._polygon)

    def depth(self, point: Point) -> float:
        """Distance from its edge, in picture heights; negative outside."""
        return geometry.depth(point, self._polygon)

    def depth_m(self, point: Point) -> float | None:
        """The same for a place on the ground, in metres; None where the ground is not known."""
        return None if self._ground is None else geometry.depth(point, self._ground)


class Lane(_Area):
    """A lane; every point in and out is in picture heights, or metres where its name says so."""

    def __init__(self, settings: LaneSettings, aspect: float, calibration: Calibration | None) -> None:
        super().__init__(settings.polygon, aspect, calibration)
        self.settings = settings
        self.id = settings.id
        self._direction = in_proportion(settings.direction, aspect)
        self.length = geometry.length(self._direction)

    def progress(self, point: Point) -> float:
        """How far along the lane, from the start of its direction line."""
        return geometry.project(point, self._direction)[0]

    def direction_at(self, point: Point) -> Point:
        """Unit vector of travel nearest to the point."""
        return geometry.project(point, self._direction)[2]

    def angle_deg(self, point: Point, vector: Point) -> float:
        """Angle 0..180 between a movement and the lane's direction there; 180 is straight against it."""
        if math.hypot(*vector) == 0:
            return 0.0
        return abs(geometry.turn_deg(self.direction_at(point), vector))


class Zone(_Area):
    """An area with a purpose; every point in is in picture heights, or metres where its name says so."""

    def __init__(self, settings: ZoneSettings, aspect: float, calibration: Calibration | None) -> None:
        super().__init__(settings.polygon, aspect, calibration)
        self.settings = settings
        self.id = settings.id


class SolidLine:
    """A line not to be crossed; every point in is in picture heights, or metres where its name says so."""

    def __init__(self, settings: SolidLineSettings, aspect: float, calibration: Calibration | None) -> None:
        self.settings = settings
        self.id = settings.id
        self.line = in_proportion(settings.line, aspect)
        self._bounds = _bounds(self.line)
        arrow = settings.forbidden or _across(settings.line)
        self._arrow = in_proportion(arrow, aspect)
        self.both = settings.forbidden is None
        """False: only crossing to the side of positive distances is forbidden."""
        self._ground = _on_ground((*settings.line, *arrow), calibration)

    def near(self, point: Point, reach: float) -> bool:
        """Whether the point is within `reach` of the upright rectangle around the line."""
        left, top, right, bottom = self._bounds
        return left - reach <= point[0] <= right + reach and top - reach <= point[1] <= bottom + reach

    def distance(self, point: Point) -> float:
        """From the line: positive on the side that the arrow points to, negative on the other."""
        return geometry.signed_distance(point, self.line, geometry.minus(self._arrow[1], self._arrow[0]))

    def distance_m(self, point: Point) -> float | None:
        """The same for a place on the ground, in metres; None where the ground is not known."""
        return _distance_m(point, self._ground)

    def crossed(self, a: Point, b: Point) -> float | None:
        """Fraction 0..1 of the way from a to b at which it passes the line within its ends; else None."""
        return geometry.crossed(a, b, self.line)


def _across(line: Sequence[Point]) -> tuple[Point, Point]:
    """A short arrow over the line, for lines without one of their own."""
    (ax, ay), (bx, by) = line[0], line[1]
    middle = ((ax + bx) / 2, (ay + by) / 2)
    return middle, (middle[0] + 0.01 * (ay - by), middle[1] + 0.01 * (bx - ax))


class Turn:
    """A forbidden way through a junction; every point in is in picture heights."""

    def __init__(self, settings: TurnSettings, aspect: float) -> None:
        self.settings = settings
        self.id = settings.id
        self._entry = in_proportion(settings.entry, aspect)
        self._exit = in_proportion(settings.exit, aspect)

    def enters(self, point: Point) -> bool:
        """Whether the point is where the turn begins."""
        return geometry.inside(point, self._entry)

    def leaves(self, point: Point) -> bool:
        """Whether the point is where it ends."""
        return geometry.inside(point, self._exit)

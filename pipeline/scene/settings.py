"""A scene file: what a camera's picture means, drawn by an operator in coordinates 0..1 of the picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, field_validator, model_validator

from pipeline.scene import geometry
from pipeline.scene.calibration import GROUND_ERROR_M, PICTURE_ERROR, Calibration
from pipeline.scene.drawn import (
    Area,
    Arrow,
    Coordinate,
    Drawn,
    LimitKmh,
    Line,
    Name,
    PicturePoint,
    check_arrow,
    tuple_of,
)
from pipeline.scene.hours import HoursSettings, known_time_zone
from pipeline.types import Box, Lamp, LampLayout, Point, RoadUserKind

Loc = tuple[str | int, ...]
NAMED = ("lamps", "stop_lines", "lanes", "zones", "solid_lines", "turns")
"""Keys of a scene whose items have an id."""


class SceneProblemsError(ValueError):
    """Things in a scene that contradict each other, each with the place of its key."""

    def __init__(self, problems: list[tuple[Loc, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{'.'.join(map(str, loc))}: {text}" for loc, text in problems))


def _has_area(box: Box) -> Box:
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        raise ValueError(
            "encloses no area: must be [left, top, right, bottom] with left < right, top < bottom"
        )
    return box


BoxIn = Annotated[
    tuple[Coordinate, Coordinate, Coordinate, Coordinate],
    tuple_of(4, "a box [left, top, right, bottom], all 0..1"),
    AfterValidator(_has_area),
]
"""A box in the picture."""


class LampSettings(Drawn):
    """One signal head (or one arrow of it) in the picture."""

    id: Name
    box: BoxIn
    """[left, top, right, bottom], drawn tightly around the lamps, without the countdown above them."""
    layout: LampLayout = "vertical"
    """How its lights are stacked: red on top, red at the left, or one light that changes colour."""
    shows: Literal["ball", "arrow"] = "ball"
    """Full lights, or an arrow for one movement."""


class MovementSettings(Drawn):
    """One way to go on after the line, and what governs it."""

    lamp: Name | None = None
    """The lamp that must not be red for it."""
    free: bool = False
    """true: no signal governs it (a turn that is allowed at any time)."""
    exit: Area | None = None
    """Where vehicles of this movement leave the junction; without any, the trajectory's turn decides."""

    @model_validator(mode="after")
    def _lamp_or_free(self) -> Self:
        if self.free == (self.lamp is not None):
            raise ValueError("give either `lamp: ID` or `free: true`")
        return self


class MovementsSettings(Drawn):
    """The movements that start at a stop line; one left out does not exist there."""

    left: MovementSettings | None = None
    """Turning left, U-turns included."""
    straight: MovementSettings | None = None
    """Going straight on."""
    right: MovementSettings | None = None
    """Turning right."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.present():
            raise ValueError("needs at least one of left, straight, right")
        return self

    def present(self) -> dict[str, MovementSettings]:
        """Movement name to settings, those that exist."""
        return {name: m for name in ("left", "straight", "right") if (m := getattr(self, name)) is not None}


class JunctionSettings(Drawn):
    """What counts as having gone on into the junction. One of the three."""

    area: Area | None = None
    """The ground point is in this area."""
    clearance: Line | None = None
    """The ground point is beyond this second line (often the far edge of the pedestrian crossing)."""
    beyond_heights: Annotated[FiniteFloat, Field(gt=0, le=20)] | None = None
    """The ground point is this many heights of the vehicle's own box beyond the stop line."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.area, self.clearance, self.beyond_heights)) != 1:
            raise ValueError("give exactly one of area, clearance, beyond_heights")
        return self


class StopLineSettings(Drawn):
    """A stop line, the way vehicles cross it, and the lamps that govern them."""

    id: Name
    line: Line
    """Along the painted line, from kerb to the middle of the road; only crossings of it count."""
    travel: Arrow
    """An arrow [from, to] drawn across the line: from where vehicles wait to where they go."""
    movements: MovementsSettings
    junction: JunctionSettings = JunctionSettings(beyond_heights=1.0)
    """Without it: one box height beyond the line."""

    @model_validator(mode="after")
    def _arrow_crosses(self) -> Self:
        check_arrow("travel", self.travel, self.line)
        return self


class LaneSettings(Drawn):
    """A lane, or a carriageway of lanes that go the same way."""

    id: Name
    polygon: Area
    """Its surface in the picture: a road user is in it while its ground point is."""
    direction: Line
    """A line along its middle in the direction of travel."""
    classes: tuple[RoadUserKind, ...] = ()
    """Who may use it; empty: everyone."""
    limit_kmh: LimitKmh | None = None
    """Speed limit; needed by speeding."""


class ZoneSettings(Drawn):
    """An area with a purpose of its own."""

    id: Name
    polygon: Area
    """Its corners in order."""
    purpose: Name
    """What it is for: rules say which purposes they ask for (no_stopping, pavement, motorway, ...)."""
    limit_kmh: LimitKmh | None = None
    """Speed limit in it, lower or higher than the lane's; for speeding."""
    classes: tuple[RoadUserKind, ...] = ()
    """Whom its purpose concerns; empty: everyone that the rule is about."""
    hours: tuple[HoursSettings, ...] = ()
    """When its purpose is in force, in the scene's `time_zone`; empty: always."""


class SolidLineSettings(Drawn):
    """A painted line that must not be crossed."""

    id: Name
    line: Line
    """Along the paint."""
    forbidden: Arrow | None = None
    """An arrow [from, to] across the line: crossing in this direction is forbidden; left out: in both."""
    classes: tuple[RoadUserKind, ...] = ()
    """Whom it binds; empty: every vehicle."""

    @model_validator(mode="after")
    def _arrow_crosses(self) -> Self:
        if self.forbidden is not None:
            check_arrow("forbidden", self.forbidden, self.line)
        return self


class TurnSettings(Drawn):
    """A way through a junction that is forbidden: in at one place and out at another."""

    id: Name
    act: Literal["banned_turn", "u_turn"]
    """Which rule judges it."""
    entry: Area
    """Where vehicles come from: the lanes before the junction."""
    exit: Area
    """Where they leave it by the forbidden way; apart from `entry`."""
    classes: tuple[RoadUserKind, ...] = ()
    """Whom it binds; empty: every vehicle."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        sides = [(p, (*p, p[0])) for p in (self.entry, self.exit)]
        (entry, round_entry), (exit_, round_exit) = sides
        if (
            geometry.inside(entry[0], exit_)
            or geometry.inside(exit_[0], entry)
            or any(geometry.crossed(c, d, round_exit) is not None for c, d in pairwise(round_entry))
        ):
            raise ValueError("entry and exit overlap: draw the exit where only those who turned can be")
        return self


class SurveyedPointSettings(Drawn):
    """A point of the road that is known in the picture and on the ground."""

    picture: PicturePoint
    """[x, y] in the picture, 0..1."""
    ground_m: Annotated[tuple[FiniteFloat, FiniteFloat], tuple_of(2, "a point [x, y] in metres")]
    """[x, y] in metres from any origin: x to the right and y ahead, or x to the east and y to the north."""


class RectangleSettings(Drawn):
    """A rectangle on the road whose sides are known, such as the box between lane lines and stop lines."""

    corners: Annotated[
        tuple[PicturePoint, ...],
        tuple_of(4, "four corners, in order around the rectangle"),
    ]
    """Four points in order around; the first two are one side of `width_m`."""
    width_m: Annotated[FiniteFloat, Field(gt=0, le=1000)]
    """From the first corner to the second."""
    length_m: Annotated[FiniteFloat, Field(gt=0, le=1000)]
    """From the second corner to the third."""

    @field_validator("corners")
    @classmethod
    def _convex(cls, corners: tuple[Point, ...]) -> tuple[Point, ...]:
        if geometry.self_crossing(corners, closed=True) is not None:
            raise ValueError("the rectangle's sides cross: list its corners in order around it")
        turns = [geometry.signed_area((corners[i - 2], corners[i - 1], corners[i])) for i in range(4)]
        if not (all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)):
            raise ValueError("a rectangle cannot look like this: one corner points inwards")
        return corners

    def surveyed(self) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
        """Its corners in the picture and on the ground."""
        # What runs counter-clockwise in the picture does so from above; with y down its area is negative.
        length_m = self.length_m if geometry.signed_area(self.corners) < 0 else -self.length_m
        ground = ((0.0, 0.0), (self.width_m, 0.0), (self.width_m, length_m), (0.0, length_m))
        return self.corners, ground


MOST_POINTS = 32
"""Of a calibration."""


class CalibrationSettings(Drawn):
    """Where the picture's points lie on the road, in metres: `points`, or one `rectangle`."""

    points: Annotated[tuple[SurveyedPointSettings, ...], Field(max_length=MOST_POINTS)] = ()
    """At least four, no three of four on one line, spread over the part of the road that matters."""
    rectangle: RectangleSettings | None = None
    """Instead of points."""
    picture_error: Annotated[FiniteFloat, Field(gt=0, le=0.1)] = PICTURE_ERROR
    """How far off a point in the picture may be (standard deviation), of the picture's width and height."""
    ground_error_m: Annotated[FiniteFloat, Field(gt=0, le=10)] = GROUND_ERROR_M
    """How far off a point's metres may be (standard deviation)."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.points) == (self.rectangle is not None):
            raise ValueError("give either `points` (four or more) or `rectangle`")
        self.fitted()
        return self

    def fitted(self) -> Calibration:
        """The map. Raises CalibrationError (a ValueError) for points that no camera can have seen so."""
        if self.rectangle is not None:
            picture, ground_m = self.rectangle.surveyed()
        else:
            picture = tuple(point.picture for point in self.points)
            ground_m = tuple(point.ground_m for point in self.points)
        return Calibration(
            picture, ground_m, picture_error=self.picture_error, ground_error_m=self.ground_error_m
        )


def _empty(value: Any) -> Any:
    """`red_light:` with nothing behind it means: on, with the defaults."""
    if isinstance(value, dict):
        return {key: {} if inner is None else inner for key, inner in value.items()}
    return value


class SceneSettings(Drawn):
    """One camera's scene. All coordinates are 0..1 of the picture, x to the right, y down."""

    lamps: tuple[LampSettings, ...] = ()
    """Signal heads whose colour is read from the picture."""
    stop_lines: tuple[StopLineSettings, ...] = ()
    """Stop lines; needed by the rules red_light and stop_line."""
    lanes: tuple[LaneSettings, ...] = ()
    """Lanes; needed by wrong_way, and road users are counted per lane."""
    zones: tuple[ZoneSettings, ...] = ()
    """Areas for rules that ask for them, by purpose."""
    solid_lines: tuple[SolidLineSettings, ...] = ()
    """Lines that must not be crossed; needed by solid_line."""
    turns: tuple[TurnSettings, ...] = ()
    """Forbidden ways through a junction; needed by banned_turn and u_turn."""
    time_zone: Annotated[str, AfterValidator(known_time_zone)] = "Asia/Ho_Chi_Minh"
    """IANA name of the place's time zone: `hours` are told in it."""
    calibration: CalibrationSettings | None = None
    """Metres on the road: needed by speeding, and for mean speeds and queues in metres."""
    ignore: tuple[Area, ...] = ()
    """Areas in which nobody is followed: parking, a screen, a recorder's overlay."""
    windows: Annotated[tuple[BoxIn, ...], Field(max_length=4)] = ()
    """Parts of the picture, [left, top, right, bottom], that the detector is shown once more by themselves,
    enlarged: around a far stop line, for one. Each costs one more run of the model a picture."""
    rules: Annotated[dict[str, dict[str, Any]], BeforeValidator(_empty)] = Field(default_factory=dict)
    """The rules that are on, each with its parameters (or nothing behind the colon for the defaults)."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := list(self._problems()):
            raise SceneProblemsError(problems)
        return self

    def lamps_to_read(self) -> tuple[Lamp, ...]:
        """The signal heads, as perception needs them."""
        return tuple(Lamp(lamp.id, lamp.box, lamp.layout) for lamp in self.lamps)

    def _problems(self) -> Iterator[tuple[Loc, str]]:
        for key in NAMED:
            ids = [item.id for item in getattr(self, key)]
            for i, name in enumerate(ids):
                if Counter(ids[:i])[name]:
                    yield (key, i, "id"), f"id {name!r} is used more than once in {key}"
        lamps = [lamp.id for lamp in self.lamps]
        for i, line in enumerate(self.stop_lines):
            for name, movement in line.movements.present().items():
                if movement.lamp is not None and movement.lamp not in lamps:
                    known = ", ".join(lamps) or "none are drawn"
                    yield (
                        ("stop_lines", i, "movements", name, "lamp"),
                        f"lamp {movement.lamp!r} is not among the lamps of this scene ({known})",
                    )
        for i, lane in enumerate(self.lanes):
            for j, point in enumerate(lane.direction):
                if not _within(point, lane.polygon):
                    yield (
                        ("lanes", i, "direction", j),
                        f"point {list(point)} lies outside the polygon of lane {lane.id!r}; draw it inside",
                    )
        if self.calibration is not None:
            calibration = self.calibration.fitted()
            for i, lane in enumerate(self.lanes):
                for j, there in enumerate(calibration.to_ground(lane.polygon)):
                    if math.isfinite(there[0]):
                        continue
                    yield (
                        ("lanes", i, "polygon", j),
                        f"corner {list(lane.polygon[j])} of lane {lane.id!r} lies beyond the horizon of the "
                        "calibration; draw the lane nearer or mend the calibration",
                    )


def _within(point: Point, polygon: tuple[Point, ...]) -> bool:
    """Inside, or so near to an edge that a hand cannot draw better."""
    return geometry.inside(point, polygon) or geometry.project(point, (*polygon, polygon[0]))[1] < 0.01

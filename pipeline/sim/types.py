"""What the city's traffic and its renderer tell each other.

World coordinates are metres: x to the east, y to the north, z up; headings are radians, counter-clockwise
from east. Times are seconds since the scenario's start. A name carries its unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pipeline.types import LampColor, LampLayout, RoadUserKind

Ground = tuple[float, float]
"""x, y in metres."""

PlateColor = Literal["white", "yellow", "blue"]


class Surface(StrEnum):
    """What a piece of ground is made of."""

    ROAD = "road"
    PAVEMENT = "pavement"
    GRASS = "grass"
    PLOT = "plot"
    """Built on: the renderer sets houses here."""


class Paint(StrEnum):
    """Road markings."""

    STOP_LINE = "stop_line"
    SOLID = "solid"
    DASHED = "dashed"
    CROSSING = "crossing"
    """Zebra: the strip's centre line, its width in `width_m`."""
    ARROW_STRAIGHT = "arrow_straight"
    ARROW_LEFT = "arrow_left"
    ARROW_RIGHT = "arrow_right"


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon of ground."""

    surface: Surface
    corners: tuple[Ground, ...]


@dataclass(frozen=True, slots=True)
class Marking:
    """Paint along a line on the road."""

    paint: Paint
    line: tuple[Ground, ...]
    width_m: float = 0.15


@dataclass(frozen=True, slots=True)
class SignalHead:
    """One lamp: a vertical three-light head, or a single arrow beside it."""

    id: str
    position: tuple[float, float, float]
    """Centre of the head, metres."""
    facing: float
    """Heading that the lamp looks to: against the traffic that it governs."""
    layout: LampLayout = "vertical"
    shows: Literal["ball", "arrow_left", "arrow_straight", "arrow_right"] = "ball"
    pole: Ground | None = None
    """Foot of its mast; None: hangs from one drawn already."""


@dataclass(frozen=True, slots=True)
class Layout:
    """All that stands still."""

    areas: tuple[Area, ...]
    markings: tuple[Marking, ...]
    heads: tuple[SignalHead, ...]
    seed: int = 0
    """For houses, trees and wear."""


@dataclass(frozen=True, slots=True)
class Plate:
    """A number plate."""

    text: str
    """As read from left to right and top to bottom, without separators: "70A12345"."""
    lines: Literal[1, 2]
    color: PlateColor = "white"


@dataclass(frozen=True, slots=True)
class Rider:
    """Somebody on a motorbike or bicycle; the first one drives."""

    helmet: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Actor:
    """One road user, or a thing left behind, at one moment."""

    id: int
    kind: RoadUserKind | Literal["object"]
    position: Ground
    """Centre of its footprint."""
    heading: float
    speed_mps: float
    length_m: float
    width_m: float
    height_m: float
    seed: int
    """Colour, model and clothes."""
    plate: Plate | None = None
    riders: tuple[Rider, ...] = ()
    braking: bool = False
    indicator: Literal["", "left", "right"] = ""
    lean: float = 0.0
    """Radians to the left, of two-wheelers in a bend."""
    stride: float = 0.0
    """Phase 0..1 of a pedestrian's step."""


@dataclass(frozen=True, slots=True)
class Lamp:
    """What a head shows at one moment."""

    head_id: str
    color: LampColor
    lit: bool = True
    """False in the dark part of an LED's flicker, as this camera's exposure catches it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The whole city at one moment."""

    time_s: float
    actors: tuple[Actor, ...]
    lamps: tuple[Lamp, ...]


@dataclass(frozen=True, slots=True)
class CameraPose:
    """A pinhole camera without distortion."""

    id: str
    position: tuple[float, float, float]
    look_at: tuple[float, float, float]
    fov_deg: float
    """Horizontal field of view."""
    width_px: int = 1920
    height_px: int = 1080
    reads_plates: bool = False
    """Whether plates shall be legible: then no film is smaller than the picture above."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Light and weather."""

    light: Literal["day", "dusk", "night"] = "day"
    rain: float = 0.0
    """0 none .. 1 heavy."""
    haze: float = 0.0
    noise: float = 0.15
    """Sensor noise 0..1; grows by itself at night."""
    sun_azimuth: float = 0.8
    sun_height: float = 0.9
    """Radians above the horizon: sets the shadows."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Truth of one actor in one picture."""

    actor_id: int
    kind: str
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels around what can be seen of it, riders included."""
    visible: float
    """Share 0..1 of its own pixels that nothing hides and the frame does not cut."""
    plate_box: tuple[float, float, float, float] | None = None
    plate_char_px: float = 0.0
    """Height of the plate's characters in pixels."""
    plate_visible: float = 0.0
    """Share 0..1 of the plate that nothing hides and the frame does not cut."""
    heads: tuple[tuple[float, float, float, float, bool], ...] = ()
    """Left, top, right, bottom, helmet or not, of each rider's or pedestrian's visible head."""


class ActKind(StrEnum):
    """Scripted acts: violations, incidents, and the legal look-alikes that false alarms come from."""

    RED_LIGHT = "red_light"
    STOP_LINE = "stop_line"
    WRONG_WAY = "wrong_way"
    WRONG_LANE = "wrong_lane"
    SOLID_LINE = "solid_line"
    BANNED_TURN = "banned_turn"
    U_TURN = "u_turn"
    ILLEGAL_STOP = "illegal_stop"
    SPEEDING = "speeding"
    RESTRICTED_HOURS = "restricted_hours"
    PAVEMENT = "pavement"
    NO_HELMET = "no_helmet"
    TOO_MANY_RIDERS = "too_many_riders"
    INTRUSION = "intrusion"
    LOITERING = "loitering"
    CROWD = "crowd"
    ABANDONED_OBJECT = "abandoned_object"
    RIGHT_ON_ARROW = "legal.right_on_arrow"
    WAITS_PAST_LINE = "legal.waits_past_line"
    OVERTAKES_IN_LANE = "legal.overtakes_in_lane"
    SLOW_IN_JAM = "legal.slow_in_jam"


@dataclass(frozen=True, slots=True)
class Act:
    """One scripted act as it really happened: the truth that rules are scored against."""

    kind: ActKind
    actor_id: int
    start_s: float
    decisive_s: float
    end_s: float
    place: str
    """Id of the line, lane or zone."""

"""The types that travel between rooms: frozen, small, and free of I/O.

Pictures are (H, W, 3) uint8 BGR. Geometry is in picture coordinates 0..1, x to the right and y down.
Moments are float seconds of capture time since the Unix epoch (UTC); `pipeline.events` turns them into
aware datetimes at the border. A name carries its unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in picture coordinates 0..1."""

Point = tuple[float, float]
"""x, y in picture coordinates 0..1."""

GRID = 16384
"""Perception tells shares and places 0..1 in whole steps of 1 / GRID (an eighth of a pixel at 1920): finer
than a box can be told, and what is stored of it comes back exactly as the rules saw it."""


def on_grid(value: float) -> float:
    """The nearest step of the grid."""
    return round(value * GRID) / GRID


TimeSource = Literal["rtcp", "arrival", "file"]
"""Where a frame's capture time comes from: the camera's RTCP sender reports, the moment the packet
reached this host, or a file's own time line."""


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame was captured, and how far that can be trusted."""

    captured_at_s: float
    source: TimeSource
    offset_ms: float = 0.0
    """Camera's clock minus host's clock; 0 where the source is not the camera's clock."""
    uncertainty_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture of one camera at analysis size."""

    camera_id: str
    picture: Picture
    time: FrameTime
    sequence: int
    """Rises by one with every frame handed over by this camera."""
    connection: int = 0
    """Rises with every (re)connection: a tracker must not carry identities across it."""
    source_size: tuple[int, int] = (0, 0)
    """Width and height of the stream before scaling, in pixels."""


class RoadUserKind(StrEnum):
    """The project's classes of road users."""

    PERSON = "person"
    BICYCLE = "bicycle"
    MOTORBIKE = "motorbike"
    CAR = "car"
    BUS = "bus"
    TRUCK = "truck"


TWO_WHEELERS = frozenset({RoadUserKind.BICYCLE, RoadUserKind.MOTORBIKE})

VEHICLES = TWO_WHEELERS | {RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK}


class LampColor(StrEnum):
    """What a lamp shows. `UNKNOWN` never leads to a violation."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    OFF = "off"
    UNKNOWN = "unknown"


LampLayout = Literal["vertical", "horizontal", "single"]
"""How a head is built: red over yellow over green, red left of yellow left of green, or one lamp alone
(an arrow, a repeater)."""


@dataclass(frozen=True, slots=True)
class Lamp:
    """One signal head in the picture, as perception needs it to read its state."""

    id: str
    box: Box
    """Close around the head: where in it a light glows tells red from yellow."""
    layout: LampLayout = "vertical"


@dataclass(frozen=True, slots=True)
class SignalState:
    """One lamp (signal head) after temporal smoothing."""

    lamp_id: str
    color: LampColor
    since_s: float
    """Capture time of the first frame of this state."""
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """A road user at one moment."""

    time_s: float
    box: Box
    confidence: float = 1.0

    @property
    def ground(self) -> Point:
        """Contact point with the ground: the bottom centre of the box."""
        left, _, right, bottom = self.box
        return ((left + right) / 2, bottom)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of somebody on a two-wheeler, as one picture shows it."""

    box: Box
    helmet: float
    """The detector's confidence that it wears a helmet, 0..1; 0 where nothing spoke for it."""
    bare: float
    """The same for a head without one."""
    height_px: float
    """In the analysed picture, in steps of an eighth: how much there was to tell it by."""


@dataclass(frozen=True, slots=True)
class RoadUser:
    """One tracked road user, as seen at the newest moment of its trajectory."""

    track_id: int
    kind: RoadUserKind
    """Class voted over the track."""
    trajectory: tuple[TrackPoint, ...]
    """Oldest first; the last point is this observation's; bounded in seconds."""
    kind_confidence: float = 1.0
    """Share of the vote that `kind` got, 0..1."""
    riders: tuple[Box, ...] = ()
    """Persons on it that have boxes of their own."""
    heads: tuple[Head, ...] = ()
    """Heads of its riders; none where the model knows no heads."""

    @property
    def now(self) -> TrackPoint:
        """The newest point."""
        return self.trajectory[-1]


@dataclass(frozen=True, slots=True)
class Observation:
    """One moment of one camera: all that a rule ever sees."""

    camera_id: str
    time: FrameTime
    road_users: tuple[RoadUser, ...]
    signals: Mapping[str, SignalState]
    picture_size: tuple[int, int] = (0, 0)
    """Width and height of the stream before scaling, in pixels: turns 0..1 into true angles."""
    connection: int = 0


Concern = Literal["traffic", "security"]
"""What an act is about: the law of the road, or a place's own order."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule saw: the act, from its start over its decisive moment to its end."""

    rule: str
    camera_id: str
    track_id: int
    kind: RoadUserKind
    before: TrackPoint
    at: TrackPoint
    """The decisive moment."""
    after: TrackPoint
    confidence: float
    time: FrameTime
    """Time source, offset and uncertainty at the decisive moment."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able proof: lamp and its state, line, lane, angles, distances; names carry their units."""
    geometry: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    """Named lines and polygons of the scene that the act is judged by, for the overlay."""
    lamps: Mapping[str, tuple[Box, LampColor]] = field(default_factory=dict)
    """Lamps that govern the act and what they showed at the decisive moment."""
    concern: Concern = "traffic"
    shadow: bool = False
    """By a rule on trial: recorded and counted, never published."""


PlateColor = Literal["white", "yellow", "blue", "red"]
"""Ground of a number plate."""

PlateOutcome = Literal["legible", "not_legible", "not_found", "not_read", "reading_off", "not_carried"]
"""What became of a plate: sure enough to be told as the vehicle's; read, but not surely; no plate in the
pictures; nobody could look; the operator has plates not read; such road users carry none."""

PlateCause = Literal[
    "unlike_a_plate", "rival_plate", "unsure", "no_picture", "acts_wait", "reader_busy", "failed", "stopping"
]
"""What the outcome alone does not tell: written like no plate of Vietnam; another plate may be the vehicle's;
pictures disagree or are poor; no picture to be had; too many acts wait for their proof; plates of other acts
were being read; the reader failed; the worker was stopping."""


@dataclass(frozen=True, slots=True)
class PlateSight:
    """A plate as it was read in one picture."""

    captured_at_s: float
    box: Box
    """Around the plate, in the whole picture's coordinates."""
    lines: tuple[str, ...]
    """As read, top to bottom, separators included: ("59-P2", "313.16")."""
    confidence: float
    char_px: float
    """Height of its characters in pixels, estimated."""


@dataclass(frozen=True, slots=True)
class PlateReading:
    """A vehicle's plate, read in several pictures and voted over them."""

    text: str
    """Corrected by the grammar, without separators: "59P231316"; "" when no plate was found."""
    lines: tuple[str, ...]
    """The same line by line."""
    voted: tuple[str, ...]
    """Line by line before the grammar's corrections."""
    confidence: float
    """0..1 that every character of `voted` is right."""
    outcome: PlateOutcome
    form: str | None
    """car, joint, motorbike, diplomatic, military; None: fits none (a foreign plate, or misread)."""
    province: str | None
    color: PlateColor | None
    sights: tuple[PlateSight, ...]
    reason: str = ""
    """Why it is not legible, as a sentence with figures; "" when it is."""
    cause: PlateCause | None = None
    """The same in a word, where the outcome does not tell it."""

    @property
    def legible(self) -> bool:
        """Sure enough to be told as the vehicle's plate."""
        return self.outcome == "legible"

    @classmethod
    def unread(
        cls, reason: str, outcome: PlateOutcome = "not_read", cause: PlateCause | None = None
    ) -> PlateReading:
        """Nothing was read."""
        return cls("", (), (), 0.0, outcome, None, None, None, (), reason, cause)


class RecordingError(Exception):
    """A still or clip cannot be had; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Still:
    """A full-resolution picture out of the encoded ring, as a JPEG."""

    jpeg: bytes
    captured_at_s: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of the encoded ring, muxed to MP4 without re-encoding."""

    path: Path
    start_s: float
    end_s: float
    codec: str
    """"h264", "h265" or "mpeg4" (part 2, which browsers do not play)."""
    frames: int


class Recording(Protocol):
    """What evidence asks of a camera: pictures and a clip around a moment that has passed."""

    def wait_until(self, time_s: float, timeout_s: float) -> bool:
        """Wait until the ring holds `time_s`; False when the camera did not get there in time.

        False comes early only when the camera will never get there: it was stopped, or its file is over.
        """
        ...

    def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
        """The frame nearest to each moment, in the order asked, or why it cannot be had.

        The moments of one call are of one connection: where capture time stepped back and some came twice,
        the others tell which are meant.
        """
        ...

    def clip(self, start_s: float, end_s: float, path: Path) -> Clip:
        """Write the span to `path` as MP4, from the last key frame at or before `start_s`.

        Raises RecordingError when the ring holds nothing of it. A clip shorter than asked is returned,
        with its true start and end.
        """
        ...


CameraState = Literal["connecting", "up", "stalled", "down", "stopped"]


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """A camera's state at a change of it."""

    camera_id: str
    state: CameraState
    since_s: float
    """Host time, UTC epoch seconds."""
    reason: str = ""
    """A sentence without secrets: what happened and what to look at."""
    reconnects: int = 0
    time: FrameTime | None = None
    codec: str = ""
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One file of a bundle, as its manifest lists it."""

    role: str
    """What it shows: "before", "at", "after", "crop", "annotated", "clip", ..."""
    file: str
    """Name within the bundle's directory."""
    media_type: str
    size_bytes: int
    sha256: str
    """Lower-case hexadecimal."""
    captured_at_s: float | None = None
    """Capture time of a picture, or of a clip's first frame."""


@dataclass(frozen=True, slots=True)
class MissingItem:
    """A part of the evidence that could not be had."""

    role: str
    reason: str
    """A sentence without secrets."""


@dataclass(frozen=True, slots=True)
class EvidenceBundle:
    """A finished directory of proof: whole, hashed and signed."""

    path: Path
    items: tuple[EvidenceItem, ...]
    missing: tuple[MissingItem, ...]
    manifest_sha256: str
    signature_key_id: str


LevelOfService = Literal["A", "B", "C", "D", "E", "F"]
"""Of the Highway Capacity Manual: from free flow (A) to a breakdown of flow (F)."""


@dataclass(frozen=True, slots=True)
class LaneState:
    """How one lane fared over one minute of capture time, see pipeline.rules.traffic."""

    start_s: float
    lane: str
    mean_speed_kmh: float | None
    """Of vehicles, over the whole lane; None without calibration, or where hardly anybody was."""
    occupied_s: float
    """For how long a vehicle covered the lane's middle."""
    queue_vehicles: int
    """That stood before the stop line, the most at once."""
    queue_m: float | None
    """Their length, the longest; None without calibration."""
    level_of_service: LevelOfService | None
    """None without mean speed or limit."""


@dataclass(frozen=True, slots=True)
class FlowCount:
    """Road users of one kind counted in one lane over one span of capture time."""

    camera_id: str
    start_s: float
    end_s: float
    lane: str | None
    """None: the whole picture."""
    kind: RoadUserKind
    count: int

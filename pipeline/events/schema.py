"""The data of each event type, as pydantic models, and the JSON Schemas (draft 2020-12) made of them.

Readers must ignore fields they do not know: within a version, fields are only ever added.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, WithJsonSchema

from pipeline.events.event import EventType, rfc3339, schema_id
from pipeline.types import CameraState, LampColor, LevelOfService, PlateColor, RoadUserKind, TimeSource

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Moment = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
            "description": "RFC 3339, UTC, milliseconds.",
        }
    ),
]
Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Data(BaseModel):
    """What all data share."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Camera(Data):
    """The camera, as the operator named it."""

    id: str
    name: str
    place: str


class Worker(Data):
    """The edge box that made the event."""

    id: str
    software: str
    """Name and version of the software."""


class Model(Data):
    """The detector model that saw it."""

    name: str
    sha256: Sha256


class Time(Data):
    """How far the times can be trusted."""

    source: TimeSource
    """The camera's RTCP reports, arrival at the worker, or a file's own time line."""
    offset_ms: float
    """Camera's clock minus worker's clock; 0 where the source is not the camera's clock."""
    uncertainty_ms: Annotated[float, Field(ge=0)]


class Sighting(Data):
    """The road user at one moment."""

    captured_at: Moment
    box: Box
    """Left, top, right, bottom in picture coordinates 0..1, x to the right and y down."""


class Moments(Data):
    """Before, at and after the act."""

    before: Sighting
    at: Sighting
    """The decisive moment."""
    after: Sighting


class Lamp(Data):
    """A lamp (signal head) that governs the act."""

    box: Box
    color: LampColor
    """What it showed at the decisive moment."""


class EvidenceFile(Data):
    """One file of the bundle."""

    role: str
    """before, at, after, crop, annotated, clip, ..."""
    file: str
    """Name within the bundle."""
    media_type: str
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    captured_at: Moment | None
    """Capture time of a picture, or of a clip's first frame."""


class MissingEvidence(Data):
    """A part of the proof that could not be had."""

    role: str
    reason: str


class Evidence(Data):
    """Where the proof is and what it holds."""

    bundle: str | None
    """The bundle's directory, relative to the worker's evidence root; null where there is none."""
    manifest_sha256: Sha256 | None
    signature_key_id: str | None
    """The worker's key that signed the manifest."""
    items: tuple[EvidenceFile, ...]
    missing: tuple[MissingEvidence, ...]


class _Act(Data):
    schema_version: Literal[1] = 1
    camera: Camera
    rule: str
    """red_light, stop_line, wrong_way, intrusion, crowd, ..."""
    shadow: bool = False
    """By a rule on trial: such events are for this box's operator only, no sink gets them."""
    track: int
    """The tracker's number of the road user on this camera; numbers begin anew when the worker does."""
    road_user: RoadUserKind
    confidence: Share
    moments: Moments
    time: Time
    """At the decisive moment."""
    facts: dict[str, Annotated[JsonValue, WithJsonSchema({})]]
    """What proved it, in the rule's own words; names carry their units."""
    geometry: dict[str, tuple[Point, ...]]
    """Named lines and polygons that the act was judged by, in picture coordinates 0..1."""
    lamps: dict[str, Lamp]
    evidence: Evidence
    worker: Worker
    model: Model


class PlateSight(Data):
    """The plate as it was read in one picture."""

    captured_at: Moment
    box: Box
    """Around the plate, in picture coordinates 0..1."""
    lines: tuple[str, ...]
    """As read, top to bottom, separators included."""
    confidence: Share
    char_px: Annotated[float, Field(ge=0)]
    """Height of its characters in pixels, estimated."""


class Plate(Data):
    """The vehicle's number plate."""

    text: str
    """Corrected by the grammar, without separators; "" when none was read."""
    lines: tuple[str, ...]
    """The same line by line, top to bottom."""
    voted: tuple[str, ...]
    """Voted over the pictures, before the grammar's corrections."""
    confidence: Share
    legible: bool
    """Sure enough to be taken for the vehicle's plate."""
    form: str | None
    """car, joint, motorbike, diplomatic, military; null: not written like a Vietnamese plate."""
    province: str | None
    """The two-digit code."""
    color: PlateColor | None
    """The ground's."""
    sights: tuple[PlateSight, ...]
    """The raw reading of each picture."""
    reason: str
    """Why it is not legible; "" when it is."""


class ViolationCandidate(_Act):
    """An act that a rule saw. A candidate, not a violation, until an officer confirms it."""

    plate: Plate | None = None
    """null: no plate was looked for, as of people and bicycles, or not yet."""


class SecurityIncident(_Act):
    """Something that a security rule saw: somebody in a closed zone, a crowd, a thing left alone.

    Boxes are those of one person or thing, or around all people of a crowd.
    """


class LaneCount(Data):
    """Road users of one kind in one lane."""

    lane: str | None
    """null: the whole picture."""
    road_user: RoadUserKind
    count: Annotated[int, Field(ge=0)]


class LaneTraffic(Data):
    """How a lane fared over the span."""

    lane: str
    mean_speed_kmh: float | None
    """Space-mean speed of the vehicles in the lane; null without calibration, or where hardly anybody was."""
    occupancy: Share | None
    """Share of the observed time in which a vehicle covered the lane's middle."""
    queue_vehicles: Annotated[int, Field(ge=0)]
    """Vehicles that stood before the stop line, the most at once."""
    queue_m: Annotated[float, Field(ge=0)] | None
    """Their length, the longest; null without calibration."""
    level_of_service: LevelOfService | None
    """A (free flow) to F (breakdown), Highway Capacity Manual: mean speed against the limit."""


class TrafficFlow(Data):
    """Road users counted over one span, per lane and kind. What is not listed was not seen."""

    schema_version: Literal[1] = 1
    camera: Camera
    start: Moment
    end: Moment
    observed_s: Annotated[float, Field(ge=0)]
    """How much of the span the camera was really seen: a count of 3 in 20 s is not a count of 3 in 60 s."""
    counts: tuple[LaneCount, ...]
    lanes: tuple[LaneTraffic, ...] = ()
    """Every lane of the scene."""
    worker: Worker


class CameraHealthReport(Data):
    """The camera's state since its last change."""

    schema_version: Literal[1] = 1
    camera: Camera
    state: CameraState
    since: Moment
    """By the worker's clock."""
    reason: str
    reconnects: Annotated[int, Field(ge=0)]
    time: Time | None
    """null while no frame has come."""
    codec: str
    width_px: Annotated[int, Field(ge=0)]
    height_px: Annotated[int, Field(ge=0)]
    notices: tuple[str, ...]
    """What else the worker has to say, such as "outbox full: 12 traffic.flow refused"."""
    fits_scene: bool | None = None
    """false: the camera was moved, and rules that judge by places are suspended; null: not known."""
    worker: Worker


MODELS: dict[EventType, type[Data]] = {
    EventType.VIOLATION: ViolationCandidate,
    EventType.SECURITY: SecurityIncident,
    EventType.HEALTH: CameraHealthReport,
    EventType.FLOW: TrafficFlow,
}


def json_schema(event_type: EventType) -> dict[str, Any]:
    """The published JSON Schema of the type's data."""
    schema = MODELS[event_type].model_json_schema(mode="serialization")
    return {"$schema": DIALECT, "$id": schema_id(event_type), **schema, "title": str(event_type)}

"""The data of each event type, as pydantic models, and the JSON Schemas (draft 2020-12) made of them.

Readers must ignore fields they do not know: within a version, fields are only ever added.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, WithJsonSchema

from pipeline.events.event import EventType, schema_id
from pipeline.events.schema_base import Box, Data, Moment, Point, Sha256, Share, Told
from pipeline.events.schema_law import Law
from pipeline.types import (
    CameraState,
    LampColor,
    LevelOfService,
    PlateCause,
    PlateColor,
    PlateOutcome,
    RoadUserKind,
    TimeSource,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"


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
    reason: Told


class Evidence(Data):
    """Where the proof is and what it holds."""

    bundle: str | None
    """The bundle's directory, relative to the worker's evidence root; null where there is none."""
    manifest_sha256: Sha256 | None
    signature_key_id: str | None
    """The worker's key that signed the manifest."""
    items: tuple[EvidenceFile, ...]
    missing: tuple[MissingEvidence, ...]


Part = Literal[
    "plate_not_carried",
    "plate_reading_off",
    "plate_not_read",
    "plate_not_found",
    "plate_not_legible",
    "still_before",
    "still_at",
    "still_after",
    "clip",
    "clip_before",
    "clip_after",
    "geometry",
]
"""What a whole record needs and this one lacks; docs/events.md says what each means."""


class MissingPart(Data):
    """A part that a whole record needs and that could not be had."""

    code: Part
    reason: Told


class Act(Data):
    """What a rule saw, whatever its type."""

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

    outcome: PlateOutcome
    """What became of it."""
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
    reason: Told
    """Why it is not legible; "" when it is."""
    cause: PlateCause | None = None
    """The same in a word, where the outcome does not tell it."""


class _Violation(Act):
    law: Law | None = None
    """null: the event was made by a version that knew no law."""
    plate: Plate


class ViolationCandidate(_Violation):
    """An act with everything that a record must hold: legible plate, stills before, at and after, clip,
    geometry. A candidate, not a violation, until an officer confirms it."""

    schema_version: Literal[2] = 2
    missing: Annotated[tuple[MissingPart, ...], Field(max_length=0)] = ()
    """Always empty: what lacks a part is a violation.incomplete."""


class ViolationIncomplete(_Violation):
    """An act that a rule saw, and whose record lacks something: by it alone nobody is held to account."""

    schema_version: Literal[1] = 1
    missing: Annotated[tuple[MissingPart, ...], Field(min_length=1)]


class SecurityIncident(Act):
    """Something that a security rule saw: somebody in a closed zone, a crowd, a thing left alone.

    Boxes are those of one person or thing, or around all people of a crowd.
    """

    schema_version: Literal[1] = 1
    missing: tuple[MissingPart, ...] = ()
    """What its record lacks of stills, clip and geometry; it is told all the same."""


class LaneCount(Data):
    """Road users of one kind in one lane."""

    lane: str | None
    """null: the whole picture."""
    road_user: RoadUserKind
    count: Annotated[int, Field(ge=0)]


class LaneTraffic(Data):
    """How a lane fared over the span."""

    lane: str
    mean_speed_kmh: Annotated[float, Field(ge=0)] | None
    """Space-mean speed of the vehicles in the lane, those against it left out; null without calibration, or
    where hardly anybody was."""
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
    """A minute's, or later, of the watch or a scene drawn anew. No two spans of a camera overlap."""
    end: Moment
    """A minute's, or sooner, where the watch ended or the scene was drawn anew."""
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
    """Of the state, by the worker's clock; the event's time is when it was told."""
    reason: Told
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
    EventType.INCOMPLETE: ViolationIncomplete,
    EventType.SECURITY: SecurityIncident,
    EventType.HEALTH: CameraHealthReport,
    EventType.FLOW: TrafficFlow,
}


def json_schema(event_type: EventType) -> dict[str, Any]:
    """The published JSON Schema of the type's data."""
    model = MODELS[event_type]
    named = schema_id(event_type, model.model_fields["schema_version"].default)
    schema = model.model_json_schema(mode="serialization")
    return {"$schema": DIALECT, "$id": named, **schema, "title": str(event_type)}

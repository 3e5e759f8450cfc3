"""What the IOC needs of an act's event. Everything else in the event is kept and ignored.

Stricter than the worker's schema where hostile input could hurt (lengths, names of files), and laxer where
versions differ: unknown fields and parts that are not there yet are no fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from pipeline.config.limits import LONGEST_NAME, LONGEST_TEXT, MOST_AMENDMENTS, MOST_ENTRIES

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Word = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
Shown = Annotated[str, Field(max_length=LONGEST_NAME)]
Told = Annotated[str, Field(max_length=LONGEST_TEXT)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
BundlePath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){0,7}$")
]
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
Moment = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]
"""Of this century: what Vietnam's clock says at the ends of the calendar is no date any more."""
Share = Annotated[float, Field(ge=0, le=1)]
Box = tuple[float, float, float, float]
MAX_KMH = 400
"""No lane's mean speed is higher."""


class Part(BaseModel):
    """What all parts share."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Camera(Part):
    """Where it was seen."""

    id: Name
    name: Shown
    place: Shown


class Worker(Part):
    """What saw it."""

    id: Name
    software: Shown = ""


class Sighting(Part):
    """The road user at one moment."""

    captured_at: Moment
    box: Box


class Moments(Part):
    """Before, at and after the act."""

    before: Sighting
    at: Sighting
    after: Sighting


class Clock(Part):
    """How far the times can be trusted."""

    source: Word
    offset_ms: float
    uncertainty_ms: Annotated[float, Field(ge=0)]


class Lamp(Part):
    """A lamp that governed the act."""

    box: Box
    color: Word


class Item(Part):
    """One file of the evidence."""

    role: Word
    file: FileName
    media_type: Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$", max_length=60)]
    size_bytes: Annotated[int, Field(ge=0, le=1 << 32)]
    sha256: Sha256
    captured_at: Moment | None = None


class Missing(Part):
    """What could not be had."""

    role: Shown = ""
    code: Shown = ""
    reason: Told = ""


class Evidence(Part):
    """Where the proof is."""

    bundle: BundlePath | None = None
    manifest_sha256: Sha256 | None = None
    signature_key_id: Shown | None = None
    items: Annotated[tuple[Item, ...], Field(max_length=64)] = ()
    missing: Annotated[tuple[Missing, ...], Field(max_length=64)] = ()


class PlateSight(Part):
    """The plate in one picture."""

    captured_at: Moment
    box: Box
    char_px: Annotated[float, Field(ge=0)] = 0.0


class Plate(Part):
    """The number plate as it was read."""

    text: Annotated[str, Field(max_length=40)] = ""
    lines: Annotated[tuple[Shown, ...], Field(max_length=4)] = ()
    voted: Annotated[tuple[Shown, ...], Field(max_length=4)] = ()
    confidence: Share = 0.0
    legible: bool = False
    form: Shown | None = None
    color: Shown | None = None
    province: Shown | None = None
    sights: Annotated[tuple[PlateSight, ...], Field(max_length=200)] = ()
    outcome: Shown = ""
    reason: Told = ""
    cause: Shown | None = None


class Title(Part):
    """The same in both languages."""

    vi: Told = ""
    en: Told = ""


class Amendment(Part):
    """A later decree that changes an entry's."""

    note: Title = Title()


class LawEntry(Part):
    """A point of a decree that the act may fall under."""

    citation: Told
    title: Title
    fine_vnd: Annotated[tuple[int, ...], Field(max_length=2)] = ()
    licence_points: int = 0
    verified: bool = False
    amended_by: Annotated[tuple[Amendment, ...], Field(max_length=MOST_AMENDMENTS)] = ()


class Law(Part):
    """What the catalogue of laws says of the act."""

    entries: Annotated[tuple[LawEntry, ...], Field(max_length=MOST_ENTRIES)] = ()
    reason: Told = ""
    verified: bool = False


class Act(Part):
    """The data of violation.candidate, violation.incomplete and security.incident."""

    camera: Camera
    rule: Word
    shadow: bool = False
    track: int = 0
    road_user: Word
    confidence: Share
    moments: Moments
    time: Clock
    facts: Annotated[dict[Shown, JsonValue], Field(max_length=100)] = Field(default_factory=dict)
    geometry: Annotated[
        dict[Shown, Annotated[tuple[tuple[float, float], ...], Field(max_length=200)]], Field(max_length=40)
    ] = Field(default_factory=dict)
    lamps: Annotated[dict[Shown, Lamp], Field(max_length=40)] = Field(default_factory=dict)
    evidence: Evidence = Evidence()
    missing: Annotated[tuple[Missing, ...], Field(max_length=64)] = ()
    plate: Plate | None = None
    law: Law | None = None
    worker: Worker


class HealthReport(Part):
    """The data of camera.health."""

    camera: Camera
    state: Word
    since: Moment
    reason: Told = ""


class LaneCount(Part):
    """Road users of one kind in one lane."""

    lane: Shown | None
    road_user: Word
    count: Annotated[int, Field(ge=0, le=1_000_000)]


class LaneTraffic(Part):
    """How a lane fared."""

    lane: Shown
    mean_speed_kmh: float | None = None
    level_of_service: Annotated[str, Field(pattern=r"^[A-F]$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_impossible_speed(cls, given: Any) -> Any:
        """A speed that cannot be is none, nor is the level made of it: no minute's counts are lost for it."""
        speed = given.get("mean_speed_kmh") if isinstance(given, Mapping) else None
        if isinstance(speed, int | float) and not 0 <= speed <= MAX_KMH:
            return {**given, "mean_speed_kmh": None, "level_of_service": None}
        return given


class FlowReport(Part):
    """The data of traffic.flow."""

    camera: Camera
    start: Moment
    end: Moment
    observed_s: Annotated[float, Field(ge=0)]
    counts: Annotated[tuple[LaneCount, ...], Field(max_length=1000)] = ()
    lanes: Annotated[tuple[LaneTraffic, ...], Field(max_length=100)] = ()

    @property
    def counted(self) -> dict[str, int]:
        """Road users by kind; those counted over the whole picture, where lanes overlap."""
        whole = [c for c in self.counts if c.lane is None] or self.counts
        kinds: dict[str, int] = {}
        for count in whole:
            kinds[count.road_user] = kinds.get(count.road_user, 0) + count.count
        return kinds

    @property
    def vehicles(self) -> int:
        """Road users in all."""
        return sum(self.counted.values())


def bare_plate(text: str) -> str:
    """A plate as cases are kept and sought by: capital letters and digits alone."""
    return re.sub(r"[^A-ZĐ0-9]", "", text.upper())

"""manifest.json: everything a bundle claims, as one signed file.

The event of a hit is a function of its manifest and the manifest's hash, so a bundle that outlived a crash
is enough to build its event again: nothing about the event needs to be stored beside it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import to_json

from pipeline.config import CameraSettings
from pipeline.evidence.signing import SigningKey
from pipeline.types import (
    Box,
    Clip,
    Concern,
    EvidenceBundle,
    EvidenceItem,
    FrameTime,
    Hit,
    LampColor,
    MissingItem,
    Point,
    RoadUserKind,
    TimeSource,
    TrackPoint,
)

MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
ORIGINALS = ("before", "at", "after", "clip")
"""Roles of what came from the camera, unchanged."""

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z", re.ASCII)


def _stamp(time_s: float) -> str:
    seconds = math.floor(time_s)
    nanoseconds = round((time_s - seconds) * 1e9)
    seconds, nanoseconds = seconds + nanoseconds // 10**9, nanoseconds % 10**9
    return f"{utc(seconds):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _seconds(stamp: object) -> object:
    if not isinstance(stamp, str):
        return stamp
    parts = _STAMP.fullmatch(stamp)
    if parts is None:
        raise ValueError("a moment is written like 2026-01-31T23:59:59.123456789Z")
    return datetime.fromisoformat(parts[1]).replace(tzinfo=UTC).timestamp() + int(parts[2]) / 1e9


Stamp = Annotated[float, BeforeValidator(_seconds), PlainSerializer(_stamp)]
"""Epoch seconds here; in JSON RFC 3339 in UTC, with nanoseconds, so that a float comes back unchanged."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EventId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CameraPart(_Part):
    """Which camera, and where it stands."""

    id: str
    name: str
    place: str


class MomentPart(_Part):
    """The road user at one moment; its box in picture coordinates 0..1."""

    captured_at: Stamp
    box: Box
    confidence: float


class MomentsPart(_Part):
    """The act from its start over its decisive moment to its end."""

    before: MomentPart
    at: MomentPart
    after: MomentPart


class TrackPart(_Part):
    """Who did it."""

    id: int
    kind: RoadUserKind


class TimePart(_Part):
    """The clock behind the decisive moment."""

    captured_at: Stamp
    source: TimeSource
    offset_ms: float
    uncertainty_ms: float


class LampPart(_Part):
    """A lamp that governs the act, and what it showed at the decisive moment."""

    box: Box
    color: LampColor


class ModelPart(_Part):
    """The detector."""

    name: str
    sha256: str


class ClipPart(_Part):
    """What the clip holds."""

    start_at: Stamp
    end_at: Stamp
    codec: str
    frames: int
    poster: str = ""
    """The file that stands for the clip where it is listed, and before it is played; "" in older bundles and
    where there is none."""


class ItemPart(_Part):
    """One file of the bundle."""

    role: str
    file: str
    media_type: str
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    captured_at: Stamp | None


class MissingPart(_Part):
    """A part that could not be had."""

    role: str
    reason: str


class SignaturePart(_Part):
    """Whose signature is in manifest.sig."""

    algorithm: Literal["Ed25519"]
    key_id: str
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Raw public key, hexadecimal."""


class Manifest(_Part):
    """The manifest, schema version 1."""

    schema_version: Literal[1]
    event_id: EventId
    created_at: Stamp
    software: str
    worker_id: str
    camera: CameraPart
    rule: str
    confidence: float
    track: TrackPart
    moments: MomentsPart
    time: TimePart
    facts: dict[str, Any]
    geometry: dict[str, tuple[Point, ...]]
    lamps: dict[str, LampPart]
    concern: Concern = "traffic"
    shadow: bool = False
    """By a rule on trial."""
    model: ModelPart
    clip: ClipPart | None
    items: Annotated[tuple[ItemPart, ...], Field(max_length=64)]
    missing: Annotated[tuple[MissingPart, ...], Field(max_length=64)]
    signature: SignaturePart

    def canonical(self) -> bytes:
        """The bytes that are written, hashed and signed: UTF-8 JSON, sorted keys, no spaces."""
        data = self.model_dump(mode="json")
        return json.dumps(
            data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()

    def hit(self) -> Hit:
        """The hit that the bundle proves, as it was."""
        return Hit(
            rule=self.rule,
            camera_id=self.camera.id,
            track_id=self.track.id,
            kind=self.track.kind,
            before=_track_point(self.moments.before),
            at=_track_point(self.moments.at),
            after=_track_point(self.moments.after),
            confidence=self.confidence,
            time=FrameTime(
                captured_at_s=self.time.captured_at,
                source=self.time.source,
                offset_ms=self.time.offset_ms,
                uncertainty_ms=self.time.uncertainty_ms,
            ),
            facts=self.facts,
            geometry=self.geometry,
            lamps={lamp_id: (lamp.box, lamp.color) for lamp_id, lamp in self.lamps.items()},
            concern=self.concern,
            shadow=self.shadow,
        )

    def bundle(self, path: Path, sha256: str) -> EvidenceBundle:
        """The bundle as events carry it; `sha256` is that of the manifest's own bytes."""
        return EvidenceBundle(
            path=path,
            items=tuple(
                EvidenceItem(
                    role=item.role,
                    file=item.file,
                    media_type=item.media_type,
                    size_bytes=item.size_bytes,
                    sha256=item.sha256,
                    captured_at_s=item.captured_at,
                )
                for item in self.items
            ),
            missing=tuple(MissingItem(part.role, part.reason) for part in self.missing),
            manifest_sha256=sha256,
            signature_key_id=self.signature.key_id,
        )


def utc(time_s: float) -> datetime:
    """Epoch seconds as an aware datetime. Raises ValueError or OverflowError outside the calendar."""
    return datetime.fromtimestamp(time_s, UTC)


def describe(
    hit: Hit,
    *,
    event_id: str,
    created_at_s: float,
    software: str,
    worker_id: str,
    camera: CameraSettings,
    model: tuple[str, str],
    clip: Clip | None,
    items: Sequence[EvidenceItem],
    missing: Sequence[MissingItem],
    key: SigningKey,
) -> Manifest:
    """The manifest of a hit and its files. Raises ValueError where a value has no place in it."""
    # A rule's facts are JSON-able by contract; a stray numpy number or NaN must not cost the evidence.
    facts = json.loads(to_json(dict(hit.facts), inf_nan_mode="null", fallback=_plain))
    return Manifest(
        schema_version=1,
        event_id=event_id,
        created_at=created_at_s,
        software=software,
        worker_id=worker_id,
        camera=CameraPart(id=hit.camera_id, name=camera.name, place=camera.place),
        rule=hit.rule,
        confidence=float(hit.confidence),
        track=TrackPart(id=int(hit.track_id), kind=hit.kind),
        moments=MomentsPart(before=_moment(hit.before), at=_moment(hit.at), after=_moment(hit.after)),
        time=TimePart(
            captured_at=float(hit.time.captured_at_s),
            source=hit.time.source,
            offset_ms=float(hit.time.offset_ms),
            uncertainty_ms=float(hit.time.uncertainty_ms),
        ),
        facts=facts,
        geometry={
            name: tuple((float(x), float(y)) for x, y in points) for name, points in hit.geometry.items()
        },
        lamps={lamp_id: LampPart(box=_box(box), color=color) for lamp_id, (box, color) in hit.lamps.items()},
        concern=hit.concern,
        shadow=hit.shadow,
        model=ModelPart(name=model[0], sha256=model[1]),
        clip=None
        if clip is None
        else ClipPart(
            start_at=clip.start_s,
            end_at=clip.end_s,
            codec=clip.codec,
            frames=clip.frames,
            poster=_poster(items),
        ),
        items=tuple(
            ItemPart(
                role=item.role,
                file=item.file,
                media_type=item.media_type,
                size_bytes=item.size_bytes,
                sha256=item.sha256,
                captured_at=item.captured_at_s,
            )
            for item in items
        ),
        missing=tuple(MissingPart(role=part.role, reason=part.reason) for part in missing),
        signature=SignaturePart(algorithm="Ed25519", key_id=key.key_id, public_key=key.public_key.hex()),
    )


def originals_digest(items: Sequence[EvidenceItem]) -> str:
    """SHA-256 over what came from the camera: a line "role sha256" for each of ORIGINALS, in that order.

    The composite shows its beginning: it cannot show the manifest's hash, being listed there itself.
    """
    told = {item.role: item.sha256 for item in items}
    lines = (f"{role} {told[role]}\n" for role in ORIGINALS if role in told)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _poster(items: Sequence[EvidenceItem]) -> str:
    """The best picture there is for the clip."""
    files = {item.role: item.file for item in items}
    return next((files[role] for role in ("composite", "annotated", "at") if role in files), "")


def _moment(point: TrackPoint) -> MomentPart:
    return MomentPart(
        captured_at=float(point.time_s), box=_box(point.box), confidence=float(point.confidence)
    )


def _track_point(moment: MomentPart) -> TrackPoint:
    return TrackPoint(moment.captured_at, moment.box, moment.confidence)


def _box(box: Box) -> Box:
    left, top, right, bottom = box
    return (float(left), float(top), float(right), float(bottom))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)

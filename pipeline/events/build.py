"""From the types inside to events: the only place that knows both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from pipeline.config import CameraSettings
from pipeline.events import schema
from pipeline.events.errors import EventsError
from pipeline.events.event import Event, EventType, event_id, milliseconds, moment, rfc3339
from pipeline.types import (
    CameraHealth,
    EvidenceBundle,
    FlowCount,
    FrameTime,
    Hit,
    LaneState,
    MissingItem,
    PlateReading,
    TrackPoint,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes the events: worker, software and model."""

    worker_id: str
    software: str
    """Name and version, such as "ngatu 0.1.0"."""
    model_name: str
    model_sha256: str


def candidate_id(hit: Hit) -> str:
    """The id of the hit's event: the same for the same camera, rule, track and decisive moment."""
    return event_id(_type(hit), hit.camera_id, hit.rule, hit.track_id, milliseconds(hit.at.time_s))


def build_candidate(
    hit: Hit, camera: CameraSettings, origin: Origin, *, missing: Sequence[MissingItem]
) -> Event:
    """The hit's event with no evidence yet, and why: what the journal keeps. See `with_evidence`."""
    with _making(f"hit {hit.rule} of camera {hit.camera_id}"):
        data = (schema.SecurityIncident if hit.concern == "security" else schema.ViolationCandidate)(
            camera=_camera(camera),
            rule=hit.rule,
            shadow=hit.shadow,
            track=hit.track_id,
            road_user=hit.kind,
            confidence=hit.confidence,
            moments=schema.Moments(
                before=_sighting(hit.before), at=_sighting(hit.at), after=_sighting(hit.after)
            ),
            time=_time(hit.time),
            facts=_jsonable(hit.facts),
            geometry=_jsonable(hit.geometry),
            lamps={name: schema.Lamp(box=_box(box), color=color) for name, (box, color) in hit.lamps.items()},
            evidence=schema.Evidence(
                bundle=None, manifest_sha256=None, signature_key_id=None, items=(), missing=_missing(missing)
            ),
            worker=_worker(origin),
            model=schema.Model(name=origin.model_name, sha256=origin.model_sha256),
        )
    return Event(
        id=candidate_id(hit),
        type=_type(hit),
        source=_source(origin, hit.camera_id),
        subject=f"{hit.rule}/{hit.track_id}",
        time=moment(hit.at.time_s),
        key=hit.camera_id,
        data=data.model_dump(mode="json"),
    )


def with_evidence(event: Event, bundle: EvidenceBundle, evidence_root: Path) -> Event:
    """The candidate with its finished bundle; the id stays. EventsError when it lies outside the root."""
    try:
        place = bundle.path.relative_to(evidence_root).as_posix()
    except ValueError:
        raise EventsError(f"evidence {bundle.path} is not below the evidence root {evidence_root}") from None
    with _making(f"evidence {place}"):
        evidence = schema.Evidence(
            bundle=place,
            manifest_sha256=bundle.manifest_sha256,
            signature_key_id=bundle.signature_key_id,
            items=tuple(
                schema.EvidenceFile(
                    role=item.role,
                    file=item.file,
                    media_type=item.media_type,
                    size_bytes=item.size_bytes,
                    sha256=item.sha256,
                    captured_at=None if item.captured_at_s is None else moment(item.captured_at_s),
                )
                for item in bundle.items
            ),
            missing=_missing(bundle.missing),
        )
    return replace(event, data={**event.data, "evidence": evidence.model_dump(mode="json")})


def with_plate(event: Event, reading: PlateReading) -> Event:
    """The candidate with what was read of the vehicle's plate; the id stays."""
    with _making(f"the plate of {event.subject}"):
        plate = schema.Plate(
            text=reading.text,
            lines=reading.lines,
            voted=reading.voted,
            confidence=reading.confidence,
            legible=reading.legible,
            form=reading.form,
            province=reading.province,
            color=reading.color,
            sights=tuple(
                schema.PlateSight(
                    captured_at=moment(sight.captured_at_s),
                    box=_box(sight.box),
                    lines=sight.lines,
                    confidence=sight.confidence,
                    char_px=sight.char_px,
                )
                for sight in reading.sights
            ),
            reason=reading.reason,
        )
    return replace(event, data={**event.data, "plate": plate.model_dump(mode="json")})


def build_flow(
    counts: Sequence[FlowCount],
    camera: CameraSettings,
    origin: Origin,
    *,
    start_s: float,
    end_s: float,
    observed_s: float,
    lanes: Sequence[LaneState] = (),
) -> Event:
    """One span of one camera; `counts` may be empty: nobody passed, and that is worth telling."""
    with _making(f"traffic flow of camera {camera.id}"):
        data = schema.TrafficFlow(
            camera=_camera(camera),
            start=moment(start_s),
            end=moment(end_s),
            observed_s=round(observed_s, 3),
            counts=tuple(
                schema.LaneCount(lane=count.lane, road_user=count.kind, count=count.count) for count in counts
            ),
            lanes=tuple(_lane(lane, observed_s) for lane in lanes),
            worker=_worker(origin),
        )
    return Event(
        id=event_id(EventType.FLOW, camera.id, milliseconds(start_s), milliseconds(end_s)),
        type=EventType.FLOW,
        source=_source(origin, camera.id),
        subject=rfc3339(data.start),
        time=data.end,
        key=camera.id,
        data=data.model_dump(mode="json"),
    )


def _lane(lane: LaneState, observed_s: float) -> schema.LaneTraffic:
    return schema.LaneTraffic(
        lane=lane.lane,
        mean_speed_kmh=None if lane.mean_speed_kmh is None else round(lane.mean_speed_kmh, 1),
        occupancy=round(min(1.0, lane.occupied_s / observed_s), 3) if observed_s > 0 else None,
        queue_vehicles=lane.queue_vehicles,
        queue_m=None if lane.queue_m is None else round(lane.queue_m, 1),
        level_of_service=lane.level_of_service,
    )


def build_health(
    health: CameraHealth,
    camera: CameraSettings,
    origin: Origin,
    *,
    notices: Sequence[str] = (),
    fits_scene: bool | None = None,
) -> Event:
    """The camera's state, and what else the worker has to say."""
    width_px, height_px = health.size
    with _making(f"health of camera {camera.id}"):
        data = schema.CameraHealthReport(
            camera=_camera(camera),
            state=health.state,
            since=moment(health.since_s),
            reason=health.reason,
            reconnects=health.reconnects,
            time=None if health.time is None else _time(health.time),
            codec=health.codec,
            width_px=width_px,
            height_px=height_px,
            notices=tuple(notices),
            fits_scene=fits_scene,
            worker=_worker(origin),
        )
    return Event(
        id=event_id(EventType.HEALTH, camera.id, health.state, data.since, health.reason, *notices),
        type=EventType.HEALTH,
        source=_source(origin, camera.id),
        subject=health.state,
        time=data.since,
        key=camera.id,
        data=data.model_dump(mode="json"),
    )


def _type(hit: Hit) -> EventType:
    return EventType.SECURITY if hit.concern == "security" else EventType.VIOLATION


@contextmanager
def _making(what: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EventsError(f"{what} cannot become an event: {place}: {first['msg']}") from None


def _jsonable(value: Mapping[str, Any]) -> Any:
    # A candidate is never lost for an odd fact: numbers of numpy become numbers, NaN becomes null,
    # anything else its text.
    return to_jsonable_python(
        dict(value),
        inf_nan_mode="null",
        fallback=lambda odd: odd.tolist() if isinstance(odd, np.generic | np.ndarray) else str(odd),
    )


def _camera(camera: CameraSettings) -> schema.Camera:
    return schema.Camera(id=camera.id, name=camera.name, place=camera.place)


def _worker(origin: Origin) -> schema.Worker:
    return schema.Worker(id=origin.worker_id, software=origin.software)


def _source(origin: Origin, camera_id: str) -> str:
    return f"/workers/{origin.worker_id}/cameras/{camera_id}"


def _time(time: FrameTime) -> schema.Time:
    return schema.Time(
        source=time.source,
        offset_ms=round(time.offset_ms, 3),
        uncertainty_ms=round(time.uncertainty_ms, 3),
    )


def _sighting(point: TrackPoint) -> schema.Sighting:
    return schema.Sighting(captured_at=moment(point.time_s), box=_box(point.box))


def _box(box: tuple[float, float, float, float]) -> schema.Box:
    left, top, right, bottom = (round(float(edge), 5) for edge in box)
    return left, top, right, bottom


def _missing(parts: Sequence[MissingItem]) -> tuple[schema.MissingEvidence, ...]:
    return tuple(schema.MissingEvidence(role=part.role, reason=part.reason) for part in parts)

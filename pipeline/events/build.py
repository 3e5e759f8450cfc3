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
from pipeline.events.blocks import (
    box,
    evidence_block,
    law_block,
    no_evidence,
    plate_block,
    sighting,
    time_block,
)
from pipeline.events.complete import settled
from pipeline.events.errors import EventsError
from pipeline.events.event import Event, EventType, event_id, milliseconds, moment, rfc3339
from pipeline.law import InForce
from pipeline.types import CameraHealth, EvidenceBundle, FlowCount, Hit, LaneState, MissingItem, PlateReading


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes the events: worker, software and model."""

    worker_id: str
    software: str
    """Name and version, such as "ngatu 0.1.0"."""
    model_name: str
    model_sha256: str


def act_id(hit: Hit) -> str:
    """The id of the hit's event, whole or not: the same for the same camera, rule, track and moment."""
    kind = EventType.SECURITY if hit.concern == "security" else EventType.VIOLATION
    return event_id(kind, hit.camera_id, hit.rule, hit.track_id, milliseconds(hit.at.time_s))


def build_act(
    hit: Hit,
    camera: CameraSettings,
    origin: Origin,
    *,
    missing: Sequence[MissingItem],
    law: InForce | None,
    plate: PlateReading,
) -> Event:
    """The hit's event with no evidence yet, and why: what the journal keeps.

    `with_evidence` and `with_plate` add to it, and its type follows: violation.incomplete until nothing is
    missing. `law` and `plate` do not concern security incidents.
    """
    security = hit.concern == "security"
    with _making(f"hit {hit.rule} of camera {hit.camera_id}"):
        data: dict[str, Any] = {
            "camera": _camera(camera),
            "rule": hit.rule,
            "shadow": hit.shadow,
            "track": hit.track_id,
            "road_user": hit.kind,
            "confidence": hit.confidence,
            "moments": schema.Moments(
                before=sighting(hit.before), at=sighting(hit.at), after=sighting(hit.after)
            ),
            "time": time_block(hit.time),
            "facts": _jsonable(hit.facts),
            "geometry": _jsonable(hit.geometry),
            "lamps": {
                name: schema.Lamp(box=box(edges), color=color) for name, (edges, color) in hit.lamps.items()
            },
            "evidence": no_evidence(missing),
            "worker": _worker(origin),
            "model": schema.Model(name=origin.model_name, sha256=origin.model_sha256),
        }
        if not security:
            data |= {"law": None if law is None else law_block(law), "plate": plate_block(plate)}
        return settled(
            Event(
                id=act_id(hit),
                type=EventType.SECURITY if security else EventType.INCOMPLETE,
                source=_source(origin, hit.camera_id),
                subject=f"{hit.rule}/{hit.track_id}",
                time=moment(hit.at.time_s),
                key=hit.camera_id,
                data=data,
            )
        )


def with_evidence(event: Event, bundle: EvidenceBundle, evidence_root: Path) -> Event:
    """The act with its finished bundle; the id stays. EventsError when it lies outside the root."""
    evidence = evidence_block(bundle, evidence_root)
    with _making(f"the evidence of {event.subject}"):
        return settled(replace(event, data={**event.data, "evidence": evidence}))


def with_plate(event: Event, reading: PlateReading) -> Event:
    """The act with what became of the vehicle's plate; the id stays."""
    with _making(f"the plate of {event.subject}"):
        return settled(replace(event, data={**event.data, "plate": plate_block(reading)}))


def reviewed(event: Event) -> Event:
    """An act's event out of the journal, perhaps of an earlier version, with the type it has today."""
    with _making(f"the journal's {event.subject}"):
        return settled(event)


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
    """One span of one camera, which its id names: two parts of a minute are two events, and add up.

    `counts` may be empty: nobody passed, and that is worth telling.
    """
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
    told_s: float,
    notices: Sequence[str] = (),
    fits_scene: bool | None = None,
) -> Event:
    """The camera's state, and what else the worker has to say.

    `told_s` (host time, epoch) is the event's time and part of its id: within one state a complaint may come,
    go and come again, and each time is another event.
    """
    width_px, height_px = health.size
    with _making(f"health of camera {camera.id}"):
        data = schema.CameraHealthReport(
            camera=_camera(camera),
            state=health.state,
            since=moment(health.since_s),
            reason=health.reason,
            reconnects=health.reconnects,
            time=None if health.time is None else time_block(health.time),
            codec=health.codec,
            width_px=width_px,
            height_px=height_px,
            notices=tuple(notices),
            fits_scene=fits_scene,
            worker=_worker(origin),
        )
    return Event(
        id=event_id(EventType.HEALTH, camera.id, milliseconds(told_s), health.state, health.reason, *notices),
        type=EventType.HEALTH,
        source=_source(origin, camera.id),
        subject=health.state,
        time=moment(told_s),
        key=camera.id,
        data=data.model_dump(mode="json"),
    )


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

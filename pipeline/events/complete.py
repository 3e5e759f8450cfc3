"""Whether the record of an act is whole, and of what type its event therefore is.

Whole in the sense of QCVN 05:2024/BCA, 2.2.2.2: pictures, video before, during and after, place, time, act
and plate. Place, time and act are in every event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pipeline.events import schema
from pipeline.events.blocks import plate_block
from pipeline.events.event import Event, EventType
from pipeline.types import PlateReading

NEEDED: Mapping[str, schema.Part] = {
    "before": "still_before",
    "at": "still_at",
    "after": "still_after",
    "clip": "clip",
}
"""Evidence by role that must be there. What is made of it (crop, annotated, ...) can be made again."""
CUT: Mapping[str, schema.Part] = {"clip.before": "clip_before", "clip.after": "clip_after"}
"""Ends that a clip may lack."""


def settled(event: Event) -> Event:
    """The act's event with its true type, and with what is missing by now; the id stays.

    Raises ValidationError for data that fit no schema.
    """
    data = dict(event.data)
    if event.type is not EventType.SECURITY and not data.get("plate"):
        # Of a version that did not tell.
        data["plate"] = plate_block(
            PlateReading.unread("the worker stopped before the plate was read", cause="stopping")
        )
    data["missing"] = tuple(_missing(schema.Act.model_validate(data), data.get("plate")))
    kind = event.type
    if kind is not EventType.SECURITY:
        kind = EventType.INCOMPLETE if data["missing"] else EventType.VIOLATION
    data.pop("schema_version", None)
    return replace(event, type=kind, data=schema.MODELS[kind].model_validate(data).model_dump(mode="json"))


def _missing(act: schema.Act, plate: Any) -> Iterator[schema.MissingPart]:
    if plate is not None:
        plate = schema.Plate.model_validate(plate)
        if plate.outcome != "legible":
            yield schema.MissingPart(code=f"plate_{plate.outcome}", reason=plate.reason)
    had = {item.role for item in act.evidence.items}
    told = {part.role: part.reason for part in act.evidence.missing}
    for role, code in NEEDED.items():
        if role not in had:
            yield schema.MissingPart(code=code, reason=told.get(role) or "it is not in the evidence")
    for role, code in CUT.items():
        if role in told and "clip" in had:
            yield schema.MissingPart(code=code, reason=told[role])
    if not any(act.geometry.values()):
        yield schema.MissingPart(code="geometry", reason="the rule told nothing that it judged by")

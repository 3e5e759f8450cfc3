"""Areas, cameras, counts, sources, dead letters, audit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select

from pipeline.ioc.api.access import Asking, With
from pipeline.ioc.config.areas import within
from pipeline.ioc.store.models import AuditEntry, CameraState, DeadLetter

router = APIRouter(prefix="/api/v1", tags=["system"])

Ms = Annotated[int, Query(ge=0, le=4_102_444_800_000)]
Before = Annotated[int | None, Query(ge=0, le=2**53)]


class Count(BaseModel):
    """Cases of one kind in one hour."""

    hour_ms: int
    rule: str
    type: str
    count: int


@router.get("/health")
def health(the: With) -> dict[str, bool]:
    """Whether the service answers and its database too."""
    with the.database.read() as session:
        session.execute(select(1))
    return {"ok": True}


@router.get("/areas")
def areas(the: With, person: Asking) -> list[dict[str, str]]:
    """The areas that the caller may see, parents first."""
    return [{"path": p, "name": name} for p, name in the.areas.names.items() if within(p, person.areas)]


@router.get("/cameras")
def cameras(the: With, person: Asking) -> list[dict[str, Any]]:
    """Cameras of the caller's areas with their last known state."""
    with the.database.read() as session:
        found = session.scalars(select(CameraState).order_by(CameraState.id))
        return [
            {
                "id": c.id,
                "name": c.name,
                "place": c.place,
                "area": c.area,
                "state": c.state,
                "reason": c.reason,
                "since_ms": c.since_ms,
            }
            for c in found
            if within(c.area, person.areas)
        ]


@router.get("/counts")
def counts(the: With, person: Asking, from_ms: Ms, to_ms: Ms) -> list[Count]:
    """Cases per hour and kind in the caller's areas; at most 400 days at once."""
    to_ms = min(to_ms, from_ms + 400 * 86_400_000)
    return [
        Count(hour_ms=hour, rule=rule, type=kind, count=count)
        for hour, rule, kind, count in the.desk.counts(person, from_ms, to_ms)
    ]


@router.get("/sources")
def sources(the: With) -> list[dict[str, Any]]:
    """Where events come from, and how that fares."""
    return [asdict(source) for source in the.ingest.sources]


@router.get("/dead-letters")
def dead_letters(the: With, before: Before = None) -> list[dict[str, Any]]:
    """What came and is no event, newest first, 100 at a time; `before` is the last id of the page before."""
    query = select(DeadLetter).order_by(DeadLetter.id.desc()).limit(100)
    if before is not None:
        query = query.where(DeadLetter.id < before)
    with the.database.read() as session:
        return [
            {"id": x.id, "at_ms": x.at_ms, "origin": x.origin, "reason": x.reason, "body": x.body[:2000]}
            for x in session.scalars(query)
        ]


@router.get("/audit")
def audit(the: With, before: Before = None) -> list[dict[str, Any]]:
    """The audit log, newest first, 100 entries at a time."""
    query = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(100)
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    with the.database.read() as session:
        return [
            {
                "seq": x.seq,
                "at_ms": x.at_ms,
                "actor": x.actor,
                "action": x.action,
                "subject": x.subject,
                "detail": x.detail,
                "hash": x.hash,
            }
            for x in session.scalars(query)
        ]

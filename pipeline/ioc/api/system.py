"""Areas, cameras, counts, sources, dead letters, audit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel
from sqlalchemy import select

from pipeline.ioc.api.access import Asking, With
from pipeline.ioc.config.areas import within
from pipeline.ioc.desk.log import LogFilter
from pipeline.ioc.ingest.letters import Retried, RetryError

router = APIRouter(prefix="/api/v1", tags=["system"])

LATEST_MS = 4_102_444_800_000
Ms = Annotated[int, Query(ge=0, le=LATEST_MS)]
Sought = Annotated[str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
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
    """What came and is no event, newest first, 50 at a time; `before` is the last id of the page before."""
    return [
        {
            "id": x.id,
            "at_ms": x.at_ms,
            "origin": x.origin,
            "reason": x.reason,
            "body": x.body[:2000],
            "can_retry": bool(x.form),
        }
        for x in the.letters.page(before)
    ]


@router.post("/dead-letters/retry")
def retry_some(the: With, person: Asking, before: Before = None) -> Retried:
    """Take in what can be of the next 50 dead letters, newest first; go on with `next` until it is null."""
    return the.letters.retry_some(person, before)


@router.post("/dead-letters/{letter_id}/retry")
def retry(letter_id: Annotated[int, Path(ge=1, le=2**53)], the: With, person: Asking) -> dict[str, str]:
    """Take a dead letter in again; 422 says why it is still no event."""
    try:
        return {"event_id": the.letters.retry(person, letter_id)}
    except KeyError:
        raise HTTPException(404, "there is no such letter") from None
    except RetryError as error:
        raise HTTPException(422, str(error)) from None


@router.get("/audit")
def audit(
    the: With,
    person: Asking,
    before: Before = None,
    actor: Sought = "",
    action: Sought = "",
    subject: Sought = "",
    from_ms: Ms = 0,
    to_ms: Ms = LATEST_MS,
) -> list[dict[str, Any]]:
    """The audit log, newest first, 100 at a time; who has a part of the area sees what concerns that."""
    wanted = LogFilter(actor, action, subject, from_ms, to_ms)
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
        for x in the.log.entries(person, wanted, before)
    ]


@router.get("/audit/chain")
def chain(the: With) -> dict[str, Any]:
    """Walk the whole chain of the audit log; takes as long as it is long."""
    found = the.log.verify()
    return {"ok": not found.problem, **asdict(found)}

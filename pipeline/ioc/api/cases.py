"""Lists, cases, claims, decisions, evidence."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from pipeline.ioc.api.access import Asking, With
from pipeline.ioc.api.ranges import ranged
from pipeline.ioc.desk import Filter, Page
from pipeline.ioc.desk.queue import ListState

router = APIRouter(prefix="/api/v1", tags=["cases"])

CaseId = Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
FileName = Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Word = Annotated[str, Query(max_length=200, pattern=r"^[A-Za-z0-9/._-]*$")]
Ms = Annotated[int | None, Query(ge=0, le=4_102_444_800_000)]


class DecisionBody(BaseModel):
    """What an officer decides."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["confirm", "reject", "second_look"]
    reason: Annotated[str, Field(max_length=40)] = ""
    """Of a rejection."""
    note: Annotated[str, Field(max_length=500)] = ""
    plate: Annotated[str | None, Field(max_length=20)] = None
    """The plate as the officer reads it."""
    seen: Annotated[int | None, Field(ge=0)] = None
    """How many decisions the case's history had when the officer looked: 409 where one has come since."""


class HoldBody(BaseModel):
    """A legal hold, set or lifted."""

    model_config = ConfigDict(extra="forbid")

    held: bool
    reason: Annotated[str, Field(max_length=500)]


def wanted(
    rule: Word = "",
    type: Word = "",
    camera: Word = "",
    area: Word = "",
    plate: Annotated[str, Query(max_length=40)] = "",
    state: ListState = "queue",
    from_ms: Ms = None,
    to_ms: Ms = None,
    days_left: Annotated[int | None, Query(ge=-3650, le=3650)] = None,
    oldest_first: bool = False,
) -> Filter:
    """The list's filter, out of the address."""
    return Filter(rule, type, camera, area, plate, state, from_ms, to_ms, days_left, oldest_first)


@router.get("/cases")
def cases(
    the: With,
    person: Asking,
    wanted: Annotated[Filter, Depends(wanted)],
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Page:
    """Cases of the caller's areas, 50 at a time, newest first unless asked otherwise."""
    try:
        return the.desk.cases(person, wanted, cursor)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


@router.get("/cases/{case_id}")
def case(case_id: CaseId, the: With, person: Asking) -> dict[str, Any]:
    """One case: its row, its event's data, who has it, what was decided."""
    view = the.desk.case(person, case_id)
    return {
        **asdict(view.row),
        "worker": view.worker,
        "claimed_by_name": view.claimed_by,
        "data": view.act.model_dump(mode="json"),
        "history": [asdict(entry) for entry in view.history],
        "hold": asdict(view.hold) if view.hold is not None else None,
        "evidence_gone_ms": view.evidence_gone_ms,
    }


@router.get("/cases/{case_id}/files/{file}", response_class=Response)
def file(
    case_id: CaseId,
    file: FileName,
    the: With,
    person: Asking,
    range: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """A file of the evidence, checked against its hash; ranges are served."""
    view = the.desk.case(person, case_id)
    content, item = the.files.read(view, file)
    # A worker's word on what a file is decides nothing: pictures and films alone are shown in place.
    shown = item.media_type in ("image/jpeg", "image/png", "video/mp4")
    answer = ranged(content, item.media_type if shown else "application/octet-stream", item.sha256, range)
    if not shown:
        answer.headers["Content-Disposition"] = "attachment"
    return answer


@router.get("/cases/{case_id}/thumbnail", response_class=Response)
def thumbnail(case_id: CaseId, the: With, person: Asking) -> Response:
    """A small picture of the road user."""
    content = the.files.thumbnail(the.desk.case(person, case_id))
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})


@router.get("/cases/{case_id}/verification")
def verification(case_id: CaseId, the: With, person: Asking) -> dict[str, Any]:
    """Every file of the evidence, read anew and held against its hash."""
    found = the.files.verify(the.desk.case(person, case_id))
    return {"ok": bool(found) and all(one.ok for one in found), "files": [asdict(one) for one in found]}


@router.post("/cases/{case_id}/claim")
def claim(case_id: CaseId, the: With, person: Asking) -> dict[str, float]:
    """Take a case up for some time; 409 tells who has it."""
    the.desk.claim(person, case_id)
    return {"seconds": the.desk.settings.claim_s}


@router.delete("/cases/{case_id}/claim")
def release(case_id: CaseId, the: With, person: Asking) -> dict[str, bool]:
    """Let it go."""
    the.desk.release(person, case_id)
    return {"ok": True}


@router.post("/cases/{case_id}/decisions", status_code=201)
def decide(case_id: CaseId, body: DecisionBody, the: With, person: Asking) -> dict[str, str]:
    """Confirm, reject with a reason, or ask for a second look; 409 when somebody else was first."""
    state = the.desk.decide(
        person,
        case_id,
        body.decision,
        reason=body.reason,
        note=body.note,
        plate=body.plate,
        seen=body.seen,
    )
    return {"state": state}


@router.put("/cases/{case_id}/hold")
def hold(case_id: CaseId, body: HoldBody, the: With, person: Asking) -> dict[str, bool]:
    """Set a legal hold, or lift it, with a reason: the evidence of a held case does not expire."""
    the.desk.hold(person, case_id, held=body.held, reason=body.reason)
    return {"held": body.held}

"""What leaves the house, each an entry of the audit log: notices, evidence, lists."""

from __future__ import annotations

import threading
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from starlette.responses import Response, StreamingResponse

from pipeline.ioc.api.access import Asking, With
from pipeline.ioc.api.cases import CaseId, wanted
from pipeline.ioc.desk import Filter
from pipeline.ioc.exports import ExportError
from pipeline.ioc.exports.bundle import chunks, copy_zip, evidence_zip
from pipeline.ioc.exports.lists import selection
from pipeline.ioc.exports.notice import notice as print_notice
from pipeline.ioc.store import clock

router = APIRouter(prefix="/api/v1", tags=["exports"])

_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
# Each takes a core for a second and some memory: a flood of them waits in line.
_in_turn = threading.BoundedSemaphore(2)


@router.get("/cases/{case_id}/notice", response_class=Response)
def notice(case_id: CaseId, the: With, person: Asking) -> Response:
    """The case as PDF: the notice to the owner once it is confirmed, before that a sheet that says so."""
    view = the.desk.case(person, case_id)
    area = the.areas.names.get(the.areas.root, "")
    with _in_turn:
        try:
            content = print_notice(
                the.files, view, the.config.notice, by=person.name, now_ms=clock.now_ms(), area=area
            )
        except OSError as error:
            raise HTTPException(503, str(error)) from None
    the.desk.exported(person, "case.export_notice", case_id, {"state": view.row.state})
    return Response(content, media_type="application/pdf", headers=_attached(f"{case_id}.pdf"))


@router.get("/cases/{case_id}/evidence", response_class=Response)
def evidence(
    case_id: CaseId, the: With, person: Asking, form: Literal["original", "copy"] = "original"
) -> Response:
    """The evidence as a zip: the bundle as it is, for `ngatu verify`, or a copy without bystanders."""
    view = the.desk.case(person, case_id)
    with _in_turn:
        if form == "original":
            made = evidence_zip(the.files, view)
        else:
            made = copy_zip(the.files, view, by=person.name, now_ms=clock.now_ms())
    the.desk.exported(
        person,
        "case.export_evidence",
        case_id,
        {"form": form, "manifest_sha256": view.act.evidence.manifest_sha256},
    )
    name = f"{case_id}.zip" if form == "original" else f"{case_id}-copy.zip"
    return StreamingResponse(chunks(made), media_type="application/zip", headers=_attached(name))


@router.get("/exports/cases", response_class=Response)
def cases(
    the: With,
    person: Asking,
    wanted: Annotated[Filter, Depends(wanted)],
    form: Annotated[Literal["csv", "json"], Query()] = "csv",
) -> Response:
    """All cases of a filter that the caller may see, as a file; 422 where they are too many."""
    try:
        parts = selection(the.desk, person, wanted, form, the.config.exports.most_cases)
    except ExportError as error:
        raise HTTPException(422, str(error)) from None
    return StreamingResponse(parts, media_type=_TYPES[form], headers=_attached(f"cases.{form}"))


def _attached(name: str) -> dict[str, str]:
    # Names are made of a case's id, which the route has examined.
    return {"Content-Disposition": f'attachment; filename="{name}"'}

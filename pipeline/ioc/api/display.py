"""The wall, a camera's page, indicators, and the formats of other systems."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from pipeline.ioc.api.access import Asking, With
from pipeline.ioc.api.security import COOKIE
from pipeline.ioc.desk import Filter
from pipeline.ioc.desk.exchange import MEDIA_TYPE
from pipeline.ioc.desk.indicators import as_csv
from pipeline.ioc.people import may

router = APIRouter(prefix="/api/v1", tags=["display"])

Area = Annotated[str, Query(max_length=200, pattern=r"^[a-z0-9/-]*$")]
Ms = Annotated[int | None, Query(ge=0, le=4_102_444_800_000)]


class AreaIndicators(BaseModel):
    """One area with all below it."""

    area: str
    name: str
    indicators: dict[str, Any]


class IndicatorsAnswer(BaseModel):
    """Indicators of some areas over one period."""

    from_: Annotated[str, Query(alias="from")]
    to: str
    time_zone: str
    made_at: str
    areas: list[AreaIndicators]


@router.get("/wall")
def wall(request: Request, the: With, person: Asking) -> dict[str, Any]:
    """Counts of today by kind and area, trends, traffic, cameras; the newest cases for who may see any."""
    if person.role == "viewer":
        # A wall's account decides nothing: its screen may stay on for as long as a login lasts.
        the.accounts.person(request.cookies.get(COOKIE))
    shown = the.display.wall(person)
    if may(person.role, "GET", "/api/v1/cases"):
        rows = the.desk.cases(person, Filter(state="all")).rows[:20]
        shown = {**shown, "last": [_last(row) for row in rows]}
    return shown


def _last(row: Any) -> dict[str, Any]:
    names = ("id", "type", "rule", "camera", "place", "area", "at_ms", "road_user", "plate", "state")
    return {name: getattr(row, name) for name in names}


@router.get("/cameras")
def cameras(the: With, person: Asking) -> list[dict[str, Any]]:
    """Cameras of the caller's areas: state, reason, when last heard of, acts of today, where they stand,
    whether their worker shows stills."""
    offered = the.boxes.offered()
    return [{**camera, "still": camera["id"] in offered} for camera in the.display.cameras(person)]


@router.get("/cameras/{camera_id}")
def camera(
    camera_id: Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")],
    the: With,
    person: Asking,
) -> dict[str, Any]:
    """One camera: its newest changes of state and its newest acts, without plates."""
    return the.display.camera(person, camera_id)


@router.get(
    "/indicators",
    responses={200: {"model": IndicatorsAnswer, "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def indicators(
    the: With,
    person: Asking,
    first: Annotated[date, Query(alias="from")],
    last: Annotated[date, Query(alias="to")],
    area: Area = "",
    format: Literal["json", "csv"] = "json",
) -> Response:
    """Indicators of an area and of those right below it, from the first to the last day by Vietnam's time."""
    try:
        found = the.indicators.of(person, area, first, last)
    except (ValueError, OverflowError) as error:
        raise HTTPException(422, str(error)) from None
    if format == "csv":
        name = f"indicators_{first}_{last}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        # With a mark for spreadsheets, which take UTF-8 for something else without it.
        return Response("\ufeff" + as_csv(found), media_type="text/csv; charset=utf-8", headers=headers)
    return JSONResponse(found)


@router.get("/ngsi-ld/entities", response_class=Response)
def entities(
    the: With,
    person: Asking,
    type: Literal["TrafficViolation", "TrafficFlowObserved"],
    area: Area = "",
    from_ms: Ms = None,
    to_ms: Ms = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """FIWARE's entities, where `exchange.ngsi_ld` is on: confirmed violations, no plates, 50 at a time and
    with the next page's cursor in `x-next-cursor`, or the last full hour of traffic at each camera."""
    if not the.config.exchange.ngsi_ld:
        raise HTTPException(404, "exchange.ngsi_ld is off")
    if type == "TrafficFlowObserved":
        return JSONResponse(the.exchange.flow(person), media_type=MEDIA_TYPE)
    wanted = Filter(state="confirmed", type="violation.candidate", area=area, from_ms=from_ms, to_ms=to_ms)
    try:
        page = the.desk.cases(person, wanted, cursor)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    headers = {"x-next-cursor": page.next} if page.next else {}
    return JSONResponse(the.exchange.violations(page.rows), media_type=MEDIA_TYPE, headers=headers)

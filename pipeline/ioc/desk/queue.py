"""Lists of cases, a page at a time: by key, never by offset, so that page 1000 costs what page 1 does."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, TextClause, false, func, select, tuple_, union_all

from pipeline.ioc.review import OPEN_STATES, acts_due_within, days_left
from pipeline.ioc.store.act import bare_plate
from pipeline.ioc.store.models import OPEN, REJECTED, Case

PAGE = 50

ListState = Literal[
    "queue", "all", "open", "confirmed_once", "second_look", "confirmed", "rejected", "incomplete"
]
"""queue (somebody must decide), all, or one state."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; everything that is None or "" does not narrow it."""

    rule: str = ""
    type: str = ""
    camera: str = ""
    area: str = ""
    plate: str = ""
    """Beginning of the plate."""
    state: ListState = "queue"
    from_ms: int | None = None
    to_ms: int | None = None
    days_left: int | None = None
    """At most so many days until the notice is due."""
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as lists show it."""

    id: str
    type: str
    rule: str
    camera: str
    place: str
    area: str
    at_ms: int
    road_user: str
    plate: str
    confidence: float
    state: str
    days_left: int
    claimed_by: int | None
    """User id of whoever has it now."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some cases, and where the next ones begin."""

    rows: list[CaseRow]
    next: str | None
    """Cursor of the next page; None after the last."""


def waiting_in(areas: Collection[str] | None) -> list[ColumnElement[bool] | TextClause]:
    """Conditions of cases that wait in these areas, or anywhere; written so that the queue's index serves."""
    here = [] if areas is None else [func.coalesce(Case.area, "").in_(areas)]
    return [OPEN, *here]


def page_query(
    wanted: Filter, areas: Collection[str] | None, cursor: str | None, now_ms: int, notice_days: int
) -> Select[Case]:
    """The page's statement, one row longer than the page, over these very areas (None: all).

    Raises ValueError for a cursor that is none.
    """
    # A plate or a camera is rarer than an area: its index leads to few cases, whose areas are then looked at.
    if (
        areas is None
        or wanted.state in OPEN_STATES
        or wanted.state == "queue"
        or wanted.plate
        or wanted.camera
    ):
        return _narrowed(select(Case), wanted, areas, cursor, now_ms, notice_days)
    # The first rows of each area out of the index by area and time, then the first of these: a condition over
    # many areas at once would read and sort all of them.
    parts = [
        select(_narrowed(select(Case.id), wanted, [area], cursor, now_ms, notice_days).subquery().c.id)
        for area in areas
    ]
    first = union_all(*parts).subquery()
    return select(Case).join(first, Case.id == first.c.id).order_by(*_order(wanted)).limit(PAGE + 1)


def count_query(
    wanted: Filter, areas: Collection[str] | None, now_ms: int, notice_days: int, most: int
) -> Select[Any]:
    """How many cases there are over all pages, counted up to `most`."""
    found = _matching(select(Case.id), wanted, areas, now_ms, notice_days).limit(most)
    return select(func.count()).select_from(found.subquery())


def _order(wanted: Filter) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    if wanted.oldest_first:
        return Case.at_ms.asc(), Case.id.asc()
    return Case.at_ms.desc(), Case.id.desc()


def _narrowed(
    query: Select[Any],
    wanted: Filter,
    areas: Collection[str] | None,
    cursor: str | None,
    now_ms: int,
    notice_days: int,
) -> Select[Any]:
    query = _matching(query, wanted, areas, now_ms, notice_days)
    if cursor is not None:
        at_ms, case_id = _read_cursor(cursor)
        here = tuple_(Case.at_ms, Case.id)
        query = query.where(here > (at_ms, case_id) if wanted.oldest_first else here < (at_ms, case_id))
    return query.order_by(*_order(wanted)).limit(PAGE + 1)


def _matching(
    query: Select[Any], wanted: Filter, areas: Collection[str] | None, now_ms: int, notice_days: int
) -> Select[Any]:
    if wanted.state == "queue" or wanted.state in OPEN_STATES:
        query = query.where(*waiting_in(areas))
    elif areas is not None and (wanted.plate or wanted.camera):
        query = query.where(func.coalesce(Case.area, "").in_(areas))
    elif areas is not None:
        query = query.where(Case.area.in_(areas))
    if wanted.state == "rejected":
        query = query.where(REJECTED)  # word for word, so that its index serves
    elif wanted.state not in ("queue", "all"):
        query = query.where(Case.state == wanted.state)
    for column, value in (
        (Case.rule, wanted.rule),
        (Case.type, wanted.type),
        (Case.camera, wanted.camera),
    ):
        if value:
            query = query.where(column == value)
    if plate := bare_plate(wanted.plate):
        query = query.where(Case.plate >= plate, Case.plate < plate + "\uffff", Case.plate != "")
    elif wanted.plate.strip():
        query = query.where(false())  # no plate begins with signs alone
    if wanted.from_ms is not None:
        query = query.where(Case.at_ms >= wanted.from_ms)
    if wanted.to_ms is not None:
        query = query.where(Case.at_ms < wanted.to_ms)
    if wanted.days_left is not None:
        query = query.where(Case.at_ms < acts_due_within(wanted.days_left, now_ms, notice_days))
    return query


def row_of(case: Case, now_ms: int, notice_days: int) -> CaseRow:
    """The case as lists show it."""
    return CaseRow(
        id=case.id,
        type=case.type,
        rule=case.rule,
        camera=case.camera,
        place=case.place,
        area=case.area,
        at_ms=case.at_ms,
        road_user=case.road_user,
        plate=case.plate,
        confidence=case.confidence,
        state=case.state,
        days_left=days_left(case.at_ms, now_ms, notice_days),
        claimed_by=case.claimed_by if case.claimed_until_ms > now_ms else None,
    )


def cursor_of(row: CaseRow) -> str:
    """Where the page after this row begins."""
    return base64.urlsafe_b64encode(f"{row.at_ms} {row.id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        at_ms, _, case_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition(" ")
        if not -(2**62) < int(at_ms) < 2**62 or not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", case_id):
            raise ValueError(cursor)
        return int(at_ms), case_id
    except (ValueError, binascii.Error):
        raise ValueError("this cursor is none") from None

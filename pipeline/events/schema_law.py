"""What the law says of an act, as its event carries it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from pipeline.events.schema_base import Data, Told


class Title(Data):
    """The same in both languages."""

    vi: str
    en: str


class LawAmendment(Data):
    """A later decree that changes the entry's, in force at the moment of the act."""

    decree: str
    effective_from: date
    figures: Literal["seen", "not_seen"]
    """not_seen: fine and points may be out of date, and an officer must be told."""
    note: Title


class LawEntry(Data):
    """A point of a decree that the act may fall under."""

    decree: str
    article: int
    clause: int
    point: str
    citation: str
    """In words: điểm, khoản, Điều, decree."""
    title: Title
    fine_vnd: tuple[int, int]
    """Least and most."""
    licence_points: Annotated[int, Field(ge=0)]
    """That are taken."""
    effective_from: date
    effective_to: date | None
    """Last day in force."""
    source: str
    verified: bool
    """Somebody with authority has compared it with the official text."""
    amended_by: tuple[LawAmendment, ...]
    note: Title | None


class LawDetails(Data):
    """What entries were chosen by; null: not known, and then it decided nothing."""

    over_kmh: tuple[float, float] | None
    """Least and most that the speed may have been above the limit."""
    passengers: int | None
    motorway: bool | None


class Law(Data):
    """What the catalogue of laws says of the act. It decides nothing: an officer does."""

    on: date
    """Date of the act, Asia/Ho_Chi_Minh."""
    entries: tuple[LawEntry, ...]
    """Several where what was seen does not decide between them; none where the catalogue is silent."""
    reason: Told
    """Why there is not exactly one; "" when there is."""
    verified: bool
    """Every entry is verified, and amended by nothing whose figures were not seen; false without any."""
    details: LawDetails

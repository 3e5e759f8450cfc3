"""A decree as its YAML file says it. `load` turns it into entries."""

from __future__ import annotations

import math
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from pipeline.config.base import Settings
from pipeline.config.limits import LONGEST_TEXT, MOST_AMENDMENTS, MOST_ENTRIES
from pipeline.law.catalogue import Amendment, Band, Text
from pipeline.types import RoadUserKind

Words = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Number = Annotated[int, Field(ge=1, le=999)]
Vnd = Annotated[int, Field(ge=1, le=10**10)]
DecreeName = Annotated[str, Field(min_length=1, max_length=80)]
Bound = Annotated[FiniteFloat, Field(ge=0)]


class TextSettings(Settings):
    """In both languages."""

    vi: Words
    en: Words

    def text(self) -> Text:
        """The type inside."""
        return Text(self.vi, self.en)


class BandSettings(Settings):
    """A span in the law's own words: từ, đến (included), trên, dưới (not included)."""

    from_: Bound | None = Field(default=None, alias="from")
    above: Bound | None = None
    to: Bound | None = None
    below: Bound | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if None not in (self.from_, self.above) or None not in (self.to, self.below):
            raise ValueError("give `from` or `above`, and `to` or `below`: one of each at most")
        if (self.from_, self.above, self.to, self.below) == (None,) * 4:
            raise ValueError("needs at least one of from, above, to, below")
        band = self.band()
        if not band.overlaps(band):
            raise ValueError("holds no value: the upper end lies below the lower one")
        return self

    def band(self) -> Band:
        """The type inside."""
        low = self.from_ if self.from_ is not None else self.above
        high = self.to if self.to is not None else self.below
        return Band(
            -math.inf if low is None else low,
            math.inf if high is None else high,
            with_low=self.above is None,
            with_high=self.below is None,
        )


class EntrySettings(Settings):
    """One point of the decree."""

    article: Number
    """Điều."""
    clause: Number
    """Khoản."""
    point: Annotated[str, Field(pattern=r"^[a-zđ]{1,2}$")]
    """Điểm."""
    fine_vnd: tuple[Vnd, Vnd]
    """[least, most]."""
    licence_points: Annotated[int, Field(ge=0, le=12)] = 0
    """Taken off the licence."""
    title: TextSettings | None = None
    """Where it differs from the provision's."""
    over_kmh: BandSettings | None = None
    """Only for this much above the limit."""
    passengers: BandSettings | None = None
    """Only with so many besides the rider."""
    motorway: bool | None = None
    """true: on motorways only; false: elsewhere only."""
    note: TextSettings | None = None
    """What an officer must know to choose it."""
    verified: bool = False
    """Compared with the official text by somebody with authority."""

    @model_validator(mode="after")
    def _least_first(self) -> Self:
        least, most = self.fine_vnd
        if least > most:
            raise ValueError(f"fine_vnd: the least ({least}) is more than the most ({most})")
        return self


class ProvisionSettings(Settings):
    """What one act costs some vehicles over some time: one entry, or several that conditions tell apart."""

    act: str
    """Name of the rule that sees it."""
    vehicles: Annotated[tuple[RoadUserKind, ...], Field(min_length=1)]
    title: TextSettings
    entries: Annotated[tuple[EntrySettings, ...], Field(min_length=1, max_length=MOST_ENTRIES)]
    effective_from: date | None = None
    """The decree's unless given."""
    effective_to: date | None = None
    """Last day in force; the decree's unless given."""


class AmendmentSettings(Settings):
    """A later decree that changes this one."""

    decree: DecreeName
    effective_from: date
    figures: Literal["seen", "not_seen"] = "not_seen"
    """seen: what it changes is in this folder. Until then every entry in force carries a warning."""
    note: TextSettings

    def amendment(self) -> Amendment:
        """The type inside."""
        return Amendment(self.decree, self.effective_from, self.figures == "seen", self.note.text())


class DecreeSettings(Settings):
    """One decree: one file."""

    decree: DecreeName
    """Number and year, such as 168/2024/NĐ-CP."""
    title: TextSettings
    source: Words
    """Where the figures were read."""
    effective_from: date
    effective_to: date | None = None
    """Last day in force."""
    amendments: Annotated[tuple[AmendmentSettings, ...], Field(max_length=MOST_AMENDMENTS)] = ()
    provisions: Annotated[tuple[ProvisionSettings, ...], Field(min_length=1, max_length=500)]

    def period(self, provision: ProvisionSettings) -> tuple[date, date | None]:
        """First and last day in force."""
        return provision.effective_from or self.effective_from, provision.effective_to or self.effective_to

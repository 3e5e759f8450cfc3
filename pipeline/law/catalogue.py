"""The entries of all decrees, and which were in force for an act at a moment. Pure: no file, no clock."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pipeline.types import RoadUserKind

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
"""A day of the law begins and ends by this zone's clock, wherever the worker runs."""


@dataclass(frozen=True, slots=True)
class Text:
    """The same in both languages."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Band:
    """A span of values; its ends belong to it or not, as the law words it."""

    low: float = -math.inf
    high: float = math.inf
    with_low: bool = True
    with_high: bool = True

    def meets(self, low: float, high: float) -> bool:
        """Whether a value between `low` and `high`, both included, may lie in it."""
        above = high >= self.low if self.with_low else high > self.low
        below = low <= self.high if self.with_high else low < self.high
        return above and below

    def overlaps(self, other: Band) -> bool:
        """Whether some value lies in both."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        if low != high:
            return low < high
        return all(band.meets(low, low) for band in (self, other))


@dataclass(frozen=True, slots=True)
class Amendment:
    """A later decree that changes one."""

    decree: str
    effective_from: date
    figures_seen: bool
    """Whether what it changes is in the catalogue; until then, the figures may be out of date."""
    note: Text


@dataclass(frozen=True, slots=True)
class LawEntry:
    """One point of a decree, as it applies to one act."""

    act: str
    """Name of the rule."""
    vehicles: frozenset[RoadUserKind]
    decree: str
    article: int
    clause: int
    point: str
    title: Text
    fine_vnd: tuple[int, int]
    """Least and most."""
    licence_points: int
    """That are taken; 0: none."""
    effective_from: date
    effective_to: date | None
    """Last day in force; None: no end is known."""
    source: str
    verified: bool
    """Whether somebody with authority has compared it with the official text."""
    amended_by: tuple[Amendment, ...] = ()
    """In an answer of `Catalogue.in_force`: those in force by then."""
    over_kmh: Band | None = None
    """For this much above the limit; None: whatever the speed."""
    passengers: Band | None = None
    motorway: bool | None = None
    """On motorways only, or elsewhere only; None: anywhere."""
    note: Text | None = None

    @property
    def citation(self) -> str:
        """As a notice names it: "điểm b khoản 9 Điều 6 Nghị định 168/2024/NĐ-CP"."""
        return f"điểm {self.point} khoản {self.clause} Điều {self.article} Nghị định {self.decree}"

    @property
    def sure(self) -> bool:
        """Verified, and not amended by anything whose figures nobody has seen."""
        return self.verified and all(amendment.figures_seen for amendment in self.amended_by)


@dataclass(frozen=True, slots=True)
class Details:
    """What decides between points of the same act; None: not known, and then it decides nothing."""

    over_kmh: tuple[float, float] | None = None
    """Least and most that the speed may have been above the limit."""
    passengers: int | None = None
    motorway: bool | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """What the catalogue says of one act."""

    on: date
    """Local date of the act."""
    details: Details
    entries: tuple[LawEntry, ...]
    """Several where what was seen does not decide; none where the catalogue is silent."""
    reason: str
    """Why there is not exactly one; "" when there is."""

    @property
    def verified(self) -> bool:
        """Whether every entry can be relied on; false without any."""
        return bool(self.entries) and all(entry.sure for entry in self.entries)


class Catalogue:
    """All entries, of every decree and time."""

    def __init__(self, entries: Sequence[LawEntry]) -> None:
        """`entries` in the order in which they are to be told."""
        self.entries = tuple(entries)

    def acts(self) -> tuple[str, ...]:
        """Names of the acts that have entries, in their order."""
        return tuple(dict.fromkeys(entry.act for entry in self.entries))

    def on(self, day: date) -> tuple[LawEntry, ...]:
        """Everything in force on a day."""
        return tuple(
            replace(
                entry,
                amended_by=tuple(each for each in entry.amended_by if each.effective_from <= day),
            )
            for entry in self.entries
            if entry.effective_from <= day and (entry.effective_to is None or day <= entry.effective_to)
        )

    def in_force(
        self, act: str, vehicle: RoadUserKind | None, time_s: float, details: Details | None = None
    ) -> InForce:
        """What was in force for the act at a moment (epoch seconds); `vehicle` None: not known."""
        details = details or Details()
        day = local_date(time_s)
        today = [entry for entry in self.on(day) if entry.act == act]
        bound = [entry for entry in today if vehicle is None or vehicle in entry.vehicles]
        entries = tuple(entry for entry in bound if _fits(entry, details))
        return InForce(day, details, entries, _reason(act, vehicle, day, len(today), len(bound), entries))


def summary(entries: Sequence[LawEntry]) -> str:
    """How many there are, and how far they can be relied on, in a sentence."""
    told = f"{len(entries)} entries in force, {sum(not entry.verified for entry in entries)} not verified"
    unseen = Counter(
        amendment.decree for entry in entries for amendment in entry.amended_by if not amendment.figures_seen
    )
    for decree, count in sorted(unseen.items()):
        told += f"; {count} amended by {decree}, whose figures are not in the catalogue"
    return told


def local_date(time_s: float) -> date:
    """The date of a moment where the law is in force."""
    return datetime.fromtimestamp(time_s, ZONE).date()


def _fits(entry: LawEntry, details: Details) -> bool:
    if entry.motorway is not None and details.motorway not in (None, entry.motorway):
        return False
    over, passengers = details.over_kmh, details.passengers
    if entry.over_kmh is not None and over is not None and not entry.over_kmh.meets(*over):
        return False
    return entry.passengers is None or passengers is None or entry.passengers.meets(passengers, passengers)


def _reason(
    act: str, vehicle: RoadUserKind | None, day: date, today: int, bound: int, entries: Sequence[LawEntry]
) -> str:
    if len(entries) == 1:
        return ""
    if entries:
        return f"{len(entries)} entries may apply: what was seen does not decide between them"
    if not today:
        return f"the catalogue has no entry for {act} on {day}"
    if not bound:
        return f"the catalogue has no entry for {act} by a {vehicle}"
    return f"no entry for {act} fits what was seen"

"""What the composite tells, put together by who makes the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.config import CameraSettings
from pipeline.evidence.blur import Seen
from pipeline.types import Hit, MissingItem, Picture, PlateReading, Point


class Around(Protocol):
    """Who else was in a camera's pictures around an act, and the way of who did it."""

    def seen(self, time_s: float) -> Sequence[Seen] | None:
        """Everybody in the picture of a moment; None when nobody knows."""
        ...

    def way(self) -> Sequence[Point]:
        """Where the judged one touched the ground, in order of time; empty when nobody knows."""
        ...


@dataclass(frozen=True, slots=True)
class LawPoint:
    """One point of a decree that applies to the act."""

    citation: str
    """As a notice names it: "điểm b khoản 9 Điều 6 Nghị định 168/2024/NĐ-CP"."""
    title: tuple[str, str]
    """Vietnamese, English."""
    fine_vnd: tuple[int, int]
    licence_points: int


@dataclass(frozen=True, slots=True)
class LawNote:
    """What the law says of the act, as far as the catalogue knows."""

    points: tuple[LawPoint, ...]
    """Several where what was seen does not decide."""
    verified: bool
    """Somebody with authority has compared every one of them with the official text."""
    reason: str = ""
    """Why there is not exactly one."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A still of the act."""

    picture: Picture
    """Full resolution, untouched."""
    captured_at_s: float


@dataclass(frozen=True, slots=True)
class Record:
    """All that the composite shows."""

    hit: Hit
    event_id: str
    worker_id: str
    camera: CameraSettings
    shots: Mapping[str, Shot]
    """By role: before, at, after; one that could not be had is not there."""
    digest: str
    """Of the originals, see `manifest.originals_digest`."""
    seen: Mapping[str, Sequence[Seen] | None]
    """Who else is in each shot, by role; see `Around.seen`."""
    way: Sequence[Point] = ()
    plate: PlateReading | None = None
    """None: no plate belongs to this record."""
    plate_picture: Picture | None = None
    """The plate, cut out."""
    law: LawNote | None = None
    missing: Sequence[MissingItem] = ()
    """What else the bundle could not have."""

    @property
    def whole(self) -> bool:
        """Whether it is a violation's candidate, with all that one needs."""
        return self.plate is not None and self.plate.legible and not self.missing

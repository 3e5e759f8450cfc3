"""Riding a motorbike with a bare head.

See docs/rules/no_helmet.md for the act, its look-alikes and how heads are told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.riders import Crew, Look, Rider, RiderParameters, RiderRule, Vote, outline, shown, weight
from pipeline.rules.step import Step, Track
from pipeline.types import Head, Hit


class NoHelmetParameters(RiderParameters):
    """Motorbikes on which somebody wears no helmet."""

    min_share: Annotated[float, Field(gt=0.5, le=1)] = 0.7
    """Of the vote on one rider's head that must say bare."""


@dataclass(slots=True)
class _Ride(Vote):
    crew: Crew = field(default_factory=Crew)


class NoHelmet(RiderRule[_Ride, NoHelmetParameters]):
    """Votes on each rider's head, see riders."""

    name: ClassVar[str] = "no_helmet"
    parameters: ClassVar[type[base.Parameters]] = NoHelmetParameters

    def begin(self) -> _Ride:
        """See RiderRule."""
        return _Ride()

    def add(self, vote: _Ride, look: Look, aspect: float) -> None:
        """See RiderRule."""
        vote.crew.add(look.step, look.heads, aspect)

    def is_clear(self, vote: _Ride) -> bool:
        """Whether a rider's head is bare."""
        return self._bare(vote.crew) is not None

    def hit(self, moment: Moment, track: Track, vote: _Ride) -> Hit:
        """Of the rider whose head is most surely bare.

        Confidence is the geometric mean of: the share of the vote for the class; the mean confidence of the
        boxes before, at and after; and the vote's certainty, see riders.Rider.sure.
        """
        rider = self._bare(vote.crew)
        assert rider is not None  # the vote is clear
        looks = rider.bare_looks
        at, head = _best(rider)
        before, after = rider.shown_looks[0][0], looks[-1][0]
        facts = {
            "bare_share": round(rider.bare_share, 3),
            "pictures": len(rider.looks),
            "bare_pictures": len(looks),
            "duration_s": round(after.time_s - looks[0][0].time_s, 2),
            "head_px": round(median(head.height_px for _, head in looks), 1),
            "largest_head_px": round(max(head.height_px for _, head in looks), 1),
        }
        drawn = {"head": outline(head)}
        return report(self.name, moment, track, (before, at, after), (rider.sure,), facts, drawn)

    def _bare(self, crew: Crew) -> Rider | None:
        """The rider whose head is most surely bare, of those on whom the vote is clear."""
        parameters = self._parameters
        clear = [
            rider
            for rider in crew.riders
            if len(looks := rider.bare_looks) >= parameters.min_pictures
            and looks[-1][0].time_s - looks[0][0].time_s >= parameters.min_s
            and rider.bare_share >= parameters.min_share
            and shown(_best(rider)[1]) >= parameters.min_shown
        ]
        return max(clear, key=lambda rider: rider.sure, default=None)


def _best(rider: Rider) -> tuple[Step, Head]:
    """The picture that says most clearly that the head is bare."""
    return max(rider.shown_looks, key=lambda look: weight(look[1]))

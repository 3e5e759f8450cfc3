"""More people on a two-wheeler than it may carry.

See docs/rules/too_many_riders.md for the act, its look-alikes and how riders are counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, median_low
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.riders import (
    DOUBT,
    Look,
    RiderParameters,
    RiderRule,
    Vote,
    lately,
    outline,
    shown,
    together,
    weight,
)
from pipeline.rules.step import Step, Track
from pipeline.types import Head, Hit


class TooManyRidersParameters(RiderParameters):
    """Motorbikes with more than `most` people."""

    most: Annotated[int, Field(ge=1, le=10)] = 2
    """People allowed, the driver among them."""
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Of the pictures, by weight, that must show more: one rider often hides another."""


@dataclass(slots=True)
class _Count(Vote):
    """The pictures of one machine, and what they say."""

    more: list[tuple[Step, list[Head]]] = field(default_factory=list)
    """Pictures that show more than allowed."""
    for_it: float = 0.0
    """Sum of their weights."""
    against: float = 0.0
    pictures: int = 0

    @property
    def share(self) -> float:
        return self.for_it / (self.for_it + self.against)

    @property
    def sure(self) -> float:
        """Hidden riders speak against it for no reason: what counts is how much was seen."""
        return self.for_it / (self.for_it + DOUBT)


class TooManyRiders(RiderRule[_Count, TooManyRidersParameters]):
    """Counts the heads on each machine and votes over its trajectory, see riders."""

    name: ClassVar[str] = "too_many_riders"
    parameters: ClassVar[type[base.Parameters]] = TooManyRidersParameters

    def begin(self) -> _Count:
        """See RiderRule."""
        return _Count()

    def add(self, vote: _Count, look: Look, aspect: float) -> None:
        """See RiderRule; without heads, or with more that may be others', a picture says nothing."""
        riders = sorted(together(look.heads, aspect), key=weight, reverse=True)
        more = len(riders) > self._parameters.most
        if not riders or (more and look.crowded):
            return
        vote.pictures += 1
        if more:
            vote.more.append((look.step, riders))
            vote.for_it += weight(riders[self._parameters.most])
        else:
            vote.against += weight(riders[-1])

    def is_clear(self, vote: _Count) -> bool:
        """Whether enough pictures show more heads than allowed."""
        parameters = self._parameters
        return (
            len(vote.more) >= parameters.min_pictures
            and vote.more[-1][0].time_s - vote.more[0][0].time_s >= parameters.min_s
            and vote.share >= parameters.min_share
            and shown(self._least(self._best(vote))) >= parameters.min_shown
        )

    def _best(self, vote: _Count) -> tuple[Step, list[Head]]:
        """The picture in which the first head too many is surest, and its heads, the surest first."""
        return max(lately(vote.more), key=lambda look: weight(self._least(look)))

    def _least(self, look: tuple[Step, list[Head]]) -> Head:
        """The first head that is one too many."""
        return look[1][self._parameters.most]

    def hit(self, moment: Moment, track: Track, vote: _Count) -> Hit:
        """Shows the picture in which the heads that are too many are surest.

        Confidence is the geometric mean of: the share of the vote for the class; the mean confidence of the
        boxes before, at and after; and the vote's certainty: the weight of the pictures that show more (the
        least sure head counts), what is not known held against it.
        """
        at, riders = self._best(vote)
        before, after = lately(vote.more)[0][0], vote.more[-1][0]
        facts = {
            "riders": median_low(len(heads) for _, heads in vote.more),
            "allowed": self._parameters.most,
            "share": round(vote.share, 3),
            "pictures": vote.pictures,
            "pictures_with_more": len(vote.more),
            "duration_s": round(after.time_s - vote.more[0][0].time_s, 2),
            "head_px": round(median(head.height_px for _, heads in vote.more for head in heads), 1),
        }
        drawn = {f"head {n}": outline(head) for n, head in enumerate(riders, 1)}
        return report(self.name, moment, track, (before, at, after), (vote.sure,), facts, drawn)

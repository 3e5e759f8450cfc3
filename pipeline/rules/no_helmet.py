"""Riding a motorbike with a bare head.

See docs/rules/no_helmet.md for the act, its look-alikes and how heads are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.riders import SETTLE_S, Crew, Look, Looks, Rider, RiderParameters, outline, weight
from pipeline.rules.trajectory import Track
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Hit, RoadUserKind


class NoHelmetParameters(RiderParameters):
    """Motorbikes on which somebody wears no helmet."""

    min_share: Annotated[float, Field(gt=0.5, le=1)] = 0.8
    """Of the vote on one rider's head that must say bare."""


@dataclass(slots=True)
class _Ride:
    crew: Crew = field(default_factory=Crew)
    clear_s: float | None = None
    """When the vote was clear first."""


class NoHelmet:
    """Votes on each rider's head, see riders."""

    name: ClassVar[str] = "no_helmet"
    parameters: ClassVar[type[base.Parameters]] = NoHelmetParameters
    classes: ClassVar[frozenset[str]] = frozenset(("helmet", "head"))
    """What the model must know."""

    def __init__(self, scene: Scene, parameters: NoHelmetParameters) -> None:
        self._parameters = parameters
        self._looks = Looks()
        self._rides: dict[tuple[int, int], _Ride] = {}
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule: nothing needs to be drawn."""
        return None

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of motorbikes with a rider whose head is bare by a clear vote.

        Confidence is the geometric mean of: the share of the vote for the class; the mean confidence of the
        boxes before, at and after; and the vote's certainty, see riders.Rider.sure.
        """
        for track, look in self._looks.observe(moment):
            if look is None:
                for key in [key for key in self._rides if key[0] == track.id]:
                    yield from self._decide(moment, track, self._rides.pop(key))
                self._reported.discard(track.id)
            elif track.id not in self._reported and track.kind is RoadUserKind.MOTORBIKE:
                yield from self._judge(moment, track, look)

    def _judge(self, moment: Moment, track: Track, look: Look) -> Iterator[Hit]:
        ride = self._rides.setdefault((track.id, track.segment), _Ride())
        large = [head for head in look.heads if head.height_px >= self._parameters.min_head_px]
        ride.crew.add(look, large, moment.aspect)
        if self._bare(ride.crew) is None:
            ride.clear_s = None
        elif ride.clear_s is None:
            ride.clear_s = look.step.time_s
        elif look.step.time_s - ride.clear_s >= SETTLE_S:
            yield from self._decide(moment, track, ride)

    def _decide(self, moment: Moment, track: Track, ride: _Ride) -> Iterator[Hit]:
        rider = self._bare(ride.crew)
        if rider is None or track.id in self._reported:
            return
        self._reported.add(track.id)
        looks = rider.bare_looks
        at, head = max(looks, key=lambda look: weight(look[1]))
        before, after = looks[0][0], looks[-1][0]
        facts = {
            "bare_share": round(rider.bare_share, 3),
            "pictures": len(rider.looks),
            "bare_pictures": len(looks),
            "duration_s": round(after.time_s - before.time_s, 2),
            "head_px": round(median(head.height_px for _, head in looks), 1),
            "largest_head_px": round(max(head.height_px for _, head in looks), 1),
        }
        yield report(
            self.name, moment, track, (before, at, after), (rider.sure,), facts, {"head": outline(head)}
        )

    def _bare(self, crew: Crew) -> Rider | None:
        """The rider whose head is most surely bare, of those on whom the vote is clear."""
        parameters = self._parameters
        clear = [
            rider
            for rider in crew.riders
            if len(looks := rider.bare_looks) >= parameters.min_pictures
            and looks[-1][0].time_s - looks[0][0].time_s >= parameters.min_s
            and rider.bare_share >= parameters.min_share
        ]
        return max(clear, key=lambda rider: rider.sure, default=None)

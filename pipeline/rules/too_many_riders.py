"""More people on a two-wheeler than it may carry.

See docs/rules/too_many_riders.md for the act, its look-alikes and how riders are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median, median_low
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.riders import DOUBT, SETTLE_S, Look, Looks, RiderParameters, outline, together, weight
from pipeline.rules.trajectory import Step, Track
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Head, Hit, RoadUserKind


class TooManyRidersParameters(RiderParameters):
    """Motorbikes with more than `most` people."""

    most: Annotated[int, Field(ge=1, le=10)] = 2
    """People allowed, the driver among them."""
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Of the pictures, by weight, that must show more: one rider often hides another."""


@dataclass(slots=True)
class _Count:
    """The vote on one machine."""

    more: list[tuple[Step, list[Head]]] = field(default_factory=list)
    """Pictures that show more than allowed."""
    for_it: float = 0.0
    """Sum of their weights."""
    against: float = 0.0
    pictures: int = 0
    clear_s: float | None = None

    @property
    def share(self) -> float:
        return self.for_it / (self.for_it + self.against)

    @property
    def sure(self) -> float:
        """Hidden riders speak against it for no reason: what counts is how much was seen."""
        return self.for_it / (self.for_it + DOUBT)


class TooManyRiders:
    """Counts the heads on each machine and votes over its trajectory, see riders."""

    name: ClassVar[str] = "too_many_riders"
    parameters: ClassVar[type[base.Parameters]] = TooManyRidersParameters
    classes: ClassVar[frozenset[str]] = frozenset(("helmet", "head"))
    """What the model must know."""

    def __init__(self, scene: Scene, parameters: TooManyRidersParameters) -> None:
        self._parameters = parameters
        self._looks = Looks()
        self._counts: dict[tuple[int, int], _Count] = {}
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule: nothing needs to be drawn."""
        return None

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of motorbikes with more heads than allowed, in enough pictures.

        Confidence is the geometric mean of: the share of the vote for the class; the mean confidence of the
        boxes before, at and after; and the vote's certainty: the weight of the pictures that show more (the
        least sure head counts), what is not known held against it.
        """
        for track, look in self._looks.observe(moment):
            if look is None:
                for key in [key for key in self._counts if key[0] == track.id]:
                    yield from self._decide(moment, track, self._counts.pop(key))
                self._reported.discard(track.id)
            elif track.id not in self._reported and track.kind is RoadUserKind.MOTORBIKE:
                yield from self._judge(moment, track, look)

    def _judge(self, moment: Moment, track: Track, look: Look) -> Iterator[Hit]:
        count = self._counts.setdefault((track.id, track.segment), _Count())
        large = [head for head in look.heads if head.height_px >= self._parameters.min_head_px]
        if not large:
            return
        count.pictures += 1
        riders = sorted(together(large, moment.aspect), key=weight, reverse=True)
        if len(riders) > self._parameters.most:
            count.more.append((look.step, riders))
            count.for_it += weight(riders[self._parameters.most])
        else:
            count.against += weight(riders[-1])
        if not self._clear(count):
            count.clear_s = None
        elif count.clear_s is None:
            count.clear_s = look.step.time_s
        elif look.step.time_s - count.clear_s >= SETTLE_S:
            yield from self._decide(moment, track, count)

    def _clear(self, count: _Count) -> bool:
        parameters = self._parameters
        return (
            len(count.more) >= parameters.min_pictures
            and count.more[-1][0].time_s - count.more[0][0].time_s >= parameters.min_s
            and count.share >= parameters.min_share
        )

    def _decide(self, moment: Moment, track: Track, count: _Count) -> Iterator[Hit]:
        if not self._clear(count) or track.id in self._reported:
            return
        self._reported.add(track.id)
        at, riders = max(count.more, key=lambda look: weight(look[1][self._parameters.most]))
        before, after = count.more[0][0], count.more[-1][0]
        facts = {
            "riders": median_low(len(heads) for _, heads in count.more),
            "allowed": self._parameters.most,
            "share": round(count.share, 3),
            "pictures": count.pictures,
            "pictures_with_more": len(count.more),
            "duration_s": round(after.time_s - before.time_s, 2),
            "head_px": round(median(head.height_px for _, heads in count.more for head in heads), 1),
        }
        drawn = {f"head {n}": outline(head) for n, head in enumerate(riders, 1)}
        yield report(self.name, moment, track, (before, at, after), (count.sure,), facts, drawn)

"""Who sits on a two-wheeler: heads followed and voted over its trajectory, for no_helmet and too_many_riders.

One picture tells little of a head that is some pixels high. So each rider's heads are brought together by
where they sit on the machine, and what the detector said of them is added up, weighted by its confidence and
by how large the head was. Only pictures count in which the machine rides: beside one that stands there are
others' heads.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track
from pipeline.scene import Scene, SceneSettings, geometry
from pipeline.types import TWO_WHEELERS, Head, Hit, Point, RoadUser, RoadUserKind

RIDING = 0.8
"""Step.pace from which a machine is ridden: 1.2 m/s; who pushes one along walks slower."""

CLEAR_PX = 12.0
"""A head of this height is told as well as it will be; smaller ones weigh less, in proportion."""

SAME_SEAT = 0.9
"""A head within this many head heights of a rider's place on the machine is that rider's."""

NEWEST = 0.3
"""Weight of the newest picture in a rider's place: on a turning machine it moves."""

CROWDED = 0.3
"""Share of the smaller of two two-wheelers' boxes inside the other, above which a head in both may be of
either's rider."""

NEIGHBOURS = 2.3
"""Riders of one machine sit within this many head heights of the next; those of two side by side do not."""

DOUBT = 1.0
"""Weight of what is not known: as if one clear picture had said the opposite."""

SURE_MACHINE = 0.9
"""Share of the vote for its class from which a motorbike is not a bicycle, whose riders need no helmet and
carry whom they like: over a development city 96 % of motorbikes have it, and half of the bicycles that are
called motorbikes."""

SETTLE_S = 2.5
"""Once the vote is clear, nearer pictures are waited for, this long, riding or not."""

PICTURES_S = 15.0
"""Pictures shown are no further apart: between riding up to a light and riding on, the first can be gone."""


class RiderParameters(base.Parameters):
    """From which pictures riders are told, and how many it takes."""

    min_head_px: Annotated[float, Field(ge=2, le=200)] = 4.0
    """Smaller heads, in pixels of the analysed picture, are not judged."""
    min_shown: Annotated[float, Field(ge=0, le=0.5)] = 0.011
    """The picture that shows the act best must show the head as high as this share of the picture's height (8
    pixels of 720): an officer who cannot see it cannot confirm it."""
    min_pictures: Annotated[int, Field(ge=2, le=1000)] = 4
    """Pictures that must speak for it ..."""
    min_s: Annotated[float, Field(gt=0, le=60)] = 0.6
    """... over at least this time."""


@dataclass(frozen=True, slots=True)
class Look:
    """The riders of one machine in one picture."""

    step: Step
    heads: tuple[Head, ...]
    crowded: bool = False
    """Another two-wheeler was so near that some of the heads may be its riders'."""


class Looks:
    """Brings each step together with the heads that were seen at its moment."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[float, tuple[tuple[Head, ...], bool]]] = {}

    def observe(self, moment: Moment) -> Iterator[tuple[Track, Look | None]]:
        """Every step of a two-wheeler, with its heads while it rides; None where a track has ended."""
        for user in moment.observation.road_users:
            if user.heads:
                crowded = _crowded(user, moment.observation.road_users)
                self._waiting.setdefault(user.track_id, {})[user.now.time_s] = (user.heads, crowded)
        for track, step in moment.advances:
            if step is None:
                self._waiting.pop(track.id, None)
                yield track, None
                continue
            waiting = self._waiting.get(track.id, {})
            heads, crowded = waiting.pop(step.time_s, ((), False))
            for past_s in [time_s for time_s in waiting if time_s < step.time_s]:
                del waiting[past_s]
            yield track, Look(step, heads if step.pace >= RIDING else (), crowded)


def _crowded(machine: RoadUser, users: Sequence[RoadUser]) -> bool:
    return any(
        geometry.overlap(machine.now.box, user.now.box)[1] > CROWDED
        for user in users
        if user.kind in TWO_WHEELERS and user.track_id != machine.track_id
    )


def weight(head: Head) -> float:
    """What one sight of a head says, 0..1: the detector's confidence, less where it is small."""
    return max(head.helmet, head.bare) * min(1.0, head.height_px / CLEAR_PX)


def shown(head: Head) -> float:
    """Its height, of the picture's: the same in the stream that is analysed and the one that is recorded."""
    return head.box[3] - head.box[1]


def together(heads: Sequence[Head], aspect: float) -> list[Head]:
    """The largest group of heads that can sit on one machine."""
    groups: list[list[Head]] = []
    for head in heads:
        near = [
            group for group in groups if any(_apart(head, other, aspect) <= NEIGHBOURS for other in group)
        ]
        groups = [group for group in groups if group not in near]
        groups.append([head, *(other for group in near for other in group)])
    return max(groups, key=len, default=[])


S = TypeVar("S")


def lately(looks: Sequence[tuple[Step, S]]) -> list[tuple[Step, S]]:
    """Of pictures, oldest first, those of the last PICTURES_S up to the newest."""
    return [look for look in looks if looks[-1][0].time_s - look[0].time_s <= PICTURES_S]


def outline(head: Head) -> tuple[Point, ...]:
    """Its box as a polygon, for the overlay."""
    left, top, right, bottom = head.box
    return ((left, top), (right, top), (right, bottom), (left, bottom))


@dataclass(slots=True)
class Rider:
    """One rider of a machine, by where the head is on it."""

    seat: Point
    """Of the head's middle from the middle of the box's top edge, in head heights."""
    bare: float = 0.0
    """Sum of weights that speak for a bare head."""
    helmet: float = 0.0
    looks: list[tuple[Step, Head]] = field(default_factory=list)

    def add(self, step: Step, head: Head, seat: Point) -> None:
        """Take in one sight."""
        (x, y), (to_x, to_y) = self.seat, seat
        self.seat = (x + NEWEST * (to_x - x), y + NEWEST * (to_y - y))
        share = head.bare / (head.bare + head.helmet)
        self.bare += weight(head) * share
        self.helmet += weight(head) * (1 - share)
        self.looks.append((step, head))

    @property
    def bare_share(self) -> float:
        """Of the vote."""
        return self.bare / (self.bare + self.helmet)

    @property
    def sure(self) -> float:
        """0..1: the vote's share of all that could have been said, what is not known held against it."""
        return self.bare / (self.bare + self.helmet + DOUBT)

    @property
    def bare_looks(self) -> list[tuple[Step, Head]]:
        """Those that say bare."""
        return [(step, head) for step, head in self.looks if head.bare > head.helmet]

    @property
    def shown_looks(self) -> list[tuple[Step, Head]]:
        """Those of them that can be shown together."""
        return lately(self.bare_looks)


class Crew:
    """The riders of one machine."""

    def __init__(self) -> None:
        self.riders: list[Rider] = []

    def add(self, step: Step, heads: Sequence[Head], aspect: float) -> None:
        """Give each head to the rider whose place it is nearest to, or to a new one."""
        free = list(self.riders)
        for head in sorted(heads, key=weight, reverse=True):
            seat = _seat(head, step, aspect)
            rider = min(free, key=lambda one: math.dist(one.seat, seat), default=None)
            if rider is None or math.dist(rider.seat, seat) > SAME_SEAT:
                rider = Rider(seat)
                self.riders.append(rider)
            else:
                free.remove(rider)
            rider.add(step, head, seat)


def _seat(head: Head, step: Step, aspect: float) -> Point:
    left, top, right, bottom = head.box
    tall = bottom - top
    box = step.raw.box
    return (
        ((left + right) / 2 - (box[0] + box[2]) / 2) * aspect / tall,
        ((top + bottom) / 2 - box[1]) / tall,
    )


def _apart(one: Head, other: Head, aspect: float) -> float:
    """Between their middles, in heights of the larger."""
    (left, top, right, bottom), (l2, t2, r2, b2) = one.box, other.box
    tall = max(bottom - top, b2 - t2)
    return math.hypot((left + right - l2 - r2) / 2 * aspect, (top + bottom - t2 - b2) / 2) / tall


@dataclass(slots=True)
class Vote:
    """What a rule knows of one machine."""

    clear_s: float | None = None
    """When it was clear first."""


V = TypeVar("V", bound=Vote)
P = TypeVar("P", bound=RiderParameters)


class RiderRule(ABC, Generic[V, P]):
    """Votes on each motorbike that rides; a rule says what a picture adds to the vote, and when it is clear.

    A hit is told SETTLE_S after its vote became clear, or where the track ends, once a track. A track that
    breaks begins another vote.
    """

    classes: ClassVar[frozenset[str]] = frozenset(("helmet", "head"))
    """What the model must know."""

    def __init__(self, scene: Scene, parameters: P) -> None:
        self._parameters = parameters
        self._looks = Looks()
        self._votes: dict[tuple[int, int], V] = {}
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule: nothing needs to be drawn."""
        return None

    @abstractmethod
    def begin(self) -> V:
        """A vote in which nothing has been said."""

    @abstractmethod
    def add(self, vote: V, look: Look, aspect: float) -> None:
        """Take in the heads of one picture that are large enough."""

    @abstractmethod
    def is_clear(self, vote: V) -> bool:
        """Whether it speaks for the act."""

    @abstractmethod
    def hit(self, moment: Moment, track: Track, vote: V) -> Hit:
        """Of a vote that is clear."""

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of motorbikes with a clear vote; confidence: see `hit`."""
        for track, look in self._looks.observe(moment):
            if look is None:
                for key in [key for key in self._votes if key[0] == track.id]:
                    yield from self._decide(moment, track, self._votes.pop(key))
                self._reported.discard(track.id)
            elif track.id not in self._reported and track.kind is RoadUserKind.MOTORBIKE:
                yield from self._judge(moment, track, look)

    def _judge(self, moment: Moment, track: Track, look: Look) -> Iterator[Hit]:
        key = (track.id, track.segment)
        if key not in self._votes:
            self._votes[key] = self.begin()
        vote = self._votes[key]
        large = tuple(head for head in look.heads if head.height_px >= self._parameters.min_head_px)
        self.add(vote, replace(look, heads=large), moment.aspect)
        if not self.is_clear(vote):
            vote.clear_s = None
        elif vote.clear_s is None:
            vote.clear_s = look.step.time_s
        elif look.step.time_s - vote.clear_s >= SETTLE_S:
            yield from self._decide(moment, track, vote)

    def _decide(self, moment: Moment, track: Track, vote: V) -> Iterator[Hit]:
        sure = track.kind is RoadUserKind.MOTORBIKE and track.kind_confidence >= SURE_MACHINE
        if sure and self.is_clear(vote) and track.id not in self._reported:
            hit = self.hit(moment, track, vote)
            if self._parameters.tells(hit):
                self._reported.add(track.id)
                yield hit

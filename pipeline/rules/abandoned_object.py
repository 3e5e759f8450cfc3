"""A motorbike or bicycle that somebody left alone where nothing may be left.

See docs/rules/abandoned_object.md for the act, its look-alikes, and what this cannot see: bags and boxes are
no class of the detector.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.step import Step
from pipeline.rules.visits import Visits, picture_geometry
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Hit, RoadUserKind

PURPOSE = "abandoned_object"

STANDING_HEIGHTS_S = 0.3
"""Slower than this (box heights a second, some 0.5 m/s) a person stands."""

ARRIVED_HEIGHTS = 1.0
"""What has moved by this much was brought; what has not stood there before anybody looked."""

SITS_S = 1.0
"""A head seen on it in every picture for this long is that of somebody who sits on it: now and then, one is
seen on a machine that is empty."""

LOOK_S = 2.0
"""A person not seen for longer is not near."""


class AbandonedObjectParameters(base.Parameters):
    """Two-wheelers left in a zone with purpose `abandoned_object`, during its hours."""

    alone_s: Annotated[float, Field(ge=5, le=86400)] = 120.0
    """It must have stood there for this long without anybody who stands near it or sits on it."""
    near_heights: Annotated[float, Field(gt=0, le=20)] = 1.5
    """Near is within this many heights of the person's own box."""


@dataclass(slots=True)
class _Thing:
    place: Step
    """Where it stands, or was first seen."""
    alone_since_s: float
    arrived: bool = False
    head_since_s: float | None = None
    """A head has been seen on it in every picture."""

    def is_sat_on(self, head: bool, now_s: float) -> bool:
        """Take in whether a head is seen on it."""
        if not head:
            self.head_since_s = None
        elif self.head_since_s is None:
            self.head_since_s = now_s
        return self.head_since_s is not None and now_s - self.head_since_s >= SITS_S


class AbandonedObject:
    """Watches every two-wheeler that is brought into the zone, and the people near it.

    Who drives a car off and who sits in it cannot be told from outside: cars are left to illegal_stop.
    """

    name: ClassVar[str] = "abandoned_object"
    parameters: ClassVar[type[base.Parameters]] = AbandonedObjectParameters
    classes: ClassVar[frozenset[str]] = frozenset(("person", "bicycle", "motorbike"))
    """Of the detector; see rules.blind."""

    @classmethod
    def limits(cls, scene: SceneSettings) -> str:
        """What an operator may expect and it cannot do; `ngatu check` says so."""
        return (
            "judges bicycles and motorbikes only: bags and boxes are no class of the detector; and takes one "
            "with its rider on it for left alone where neither model.heads nor a detector that boxes riders "
            "apart shows him"
        )

    def __init__(self, scene: Scene, parameters: AbandonedObjectParameters) -> None:
        self._parameters = parameters
        self._visits = Visits(scene, PURPOSE, (RoadUserKind.BICYCLE, RoadUserKind.MOTORBIKE))
        self._things: dict[int, _Thing] = {}
        """By the number of their visits."""
        self._people: dict[int, Step] = {}

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_zone(scene, PURPOSE)

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of two-wheelers that have been left alone for long enough.

        Confidence: see report; of the rule's own the share of the visit that is not bridged between two ids.
        """
        self._look_for_people(moment)
        users = moment.observation.road_users
        ridden = {user.track_id for user in users if user.riders}
        heads = {user.track_id for user in users if user.heads}
        for visit, step in self._visits.observe(moment):
            if visit.number not in self._things:
                self._things[visit.number] = _Thing(visit.came, step.time_s)
            thing = self._things[visit.number]
            moved = math.dist(step.position, thing.place.position) / step.height
            if moved >= ARRIVED_HEIGHTS:
                thing.place, thing.arrived = step, True
            sits = thing.is_sat_on(visit.track.id in heads, step.time_s) or visit.track.id in ridden
            if moved >= ARRIVED_HEIGHTS or sits or self._is_attended(step):
                thing.alone_since_s = step.time_s
            # Over the edge for a while, it is the same thing, but has not been left in the zone before.
            alone_s = step.time_s - max(thing.alone_since_s, visit.first.time_s)
            if thing.arrived and not visit.reported and alone_s >= self._parameters.alone_s:
                facts = {
                    "zone": visit.zone.id,
                    "alone_s": round(alone_s, 1),
                    "in_zone_s": round(visit.duration_s, 1),
                    "tracks": list(visit.tracks),
                }
                drawn = picture_geometry(visit.zone)
                hit = report(
                    self.name, moment, visit.track, visit.lately(), (visit.seen_share,), facts, drawn
                )
                if self._parameters.tells(hit):
                    visit.reported = True
                    yield hit
        known = self._visits.numbers()
        self._things = {number: thing for number, thing in self._things.items() if number in known}

    def _look_for_people(self, moment: Moment) -> None:
        for track, step in moment.advances:
            if track.kind is RoadUserKind.PERSON:
                if step is None:
                    self._people.pop(track.id, None)
                else:
                    self._people[track.id] = step

    def _is_attended(self, thing: Step) -> bool:
        """Whether somebody stands near it: who only walks past does not look after it."""
        return any(
            abs(person.time_s - thing.time_s) <= LOOK_S
            and person.speed < STANDING_HEIGHTS_S
            and math.dist(person.position, thing.position) <= self._parameters.near_heights * person.height
            for person in self._people.values()
        )

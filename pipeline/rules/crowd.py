"""Many people in a zone.

See docs/rules/crowd.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.visits import AGAIN_S, PICTURES_S, Visit, Visits, picture_geometry
from pipeline.scene import Scene, SceneSettings
from pipeline.scene.lines import Zone
from pipeline.types import FrameTime, Hit, Observation, RoadUserKind, TrackPoint

PURPOSE = "crowd"

PRESENT_S = 1.5
"""Who was seen in the zone within this time is there: in a crowd people hide each other."""

DIP_S = 2.0
"""Fewer than enough for no longer does not end a crowd."""

FULL_SHARE = 0.8
"""Share of the last `min_s` in which there must be enough: two ids for one person do not make a crowd."""


class CrowdParameters(base.Parameters):
    """People in a zone with purpose `crowd`, during its hours."""

    min_people: Annotated[int, Field(ge=2, le=500)] = 10
    """At least this many ..."""
    min_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    """... for this long."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Everybody in the zone at one moment."""

    shown: TrackPoint
    """One box around all of them."""
    time: FrameTime
    people: int
    kind_confidence: float


@dataclass(slots=True)
class _Gathering:
    since_s: float
    full_s: float
    """When there were last enough."""
    last_came: Visit
    """Who made it enough, the last time."""
    full: bool = True
    """There are enough now."""
    snapshots: deque[_Snapshot] = field(default_factory=deque)
    """Over the last PICTURES_S, oldest first."""
    counts: deque[tuple[float, int]] = field(default_factory=deque)
    """When, and how many, over the last `min_s`, oldest first."""
    full_counts: int = 0
    """Of them, those with enough."""
    reported: bool = False


class Crowd:
    """Counts the people in each zone; reports a gathering once."""

    name: ClassVar[str] = "crowd"
    parameters: ClassVar[type[base.Parameters]] = CrowdParameters
    classes: ClassVar[frozenset[str]] = frozenset(("person",))
    """Of the detector; see rules.blind."""

    def __init__(self, scene: Scene, parameters: CrowdParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._visits = Visits(scene, PURPOSE, (RoadUserKind.PERSON,))
        self._gatherings: dict[str, _Gathering] = {}

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_zone(scene, PURPOSE)

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of gatherings that have lasted long enough.

        Confidence is the geometric mean of the mean share of the vote for `person`, the mean confidence of
        the boxes, and the share of the time in which there were enough.
        """
        for _ in self._visits.observe(moment):
            pass
        now_s = moment.observation.time.captured_at_s
        for zone in self._scene.zones(moment.aspect, PURPOSE):
            present = self._visits.inside(zone.id, now_s, PRESENT_S)
            gathering = self._count(zone, present, now_s)
            if gathering is None or gathering.reported:
                continue
            share = gathering.full_counts / len(gathering.counts)
            if now_s - gathering.since_s >= self._parameters.min_s and share >= FULL_SHARE:
                hit = self._hit(moment.observation, zone, gathering, share)
                if self._parameters.tells(hit):
                    gathering.reported = True
                    yield hit

    def _count(self, zone: Zone, present: Sequence[Visit], now_s: float) -> _Gathering | None:
        gathering = self._gatherings.get(zone.id)
        full = len(present) >= self._parameters.min_people
        if gathering is not None:
            gap_s = now_s - gathering.full_s
            # Below zero: the clock was put back.
            if not 0 <= gap_s <= (AGAIN_S if gathering.reported else DIP_S):
                del self._gatherings[zone.id]
                gathering = None
        if gathering is None:
            if not full:
                return None
            gathering = self._gatherings[zone.id] = _Gathering(now_s, now_s, _newest(present))
        if full:
            gathering.full_s = now_s
            if not gathering.full:
                gathering.last_came = _newest(present)
        gathering.full = full
        if not gathering.reported:
            self._remember(gathering, present, now_s)
        return gathering

    def _remember(self, gathering: _Gathering, present: Sequence[Visit], now_s: float) -> None:
        counts, enough = gathering.counts, self._parameters.min_people
        counts.append((now_s, len(present)))
        gathering.full_counts += len(present) >= enough
        while counts[0][0] < now_s - self._parameters.min_s:
            gathering.full_counts -= counts.popleft()[1] >= enough
        if present:
            gathering.snapshots.append(_snapshot(present))
            while gathering.snapshots[0].time.captured_at_s < now_s - PICTURES_S:
                gathering.snapshots.popleft()

    def _hit(self, observation: Observation, zone: Zone, gathering: _Gathering, share: float) -> Hit:
        shots = gathering.snapshots
        before, after = shots[0], shots[-1]
        at = max(shots, key=lambda shot: shot.people)
        parts = (at.kind_confidence, at.shown.confidence, share)
        people = [count for _, count in gathering.counts]
        return Hit(
            rule=self.name,
            camera_id=observation.camera_id,
            track_id=gathering.last_came.track.id,
            kind=RoadUserKind.PERSON,
            before=before.shown,
            at=at.shown,
            after=after.shown,
            confidence=math.prod(parts) ** (1 / len(parts)),
            time=at.time,
            facts={
                "zone": zone.id,
                "people": at.people,
                "people_median": median(people),
                "people_most": max(people),
                "lasted_s": round(gathering.full_s - gathering.counts[0][0], 1),
            },
            geometry=picture_geometry(zone),
        )


def _newest(present: Sequence[Visit]) -> Visit:
    return max(present, key=lambda visit: visit.first.time_s)


def _snapshot(present: Sequence[Visit]) -> _Snapshot:
    steps = [visit.last for visit in present]
    newest = max(steps, key=lambda step: step.time_s)
    boxes = [step.raw.box for step in steps]
    around = (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )
    confidence = sum(step.raw.confidence for step in steps) / len(steps)
    return _Snapshot(
        TrackPoint(newest.time_s, around, confidence),
        newest.time,
        len(present),
        sum(visit.track.kind_confidence for visit in present) / len(present),
    )

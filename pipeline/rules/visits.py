"""Who is in which zone, and since when: shared by intrusion, loitering, crowd and abandoned_object.

A visit outlives what interrupts a track but not the person: missed detections, a box that jitters over the
zone's edge, feet that are hidden for a moment, an identity that the tracker mixes up.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import count

from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track
from pipeline.scene import Scene
from pipeline.scene.hours import in_force
from pipeline.scene.lines import Zone
from pipeline.types import RoadUserKind

EDGE_HEIGHTS = 0.1
"""Inside is who stands this far (in box heights) within, and then as long as not this far without: boxes
jitter."""

OUTSIDE_S = 2.0
"""Out of the zone for no longer, a visit goes on."""

AGAIN_S = 30.0
"""Who comes back sooner is not reported again."""

BRIDGE_S = 10.0
"""Somebody who is lost in a zone and found in it, under another id, within this time is the same ..."""
REACH_HEIGHTS, REACH_HEIGHTS_S = 0.75, 0.75
"""... where the distance (in box heights) is no more than this, and this for each second: a walk is 0.7."""
SWITCHED_S = 0.7
"""Steps come 0.35 s late: an id without a step for longer is not in the picture any more."""

HIDDEN = 0.7
"""A box that lost this much of its height of the last HIDDEN_S seconds shows no feet."""
HIDDEN_S = 3.0

PICTURES_S = 4.0
"""A picture from before the decisive moment is taken from no further back than this."""

Key = tuple[int, int, int]
"""Connection, track, segment."""


@dataclass(slots=True)
class Visit:
    """Somebody in a zone, whatever ids they had."""

    number: int
    """Its own."""
    zone: Zone
    key: Key
    track: Track
    first: Step
    """Where the visit began."""
    last: Step
    """The newest step inside."""
    before: Step | None
    """The last step before it, outside; None for who was first seen inside."""
    recent: deque[Step] = field(default_factory=deque)
    """Steps inside over the last PICTURES_S, oldest first."""
    tracks: list[int] = field(default_factory=list)
    """Ids, in order."""
    unseen_s: float = 0.0
    """Of the visit's time, between one id and the next."""
    outside: bool = False
    """Its newest step is outside."""
    lost: bool = False
    """Its track has ended."""
    reported: bool = False

    @property
    def duration_s(self) -> float:
        """From the first to the newest step inside."""
        return self.last.time_s - self.first.time_s

    def lately(self) -> tuple[Step, Step, Step]:
        """Steps of the last seconds, for a hit to show: the beginning may be long out of the ring."""
        return (self.recent[0], self.recent[len(self.recent) // 2], self.last)

    def take(self, step: Step) -> None:
        """One more step inside."""
        self.last = step
        self.recent.append(step)
        while self.recent[0].time_s < step.time_s - PICTURES_S:
            self.recent.popleft()


class Visits:
    """Follows everybody of some kinds through the zones of one purpose."""

    def __init__(self, scene: Scene, purpose: str, kinds: Collection[RoadUserKind]) -> None:
        """`kinds` are those the rule is about; a zone's `classes` narrow them down."""
        self._scene, self._purpose, self._kinds = scene, purpose, frozenset(kinds)
        self._visits: dict[tuple[str, Key], Visit] = {}
        self._numbers = count()
        self._outside: dict[tuple[str, Key], Step] = {}
        self._heights: dict[Key, deque[tuple[float, float]]] = {}

    def observe(self, moment: Moment) -> Iterator[tuple[Visit, Step]]:
        """Each new step inside a zone while its purpose is in force, with the visit that it belongs to."""
        connection = moment.observation.connection
        zones = self._scene.zones(moment.aspect, self._purpose)
        for track, step in moment.advances:
            key = (connection, track.id, track.segment)
            if step is None:
                self._end(key)
            elif track.kind in self._kinds and not (step.cut or self._feet_hidden(key, step)):
                for zone in zones:
                    if (visit := self._follow(zone, key, track, step, moment)) is not None:
                        yield visit, step
        now_s = moment.observation.time.captured_at_s
        self._visits = {
            place: visit
            for place, visit in self._visits.items()
            if not (visit.lost or visit.outside)
            or now_s - visit.last.time_s <= (BRIDGE_S if visit.lost else AGAIN_S)
        }

    def numbers(self) -> set[int]:
        """Of the visits that are followed now."""
        return {visit.number for visit in self._visits.values()}

    def inside(self, zone_id: str, now_s: float, within_s: float) -> list[Visit]:
        """The visits in a zone that had a step in it within the last seconds."""
        return [
            visit
            for (place, _), visit in self._visits.items()
            if place == zone_id and not visit.outside and now_s - visit.last.time_s <= within_s
        ]

    def _follow(self, zone: Zone, key: Key, track: Track, step: Step, moment: Moment) -> Visit | None:
        settings = zone.settings
        place = (zone.id, key)
        visit = self._visits.get(place)
        edge = EDGE_HEIGHTS * step.height * (1 if visit is None or visit.outside else -1)
        inside = (
            (not settings.classes or track.kind in settings.classes)
            and zone.depth(step.position) >= edge
            and (not settings.hours or in_force(settings.hours, step.time_s, self._scene.settings.time_zone))
        )
        if not inside:
            self._outside[place] = step
            if visit is not None:
                visit.outside = True
            return None
        if visit is None:
            self._lose(key)
            visit = self._taken_over(zone, step, moment)
            if visit is None:
                visit = Visit(next(self._numbers), zone, key, track, step, step, self._outside.get(place))
            else:
                del self._visits[zone.id, visit.key]
                visit.unseen_s += step.time_s - visit.last.time_s
            visit.key, visit.lost = key, False
            visit.tracks.append(track.id)
            self._visits[place] = visit
        elif step.time_s - visit.last.time_s > OUTSIDE_S and visit.outside:
            visit.first, visit.before, visit.unseen_s = step, self._outside.get(place), 0.0
            visit.recent.clear()
        visit.outside, visit.track = False, track
        visit.take(step)
        return visit

    def _taken_over(self, zone: Zone, step: Step, moment: Moment) -> Visit | None:
        """The visit of somebody who was lost near here a moment ago and has just been found."""
        seen = {user.track_id for user in moment.observation.road_users}
        connection, now_s = moment.observation.connection, moment.observation.time.captured_at_s
        near: list[tuple[float, Visit]] = []
        for (zone_id, (old_connection, track_id, _)), visit in self._visits.items():
            gap_s = step.time_s - visit.last.time_s
            present = track_id in seen and old_connection == connection and not visit.lost
            if zone_id != zone.id or visit.outside or present or not 0 < gap_s <= BRIDGE_S:
                continue
            away = math.dist(step.position, visit.last.position) / step.height
            if away <= REACH_HEIGHTS + REACH_HEIGHTS_S * gap_s and now_s - visit.last.time_s > SWITCHED_S:
                near.append((away, visit))
        return min(near, key=lambda found: found[0])[1] if near else None

    def _lose(self, key: Key) -> None:
        """A track has ended, or its trajectory has broken: who it was before is not in the picture now."""
        for (_, old), visit in self._visits.items():
            if old[:2] == key[:2]:
                visit.lost = True

    def _end(self, key: Key) -> None:
        connection, track_id, _ = key
        self._lose(key)
        for place in [place for place in self._outside if place[1][:2] == (connection, track_id)]:
            del self._outside[place]
        for old in [old for old in self._heights if old[:2] == (connection, track_id)]:
            del self._heights[old]

    def _feet_hidden(self, key: Key, step: Step) -> bool:
        heights = self._heights.setdefault(key, deque())
        heights.append((step.time_s, step.height))
        while heights[0][0] < step.time_s - HIDDEN_S:
            heights.popleft()
        return step.height < HIDDEN * max(height for _, height in heights)


def picture_geometry(zone: Zone) -> dict[str, tuple[tuple[float, float], ...]]:
    """The zone, as hits show it."""
    return {f"zone {zone.id}": zone.settings.polygon}

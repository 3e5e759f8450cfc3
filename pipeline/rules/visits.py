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

from pipeline.rules.feet import Feet
from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track, remember
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
    came: Step
    """The first known of its first track, inside or outside."""
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

    @property
    def seen_share(self) -> float:
        """Of its time: not bridged between two ids."""
        return 1.0 - self.unseen_s / self.duration_s if self.duration_s > 0 else 1.0

    def lately(self) -> tuple[Step, Step, Step]:
        """Steps of the last seconds, for a hit to show: the beginning may be long out of the ring."""
        return (self.recent[0], self.recent[len(self.recent) // 2], self.last)

    def take(self, step: Step) -> None:
        """One more step inside."""
        self.last = step
        remember(self.recent, step, PICTURES_S)


class Visits:
    """Follows everybody of some kinds through the zones of one purpose."""

    def __init__(self, scene: Scene, purpose: str, kinds: Collection[RoadUserKind]) -> None:
        """`kinds` are those the rule is about; a zone's `classes` narrow them down."""
        self._scene, self._purpose, self._kinds = scene, purpose, frozenset(kinds)
        self._visits: dict[tuple[str, Key], Visit] = {}
        self._numbers = count()
        self._outside: dict[tuple[str, Key], Step] = {}
        self._until_s: dict[tuple[str, Key], float] = {}
        """Of tracks whose visit went over to another: their last steps come late, and are of that visit."""
        self._came: dict[Key, Step] = {}
        """The first step known of each track."""
        self._feet: Feet[Key] = Feet()
        self._connection = 0

    def observe(self, moment: Moment) -> Iterator[tuple[Visit, Step]]:
        """Each new step inside a zone while its purpose is in force, with the visit that it belongs to."""
        connection = self._connection = moment.observation.connection
        zones = self._scene.zones(moment.aspect, self._purpose)
        for track, step in moment.advances:
            key = (connection, track.id, track.segment)
            if step is None:
                self._end(key)
                continue
            self._came.setdefault(key, step)
            if track.kind in self._kinds and not (step.cut or self._feet.are_hidden(key, step)):
                for zone in zones:
                    if (visit := self._follow(zone, key, track, step, moment)) is not None:
                        yield visit, step
        now_s = moment.observation.time.captured_at_s
        self._visits = {
            place: visit
            for place, visit in self._visits.items()
            if not (visit.lost or visit.outside)
            # Earlier than what it saw: the clock was put back. What was before is not to be set against now.
            or 0 <= now_s - visit.last.time_s <= (BRIDGE_S if visit.lost else AGAIN_S)
        }

    def numbers(self) -> set[int]:
        """Of the visits that are followed now."""
        return {visit.number for visit in self._visits.values()}

    def inside(self, zone_id: str, now_s: float, within_s: float) -> list[Visit]:
        """The visits in a zone that had a step in it within the last seconds, of this connection: whoever was
        seen before and still is has another id by now.
        """
        return [
            visit
            for (place, (connection, _, _)), visit in self._visits.items()
            if place == zone_id and connection == self._connection and not visit.outside
            if 0 <= now_s - visit.last.time_s <= within_s
        ]

    def _follow(self, zone: Zone, key: Key, track: Track, step: Step, moment: Moment) -> Visit | None:
        settings = zone.settings
        place = (zone.id, key)
        visit = self._visits.get(place)
        edge = EDGE_HEIGHTS * step.height * (1 if visit is None or visit.outside else -1)
        within = zone.depth(step.position) >= edge
        inside = (
            within
            and (not settings.classes or track.kind in settings.classes)
            and (not settings.hours or in_force(settings.hours, step.time_s, self._scene.settings.time_zone))
        )
        if not inside:
            if within:  # who is there before the hours begin is not seen to enter during them
                self._outside.pop(place, None)
            else:
                self._outside[place] = step
            if visit is not None:
                visit.outside = True
            return None
        if visit is None and step.time_s < self._until_s.get(place, -math.inf):
            return None
        if visit is None:
            self._lose(key, ended=False)
            came = self._came[key]
            visit = self._taken_over(zone, came, step, moment)
            if visit is None:
                before = self._outside.get(place)
                visit = Visit(next(self._numbers), zone, key, track, came, step, step, before)
            else:
                del self._visits[zone.id, visit.key]
                self._until_s[zone.id, visit.key] = step.time_s
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

    def _taken_over(self, zone: Zone, came: Step, step: Step, moment: Moment) -> Visit | None:
        """The visit of somebody who was lost near here a moment ago and has just been found.

        Who was seen outside at first, or while that one was still inside, is somebody else.
        """
        if zone.depth(came.position) < -EDGE_HEIGHTS * came.height:
            return None
        seen = {user.track_id for user in moment.observation.road_users}
        now_s = moment.observation.time.captured_at_s
        near: list[tuple[float, Visit]] = []
        for (zone_id, (connection, track_id, _)), visit in self._visits.items():
            gap_s = step.time_s - visit.last.time_s
            if zone_id != zone.id or visit.outside or not 0 < gap_s <= BRIDGE_S:
                continue
            if connection == self._connection:
                present = track_id in seen and not visit.lost
                if present or came.time_s < visit.last.time_s or now_s - visit.last.time_s <= SWITCHED_S:
                    continue
            away = math.dist(step.position, visit.last.position) / step.height
            if away <= REACH_HEIGHTS + REACH_HEIGHTS_S * gap_s:
                near.append((away, visit))
        return min(near, key=lambda found: found[0])[1] if near else None

    def _lose(self, key: Key, ended: bool) -> None:
        """A track has ended, or its trajectory has broken: who it was before is not in the picture now."""
        for (_, old), visit in self._visits.items():
            if old[:2] == key[:2] and (ended or old != key):
                visit.lost = True

    def _end(self, key: Key) -> None:
        self._lose(key, ended=True)
        for known in (self._outside, self._until_s):
            for place in [place for place in known if place[1][:2] == key[:2]]:
                del known[place]
        for old in [old for old in self._came if old[:2] == key[:2]]:
            del self._came[old]
        self._feet.forget(lambda old: old[:2] == key[:2])


def picture_geometry(zone: Zone) -> dict[str, tuple[tuple[float, float], ...]]:
    """The zone, as hits show it."""
    return {f"zone {zone.id}": zone.settings.polygon}

"""Keeps a rule from telling one act twice because its road user had two tracks.

A detector that puts two boxes on one lorry makes two tracks of it, side by side; a tracker that loses
somebody and finds them again makes two, one after the other. Either way the second one is no second act.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pipeline.rules.sighting import MAX_GAP_S
from pipeline.rules.step import at_edge
from pipeline.scene import geometry
from pipeline.types import Box, Hit, Observation, RoadUserKind, TrackPoint

LARGE = frozenset({RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK})

SAME_IOU = 0.5
"""Median overlap of two tracks, over the moments that both were seen in, that makes them one road user."""
PART = 0.75
"""The same for cars, buses and lorries: share of the smaller box inside the larger. Of a lorry, a detector
sees the cab and the whole; that two of them do the same wrong, one always before the other, is rarer."""
LEAST_SHARED = 3
"""Moments; two who pass each other overlap in fewer, or less. Where one track ends as the other begins, fewer
do."""
LEAST_JOINED = 2
"""The same where a large vehicle's second track has come over from elsewhere: all moments of both acts."""
NEXT_IOU = 0.3
"""Overlap of where a track led, when it was lost, with the first box of one that began then."""
LED_S = 0.7
"""The way on from a lost track is told from its last so many seconds."""
LATE_S = MAX_GAP_S + 1.0
"""A track that was lost has ended by then, and its hits are told."""
REMEMBER_S = 20.0
"""After a track is lost: no trajectory in an observation goes further back."""

NEAR, NEAR_PER_S, NEAR_MOST = 1.0, 0.5, 3.0
"""How far from where it was lost, in widths and heights of the larger box, a vehicle is found again: at once,
more for every second, and at most."""
ALIKE = 1.8
"""Its area then, at most this many times as large or small: turned, it shows another side."""
TURNED_DEG = 135.0
"""Between the ways of both; who comes back from where somebody went is another."""


@dataclass(slots=True)
class _Told:
    track_id: int
    connection: int
    large: bool
    """Car, bus or lorry."""
    first: TrackPoint
    points: tuple[TrackPoint, ...]
    began_s: float
    """Its act."""
    found: bool = False
    """Lost, and told again under another number: who is found next is somebody else."""

    @property
    def way(self) -> Sequence[TrackPoint]:
        """From its first point on, of those after it as many as are remembered."""
        return self.points if self.points[0].time_s <= self.first.time_s else (self.first, *self.points)


class Told:
    """Remembers the trajectories of those whom one rule has reported, in one camera.

    `found_again_s`: a car, bus or lorry may be lost for so long and found near by, as round a corner, and be
    one; with 0, as the others, only where it would be, had it gone on as it went.
    """

    def __init__(self, found_again_s: float = 0.0) -> None:
        self._found_again_s = found_again_s
        self._told: list[_Told] = []
        self._seen: dict[int, tuple[TrackPoint, ...]] = {}
        """Trajectories of who was seen lately: a hit can come when its road user has just been lost."""
        self._first: dict[int, TrackPoint] = {}
        """Where theirs began: trajectories are kept for some seconds only."""
        self._connection: int | None = None

    def observe(self, observation: Observation) -> None:
        """Take up the newest observation; before `is_again` of it."""
        now_s = observation.time.captured_at_s
        if observation.connection != self._connection:
            self._connection = observation.connection
            self._seen.clear()
            self._first.clear()
        self._seen |= {user.track_id: user.trajectory for user in observation.road_users}
        self._seen = {key: way for key, way in self._seen.items() if now_s - way[-1].time_s <= LATE_S}
        self._first = {key: self._first.get(key, way[0]) for key, way in self._seen.items()}
        self._told = [
            told
            for told in self._told
            if told.connection == observation.connection and now_s - told.points[-1].time_s <= REMEMBER_S
        ]
        for told in self._told:
            told.points = self._seen.get(told.track_id, told.points)

    def is_again(self, hit: Hit, observation: Observation) -> bool:
        """Whether it is the act of one reported before under another number; else it is remembered."""
        points = self._seen.get(hit.track_id, (hit.before, hit.at, hit.after))
        first = self._first.get(hit.track_id, hit.before)
        new = _Told(hit.track_id, observation.connection, hit.kind in LARGE, first, points, hit.before.time_s)
        before = self._told_before(new)
        if before is not None and before.points[-1].time_s < first.time_s:
            before.found = True
        # Of a repeat too: a third number may follow where the second one is lost.
        self._told.append(new)
        return before is not None

    def _told_before(self, new: _Told) -> _Told | None:
        others = [told for told in self._told if told.track_id != new.track_id]
        for told in others:
            large = told.large and new.large
            if same(told.way, new.way, large) or (large and _joined(told, new)):
                return told
        lost = [told for told in others if told.large and new.large and not told.found]
        return next((told for told in lost if _is_found(told.way, new.way, self._found_again_s)), None)


def same(one: Sequence[TrackPoint], other: Sequence[TrackPoint], large: bool) -> bool:
    """Whether two tracks, both of `large` vehicles or not, are of one road user: side by side, or one after
    the other.
    """
    shared = _shared(one, other)
    if len(shared) >= LEAST_SHARED:
        union, part = (median(overlap) for overlap in zip(*shared, strict=True))
        return _is_on(union, part, large)
    if shared:
        return _meet_at_ends(one, other) and all(_is_on(union, part, large) for union, part in shared)
    first, then = (one, other) if one[-1].time_s < other[0].time_s else (other, one)
    gap_s = then[0].time_s - first[-1].time_s
    led = _led(first, then[0].time_s)
    return 0 < gap_s <= MAX_GAP_S and geometry.overlap(led, then[0].box)[0] >= NEXT_IOU


def _joined(told: _Told, new: _Told) -> bool:
    """Whether a large vehicle's second track, wherever it was before, is on it since both acts have begun."""
    began_s = max(told.began_s, new.began_s)
    shared = _shared([point for point in told.points if point.time_s >= began_s], new.points)
    return len(shared) >= LEAST_JOINED and all(_is_on(union, part, large=True) for union, part in shared)


def _shared(one: Sequence[TrackPoint], other: Sequence[TrackPoint]) -> list[tuple[float, float]]:
    """How boxes overlap (see geometry.overlap), at each moment that both tracks have."""
    boxes = {point.time_s: point.box for point in one}
    return [geometry.overlap(boxes[point.time_s], point.box) for point in other if point.time_s in boxes]


def _is_on(union: float, part: float, large: bool) -> bool:
    """Whether boxes that overlap by so much can be of one road user."""
    return union >= SAME_IOU or (large and part >= PART)


def _meet_at_ends(one: Sequence[TrackPoint], other: Sequence[TrackPoint]) -> bool:
    """Whether tracks have in common no more than the end of the one and the beginning of the other."""
    start_s, end_s = max(one[0].time_s, other[0].time_s), min(one[-1].time_s, other[-1].time_s)
    return all(sum(start_s <= point.time_s <= end_s for point in way) < LEAST_SHARED for way in (one, other))


def _led(points: Sequence[TrackPoint], to_s: float) -> Box:
    """Where its last box would be, had it gone on as it went."""
    last = points[-1]
    start = next(point for point in points if point.time_s >= last.time_s - LED_S)
    span_s = last.time_s - start.time_s
    share = (to_s - last.time_s) / span_s if span_s > 0 else 0.0
    across, down = ((last.ground[axis] - start.ground[axis]) * share for axis in (0, 1))
    left, top, right, bottom = last.box
    return (left + across, top + down, right + across, bottom + down)


def _is_found(lost: Sequence[TrackPoint], found: Sequence[TrackPoint], within_s: float) -> bool:
    """Whether a vehicle that was lost in the picture can be the one that was first seen a while later."""
    last, first = lost[-1].box, found[0].box
    gap_s = found[0].time_s - lost[-1].time_s
    if not 0 < gap_s <= within_s or at_edge(last) or at_edge(first):
        return False
    (one_wide, one_high), (wide, high) = ((box[2] - box[0], box[3] - box[1]) for box in (last, first))
    alike = one_wide * one_high / (wide * high)
    across, down = (
        (first[axis] + first[axis + 2] - last[axis] - last[axis + 2]) / 2 / size
        for axis, size in enumerate((max(one_wide, wide), max(one_high, high)))
    )
    ways = (geometry.minus(way[-1].ground, way[0].ground) for way in (lost, found))
    return (
        1 / ALIKE <= alike <= ALIKE
        and math.hypot(across, down) <= min(NEAR + NEAR_PER_S * gap_s, NEAR_MOST)
        and abs(geometry.turn_deg(*ways)) <= TURNED_DEG
    )

"""Keeps a rule from telling one act twice because its road user had two tracks.

A detector that puts two boxes on one lorry makes two tracks of it, side by side; a tracker that loses
somebody and finds them again makes two, one after the other. Either way the second one is no second act.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pipeline.rules.sighting import MAX_GAP_S
from pipeline.scene import geometry
from pipeline.types import Box, Hit, Observation, RoadUserKind, TrackPoint

LARGE = frozenset({RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK})

SAME_IOU = 0.5
"""Median overlap of two tracks, over the moments that both were seen in, that makes them one road user."""
PART = 0.75
"""The same for cars, buses and lorries: share of the smaller box inside the larger. Of a lorry, a detector
sees the cab and the whole; that two of them do the same wrong, one always before the other, is rarer."""
LEAST_SHARED = 3
"""Moments; two who pass each other overlap in fewer, or less."""
NEXT_IOU = 0.3
"""Overlap of where a track led, when it was lost, with the first box of one that began then."""
LED_S = 0.7
"""The way on from a lost track is told from its last so many seconds."""
LATE_S = MAX_GAP_S + 1.0
"""A track that was lost has ended by then, and its hits are told."""
REMEMBER_S = 20.0
"""After a track is lost: no trajectory in an observation goes further back."""


@dataclass(slots=True)
class _Told:
    track_id: int
    connection: int
    large: bool
    """Car, bus or lorry."""
    points: tuple[TrackPoint, ...]


class Told:
    """Remembers the trajectories of those whom one rule has reported, in one camera."""

    def __init__(self) -> None:
        self._told: list[_Told] = []
        self._seen: dict[int, tuple[TrackPoint, ...]] = {}
        """Trajectories of who was seen lately: a hit can come when its road user has just been lost."""
        self._connection: int | None = None

    def observe(self, observation: Observation) -> None:
        """Take up the newest observation; before `is_again` of it."""
        now_s = observation.time.captured_at_s
        if observation.connection != self._connection:
            self._connection = observation.connection
            self._seen.clear()
        self._seen |= {user.track_id: user.trajectory for user in observation.road_users}
        self._seen = {key: way for key, way in self._seen.items() if now_s - way[-1].time_s <= LATE_S}
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
        large = hit.kind in LARGE
        again = any(
            told.track_id != hit.track_id and same(told.points, points, large and told.large)
            for told in self._told
        )
        # Of a repeat too: a third number may follow where the second one is lost.
        self._told.append(_Told(hit.track_id, observation.connection, large, points))
        return again


def same(one: Sequence[TrackPoint], other: Sequence[TrackPoint], large: bool) -> bool:
    """Whether two tracks, both of `large` vehicles or not, are of one road user: side by side, or one after
    the other.
    """
    boxes = {point.time_s: point.box for point in one}
    shared = [geometry.overlap(boxes[point.time_s], point.box) for point in other if point.time_s in boxes]
    if shared:
        union, part = (median(overlap) for overlap in zip(*shared, strict=True))
        return len(shared) >= LEAST_SHARED and (union >= SAME_IOU or (large and part >= PART))
    first, then = (one, other) if one[-1].time_s < other[0].time_s else (other, one)
    gap_s = then[0].time_s - first[-1].time_s
    led = _led(first, then[0].time_s)
    return 0 < gap_s <= MAX_GAP_S and geometry.overlap(led, then[0].box)[0] >= NEXT_IOU


def _led(points: Sequence[TrackPoint], to_s: float) -> Box:
    """Where its last box would be, had it gone on as it went."""
    last = points[-1]
    start = next(point for point in points if point.time_s >= last.time_s - LED_S)
    span_s = last.time_s - start.time_s
    share = (to_s - last.time_s) / span_s if span_s > 0 else 0.0
    across, down = ((last.ground[axis] - start.ground[axis]) * share for axis in (0, 1))
    left, top, right, bottom = last.box
    return (left + across, top + down, right + across, bottom + down)

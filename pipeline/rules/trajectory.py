"""Smoothed trajectories: what every rule judges by, instead of single boxes.

A box jumps: by a few per cent in every frame, by half its height when something passes in front of it, and
by anything at all when the tracker mistakes one road user for another. So a rule never sees a box's bottom
centre but a `Step`: the value, at that moment, of a straight line fitted (least squares, triangular weights,
after a median of three) to the ground points within `HALF_WINDOW_S` on either side. A step is therefore
handed out `HALF_WINDOW_S` late.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import NamedTuple

from pipeline.scene.geometry import dot, minus
from pipeline.scene.scene import aspect_of
from pipeline.types import FrameTime, Observation, Point, RoadUser, RoadUserKind, TrackPoint

HALF_WINDOW_S = 0.35
"""At 5 to 6 pictures a second this takes in two neighbours on either side."""

MAX_GAP_S = 2.0
"""A track unseen for longer is a new trajectory, or ended."""

REMEMBER_S = 60.0
"""Ids of ended tracks are remembered for this long; perception forgets them much sooner."""

TOP_SHARE = 0.25
"""See moved_as_a_whole."""

LEAP_HEIGHTS = 1.0
"""A point further than this from where the trajectory led (in box heights, and as much again per second of
gap) belongs to another road user: a new trajectory."""


@dataclass(frozen=True, slots=True)
class Step:
    """A road user at one moment of its smoothed trajectory. Lengths in picture heights, true proportions."""

    time: FrameTime
    position: Point
    """Smoothed ground point."""
    velocity: Point
    """Per second."""
    height: float
    """Of its box, smoothed."""
    raw: TrackPoint
    """The box as it was seen."""

    @property
    def time_s(self) -> float:
        """Capture time."""
        return self.time.captured_at_s

    @property
    def speed(self) -> float:
        """In box heights a second: about 1.5 m, however near or far."""
        return math.hypot(*self.velocity) / self.height


class _Seen(NamedTuple):
    """A box as it was seen; lengths in picture heights."""

    time_s: float
    x: float
    y: float
    height: float
    raw: TrackPoint
    time: FrameTime


@dataclass(slots=True)
class Track:
    """One road user's trajectory, from its first step or its last break on."""

    id: int
    kind: RoadUserKind
    kind_confidence: float
    segment: int = 0
    """Rises when the trajectory breaks: what was known of its course no longer holds."""
    last_seen_s: float = 0.0
    points: list[_Seen] = field(default_factory=list)
    """As far back as smoothing needs, and those not yet handed out."""
    done: int = 0
    """How many of `points` were handed out."""


def _fit(times: Sequence[float], values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """Weighted least squares line through (t, v): its value at t = 0 and its slope."""
    total = sum(weights)
    mean_t = sum(w * t for w, t in zip(weights, times, strict=True)) / total
    mean_v = sum(w * v for w, v in zip(weights, values, strict=True)) / total
    spread = sum(w * (t - mean_t) ** 2 for w, t in zip(weights, times, strict=True))
    if spread <= 0:
        return mean_v, 0.0
    slope = (
        sum(w * (t - mean_t) * (v - mean_v) for w, t, v in zip(weights, times, values, strict=True)) / spread
    )
    return mean_v - slope * mean_t, slope


class Tracks:
    """Turns observations of one camera into steps. One per rule; pure: time comes from the observations."""

    def __init__(self) -> None:
        self._tracks: dict[int, Track] = {}
        self._ended: dict[int, float] = {}
        """Last moment of tracks that have ended: one that comes back begins anew from there."""
        self._connection: int | None = None
        self._from_s = -math.inf
        self._tracked = False
        self.aspect = 1.0
        """Width / height of the picture that the newest steps refer to."""

    def observe(self, observation: Observation) -> Iterator[tuple[Track, Step | None]]:
        """New steps in order of time per track; None instead of a step where a track has ended."""
        aspect = aspect_of(observation)
        if observation.connection != self._connection or aspect != self.aspect:
            yield from self.finish()
            self._ended.clear()  # a new connection may use the same ids again
            self._connection, self.aspect = observation.connection, aspect
            # Nothing from before is taken over: in between, anything can have happened.
            self._from_s = observation.time.captured_at_s if self._tracked else -math.inf
        self._tracked = True
        now = observation.time.captured_at_s
        for user in observation.road_users:
            yield from self._follow(user, observation.time)
        for track in [t for t in self._tracks.values() if now - t.last_seen_s > MAX_GAP_S]:
            yield from self._end(track)
        self._ended = {key: at for key, at in self._ended.items() if now - at < REMEMBER_S}

    def finish(self) -> Iterator[tuple[Track, Step | None]]:
        """The steps held back for smoothing; every track ends."""
        for track in list(self._tracks.values()):
            yield from self._end(track)

    def _end(self, track: Track) -> Iterator[tuple[Track, Step | None]]:
        yield from self._steps(track, until_s=math.inf)
        del self._tracks[track.id]
        self._ended[track.id] = track.last_seen_s
        yield track, None

    def _follow(self, user: RoadUser, time: FrameTime) -> Iterator[tuple[Track, Step | None]]:
        track = self._tracks.get(user.track_id)
        if track is None:
            ended_s = self._ended.pop(user.track_id, -math.inf)
            track = Track(user.track_id, user.kind, user.kind_confidence, last_seen_s=ended_s)
            self._tracks[user.track_id] = track
        track.kind, track.kind_confidence = user.kind, user.kind_confidence
        # A track is often confirmed some frames after its first box: the trajectory has those as well.
        for point in _newer(user.trajectory, track.last_seen_s):
            if point.time_s < self._from_s:
                continue
            height = point.box[3] - point.box[1]
            if height <= 0:
                continue
            x, y = point.ground[0] * self.aspect, point.ground[1]
            seen = _Seen(point.time_s, x, y, height, point, replace(time, captured_at_s=point.time_s))
            if track.points and _breaks(track.points, seen):
                yield from self._steps(track, until_s=math.inf)
                track.points.clear()
                track.done = 0
                track.segment += 1
            track.points.append(seen)
            track.last_seen_s = point.time_s
        yield from self._steps(track, until_s=track.last_seen_s - HALF_WINDOW_S)

    def _steps(self, track: Track, until_s: float) -> Iterator[tuple[Track, Step]]:
        points = track.points
        while track.done < len(points) and points[track.done].time_s <= until_s:
            yield track, _smooth(points, track.done)
            track.done += 1
        # The window of the next step, and one more for the median at its edge.
        while track.done > 1 and points[1].time_s < points[track.done - 1].time_s - HALF_WINDOW_S:
            del points[0]
            track.done -= 1


def moved_as_a_whole(before: Step, now: Step, way: Point) -> bool:
    """Whether the top of the box went along with the ground point, at least by TOP_SHARE of its way.

    A box that is cut from below by something in front of it loses its lower edge only: nothing has moved.
    """
    along = minus(now.position, before.position)
    top = (along[0], along[1] - (now.height - before.height))
    return dot(top, way) >= TOP_SHARE * dot(along, way)


def _breaks(points: Sequence[_Seen], seen: _Seen) -> bool:
    """Whether a box is not where the trajectory so far can have led."""
    last = points[-1]
    gap_s = seen.time_s - last.time_s
    if gap_s > MAX_GAP_S:
        return True
    recent = [point for point in points if point.time_s >= last.time_s - HALF_WINDOW_S]
    times, even = [point.time_s - last.time_s for point in recent], [1.0] * len(recent)
    x, vx = _fit(times, [point.x for point in recent], even)
    y, vy = _fit(times, [point.y for point in recent], even)
    led_on = math.dist((seen.x, seen.y), (x + vx * gap_s, y + vy * gap_s))
    stopped = math.dist((seen.x, seen.y), (last.x, last.y))
    return min(led_on, stopped) > LEAP_HEIGHTS * (1 + gap_s) * max(seen.height, last.height)


def _newer(trajectory: Sequence[TrackPoint], than_s: float) -> list[TrackPoint]:
    """The points after a moment, oldest first; a repeated moment is left out."""
    fresh: list[TrackPoint] = []
    for point in reversed(trajectory):
        if point.time_s <= than_s:
            break
        if not fresh or point.time_s < fresh[-1].time_s:
            fresh.append(point)
    return fresh[::-1]


def _smooth(points: Sequence[_Seen], i: int) -> Step:
    at = points[i]
    near = [j for j in range(len(points)) if abs(points[j].time_s - at.time_s) <= HALF_WINDOW_S]
    times = [points[j].time_s - at.time_s for j in near]
    # Triangular, and still above zero at the edge of the window: at low rates every point counts.
    weights = [1.0 - abs(t) / (1.5 * HALF_WINDOW_S) for t in times]
    boxes = [points[max(j - 1, 0) : j + 2] if 0 < j < len(points) - 1 else [points[j]] for j in near]
    x, vx = _fit(times, [median(box.x for box in three) for three in boxes], weights)
    y, vy = _fit(times, [median(box.y for box in three) for three in boxes], weights)
    height = median(points[j].height for j in near)
    return Step(at.time, (x, y), (vx, vy), height, at.raw)

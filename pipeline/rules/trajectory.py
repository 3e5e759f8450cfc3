"""Smoothed trajectories: what every rule judges by, instead of single boxes.

A box jumps: by a few per cent in every frame, by half its height when something passes in front of it, and
by anything at all when the tracker mistakes one road user for another. So a rule never sees a box's bottom
centre but a `Step`: the value, at that moment, of a straight line fitted (least squares, triangular weights,
after a median of three) to the ground points within `HALF_WINDOW_S` on either side, or to the next one on
either side where fewer pictures are analysed. A step is therefore handed out `HALF_WINDOW_S` late. Where the
scene is calibrated the same is done on the ground, in metres: what is even and straight there is neither in
the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

import numpy as np

from pipeline.rules.sighting import (
    HALF_WINDOW_S,
    MAX_GAP_S,
    NOWHERE,
    Seen,
    Spot,
    breaks,
    fit,
    is_away,
    is_no_start,
)
from pipeline.rules.step import Advance, Step, Track
from pipeline.scene import Calibration
from pipeline.scene.geometry import dot
from pipeline.scene.scene import aspect_of
from pipeline.types import Box, FrameTime, Observation, Point, RoadUser, RoadUserKind, TrackPoint

REMEMBER_S = 60.0
"""Ids of ended tracks are remembered for this long; perception forgets them much sooner."""

FOOTPRINT_M: dict[RoadUserKind, tuple[float, float]] = {
    RoadUserKind.PERSON: (0.4, 0.5),
    RoadUserKind.BICYCLE: (1.7, 0.6),
    RoadUserKind.MOTORBIKE: (1.9, 0.7),
    RoadUserKind.CAR: (4.4, 1.8),
    RoadUserKind.BUS: (10.0, 2.5),
    RoadUserKind.TRUCK: (7.0, 2.2),
}
"""Usual length and width."""

HIGH_M, HIGH = 2.05, frozenset({RoadUserKind.BUS, RoadUserKind.TRUCK})
"""Lower than this (`tall_m`, which a roof seen from above adds to), nobody is surely a bus or a lorry: large
and from the side, a detector takes cars for lorries. The city's cars reach 2.0, its lorries begin at 2.1."""
DOUBTED = 0.5
"""Confidence in `car`, at most, of who was told as a bus or a lorry and is that low."""

HIDDEN_SHARE = 0.7
"""Lower than this share of what it was: half hidden. Turning on the spot changes a car's box by less."""

COVERED_SHARE = 0.88
"""The same where a box that reaches lower down the picture, of somebody nearer, lies over its foot."""

ROOF_SHARE = 0.2
"""Of its own box's height: see _covers."""

TALL_S = 1.0
"""In this time a new height takes over, ..."""

TALL_FADES_PER_S = 0.03
"""... and that of one who stays half hidden is forgotten."""

HEADED_MPS = 0.8
"""Slower, the last heading holds: a standing box jitters in all directions."""


@dataclass(slots=True)
class _Trail:
    track: Track
    last_seen_s: float
    points: list[Seen] = field(default_factory=list)
    """As far back as smoothing needs, and those not yet handed out."""
    done: int = 0
    """How many of `points` were handed out."""
    seen: int = 0
    """Points since the trajectory began."""
    heading: Point | None = None
    """Unit vector on the ground, where it last moved."""
    tall_m: float = 0.0
    """Of its boxes lately, those half hidden left out."""


class Tracks:
    """Turns observations of one camera into steps; pure: time comes from the observations.

    One for all that judge a camera: see `moments`.
    """

    def __init__(self, calibration: Calibration | None = None) -> None:
        self._calibration = calibration
        self._trails: dict[int, _Trail] = {}
        self._ended: dict[int, float] = {}
        """Last moment of tracks that have ended: one that comes back begins anew from there."""
        self._connection: int | None = None
        self._after_s = -math.inf
        self.aspect = 1.0
        """Width / height of the picture that the newest steps refer to."""

    def ended_by(self, observation: Observation) -> bool:
        """Whether all tracks so far end with this observation: of another connection or shape of picture."""
        return self._connection is not None and (
            observation.connection != self._connection or aspect_of(observation) != self.aspect
        )

    def observe(self, observation: Observation) -> Iterator[Advance]:
        """New steps, in order of time per track.

        `finish` must have been called before where `ended_by` says so.
        """
        now = observation.time.captured_at_s
        if self._connection is None or self.ended_by(observation):
            self._ended.clear()  # a new connection may use the same ids again
            # Nothing from before is taken over: in between, anything can have happened.
            self._after_s = -math.inf if self._connection is None else math.nextafter(now, -math.inf)
            self._connection, self.aspect = observation.connection, aspect_of(observation)
        # First, so that whoever goes on from a lost track finds all of it.
        present = {user.track_id for user in observation.road_users}
        for trail in [t for t in self._trails.values() if now - t.last_seen_s > MAX_GAP_S]:
            if trail.track.id not in present:
                yield from self._end(trail)
        # A track is often confirmed some frames after its first box: the trajectory has those as well.
        fresh = [
            (trail, _newer(user.trajectory, max(trail.last_seen_s, self._after_s)))
            for user in observation.road_users
            for trail in [self._trail(user)]
        ]
        spots = self._on_ground([point.ground for _, points in fresh for point in points])
        boxes = [user.now.box for user in observation.road_users]
        for trail, points in fresh:
            seen = [self._see(point, next(spots), observation.time, boxes) for point in points]
            yield from _follow(trail, seen)
        self._ended = {key: at for key, at in self._ended.items() if now - at < REMEMBER_S}

    def finish(self) -> Iterator[Advance]:
        """The steps held back for smoothing; every track ends."""
        for trail in list(self._trails.values()):
            yield from self._end(trail)

    def _end(self, trail: _Trail) -> Iterator[Advance]:
        yield from _steps(trail, until_s=math.inf)
        del self._trails[trail.track.id]
        self._ended[trail.track.id] = trail.last_seen_s
        yield trail.track, None

    def _trail(self, user: RoadUser) -> _Trail:
        trail = self._trails.get(user.track_id)
        if trail is None:
            ended_s = self._ended.pop(user.track_id, -math.inf)
            trail = _Trail(Track(user.track_id, user.kind, user.kind_confidence), last_seen_s=ended_s)
            self._trails[user.track_id] = trail
        kind, confidence = user.kind, user.kind_confidence
        if kind in HIGH and 0 < trail.tall_m < HIGH_M:
            kind, confidence = RoadUserKind.CAR, min(confidence, DOUBTED)
        trail.track = replace(trail.track, kind=kind, kind_confidence=confidence)
        return trail

    def _see(self, point: TrackPoint, there: Spot, time: FrameTime, boxes: Sequence[Box]) -> Seen:
        x, y = point.ground
        height = point.box[3] - point.box[1]
        when = replace(time, captured_at_s=point.time_s)
        tall_m = height / self.aspect * there.width_m
        covered = point.time_s == time.captured_at_s and any(_covers(box, point) for box in boxes)
        return Seen(point.time_s, x * self.aspect, y, height, point, when, there, tall_m, covered)

    def _on_ground(self, points: Sequence[Point]) -> Iterator[Spot]:
        if self._calibration is None or not points:
            yield from (NOWHERE for _ in points)
            return
        ground, slopes = self._calibration.to_ground(points), self._calibration.jacobian(points)
        (a, b), (c, d) = slopes[:, 0].T, slopes[:, 1].T
        fall = np.column_stack([-c, a]) / (a * d - b * c)[:, None]
        width_m = np.hypot(a, c)
        rows = np.column_stack([ground, fall, -slopes[:, :, 1], width_m])
        for known, (x, y, fx, fy, rx, ry, wide) in zip(np.isfinite(rows).all(1), rows.tolist(), strict=True):
            yield Spot((x, y), (fx, fy), (rx, ry), wide) if known else NOWHERE


def _follow(trail: _Trail, fresh: Iterable[Seen]) -> Iterator[tuple[Track, Step]]:
    for seen in fresh:
        if seen.height <= 0:
            continue
        if trail.seen == 2 and is_no_start(trail.points[0], trail.points[1], seen):
            second = trail.points.pop()
            yield from _break(trail)
            _append(trail, second)
        if trail.points and (is_away if trail.seen == 1 else breaks)(trail.points, seen):
            yield from _break(trail)
        _append(trail, seen)
    yield from _steps(trail, until_s=trail.last_seen_s - HALF_WINDOW_S)


def _append(trail: _Trail, seen: Seen) -> None:
    trail.points.append(_with_hidden(trail, seen))
    trail.seen += 1
    trail.last_seen_s = seen.time_s


def _break(trail: _Trail) -> Iterator[tuple[Track, Step]]:
    """The steps of the trajectory so far; the next point begins another one."""
    yield from _steps(trail, until_s=math.inf)
    trail.points.clear()
    trail.done, trail.seen, trail.tall_m = 0, 0, 0.0
    trail.track = replace(trail.track, segment=trail.track.segment + 1)


def _with_hidden(trail: _Trail, seen: Seen) -> Seen:
    """The same, and whether it is half hidden; the trail's height is kept up."""
    gap_s = seen.time_s - trail.points[-1].time_s if trail.points else 0.0
    if seen.tall_m <= 0 or trail.tall_m <= 0:
        trail.tall_m = seen.tall_m
        return seen
    trail.tall_m *= 1 - min(TALL_FADES_PER_S * gap_s, 1.0)
    if seen.tall_m < (COVERED_SHARE if seen.covered else HIDDEN_SHARE) * trail.tall_m:
        return seen._replace(hidden=True)
    trail.tall_m += (seen.tall_m - trail.tall_m) * min(gap_s / TALL_S, 1.0)
    return seen


def _steps(trail: _Trail, until_s: float) -> Iterator[tuple[Track, Step]]:
    points = trail.points
    while trail.done < len(points) and points[trail.done].time_s <= until_s:
        step = _smooth(points, trail.done)
        yield trail.track, _centred(trail, points[trail.done], step)
        trail.done += 1
    # The window of the next step, and one more for the median at its edge.
    while trail.done > 1 and points[1].time_s < points[trail.done - 1].time_s - HALF_WINDOW_S:
        del points[0]
        trail.done -= 1


def _centred(trail: _Trail, seen: Seen, step: Step) -> Step:
    """The step with the middle of its footprint; the last direction of motion is kept for when it stands."""
    if step.velocity_mps is None or step.position_m is None:
        return step
    speed = math.hypot(*step.velocity_mps)
    if speed >= HEADED_MPS:
        trail.heading = (step.velocity_mps[0] / speed, step.velocity_mps[1] / speed)
    depth = _depth(trail.track.kind, trail.heading, seen.there.fall)
    (x, y), (up_x, up_y) = step.position_m, seen.there.rise
    return replace(step, depth=depth, centre_m=(x + depth * up_x, y + depth * up_y))


def _depth(kind: RoadUserKind, heading: Point | None, fall: Point) -> float:
    """How far its footprint reaches down the picture from its middle."""
    length_m, width_m = FOOTPRINT_M[kind]
    if heading is None:
        return math.hypot(*fall) * (length_m + width_m) / 4
    across = (-heading[1], heading[0])
    return abs(dot(fall, heading)) * length_m / 2 + abs(dot(fall, across)) * width_m / 2


def _covers(box: Box, point: TrackPoint) -> bool:
    """Whether a box lies over the foot of another one, and reaches lower down the picture.

    What can be seen of who is behind a car ends at the car's roof, or a little above.
    """
    x, y = point.ground
    left, top, right, bottom = box
    return left < x < right and top - ROOF_SHARE * (y - point.box[1]) < y < bottom


def _newer(trajectory: Sequence[TrackPoint], than_s: float) -> list[TrackPoint]:
    """The points after a moment, oldest first; a repeated moment is left out."""
    fresh: list[TrackPoint] = []
    for point in reversed(trajectory):
        if point.time_s <= than_s:
            break
        if not fresh or point.time_s < fresh[-1].time_s:
            fresh.append(point)
    return fresh[::-1]


def _middle(values: list[float]) -> float:
    """Median of one or three."""
    return sorted(values)[len(values) // 2]


def _are_sparse(points: Sequence[Seen]) -> bool:
    """Whether so few pictures a second are analysed that no two of them are in one window."""
    gaps_s = [after.time_s - before.time_s for before, after in pairwise(points)]
    return all(HALF_WINDOW_S < gap_s <= MAX_GAP_S for gap_s in gaps_s)


def _smooth(points: Sequence[Seen], i: int) -> Step:
    at = points[i]
    points = [point for point in points if point.hidden == at.hidden]
    near = [j for j in range(len(points)) if abs(points[j].time_s - at.time_s) <= HALF_WINDOW_S]
    if len(near) == 1 and _are_sparse(points):
        near = [j for j in range(near[0] - 1, near[0] + 2) if 0 <= j < len(points)]
    times = [points[j].time_s - at.time_s for j in near]
    # Triangular, and still above zero at the edge of the window: at low rates every point counts.
    reach_s = max(HALF_WINDOW_S, *map(abs, times))
    weights = [1.0 - abs(t) / (1.5 * reach_s) for t in times]
    boxes = [points[max(j - 1, 0) : j + 2] if 0 < j < len(points) - 1 else [points[j]] for j in near]
    series = [[_middle([box.x for box in three]) for three in boxes]]
    series.append([_middle([box.y for box in three]) for three in boxes])
    on_ground = [[box.there.ground for box in three if box.there.ground is not None] for three in boxes]
    if all(on_ground):
        series += [[_middle([point[axis] for point in three]) for three in on_ground] for axis in (0, 1)]
    (x, vx), (y, vy), *metric = fit(times, weights, *series)
    position_m = velocity_mps = None
    if metric:
        (x_m, vx_mps), (y_m, vy_mps) = metric
        position_m, velocity_mps = (x_m, y_m), (vx_mps, vy_mps)
    height = median(points[j].height for j in near)
    tall_m = median(points[j].tall_m for j in near)
    return Step(
        at.time,
        (x, y),
        (vx, vy),
        height,
        at.raw,
        hidden=at.hidden,
        covered=at.covered,
        position_m=position_m,
        velocity_mps=velocity_mps,
        tall_m=tall_m,
    )

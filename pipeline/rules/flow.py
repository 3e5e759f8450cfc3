"""Counts of road users per minute, lane and class (traffic.flow).

In a lane, a road user is counted when its smoothed trajectory passes the middle of the lane's direction
line, whichever way it goes. A gate is passed once, so a track that is lost and begins anew elsewhere in the
lane is not counted twice, as it would be by counting tracks. One whose track begins a little beyond the gate,
going on along the lane, has passed it unseen, behind somebody or while its track was lost: it is counted as
well, unless it is where one that was counted has just been lost. One that stands where a counted one has just
been lost is that one: who waits on the gate and changes its id there is counted once. Two boxes on one lorry
are counted once, and so is who changes lanes just where two gates lie side by side.
Without lanes there is no gate, and a track is counted once it has moved: there an id switch counts twice.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.rules.moments import Moment
from pipeline.rules.sighting import HALF_WINDOW_S, MAX_GAP_S
from pipeline.rules.step import Step, Track, remember
from pipeline.rules.told import LARGE, same
from pipeline.rules.trajectory import FOOTPRINT_M
from pipeline.scene import Lane, Scene
from pipeline.types import FlowCount, RoadUserKind, TrackPoint

MINUTE_S = 60.0

MIN_AGE_S = 0.5
"""A track younger than this may be a flicker of the detector."""

MIN_WAY_HEIGHTS = 0.75
"""One that has moved less (in its box heights) is parked or waiting."""

SETTLE_S = HALF_WINDOW_S + MAX_GAP_S
"""Steps come this late at most: a minute is closed only then."""


BESIDE_HEIGHTS = 0.35
"""So far (in box heights, half a metre) outside of every lane, it is in the nearest one: who keeps to the
kerb has the middle of its box on either side of the edge."""

UNSEEN_S = 2.0
"""A track begins no later than this after the gate was passed unseen, by its speed."""

REACH_HEIGHTS = 1.5
"""A track that begins this near (in box heights) to where another one led may be the same."""

ONE_PASSAGE_S = 2.0
"""One road user that passes the gates of two lanes within this time changed lanes at the gates. The first
counts. From a junction's lane in to one out takes longer."""
DOUBLE_S = 5.0
"""A second track on a vehicle passes the gate no later than this after the first one."""


@dataclass(slots=True)
class _Way:
    kind: RoadUserKind
    first: Step
    last: Step
    progress: dict[str, float]
    """Last known, per lane id."""
    start: dict[str, float]
    """Of its first step, in the lane that it was in."""
    passed: dict[str | None, float]
    """When it passed a lane's middle, counted or not."""
    counted: set[str | None]
    """Those of `passed` that are settled."""
    unseen: set[str] = field(default_factory=set)
    """Those that it passed before its first step."""
    recent: deque[TrackPoint] = field(default_factory=deque)
    """Its boxes of DOUBLE_S, of a large vehicle."""


class Flow:
    """Counts one camera's road users."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._ways: dict[tuple[int, int], _Way] = {}
        self._ended: list[_Way] = []
        """Those that a way which begins could still go on from."""
        self._counts: dict[float, Counter[tuple[str | None, RoadUserKind]]] = {}
        self._camera_id = ""
        self._connection: int | None = None
        self._begun_s = 0.0
        """Since when this connection has been watched."""

    def observe(self, moment: Moment) -> Iterator[FlowCount]:
        """Take up the next moment; the counts of minutes (of capture time) that are over. None are zero.

        Who waits beyond the gate is sure to have passed it only later: told then, of a minute told before.
        """
        self._camera_id = moment.observation.camera_id
        now_s = moment.observation.time.captured_at_s
        # A clock that is put back does not make what comes now older than the watch.
        if moment.observation.connection != self._connection or now_s < self._begun_s:
            self._connection = moment.observation.connection
            self._begun_s = now_s
        lanes = self._scene.lanes(moment.aspect)
        for track, step in moment.advances:
            self._follow(track, step, lanes)
        self._ended = [way for way in self._ended if now_s - way.last.time_s <= 2 * SETTLE_S]
        yield from self._close(now_s - SETTLE_S)

    def finish(self) -> Iterator[FlowCount]:
        """The last moment has been: the counts of the minutes not yet handed out."""
        yield from self._close(math.inf)

    def _follow(self, track: Track, step: Step | None, lanes: Sequence[Lane]) -> None:
        if step is None:
            for old in [key for key in self._ways if key[0] == track.id]:
                self._ended.append(self._ways.pop(old))
            return
        way = self._ways.setdefault(
            (track.id, track.segment), _Way(track.kind, step, step, {}, {}, {}, set())
        )
        was_old_enough = way.last.time_s - way.first.time_s >= MIN_AGE_S
        way.kind, way.last = track.kind, step
        if track.kind in LARGE:
            remember(way.recent, step.raw, DOUBLE_S)
        inside = _lanes_at(step, lanes)
        for lane in lanes:
            if lane not in inside:
                way.progress.pop(lane.id, None)
                continue
            progress, middle = lane.progress(step.centre), lane.length / 2
            if step is way.first:
                way.start[lane.id] = progress
            before = way.progress.get(lane.id, progress)
            if (before < middle) != (progress < middle):
                way.passed.setdefault(lane.id, step.time_s)
            way.progress[lane.id] = progress
        if not lanes:
            way.passed.setdefault(None, step.time_s)
        old_enough = step.time_s - way.first.time_s >= MIN_AGE_S
        if lanes and old_enough and not was_old_enough:
            self._take_over(way)
        far_enough = math.dist(step.centre, way.first.centre) >= MIN_WAY_HEIGHTS * step.height
        if not (old_enough and far_enough):
            return
        for lane in lanes:
            if lane.id in way.start and lane.id not in way.passed:
                self._passed_unseen(way, lane, step)
        way.start.clear()
        for lane_id, passed_s in way.passed.items():
            if lane_id not in way.counted:
                way.counted.add(lane_id)
                # A road user brings the way along that it made under an earlier scene, which counted it.
                if (step.time_s if lane_id is None else passed_s) < self._begun_s:
                    continue
                if lane_id is not None and self._is_counted(way, lane_id, passed_s):
                    continue
                minute = math.floor(passed_s / MINUTE_S) * MINUTE_S
                self._counts.setdefault(minute, Counter())[lane_id, track.kind] += 1

    def _is_counted(self, way: _Way, lane_id: str, passed_s: float) -> bool:
        """Whether this passage of a lane's middle has been counted, of this way or of another of the same
        road user.
        """
        if _just_passed(way, lane_id, passed_s):
            return True
        for other in (*self._ways.values(), *self._ended):
            if other is way or not other.counted:
                continue
            if lane_id in other.unseen and _goes_on(way, other):
                return True
            if not (lane_id in other.counted or _just_passed(other, lane_id, passed_s)):
                continue
            if way.recent and other.recent and same(other.recent, way.recent, large=True):
                return True
        return False

    def _take_over(self, way: _Way) -> None:
        """Count a way as that of who was lost where it begins. By now, who is not lost was seen again."""
        for lost in (*self._ways.values(), *self._ended):
            gap_s = way.first.time_s - lost.last.time_s
            if 0 < gap_s <= MAX_GAP_S and same_place(lost.last, way.first, way.kind):
                way.counted |= lost.counted

    def _passed_unseen(self, way: _Way, lane: Lane, step: Step) -> None:
        """Note the gate's passage before the first step of a way, where there was one."""
        if way.first.cut or lane.id not in way.progress:
            return
        beyond, made = way.start[lane.id] - lane.length / 2, way.progress[lane.id] - way.start[lane.id]
        if beyond <= 0 or made <= 0:
            return
        passed_s = way.first.time_s - beyond * (step.time_s - way.first.time_s) / made
        if way.first.time_s - passed_s > UNSEEN_S or passed_s < self._begun_s:
            return
        before = (other for other in (*self._ways.values(), *self._ended) if lane.id in other.counted)
        if not any(_goes_on(other, way) for other in before):
            way.passed[lane.id] = passed_s
            way.unseen.add(lane.id)

    def _close(self, until_s: float) -> Iterator[FlowCount]:
        for minute in sorted(start for start in self._counts if start + MINUTE_S <= until_s):
            for (lane, kind), count in sorted(
                self._counts.pop(minute).items(), key=lambda item: (item[0][0] or "", item[0][1])
            ):
                yield FlowCount(self._camera_id, minute, minute + MINUTE_S, lane, kind, count)


def _just_passed(way: _Way, lane_id: str, at_s: float) -> bool:
    """Whether a way has been counted in another lane so shortly before that this is the same passage."""
    return any(
        lane in way.counted and 0 <= at_s - passed_s < ONE_PASSAGE_S
        for lane, passed_s in way.passed.items()
        if lane != lane_id
    )


def same_place(one: Step, other: Step, kind: RoadUserKind) -> bool:
    """Whether both are within half a road user's usual length, in the picture half its box's height: two of
    this kind have no room there."""
    if one.centre_m is not None and other.centre_m is not None:
        return math.dist(one.centre_m, other.centre_m) <= FOOTPRINT_M[kind][0] / 2
    return math.dist(one.centre, other.centre) <= one.height / 2


def _lanes_at(step: Step, lanes: Sequence[Lane]) -> list[Lane]:
    """The lanes that it is in; the nearest one where it is just beside them all."""
    holding = [lane for lane in lanes if lane.holds(step.centre)]
    if holding or not lanes:
        return holding
    depth, nearest = max(((lane.depth(step.centre), lane) for lane in lanes), key=lambda found: found[0])
    return [nearest] if depth >= -BESIDE_HEIGHTS * step.height else []


def _goes_on(lost: _Way, begun: _Way) -> bool:
    """Whether a way begins where another one led when it was lost."""
    gap_s = begun.first.time_s - lost.last.time_s
    if lost is begun or not -HALF_WINDOW_S <= gap_s <= MAX_GAP_S:
        return False
    last = lost.last
    led = (last.centre[0] + last.velocity[0] * gap_s, last.centre[1] + last.velocity[1] * gap_s)
    return math.dist(led, begun.first.centre) <= REACH_HEIGHTS * begun.first.height

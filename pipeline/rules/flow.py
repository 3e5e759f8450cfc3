"""Counts of road users per minute, lane and class (traffic.flow).

In a lane, a road user is counted when its smoothed trajectory passes the middle of the lane's direction
line, whichever way it goes. A gate is passed once, so a track that is lost and begins anew elsewhere in the
lane is not counted twice, as it would be by counting tracks; one lost just at the gate is missed.
Without lanes there is no gate, and a track is counted once it has moved: there an id switch counts twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track
from pipeline.rules.trajectory import HALF_WINDOW_S, MAX_GAP_S
from pipeline.scene import Lane, Scene
from pipeline.types import FlowCount, RoadUserKind

MINUTE_S = 60.0

MIN_AGE_S = 0.5
"""A track younger than this may be a flicker of the detector."""

MIN_WAY_HEIGHTS = 0.75
"""One that has moved less (in its box heights) is parked or waiting."""

SETTLE_S = HALF_WINDOW_S + MAX_GAP_S
"""Steps come this late at most: a minute is closed only then."""


@dataclass(slots=True)
class _Way:
    first: Step
    progress: dict[str, float]
    """Last known, per lane id."""
    passed: dict[str | None, float]
    """When it passed a lane's middle, not yet counted."""
    counted: set[str | None]


class Flow:
    """Counts one camera's road users."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._ways: dict[tuple[int, int], _Way] = {}
        self._counts: dict[float, Counter[tuple[str | None, RoadUserKind]]] = {}
        self._camera_id = ""

    def observe(self, moment: Moment) -> Iterator[FlowCount]:
        """Take up the next moment; the counts of minutes (of capture time) that are over. None are zero."""
        self._camera_id = moment.observation.camera_id
        lanes = self._scene.lanes(moment.aspect)
        for track, step in moment.advances:
            self._follow(track, step, lanes)
        yield from self._close(moment.observation.time.captured_at_s - SETTLE_S)

    def finish(self) -> Iterator[FlowCount]:
        """The last moment has been: the counts of the minutes not yet handed out."""
        yield from self._close(math.inf)

    def _follow(self, track: Track, step: Step | None, lanes: Sequence[Lane]) -> None:
        if step is None:
            for old in [key for key in self._ways if key[0] == track.id]:
                del self._ways[old]
            return
        way = self._ways.setdefault((track.id, track.segment), _Way(step, {}, {}, set()))
        for lane in lanes:
            if not lane.holds(step.centre):
                way.progress.pop(lane.id, None)
                continue
            progress, middle = lane.progress(step.centre), lane.length / 2
            before = way.progress.get(lane.id, progress)
            if (before < middle) != (progress < middle):
                way.passed.setdefault(lane.id, step.time_s)
            way.progress[lane.id] = progress
        if not lanes:
            way.passed.setdefault(None, step.time_s)
        old_enough = step.time_s - way.first.time_s >= MIN_AGE_S
        far_enough = math.dist(step.centre, way.first.centre) >= MIN_WAY_HEIGHTS * step.height
        if not (old_enough and far_enough):
            return
        for lane_id, passed_s in way.passed.items():
            if lane_id not in way.counted:
                way.counted.add(lane_id)
                minute = math.floor(passed_s / MINUTE_S) * MINUTE_S
                self._counts.setdefault(minute, Counter())[lane_id, track.kind] += 1

    def _close(self, until_s: float) -> Iterator[FlowCount]:
        for minute in sorted(start for start in self._counts if start + MINUTE_S <= until_s):
            for (lane, kind), count in sorted(
                self._counts.pop(minute).items(), key=lambda item: (item[0][0] or "", item[0][1])
            ):
                yield FlowCount(self._camera_id, minute, minute + MINUTE_S, lane, kind, count)

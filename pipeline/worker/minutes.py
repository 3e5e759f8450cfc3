"""Whole minutes of traffic flow: what was counted, and for how long the camera was really seen."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.rules import Flow, Moment, Traffic
from pipeline.rules.flow import MINUTE_S, SETTLE_S
from pipeline.types import FlowCount, LaneState, RoadUserKind

_SEEN_GAP_S = 2.0
"""A longer gap between two observations is time in which nothing was seen."""
_REMEMBERED = 24 * 60
"""Minutes told that a clock put back may lead to again."""


@dataclass(frozen=True, slots=True)
class FlowMinute:
    """One span of capture time of one camera: a minute, or the part of it watched with one scene."""

    start_s: float
    end_s: float
    observed_s: float
    counts: tuple[FlowCount, ...]
    lanes: tuple[LaneState, ...]


class FlowMinutes:
    """Turns a camera's moments into one `FlowMinute` for every minute in which it was seen.

    The first begins with the first moment and the last ends with the last one: two that share a minute, as
    before and after a scene was drawn anew, are two spans that add up. So are two that a clock put back
    makes of one minute: the later ends some thousandths of a second before the minute does.
    """

    def __init__(self, flow: Flow, traffic: Traffic) -> None:
        self._flow, self._traffic = flow, traffic
        self._observed: defaultdict[float, float] = defaultdict(float)
        self._counts: defaultdict[float, list[FlowCount]] = defaultdict(list)
        self._lanes: defaultdict[float, list[LaneState]] = defaultdict(list)
        self._begun_s, self._ended_s = math.inf, -math.inf
        """Of all that was seen."""
        self._last_s: float | None = None
        self._told: Counter[float] = Counter()
        """How often each of the last minutes was told."""

    def observe(self, moment: Moment) -> Iterator[FlowMinute]:
        """Take up the next moment; the minutes that are over."""
        now_s = moment.observation.time.captured_at_s
        minute = math.floor(now_s / MINUTE_S) * MINUTE_S
        gap_s = now_s - self._last_s if self._last_s is not None else 0.0
        self._observed[minute] += gap_s if 0 <= gap_s <= _SEEN_GAP_S else 0.0
        self._last_s = now_s
        self._begun_s, self._ended_s = min(self._begun_s, now_s), max(self._ended_s, now_s)
        for count in self._flow.observe(moment):
            self._counts[count.start_s].append(count)
        for lane in self._traffic.observe(moment):
            self._lanes[lane.start_s].append(lane)
        yield from self._close(now_s - SETTLE_S)

    def finish(self) -> Iterator[FlowMinute]:
        """The camera ends: what is open, as far as it was seen."""
        for count in self._flow.finish():
            self._counts[count.start_s].append(count)
        for lane in self._traffic.finish():
            self._lanes[lane.start_s].append(lane)
        yield from self._close(math.inf)

    def _close(self, until_s: float) -> Iterator[FlowMinute]:
        for minute in sorted(start for start in self._observed if start + MINUTE_S <= until_s):
            start_s, end_s = max(minute, self._begun_s), min(minute + MINUTE_S, self._ended_s)
            end_s -= self._told[minute] / 1000
            self._told[minute] += 1
            if len(self._told) > _REMEMBERED:
                del self._told[next(iter(self._told))]
            yield FlowMinute(
                start_s,
                end_s,
                min(MINUTE_S, self._observed.pop(minute)),
                self._counted(minute, start_s, end_s),
                tuple(self._lanes.pop(minute, ())),
            )

    def _counted(self, minute: float, start_s: float, end_s: float) -> tuple[FlowCount, ...]:
        """What was counted in a minute; and before, where it was told only after its own minute was."""
        sums: Counter[tuple[str, str | None, RoadUserKind]] = Counter()
        for counted_s in [counted_s for counted_s in self._counts if counted_s <= minute]:
            for one in self._counts.pop(counted_s):
                sums[one.camera_id, one.lane, one.kind] += one.count
        keys = sorted(sums, key=lambda key: (key[1] or "", key[2]))
        return tuple(FlowCount(key[0], start_s, end_s, key[1], key[2], sums[key]) for key in keys)

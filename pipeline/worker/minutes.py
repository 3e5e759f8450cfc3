"""Whole minutes of traffic flow: what was counted, and for how long the camera was really seen."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.rules import Flow, Moment, Traffic
from pipeline.rules.flow import MINUTE_S, SETTLE_S
from pipeline.types import FlowCount, LaneState

_SEEN_GAP_S = 2.0
"""A longer gap between two observations is time in which nothing was seen."""


@dataclass(frozen=True, slots=True)
class FlowMinute:
    """One span of capture time of one camera."""

    start_s: float
    end_s: float
    observed_s: float
    counts: tuple[FlowCount, ...]
    lanes: tuple[LaneState, ...]


class FlowMinutes:
    """Turns a camera's moments into one `FlowMinute` for every minute in which it was seen."""

    def __init__(self, flow: Flow, traffic: Traffic) -> None:
        self._flow, self._traffic = flow, traffic
        self._observed: defaultdict[float, float] = defaultdict(float)
        self._counts: defaultdict[float, list[FlowCount]] = defaultdict(list)
        self._lanes: defaultdict[float, list[LaneState]] = defaultdict(list)
        self._last_s: float | None = None

    def observe(self, moment: Moment) -> Iterator[FlowMinute]:
        """Take up the next moment; the minutes that are over."""
        now_s = moment.observation.time.captured_at_s
        minute = math.floor(now_s / MINUTE_S) * MINUTE_S
        gap_s = now_s - self._last_s if self._last_s is not None else 0.0
        self._observed[minute] += gap_s if 0 <= gap_s <= _SEEN_GAP_S else 0.0
        self._last_s = now_s
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
            yield FlowMinute(
                minute,
                minute + MINUTE_S,
                min(MINUTE_S, self._observed.pop(minute)),
                tuple(self._counts.pop(minute, ())),
                tuple(self._lanes.pop(minute, ())),
            )

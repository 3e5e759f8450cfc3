"""What the lamps showed over the last seconds, by capture time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.types import LampColor, Observation, SignalState

SEEN_S = 10.0
"""Every observation is remembered for this long ..."""
KEEP_S = 100.0
"""... and which colour a lamp showed when: who crosses on red may wait in the junction for long. The IOC
shows no more than 120 s of it."""


@dataclass(slots=True)
class _Run:
    """One colour of one lamp."""

    start_s: float
    until_s: float
    color: LampColor


class LampHistory:
    """Short memory of signal states: rules learn of a crossing only after it has happened."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[str, SignalState]]] = deque()
        self._runs: dict[str, deque[_Run]] = {}

    def observe(self, observation: Observation) -> None:
        """Remember one observation."""
        now = observation.time.captured_at_s
        if self._seen and now < self._seen[-1][0]:
            self._seen.clear()
            self._runs.clear()
        self._seen.append((now, observation.signals))
        while now - self._seen[0][0] > SEEN_S:
            self._seen.popleft()
        for lamp_id in self._runs.keys() | observation.signals.keys():
            state = observation.signals.get(lamp_id)
            color = state.color if state is not None else LampColor.UNKNOWN
            runs = self._runs.setdefault(lamp_id, deque())
            if runs:
                runs[-1].until_s = now
            if not runs or runs[-1].color is not color:
                runs.append(_Run(now, now, color))
            while now - runs[0].until_s > KEEP_S:
                runs.popleft()

    def steady(self, lamp_id: str, start_s: float, end_s: float) -> SignalState | None:
        """The state that every observation from `start_s` to `end_s` saw; None where they differ.

        A colour that went and came back within the span is not steady.
        """
        states = [signals.get(lamp_id) for seen_s, signals in self._seen if start_s <= seen_s <= end_s]
        if not states or states[-1] is None:
            return None
        last = states[-1]
        if any(state is None or state.color != last.color for state in states):
            return None
        return last

    def runs(self, lamp_id: str, from_s: float) -> list[tuple[float, float, LampColor]]:
        """What the lamp has shown since a moment, as far as that is remembered: (from, until, colour), oldest
        first.

        Times are capture times in epoch seconds; a run lasts until the next one was first seen.
        """
        return [
            (max(run.start_s, from_s), run.until_s, run.color)
            for run in self._runs.get(lamp_id, ())
            if run.until_s > from_s
        ]

    def color(self, lamp_id: str, time_s: float) -> LampColor:
        """What the lamp showed at the last observation up to a moment."""
        for run in reversed(self._runs.get(lamp_id, ())):
            if run.start_s <= time_s:
                return run.color
        return LampColor.UNKNOWN

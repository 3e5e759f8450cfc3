"""What the lamps showed over the last seconds, by capture time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from pipeline.types import LampColor, Observation, SignalState

KEEP_S = 10.0


class LampHistory:
    """Short memory of signal states: rules learn of a crossing only after it has happened."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[str, SignalState]]] = deque()

    def observe(self, observation: Observation) -> None:
        """Remember one observation."""
        now = observation.time.captured_at_s
        if self._seen and now < self._seen[-1][0]:
            self._seen.clear()
        self._seen.append((now, observation.signals))
        while now - self._seen[0][0] > KEEP_S:
            self._seen.popleft()

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

    def runs(self, lamp_id: str) -> list[tuple[float, float, LampColor]]:
        """What the lamp showed over all that is remembered: (from, until, colour), oldest first.

        Times are capture times in epoch seconds; a run lasts until the next one was first seen.
        """
        runs: list[tuple[float, float, LampColor]] = []
        for seen_s, signals in self._seen:
            state = signals.get(lamp_id)
            color = state.color if state is not None else LampColor.UNKNOWN
            if runs:
                start_s, _, shown = runs[-1]
                runs[-1] = (start_s, seen_s, shown)
            if not runs or runs[-1][2] is not color:
                runs.append((seen_s, seen_s, color))
        return runs

    def color(self, lamp_id: str, time_s: float) -> LampColor:
        """What the lamp showed at the last observation up to a moment."""
        for seen_s, signals in reversed(self._seen):
            if seen_s <= time_s:
                state = signals.get(lamp_id)
                return state.color if state is not None else LampColor.UNKNOWN
        return LampColor.UNKNOWN

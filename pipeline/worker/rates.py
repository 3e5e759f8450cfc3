"""Frames a second, from counters read now and then."""

from __future__ import annotations

from collections import deque


class RateMeter:
    """Rate of a rising counter over the last few readings."""

    def __init__(self, span_s: float = 5.0) -> None:
        self._span_s = span_s
        self._readings: deque[tuple[float, int]] = deque()

    def update(self, now_s: float, count: int) -> float:
        """Take a reading; return events a second over the span, 0 where it cannot be told yet."""
        if self._readings and count < self._readings[-1][1]:
            self._readings.clear()
        self._readings.append((now_s, count))
        while len(self._readings) > 2 and self._readings[1][0] <= now_s - self._span_s:
            self._readings.popleft()
        first_s, first = self._readings[0]
        return (count - first) / (now_s - first_s) if now_s > first_s else 0.0

"""Which of a camera's frames are analysed: a leaky bucket over the stream's own time line."""

from __future__ import annotations

from pipeline.cameras.clock import BACK_S

_BUCKET = 1.5
"""Room for half a frame of saved-up time: keeps the average rate over uneven gaps, without bursts."""


class RateLimiter:
    """Lets frames through at no more than `rate_hz` on average, however uneven their gaps.

    A frame that repeats the time of one let through, or is older, adds nothing and is held back; but one
    that goes back further than any reordering begins a new time line.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._tokens = _BUCKET
        self._seen_s: float | None = None
        self._passed_s: float | None = None

    def passes(self, pts_s: float) -> bool:
        """Whether the frame at `pts_s` goes on."""
        if self._seen_s is not None and pts_s < self._seen_s - BACK_S:
            self._seen_s = self._passed_s = None
        if self._seen_s is not None and pts_s > self._seen_s:
            self._tokens = min(_BUCKET, self._tokens + (pts_s - self._seen_s) * self._rate_hz)
        self._seen_s = pts_s if self._seen_s is None else max(self._seen_s, pts_s)
        if self._tokens < 1 or (self._passed_s is not None and pts_s <= self._passed_s):
            return False
        self._tokens -= 1
        self._passed_s = pts_s
        return True

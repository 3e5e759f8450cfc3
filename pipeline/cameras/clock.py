"""When a frame was captured: from presentation time stamps (PTS) to UTC, without ever going back.

The PTS of one connection are an even ruler of unknown origin. Where the ruler lies in UTC is estimated
from every access unit: `captured_at = pts + shift`.

- rtcp: the camera's sender reports give each unit an NTP time; shift = ntp - pts.
- arrival: a packet is late by queueing but never early, so the least `arrival - pts` of the last ten
  seconds is the delay without jitter (the minimum filter of NTP's clock filter, RFC 5905 section 10).

The shift follows its estimate by at most a tenth of the stream's own progress. A frame is thus never
stamped before one that is shown earlier, B-frames (up to nine in a row) included. A step beyond half a
second (or, in a connection's first seconds, where the estimate is still poor, a twentieth) cannot be
smoothed in reasonable time: it is taken at once and reported, and counts as a new connection. So does a PTS
that jumps back: the ruler is another one, and all that was learned of the old one is forgotten.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.types import TimeSource

BACK_S = 1.0
"""PTS that go back by more are no B-frames: the camera began to count anew."""
_NTP_TO_UNIX_S = 2_208_988_800
_ERA_S = 2**32
_SLEW = 0.1
_STEP_S = 0.5
_EARLY_STEP_S = 0.05
_EARLY_S = 4.0
_ARRIVAL_WINDOW_S = 10.0
_TRANSPORT_WINDOW_S = 60.0
_REPORTS_VALID_S = 60.0
"""A camera that stops sending reports keeps its last mapping this long."""
_UNREST_STEPS = 3
_UNREST_S = 60.0
_TRUST_AGAIN = 0.8
"""A distrusted clock is trusted again below this share of the limit."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A capture time and how far it can be trusted."""

    time_s: float
    source: TimeSource
    offset_ms: float = 0.0
    uncertainty_ms: float = 0.0
    stepped: bool = False
    """Time jumped here: what was seen before must not be joined to what comes after."""


def ntp_to_unix_s(ntp_ns: int, near_s: float) -> float:
    """Unix seconds of an NTP time in nanoseconds since 1900, in the era (136 years) nearest to `near_s`."""
    time_s = ntp_ns / 1e9 - _NTP_TO_UNIX_S
    return time_s + round((near_s - time_s) / _ERA_S) * _ERA_S


class CaptureClock:
    """One connection's capture times.

    `offset_ms` is -min(arrival - ntp) over the last minute, or since the camera's clock last jumped: the
    camera's clock minus the host's, less the shortest delay on the way, which cannot be told apart from it.
    A camera in perfect step with the host reads slightly negative, by its delay.

    `uncertainty_ms`, as a bound on the error of the stamp as it stands, taking the host's clock as UTC:

    - rtcp: |offset_ms| (what the clocks disagree by) + the shift not yet slewed in;
    - arrival: `latency_ms` (between capture and arrival lies an unknown delay up to this) + the mean
      excess of arrivals over the minimum (jitter of the filter) + the shift not yet slewed in.
    """

    def __init__(self, max_offset_s: float, latency_ms: float) -> None:
        self._max_offset_s = max_offset_s
        self._latency_ms = latency_ms
        self._arrivals = _SlidingMinimum(_ARRIVAL_WINDOW_S)
        self._transports = _SlidingMinimum(_TRANSPORT_WINDOW_S)
        self._jitter_s = 0.0
        self._shift_s: float | None = None
        self._first_pts_s = self._newest_pts_s = 0.0
        self._report: tuple[float, float] | None = None
        """Newest ntp - pts, and when it came."""
        self._distrust = ""
        """Why the camera's own clock is not used, or nothing."""
        self._unrest = _Unrest()

    @property
    def complaint(self) -> str:
        """What is wrong with the camera's clock or time stamps, or nothing."""
        return "; ".join(filter(None, (self._distrust, self._unrest.complaint)))

    def observe(self, pts_s: float, arrival_s: float, ntp_s: float | None) -> Stamp:
        """Stamp one access unit, in decode order.

        pts_s: its presentation time; arrival_s: host UTC when it came; ntp_s: camera UTC by RTCP, if known.
        """
        begun_anew = self._shift_s is not None and pts_s < self._newest_pts_s - BACK_S
        if begun_anew:
            self._forget()
        late_s = self._arrivals.add(arrival_s, arrival_s - pts_s)
        self._jitter_s += 0.05 * (arrival_s - pts_s - late_s - self._jitter_s)
        if ntp_s is not None:
            if self._report is not None and abs(ntp_s - pts_s - self._report[0]) > _STEP_S:
                self._transports.clear()  # What was learned of the clock before it was set is of no use.
            self._report = (ntp_s - pts_s, arrival_s)
            self._judge(-self._transports.add(arrival_s, arrival_s - ntp_s))
        elif self._report is not None and not 0 <= arrival_s - self._report[1] < _REPORTS_VALID_S:
            self._report = None
            self._distrust = ""
        by_camera = self._report is not None and not self._distrust
        target_s = self._report[0] if self._report is not None and by_camera else late_s
        late, before_s = pts_s >= self._first_pts_s + _EARLY_S, self._shift_s
        stepped = self._follow(pts_s, target_s) or begun_anew
        if begun_anew:
            self._unrest.add(arrival_s, pts_s, 0.0)
        elif stepped and late and before_s is not None:  # Early steps are but the first estimates.
            self._unrest.add(arrival_s, pts_s, target_s - before_s)
        self._unrest.expire(arrival_s)
        return self._stamp(pts_s, target_s, by_camera, stepped)

    def _forget(self) -> None:
        self._arrivals.clear()
        self._transports.clear()
        self._jitter_s = 0.0
        self._shift_s = self._report = None
        self._distrust = ""

    def _judge(self, offset_s: float) -> None:
        limit_s = self._max_offset_s * (_TRUST_AGAIN if self._distrust else 1.0)
        if abs(offset_s) <= limit_s:
            self._distrust = ""
        elif not self._distrust:
            side = "ahead of" if offset_s > 0 else "behind"
            self._distrust = (
                f"the camera's clock is {abs(offset_s):.1f} s {side} this host's: frames are timed by "
                f"arrival (clock.max_offset_s is {self._max_offset_s:g}); set the camera's clock by NTP"
            )

    def _follow(self, pts_s: float, target_s: float) -> bool:
        if self._shift_s is None:
            self._shift_s, self._newest_pts_s, self._first_pts_s = target_s, pts_s, pts_s
            return False
        error_s = target_s - self._shift_s
        early = pts_s < self._first_pts_s + _EARLY_S
        if abs(error_s) > (_EARLY_STEP_S if early else _STEP_S):
            self._shift_s, self._newest_pts_s = target_s, pts_s
            return True
        room_s = _SLEW * max(0.0, pts_s - self._newest_pts_s)
        self._shift_s += max(-room_s, min(room_s, error_s))
        self._newest_pts_s = max(self._newest_pts_s, pts_s)
        return False

    def _stamp(self, pts_s: float, target_s: float, by_camera: bool, stepped: bool) -> Stamp:
        shift_s = self._shift_s if self._shift_s is not None else target_s
        unslewed_ms = abs(target_s - shift_s) * 1e3
        if by_camera:
            offset_ms = -(self._transports.least or 0.0) * 1e3
            return Stamp(pts_s + shift_s, "rtcp", offset_ms, abs(offset_ms) + unslewed_ms, stepped)
        uncertainty_ms = self._latency_ms + self._jitter_s * 1e3 + unslewed_ms
        return Stamp(pts_s + shift_s, "arrival", 0.0, uncertainty_ms, stepped)


class _Unrest:
    """Complains of three steps within a minute: each of them costs every road user its identity."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float, float]] = deque(maxlen=_UNREST_STEPS)
        self._by_rate = False
        self.complaint = ""

    def add(self, arrival_s: float, pts_s: float, by_s: float) -> None:
        """A step of capture time; by_s: how far, 0 where the camera began to count anew."""
        self._steps.append((arrival_s, pts_s, by_s))
        first_s, first_pts_s, _ = self._steps[0]
        if len(self._steps) < _UNREST_STEPS or not 0 < arrival_s - first_s < _UNREST_S:
            return
        fast = (pts_s - first_pts_s) / (arrival_s - first_s) - 1
        # Steps need not come of a rate, but those of a rate too far off to be slewed all go one way.
        by_rate = abs(fast) > 0.9 * _SLEW and all(step_s * fast < 0 for _, _, step_s in self._steps)
        if self.complaint and by_rate == self._by_rate:
            return  # In the same words: to tell the number anew each time would flood.
        self._by_rate = by_rate
        self.complaint = "the camera's time jumps again and again, and tracks break: "
        if by_rate:
            self.complaint += (
                f"its time stamps run {abs(fast):.0%} {'fast' if fast > 0 else 'slow'}; "
                "set its frame rate to what it really films"
            )
        else:
            self.complaint += "its clock, its encoder or the network is unsteady"

    def expire(self, arrival_s: float) -> None:
        """Withdraw the complaint when the last three steps are no longer within a minute."""
        if self._steps and abs(arrival_s - self._steps[0][0]) >= _UNREST_S:
            self._steps.popleft()
            self.complaint = ""


class FileClock:
    """A file's own time line, laid down at `start_s`; each further pass goes on where the last one ended."""

    complaint = ""

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._first_pts_s: float | None = None
        self._newest_s = start_s
        self._pictures = 0

    def observe(self, pts_s: float, arrival_s: float, ntp_s: float | None) -> Stamp:
        """Stamp one access unit, in decode order. Arrival and NTP are of no meaning here."""
        if self._first_pts_s is None:
            self._first_pts_s = pts_s
        time_s = self._start_s + pts_s - self._first_pts_s
        self._newest_s = max(self._newest_s, time_s)
        self._pictures += 1
        return Stamp(time_s, "file")

    def rewind(self) -> None:
        """The file begins again, an average gap after its last picture."""
        gap_s = (self._newest_s - self._start_s) / (self._pictures - 1) if self._pictures > 1 else 1.0
        self._start_s = self._newest_s = self._newest_s + gap_s
        self._pictures = 0
        self._first_pts_s = None


class _SlidingMinimum:
    """The least value of the last `window_s` seconds, in constant time per value on average."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._rising: deque[tuple[float, float]] = deque()

    @property
    def least(self) -> float | None:
        return self._rising[0][1] if self._rising else None

    def clear(self) -> None:
        self._rising.clear()

    def add(self, at_s: float, value: float) -> float:
        while self._rising and (self._rising[-1][1] >= value or self._rising[-1][0] > at_s):
            self._rising.pop()
        self._rising.append((at_s, value))
        while self._rising[0][0] < at_s - self._window_s:
            self._rising.popleft()
        return self._rising[0][1]

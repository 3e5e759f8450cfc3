"""Keeps one stream of a camera connected: tries, watches, gives up, waits, and tries again, for ever."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.cameras.clock import CaptureClock, FileClock, Stamp
from pipeline.cameras.gst import Gst, explain
from pipeline.cameras.ring import AccessUnit, Ring
from pipeline.cameras.source import Picture, Source, StreamSpec, Unit

EXIT_STUCK = 70
"""The process ends itself with this when GStreamer hangs in tearing a connection down."""
_TEAR_DOWN_S = 5.0
_SETTLED_S = 10.0
"""A connection that held this long ends the series of failures before it."""
_WATCH_S = 0.1
_RATE_UNITS = 50


@dataclass(frozen=True, slots=True)
class Timing:
    """See ReconnectSettings and ClockSettings in pipeline.config."""

    first_delay_s: float
    max_delay_s: float
    stall_s: float
    connect_s: float
    max_offset_s: float
    arrival_latency_ms: float


@dataclass(frozen=True, slots=True)
class Condition:
    """How the stream is, and since which (re)connection."""

    state: str
    reason: str = ""
    reconnects: int = 0
    codec: str = ""
    size: tuple[int, int] = (0, 0)
    stamp: Stamp | None = None


class Connection:
    """Runs one stream in a thread of its own. `on_change` hears of changes and of every failed attempt."""

    def __init__(
        self,
        spec: StreamSpec,
        timing: Timing,
        on_change: Callable[[Condition], None],
        ring: Ring | None,
        first_number: int,
        rate_hz: float | None = None,
        max_width_px: int = 0,
    ) -> None:
        self.spec = spec
        """Replaced when its password changes; taken up at the next connection."""
        self.condition = Condition("connecting")
        self.number = first_number
        """Rises with every connection and every jump of capture time."""
        self.ended = False
        self.units = 0
        self._decoded_before = 0
        self._timing = timing
        self._on_change = on_change
        self._ring = ring
        self._picture = (rate_hz, max_width_px)
        self._decodes = rate_hz is not None
        self._source: Source | None = None
        self._clock: CaptureClock | FileClock = FileClock(0.0)
        self._last: Unit | None = None
        self._recent: deque[float] = deque(maxlen=_RATE_UNITS)
        self._reconnects = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connection", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def begin_stop(self) -> None:
        """Take leave of the camera, in the background."""
        self._stopping.set()

    def wait_stopped(self, timeout_s: float) -> None:
        """Wait for the leave taken, if the camera answers in time."""
        self._thread.join(timeout_s)

    @property
    def fps(self) -> float:
        """Pictures a second of the stream, over the last ones that came; 0 when unknown."""
        times = sorted(self._recent)
        # With B-frames the ends are incomplete.
        times = times[4:-4] if len(times) > 16 else times
        return (len(times) - 1) / (times[-1] - times[0]) if times and times[-1] > times[0] else 0.0

    @property
    def pictures_decoded(self) -> int:
        """Decoded pictures over all connections."""
        return self._decoded_before + (self._source.pictures_decoded if self._source else 0)

    def pull(self, timeout_s: float) -> Picture | None:
        """The newest picture of the present connection, waiting for one if need be."""
        source = self._source
        if source is None:
            self._stopping.wait(timeout_s)
            return None
        return source.pull(timeout_s)

    def _run(self) -> None:
        failures = 0
        self._on_change(self.condition)
        while not self._stopping.is_set():
            began_s = time.monotonic()
            state, reason = self._one_connection()
            if self._stopping.is_set() or self.ended:
                if self.ended:
                    self._report("stopped", reason)
                return
            if state == "stopped":
                self.number += 1
                continue
            self._report(state, reason)
            failures = 1 if time.monotonic() - began_s > _SETTLED_S else failures + 1
            longest_s = min(self._timing.max_delay_s, self._timing.first_delay_s * 2 ** min(failures - 1, 20))
            self._stopping.wait(longest_s * random.uniform(0.5, 1.0))  # noqa: S311
            self._reconnects += 1
            self.number += 1

    def _one_connection(self) -> tuple[str, str]:
        """Connect and watch until it is over; the state that leaves, and why."""
        spec, timing = self.spec, self._timing
        if spec.is_file:
            if isinstance(self._clock, FileClock) and self._last is not None:
                self._clock.rewind()
            else:
                self._clock = FileClock(time.time())
        else:
            self._clock = CaptureClock(timing.max_offset_s, timing.arrival_latency_ms)
        self._last = None
        self._recent.clear()
        try:
            source = Source(spec, self._clock, self._on_unit, timing.connect_s, *self._picture)
        except RuntimeError as error:
            return "down", str(error)
        self._source = source
        source.start()
        try:
            return self._watch(source, spec)
        finally:
            self._decoded_before, self._source = self.pictures_decoded, None
            if not source.stop(_TEAR_DOWN_S):
                os._exit(EXIT_STUCK)

    def _watch(self, source: Source, spec: StreamSpec) -> tuple[str, str]:
        began_s = time.monotonic()
        while not self._stopping.is_set():
            message = source.next_message(_WATCH_S)
            if message is not None and message.type == Gst.MessageType.EOS:
                if not spec.is_file:
                    return "down", f"{spec.public_url} ended the stream"
                if self._last is None:
                    return "down", f"{spec.public_url} holds no picture"
                self._report("up", self._clock.complaint)  # It was, if only for a blink.
                if self._ring is not None and not spec.loop:
                    self._ring.finish()
                self.ended = not spec.loop
                return "stopped", f"{spec.public_url} has ended"
            if message is not None and message.type == Gst.MessageType.APPLICATION:
                return "down", source.refusal
            if message is not None:
                source.blame_decoder(message)
                return "down", source.refusal or explain(message, spec.public_url, spec.secrets)
            seen_s = source.last_picture_s if self._decodes else source.last_unit_s
            now_s = time.monotonic()
            if not seen_s and now_s - began_s > self._timing.connect_s:
                source.blame_decoder()
                return "down", self._nothing_came(source, spec)
            if seen_s:
                # A file has no one to reconnect to, and waits for its consumer.
                if not spec.is_file and now_s - seen_s > self._timing.stall_s:
                    return "stalled", self._stalled(source, spec, now_s)
                self._report("up", self._clock.complaint)
        return "stopped", ""

    def _nothing_came(self, source: Source, spec: StreamSpec) -> str:
        waited = f"within {self._timing.connect_s:g} s"
        if source.last_unit_s:
            return f"{spec.public_url} sends video, but no picture could be decoded {waited}"
        return f"{spec.public_url} sent no video {waited}"

    def _stalled(self, source: Source, spec: StreamSpec, now_s: float) -> str:
        limit_s = self._timing.stall_s
        if now_s - source.last_unit_s < limit_s:
            return f"{spec.public_url} sends video, but no picture could be decoded for {limit_s:g} s"
        return f"{spec.public_url} sent no video for {limit_s:g} s"

    def _on_unit(self, unit: Unit) -> int:
        if unit.stamp.stepped:
            self.number += 1
            self._recent.clear()
        self._last = unit
        self._recent.append(unit.stamp.time_s)
        self.units += 1
        if self._ring is not None:
            kept = AccessUnit(unit.data, unit.stamp.time_s, unit.key, unit.caps, self.number)
            self._ring.append(kept)
        return self.number

    def _report(self, state: str, reason: str = "") -> None:
        last = self._last
        condition = Condition(
            state,
            reason,
            self._reconnects,
            last.codec if last else "",
            last.size if last else (0, 0),
            last.stamp if last else None,
        )
        before, self.condition = self.condition, condition
        source_changed = (
            before.stamp is not None
            and condition.stamp is not None
            and before.stamp.source != condition.stamp.source
        )
        changed = (before.state, before.reason, before.size) != (state, reason, condition.size)
        # Every failed attempt is told, so that the parent can look for a new password.
        if changed or source_changed or state in ("down", "stalled"):
            self._on_change(condition)

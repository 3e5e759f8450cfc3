"""The thread that empties the outbox into a sink, and never gives up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from pipeline.events.errors import OutboxError, SinkError
from pipeline.events.event import Event, EventType
from pipeline.events.outbox import Outbox
from pipeline.events.sink import Delivery, Sink

log = structlog.get_logger(__name__)

BATCH = 200
"""Events handed over at once: bounds the memory and what a kill may send twice."""
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 10.0
HELD_S = 30.0
"""What the sink did not take stands back for all others, for this long at most."""
SILENCE_S = 5.0
"""Without an answer for this long, the sink counts as not connected."""


@dataclass(frozen=True, slots=True)
class PublisherState:
    """Where the publisher stands."""

    connected: bool = False
    reason: str = "not started"
    """Why not connected, one sentence without secrets; empty when connected."""
    sent_total: int = 0
    last_ack_at_s: float | None = None
    """Epoch seconds."""
    in_flight: int = 0
    troubles_total: int = 0
    """Failed openings and deliveries since the start."""


class Publisher:
    """Drains an outbox into a sink on its own thread; nothing that puts events ever waits for it."""

    def __init__(
        self,
        outbox: Outbox,
        sink: Sink,
        *,
        on_acknowledged: Callable[[Event, float], None] = lambda event, at_s: None,
    ) -> None:
        """`on_acknowledged` gets each event and the epoch seconds of its acknowledgement; must be quick."""
        self._outbox = outbox
        self._sink = sink
        self._on_acknowledged = on_acknowledged
        self._lock = threading.Lock()
        self._state = PublisherState()
        self._delivering_since_s: float | None = None
        self._unrecorded: set[str] = set()
        self._held_until_s: dict[tuple[EventType, str], float] = {}
        """Types and keys of which the sink did not take all lately, and until when (monotonic) they wait."""
        self._closing = threading.Event()
        self._deadline_s = float("inf")
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._update(reason=f"connecting to {self._sink.name}")
        self._thread.start()

    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def state(self) -> PublisherState:
        """Where it stands now."""
        with self._lock:
            state, since_s = self._state, self._delivering_since_s
        if since_s is not None and (silence_s := time.monotonic() - since_s) > SILENCE_S:
            return replace(
                state,
                connected=False,
                reason=f"{self._sink.name} has not acknowledged anything for {silence_s:.0f} s",
            )
        return state

    def close(self, timeout_s: float) -> int:
        """Send what can be sent within the time, then stop; returns how many events are left."""
        self._deadline_s = time.monotonic() + timeout_s
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return self._outbox.count()

    def _run(self) -> None:
        delay_s = FIRST_DELAY_S
        opened = False
        seen = 0
        while time.monotonic() < self._deadline_s:
            try:
                if not opened:
                    self._sink.open()
                    opened = True
                    self._connected()
                self._record_acknowledged()
                events = self._next_events()
                if not events:
                    if self._closing.is_set():
                        break
                    seen = self._outbox.wait(0.25, seen)
                    continue
                delivery = self._deliver(events)
                self._settle(delivery)
                if not delivery.trouble:
                    if not self._held_until_s:
                        delay_s = FIRST_DELAY_S
                    continue
                self._hold(events, delivery)
                trouble = delivery.trouble
            except (SinkError, OutboxError) as error:
                trouble = str(error)
            except Exception as error:
                # An error of ours must not end delivery: the box runs on for months.
                log.exception("publisher_failed")
                trouble = f"unexpected {type(error).__name__}"
            if opened:
                self._sink.close(1.0)
                opened = False
            self._trouble(trouble)
            if self._closing.wait(delay_s * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter, no secret
                break
            delay_s = min(delay_s * 2, MAX_DELAY_S)
        self._sink.close(max(0.0, min(1.0, self._deadline_s - time.monotonic())))
        self._update(connected=False, reason="stopped")

    def _hold(self, events: list[Event], delivery: Delivery) -> None:
        """Let all others go before what was left of these, and keep the order of each key with it."""
        settled = {event.id for event in delivery.acknowledged} | set(delivery.refused)
        until_s = time.monotonic() + HELD_S
        for event in events:
            if event.id not in settled:
                for kind in self._sink.together(event.type):
                    # What others do later does not put it off: it has waited since its own trouble.
                    self._held_until_s.setdefault((kind, event.key), until_s)

    def _next_events(self) -> list[Event]:
        now_s = time.monotonic()
        self._held_until_s = {
            held: until_s for held, until_s in self._held_until_s.items() if now_s < until_s
        }
        events = self._batch()
        if not events and self._held_until_s:
            self._held_until_s = {}
            events = self._batch()
        return events

    def _batch(self) -> list[Event]:
        events = self._outbox.batch(BATCH + len(self._unrecorded), self._held_until_s.keys())
        return [event for event in events if event.id not in self._unrecorded][:BATCH]

    def _deliver(self, events: list[Event]) -> Delivery:
        with self._lock:
            self._delivering_since_s = time.monotonic()
            self._state = replace(self._state, in_flight=len(events))
        try:
            return self._sink.deliver(events)
        except Exception:
            self._hold(events, Delivery(()))
            raise
        finally:
            with self._lock:
                self._delivering_since_s = None
                self._state = replace(self._state, in_flight=0)

    def _settle(self, delivery: Delivery) -> None:
        at_s = time.time()
        self._unrecorded.update(event.id for event in delivery.acknowledged)
        if delivery.acknowledged:
            with self._lock:
                sent_total = self._state.sent_total + len(delivery.acknowledged)
                self._state = replace(self._state, sent_total=sent_total, last_ack_at_s=at_s)
        self._record_acknowledged()
        for event in delivery.acknowledged:
            self._on_acknowledged(event, at_s)
        for event_id, reason in delivery.refused.items():
            self._outbox.set_aside(event_id, reason)
            log.error("event_refused", sink=self._sink.name, event_id=event_id, reason=reason)

    def _record_acknowledged(self) -> None:
        # Kept until the outbox has it in writing: a full disk must not make the same events go out again.
        if self._unrecorded:
            self._outbox.acknowledge(self._unrecorded)
            self._unrecorded = set()

    def _connected(self) -> None:
        log.info("sink_connected", sink=self._sink.name)
        self._update(connected=True, reason="")

    def _trouble(self, reason: str) -> None:
        with self._lock:
            news = self._state.connected or self._state.reason != reason
            self._state = replace(
                self._state,
                connected=False,
                reason=reason,
                troubles_total=self._state.troubles_total + 1,
            )
        if news:
            log.warning("sink_unavailable", sink=self._sink.name, reason=reason)

    def _update(self, *, reason: str, connected: bool = False) -> None:
        with self._lock:
            self._state = replace(self._state, connected=connected, reason=reason)

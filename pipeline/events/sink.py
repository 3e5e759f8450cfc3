"""What the publisher asks of a sink. Another sink is one file beside `kafka_sink.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.events.event import Event, EventType


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the events that were handed to a sink; those in neither list will be sent again."""

    acknowledged: tuple[Event, ...]
    """Durably taken by the other side."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Ids that the other side will never take, with the reason: they must not block the others."""
    trouble: str = ""
    """Why the rest was not taken, a sentence without secrets: the sink is closed and opened again."""


class Sink(Protocol):
    """The other side of the outbox. All methods are called from the publisher's thread."""

    name: str
    """For messages, without secrets: "Kafka at host:port"."""

    def open(self) -> None:
        """Connect. Called before the first delivery and after any trouble, with back-off between tries.

        Raises SinkError with one sentence that says why it cannot be had now; it is tried again.
        """
        ...

    def deliver(self, events: Sequence[Event]) -> Delivery:
        """Hand over events in this order and wait for the answers, for a bounded time.

        Called only while open. Never raises for a failure of the other side: that is `trouble`, and what
        was not acknowledged comes again, with the same ids.
        """
        ...

    def together(self, event_type: EventType) -> Collection[EventType]:
        """The types that go the way of this one, itself too: a key's events of these keep their order."""
        ...

    def close(self, timeout_s: float) -> None:
        """Let go of the connection. Called after trouble and at the end; may be called twice."""
        ...

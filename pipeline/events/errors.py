"""What can go wrong in this room. No message carries a secret."""

from __future__ import annotations


class EventsError(Exception):
    """The family: an event cannot be made, kept or sent; the message says why and what to do."""


class OutboxError(EventsError):
    """The outbox cannot be used now: disk full, read-only or failing. Later calls may succeed again."""


class OutboxFull(OutboxError):  # noqa: N818 - a state that callers expect, named by what it is
    """The outbox's bound or the disk is reached; this event was not kept."""


class SinkError(EventsError):
    """The sink cannot take events now; what was not acknowledged stays in the outbox."""


class TopicError(SinkError):
    """The broker answers, but topics are missing and may not be created; the message names them."""

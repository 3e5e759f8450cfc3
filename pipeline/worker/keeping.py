"""Keeps outbox and evidence within their bound, and says what had to give way."""

from __future__ import annotations

import time

import structlog

from pipeline.events.event import EventType
from pipeline.events.outbox import Outbox
from pipeline.evidence import EvidenceStore

log = structlog.get_logger(__name__)

RETENTION_EVERY_S = 600.0
REFUSED_S = 300.0
"""An outbox that has refused nothing for this long is no longer called full."""


class Keeping:
    """Retention, and the notices about it that every camera's health carries. For one thread.

    `now_s` is monotonic time throughout.
    """

    def __init__(self, outbox: Outbox, store: EvidenceStore) -> None:
        self._outbox = outbox
        self._store = store
        self._retention_at_s = 0.0
        self._refused = dict(outbox.refused())
        self._full_until_s: dict[EventType, float] = {}

    def keep(self, now_s: float) -> None:
        """Remove evidence that is older than its days and that nobody waits for. Raises EventsError."""
        if now_s >= self._retention_at_s:
            self._retention_at_s = now_s + RETENTION_EVERY_S
            removed = self._store.expire(time.time(), self._outbox.is_done)
            if removed:
                log.info("evidence_expired", bundles=removed)

    def notices(self, now_s: float) -> tuple[str, ...]:
        """What a box that refuses events has to say."""
        refused = self._outbox.refused()
        for event_type, count in refused.items():
            if count > self._refused[event_type]:
                self._full_until_s[event_type] = now_s + REFUSED_S
        self._refused = dict(refused)
        full = sorted(kind.value for kind, until_s in self._full_until_s.items() if now_s < until_s)
        return tuple(f"outbox full: {kind} is refused" for kind in full)

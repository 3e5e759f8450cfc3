"""Keeps outbox and evidence within their bound, and says what had to give way."""

from __future__ import annotations

import time

import structlog

from pipeline.events.event import EventType
from pipeline.events.outbox import Outbox
from pipeline.evidence import EvidenceStore
from pipeline.worker.metrics import Metrics

log = structlog.get_logger(__name__)

RETENTION_EVERY_S = 600.0
ROOM_EVERY_S = 60.0
"""Where nothing could go, all evidence is looked through again after this long."""
REFUSED_S = 300.0
"""An outbox that has refused nothing for this long is no longer called full."""
EARLY_S = 86_400.0
"""A box that has removed evidence before its time says so this long: it does so again and again."""
EARLY_NOTICE = (
    "evidence of sent acts goes before its retention_days: it fills outbox.max_megabytes or the disk"
)


class Keeping:
    """Retention, and the notices about it that every camera's health carries. For one thread.

    `now_s` is monotonic time throughout.
    """

    def __init__(self, outbox: Outbox, store: EvidenceStore, metrics: Metrics) -> None:
        self._outbox = outbox
        self._store = store
        self._metrics = metrics
        self._retention_at_s = self._room_at_s = 0.0
        self._early_until_s = 0.0
        self._refused = dict(outbox.refused())
        self._full_until_s: dict[EventType, float] = {}

    def keep(self, now_s: float) -> None:
        """Remove what is older than its days, and before that, down to the least, what has no room.

        Only what the broker has, or what is of a rule on trial, goes. Raises EventsError.
        """
        if now_s >= self._retention_at_s:
            self._retention_at_s = now_s + RETENTION_EVERY_S
            removed = self._store.expire(time.time(), self._outbox.is_done)
            if removed:
                self._metrics.evidence_removed.labels("age").inc(removed)
                log.info("evidence_expired", bundles=removed)
        excess_bytes = self._outbox.excess_bytes()
        if excess_bytes and now_s >= self._room_at_s:
            removed = self._store.make_room(time.time(), excess_bytes, self._outbox.is_done)
            if not removed:
                self._room_at_s = now_s + ROOM_EVERY_S
                return
            self._metrics.evidence_removed.labels("room").inc(removed)
            if now_s >= self._early_until_s:
                log.warning("evidence_removed_early", bundles=removed, reason=EARLY_NOTICE)
            self._early_until_s = now_s + EARLY_S

    def notices(self, now_s: float) -> tuple[str, ...]:
        """What a box that refuses events, or gives up evidence, has to say."""
        refused = self._outbox.refused()
        for event_type, count in refused.items():
            if count > self._refused[event_type]:
                self._full_until_s[event_type] = now_s + REFUSED_S
        self._refused = dict(refused)
        full = sorted(kind.value for kind, until_s in self._full_until_s.items() if now_s < until_s)
        early = (EARLY_NOTICE,) if now_s < self._early_until_s else ()
        return (*(f"outbox full: {kind} is refused" for kind in full), *early)

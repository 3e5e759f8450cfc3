"""From hits and counts to events on this box's disk: evidence first, then the plate, then the event."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

import structlog

from pipeline.config import Config
from pipeline.events.build import Origin, build_candidate, build_flow, with_evidence, with_plate
from pipeline.events.errors import EventsError, OutboxFull
from pipeline.events.event import Event, EventType
from pipeline.events.outbox import Outbox, Put
from pipeline.evidence import ROLES, EvidenceError, EvidenceMaker
from pipeline.types import Frame, Hit, MissingItem, PlateReading
from pipeline.worker.metrics import Metrics
from pipeline.worker.minutes import FlowMinute
from pipeline.worker.plates import PLATED, PlateDesk
from pipeline.worker.proof import ProofQueue
from pipeline.worker.watch import CameraWatch

log = structlog.get_logger(__name__)

PROOFS_WAITING = 200
"""Hits that may wait for their clip; more are published at once, without evidence."""
PROOF_THREADS = 2
UNSTORED = 1000
"""Violations that the disk would not take, kept in memory and tried again."""


class Observer:
    """Is told what passes through a worker; does nothing itself. For measuring: must be quick."""

    def frame_judged(self, frame: Frame, at_s: float) -> None:
        """A frame went through all rules at host time `at_s`."""

    def event_stored(self, event: Event, at_s: float) -> None:
        """An event is on this box's disk."""

    def event_acknowledged(self, event: Event, at_s: float) -> None:
        """The broker has an event."""


class Teller:
    """Owns the proof queue; everything that becomes an event goes through `put`."""

    def __init__(
        self,
        config: Config,
        watches: Mapping[str, CameraWatch],
        evidence: EvidenceMaker,
        outbox: Outbox,
        origin: Origin,
        metrics: Metrics,
        observer: Observer,
    ) -> None:
        self._cameras = config.cameras
        self._watches = watches
        self._evidence = evidence
        self._outbox = outbox
        self._origin = origin
        self._metrics = metrics
        self._observer = observer
        self._unstored: deque[Event] = deque(maxlen=UNSTORED)
        self.proofs = ProofQueue(
            self._prove,
            self._refuse_proof,
            delay_s=config.evidence.after_s,
            limit=PROOFS_WAITING,
            threads=PROOF_THREADS,
        )
        self._plates = PlateDesk(self.proofs.overdue)

    def take_hit(self, hit: Hit, now_s: float) -> None:
        """Put a hit into the outbox's journal; its proof follows once its clip is filmed."""
        log.info("hit", camera=hit.camera_id, rule=hit.rule, track=hit.track_id, kind=hit.kind.value)
        try:
            interrupted = self._bare_candidate(hit, "the worker stopped before the evidence was finished")
            self._outbox.journal(interrupted)
        except EventsError as error:
            # Not on disk yet, but still in hand: the proof is tried all the same.
            self.trouble("journal", str(error))
        self.proofs.submit(hit, now_s)

    def _bare_candidate(self, hit: Hit, reason: str) -> Event:
        return build_candidate(
            hit,
            self._watches[hit.camera_id].settings,
            self._origin,
            missing=[MissingItem(role, reason) for role in ROLES],
        )

    def _prove(self, hit: Hit, patience_s: float) -> None:
        watch = self._watches[hit.camera_id]
        event = self._bare_candidate(hit, "")
        began = time.monotonic()
        try:
            bundle = self._evidence.make(hit, event.id, watch.camera, watch.settings, patience_s=patience_s)
        except EvidenceError as error:
            self.trouble("evidence", str(error))
            event = self._bare_candidate(hit, str(error))
        else:
            self._metrics.evidence_seconds.observe(time.monotonic() - began)
            for part in bundle.missing:
                self._metrics.evidence_missing.labels(part.role).inc()
            event = with_evidence(event, bundle, self._evidence.store.root)
        self.put(self._with_plate(event, hit, watch, patience_s))

    def _with_plate(self, event: Event, hit: Hit, watch: CameraWatch, patience_s: float) -> Event:
        """The evidence is on disk by now: whatever becomes of the plate, the event goes out."""
        if event.type is not EventType.VIOLATION or hit.kind not in PLATED:
            return event
        began = time.monotonic()
        if patience_s <= 0:
            reading = PlateReading.unread("the worker was stopping")
        else:
            reading = self._plates.read(hit, watch.camera)
        self._metrics.plate_seconds.observe(time.monotonic() - began)
        outcome = "legible" if reading.legible else "unsure" if reading.text else "none"
        self._metrics.plates.labels(outcome).inc()
        try:
            return with_plate(event, reading)
        except EventsError as error:
            self.trouble("plates", str(error))
            return event

    def _refuse_proof(self, hit: Hit) -> None:
        self.trouble("evidence", f"{PROOFS_WAITING} hits wait for their evidence already")
        self.put(self._bare_candidate(hit, "too many acts at once: the evidence queue was full"))

    def tell_flow(self, watch: CameraWatch, minute: FlowMinute) -> None:
        """Write the counts of a minute."""
        self.put(
            build_flow(
                minute.counts,
                watch.settings,
                self._origin,
                start_s=minute.start_s,
                end_s=minute.end_s,
                observed_s=minute.observed_s,
                lanes=minute.lanes,
            )
        )

    def put(self, event: Event) -> None:
        """Store an event; one that the disk does not take is kept in memory and tried again."""
        try:
            outcome = self._outbox.put(event)
        except EventsError as error:
            if isinstance(error, OutboxFull):
                self._metrics.events_refused.labels(event.type.value).inc()
            if event.type in (EventType.VIOLATION, EventType.SECURITY):
                self._unstored.append(event)
            self.trouble("outbox", str(error))
        else:
            if outcome is Put.STORED:
                self._observer.event_stored(event, time.time())
                self._metrics.events.labels(event.type.value).inc()

    def recover(self) -> None:
        """Tell what an earlier run saw and could not tell any more."""
        self._evidence.store.sweep()
        for stored in self._evidence.store.unsent_bundles(self._outbox.knows):
            camera = stored.manifest.camera
            settings = next((c for c in self._cameras if c.id == camera.id), None)
            if settings is None:
                log.warning("bundle_of_unknown_camera", camera=camera.id, event_id=stored.event_id)
                continue
            event = build_candidate(stored.hit, settings, self._origin, missing=())
            self.put(with_evidence(event, stored.bundle, self._evidence.store.root))
            log.info("bundlerecovered", event_id=stored.event_id)
        for event in self._outbox.leftover_hits():
            self.put(event)
            log.info("hitrecovered", event_id=event.id)

    def store_again(self) -> None:
        """Try once more what the disk would not take."""
        for _ in range(len(self._unstored)):
            self.put(self._unstored.popleft())

    def trouble(self, stage: str, sentence: str) -> None:
        """Count and log what went wrong at a stage."""
        self._metrics.errors.labels(stage).inc()
        log.error("trouble", stage=stage, reason=sentence)

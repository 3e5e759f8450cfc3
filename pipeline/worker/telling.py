"""From hits and counts to events on this box's disk: evidence with the plate in it first, then the event."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from functools import cache

import structlog

from pipeline.config import Config
from pipeline.events.build import Origin, build_act, build_flow, reviewed, with_evidence, with_plate
from pipeline.events.errors import EventsError, OutboxFull
from pipeline.events.event import ACTS, Event, EventType
from pipeline.events.outbox import Outbox, Put
from pipeline.evidence import ROLES, EvidenceError, EvidenceMaker
from pipeline.law.load import load_law
from pipeline.types import Frame, Hit, MissingItem, PlateReading
from pipeline.worker.act import Act
from pipeline.worker.law import law_note, law_of
from pipeline.worker.metrics import Metrics
from pipeline.worker.minutes import FlowMinute
from pipeline.worker.plates import KeptStills, PlateDesk
from pipeline.worker.proof import ProofQueue
from pipeline.worker.watch import CameraWatch

log = structlog.get_logger(__name__)

PROOFS_WAITING = 200
"""Hits that may wait for their clip; more are published at once, without evidence."""
PROOF_THREADS = 2
STOPPED = "the worker stopped before the record was finished"
RECOVERY_S = 10.0
"""Time at the start for the plates of acts whose bundle was whole when the last run was killed."""
UNSTORED = 1000
"""Acts that the disk would not take, kept in memory and tried again; of more, the oldest are let go."""


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
        self._plates = PlateDesk(self.proofs.overdue, config.plates.enabled)
        self._law = load_law(config.law)
        self.told: Counter[EventType] = Counter()
        """Acts on this box's disk since the start, without those of rules on trial."""

    def take_act(self, act: Act, now_s: float) -> None:
        """Put an act into the outbox's journal; its proof follows once its clip is filmed."""
        hit = act.hit
        log.info("hit", camera=hit.camera_id, rule=hit.rule, track=hit.track_id, kind=hit.kind.value)
        try:
            interrupted = self._bare_act(act, STOPPED)
            self._outbox.journal(interrupted)
        except EventsError as error:
            # Not on disk yet, but still in hand: the proof is tried all the same.
            self.trouble("journal", str(error))
        self.proofs.submit(act, now_s)

    def _bare_act(self, act: Act, reason: str) -> Event:
        hit = act.hit
        return build_act(
            hit,
            self._watches[hit.camera_id].settings,
            self._origin,
            missing=[MissingItem(role, reason) for role in ROLES],
            law=law_of(hit, act.scene, self._law),
            plate=self._plates.unread(hit, reason),
        )

    def _prove(self, act: Act, stopping: bool) -> None:
        hit = act.hit
        watch = self._watches[hit.camera_id]
        event = self._bare_act(act, "")

        @cache
        def plate() -> PlateReading | None:
            return self._read_plate(hit, watch, stopping)

        law = law_of(hit, act.scene, self._law)
        began = time.monotonic()
        try:
            bundle = self._evidence.make(
                hit,
                event.id,
                watch.camera,
                watch.settings,
                around=watch.around.of(hit),
                law=None if law is None else law_note(law),
                read_plate=plate,
                pressed=self._plates.pressed,
            )
        except EvidenceError as error:
            self.trouble("evidence", str(error))
            event = self._bare_act(act, str(error))
        else:
            self._metrics.evidence_seconds.observe(time.monotonic() - began)
            for part in bundle.missing:
                self._metrics.evidence_missing.labels(part.role).inc()
            event = with_evidence(event, bundle, self._evidence.store.root)
        self.put(self._with_plate(event, plate()))

    def _read_plate(self, hit: Hit, watch: CameraWatch, stopping: bool) -> PlateReading | None:
        """What became of the plate; None where none is asked for."""
        if hit.concern == "security":
            return None
        if not self._plates.reads(hit):
            return self._plates.unread(hit, "")
        began = time.monotonic()
        if stopping:
            reading = PlateReading.unread("the worker was stopping", cause="stopping")
        else:
            reading = self._plates.read(hit, watch.camera, watch.around.of(hit).track())
        self._metrics.plate_seconds.observe(time.monotonic() - began)
        self._metrics.plates.labels(reading.outcome).inc()
        return reading

    def _with_plate(self, event: Event, reading: PlateReading | None) -> Event:
        """Whatever becomes of the plate, the event goes out."""
        if reading is None:
            return event
        try:
            return with_plate(event, reading)
        except EventsError as error:
            self.trouble("plates", str(error))
            return event

    def _refuse_proof(self, act: Act) -> None:
        self.trouble("evidence", f"{PROOFS_WAITING} hits wait for their evidence already")
        self.put(self._bare_act(act, "too many acts at once: the evidence queue was full"))

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
            if event.type in ACTS:
                self._keep_in_memory(event)
            self.trouble("outbox", str(error))
        else:
            if outcome is Put.STORED:
                self._observer.event_stored(event, time.time())
                self._metrics.events.labels(event.type.value).inc()
                if event.type in ACTS and not event.is_shadow:
                    self._count(event)

    def _keep_in_memory(self, event: Event) -> None:
        if len(self._unstored) == self._unstored.maxlen:
            self.trouble(
                "unstored",
                f"{len(self._unstored)} acts wait for the disk: {self._unstored[0].id} is let go, and told "
                "at the next start if journal or bundle has it",
            )
        self._unstored.append(event)

    def _count(self, event: Event) -> None:
        self.told[event.type] += 1
        rule = event.data["rule"]
        self._metrics.acts.labels(rule, event.type.value).inc()
        for part in event.data["missing"]:
            self._metrics.acts_missing.labels(rule, part["code"]).inc()

    def recover(self) -> None:
        """Tell what an earlier run saw and could not tell any more."""
        self._evidence.store.sweep()
        until_s = time.monotonic() + RECOVERY_S
        for stored in self._evidence.store.unsent_bundles(self._outbox.knows):
            camera = stored.manifest.camera
            if camera.id not in self._watches:
                log.warning("bundle_of_unknown_camera", camera=camera.id, event_id=stored.event_id)
                continue
            watch = self._watches[camera.id]
            act = Act(stored.hit, watch.scene if watch.judged else None)
            event = with_evidence(self._bare_act(act, STOPPED), stored.bundle, self._evidence.store.root)
            # Whoever waits for the worker to start does not wait for plates for long.
            if self._plates.reads(stored.hit) and time.monotonic() < until_s:
                event = self._with_plate(event, self._plates.read(stored.hit, KeptStills(stored)))
            self.put(event)
            log.info("bundle_recovered", event_id=stored.event_id)
        for event in self._outbox.leftover_hits():
            try:
                self.put(reviewed(event))
            except EventsError as error:
                self.trouble("journal", str(error))
            else:
                log.info("hit_recovered", event_id=event.id)

    def store_again(self) -> None:
        """Try once more what the disk would not take."""
        for _ in range(len(self._unstored)):
            self.put(self._unstored.popleft())

    def trouble(self, stage: str, sentence: str) -> None:
        """Count and log what went wrong at a stage."""
        self._metrics.errors.labels(stage).inc()
        log.error("trouble", stage=stage, reason=sentence)

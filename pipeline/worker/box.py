"""A whole worker: assembles the rooms, starts and stops them in order, and keeps its figures."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import structlog

from pipeline import __version__
from pipeline.config import CameraSettings, Config
from pipeline.events.build import Origin, build_health
from pipeline.events.errors import EventsError
from pipeline.events.event import Event
from pipeline.events.kafka_sink import KafkaSink
from pipeline.events.outbox import Outbox
from pipeline.events.publisher import Publisher
from pipeline.evidence import EvidenceError, EvidenceMaker, SigningKey
from pipeline.perception.closer import HeadFinder, known_classes
from pipeline.perception.detector import Detector
from pipeline.perception.windows import detect
from pipeline.rules import blind
from pipeline.scene import Scene
from pipeline.tracks.log import TrackLog
from pipeline.types import CameraHealth, Frame
from pipeline.worker.http import MonitorServer
from pipeline.worker.keeping import Keeping
from pipeline.worker.metrics import Metrics
from pipeline.worker.operator import OperatorDesk
from pipeline.worker.scenes import SceneFiles
from pipeline.worker.scheduler import Scheduler
from pipeline.worker.telling import Observer, Teller
from pipeline.worker.view import View
from pipeline.worker.watch import CameraWatch, Verdict

log = structlog.get_logger(__name__)

HOUSEKEEPING_S = 5.0


class Worker:
    """One worker process.

    >>> worker = Worker(load_config(path), scenes)
    >>> worker.start()
    >>> ...
    >>> worker.stop()
    """

    def __init__(self, config: Config, scenes: Mapping[str, Scene], observer: Observer | None = None) -> None:
        """Load the model, open outbox and evidence.

        A camera that `scenes` lacks is not judged until its scene file can be used; `observer` is told of
        frames and events as they pass.
        Raises PerceptionError, RuleError, EvidenceError, OutboxError, ConfigError (law) or OSError (metrics
        port, data_dir in use) with a sentence that says what to do.
        """
        self.config = config
        self._observer = observer or Observer()
        self.metrics = Metrics()
        data_dir = config.worker.data_dir
        self._key = SigningKey.load_or_create(data_dir)
        self._claim = _claimed(data_dir)
        self.detector = Detector(config.model)
        model = (config.model.path.name, self.detector.sha256)
        closer = None if config.model.heads is None else HeadFinder(config.model.heads)
        for camera_id, scene in scenes.items():
            self._warn_of_blind(camera_id, scene)
        self.evidence = EvidenceMaker(
            evidence_root(config), config.evidence, self._key, model, config.worker.id
        )
        self.outbox = Outbox(outbox_path(config), config.outbox, extra_bytes=self.evidence.store.bytes)
        self._origin = Origin(config.worker.id, f"ngatu {__version__}", *model)
        self.publisher = (
            None
            if config.kafka is None
            else Publisher(self.outbox, KafkaSink(config.kafka), on_acknowledged=self._acknowledged)
        )
        self.scheduler = Scheduler(
            lambda camera_id: self.watches[camera_id].camera.take(),
            self._see,
            threads=config.model.threads or os.cpu_count() or 1,
            batch=config.model.batch,
        )
        self.tracks = TrackLog(tracks_root(config), config.tracks, self.metrics.count_tracks)
        self.metrics.tracks_bytes.set_function(self.tracks.bytes)
        self.watches = {
            camera.id: CameraWatch(
                camera,
                scenes.get(camera.id),
                self.metrics,
                confidence=config.model.confidence,
                tracks=self.tracks.camera(camera.id),
                view=self._view(camera, scenes.get(camera.id)),
                on_frame=self.scheduler.frame_ready,
                on_health=self._health,
                riders_in_box=self.detector.riders_in_box,
                closer=closer,
            )
            for camera in config.cameras
        }
        for watch in self.watches.values():
            self._note_view(watch)
        self.teller = Teller(
            config, self.watches, self.evidence, self.outbox, self._origin, self.metrics, self._observer
        )
        self.scenes = SceneFiles(
            config.cameras, scenes, self._adopt, lambda camera_id: self._tell_health(self.watches[camera_id])
        )
        self.monitor = MonitorServer(
            config.worker.metrics_host,
            config.worker.metrics_port,
            self.metrics.registry,
            self.healthy,
            self.ready,
            OperatorDesk(config, self.watches, self.scenes, self.detector, tracks_root(config))
            if config.worker.operator is not None
            else None,
        )
        self.keeping = Keeping(self.outbox, self.evidence.store, self.metrics)
        self._notices: tuple[str, ...] = ()
        self._finished = False
        self._counted: Counter[tuple[str, str]] = Counter()
        """Frames already in the metrics, by camera and stage."""
        self._stopping = threading.Event()
        self._housekeeper = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Publish what an earlier run left, then open the cameras."""
        self.teller.recover()
        self.monitor.start()
        if self.publisher is not None:
            self.publisher.start()
        self.tracks.start()
        self.teller.proofs.start()
        self.scheduler.start()
        for watch in self.watches.values():
            watch.camera.start()
        self._housekeeper.start()
        self.scenes.start()
        log.info(
            "worker_started",
            worker=self.config.worker.id,
            cameras=len(self.watches),
            monitor=f"http://{self.config.worker.metrics_host}:{self.monitor.port}",
        )

    def ended(self) -> bool:
        """Whether every camera is a file that has been played to its end."""
        return all(watch.camera.ended for watch in self.watches.values())

    def finish_seeing(self) -> None:
        """Take no more frames; what the rules and counts still hold back goes on its way."""
        if self._finished:
            return
        self._finished = True
        self.scheduler.stop(1.0)
        for watch in self.watches.values():
            now_s = watch.newest.time.captured_at_s if watch.newest else 0.0
            self._pass_on(watch, watch.finish(), now_s)
        self.tracks.close(2.0)

    def stop(self, timeout_s: float = 9.0) -> None:
        """Finish what has been seen and exit in time: hits get their proof from what has been filmed."""
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self.scenes.stop()
        self.finish_seeing()
        self.evidence.hurry()
        left = self.teller.proofs.drain(max(0.5, deadline - time.monotonic() - 3.5))
        stoppers = [
            threading.Thread(target=watch.camera.stop, args=(1.5,)) for watch in self.watches.values()
        ]
        for thread in stoppers:
            thread.start()
        for thread in stoppers:
            thread.join(2.0)
        self.teller.store_again()
        unsent = self.outbox.count()
        if self.publisher is not None:
            unsent = self.publisher.close(max(0.3, deadline - time.monotonic()))
        self.monitor.stop()
        with contextlib.suppress(EventsError):
            self.outbox.close()
        self._claim.close()
        log.info("worker_stopped", hits_left_in_journal=left, events_left_in_outbox=unsent)

    # --- frames -----------------------------------------------------------------------------------

    def _see(self, frames: Sequence[Frame]) -> None:
        frames = [frame for frame in frames if self.watches[frame.camera_id].takes(frame)]
        if not frames:
            return
        began, cpu_began = time.perf_counter(), time.thread_time()
        try:
            found = detect(
                self.detector,
                [frame.picture for frame in frames],
                [self.watches[frame.camera_id].scene.settings.windows for frame in frames],
            )
        except Exception:
            self.metrics.errors.labels("see").inc()
            raise
        self.metrics.inference.observe(time.perf_counter() - began)
        self.metrics.cpu.labels("infer").inc(time.thread_time() - cpu_began)
        for frame, detections in zip(frames, found, strict=True):
            watch = self.watches[frame.camera_id]
            try:
                verdict = watch.judge(frame, detections)
            except Exception:
                self.metrics.errors.labels("judge").inc()
                log.exception("judging_failed", camera=frame.camera_id)
                continue
            self._observer.frame_judged(frame, time.time())
            if verdict.view_changed:
                self._view_changed(watch)
            self._pass_on(watch, verdict, frame.time.captured_at_s)

    def _pass_on(self, watch: CameraWatch, verdict: Verdict, now_s: float) -> None:
        for act in verdict.acts:
            self.teller.take_act(act, now_s)
        for minute in verdict.minutes:
            self.teller.tell_flow(watch, minute)

    def _acknowledged(self, event: Event, at_s: float) -> None:
        self.metrics.events_acknowledged.labels(event.type.value).inc()
        self.metrics.event_latency.labels(event.type.value).observe(max(0.0, at_s - event.time.timestamp()))
        self._observer.event_acknowledged(event, at_s)

    # --- health and figures -----------------------------------------------------------------------

    def _health(self, health: CameraHealth) -> None:
        watch = self.watches[health.camera_id]
        watch.health = health
        self.metrics.camera_up.labels(health.camera_id).set(health.state == "up")
        self.metrics.camera_reconnects.labels(health.camera_id).set(health.reconnects)
        self._tell_health(watch)

    def _tell_health(self, watch: CameraWatch) -> None:
        """An event of its own each time, though the state be the same: what else is said has changed."""
        if watch.health is None:
            return
        view = watch.view
        own = (view.notice if view is not None else "", self.scenes.notice(watch.settings.id))
        notices = (*self._notices, *(notice for notice in own if notice))
        fits = view.fits if view is not None else None
        self.teller.put(
            build_health(
                watch.health,
                watch.settings,
                self._origin,
                told_s=time.time(),
                notices=notices,
                fits_scene=fits,
            )
        )

    def _view_changed(self, watch: CameraWatch) -> None:
        """The picture has ceased to fit the scene, or fits (again)."""
        self._note_view(watch)
        if watch.view is not None and watch.view.fits is not False:
            log.warning("camera_fits", camera=watch.settings.id)
        self._tell_health(watch)

    def _note_view(self, watch: CameraWatch) -> None:
        """In the metrics and, where it does not fit, in the log; an earlier run may have known that."""
        if watch.view is None:
            return
        moved = watch.view.fits is False
        self.metrics.camera_moved.labels(watch.settings.id).set(moved)
        if moved:
            log.warning("camera_moved", camera=watch.settings.id, reason=watch.view.notice)

    def _adopt(self, camera_id: str, scene: Scene) -> None:
        watch = self.watches[camera_id]
        self._warn_of_blind(camera_id, scene)
        # Where only rules have changed, what is known of the picture holds.
        kept = watch.view if watch.view is not None and watch.view.is_of(scene.settings) else None
        watch.adopt(scene, kept or self._view(watch.settings, scene))

    def _warn_of_blind(self, camera_id: str, scene: Scene) -> None:
        model = self.config.model
        for rule, classes in blind(scene.settings, known_classes(model, self.detector)).items():
            lacking = ", ".join(classes)
            log.warning(
                "rule_cannot_run", camera=camera_id, rule=rule, model=model.path.name, lacking=lacking
            )

    def _view(self, camera: CameraSettings, scene: Scene | None) -> View | None:
        folder = self.config.worker.data_dir / "references"
        return View(camera.id, scene.settings, folder) if camera.watch_view and scene is not None else None

    def _keep_house(self) -> None:
        while not self._stopping.wait(HOUSEKEEPING_S):
            try:
                self._update_figures()
                self._tell_notices()
                self.keeping.keep(time.monotonic())
                self.teller.store_again()
            except (EventsError, EvidenceError, OSError) as error:
                self.teller.trouble("housekeeping", str(error))

    def _update_figures(self) -> None:
        metrics = self.metrics
        metrics.outbox_events.set(self.outbox.count())
        metrics.outbox_bytes.set(self.outbox.bytes())
        metrics.outbox_oldest.set(self.outbox.oldest_age_s())
        metrics.outbox_aside.set(self.outbox.set_aside_count())
        metrics.evidence_bytes.set(self.evidence.store.bytes())
        metrics.evidence_queue.set(self.teller.proofs.waiting())
        if self.publisher is not None:
            metrics.kafka_connected.set(self.publisher.state().connected)
        for camera_id, watch in self.watches.items():
            stats = watch.camera.stats()
            for stage, count in (
                ("received", stats.units_received),
                ("decoded", stats.frames_decoded),
                ("handed", stats.frames_handed),
                ("dropped", stats.frames_dropped),
            ):
                known = self._counted[camera_id, stage]
                metrics.frames.labels(camera_id, stage).inc(max(0, count - known))
                self._counted[camera_id, stage] = max(count, known)
            metrics.ring_seconds.labels(camera_id).set(stats.ring_seconds)
            metrics.ring_bytes.labels(camera_id).set(stats.ring_bytes)
            if (newest := watch.newest) is not None:
                metrics.clock_offset.labels(camera_id).set(newest.time.offset_ms / 1000)
                metrics.clock_uncertainty.labels(camera_id).set(newest.time.uncertainty_ms / 1000)

    def _tell_notices(self) -> None:
        """What the box has to say goes into every camera's health, once at each change."""
        notices = self.keeping.notices(time.monotonic())
        if notices == self._notices:
            return
        self._notices = notices
        for watch in self.watches.values():
            self._tell_health(watch)

    def healthy(self) -> tuple[bool, dict[str, Any]]:
        """For /healthz: whether this process does its work; a lost camera or broker is not its illness."""
        parts = {
            "seeing": self.scheduler.alive(),
            "proving": self.teller.proofs.alive(),
            "publishing": self.publisher is None or self.publisher.alive(),
        }
        return all(parts.values()), parts

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """For /readyz: whether at least one camera is up and judged."""
        states = {camera_id: watch.state for camera_id, watch in self.watches.items()}
        kafka = None if self.publisher is None else (self.publisher.state().reason or "connected")
        return "up" in states.values(), {"cameras": states, "kafka": kafka}


def _claimed(data_dir: Path) -> TextIO:
    """Holds the folder for this worker until it is closed: another would tell this one's acts in flight as
    those of a worker that was killed. Raises OSError.
    """
    claim = (data_dir / "worker.lock").open("w")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        raise OSError(errno.EBUSY, "another worker works in this data_dir: give each its own") from None
    return claim


def outbox_path(config: Config) -> Path:
    """Where the worker keeps its outbox."""
    return config.worker.data_dir / "outbox.db"


def tracks_root(config: Config) -> Path:
    """Where the worker keeps its tracks."""
    return config.worker.data_dir / "tracks"


def evidence_root(config: Config) -> Path:
    """Where the worker keeps its evidence."""
    return config.worker.data_dir / "evidence"

"""One camera's loop: frame to observation, observation to hits and counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import supervision as sv

from pipeline.cameras.camera import Camera
from pipeline.config import CameraSettings
from pipeline.perception.camera import CameraPerception
from pipeline.perception.detector import Detector
from pipeline.rules import Flow, Moment, Moments, Traffic, build_rules
from pipeline.scene import Scene
from pipeline.tracks.log import CameraTracks
from pipeline.types import CameraHealth, Frame, Hit, Observation
from pipeline.worker.around import Surroundings
from pipeline.worker.metrics import Metrics
from pipeline.worker.minutes import FlowMinute, FlowMinutes
from pipeline.worker.view import View

PLACELESS = frozenset(("no_helmet", "too_many_riders"))
"""Rules that judge a road user by itself, wherever it is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one frame led to."""

    hits: tuple[Hit, ...]
    minutes: tuple[FlowMinute, ...]
    view_changed: bool = False
    """Whether the picture has ceased to fit the scene, or fits again."""


class CameraWatch:
    """Everything that one camera has of its own. `judge` is called by one thread at a time."""

    def __init__(
        self,
        settings: CameraSettings,
        scene: Scene,
        metrics: Metrics,
        *,
        confidence: float,
        tracks: CameraTracks | None,
        view: View | None,
        on_frame: Callable[[str], None],
        on_health: Callable[[CameraHealth], None],
        closer: Detector | None = None,
        riders_in_box: bool = False,
    ) -> None:
        """`confidence` and `riders_in_box` are the detector's; `tracks` keeps what the rules see, None where
        nothing is kept; `view` compares the picture with the scene, None where the operator does without;
        `closer` looks at motorbikes again.

        Raises RuleError for a rule that the scene cannot serve.
        """
        self.settings = settings
        self.scene = scene
        self.camera = Camera(settings, on_frame, on_health)
        self.health: CameraHealth | None = None
        self.around = Surroundings(settings.ring.seconds)
        self.newest: Observation | None = None
        self.analysed = 0
        self.hits = 0
        self._perception = CameraPerception(
            settings.id,
            scene.settings.lamps_to_read(),
            scene.settings.ignore,
            settings.analysis.rate_hz,
            confidence,
            closer=closer,
            riders_in_box=riders_in_box,
        )
        self._moments = Moments(scene)
        self._rules = build_rules(scene)
        self._minutes = FlowMinutes(Flow(scene), Traffic(scene))
        self._metrics = metrics
        self._tracks = tracks
        self.view = view

    def judge(self, frame: Frame, detections: sv.Detections) -> Verdict:
        """Take up the next frame, in order of capture."""
        began = time.thread_time()
        changed = self.view is not None and self.view.observe(frame)
        if changed:
            # Neither what was seen of the wrong places nor what was seen before them holds any more.
            self._rules = build_rules(self.scene)
        observation = self._perception.observe(frame, detections)
        self.around.add(observation, detections, (frame.picture.shape[1], frame.picture.shape[0]))
        observed = time.thread_time()
        if self._tracks is not None and not (self.view is not None and self.view.fits is False):
            # Of a picture that does not fit the scene no rule could be tried either.
            self._tracks.add(observation)
        verdict = self._judge(self._moments.observe(observation))
        judged = time.thread_time()
        self.newest = observation
        self.analysed += 1
        metrics, camera_id = self._metrics, self.settings.id
        metrics.cpu.labels("observe").inc(observed - began)
        metrics.cpu.labels("judge").inc(judged - observed)
        metrics.frames.labels(camera_id, "analysed").inc()
        if frame.time.source != "file":
            metrics.frame_latency.labels(camera_id).observe(max(0.0, time.time() - frame.time.captured_at_s))
        return replace(verdict, view_changed=changed)

    def finish(self) -> Verdict:
        """Nothing more will be judged: what only needed more time to be sure, and the open minute."""
        verdict = self._judge(self._moments.finish())
        return Verdict(verdict.hits, (*verdict.minutes, *self._minutes.finish()))

    def _judge(self, moments: Iterable[Moment]) -> Verdict:
        hits: list[Hit] = []
        minutes: list[FlowMinute] = []
        moved = self.view is not None and self.view.fits is False
        for moment in moments:
            for rule in self._rules:
                if not moved or rule.name in PLACELESS:
                    hits += rule.observe(moment)
            if not moved:
                minutes += self._minutes.observe(moment)
        self.hits += len(hits)
        for hit in hits:
            counter = self._metrics.shadow_hits if hit.shadow else self._metrics.hits
            counter.labels(self.settings.id, hit.rule).inc()
        return Verdict(tuple(hits), tuple(minutes))

"""One camera's loop: frame to observation, observation to hits and counts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
import supervision as sv

from pipeline.cameras.camera import Camera
from pipeline.config import CameraSettings
from pipeline.perception.camera import CameraPerception
from pipeline.perception.closer import HeadFinder
from pipeline.rules import Flow, Moment, Moments, Traffic, asks_for_heads, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.tracks.log import CameraTracks
from pipeline.types import CameraHealth, Frame, Hit, Observation
from pipeline.worker.act import Act
from pipeline.worker.around import Surroundings
from pipeline.worker.doubt import SecondLook
from pipeline.worker.metrics import Metrics
from pipeline.worker.minutes import FlowMinute, FlowMinutes
from pipeline.worker.view import View

log = structlog.get_logger(__name__)

PLACELESS = frozenset(("no_helmet", "too_many_riders"))
"""Rules that judge a road user by itself, wherever it is."""
NOT_JUDGED = "not judged"
"""State of a camera whose pictures come in vain."""
REMEMBERED = 500
"""Hits whose road users a scene drawn anew does not report again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one frame led to."""

    acts: tuple[Act, ...]
    minutes: tuple[FlowMinute, ...]
    view_changed: bool = False
    """Whether the picture has ceased to fit the scene, or fits again."""


class CameraWatch:
    """Everything that one camera has of its own. `judge` is called by one thread at a time."""

    def __init__(
        self,
        settings: CameraSettings,
        scene: Scene | None,
        metrics: Metrics,
        *,
        confidence: float,
        tracks: CameraTracks | None,
        view: View | None,
        on_frame: Callable[[str], None],
        on_health: Callable[[CameraHealth], None],
        closer: HeadFinder | None = None,
        riders_in_box: bool = False,
    ) -> None:
        """`scene` None: the camera shows stills, and is not judged until it is given one to `adopt`.
        `confidence` and `riders_in_box` are the detector's; `tracks` keeps what the rules see, None where
        nothing is kept; `view` compares the picture with the scene, None where the operator does without;
        `closer` looks at motorbikes again where a rule asks for heads.

        Raises RuleError for a rule that the scene cannot serve.
        """
        self.settings = settings
        self.judged = scene is not None
        self.scene = scene = scene or Scene(SceneSettings())
        self.camera = Camera(settings, on_frame, on_health)
        self.health: CameraHealth | None = None
        self.around = Surroundings(settings.ring.seconds)
        self.newest: Observation | None = None
        self.analysed = 0
        self.hits = 0
        self._closer = closer
        self._perception = CameraPerception(
            settings.id,
            scene.settings.lamps_to_read(),
            scene.settings.ignore,
            confidence,
            closer=self._closer_for(scene),
            riders_in_box=riders_in_box,
        )
        self._moments = Moments(scene)
        self._rules = build_rules(scene)
        self._minutes = FlowMinutes(Flow(scene), Traffic(scene))
        self._metrics = metrics
        metrics.camera_unjudged.labels(settings.id).set(not self.judged)
        self._tracks = tracks
        self.view = view
        self.still: Frame | None = None
        """The newest picture that was judged, or came where none is."""
        self._given: deque[tuple[Scene, View | None]] = deque(maxlen=1)
        """A scene to go on with from the next frame."""
        self._doubts = SecondLook(self._doubted)
        self._reported: deque[tuple[str, int, int]] = deque(maxlen=REMEMBERED)
        """Rule, track and connection of the newest hits ..."""
        self._before: frozenset[tuple[str, int, int]] = frozenset()
        """... and of those that an earlier scene led to."""

    @property
    def state(self) -> str:
        """The camera's, or NOT_JUDGED."""
        state = self.health.state if self.health is not None else "connecting"
        return state if self.judged or state != "up" else NOT_JUDGED

    def adopt(self, scene: Scene, view: View | None) -> None:
        """Go on with another scene from the next frame: rules and counts begin anew, identities go on, and
        nobody is reported again for an act that was. Called from any thread; the rules must build.
        """
        self._given.append((scene, view))
        self.judged = True
        self._metrics.camera_unjudged.labels(self.settings.id).set(False)

    def _take_up(self, scene: Scene, view: View | None) -> Verdict:
        """Between two frames: what the scene before still held back."""
        last = self._finish()
        if view is not self.view:
            self._doubts.drop()
        self.scene, self.view = scene, view
        self._perception.redraw(
            scene.settings.lamps_to_read(), scene.settings.ignore, self._closer_for(scene)
        )
        self._moments = Moments(scene)
        self._rules = build_rules(scene)
        self._minutes = FlowMinutes(Flow(scene), Traffic(scene))
        self._before = frozenset(self._reported)
        return last

    def _closer_for(self, scene: Scene) -> HeadFinder | None:
        return self._closer if asks_for_heads(scene.settings) else None

    def takes(self, frame: Frame) -> bool:
        """Whether the next frame is to be judged; one that is not can be looked at all the same."""
        if not self.judged:
            self.still = frame
        return self.judged

    def judge(self, frame: Frame, detections: sv.Detections) -> Verdict:
        """Take up the next frame, in order of capture."""
        began = time.thread_time()
        moved = self._suspended()
        last = self._take_up(*self._given.pop()) if self._given else Verdict((), ())
        if self.view is not None and self.view.observe(frame):
            # Neither what was seen of the wrong places nor what was seen before them holds any more; who was
            # reported stays so.
            self._rules = [
                rule if rule.name in PLACELESS else anew
                for rule, anew in zip(self._rules, build_rules(self.scene), strict=True)
            ]
            self._doubts.drop()
            self._before = frozenset(self._reported)
        observation = self._perception.observe(frame, detections)
        self.around.add(observation, detections, (frame.picture.shape[1], frame.picture.shape[0]))
        observed = time.thread_time()
        if self._tracks is not None and not self._suspended():
            # Of a picture that does not fit the scene no rule could be tried either.
            self._tracks.add(observation)
        verdict = self._judge(self._moments.observe(observation), observation.connection, frame)
        judged = time.thread_time()
        self.newest, self.still = observation, frame
        self.analysed += 1
        metrics, camera_id = self._metrics, self.settings.id
        metrics.cpu.labels("observe").inc(observed - began)
        metrics.cpu.labels("judge").inc(judged - observed)
        metrics.frames.labels(camera_id, "analysed").inc()
        if frame.time.source != "file":
            metrics.frame_latency.labels(camera_id).observe(max(0.0, time.time() - frame.time.captured_at_s))
        return Verdict(
            (*last.acts, *verdict.acts),
            (*last.minutes, *verdict.minutes),
            self._suspended() is not moved,
        )

    def _suspended(self) -> bool:
        """Whether the picture does not fit the scene: then no place in it means anything."""
        return self.view is not None and self.view.fits is False

    def finish(self) -> Verdict:
        """Nothing more will be judged: what only needed more time to be sure, and the open minute."""
        last = self._finish()
        self._doubts.drop()
        return last

    def _finish(self) -> Verdict:
        connection = self.newest.connection if self.newest else 0
        verdict = self._judge(self._moments.finish(), connection, self.still)
        return Verdict(verdict.acts, (*verdict.minutes, *self._minutes.finish()))

    def _judge(self, moments: Iterable[Moment], connection: int, frame: Frame | None) -> Verdict:
        hits: list[Hit] = []
        minutes: list[FlowMinute] = []
        moved = self._suspended()
        for moment in moments:
            for rule in self._rules:
                if not moved or rule.name in PLACELESS:
                    hits += rule.observe(moment)
            if not moved:
                minutes += self._minutes.observe(moment)
        if self._before:
            hits = [hit for hit in hits if (hit.rule, hit.track_id, connection) not in self._before]
        self._reported.extend((hit.rule, hit.track_id, connection) for hit in hits)
        acts = self._sure([Act(hit, self.scene) for hit in hits], frame)
        self.hits += len(acts)
        for act in acts:
            counter = self._metrics.shadow_hits if act.hit.shadow else self._metrics.hits
            counter.labels(self.settings.id, act.hit.rule).inc()
        return Verdict(tuple(acts), tuple(minutes))

    def _sure(self, acts: list[Act], frame: Frame | None) -> list[Act]:
        """Those to be told now, also of before: where the picture fits the scene, or it does not matter."""
        if self.view is None or frame is None:
            return acts
        placeless = [act for act in acts if act.hit.rule in PLACELESS]
        placed = [act for act in acts if act.hit.rule not in PLACELESS]
        return placeless + self._doubts.pass_on(placed, frame, self.view)

    def _doubted(self, act: Act) -> None:
        """It is not told, and may be where a scene drawn anew leads to it."""
        key = (act.hit.rule, act.hit.track_id)
        self._reported = deque((one for one in self._reported if one[:2] != key), maxlen=REMEMBERED)
        self._metrics.doubted.labels(self.settings.id, act.hit.rule).inc()
        log.warning(
            "act_not_told", camera=self.settings.id, rule=act.hit.rule, reason="the picture does not fit"
        )

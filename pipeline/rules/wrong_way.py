"""Driving against the direction of a lane.

See docs/rules/wrong_way.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Self

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.lengths import mean_height, moved_as_a_whole, way_heights
from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track, remember
from pipeline.scene import Lane, Scene, SceneSettings, geometry
from pipeline.types import VEHICLES, Hit

OUTSIDE_S = 0.5
"""A ground point off the lane for no longer than this (a box that jitters on the edge) has not left it."""

SLACK_HEIGHTS = 0.25
"""Going back by less than this is standing."""
STOOD_S = 1.0
"""Who stands for so long begins anew: in a queue, an identity that goes over from one to the next behind it
stands, leaps and stands again."""


WINDOW_S = 10.0
"""Way and speed are those of the last seconds: who first pushed his machine back and then rides is as fast as
he rides, and pictures of it are still to be had."""


class WrongWayParameters(base.Parameters):
    """Vehicles that move against a lane's direction."""

    min_heights: Annotated[float, Field(gt=0, le=50)] = 2.0
    """Way made against the lane, in box heights (some 1.5 m, more when seen from low)."""
    min_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Time it took."""
    min_speed_heights_s: Annotated[float, Field(ge=0, le=20)] = 0.5
    """Slower on average is manoeuvring (backing into a parking place), in box heights a second."""
    max_angle_deg: Annotated[float, Field(ge=5, le=85)] = 45.0
    """Between its way and straight against the lane; more is crossing the lane."""


@dataclass(slots=True)
class _Run:
    """The way back from the furthest point a vehicle had reached along a lane."""

    furthest: float
    last_inside_s: float
    moved: Step
    """The last step that was SLACK_HEIGHTS away from the one before of this kind."""
    back_from: float
    """From where along the lane its way back is measured: the furthest point, or the begin of the window."""
    steps: deque[Step] = field(default_factory=deque)
    """Those of the last WINDOW_S, from the last one near the furthest point on, where going back began."""

    @classmethod
    def begin(cls, progress: float, step: Step) -> Self:
        """Nothing gone back yet."""
        return cls(progress, step.time_s, step, progress, deque((step,)))

    @property
    def start(self) -> Step:
        """From where its way is measured."""
        return self.steps[0]

    def take(self, lane: Lane, step: Step) -> None:
        """One more step back."""
        start = self.start
        remember(self.steps, step, WINDOW_S)
        if self.start is not start:
            self.back_from = lane.progress(self.start.centre)


class WrongWay:
    """Measures how far each vehicle has come back along a lane.

    What counts is the net way back from the furthest point it reached, so a moment forward or a jump of the
    box neither starts nor ends an act.
    """

    name: ClassVar[str] = "wrong_way"
    parameters: ClassVar[type[base.Parameters]] = WrongWayParameters

    def __init__(self, scene: Scene, parameters: WrongWayParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._runs: dict[tuple[int, int, str], _Run] = {}
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return None if scene.lanes else "a lane (lanes) with its direction"

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of vehicles that have gone far enough against a lane.

        Confidence is the geometric mean of: the share of the vote for the vehicle's class; the mean
        confidence of its boxes at the start, in the middle and at the end; and the cosine of the angle
        between its way and straight against the lane.
        """
        for track, step in moment.advances:
            yield from self._judge(moment, track, step)

    def _judge(self, moment: Moment, track: Track, step: Step | None) -> Iterator[Hit]:
        if step is None:
            self._reported.discard(track.id)
            for key in [key for key in self._runs if key[0] == track.id]:
                del self._runs[key]
            return
        if track.id in self._reported or step.hidden:
            return
        lanes = self._scene.lanes(moment.aspect)
        for lane in lanes:
            run = self._run(track, lane, step)
            if run is None or track.kind not in VEHICLES or not self._against(lane, run, step):
                continue
            way = geometry.minus(step.centre, run.start.centre)
            if any(
                other.id != lane.id and other.holds(step.centre) and other.angle_deg(step.centre, way) < 90
                for other in lanes
            ):
                continue  # the lanes overlap here, and in the other one it goes the right way
            self._reported.add(track.id)
            yield self._hit(moment.observation.camera_id, track, lane, run, step)
            return

    def _run(self, track: Track, lane: Lane, step: Step) -> _Run | None:
        """The run this step belongs to; None while it is off the lane, standing, or going with the lane."""
        key = (track.id, track.segment, lane.id)
        run = self._runs.get(key)
        if not lane.holds(step.centre):
            if run is not None and step.time_s - run.last_inside_s > OUTSIDE_S:
                del self._runs[key]
            return None
        progress = lane.progress(step.centre)
        if run is None or progress >= run.furthest:
            self._runs[key] = _Run.begin(progress, step)
            return None
        run.last_inside_s = step.time_s
        if run.furthest - progress < SLACK_HEIGHTS * step.height:
            run.steps, run.back_from = deque((step,)), run.furthest
            return None
        if way_heights(run.moved, step) >= SLACK_HEIGHTS:
            run.moved = step
        elif step.time_s - run.moved.time_s >= STOOD_S:
            self._runs[key] = _Run.begin(progress, step)
            return None
        run.take(lane, step)
        return run

    def _against(self, lane: Lane, run: _Run, step: Step) -> bool:
        parameters = self._parameters
        heights, duration_s = self._way_back(lane, run, step), step.time_s - run.start.time_s
        way = geometry.minus(step.centre, run.start.centre)
        return (
            heights >= parameters.min_heights
            and duration_s >= parameters.min_s
            and heights / duration_s >= parameters.min_speed_heights_s
            and lane.angle_deg(run.start.centre, way) >= 180 - parameters.max_angle_deg
            and moved_as_a_whole(run.start, step, way)
        )

    @staticmethod
    def _way_back(lane: Lane, run: _Run, step: Step) -> float:
        """In box heights: on the ground where that is known, else along the lane in the picture."""
        if run.start.centre_m is not None and step.centre_m is not None:
            return way_heights(run.start, step)
        return (run.back_from - lane.progress(step.centre)) / mean_height(run.start, step)

    def _hit(self, camera_id: str, track: Track, lane: Lane, run: _Run, step: Step) -> Hit:
        heights, duration_s = self._way_back(lane, run, step), step.time_s - run.start.time_s
        way = geometry.minus(step.centre, run.start.centre)
        angle_deg = lane.angle_deg(run.start.centre, way)
        half = self._parameters.min_heights / 2
        middle = next((one for one in run.steps if self._way_back(lane, run, one) >= half), step)
        boxes = (run.start.raw, middle.raw, step.raw)
        parts = (
            track.kind_confidence,
            sum(box.confidence for box in boxes) / len(boxes),
            max(0.0, math.cos(math.radians(180 - angle_deg))),
        )
        return Hit(
            rule=self.name,
            camera_id=camera_id,
            track_id=track.id,
            kind=track.kind,
            before=boxes[0],
            at=boxes[1],
            after=boxes[2],
            confidence=math.prod(parts) ** (1 / len(parts)),
            time=middle.time,
            facts={
                "lane": lane.id,
                "against_box_heights": round(heights, 2),
                "against_lane_share": round((run.back_from - lane.progress(step.centre)) / lane.length, 3),
                "duration_s": round(duration_s, 2),
                "speed_box_heights_s": round(heights / duration_s, 2),
                "angle_to_lane_deg": round(angle_deg, 1),
            },
            geometry={
                f"lane {lane.id}": lane.settings.polygon,
                f"direction {lane.id}": lane.settings.direction,
            },
        )

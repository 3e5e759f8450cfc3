"""From frames to acts: whose scene they are of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import supervision as sv

from pipeline.config import CameraSettings, StreamSettings
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Frame, Observation, Picture, RoadUserKind
from pipeline.worker.metrics import Metrics
from pipeline.worker.view import View
from pipeline.worker.watch import Act, CameraWatch
from tests.rules.drive import START_S, Driver, observe

ROAD: dict[str, Any] = {
    "lanes": [
        {
            "id": "a",
            "polygon": [[0.1, 0.95], [0.9, 0.95], [0.9, 0.1], [0.1, 0.1]],
            "direction": [[0.5, 0.15], [0.5, 0.9]],
        }
    ],
    "rules": {"wrong_way": None},
}
BLANK = np.zeros((12, 16, 3), np.uint8)


class Perceived:
    """Perception that reports what the test puts there."""

    now: Observation

    def observe(self, frame: Frame, detections: sv.Detections) -> Observation:
        return self.now

    def redraw(self, *drawn: object) -> None:
        pass


class Camera:
    """One camera's watch, whose road users the test leads."""

    def __init__(self, scene: Scene, view: View | None = None) -> None:
        self.metrics = Metrics()
        self.watch = CameraWatch(
            CameraSettings(id="cam", detect=StreamSettings(url="file:///nowhere.mp4")),
            scene,
            self.metrics,
            confidence=0.3,
            tracks=None,
            view=view,
            on_frame=lambda camera_id: None,
            on_health=lambda health: None,
        )
        self._perceived = Perceived()
        self.watch._perception = self._perceived  # type: ignore[assignment]

    def see(self, observation: Observation, picture: Picture = BLANK) -> tuple[Act, ...]:
        self._perceived.now = observation
        frame = Frame("cam", picture, observation.time, 0)
        return self.watch.judge(frame, sv.Detections.empty()).acts


def scene(**more: Any) -> Scene:
    return Scene(SceneSettings.model_validate({**ROAD, **more}))


def against_traffic(until_s: float = 6.0) -> Iterable[Observation]:
    """A car the wrong way: known after a second and a half, sure after two and a half."""
    return observe([Driver([(0, 0.5, 0.85), (6, 0.5, 0.25)], kind=RoadUserKind.CAR)], {}, until_s)


@pytest.mark.parametrize("saved_s", [2.2, 4.0])
def test_an_act_is_of_the_scene_that_judged_it(saved_s: float) -> None:
    """Though another is in force by the time it is told."""
    before, after = scene(), scene(time_zone="Asia/Tokyo")
    camera = Camera(before)
    acts: list[Act] = []
    for observation in against_traffic():
        if camera.watch.scene is before and observation.time.captured_at_s >= START_S + saved_s:
            camera.watch.adopt(after, None)
        acts += camera.see(observation)
    assert camera.watch.scene is after
    assert [(act.hit.rule, act.scene) for act in acts] == [("wrong_way", before)]

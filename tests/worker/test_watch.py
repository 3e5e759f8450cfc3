"""From frames to acts: whose scene they are of, and whether the picture is still the scene's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision as sv

from pipeline.config import CameraSettings, StreamSettings
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Frame, Observation, Picture, RoadUserKind
from pipeline.worker.act import Act
from pipeline.worker.metrics import Metrics
from pipeline.worker.view import View
from pipeline.worker.watch import CameraWatch
from tests.rules import riding
from tests.rules.drive import START_S, Driver, observe
from tests.worker.test_view import frames, street

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


def against_traffic(until_s: float = 6.0, starts_s: Iterable[float] = (0.0,)) -> Iterable[Observation]:
    """Cars the wrong way: known after a second and a half, sure after two and a half."""
    drivers = [
        Driver([(s, 0.5, 0.85), (s + 6, 0.5, 0.25)], track_id=number, kind=RoadUserKind.CAR)
        for number, s in enumerate(starts_s, 1)
    ]
    return observe(drivers, {}, until_s)


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


def doubting(folder: Path, **more: Any) -> Camera:
    """A camera whose view knows its reference."""
    drawn = scene(**more)
    view = View("cam", drawn.settings, folder)
    list(map(view.observe, frames(street(), 40, 0.0)))
    assert view.fits is True
    return Camera(drawn, view)


def elsewhere() -> Picture:
    return np.ascontiguousarray(street()[::-1, ::-1])


STILL, TURNED, ELSEWHERE = street(), street(16), elsewhere()
DARK = np.zeros_like(STILL)
HIT_S = 2.5
"""When the car the wrong way is reported."""


@pytest.mark.parametrize(
    ("shown", "told_s"),
    [
        (lambda t: STILL, HIT_S),
        (lambda t: TURNED, None),
        (lambda t: ELSEWHERE, None),
        (lambda t: TURNED if t > HIT_S - 1 else STILL, None),
        (lambda t: DARK, HIT_S),
        (lambda t: ELSEWHERE if HIT_S - 1 < t < HIT_S + 0.1 else STILL, HIT_S + 1),
        (lambda t: ELSEWHERE if HIT_S - 1 < t < HIT_S + 2.2 else STILL, HIT_S + 3),
    ],
    ids=["still", "turned", "elsewhere", "just turned", "dark", "a bus passes", "a bus stops"],
)
def test_nobody_is_accused_by_a_picture_that_is_not_the_scenes(
    tmp_path: Path, shown: Callable[[float], Picture], told_s: float | None
) -> None:
    """Long before it is sure that the camera was turned."""
    camera = doubting(tmp_path)
    told = []
    for observation in against_traffic(14.0):
        now_s = observation.time.captured_at_s - START_S
        told += [now_s for _ in camera.see(observation, shown(now_s))]
    assert camera.watch.view is not None
    assert camera.watch.view.fits is True
    assert camera.watch.finish().acts == ()
    assert told == ([] if told_s is None else [pytest.approx(told_s, abs=0.2)])
    doubted = {"camera": "cam", "rule": "wrong_way"}
    dropped = camera.metrics.registry.get_sample_value("ngatu_hits_doubted_total", doubted)
    assert dropped == (1 if told_s is None else None)
    assert camera.watch.hits == len(told)


def test_who_comes_right_after_another_was_dropped_does_not_slip_through(tmp_path: Path) -> None:
    camera = doubting(tmp_path)
    wrong = against_traffic(20.0, (0.0, 7.5))
    assert not [act for observation in wrong for act in camera.see(observation, TURNED)]


def test_what_is_still_doubted_when_the_worker_stops_is_not_told(tmp_path: Path) -> None:
    camera = doubting(tmp_path)
    assert not any(camera.see(observation, TURNED) for observation in against_traffic(4.0))
    assert camera.watch.finish().acts == ()
    doubted = {"camera": "cam", "rule": "wrong_way"}
    assert camera.metrics.registry.get_sample_value("ngatu_hits_doubted_total", doubted) == 1


def test_a_rider_without_a_helmet_is_told_wherever_the_camera_looks(tmp_path: Path) -> None:
    camera = doubting(tmp_path, rules={"no_helmet": {}})
    rider = riding.Machine(heads=lambda time_s: (riding.BARE,), speed=(90.0, 0.0), head_px=9.0)
    acts = [act for observation in riding.observe([rider], 10.0) for act in camera.see(observation, TURNED)]
    acts += camera.watch.finish().acts
    assert [act.hit.rule for act in acts] == ["no_helmet"]


@pytest.mark.parametrize("drawn_anew", [False, True])
def test_a_scene_saved_while_an_act_is_doubted_leads_to_no_second_one(
    tmp_path: Path, drawn_anew: bool
) -> None:
    """Where only a rule was saved the doubt goes on; drawn anew, the new scene alone counts."""
    camera = doubting(tmp_path)
    before, after = camera.watch.scene, scene(rules={"wrong_way": {"min_confidence": 0.1}})
    view = View("cam", after.settings, tmp_path / "anew") if drawn_anew else camera.watch.view
    acts: list[Act] = []
    for number, observation in enumerate(against_traffic(8.0)):
        if number == 17:
            camera.watch.adopt(after, view)
        acts += camera.see(observation, ELSEWHERE if 10 < number < 18 else STILL)
    assert [act.scene for act in acts] == [after if drawn_anew else before]

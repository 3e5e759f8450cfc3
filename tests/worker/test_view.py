from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import structlog
import supervision as sv

from pipeline.config import CameraSettings, Config, StreamSettings
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Frame, FrameTime, Observation, Picture
from pipeline.worker.act import Act
from pipeline.worker.box import Worker
from pipeline.worker.metrics import Metrics
from pipeline.worker.view import View
from pipeline.worker.watch import CameraWatch
from tests.perception.onnx_models import CELLS, constant_model, names
from tests.rules import riding

LANE: dict[str, Any] = {
    "lanes": [
        {"id": "a", "polygon": [[0.1, 0.9], [0.9, 0.9], [0.5, 0.2]], "direction": [[0.5, 0.8], [0.5, 0.4]]}
    ],
    "rules": {"wrong_way": None},
}


def street(shift_px: int = 0) -> Picture:
    """Something with edges everywhere, 320 wide, cut out of something wider."""
    rng = np.random.default_rng(4)
    wide = np.kron(rng.integers(0, 255, (23, 50, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return np.ascontiguousarray(wide[:180, 40 + shift_px : 360 + shift_px])


def frames(picture: Picture, count: int, from_s: float) -> Iterator[Frame]:
    for i in range(count):
        yield Frame("gate", picture, FrameTime(from_s + 2.0 * i, "rtcp"), i)


def scene(**more: Any) -> SceneSettings:
    return SceneSettings.model_validate({**LANE, **more})


def test_the_reference_is_taken_by_itself_and_outlives_the_worker(tmp_path: Path) -> None:
    first = View("gate", scene(), tmp_path / "references")
    assert [first.observe(frame) for frame in frames(street(), 40, 0.0)].count(True) == 0
    assert first.fits is True
    (kept,) = (tmp_path / "references").iterdir()
    assert kept.name.startswith("gate-")

    # The camera was moved while no worker ran.
    second = View("gate", scene(), tmp_path / "references")
    assert [second.observe(frame) for frame in frames(street(20), 40, 1e6)].count(True) == 1
    assert second.fits is False
    assert "-6." in second.notice
    assert str(kept) in second.notice
    assert "draw and calibrate its scene anew" in second.notice


def test_a_scene_drawn_anew_gets_a_new_reference_and_other_cameras_keep_theirs(tmp_path: Path) -> None:
    for camera_id in ("gate", "gate-2"):
        view = View(camera_id, scene(), tmp_path)
        list(map(view.observe, frames(street(), 10, 0.0)))
    new = scene(zones=[{"id": "z", "purpose": "p", "polygon": [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]}])
    view = View("gate", new, tmp_path)
    list(map(view.observe, frames(street(20), 40, 0.0)))
    assert view.fits is True
    assert len(list(tmp_path.glob("gate-2-*.png"))) == 1
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_rules_and_thresholds_do_not_ask_for_a_new_reference(tmp_path: Path) -> None:
    view = View("gate", scene(), tmp_path)
    list(map(view.observe, frames(street(), 10, 0.0)))
    view = View("gate", scene(rules={"wrong_way": {"min_s": 3}}), tmp_path)
    list(map(view.observe, frames(street(20), 40, 100.0)))
    assert view.fits is False


@pytest.mark.parametrize("spoiled", [b"no picture", b""])
def test_an_unreadable_reference_is_taken_anew(tmp_path: Path, spoiled: bytes) -> None:
    view = View("gate", scene(), tmp_path)
    list(map(view.observe, frames(street(), 10, 0.0)))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(spoiled)
    view = View("gate", scene(), tmp_path)
    list(map(view.observe, frames(street(), 40, 100.0)))
    assert view.fits is True
    assert cv2.imread(str(kept)) is not None


def test_a_folder_that_cannot_be_written_costs_only_the_memory_of_it(tmp_path: Path) -> None:
    (tmp_path / "references").write_text("a file is in the way")
    view = View("gate", scene(), tmp_path / "references")
    list(map(view.observe, frames(street(), 40, 0.0)))
    assert view.fits is True


def test_where_nothing_is_drawn_nothing_can_be_wrong(tmp_path: Path) -> None:
    view = View("gate", SceneSettings(), tmp_path)
    list(map(view.observe, frames(street(), 40, 0.0)))
    list(map(view.observe, frames(street(40), 40, 80.0)))
    assert view.fits is None
    assert list(tmp_path.iterdir()) == []


def test_rules_are_suspended_while_the_camera_looks_elsewhere(tmp_path: Path) -> None:
    settings = CameraSettings(id="gate", detect=StreamSettings(url="file:///nowhere.mp4"))
    watch = CameraWatch(
        settings,
        Scene(scene()),
        Metrics(),
        confidence=0.3,
        tracks=None,
        view=View("gate", scene(), tmp_path),
        on_frame=lambda camera_id: None,
        on_health=lambda health: None,
    )

    def run(picture: Picture, from_s: float) -> tuple[list[bool], int]:
        """When the view changed, and whole minutes told."""
        changed, minutes = [], 0
        for frame in frames(picture, 90, from_s):
            verdict = watch.judge(frame, sv.Detections.empty())
            changed.append(verdict.view_changed)
            minutes += len(verdict.minutes)
        return changed, minutes

    changed, minutes = run(street(), 0.0)
    assert not any(changed)
    assert minutes == 2
    changed, minutes = run(street(20), 180.0)
    assert changed.count(True) == 1
    assert minutes <= 1, "flow of the wrong places is not told"
    changed, minutes = run(street(), 360.0)
    assert changed.count(True) == 1
    assert minutes >= 1


def moved_away(folder: Path) -> View:
    """A view whose camera was turned after its reference was taken."""
    view = View("gate", scene(), folder)
    list(map(view.observe, frames(street(), 40, 0.0)))
    list(map(view.observe, frames(street(20), 40, 100.0)))
    assert view.fits is False
    return view


def test_a_restart_does_not_make_a_moved_camera_fit(tmp_path: Path) -> None:
    before = moved_away(tmp_path)
    after = View("gate", scene(), tmp_path)
    assert after.fits is False
    assert after.notice == before.notice
    # It was turned back meanwhile: said once, and kept too.
    assert [after.observe(frame) for frame in frames(street(), 40, 1e6)].count(True) == 1
    assert after.fits is True
    assert View("gate", scene(), tmp_path).fits is None


def test_without_its_reference_nothing_is_known_of_a_camera_that_was_moved(tmp_path: Path) -> None:
    moved_away(tmp_path)
    (reference,) = tmp_path.glob("*.png")
    reference.unlink()
    view = View("gate", scene(), tmp_path)
    assert view.fits is None
    list(map(view.observe, frames(street(20), 10, 1e6)))
    assert list(tmp_path.iterdir()) == [reference], "and what was known of the old one is gone"


@pytest.mark.parametrize("spoiled", ["", "[]", "{}", '{"fit": "askew"}', '{"fit": "moved", "across": "x"}'])
def test_an_unreadable_state_is_found_out_anew(tmp_path: Path, spoiled: str) -> None:
    moved_away(tmp_path)
    (kept,) = tmp_path.glob("*.json")
    kept.write_text(spoiled)
    view = View("gate", scene(), tmp_path)
    assert view.fits is None
    assert [view.observe(frame) for frame in frames(street(20), 40, 1e6)].count(True) == 1


def test_a_picture_of_another_shape_says_so(tmp_path: Path) -> None:
    view = View("gate", scene(), tmp_path)
    list(map(view.observe, frames(street(), 40, 0.0)))
    cropped = np.ascontiguousarray(street()[:, 40:280])
    assert [view.observe(frame) for frame in frames(cropped, 40, 100.0)].count(True) == 1
    assert "the picture has another shape than the scene was drawn on" in view.notice
    assert [view.observe(frame) for frame in frames(street(), 40, 200.0)].count(True) == 1
    assert view.fits is True


def test_a_saved_rule_keeps_the_view_and_a_line_drawn_anew_does_not(tmp_path: Path) -> None:
    moved_away(tmp_path / "references")
    config = Config.model_validate(
        {
            "worker": {"data_dir": tmp_path, "metrics_port": 0},
            "model": {
                "path": constant_model(
                    tmp_path / "model.onnx", np.zeros((4 + 1, CELLS)), metadata=names("person")
                )
            },
            "cameras": [{"id": "gate", "detect": {"url": "file:///nowhere.mp4"}}],
        }
    )
    worker = Worker(config, {"gate": Scene(scene())})
    watch = worker.watches["gate"]
    registry = worker.metrics.registry
    assert registry.get_sample_value("ngatu_camera_moved", {"camera": "gate"}) == 1
    worker._adopt("gate", Scene(scene(rules={"wrong_way": {"min_s": 3}})))
    (frame,) = frames(street(20), 1, 1e6)
    assert not watch.judge(frame, sv.Detections.empty()).view_changed
    assert watch.view is not None
    assert watch.view.fits is False
    zone = {"id": "z", "purpose": "p", "polygon": [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]}
    worker._adopt("gate", Scene(scene(zones=[zone])))
    (frame,) = frames(street(20), 1, 1e6 + 2)
    verdict = watch.judge(frame, sv.Detections.empty())
    assert verdict.view_changed
    assert watch.view.fits is None
    worker._view_changed(watch)
    assert registry.get_sample_value("ngatu_camera_moved", {"camera": "gate"}) == 0
    worker.monitor.stop()
    worker.outbox.close()


def test_a_saved_scene_says_which_rules_the_models_cannot_serve(tmp_path: Path) -> None:
    heads = Path(__file__).resolve().parents[2] / "models" / "ngatu_heads_int8.onnx"
    model = constant_model(tmp_path / "model.onnx", np.zeros((4 + 1, CELLS)), metadata=names("motorbike"))
    config = Config.model_validate(
        {
            "worker": {"data_dir": tmp_path, "metrics_port": 0},
            "model": {"path": model, "heads": heads},
            "cameras": [{"id": "gate", "detect": {"url": "file:///nowhere.mp4"}, "watch_view": False}],
        }
    )
    worker = Worker(config, {"gate": Scene(scene())})
    corners = [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]
    zone = {"id": "yard", "purpose": "abandoned_object", "polygon": corners}
    with structlog.testing.capture_logs() as logs:
        worker._adopt("gate", Scene(scene(rules={"no_helmet": None, "abandoned_object": None}, zones=[zone])))
    told = [(entry["rule"], entry["lacking"]) for entry in logs if entry["event"] == "rule_cannot_run"]
    assert told == [("abandoned_object", "bicycle, person")]
    worker.monitor.stop()
    worker.outbox.close()


class Turning(View):
    """A view that ceases to fit at its thirtieth picture."""

    seen = 0

    @property
    def fits(self) -> bool:
        return self.seen < 30

    def observe(self, frame: Frame) -> bool:
        self.seen += 1
        return self.seen == 30


class Told:
    """Perception that reports what the test puts there."""

    now: Observation

    def observe(self, frame: Frame, detections: sv.Detections) -> Observation:
        return self.now


def test_an_act_without_a_place_is_told_once_though_the_camera_turns_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = SceneSettings.model_validate({"rules": {"no_helmet": {}}})
    watch = CameraWatch(
        CameraSettings(id="gate", detect=StreamSettings(url="file:///nowhere.mp4")),
        Scene(bare),
        Metrics(),
        confidence=0.3,
        tracks=None,
        view=Turning("gate", bare, tmp_path),
        on_frame=lambda camera_id: None,
        on_health=lambda health: None,
    )
    told = Told()
    monkeypatch.setattr(watch, "_perception", told)
    rider = riding.Machine(heads=lambda time_s: (riding.BARE,), speed=(90.0, 0.0), head_px=9.0)
    acts: list[Act] = []
    for number, observation in enumerate(riding.observe([rider], 10.0)):
        told.now = observation
        frame = Frame("gate", street(), observation.time, number)
        acts += watch.judge(frame, sv.Detections.empty()).acts
    acts += watch.finish().acts
    assert [(act.hit.rule, act.hit.track_id) for act in acts] == [("no_helmet", 1)]

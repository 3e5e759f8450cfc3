"""`ngatu check` says what a rule cannot tell in this scene or with this model, before anyone relies on it."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import CameraSettings, Config, ModelSettings, StreamSettings, WorkerSettings
from pipeline.scene import SceneSettings
from pipeline.worker.check import Finding, findings
from tests.rules.drive import junction
from tests.rules.yard import yard

FREE = {"straight": {"lamp": "ball"}, "right": {"free": True}}


def found(scene: SceneSettings, rule: str, data_dir: Path, model: Path) -> list[Finding]:
    config = Config(
        worker=WorkerSettings(data_dir=data_dir),
        model=ModelSettings(path=model),
        cameras=(CameraSettings(id="gate", detect=StreamSettings(url="rtsp://192.0.2.1/")),),
    )
    return [one for one in findings(config, {"gate": scene}, offline=True) if one.what.endswith(f" {rule}")]


def test_a_rule_for_things_left_alone_says_that_it_sees_no_bags(tmp_path: Path, yolox_path: Path) -> None:
    scene = SceneSettings.model_validate(yard("abandoned_object", "abandoned_object"))
    (told,) = found(scene, "abandoned_object", tmp_path, yolox_path)
    assert told.ok
    assert "bags and boxes are no class" in told.detail
    assert "model.heads" in told.detail


def test_a_line_with_a_free_turn_is_named_where_no_stop_past_it_is_told(
    tmp_path: Path, yolox_path: Path
) -> None:
    (told,) = found(SceneSettings.model_validate(junction(movements=FREE)), "stop_line", tmp_path, yolox_path)
    assert told.ok
    assert "never told at south: a movement there is free" in told.detail
    assert not found(SceneSettings.model_validate(junction()), "stop_line", tmp_path, yolox_path)

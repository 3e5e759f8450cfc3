"""`ngatu check` says what a rule cannot see with this model, before anybody relies on it."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import CameraSettings, Config, ModelSettings, StreamSettings, WorkerSettings
from pipeline.scene import SceneSettings
from pipeline.worker.check import findings
from tests.rules.yard import yard


def test_a_rule_for_things_left_alone_says_that_it_sees_no_bags(tmp_path: Path, yolox_path: Path) -> None:
    config = Config(
        worker=WorkerSettings(data_dir=tmp_path),
        model=ModelSettings(path=yolox_path),
        cameras=(CameraSettings(id="gate", detect=StreamSettings(url="rtsp://192.0.2.1/")),),
    )
    scene = SceneSettings.model_validate(yard("abandoned_object", "abandoned_object"))
    (found,) = [f for f in findings(config, {"gate": scene}, offline=True) if "abandoned_object" in f.what]
    assert found.ok
    assert "bags and boxes are no class" in found.detail

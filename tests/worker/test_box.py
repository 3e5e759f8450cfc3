"""One worker has a folder for itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Config
from pipeline.scene import Scene, SceneSettings
from pipeline.worker.box import Worker
from tests.perception.onnx_models import CELLS, constant_model, names


def worker(data_dir: Path, model: Path) -> Worker:
    config = Config.model_validate(
        {
            "worker": {"data_dir": data_dir, "metrics_port": 0},
            "model": {"path": model},
            "cameras": [{"id": "gate", "detect": {"url": "file:///nowhere.mp4"}}],
            "plates": {"enabled": False},
        }
    )
    return Worker(config, {"gate": Scene(SceneSettings())})


def test_a_second_worker_in_the_same_folder_is_refused_and_after_the_first_taken(tmp_path: Path) -> None:
    model = constant_model(tmp_path / "model.onnx", np.zeros((4 + 1, CELLS)), metadata=names("person"))
    first, beside = worker(tmp_path / "a", model), worker(tmp_path / "b", model)
    with pytest.raises(OSError, match="another worker works in this data_dir"):
        worker(tmp_path / "a", model)
    for each in (first, beside):
        each.start()
        each.stop()
    after = worker(tmp_path / "a", model)
    after.start()
    after.stop()

"""`ngatu check` names rules that the model cannot serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.config import Config
from pipeline.scene import SceneSettings
from pipeline.worker.check import Finding, findings
from tests.perception.onnx_models import CELLS, constant_model, names


def looked_at(folder: Path, *classes: str) -> list[Finding]:
    model = constant_model(
        folder / "model.onnx", np.zeros((4 + len(classes), CELLS)), metadata=names(*classes)
    )
    config = Config.model_validate(
        {
            "worker": {"id": "w", "data_dir": str(folder / "data")},
            "model": {"path": str(model)},
            "cameras": [{"id": "north", "detect": {"url": "rtsp://127.0.0.1/a"}}],
        }
    )
    scene = SceneSettings.model_validate({"rules": {"no_helmet": None, "too_many_riders": None}})
    return list(findings(config, {"north": scene}, offline=True))


def test_a_model_without_heads_cannot_serve_rules_about_riders(tmp_path: Path) -> None:
    refused = {found.what: found.detail for found in looked_at(tmp_path, "person", "car") if not found.ok}
    assert sorted(refused) == ["north rule no_helmet", "north rule too_many_riders"]
    assert "model.onnx" in refused["north rule no_helmet"]
    assert "no head and no helmet" in refused["north rule no_helmet"]


def test_a_model_with_heads_serves_them(tmp_path: Path) -> None:
    """By whatever names it calls them."""
    found = looked_at(tmp_path, "motorbike", "With Helmet", "no-helmet")
    assert all(each.ok for each in found), found

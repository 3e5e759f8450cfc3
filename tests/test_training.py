"""The training script on a handful of pictures: proves that its steps fit together, not that they teach."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import onnx
import pytest

from pipeline.config import ModelSettings
from pipeline.perception.detector import Detector
from pipeline.sim.types import Seen
from scripts.detector.pictures import NAMES, labels
from scripts.detector.score import read_labels

ROOT = Path(__file__).resolve().parents[1]


def test_what_nobody_could_name_is_not_labelled() -> None:
    seen = [
        Seen(1, "car", (100, 100, 300, 200), 0.9, plate_box=(150, 180, 190, 190), heads=()),
        Seen(2, "motorbike", (400, 100, 440, 200), 0.9, heads=((410, 100, 422, 112, True),)),
        Seen(3, "person", (500, 100, 530, 200), 0.1),
        Seen(4, "person", (600, 100, 606, 110), 1.0),
        Seen(5, "object", (700, 100, 760, 150), 1.0),
    ]
    found = read_labels(list(labels(seen, 0.5, (640, 360))), 640, 360)
    assert [NAMES[number] for number in found.class_id] == ["car", "license_plate", "motorbike", "helmet"]
    assert found.xyxy[0] == pytest.approx((50, 50, 150, 100), abs=0.02)


@pytest.mark.slow
@pytest.mark.serial
def test_quick_training_makes_a_model_that_the_pipeline_loads(tmp_path: Path) -> None:
    python = ROOT / ".venv-train" / "bin" / "python"
    if os.environ.get("CI") == "true":
        subprocess.run(["scripts/setup", "--train"], cwd=ROOT, check=True)
    elif not python.exists():
        pytest.skip("what training needs is not installed: run scripts/setup --train")
    done = subprocess.run(
        [python, "scripts/train_detector.py", "--quick", "--work", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    model = Path(done.stdout.split()[-1])
    assert model.stat().st_size < 12e6
    detector = Detector(ModelSettings(path=model))
    assert detector.input_size == (640, 384)
    assert detector.names == NAMES
    said = {entry.key: entry.value for entry in onnx.load(str(model)).metadata_props}
    assert {"names", "imgsz", "training_data", "seed", "code_version"} <= set(said)
    small = Detector(ModelSettings(path=model.with_name("ngatu_nano_int8.onnx")))
    assert small.names == NAMES
    card = model.with_suffix(".md").read_text(encoding="utf-8")
    assert "mAP50" in card

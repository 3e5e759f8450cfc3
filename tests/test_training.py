"""The training script on a handful of pictures: proves that its steps fit together, not that they teach."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import onnx
import pytest

from pipeline.config import ModelSettings
from pipeline.perception.detector import Detector
from pipeline.sim.traffic import fleet
from pipeline.sim.types import Seen
from scripts.detector import pictures
from scripts.detector.pictures import NAMES, SCARCE, View, labels
from scripts.detector.score import read_labels

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "models" / "ngatu_nano.onnx"


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


def test_only_every_other_city_asked_for_has_more_of_what_is_scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    streets, drawn_with = dict(fleet.MIX), []

    class Streets:
        def __init__(self, _: object) -> None:
            drawn_with.append(dict(fleet.MIX))

        def moments(self, _: float) -> list[object]:
            return []

    monkeypatch.setattr(pictures, "City", Streets)
    monkeypatch.setattr(pictures, "Renderer", lambda *_: None)
    for view in (View("train", 1, 1, scarce=True), View("train", 2, 1, scarce=True), View("train", 1, 1)):
        assert list(pictures.render(view, view.scenario())) == []
    assert drawn_with == [SCARCE, streets, streets]
    assert streets == fleet.MIX
    assert sum(SCARCE.values()) == pytest.approx(sum(streets.values()))


TAKEN_OVER = """
import json, sys
from pathlib import Path
import numpy as np, onnxruntime, torch
from scripts.detector.begin import take_over
from scripts.detector.learn import CityDetector
from scripts.heads import learn as heads

file = Path(sys.argv[1])
shown = torch.rand(4, 3, 96, 160, generator=torch.Generator().manual_seed(1))
whole = torch.rand(1, 3, 384, 640, generator=torch.Generator().manual_seed(2))
model = CityDetector("yolo11n.yaml", nc=9, verbose=False)
take_over(model, file, shown)
norms = [part for part in model.modules() if isinstance(part, torch.nn.BatchNorm2d)]
with torch.no_grad():
    made = model.eval()(whole)[0].numpy()
given = onnxruntime.InferenceSession(str(file)).run(None, {"images": whole.numpy()})[0]
other, refused = CityDetector("yolo11n.yaml", nc=8, verbose=False), ""
try:
    take_over(other, file, shown)
except ValueError as error:
    refused = str(error)
off = np.abs(made - given)
spread = min(float(norm.running_var.std()) for norm in norms)
net, tiles = heads.HeadNet(), torch.rand(8, 3, 96, 96, generator=torch.Generator().manual_seed(3))
heads.take_over(net, Path(sys.argv[2]), tiles)
with torch.no_grad():
    made = net.eval()(tiles).numpy()
given = onnxruntime.InferenceSession(sys.argv[2]).run(None, {"tiles": tiles.numpy()})[0]
print(json.dumps([float(off[:, :4].max()), float(off[:, 4:].max()), spread, refused,
                  float(np.abs(made - given).max())]))
"""


@pytest.fixture(scope="module")
def trainer() -> Path:
    """Python with what training needs."""
    python = ROOT / ".venv-train" / "bin" / "python"
    if os.environ.get("CI") == "true":
        subprocess.run(["scripts/setup", "--train"], cwd=ROOT, check=True)
    elif not python.exists():
        pytest.skip("what training needs is not installed: run scripts/setup --train")
    return python


@pytest.mark.slow
def test_an_export_taken_over_sees_what_it_saw(trainer: Path) -> None:
    told = subprocess.run(
        [trainer, "-c", TAKEN_OVER, SHIPPED, SHIPPED.with_name("ngatu_heads.onnx")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout.splitlines()
    off_px, off_score, spread, refused, off_heads = json.loads(told[-1])
    assert off_px < 0.01
    assert off_score < 1e-4
    assert off_heads < 1e-3
    assert spread > 0, "each norm must have the variances of its own channels"
    assert refused.startswith("model.23.cv3.0.2.weight is (9, 64, 1, 1), this model wants (8, 64, 1, 1)")


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_quick_training_makes_a_model_that_the_pipeline_loads(trainer: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [trainer, "scripts/train_detector.py", "--quick", "--work", tmp_path, "--start", SHIPPED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
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
    assert "It goes on from an export trained on " in card
    assert "epochs: " in said["before"]

"""Each layout, through a real ONNX model: known tensors give known boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import supervision as sv

from pipeline.config import ModelSettings
from pipeline.perception.classes import KINDS
from pipeline.perception.detector import Detector
from pipeline.perception.errors import PerceptionError
from tests.perception.onnx_models import CELLS, SIZE, constant_model, names

WIDE = np.zeros((64, 128, 3), np.uint8)
"""Half its size in the model's input; 16 rows of padding above when centred."""


def detect(path: Path, **settings: float) -> sv.Detections:
    return Detector(ModelSettings(path=path, providers=("cpu",), **settings)).detect([WIDE])[0]


def yolox_output() -> np.ndarray:
    output = np.zeros((CELLS, 7), np.float32)
    # Cell x 3, y 2 of stride 8: centre (28, 20); 16 wide, 24 high.
    output[2 * 8 + 3] = (0.5, 0.5, np.log(2), np.log(3), 0.9, 0.0, 0.8)
    # Cell x 1, y 0 of stride 32, the last level: centre (48, 16), 32 by 32.
    output[64 + 16 + 1] = (0.5, 0.5, 0, 0, 0.5, 0.8, 0.1)
    return output


def test_yolox_raw_is_decoded_on_its_grid(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "own.onnx", yolox_output())
    path.with_suffix(".yaml").write_text("names: [person, motorcycle]\n")
    found = detect(path)
    assert [KINDS[index] for index in found.class_id] == ["motorbike", "person"]
    assert found.confidence == pytest.approx([0.72, 0.4])
    assert found.xyxy[0] == pytest.approx([40, 16, 72, 64])
    assert found.xyxy[1] == pytest.approx([64, 0, 128, 64])


def test_yolov5_has_three_anchors_a_cell(tmp_path: Path) -> None:
    output = np.zeros((3 * CELLS, 7), np.float32)
    output[5] = (28, 36, 16, 24, 0.9, 0.0, 0.8)
    found = detect(constant_model(tmp_path / "v5.onnx", output, metadata=names("person", "car")))
    assert [KINDS[index] for index in found.class_id] == ["car"]
    # Centred letterbox: 16 rows above.
    assert found.xyxy[0] == pytest.approx([40, 16, 72, 64])
    assert found.confidence == pytest.approx([0.72])


def test_yolov8_is_transposed(tmp_path: Path) -> None:
    output = np.zeros((4 + 3, CELLS), np.float32)
    output[:, 7] = (28, 36, 16, 24, 0.1, 0.7, 0.0)
    output[:, 8] = (29, 36, 16, 24, 0.1, 0.6, 0.0)
    output[:, 9] = (29, 36, 16, 24, 0.0, 0.0, 0.65)
    found = detect(constant_model(tmp_path / "v8.onnx", output, metadata=names("person", "bus", "truck")))
    assert [KINDS[index] for index in found.class_id] == ["bus", "truck"], "suppression is class by class"
    assert found.xyxy[0] == pytest.approx([40, 16, 72, 64])


def test_end2end_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    output = np.zeros((300, 6), np.float32)
    output[0] = (20, 24, 36, 48, 0.8, 1)
    output[1] = (20, 24, 36, 48, 0.8, 7)
    found = detect(constant_model(tmp_path / "e2e.onnx", output, metadata=names("person", "bicycle")))
    assert [KINDS[index] for index in found.class_id] == ["bicycle"], "a class number out of range is dropped"
    assert found.xyxy[0] == pytest.approx([40, 16, 72, 64])


def test_weak_detections_down_to_half_the_confidence_are_kept(tmp_path: Path) -> None:
    output = np.zeros((300, 6), np.float32)
    output[0] = (0, 24, 10, 34, 0.16, 0)
    output[1] = (20, 24, 30, 34, 0.14, 0)
    path = constant_model(tmp_path / "e2e.onnx", output, metadata=names("person"))
    assert len(detect(path, confidence=0.3)) == 1


def test_nonsense_boxes_are_dropped(tmp_path: Path) -> None:
    output = np.zeros((300, 6), np.float32)
    output[0] = (np.nan, 24, 10, 34, 0.9, 0)
    output[1] = (20, 24, np.inf, 34, 0.9, 0)
    output[2] = (30, 30, 20, 20, 0.9, 0)
    output[3] = (500, 500, 600, 600, 0.9, 0)
    assert len(detect(constant_model(tmp_path / "e2e.onnx", output, metadata=names("person")))) == 0


def test_yolox_and_yolov5_of_one_width_are_told_apart_by_their_anchors(tmp_path: Path) -> None:
    one = constant_model(tmp_path / "one.onnx", np.zeros((CELLS, 7)), metadata=names("person", "car"))
    three = constant_model(tmp_path / "three.onnx", np.zeros((3 * CELLS, 7)), metadata=names("person", "car"))
    kinds = [
        Detector(ModelSettings(path=path, providers=("cpu",))).model.layout.name for path in (one, three)
    ]
    assert kinds == ["yolox", "yolov5"]


def test_one_class_yolox_is_not_taken_for_end2end(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "m.onnx", np.zeros((CELLS, 6)), metadata=names("person"))
    assert Detector(ModelSettings(path=path, providers=("cpu",))).model.layout.name == "yolox"


def test_every_picture_of_a_batch_gets_its_own_answer_in_its_own_pixels(tmp_path: Path) -> None:
    output = np.zeros((300, 6), np.float32)
    output[0] = (20, 24, 36, 48, 0.8, 0)
    for batch in ("batch", 1, 2):
        path = constant_model(tmp_path / f"{batch}.onnx", output, batch=batch, metadata=names("person"))
        detector = Detector(ModelSettings(path=path, providers=("cpu",), batch=2))
        square = np.zeros((SIZE, SIZE, 3), np.uint8)
        found = detector.detect([WIDE, square, WIDE])
        assert [list(each.xyxy[0]) for each in found] == [
            pytest.approx([40, 16, 72, 64]),
            pytest.approx([20, 24, 36, 48]),
            pytest.approx([40, 16, 72, 64]),
        ]


@pytest.mark.parametrize(
    ("shape", "metadata", "reason"),
    [
        (
            (10, 10),
            names("person"),
            r"fits no known layout.*metadata keys imgsz, names, stride.*gives \[10, 10\]",
        ),
        ((CELLS, 7), {}, "does not say its class names"),
        ((CELLS, 9), names("person", "car"), "has 4 classes as yolox, but 2 names are given"),
        ((CELLS, 7), names("cat", "dog"), "none of the project's classes"),
    ],
)
def test_a_model_that_fits_nothing_is_refused_with_what_was_found(
    tmp_path: Path, shape: tuple[int, int], metadata: dict[str, str], reason: str
) -> None:
    path = constant_model(tmp_path / "odd.onnx", np.zeros(shape), metadata=metadata)
    with pytest.raises(PerceptionError, match=reason) as error:
        Detector(ModelSettings(path=path, providers=("cpu",)))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_of_any_size_needs_one_from_its_card(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "free.onnx", np.zeros((CELLS, 7)), size=("height", "width"))
    with pytest.raises(PerceptionError, match=r"input.width and input.height in free.yaml"):
        Detector(ModelSettings(path=path, providers=("cpu",)))
    path.with_suffix(".yaml").write_text(
        "layout: yolox\nnames: [person, car]\ninput: {width: 64, height: 64, color: rgb}\n"
    )
    model = Detector(ModelSettings(path=path, providers=("cpu",))).model
    assert model.size == (64, 64)
    assert (model.form.color, model.form.range, model.form.letterbox) == ("rgb", 255, "top-left")


def test_grey_input_is_refused(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "grey.onnx", np.zeros((CELLS, 7)), channels=1)
    with pytest.raises(PerceptionError, match="does not take pictures"):
        Detector(ModelSettings(path=path, providers=("cpu",)))


def test_a_card_may_not_name_a_layout_that_the_output_contradicts(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "m.onnx", np.zeros((CELLS, 7)), metadata=names("person", "car"))
    path.with_suffix(".yaml").write_text("layout: yolov8\n")
    with pytest.raises(PerceptionError, match="is not yolov8 as its card says"):
        Detector(ModelSettings(path=path, providers=("cpu",)))
    path.with_suffix(".yaml").write_text("layout: yolo99\n")
    with pytest.raises(PerceptionError, match="known are yolox, yolov5, yolov8, end2end"):
        Detector(ModelSettings(path=path, providers=("cpu",)))

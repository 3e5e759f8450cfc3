"""Loading and running detectors."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import structlog
import supervision as sv
from scipy.optimize import linear_sum_assignment

from pipeline.config import ModelSettings
from pipeline.perception.classes import KINDS, PARTS, project_ids
from pipeline.perception.detector import Detector
from pipeline.perception.errors import PerceptionError
from pipeline.perception.layouts import LAYOUTS
from pipeline.perception.letterbox import letterbox
from pipeline.perception.road_users import fuse
from tests.perception.onnx_models import constant_model, names


def test_a_missing_model_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(PerceptionError, match=r"is not there: correct model\.path"):
        Detector(ModelSettings(path=tmp_path / "none.onnx"))


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)) * 64])
def test_a_corrupt_model_is_one_clear_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(PerceptionError, match="is not a usable ONNX model") as error:
        Detector(ModelSettings(path=path))
    assert "\n" not in str(error.value)


def test_a_truncated_model_is_refused(tmp_path: Path, yolox_path: Path) -> None:
    path = tmp_path / "yolox_nano_416.onnx"
    path.write_bytes(yolox_path.read_bytes()[:1_000_000])
    with pytest.raises(PerceptionError, match="is not a usable ONNX model"):
        Detector(ModelSettings(path=path))


def test_a_directory_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(PerceptionError, match="cannot be read"):
        Detector(ModelSettings(path=tmp_path))


def test_the_first_provider_that_is_there_wins_and_is_logged(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "m.onnx", np.zeros((300, 6)), metadata=names("person"))
    with structlog.testing.capture_logs() as logs:
        detector = Detector(ModelSettings(path=path, providers=("tensorrt", "cpu")))
    assert detector.model.provider == "cpu"
    assert [
        (log["provider"], log["layout"], log["riders"]) for log in logs if log["event"] == "model loaded"
    ] == [("cpu", "end2end", "persons")]


def test_providers_that_are_not_there_or_not_known_are_named(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "m.onnx", np.zeros((300, 6)), metadata=names("person"))
    with pytest.raises(PerceptionError, match=r"'vulkan' is not known.*cpu, openvino, cuda, tensorrt"):
        Detector(ModelSettings(path=path, providers=("vulkan",)))
    with pytest.raises(PerceptionError, match=r"none of the execution providers tensorrt runs here.*cpu"):
        Detector(ModelSettings(path=path, providers=("tensorrt",)))


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "m.onnx", np.zeros((300, 6)), metadata=names("person"))
    detector = Detector(ModelSettings(path=path))
    assert detector.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert detector.names == ("person",)
    assert detector.input_size == (64, 64)


def test_class_names_of_other_houses_become_ours() -> None:
    ids = project_ids(["Motorcycle", "cyclist", "rider", "pick-up", "pickup", "license-plate", "No_Helmet"])
    said = [(*KINDS, *PARTS)[index] if index >= 0 else None for index in ids]
    assert said == ["motorbike", "bicycle", "person", None, "car", "license_plate", "head"]


def test_letterbox_places_colours_and_padding() -> None:
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:] = (10, 20, 30)
    out = np.empty((3, 64, 64), np.float32)
    letterbox(picture, (64, 64), LAYOUTS["yolox"].input, out)
    assert out[:, 0, 0].tolist() == [10, 20, 30]
    assert out[:, 63, 0].tolist() == [114, 114, 114]
    letterbox(picture, (64, 64), LAYOUTS["yolov8"].input, out)
    assert out[:, 32, 0] == pytest.approx(np.array([30, 20, 10]) / 255)
    assert out[:, 0, 0] == pytest.approx(np.full(3, 114 / 255))


def test_threads_share_a_detector(yolox_path: Path, video_dir: Path) -> None:
    capture = cv2.VideoCapture(str(video_dir / "junction-red-640x480-6fps.mp4"))
    pictures = [capture.read()[1] for _ in range(8)]
    detector = Detector(ModelSettings(path=yolox_path))
    alone = [detector.detect([picture])[0] for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: detector.detect([picture])[0], pictures))
    for one, other in zip(alone, together, strict=True):
        assert len(one) > 10
        np.testing.assert_allclose(one.xyxy, other.xyxy, atol=0.5)


def test_riders_of_real_frames_are_found_and_fusing_loses_hardly_any(
    yolox_path: Path, shared_dir: Path
) -> None:
    """Recall at IoU 0.3 of labelled riders among persons and two-wheelers, before and after fusing."""
    detector = Detector(ModelSettings(path=yolox_path))
    before = after = total = 0
    for path in sorted((shared_dir / "real" / "riders" / "images").glob("*.jpg")):
        picture = cv2.imread(str(path))
        height, width = picture.shape[:2]
        lines = (path.parents[1] / "labels" / f"{path.stem}.txt").read_text().split("\n")
        labels = np.array([list(map(float, line.split()[1:])) for line in lines if line.strip()])
        centre, extent = labels[:, :2], labels[:, 2:] / 2
        truth = np.hstack((centre - extent, centre + extent)) * (width, height, width, height)
        found = detector.detect([picture])[0]
        total += len(truth)
        before += covered(truth, found.xyxy[np.isin(found.class_id, (0, 1, 2))])
        fused = fuse(found, riders_in_box=False)
        after += covered(truth, fused.xyxy[np.isin(fused.class_id, (0, 1, 2))])
    assert total == 361
    assert before / total > 0.75
    assert after > 0.94 * before


def covered(truth: np.ndarray, boxes: np.ndarray) -> int:
    """How many of `truth` have a box of their own at IoU 0.3."""
    overlap = sv.box_iou_batch(truth, boxes) >= 0.3
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return int(overlap[rows, columns].sum())

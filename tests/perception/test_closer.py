"""The closer look: machines on a sheet, and what is seen there back in the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ModelSettings
from pipeline.perception.closer import BODY_PX, PLACES, TILE_PX, heads, lay_out, put
from pipeline.perception.detector import Detector
from tests.perception.onnx_models import constant_model, names

INPUT = (640, 384)
CELLS = sum((INPUT[0] // stride) * (INPUT[1] // stride) for stride in (8, 16, 32))
BAR = (INPUT[1] - 360) // 2
"""The sheet lies in the middle of the input."""


def marked(*boxes: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A picture whose boxes are filled with 10, 20, ... and the boxes."""
    picture = np.zeros((720, 1280, 3), np.uint8)
    for number, (left, top, right, bottom) in enumerate(boxes, 1):
        picture[top:bottom, left:right] = 10 * number
    return picture, np.array(boxes, np.float32)


def seeing(path: Path, *found: tuple[float, float, float, float, int, float]) -> Detector:
    """A model that sees these on every sheet: centre x, y, width, height, class, confidence."""
    output = np.zeros((4 + 3, CELLS), np.float32)
    for column, (x, y, wide, high, kind, confidence) in enumerate(found):
        output[:4, column] = (x, y + BAR, wide, high)
        output[4 + kind, column] = confidence
    card = names("motorbike", "helmet", "head") | {"imgsz": f"[{INPUT[1]}, {INPUT[0]}]"}
    model = constant_model(path, output, size=(INPUT[1], INPUT[0]), metadata=card)
    return Detector(ModelSettings(path=model, confidence=0.3))


def test_each_machine_is_enlarged_in_the_middle_of_its_tile() -> None:
    picture, boxes = marked((100, 100, 130, 145), (600, 300, 630, 390))
    sheet, tiles = lay_out(picture, boxes)
    assert [tile.scale for tile in tiles] == [2.0, 1.0]
    for number, (x, y) in enumerate(PLACES[:2], 1):
        tile = sheet[y : y + TILE_PX, x : x + TILE_PX, 0]
        rows = np.flatnonzero((tile == 10 * number).any(axis=1))
        assert len(rows) == pytest.approx(BODY_PX, abs=2)
        assert (rows[0] + rows[-1]) / 2 == pytest.approx(TILE_PX / 2, abs=1)


def test_beyond_the_picture_it_is_grey() -> None:
    picture, boxes = marked((0, 0, 30, 90))
    sheet = np.zeros((360, 640, 3), np.uint8)
    put(sheet, PLACES[0], picture, boxes[0])
    assert sheet[0, 0].tolist() == [114, 114, 114]


def test_a_head_seen_on_the_sheet_is_where_it_is_in_the_picture(tmp_path: Path) -> None:
    picture, boxes = marked((100, 100, 130, 145), (600, 300, 630, 390))
    x, y = PLACES[1]
    # In the second tile (scale 1), 20 below the upper edge of the tile: 5 below the top of the machine.
    detector = seeing(tmp_path / "m.onnx", (x + 60, y + 26, 12, 12, 2, 0.8))
    first, second = heads(detector, picture, boxes)
    assert len(first) == 0
    [head] = second
    assert head[:4].tolist() == pytest.approx([609, 305, 621, 317], abs=0.6)
    assert head[4:].tolist() == pytest.approx([0, 0.8], abs=0.01)


def test_more_machines_than_a_sheet_holds_take_another(tmp_path: Path) -> None:
    picture, boxes = marked(*[(40 * n, 100, 40 * n + 30, 190) for n in range(20)])
    x, y = PLACES[2]
    detector = seeing(tmp_path / "m.onnx", (x + 60, y + 26, 12, 12, 1, 0.7))
    found = [number for number, one in enumerate(heads(detector, picture, boxes)) if len(one)]
    assert found == [2, 2 + len(PLACES)]


def test_nobody_costs_nothing(tmp_path: Path) -> None:
    picture, _ = marked()
    assert heads(seeing(tmp_path / "m.onnx"), picture, np.empty((0, 4), np.float32)) == []

"""The closer look: machines cut out and enlarged, and what is seen there back in the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import supervision as sv

from pipeline.config import ModelSettings
from pipeline.perception.classes import CAR, MOTORBIKE
from pipeline.perception.closer import BODY_PX, MOST, STRIDE, TILE_PX, HeadFinder, cut, told
from pipeline.perception.errors import PerceptionError
from tests.perception.onnx_models import constant_model

CELLS = TILE_PX // STRIDE
SHIPPED = Path(__file__).resolve().parents[2] / "models" / "ngatu_heads_int8.onnx"


def maps(*heads: tuple[float, float, float, float, float]) -> np.ndarray:
    """Maps with a peak a head: x, y, height in pixels of the tile, helmet, bare."""
    made = np.zeros((3, CELLS, CELLS), np.float32)
    for x, y, high, helmet, bare in heads:
        row, column = int(y // STRIDE), int(x // STRIDE)
        made[:, row, column] = (helmet, bare, high)
        made[:2, row, column + 1] = (0.9 * helmet, 0.9 * bare)
    return made


def test_a_machine_is_enlarged_in_the_middle_of_its_tile_and_grey_beyond_the_picture() -> None:
    picture = np.zeros((720, 1280, 3), np.uint8)
    picture[0:39, 0:26] = 200
    tile, place = cut(picture, np.array((0, 0, 26, 39), np.float32))
    assert place.scale == BODY_PX / 39
    rows = np.flatnonzero((tile[..., 0] == 200).any(axis=1))
    assert len(rows) == pytest.approx(BODY_PX, abs=2)
    assert (rows[0] + rows[-1]) / 2 == pytest.approx(TILE_PX / 2, abs=1)
    assert tile[0, 0].tolist() == [114, 114, 114]


def test_a_place_in_the_tile_is_one_in_the_picture() -> None:
    _, place = cut(np.zeros((720, 1280, 3), np.uint8), np.array((600, 300, 630, 390), np.float32))
    assert place.to_tile((615, 345)) == pytest.approx((TILE_PX / 2, TILE_PX / 2))
    assert place.to_picture(place.to_tile((601.5, 322.0))) == pytest.approx((601.5, 322.0))


def test_each_peak_is_one_head() -> None:
    heads = told(maps((40, 20, 10, 0.8, 0.1), (52, 22, 10, 0.0, 0.7), (44, 22, 10, 0.4, 0.0)))
    assert heads.tolist() == [
        pytest.approx((41, 21, 10, 0.8, 0.1)),  # the third is too near to be another one
        pytest.approx((53, 23, 10, 0.0, 0.7)),
    ]


def test_what_is_unsure_or_has_no_heads_size_is_none() -> None:
    assert told(maps((40, 20, 10, 0.2, 0.1), (60, 20, 60, 0.9, 0.0), (20, 20, 1, 0.9, 0.0))).shape == (0, 5)


def found_by(
    finder: HeadFinder, *boxes: tuple[int, tuple[float, float, float, float]], standing: int = 0
) -> list[np.ndarray]:
    """Heads of each box; the first `standing` of them stand."""
    heads = np.empty(len(boxes), object)
    heads[:] = [np.full((1, 6), -1, np.float32)] * len(boxes)
    users = sv.Detections(
        xyxy=np.array([box for _, box in boxes], np.float32),
        class_id=np.array([kind for kind, _ in boxes]),
        data={"heads": heads},
    )
    moving = np.arange(len(boxes)) >= standing
    return list(finder.look(np.zeros((720, 1280, 3), np.uint8), users, moving).data["heads"])


def seeing(path: Path, *heads: tuple[float, float, float, float, float]) -> HeadFinder:
    return HeadFinder(constant_model(path, maps(*heads), batch="n", size=(TILE_PX, TILE_PX)))


def test_heads_are_told_of_motorbikes_that_are_large_enough_where_they_are(tmp_path: Path) -> None:
    finder = seeing(tmp_path / "heads.onnx", (47, 20, 10, 0.1, 0.8))
    bike, far, car = found_by(
        finder,
        (MOTORBIKE, (100, 100, 126, 139)),
        (MOTORBIKE, (300, 100, 310, 120)),
        (CAR, (500, 100, 600, 160)),
    )
    [[left, top, right, bottom, helmet, bare]] = bike.tolist()
    # The middle of the tile is that of its box, (113, 119.5), and 2 pixels of the tile are one.
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((112.5, 106), abs=0.01)
    assert bottom - top == pytest.approx(5)
    assert (helmet, bare) == pytest.approx((0.1, 0.8))
    assert far.tolist() == car.tolist() == [[-1] * 6]


def test_of_a_crowd_the_largest_are_looked_at(tmp_path: Path) -> None:
    finder = seeing(tmp_path / "heads.onnx", (47, 20, 10, 0.8, 0.1))
    rows = [(MOTORBIKE, (20.0 * n, 100.0, 20.0 * n + 18, 140.0 + n)) for n in range(MOST + 4)]
    looked = [heads.tolist() != [[-1] * 6] for heads in found_by(finder, *rows)]
    assert looked == [False] * 4 + [True] * MOST


def test_who_rides_past_a_crowd_that_waits_is_looked_at_first(tmp_path: Path) -> None:
    finder = seeing(tmp_path / "heads.onnx", (47, 20, 10, 0.8, 0.1))
    waits = [(MOTORBIKE, (20.0 * n, 300.0, 20.0 * n + 18, 420.0 - n)) for n in range(MOST + 2)]
    rides = [(MOTORBIKE, (40.0 * n, 100.0, 40.0 * n + 18, 140.0)) for n in range(3)]
    looked = [heads.tolist() != [[-1] * 6] for heads in found_by(finder, *waits, *rides, standing=MOST + 2)]
    assert looked == [True] * (MOST - 3) + [False] * 5 + [True] * 3


def test_a_file_that_is_not_there_and_another_model_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PerceptionError, match=r"away\.onnx is not there"):
        HeadFinder(tmp_path / "away.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(PerceptionError, match=r"text\.onnx cannot be run"):
        HeadFinder(tmp_path / "text.onnx")
    other = constant_model(
        tmp_path / "other.onnx", np.zeros((7, 12), np.float32), batch="n", size=(TILE_PX, TILE_PX)
    )
    with pytest.raises(PerceptionError, match=r"other\.onnx gives .* correct model\.heads"):
        HeadFinder(other)


def test_the_shipped_model_loads() -> None:
    assert ModelSettings(path=SHIPPED, heads=SHIPPED).heads == SHIPPED
    assert HeadFinder(SHIPPED).heads(np.zeros((720, 1280, 3), np.uint8), np.empty((0, 4), np.float32)) == []

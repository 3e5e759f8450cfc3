"""Sheets to train on: labels lie where the pictures are."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.sim.types import Seen
from scripts.detector.pictures import NAMES, labels
from scripts.detector.sheets import BODY_PX, PLACES, SHEET, TILE_PX, put
from scripts.detector.windows import inside

RIDER = Seen(
    1,
    "motorbike",
    (600.0, 300.0, 630.0, 345.0),
    1.0,
    heads=((610.0, 302.0, 617.0, 309.0, False), (616.0, 303.0, 619.0, 306.0, True)),
)
BESIDE = Seen(2, "person", (650.0, 300.0, 690.0, 360.0), 1.0)


def test_a_tiles_labels_are_its_own_enlarged() -> None:
    sheet = np.zeros((SHEET[1], SHEET[0], 3), np.uint8)
    picture = np.zeros((720, 1280, 3), np.uint8)
    tile = put(sheet, PLACES[7], picture, np.array(RIDER.box, np.float32))
    x, y = tile.corner
    assert (x, y) == PLACES[7]
    shown = list(inside((RIDER, BESIDE), tile.shift, tile.scale, (x, y, x + TILE_PX, y + TILE_PX)))
    assert [one.kind for one in shown] == ["motorbike"]  # who stands half outside is not labelled
    left, top, right, bottom = shown[0].box
    assert bottom - top == pytest.approx(BODY_PX, abs=0.1)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx(
        (x + TILE_PX / 2, y + TILE_PX / 2), abs=0.1
    )
    [bike, head] = [line.split() for line in labels(shown, 1.0, SHEET)]  # the tiny head is nobody's guess
    assert (NAMES[int(bike[0])], NAMES[int(head[0])]) == ("motorbike", "head")
    assert float(head[2]) * SHEET[1] == pytest.approx(y + 15 + 2 * 5.5, abs=0.1)

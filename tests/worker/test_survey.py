from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.scene import Calibration
from pipeline.sim.camera import homography
from pipeline.sim.types import CameraPose
from pipeline.worker import survey

WIDE = CameraPose("wide", position=(0.0, -12.0, 7.0), look_at=(0.0, 18.0, 0.0), fov_deg=55.0)
LONG = CameraPose("long", position=(0.0, -32.0, 6.0), look_at=(0.5, 6.0, 0.0), fov_deg=14.0)
TELE = CameraPose("tele", position=(0.0, -60.0, 6.0), look_at=(3.0, 6.0, 0.0), fov_deg=4.0)
UTM_M = (592345.0, 1250120.0)


def surveyed(camera: CameraPose, origin_m: tuple[float, float]) -> Calibration:
    """Points near the picture's corners and in its middle, of those that lie on the road."""
    picture = np.array([(0.1, 0.95), (0.9, 0.95), (0.1, 0.5), (0.9, 0.5), (0.5, 0.7), (0.4, 0.6)])
    pixels = np.column_stack([picture * [camera.width_px, camera.height_px], np.ones(len(picture))])
    ground = pixels @ np.linalg.inv(homography(camera)).T
    return Calibration(picture, ground[:, :2] / ground[:, 2:] + origin_m)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[float, float, float, float]]:
    """Texts and their extents: left, top, right, bottom."""
    texts: dict[str, tuple[float, float, float, float]] = {}
    put = cv2.putText

    def record(canvas: Any, text: str, at: tuple[int, int], font: int, scale: float, *more: Any) -> Any:
        (wide, high), _ = cv2.getTextSize(text, font, scale, 1)
        texts[text] = (at[0], at[1] - high, at[0] + wide, at[1])
        return put(canvas, text, at, font, scale, *more)

    monkeypatch.setattr(survey.cv2, "putText", record)
    return texts


@pytest.mark.parametrize("camera", [WIDE, LONG, TELE], ids=lambda camera: camera.id)
@pytest.mark.parametrize("origin_m", [(0.0, 0.0), UTM_M], ids=["near", "utm"])
def test_numbers_stand_in_the_picture_on_the_lines_they_tell(
    camera: CameraPose, origin_m: tuple[float, float], written: dict[str, tuple[float, float, float, float]]
) -> None:
    calibration = surveyed(camera, origin_m)
    size = (camera.width_px, camera.height_px)
    survey.draw_grid(np.full((size[1], size[0], 3), 90, np.uint8), calibration)

    for axis in "xy":
        told = {text: extent for text, extent in written.items() if text.startswith(axis)}
        assert told, axis
        for text, (left, top, right, bottom) in told.items():
            assert left > 0
            assert top > 0
            assert right < size[0]
            assert bottom < size[1]
            middle = ((left + right) / 2 / size[0], (top + bottom) / 2 / size[1])
            metres = calibration.to_ground(middle)[0]["xy".index(axis)]
            pixel_m = abs(calibration.jacobian(middle)[0] / size).max()
            assert abs(metres - float(text.split()[1])) < 2 * pixel_m
    extents = list(written.values())
    for i, a in enumerate(extents):
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in extents[:i])


def test_where_no_fifth_line_is_in_the_picture_each_line_tells_its_metres(
    written: dict[str, tuple[float, float, float, float]],
) -> None:
    calibration = surveyed(TELE, (4.5, 0.0))
    survey.draw_grid(np.full((TELE.height_px, TELE.width_px, 3), 90, np.uint8), calibration)
    assert {text for text in written if text.startswith("x")} == {"x 6", "x 7", "x 8", "x 9"}
    assert {text for text in written if text.startswith("y")} == {"y -5", "y 0", "y 5"}

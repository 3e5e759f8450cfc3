"""A second look at parts of a picture: far things are found, near ones once, cut-off ones not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import supervision as sv

from pipeline.perception.detector import Detector
from pipeline.perception.windows import detect
from pipeline.types import Picture

CAR = 3


class Bright:
    """Stands for a model: finds bright rectangles at least this share of the picture wide."""

    least = 0.05
    input_size = (200, 100)

    def __init__(self) -> None:
        self.shown: list[tuple[int, int]] = []

    def detect(self, pictures: Sequence[Picture]) -> list[sv.Detections]:
        self.shown += [(picture.shape[1], picture.shape[0]) for picture in pictures]
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Picture) -> sv.Detections:
        boxes = []
        for value in np.unique(picture[picture > 0]):
            rows, columns = np.nonzero(picture[..., 0] == value)
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            if box[2] - box[0] >= self.least * picture.shape[1]:
                boxes.append((*box, 0.5 + 0.1 * (box[2] - box[0]) / picture.shape[1]))
        array = np.array(boxes, np.float32).reshape(-1, 5)
        return sv.Detections(
            xyxy=array[:, :4], confidence=array[:, 4], class_id=np.full(len(array), CAR, np.intp)
        )


def picture_with(*boxes: tuple[int, int, int, int]) -> Picture:
    picture = np.zeros((200, 400, 3), np.uint8)
    for value, (left, top, right, bottom) in enumerate(boxes, 100):
        picture[top:bottom, left:right] = value
    return picture


def seen(picture: Picture, *windows: tuple[float, float, float, float]) -> tuple[list[list[float]], Any]:
    model = Bright()
    [found] = detect(cast(Detector, model), [picture], [windows])
    assert set(np.asarray(found.class_id).tolist()) <= {CAR}
    return sorted(found.xyxy.tolist()), model


def test_what_is_far_is_found_in_its_window_at_its_place() -> None:
    picture = picture_with((210, 60, 222, 80))
    assert seen(picture)[0] == []
    found, model = seen(picture, (0.5, 0.25, 0.75, 0.5))
    assert found == [[210, 60, 222, 80]]
    assert model.shown == [(400, 200), (100, 50)]


def test_a_picture_no_larger_than_the_models_input_is_looked_at_once() -> None:
    model = Bright()
    small = np.zeros((100, 200, 3), np.uint8)
    detect(cast(Detector, model), [small], [[(0.5, 0.25, 0.75, 0.5)]])
    assert model.shown == [(200, 100)]


@pytest.mark.parametrize("size", [(133, 101), (100, 150), (201, 100)])
def test_a_picture_that_is_scaled_down_by_its_height_alone_has_windows_too(size: tuple[int, int]) -> None:
    model = Bright()
    detect(cast(Detector, model), [np.zeros((*size[::-1], 3), np.uint8)], [[(0.0, 0.0, 0.5, 0.5)]])
    assert model.shown[0] == size
    assert len(model.shown) == 2


def test_what_both_see_is_there_once() -> None:
    assert seen(picture_with((220, 60, 260, 90)), (0.5, 0.25, 0.75, 0.5))[0] == [[220, 60, 260, 90]]


def test_what_a_window_cuts_off_is_left_to_the_whole() -> None:
    picture = picture_with((180, 60, 230, 90))
    assert seen(picture, (0.5, 0.25, 0.75, 0.5))[0] == [[180, 60, 230, 90]]


@pytest.mark.parametrize(
    ("box", "found"),
    [
        ((403, 300, 453, 380), False),
        ((1147, 300, 1197, 380), False),
        ((600, 203, 650, 260), False),
        ((600, 540, 650, 597), False),
        ((409, 300, 459, 380), True),
        ((1141, 300, 1191, 380), True),
        ((600, 209, 650, 260), True),
        ((600, 540, 650, 591), True),
    ],
)
def test_what_ends_a_pixel_of_the_models_input_short_of_a_windows_edge_is_cut_off(
    box: tuple[int, int, int, int], found: bool
) -> None:
    """In a window of 800 x 400 shown at 200 x 100 that pixel is four; the whole shows nothing."""
    picture = np.zeros((800, 1600, 3), np.uint8)
    left, top, right, bottom = box
    picture[top:bottom, left:right] = 100
    assert seen(picture, (0.25, 0.25, 0.75, 0.75))[0] == ([[left, top, right, bottom]] if found else [])


def test_the_pictures_own_edge_cuts_nothing_off() -> None:
    assert seen(picture_with((388, 150, 400, 200)), (0.75, 0.5, 1.0, 1.0))[0] == [[388, 150, 400, 200]]


def test_each_picture_has_its_own_windows() -> None:
    far, other = picture_with((210, 60, 222, 80)), picture_with((10, 160, 60, 190))
    found = detect(cast(Detector, Bright()), [far, other, far], [[], [], [(0.5, 0.25, 0.75, 0.5)]])
    assert [one.xyxy.tolist() for one in found] == [[], [[10, 160, 60, 190]], [[210, 60, 222, 80]]]


@pytest.mark.parametrize("window", [(0.0, 0.0, 1.0, 1.0), (0.9999, 0.9999, 1.0, 1.0), (0.0, 0.0, 1e-9, 1e-9)])
def test_windows_as_large_or_small_as_can_be(window: tuple[float, float, float, float]) -> None:
    assert seen(picture_with((100, 50, 200, 100)), window)[0] == [[100, 50, 200, 100]]

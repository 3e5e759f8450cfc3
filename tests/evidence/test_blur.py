"""Who is hidden cannot be known again; who is judged, and the original, stay as they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.evidence.blur import Seen, blur
from pipeline.plates import PlateReader, Sighting
from pipeline.sim.types import Plate
from pipeline.types import Box, Picture
from tests.plates.test_reader import vehicle

KEEP: Box = (0.1, 0.1, 0.4, 0.6)
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def noise(width: int = 640, height: int = 360) -> Picture:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def pixels(picture: Picture, box: Box) -> Picture:
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    return picture[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]


@pytest.fixture(scope="module")
def reader() -> PlateReader:
    return PlateReader()


@pytest.mark.parametrize(
    ("what", "box"),
    [("motorbike", (0.1, 0.1, 0.9, 0.95)), ("license_plate", (0.3, 0.55, 0.7, 0.85))],
)
def test_a_plate_cannot_be_read_any_more(reader: PlateReader, what: str, box: Box) -> None:
    plate = Plate("59P231316", 2, "white")
    picture = vehicle((plate, True, (0.5, 0.7)), char_px=36.0)
    assert reader.read([Sighting(picture, WHOLE, 0.0)]).text == plate.text
    hidden = blur(picture, [], [Seen(what, box)])
    smooth = cv2.GaussianBlur(hidden, (0, 0), 4)
    for tried in (hidden, np.asarray(smooth, np.uint8)):
        reading = reader.read([Sighting(tried, WHOLE, 0.0)])
        assert not reading.legible
        assert len(set(reading.text) & set(plate.text)) <= 3


def test_the_judged_stays_clear_and_the_original_as_it_was() -> None:
    picture = noise()
    others = [
        Seen("car", (0.3, 0.3, 0.8, 0.9)),
        Seen("head", (0.2, 0.05, 0.25, 0.2)),
        Seen("motorbike", (0.12, 0.12, 0.41, 0.6)),
        Seen("truck", (0.5, 0.0, 1.0, 0.9), judged=True),
    ]
    hidden = blur(picture, [KEEP], others)
    assert np.array_equal(picture, noise())
    assert np.array_equal(pixels(hidden, KEEP), pixels(picture, KEEP))
    right = (0.86, 0.0, 1.0, 1.0)
    assert np.array_equal(pixels(hidden, right), pixels(picture, right)), "the judged is not hidden, wherever"
    rim = (0.41, 0.1, 0.49, 0.2)
    assert np.array_equal(pixels(hidden, rim), pixels(picture, rim)), "its own riders belong to it"
    other = (0.5, 0.4, 0.75, 0.85)
    assert len(np.unique(pixels(hidden, other).reshape(-1, 3), axis=0)) < 300
    assert np.array_equal(hidden, blur(picture, [KEEP], others))


def test_where_nobody_knows_who_is_there_all_else_is_hidden() -> None:
    picture = noise()
    hidden = blur(picture, [KEEP], None)
    assert np.array_equal(pixels(hidden, KEEP), pixels(picture, KEEP))
    assert (hidden == picture).all(axis=2).mean() < 0.16, "hardly a pixel outside of the kept box survives"
    assert np.array_equal(blur(picture, [], []), picture)


def test_the_same_mosaic_cannot_be_made_without_the_original() -> None:
    """Pictures of equal cells are hidden differently: trying plates until the mosaic fits leads nowhere."""
    one = np.full((80, 80, 3), 100, np.uint8)
    one[::2] = 140
    other = np.ascontiguousarray(one[::-1])
    assert np.array_equal(
        one.reshape(10, 8, 10, 8, 3).mean((1, 3)), other.reshape(10, 8, 10, 8, 3).mean((1, 3))
    )
    assert not np.array_equal(blur(one, [], [Seen("car", WHOLE)]), blur(other, [], [Seen("car", WHOLE)]))


@pytest.mark.parametrize(
    "box",
    [(1.2, 0.1, 1.4, 0.3), (0.5, 0.5, 0.5, 0.5), (-1.0, -1.0, 2.0, 2.0), (0.999, 0.999, 1.0, 1.0)],
)
def test_boxes_that_stick_out_or_are_nothing(box: Box) -> None:
    for picture in (noise(), noise(3, 2)):
        assert blur(picture, [box], [Seen("person", box), Seen("head", box)]).shape == picture.shape
        assert blur(picture, [], [Seen("person", box), Seen("head", box)]).shape == picture.shape

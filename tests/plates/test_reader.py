"""Plates drawn by the city, read as they are, small, askew and dim."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.plates import PlateReader, Sighting
from pipeline.plates.color import ground_color
from pipeline.plates.reader import LEGIBLE
from pipeline.sim.render import plates
from pipeline.sim.render.textures import font
from pipeline.sim.types import Plate
from pipeline.types import Box, Picture, PlateReading, RoadUserKind

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
CASES = [
    (Plate("70A12345", 1, "white"), False),
    (Plate("51G68882", 2, "white"), False),
    (Plate("29E11446", 1, "yellow"), False),
    (Plate("62C07853", 2, "yellow"), False),
    (Plate("80B24917", 1, "blue"), False),
    (Plate("70AB12345", 2, "white"), True),
    (Plate("59P231316", 2, "white"), True),
    (Plate("54S85452", 2, "white"), True),
    (Plate("70M100123", 2, "blue"), True),
]


def vehicle(
    *shown: tuple[Plate, bool, tuple[float, float]],
    char_px: float = 24.0,
    size: tuple[int, int] = (560, 420),
    turn_deg: float = 0.0,
    dim: float = 1.0,
) -> Picture:
    """A dark tail with plates around the given places (shares of the picture), with a camera's noise."""
    width, height = size
    picture = np.full((height, width, 3), (52, 48, 60), np.uint8)
    cv2.rectangle(picture, (width // 10, height // 8), (width * 9 // 10, height // 2), (90, 84, 80), -1)
    for plate, motorbike, (x, y) in shown:
        drawn = plates.picture(plate, motorbike)[:, :, ::-1]
        kind = plates.shape(plate, motorbike)
        scale = char_px / (plates.CHARACTER_SHARE[kind] * drawn.shape[0])
        small = cv2.resize(
            np.ascontiguousarray(drawn), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        top, left = round(y * height - small.shape[0] / 2), round(x * width - small.shape[1] / 2)
        picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, 1.0)
    picture = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(1).normal(0, 3, picture.shape)
    return np.clip(picture * dim + noise, 0, 255).astype(np.uint8)


def seen(picture: Picture, box: Box = WHOLE, at_s: float = 1.0) -> Sighting:
    return Sighting(picture, box, at_s)


def read_one(reader: PlateReader, plate: Plate, motorbike: bool, **how: object) -> PlateReading:
    picture = vehicle((plate, motorbike, (0.5, 0.7)), **how)  # type: ignore[arg-type]
    return reader.read([seen(picture), seen(picture, at_s=1.2)])


@pytest.mark.parametrize(("plate", "motorbike"), CASES, ids=lambda value: getattr(value, "text", ""))
def test_text_lines_colour_and_province(reader: PlateReader, plate: Plate, motorbike: bool) -> None:
    reading = read_one(reader, plate, motorbike)
    assert reading.text == plate.text
    assert len(reading.lines) == plate.lines
    assert "".join(reading.lines) == plate.text
    assert reading.color == plate.color
    assert reading.province == plate.text[:2]
    assert reading.form == ("motorbike" if motorbike else "car")
    assert reading.legible
    assert reading.reason == ""
    assert reading.confidence >= LEGIBLE


@pytest.mark.parametrize(
    "how",
    [{"turn_deg": 12.0}, {"turn_deg": -12.0}, {"dim": 0.45}, {"char_px": 14.0}, {"char_px": 60.0}],
    ids=str,
)
@pytest.mark.parametrize(
    ("plate", "motorbike"), [CASES[0], CASES[1], CASES[6]], ids=lambda v: getattr(v, "text", "")
)
def test_askew_dim_small_and_large(
    reader: PlateReader, plate: Plate, motorbike: bool, how: dict[str, float]
) -> None:
    assert read_one(reader, plate, motorbike, **how).text == plate.text


def test_where_nothing_is_found_on_a_large_vehicle_it_is_looked_at_more_closely(reader: PlateReader) -> None:
    """Shrunk to 640 px its characters have 6."""
    near = {"size": (2200, 600), "char_px": 20.0}
    assert read_one(reader, Plate("62N06659", 2, "white"), False, **near).text == "62N06659"


def test_the_sight_says_where_and_what_was_read(reader: PlateReader) -> None:
    plate = Plate("59P231316", 2, "white")
    [sight] = reader.read([seen(vehicle((plate, True, (0.5, 0.7)), char_px=30.0), at_s=7.5)]).sights
    left, top, right, bottom = sight.box
    assert left < 0.5 < right
    assert top < 0.7 < bottom
    assert right - left < 0.4
    assert sight.captured_at_s == 7.5
    assert len(sight.lines) == 2
    assert sight.lines[0].replace("-", "") == "59P2"
    assert sight.lines[1].replace(".", "") == "31316"
    assert sight.char_px == pytest.approx(30, rel=0.3)


def test_a_plate_too_small_to_read_is_not_told(reader: PlateReader) -> None:
    reading = read_one(reader, Plate("59P231316", 2, "white"), True, char_px=4.0)
    assert not reading.legible
    assert reading.reason


def test_no_plate_no_picture_and_no_room(reader: PlateReader) -> None:
    blank = vehicle()
    assert reader.read([]).reason == "no picture of the vehicle could be had"
    for box in (
        WHOLE,
        (0.5, 0.5, 0.5, 0.5),
        (0.9, 0.9, 0.1, 0.1),
        (-3.0, -3.0, -2.0, -2.0),
        (2.0, 2.0, 3.0, 3.0),
    ):
        reading = reader.read([seen(blank, box)])
        assert (reading.text, reading.legible, reading.sights) == ("", False, ())
        assert "1 picture" in reading.reason


def test_foreign_plates_are_read_and_not_forced(reader: PlateReader) -> None:
    picture = vehicle()
    plate = Image.new("RGB", (230, 60), (245, 245, 245))
    ImageDraw.Draw(plate).text((115, 30), "2HK 1738", (20, 30, 120), font("DejaVuSans-Bold", 40), anchor="mm")
    picture[260:320, 170:400] = np.asarray(plate)[:, :, ::-1]
    reading = reader.read([seen(picture)])
    assert reading.text == "2HK1738"
    assert reading.voted == reading.lines
    assert reading.form is None
    assert reading.province is None
    assert not reading.legible
    assert "not written like a Vietnamese plate" in reading.reason


def test_the_vehicle_beside_keeps_its_plate(reader: PlateReader) -> None:
    mine, other = Plate("70A12345", 2, "white"), Plate("51G68882", 2, "white")
    picture = vehicle((mine, False, (0.25, 0.6)), (other, False, (0.75, 0.6)))
    assert reader.read([seen(picture, (0.05, 0.1, 0.48, 0.9))]).text == mine.text
    assert reader.read([seen(picture, (0.52, 0.1, 0.95, 0.9))]).text == other.text
    both = reader.read([seen(picture, (0.05, 0.1, 0.95, 0.9))])
    assert not both.legible
    assert "another plate" in both.reason


def test_pictures_vote_and_one_of_another_vehicle_does_not_count(reader: PlateReader) -> None:
    mine, other = Plate("70A12345", 1, "white"), Plate("51G68882", 1, "white")
    pictures = [
        vehicle((plate, False, (0.5, 0.7)), char_px=px) for plate, px in ((other, 9), (mine, 20), (mine, 22))
    ]
    reading = reader.read([seen(picture, at_s=at_s) for at_s, picture in enumerate(pictures)])
    assert reading.text == mine.text
    assert [sight.captured_at_s for sight in reading.sights] == [0, 1, 2]


@pytest.mark.parametrize("hidden_px", [(313, 360), (200, 249)], ids=["last", "first"])
def test_a_number_with_a_hidden_digit_is_not_legible_as_an_old_one(
    reader: PlateReader, hidden_px: tuple[int, int]
) -> None:
    """Two lines, 480.33: something stands in front of one end of the lower one, in all pictures."""
    picture = vehicle((Plate("70E48033", 2, "white"), False, (0.5, 0.7)))
    picture[292:340, slice(*hidden_px)] = (60, 70, 160)
    reading = reader.read([seen(picture, at_s=at_s) for at_s in range(3)])
    assert reading.text in ("70E4803", "70E8033")
    assert "may be hidden" in reading.reason
    assert not reading.legible


def test_a_motorbikes_plate_in_a_cars_box_is_somebody_elses(reader: PlateReader) -> None:
    motorbikes = vehicle((Plate("62LX51648", 2, "white"), True, (0.5, 0.7)))
    pictures = [seen(motorbikes), seen(motorbikes, at_s=1.2)]
    assert reader.read(pictures, kind=RoadUserKind.MOTORBIKE).legible
    reading = reader.read(pictures, kind=RoadUserKind.CAR)
    assert reading.text == "62LX51648"
    assert (reading.legible, reading.cause) == (False, "rival_plate")
    beside = (Plate("70A12345", 1, "white"), False, (0.3, 0.6))
    both = vehicle((Plate("62LX51648", 2, "white"), True, (0.5, 0.72)), beside)
    assert reader.read([seen(both)], kind=RoadUserKind.CAR).text == "70A12345"
    assert reader.read([seen(both)], kind=RoadUserKind.MOTORBIKE).text == "62LX51648"


def test_two_pictures_agree_on_an_old_number_or_it_is_not_legible(reader: PlateReader) -> None:
    picture = vehicle((Plate("54S85452", 2, "white"), True, (0.5, 0.7)))
    once = reader.read([seen(picture)])
    assert once.text == "54S85452"
    assert not once.legible
    assert "four digits" in once.reason
    assert reader.read([seen(picture), seen(picture, at_s=1.2)]).legible


def test_two_pictures_that_agree_spare_the_rest(reader: PlateReader) -> None:
    picture = vehicle((CASES[0][0], False, (0.5, 0.7)))
    assert len(reader.read([seen(picture)] * 5).sights) == 2


def test_time_is_bounded(reader: PlateReader) -> None:
    def slow() -> object:
        for _ in range(100):
            time.sleep(0.05)
            yield seen(vehicle())

    began = time.monotonic()
    reader.read(slow(), budget_s=0.2)  # type: ignore[arg-type]
    assert time.monotonic() - began < 4


def test_a_finder_says_where_and_text_is_searched_for_where_it_sees_none() -> None:
    plate, asked = CASES[6][0], []

    def finder(picture: Picture) -> list[tuple[tuple[float, float, float, float], float]]:
        asked.append(picture.shape)
        return [((230.0, 240.0, 335.0, 350.0), 0.8)] if len(asked) == 1 else []

    reader = PlateReader(finder)
    picture = vehicle((plate, True, (0.5, 0.7)))
    assert reader.read([seen(picture)]).text == plate.text
    assert reader.read([seen(picture)]).text == plate.text
    assert len(asked) == 2


def test_threads_share_a_reader(reader: PlateReader) -> None:
    pictures = [vehicle((plate, motorbike, (0.5, 0.7))) for plate, motorbike in CASES]
    with ThreadPoolExecutor(3) as pool:
        texts = list(pool.map(lambda picture: reader.read([seen(picture)]).text, pictures))
    assert texts == [plate.text for plate, _ in CASES]


@pytest.mark.parametrize(
    ("ground", "ink", "color"),
    [
        ((240, 244, 246), (18, 16, 16), "white"),
        ((120, 124, 126), (12, 10, 10), "white"),
        ((20, 190, 245), (12, 16, 18), "yellow"),
        ((150, 62, 22), (245, 245, 245), "blue"),
        ((40, 35, 190), (245, 245, 245), "red"),
        ((240, 244, 246), (40, 35, 190), "white"),
        ((9, 9, 9), (4, 4, 4), None),
        ((80, 80, 80), (80, 80, 80), None),
    ],
)
def test_the_grounds_colour(
    ground: tuple[int, int, int], ink: tuple[int, int, int], color: str | None
) -> None:
    picture = np.full((40, 200, 3), ground, np.uint8)
    cv2.putText(picture, "NG 80-011", (6, 30), cv2.FONT_HERSHEY_SIMPLEX, 1.0, ink, 4, cv2.LINE_AA)
    assert ground_color(picture) == color
    assert ground_color(picture[:0]) is None


@pytest.mark.parametrize("lines", [1, 2])
def test_a_joint_ventures_car_bears_two_letters_on_one_line_or_two(reader: PlateReader, lines: int) -> None:
    def read(text: str, kind: RoadUserKind) -> PlateReading:
        picture = vehicle((Plate(text, lines, "white"), False, (0.5, 0.7)))
        return reader.read([seen(picture), seen(picture, at_s=1.2)], kind=kind)

    reading = read("29LD12345", RoadUserKind.CAR)
    assert (reading.text, reading.form, reading.legible, reading.reason) == ("29LD12345", "joint", True, "")
    if lines == 2:
        assert read("29LD12345", RoadUserKind.MOTORBIKE).form == "motorbike"
        other = read("29AB12345", RoadUserKind.CAR)
        assert (other.legible, other.cause) == (False, "rival_plate")

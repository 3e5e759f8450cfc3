"""A camera that was moved: real pictures cut out of real clips elsewhere, and the city's by day and night."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.perception.moved import EVERY_S, HOLD, HOLD_STRANGE, Fit, MovedCamera, compare, edges, small
from pipeline.sim.city import City
from pipeline.sim.render import Renderer
from pipeline.sim.scenario import scenario
from pipeline.sim.types import CameraPose
from pipeline.types import Picture

CLIPS = (
    "junction-dense-960x540-30fps",
    "junction-red-640x480-6fps",
    "junction-red-green-arrow-1018x720-20fps",
    "oncoming-motorbikes-1600x1200-6fps-mpeg4",
    "people-indoor-768x432-10fps",
    "pickup-runs-red-854x480-25fps",
)
LONG = 40
"""Pictures in a row, one every two seconds of the camera's time."""


def clip(folder: Path, name: str, every_s: float = 0.5, most: int = 20) -> list[Picture]:
    """Pictures of a clip. They come sooner than every two seconds would give, so traffic fades less well."""
    video = cv2.VideoCapture(str(folder / "real" / "video" / f"{name}.mp4"))
    step = max(1, round(video.get(cv2.CAP_PROP_FPS) * every_s))
    out: list[Picture] = []
    number = 0
    while len(out) < most:
        good, picture = video.read()
        if not good:
            break
        if number % step == 0:
            size = (480, round(480 * picture.shape[0] / picture.shape[1]))
            out.append(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))
        number += 1
    return out


def there_and_back(pictures: list[Picture]) -> Iterator[Picture]:
    return cycle([*pictures, *pictures[-2:0:-1]] if len(pictures) > 2 else pictures)


def watch(moved: MovedCamera, pictures: Iterator[Picture], count: int, from_s: float) -> list[Fit]:
    """Every state it changes to."""
    states = []
    for i, picture in enumerate(islice(pictures, count)):
        if moved.observe(picture, from_s + i * EVERY_S):
            states.append(moved.state)
    return states


def cut(across: float, down: float) -> Callable[[Picture], Picture]:
    """Four fifths of the picture, moved by a share of them."""

    def one(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        h, w = int(0.8 * height), int(0.8 * width)
        x, y = int(0.1 * width + across * w), int(0.1 * height + down * h)
        return picture[y : y + h, x : x + w]

    return one


def written_over(picture: Picture, texts: int, number: int) -> Picture:
    """What a recorder writes: the time, the place, its owner and the camera's bearing, in that order."""
    out = picture.copy()
    height, width = out.shape[:2]
    lines = (
        (f"2026-11-29 08:{number // 30 % 60:02d}:{2 * number % 60:02d}", 0.02, 0.07),
        ("CAM 03 NGA TU HOA THANH", 0.52, 0.96),
        ("CSGT TAY NINH", 0.7, 0.07),
        ("PTZ 120 030 x1", 0.02, 0.96),
    )
    for text, x, y in lines[:texts]:
        at = (int(x * width), int(y * height))
        for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(out, text, at, cv2.FONT_HERSHEY_SIMPLEX, width / 960, colour, thick)
    return out


def pattern(seed: int, height: int = 360) -> Picture:
    """A picture of 640 pixels' width with edges everywhere, another one for each seed."""
    squares = np.random.default_rng(seed).integers(0, 255, (height // 20, 32, 3))
    return np.kron(squares, np.ones((20, 20, 1))).astype(np.uint8)


@pytest.fixture(scope="module", params=CLIPS)
def pictures(request: pytest.FixtureRequest, shared_dir: Path) -> list[Picture]:
    found = clip(shared_dir, request.param)
    if not found:
        pytest.skip(f"clip {request.param} is not there")
    return found


def test_a_camera_that_stands_still_never_alarms(pictures: list[Picture]) -> None:
    moved = MovedCamera()
    states = watch(moved, there_and_back(pictures), LONG, 0.0)
    assert states == [Fit.FITS], "known to fit, and nothing else"


@pytest.mark.parametrize("by", [(0.025, 0.0), (0.1, -0.1)])
def test_a_camera_that_was_moved_is_known_and_so_is_its_return(
    shared_dir: Path, by: tuple[float, float]
) -> None:
    pictures = clip(shared_dir, CLIPS[2])
    if not pictures:
        pytest.skip("the clip is not there")
    moved = MovedCamera()
    before, after = (there_and_back(list(map(cut(*at), pictures))) for at in ((0.0, 0.0), by))
    assert watch(moved, before, 30, 0.0) == [Fit.FITS]
    assert watch(moved, after, 30, 60.0) == [Fit.MOVED]
    # The picture's content goes the other way than the camera.
    told = moved.comparison
    assert told.across == pytest.approx(-by[0], abs=0.015)
    assert told.down == pytest.approx(-by[1], abs=0.015)
    assert watch(moved, before, 30, 120.0) == [Fit.FITS]


@pytest.mark.parametrize(("roll_deg", "zoom"), [(4.0, 1.0), (0.0, 1.12)])
def test_a_roll_and_a_zoom_show_too(shared_dir: Path, roll_deg: float, zoom: float) -> None:
    pictures = clip(shared_dir, CLIPS[2], most=8)
    if not pictures:
        pytest.skip("the clip is not there")
    height, width = pictures[0].shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), roll_deg, zoom)
    turned = [np.asarray(cv2.warpAffine(p, turn, (width, height)), np.uint8) for p in pictures]
    moved = MovedCamera()
    watch(moved, there_and_back(list(map(cut(0, 0), pictures))), 30, 0.0)
    assert watch(moved, there_and_back(list(map(cut(0, 0), turned))), 40, 60.0) == [Fit.MOVED]


@pytest.mark.parametrize("texts", [0, 2, 4])
def test_another_place_is_strange_but_not_at_once_whatever_is_written_over_it(
    shared_dir: Path, texts: int
) -> None:
    here, elsewhere = clip(shared_dir, CLIPS[2], most=10), clip(shared_dir, CLIPS[0], most=10)
    if not (here and elsewhere):
        pytest.skip("the clips are not there")
    elsewhere = [np.asarray(cv2.resize(p, here[0].shape[1::-1]), np.uint8) for p in elsewhere]
    there = (written_over(p, texts, 30 + i) for i, p in enumerate(there_and_back(elsewhere)))
    moved = MovedCamera()
    written = (written_over(p, texts, i) for i, p in enumerate(there_and_back(here)))
    assert watch(moved, written, 30, 0.0) == [Fit.FITS]
    assert watch(moved, there, 40, 60.0) == []
    assert watch(moved, there, 3 * HOLD_STRANGE, 140.0) == [Fit.STRANGE]


@pytest.mark.parametrize("texts", [2, 3])
def test_a_turn_too_far_for_single_blocks_shows_under_an_overlay_too(texts: int) -> None:
    wide = pattern(7).repeat(2, axis=1)[:, :1280]
    wide[:, 640:] = pattern(8)
    here, there = ([written_over(wide[:, x : x + 640], texts, i) for i in range(9)] for x in (0, 160))
    moved = MovedCamera()
    assert watch(moved, cycle(here), 30, 0.0) == [Fit.FITS]
    assert watch(moved, cycle(there), 40, 60.0) == [Fit.MOVED]
    assert moved.comparison.across == pytest.approx(-0.25, abs=0.01)


@pytest.mark.parametrize("upright", [True, False])
def test_a_bus_that_hides_half_of_the_picture_is_no_other_place(
    pictures: list[Picture], upright: bool
) -> None:
    height, width = pictures[0].shape[:2]
    bus = cv2.resize(pattern(5), (width // 2, height) if upright else (width, height // 2))
    hidden = [p.copy() for p in pictures[:8]]
    for picture in hidden:
        picture[-bus.shape[0] :, : bus.shape[1]] = bus
    moved = MovedCamera()
    assert watch(moved, there_and_back(pictures), 30, 0.0) == [Fit.FITS]
    assert watch(moved, there_and_back(hidden), 4 * HOLD_STRANGE, 60.0) == []


def test_a_picture_of_another_shape_is_moved_until_its_shape_is_back() -> None:
    moved = MovedCamera()
    assert watch(moved, cycle([pattern(3)]), 30, 0.0) == [Fit.FITS]
    cropped = np.asarray(cv2.resize(pattern(3)[:, 80:560], (640, 480)), np.uint8)
    assert watch(moved, cycle([cropped]), 40, 60.0) == [Fit.MOVED]
    assert moved.comparison.other_shape
    assert watch(moved, cycle([pattern(3)]), 40, 140.0) == [Fit.FITS]


def test_some_rows_more_are_the_same_shape() -> None:
    moved = MovedCamera()
    assert watch(moved, cycle([pattern(3)]), 30, 0.0) == [Fit.FITS]
    rows = np.asarray(cv2.resize(pattern(3), (1920, 1088)), np.uint8)
    assert watch(moved, cycle([rows]), 40, 60.0) == []
    assert moved.comparison.fit is Fit.FITS
    other = np.roll(rows, 96, axis=1)
    assert watch(moved, cycle([other]), 40, 140.0) == [Fit.MOVED]
    assert not moved.comparison.other_shape


def test_darkness_says_nothing() -> None:
    rng = np.random.default_rng(1)
    scene = np.kron(rng.integers(0, 255, (18, 32)), np.ones((20, 20))).astype(np.uint8)
    lit, dark = cv2.merge([scene] * 3), cv2.merge([(scene // 100).astype(np.uint8)] * 3)
    moved = MovedCamera()
    assert watch(moved, cycle([lit]), 30, 0.0) == [Fit.FITS]
    noisy = [np.asarray(np.clip(dark + rng.normal(0, 2, dark.shape), 0, 255), np.uint8) for _ in range(9)]
    assert watch(moved, cycle(noisy), LONG, 60.0) == []


def test_nothing_is_known_before_some_pictures_were_seen() -> None:
    rng = np.random.default_rng(2)
    picture = np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8)
    moved = MovedCamera(small(picture))
    assert watch(moved, cycle([picture]), 3 * HOLD - 3, 0.0) == []
    assert moved.state is Fit.UNKNOWN
    assert watch(moved, cycle([picture]), 3 * HOLD, 2.0 * (3 * HOLD - 3)) == [Fit.FITS]


def turned(pose: CameraPose, pan_deg: float) -> CameraPose:
    dx, dy = pose.look_at[0] - pose.position[0], pose.look_at[1] - pose.position[1]
    away, angle = math.hypot(dx, dy), math.atan2(dy, dx) - math.radians(pan_deg)
    x, y = pose.position[0] + away * math.cos(angle), pose.position[1] + away * math.sin(angle)
    return replace(pose, look_at=(x, y, pose.look_at[2]))


@pytest.mark.slow
def test_one_degree_is_seen_by_night_against_a_reference_of_the_day() -> None:
    seen = {}
    for name, pan_deg in (("junction-day", 0.0), ("junction-night", 0.0), ("junction-night", 1.0)):
        one = scenario(name, duration_s=8.0)
        pose = next(pose for pose in one.poses() if pose.id == "south")
        pose = replace(turned(pose, pan_deg), width_px=640, height_px=360)
        renderer = Renderer(one.site().layout, pose, one.conditions)
        pictures = [renderer.draw(moment).picture for moment in islice(City(one).moments(0.5), 3)]
        seen[name, pan_deg] = np.mean([edges(small(picture)) for picture in pictures], axis=0)
    day = seen["junction-day", 0.0]
    assert compare(day, seen["junction-night", 0.0]).fit is Fit.FITS
    told = compare(day, seen["junction-night", 1.0])
    assert told.fit is Fit.MOVED
    assert told.across == pytest.approx(-0.02, abs=0.008)

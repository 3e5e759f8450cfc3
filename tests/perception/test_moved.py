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


def test_another_place_is_strange_but_not_at_once(shared_dir: Path) -> None:
    here, elsewhere = clip(shared_dir, CLIPS[2], most=10), clip(shared_dir, CLIPS[0], most=10)
    if not (here and elsewhere):
        pytest.skip("the clips are not there")
    elsewhere = [np.asarray(cv2.resize(p, here[0].shape[1::-1]), np.uint8) for p in elsewhere]
    moved = MovedCamera()
    assert watch(moved, there_and_back(here), 30, 0.0) == [Fit.FITS]
    assert watch(moved, there_and_back(elsewhere), 40, 60.0) == []
    assert watch(moved, there_and_back(elsewhere), 3 * HOLD_STRANGE, 140.0) == [Fit.STRANGE]


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

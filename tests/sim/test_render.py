"""Pictures of the synthetic city against the truth that comes with them."""

from __future__ import annotations

import dataclasses
import math
import os
import random
import subprocess
import sys
from functools import cache
from typing import Literal

import cv2
import numpy as np
import pytest

from pipeline.sim.errors import SimError
from pipeline.sim.render import Renderer, homography, lamp_boxes, project
from pipeline.sim.types import (
    Actor,
    Area,
    CameraPose,
    Conditions,
    Lamp,
    Layout,
    Marking,
    Moment,
    Paint,
    Plate,
    Rider,
    SignalHead,
    Surface,
)
from pipeline.types import LampColor, RoadUserKind

K = RoadUserKind
SIZES = {
    K.CAR: (4.4, 1.75, 1.5),
    K.BUS: (9.6, 2.45, 3.05),
    K.TRUCK: (6.6, 2.2, 2.8),
    K.MOTORBIKE: (1.9, 0.7, 1.1),
    K.BICYCLE: (1.7, 0.6, 1.05),
    K.PERSON: (0.42, 0.46, 1.7),
    "object": (0.5, 0.35, 0.5),
}
NORTH, SOUTH = math.pi / 2, -math.pi / 2


def make_layout() -> Layout:
    """A road to the north with pavements, houses, a crossing and two heads."""
    areas = (
        Area(Surface.ROAD, ((-7, -40), (7, -40), (7, 90), (-7, 90))),
        Area(Surface.PAVEMENT, ((7, -40), (11, -40), (11, 90), (7, 90))),
        Area(Surface.PAVEMENT, ((-11, -40), (-7, -40), (-7, 90), (-11, 90))),
        Area(Surface.PLOT, ((11, -40), (30, -40), (30, 90), (11, 90))),
        Area(Surface.PLOT, ((-30, -40), (-11, -40), (-11, 90), (-30, 90))),
    )
    markings = (
        Marking(Paint.SOLID, ((0, -40), (0, 20))),
        Marking(Paint.STOP_LINE, ((0, 22), (7, 22)), 0.3),
        Marking(Paint.CROSSING, ((-7, 26), (7, 26)), 4.0),
        Marking(Paint.ARROW_LEFT, ((3, 10), (3, 14)), 0.3),
    )
    heads = (
        SignalHead("ball", (4.0, 33.0, 5.2), SOUTH, pole=(8.0, 33.0)),
        SignalHead("arrow", (5.2, 33.0, 5.2), SOUTH, layout="single", shows="arrow_right"),
    )
    return Layout(areas, markings, heads, seed=5)


def make_camera(**changes: object) -> CameraPose:
    pose = CameraPose("test", (1.0, -6.0, 7.5), (1.0, 20.0, 0.0), 58.0, 960, 540)
    return dataclasses.replace(pose, **changes)


def make_actor(
    number: int, kind: K | str, x: float, y: float, heading: float = NORTH, **changes: object
) -> Actor:
    length, width, height = SIZES[kind]  # type: ignore[index]
    actor = Actor(number, kind, (x, y), heading, 5.0, length, width, height, seed=1000 + number)  # type: ignore[arg-type]
    return dataclasses.replace(actor, **changes)  # type: ignore[arg-type]


def moment(*actors: Actor, time_s: float = 1.0, lamps: tuple[Lamp, ...] = ()) -> Moment:
    return Moment(time_s, actors, lamps)


@pytest.fixture(scope="module")
def clear() -> Renderer:
    """By day, without noise: what changes in the picture was changed by actors."""
    return Renderer(make_layout(), make_camera(), Conditions(noise=0.0))


def changed(with_: np.ndarray, without: np.ndarray, least: int = 14) -> np.ndarray:
    return cv2.absdiff(with_, without).max(axis=2) > least


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_same_moment_gives_the_same_picture_and_truth() -> None:
    actors = (
        make_actor(1, K.CAR, 3, 14),
        make_actor(2, K.MOTORBIKE, -3, 10, SOUTH, riders=(Rider(True, 3),)),
    )
    first, second = (Renderer(make_layout(), make_camera(width_px=480, height_px=270)) for _ in range(2))
    first.draw(moment(make_actor(9, K.BUS, 2, 30), time_s=0.5))
    a, b = first.draw(moment(*actors)), second.draw(moment(*actors))
    assert np.array_equal(a.picture, b.picture)
    assert a.seen == b.seen
    assert a.picture.shape == (270, 480, 3)
    assert a.picture.dtype == np.uint8
    later = first.draw(moment(*actors, time_s=1.04))
    assert not np.array_equal(a.picture, later.picture)  # the sensor's noise is new with every frame


@pytest.mark.parametrize("kind", list(SIZES))
def test_every_kind_is_drawn_where_the_truth_says(kind: K | str) -> None:
    renderer = noon()
    riders = (Rider(True, 4),) if kind in (K.MOTORBIKE, K.BICYCLE) else ()
    for heading in (NORTH, SOUTH, 0.4):
        actor = make_actor(7, kind, 2.0, 11.0, heading, riders=riders)
        empty, full = renderer.draw(moment()), renderer.draw(moment(actor))
        (seen,) = full.seen
        assert (seen.actor_id, seen.kind) == (7, str(kind))
        assert seen.visible > 0.93
        rows, columns = np.nonzero(changed(full.picture, empty.picture))
        # Shadows reach a little over the sides and below; nothing changes above.
        left, top, right, bottom = seen.box
        assert abs(rows.min() - top) <= 2
        margin = 0.12 * (bottom - top) + 12
        assert columns.min() > left - margin
        assert columns.max() < right + margin
        inside = changed(full.picture, empty.picture)[round(top) : round(bottom), round(left) : round(right)]
        assert inside.any(axis=0).mean() > 0.9
        assert inside.any(axis=1).mean() > 0.9


@cache
def noon() -> Renderer:
    """Sun from the north, high: shadows fall towards the camera, below the actors in the picture."""
    sun = Conditions(noise=0.0, sun_azimuth=NORTH, sun_height=1.3)
    return Renderer(make_layout(), make_camera(), sun)


def test_box_holds_the_projected_vehicle(clear: Renderer) -> None:
    bus = make_actor(1, K.BUS, 3.0, 18.0)
    (seen,) = clear.draw(moment(bus)).seen
    length, width, height = SIZES[K.BUS]
    corners = [
        (3.0 + x * width / 2, 18.0 + y * length / 2, z)
        for x in (-1, 1)
        for y in (-1, 1)
        for z in (0.0, height)
    ]
    pixels, depth = project(clear.camera, corners)
    assert (depth > 0).all()
    assert iou(seen.box, (*pixels.min(0), *pixels.max(0))) > 0.85


def test_bus_hides_the_motorbike_behind_it(clear: Renderer) -> None:
    bike = make_actor(2, K.MOTORBIKE, 1.9, 22.5, riders=(Rider(True, 5),))
    alone = clear.draw(moment(bike))
    (free,) = alone.seen
    assert free.visible > 0.95
    bus = make_actor(1, K.BUS, 3.0, 15.5)
    both = clear.draw(moment(bus, bike))
    found = {s.actor_id: s for s in both.seen}
    assert found[1].visible > 0.95
    # What the truth says is left of it, measured on the pictures: with and without the bike behind the bus.
    bare = clear.draw(moment(bus))
    left, top, right, bottom = (round(v) for v in free.box)
    region = (slice(top, bottom), slice(left, right))
    own = changed(alone.picture, clear.draw(moment()).picture)[region].sum()
    kept = changed(both.picture, bare.picture)[region].sum()
    partial = found[2].visible
    assert 0.1 < partial < 0.9
    assert partial == pytest.approx(kept / own, abs=0.12)
    hidden = clear.draw(
        moment(make_actor(1, K.BUS, 1.2, 14.5), dataclasses.replace(bike, position=(1.2, 20.6)))
    )
    assert all(s.actor_id != 2 or s.visible < 0.35 for s in hidden.seen)


def test_frame_cuts_count_as_hidden(clear: Renderer) -> None:
    whole = clear.draw(moment(make_actor(1, K.CAR, 1.0, 12.0, 0.0))).seen[0]
    assert whole.visible > 0.97
    edge = np.linalg.inv(homography(clear.camera)) @ (clear.camera.width_px, 430, 1)
    x, y = edge[:2] / edge[2]
    cut = clear.draw(moment(make_actor(1, K.CAR, x, y, 0.0))).seen[0]
    assert cut.box[2] == clear.camera.width_px
    assert 0.3 < cut.visible < 0.7


def test_ground_goes_to_pixels_and_back() -> None:
    camera = make_camera()
    h = homography(camera)
    rng = np.random.default_rng(1)
    ground = np.column_stack([rng.uniform(-6, 8, 50), rng.uniform(2, 60, 50)])
    pixels, _ = project(camera, np.column_stack([ground, np.zeros(50)]))
    image = np.column_stack([ground, np.ones(50)]) @ h.T
    assert image[:, :2] / image[:, 2:] == pytest.approx(pixels, abs=1e-6)
    back = np.column_stack([pixels, np.ones(50)]) @ np.linalg.inv(h).T
    assert back[:, :2] / back[:, 2:] == pytest.approx(ground, abs=1e-6)


def test_paint_lies_where_the_homography_puts_it(clear: Renderer) -> None:
    grey = clear.draw(moment()).picture.mean(axis=2)
    h = homography(clear.camera)
    for x, y, bright in ((2.0, 22.0, True), (2.0, 20.0, False), (0.0, 8.0, True), (1.2, 8.0, False)):
        px, py, w = h @ (x, y, 1)
        column, row = round(px / w - 0.5), round(py / w - 0.5)
        patch = grey[row - 1 : row + 2, column - 1 : column + 2].mean()
        around = np.median(grey[row - 25 : row + 26, column - 25 : column + 26])
        assert (patch > around + 15) == bright, (x, y, patch, around)


@pytest.mark.parametrize(
    ("plate", "kind", "lines"),
    [
        (Plate("70A12345", 1), K.CAR, 1),
        (Plate("70A12345", 2, "yellow"), K.CAR, 2),
        (Plate("70AB12345", 2), K.MOTORBIKE, 2),
        (Plate("62C1234", 1, "blue"), K.TRUCK, 1),
    ],
)
def test_plate_is_legible_at_evidence_size(plate: Plate, kind: K, lines: int) -> None:
    renderer = evidence()
    (seen,) = renderer.draw(moment(make_actor(1, kind, 2.0, 6.0, plate=plate, seed=3))).seen
    assert seen.plate_box is not None
    left, top, right, bottom = seen.plate_box
    picture = renderer.draw(moment(make_actor(1, kind, 2.0, 6.0, plate=plate, seed=3))).picture
    crop = picture[round(top) : round(bottom), round(left) : round(right)].astype(float)
    assert seen.plate_char_px > 10
    grey = crop.mean(axis=2)
    low, high = np.percentile(grey, [5, 95])
    assert high - low > 70, "ink and ground must differ"
    # Rows with ink rise and fall once a line; their height is the stated height of the characters.
    inner = grey[:, round(0.2 * grey.shape[1]) : round(0.8 * grey.shape[1])]
    ink = inner < (low + high) / 2 if plate.color != "blue" else inner > (low + high) / 2
    full = ink.mean(axis=1) > 0.18
    edge = max(2, round(0.06 * len(full)))  # the rim
    full[:edge] = full[-edge:] = False
    starts = np.flatnonzero(np.diff(full.astype(int)) == 1)
    ends = np.flatnonzero(np.diff(full.astype(int)) == -1)
    heights = [e - s for s, e in zip(starts, ends, strict=True) if e - s > 4]
    assert len(heights) == lines
    assert np.mean(heights) == pytest.approx(seen.plate_char_px, rel=0.25, abs=2)
    blue, green, red = (
        np.median(crop[grey > np.percentile(grey, 60)], axis=0)
        if plate.color != "blue"
        else np.median(crop.reshape(-1, 3), axis=0)
    )
    if plate.color == "yellow":
        assert red > 1.4 * blue
    elif plate.color == "blue":
        assert blue > 1.3 * red
    else:
        assert max(red, green, blue) < 1.25 * min(red, green, blue)


@cache
def evidence() -> Renderer:
    """At evidence size: some 13 m from the plates."""
    camera = make_camera(
        width_px=1920, height_px=1080, position=(2.0, -6.0, 6.0), look_at=(2.0, 4.0, 0.0), fov_deg=34.0
    )
    return Renderer(make_layout(), camera, Conditions(noise=0.1))


def test_plate_that_is_none_is_refused_by_name(clear: Renderer) -> None:
    with pytest.raises(SimError, match="70-A1"):
        clear.draw(moment(make_actor(1, K.CAR, 2.0, 9.0, plate=Plate("70-A1", 1))))


def test_lamp_of_an_unknown_head_is_refused_by_name(clear: Renderer) -> None:
    with pytest.raises(SimError, match="nowhere"):
        clear.draw(moment(lamps=(Lamp("nowhere", LampColor.RED),)))


def test_camera_that_looks_straight_down_is_refused_by_name() -> None:
    with pytest.raises(SimError, match="test"):
        Renderer(make_layout(), make_camera(look_at=(1.0, -6.0, 0.0)))


def test_heads_tell_helmets_from_hair(clear: Renderer) -> None:
    riders = (Rider(True, 11), Rider(False, 12))
    (seen,) = clear.draw(moment(make_actor(1, K.MOTORBIKE, 2.0, 5.0, 0.6, riders=riders))).seen
    assert sorted(h[4] for h in seen.heads) == [False, True]
    left, top, right, bottom = seen.box
    for x0, y0, x1, y1, _ in seen.heads:
        assert left <= x0 < x1 <= right
        assert top <= y0 < y1 < top + 0.45 * (bottom - top)
    for seed in range(4):
        many = tuple(Rider(seed % 2 == 0, seed * 10 + k) for k in range(3))
        (seen,) = clear.draw(moment(make_actor(1, K.MOTORBIKE, 2.0, 5.0, 0.9, riders=many, seed=seed))).seen
        assert 2 <= len(seen.heads) <= 3
        assert {h[4] for h in seen.heads} == {seed % 2 == 0}
    (walker,) = clear.draw(moment(make_actor(1, K.PERSON, 2.0, 8.0))).seen
    assert [h[4] for h in walker.heads] == [False]


@pytest.mark.parametrize("light", ["day", "night"])
@pytest.mark.parametrize(
    ("color", "channel", "third"), [(LampColor.RED, 2, 0), (LampColor.YELLOW, 2, 1), (LampColor.GREEN, 1, 2)]
)
def test_lamp_box_holds_the_lamps_colour(
    light: Literal["day", "night"], color: LampColor, channel: int, third: int
) -> None:
    renderer = lit(light)
    camera = renderer.camera
    boxes = lamp_boxes(make_layout(), camera)
    assert set(boxes) == {"ball", "arrow"}
    dark = renderer.draw(moment(lamps=(Lamp("ball", color, lit=False),))).picture.astype(int)
    bright = renderer.draw(moment(lamps=(Lamp("ball", color),))).picture.astype(int)
    x0, y0, x1, y1 = (
        round(v * s) for v, s in zip(boxes["ball"], (camera.width_px, camera.height_px) * 2, strict=True)
    )
    gain = (bright - dark)[y0:y1, x0:x1]
    rows, columns = np.nonzero(gain.max(axis=2) > 60)
    assert len(rows) >= 12
    # It is the right third of the housing that shines, and in its own colour.
    assert np.median(rows) / (y1 - y0) == pytest.approx((third + 0.5) / 3, abs=0.12)
    shine = np.median(bright[y0:y1, x0:x1][rows, columns], axis=0)
    assert shine.argmax() == channel
    if color is LampColor.YELLOW:
        assert shine[1] > 1.5 * shine[0]
    assert x1 - x0 < 40
    arrow = boxes["arrow"]
    assert arrow[0] > boxes["ball"][2]  # it hangs to the right of the ball


@cache
def lit(light: Literal["day", "night"]) -> Renderer:
    """Close to the signal heads."""
    camera = make_camera(fov_deg=35.0, look_at=(2.0, 26.0, 2.0))
    return Renderer(make_layout(), camera, Conditions(light=light, noise=0.05))


def test_missing_opengl_is_told_with_what_to_install() -> None:
    script = (
        "from pipeline.sim.errors import SimError\n"
        "from pipeline.sim.render.device import device\n"
        "try:\n    device()\nexcept SimError as error:\n    print(error)\n"
    )
    blind = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent.json"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=blind, capture_output=True, text=True, timeout=60, check=True
    )
    assert "libegl1" in done.stdout
    assert "scripts/setup" in done.stdout


def test_head_that_looks_away_has_no_box() -> None:
    layout = make_layout()
    away = dataclasses.replace(layout, heads=(dataclasses.replace(layout.heads[0], facing=NORTH),))
    assert lamp_boxes(away, make_camera()) == {}


def test_night_is_dark_and_lit_by_lamps() -> None:
    day, night = lit("day").draw(moment()).picture, lit("night").draw(moment()).picture
    assert night.mean() < 0.6 * day.mean()
    car = make_actor(1, K.CAR, -2.0, 24.0, SOUTH)
    by_car = lit("night").draw(moment(car))
    (seen,) = by_car.seen
    left, _, right, bottom = (round(v) for v in seen.box)
    ahead = (slice(bottom + 5, bottom + 60), slice(left, right))
    assert by_car.picture[ahead].mean() > 1.3 * night[ahead].mean()  # its headlamps light the road


def test_sun_casts_shadows_by_day(clear: Renderer) -> None:
    car = make_actor(1, K.CAR, 2.0, 12.0)
    empty, full = clear.draw(moment()), clear.draw(moment(car))
    left, top, right, bottom = (round(v) for v in full.seen[0].box)
    darker = empty.picture.astype(int).sum(axis=2) - full.picture.astype(int).sum(axis=2) > 60
    darker[top:bottom, left:right] = False
    assert darker.sum() > 400


def test_rain_and_haze_take_contrast_away() -> None:
    camera = make_camera(width_px=640, height_px=360)
    contrasts = []
    for conditions in (Conditions(), Conditions(haze=0.7), Conditions(rain=0.7)):
        picture = (
            Renderer(make_layout(), camera, conditions).draw(moment(make_actor(1, K.BUS, 3, 30))).picture
        )
        far = cv2.cvtColor(picture[:150], cv2.COLOR_BGR2GRAY)
        contrasts.append(float(far.std()))
    assert contrasts[1] < 0.8 * contrasts[0]
    assert contrasts[2] < 0.9 * contrasts[0]


def test_looks_differ_from_seed_to_seed(clear: Renderer) -> None:
    colors = set()
    for seed in range(12):
        out = clear.draw(moment(make_actor(1, K.CAR, 2.0, 10.0, seed=seed)))
        left, top, right, bottom = (round(v) for v in out.seen[0].box)
        patch = out.picture[top:bottom, left:right].reshape(-1, 3).mean(axis=0)
        colors.add(tuple((patch // 12).astype(int)))
    assert len(colors) >= 6


def test_a_jam_of_more_than_a_sheet_of_actors_is_counted(clear: Renderer) -> None:
    rng = random.Random(3)
    people = tuple(
        make_actor(k, K.PERSON, -6 + 12 * (k % 20) / 19, 9 + 2.2 * (k // 20), rng.uniform(0, 6))
        for k in range(280)
    )
    seen = clear.draw(moment(*people)).seen
    assert len(seen) > 240
    # Those in the first row stand free; with a sheet's cells mixed up their shares would be wrong.
    front = [s.visible for s in seen if s.actor_id < 20]
    last = [s for s in seen if s.actor_id >= 260]
    assert min(front) > 0.95
    assert last
    assert all(0 < s.visible <= 1 for s in last)

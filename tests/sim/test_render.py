"""Pictures of the synthetic city against the truth that comes with them."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from pipeline.sim.errors import SimError
from pipeline.sim.render import Renderer, homography, project
from pipeline.sim.types import Conditions, Lamp, Plate, Rider
from pipeline.types import LampColor
from tests.sim.pictures import NORTH, SIZES, SOUTH, K, changed, make_actor, make_camera, make_layout, moment


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_same_moment_gives_the_same_picture_and_truth(plain: Renderer) -> None:
    actors = (
        make_actor(1, K.CAR, 3, 14),
        make_actor(2, K.MOTORBIKE, -3, 10, SOUTH, riders=(Rider(True, 3),)),
    )
    first, second = plain, Renderer(make_layout(), plain.camera)
    first.draw(moment(make_actor(9, K.BUS, 2, 30), time_s=0.5))
    a, b = first.draw(moment(*actors)), second.draw(moment(*actors))
    assert np.array_equal(a.picture, b.picture)
    assert a.seen == b.seen
    assert a.picture.shape == (360, 640, 3)
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


def test_how_much_of_a_plate_is_hidden_is_known() -> None:
    renderer = evidence()
    car = make_actor(1, K.CAR, 2.0, 6.0, plate=Plate("70A12345", 1, "yellow"), seed=3)
    shares = []
    for aside in np.linspace(-1.2, 1.2, 13):
        walker = make_actor(2, K.PERSON, 2.0 + aside, 3.0)
        [mine] = [one for one in renderer.draw(moment(car, walker)).seen if one.actor_id == 1]
        shares.append(mine.plate_visible)
    assert shares[0] > 0.95 < shares[-1]
    assert any(0.6 < share < 0.9 for share in shares), "0 where less is left of it"


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
    assert seen.plate_visible > 0.95
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

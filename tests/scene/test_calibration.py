from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.rules.speed import measure
from pipeline.scene import Calibration, CalibrationError, Scene, SceneSettings
from pipeline.sim.camera import homography
from pipeline.sim.types import CameraPose
from tests.rules import metres

POSE = CameraPose("c", position=(0.0, -12.0, 7.0), look_at=(1.0, 18.0, 0.0), fov_deg=55.0)
SIZE = np.array([POSE.width_px, POSE.height_px])
UTM_M = np.array([592345.37, 1250123.45])
"""East and north of a road in Vietnam, as surveyors count them."""
SURVEYED = np.array(
    [(-4.0, 2.0), (4.0, 2.0), (-4.0, 14.0), (4.0, 14.0), (-5.0, 40.0), (5.0, 40.0), (0.0, 8.0), (0.0, 25.0)]
)


def seen(ground_m: np.ndarray) -> np.ndarray:
    """Picture points 0..1 of ground points, by the true camera."""
    flat = np.column_stack([ground_m, np.ones(len(ground_m))]) @ homography(POSE).T
    return flat[:, :2] / flat[:, 2:] / SIZE


def surveyed(count: int = 8, seed: int | None = None) -> Calibration:
    picture, ground_m = seen(SURVEYED[:count]), SURVEYED[:count]
    if seed is not None:
        rng = np.random.default_rng(seed)
        picture = picture + rng.normal(0, 0.001, picture.shape)
        ground_m = ground_m + rng.normal(0, 0.05, ground_m.shape)
    return Calibration(picture, ground_m)


@pytest.mark.parametrize("count", [4, 6, 8])
def test_exact_points_give_the_cameras_own_map(count: int) -> None:
    calibration = surveyed(count)
    ground_m = np.array([(1.0, 5.0), (-3.0, 20.0), (2.0, 35.0), (8.0, 60.0)])

    assert calibration.to_ground(seen(ground_m)) == pytest.approx(ground_m, abs=1e-6)
    assert calibration.to_picture(ground_m) == pytest.approx(seen(ground_m), abs=1e-9)
    assert calibration.rms_m == pytest.approx(0, abs=1e-6)


def test_a_rectangle_of_known_size_gives_metres_whichever_way_round_its_corners_are_listed() -> None:
    corners = seen(np.array([(-3.5, 4.0), (3.5, 4.0), (3.5, 24.0), (-3.5, 24.0)]))
    other_way = corners[[1, 0, 3, 2]]
    for given in (corners, other_way):
        scene = Scene(
            SceneSettings.model_validate(
                {"calibration": {"rectangle": {"corners": given.tolist(), "width_m": 7, "length_m": 20}}}
            )
        )
        assert scene.calibration is not None
        a, b = scene.calibration.to_ground(seen(np.array([(0.0, 10.0), (3.0, 14.0)])))
        assert math.dist(a, b) == pytest.approx(5.0, abs=1e-6)


def test_the_cameras_own_place_follows_from_the_ground() -> None:
    assert surveyed().camera_m(16 / 9) == pytest.approx((0.0, -12.0, 7.0), abs=1e-3)
    for seed in range(20):
        assert surveyed(seed=seed).camera_m(16 / 9) == pytest.approx((0.0, -12.0, 7.0), abs=0.5)


@pytest.mark.parametrize("origin_m", [UTM_M, np.array([-2000.0, 300.0])])
def test_wherever_metres_are_counted_from_all_stays_the_same(origin_m: np.ndarray) -> None:
    near = surveyed(seed=1)
    far = Calibration(near.picture, near.ground_m + origin_m)
    at = seen(np.array([(1.0, 5.0), (-3.0, 20.0), (2.0, 35.0), (8.0, 60.0)]))
    camera_m, moved_m = near.camera_m(16 / 9), far.camera_m(16 / 9)
    assert camera_m is not None
    assert moved_m is not None

    assert moved_m == pytest.approx((*(camera_m[:2] + origin_m), camera_m[2]), abs=1e-6, rel=0)
    assert far.to_ground(at) - origin_m == pytest.approx(near.to_ground(at), abs=1e-6)
    assert far.to_picture(far.ground_m) == pytest.approx(near.to_picture(near.ground_m), abs=1e-9)
    assert far.jacobian(at) == pytest.approx(near.jacobian(at), rel=1e-6)
    assert far.covariance(at) == pytest.approx(near.covariance(at), rel=1e-6)
    assert far.rms_m == pytest.approx(near.rms_m, abs=1e-6)
    assert far.leave_one_out_m() == pytest.approx(near.leave_one_out_m(), abs=1e-6)
    towards = np.tile([0.0, 1.0], (len(at), 1))
    assert far.nearness(at, moved_m[:2], towards) == pytest.approx(near.nearness(at, camera_m[:2], towards))


def test_wherever_metres_are_counted_from_a_speed_stays_the_same() -> None:
    near = Calibration(
        [metres.seen(*at) for at in metres.SURVEYED],
        # As a tape measures them: the fitted axes come out a little askew.
        np.add(metres.SURVEYED, np.random.default_rng(3).normal(0, 0.05, (len(metres.SURVEYED), 2))),
    )
    far = Calibration(near.picture, near.ground_m + UTM_M)
    for seed in range(8):
        # Some of its boxes lack the lower edge: where the camera stands tells which.
        car = metres.Vehicle(
            metres.steady(35), jitter=0.02, hidden=lambda time_s: 0.3 * (time_s % 1 > 0.8), seed=seed
        )
        list(metres.observe([car]))
        one, other = (measure(fit, car.points[1], car.kind, 16 / 9) for fit in (near, far))
        assert one is not None
        assert other is not None
        assert (other.kmh, other.uncertainty_kmh, other.points) == pytest.approx(
            (one.kmh, one.uncertainty_kmh, one.points), rel=1e-6
        )


def test_a_camera_that_looks_straight_down_has_no_place_that_its_points_settle() -> None:
    square = np.array([(0.2, 0.8), (0.8, 0.8), (0.8, 0.2), (0.2, 0.2)])
    assert Calibration(square, square * [16, -9]).camera_m(16 / 9) is None


def test_how_near_the_road_is_behind_a_point_is_known_up_to_the_horizon_and_over_it() -> None:
    calibration, foot_m = surveyed(), (0.0, -12.0)
    ahead = np.array([(0.0, 8.0), (0.0, 38.0)])
    towards = np.array([(0.0, 1.0), (0.0, 1.0)], np.float64)
    assert calibration.nearness(seen(ahead), foot_m, towards) == pytest.approx([1 / 20, 1 / 50])
    assert calibration.nearness(np.array([(0.5, 0.0)]), foot_m, towards[:1])[0] < 0


def test_without_points_a_scene_has_no_calibration() -> None:
    assert Scene(SceneSettings()).calibration is None


def test_points_at_the_horizon_and_beyond_have_no_place_on_the_ground() -> None:
    calibration = surveyed()
    sky = calibration.to_ground([(0.5, 0.0), (0.5, 0.9)])

    assert np.isnan(sky[0]).all()
    assert np.isfinite(sky[1]).all()


def test_what_lies_behind_the_camera_is_not_in_the_picture() -> None:
    there = surveyed().to_picture([(0.0, -40.0), (0.0, 10.0)])

    assert np.isnan(there[0]).all()
    assert np.isfinite(there[1]).all()


def test_the_jacobian_is_how_metres_change_with_the_picture() -> None:
    calibration = surveyed()
    at = seen(np.array([(1.0, 30.0)]))
    step = 1e-6
    for axis in (0, 1):
        moved = at.copy()
        moved[0, axis] += step
        slope = (calibration.to_ground(moved) - calibration.to_ground(at))[0] / step
        assert calibration.jacobian(at)[0, :, axis] == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("count", [4, 8])
def test_the_covariance_is_what_repeated_surveys_scatter_by(count: int) -> None:
    at = seen(np.array([(0.0, 10.0), (0.0, 20.0)]))
    found = np.array([surveyed(count, seed).to_ground(at).reshape(-1) for seed in range(400)])
    claimed = surveyed(count).covariance(at)

    assert np.sqrt(np.diag(claimed)) == pytest.approx(found.std(axis=0), rel=0.2)
    # The distance between both, which speed is made of, is known better than either place.
    between = np.array([0, -1, 0, 1.0])
    assert math.sqrt(between @ claimed @ between) == pytest.approx((found @ between).std(), rel=0.2)


def test_a_wrong_point_shows_when_it_is_left_out_and_widens_the_covariance() -> None:
    ground_m = SURVEYED.copy()
    ground_m[3] += (0.0, 3.0)
    wrong = Calibration(seen(SURVEYED), ground_m)
    left_out = wrong.leave_one_out_m()

    assert left_out is not None
    assert left_out[3] == pytest.approx(3.0, abs=1e-6)
    rest = [wrong.without(i) for i in range(len(SURVEYED))]
    assert min(range(len(rest)), key=lambda i: rest[i].rms_m if rest[i] else math.inf) == 3
    at = seen(np.array([(0.0, 10.0)]))
    assert wrong.covariance(at)[1, 1] > 10 * surveyed().covariance(at)[1, 1]
    assert surveyed(4).leave_one_out_m() is None


def _moved(points: np.ndarray, i: int, to: tuple[float, float]) -> np.ndarray:
    points = points.copy()
    points[i] = to
    return points


@pytest.mark.parametrize(
    ("picture", "ground_m", "says"),
    [
        (seen(SURVEYED[:3]), SURVEYED[:3], "at least four points"),
        (
            seen(SURVEYED[:4]),
            _moved(SURVEYED[:4], 2, (0.0, 2.0)),
            "points 1, 2, 3 lie on one line on the ground",
        ),
        (
            _moved(seen(SURVEYED[:4]), 2, tuple(seen(SURVEYED[:2]).mean(axis=0))),
            SURVEYED[:4],
            "on one line in the picture",
        ),
        (
            seen(SURVEYED[:4]),
            _moved(SURVEYED[:4], 3, (4.0, 2.0)),
            "points 2 and 4 are the same on the ground",
        ),
        (seen(SURVEYED[:4])[[0, 3, 2, 1]], SURVEYED[:4], "beyond the horizon"),
        (seen(SURVEYED), SURVEYED * [-1, 1], "mirrored"),
    ],
)
def test_points_that_no_camera_can_have_seen_so_are_refused(
    picture: np.ndarray, ground_m: np.ndarray, says: str
) -> None:
    with pytest.raises(CalibrationError, match=says):
        Calibration(picture, ground_m)


@pytest.mark.parametrize(
    ("calibration", "says"),
    [
        ({}, "give either"),
        (
            {"points": [{"picture": [0.1, 0.2], "ground_m": [0, 0]}]},
            "at least four points",
        ),
        (
            {
                "rectangle": {
                    "corners": [[0.2, 0.8], [0.7, 0.5], [0.8, 0.8], [0.3, 0.5]],
                    "width_m": 7,
                    "length_m": 9,
                }
            },
            "sides cross",
        ),
        (
            {
                "rectangle": {
                    "corners": [[0.2, 0.8], [0.8, 0.8], [0.5, 0.7], [0.5, 0.4]],
                    "width_m": 7,
                    "length_m": 9,
                }
            },
            "points inwards",
        ),
        (
            {"rectangle": {"corners": [[0.2, 0.8], [0.8, 0.8], [0.6, 0.5]], "width_m": 7, "length_m": 9}},
            "four corners",
        ),
    ],
)
def test_a_scene_with_impossible_points_is_refused(calibration: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SceneSettings.model_validate({"calibration": calibration})


def test_a_lane_beyond_the_horizon_is_refused_by_name() -> None:
    points = [
        {"picture": list(map(float, p)), "ground_m": list(map(float, g))}
        for p, g in zip(seen(SURVEYED), SURVEYED, strict=True)
    ]
    lane = {
        "id": "north",
        "polygon": [[0.4, 0.9], [0.6, 0.9], [0.5, 0.01]],
        "direction": [[0.5, 0.8], [0.5, 0.5]],
    }
    with pytest.raises(ValidationError, match=r"corner .* of lane 'north' lies beyond the horizon"):
        SceneSettings.model_validate({"calibration": {"points": points}, "lanes": [lane]})

"""How well speeds are measured with the city's cameras, calibrated by a survey, over boxes of its models."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.rules.speed import WINDOW_S, Speed, best_of_tracks, measure
from pipeline.scene import Calibration, Scene, SceneSettings
from pipeline.sim.layout import Lane
from pipeline.sim.scenario import scenario
from pipeline.sim.scenes import scene
from pipeline.sim.speeds import SpeedScore, score, true_speeds
from pipeline.sim.types import Actor, CameraPose, Rider
from pipeline.types import FrameTime, Observation, RoadUser, RoadUserKind, TrackPoint
from tests.rules.silhouette import box

K = RoadUserKind
SIZES_M = {
    K.MOTORBIKE: (1.9, 0.7, 1.1),
    K.CAR: (4.4, 1.75, 1.5),
    K.TRUCK: (7.0, 2.2, 2.7),
    K.BUS: (10.0, 2.45, 3.0),
}
PER_100 = {K.MOTORBIKE: 78, K.CAR: 17, K.TRUCK: 3, K.BUS: 2}
"""About the city's own mix."""
SPEEDS_KMH = (20, 40, 60, 80, 100)
RATE_HZ = 6.0
JITTER, ALIKE = 0.02, 0.5
"""Of a box's edges, of its size; and how alike errors in a row are (lag 1)."""
FAR_M = 60.0


@dataclass
class Drive:
    kind: RoadUserKind
    kmh: float
    points: list[TrackPoint]


def drives(camera: CameraPose, lane: Lane, rng: np.random.Generator) -> Iterator[Drive]:
    """One vehicle of each kind and speed along the lane."""
    (ax, ay), (bx, by) = lane.direction[0], lane.direction[-1]
    whole = math.dist((ax, ay), (bx, by))
    ux, uy = (bx - ax) / whole, (by - ay) / whole
    for kind, (long, wide, high) in SIZES_M.items():
        riders = (Rider(True, 3),) if kind is K.MOTORBIKE else ()
        for kmh in SPEEDS_KMH:
            points, shake = [], np.zeros(4)
            for i in range(int(whole / (kmh / 3.6) * RATE_HZ)):
                way = kmh / 3.6 * i / RATE_HZ
                at = (ax + ux * way, ay + uy * way)
                actor = Actor(1, kind, at, math.atan2(uy, ux), kmh / 3.6, long, wide, high, 7, riders=riders)
                shake = ALIKE * shake + math.sqrt(1 - ALIKE**2) * rng.normal(0, JITTER, 4)
                true = box(actor, camera) if math.dist(at, camera.position[:2]) < FAR_M else None
                if true is None:
                    continue
                size = np.array([true[2] - true[0], true[3] - true[1]] * 2)
                jumped = np.clip(np.array(true) + shake * size, 0, 1)
                points.append(TrackPoint(i / RATE_HZ, tuple(map(float, jumped)), 0.9))
            yield Drive(kind, kmh, points)


def surest(calibration: Calibration, drive: Drive, aspect: float) -> Speed | None:
    windows = (
        [p for p in drive.points if end.time_s - WINDOW_S <= p.time_s <= end.time_s] for end in drive.points
    )
    speeds = (measure(calibration, window, drive.kind, aspect) for window in windows)
    found = [speed for speed in speeds if speed is not None]
    return min(found, key=lambda speed: speed.uncertainty_mps, default=None)


@pytest.mark.slow
def test_speeds_between_20_and_100_kmh_are_right() -> None:
    rng = np.random.default_rng(1)
    errors: list[float] = []
    covered: list[bool] = []
    share: list[float] = []
    for name in ("road-day", "junction-day"):
        site = scenario(name).site()
        for camera in scenario(name).poses()[:2]:
            drawn = Scene(SceneSettings.model_validate(scene(site, camera)))
            assert drawn.calibration is not None
            ids = [lane.id for lane in drawn.settings.lanes][:3]
            for lane in (lane for lane in site.lanes if lane.id in ids):
                for drive in drives(camera, lane, rng):
                    speed = surest(drawn.calibration, drive, camera.width_px / camera.height_px)
                    if speed is None:
                        continue
                    errors.append(speed.kmh - drive.kmh)
                    covered.append(abs(errors[-1]) <= speed.uncertainty_kmh)
                    share.append(PER_100[drive.kind])
    off, weight = np.abs(errors), np.array(share) / sum(share)
    print(
        f"{len(off)} speeds: MAE {off @ weight:.2f} km/h, {(off <= 3) @ weight:.1%} within 3 km/h, "
        f"bias {np.array(errors) @ weight:+.2f}, {np.mean(covered):.1%} within their uncertainty"
    )
    assert len(off) > 120
    assert off @ weight <= 1.0
    assert (off <= 3.0) @ weight >= 0.95
    assert np.mean(covered) >= 0.9


def test_what_was_measured_is_scored_against_the_truth() -> None:
    truth = true_speeds(
        {"time_s": t, "actors": [{"id": 7, "speed_kmh": 30 + 10 * t}, {"id": 8, "speed_kmh": 5.0}]}
        for t in (0.0, 1.0, 2.0)
    )
    found = score([(7, 0.5, 36.0), (7, 1.5, 40.0), (8, 1.0, 9.0), (9, 1.0, 50.0)], truth)
    assert found == SpeedScore(2, 3.0, -2.0, 0.5, -5.0)
    assert score([], truth).count == 0


def test_each_track_has_one_speed_the_surest() -> None:
    one = scenario("road-day")
    camera = one.poses()[0]
    drawn = Scene(SceneSettings.model_validate(scene(one.site(), camera)))
    lane = next(lane for lane in one.site().lanes if lane.id == drawn.settings.lanes[0].id)
    drive = next(d for d in drives(camera, lane, np.random.default_rng(2)) if d.kmh == 40)
    observations = [
        Observation(
            camera.id,
            FrameTime(point.time_s, "file"),
            (RoadUser(3, drive.kind, tuple(drive.points[: k + 1])),),
            {},
            (camera.width_px, camera.height_px),
        )
        for k, point in enumerate(drive.points)
    ]
    speeds = best_of_tracks(drawn, observations)
    assert list(speeds) == [3]
    assert speeds[3].kmh == pytest.approx(40, abs=2)
    assert best_of_tracks(Scene(SceneSettings()), observations) == {}

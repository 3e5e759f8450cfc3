"""Scene files of the city's cameras: valid, and true to the ground plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.load import load_scene
from pipeline.scene.geometry import crossed, inside
from pipeline.sim.camera import homography, project
from pipeline.sim.scenario import CATALOGUE, ScenarioError, scenario
from pipeline.sim.scenes import scene, write_scenes
from pipeline.sim.types import CameraPose, Ground
from pipeline.types import Point


def seen(camera: CameraPose, at: Ground) -> Point:
    (pixel,), _ = project(camera, [(*at, 0.0)])
    return float(pixel[0]) / camera.width_px, float(pixel[1]) / camera.height_px


@pytest.mark.parametrize("name", CATALOGUE)
def test_scene_files_are_accepted(name: str, tmp_path: Path) -> None:
    paths = write_scenes(scenario(name), tmp_path)
    assert [path.stem for path in paths] == list(scenario(name).cameras)
    scenes = [load_scene(path) for path in paths]
    assert all(one.lanes or one.zones for one in scenes)
    if name.startswith("junction"):
        assert all({"red_light", "stop_line", "wrong_way"} <= set(one.rules) for one in scenes)
        for one in scenes:
            for line in one.stop_lines:
                assert line.movements.straight is not None
                assert line.movements.straight.lamp is not None


def test_a_scene_says_where_things_are(tmp_path: Path) -> None:
    camera = next(c for c in scenario("junction-day").poses() if c.id == "south")
    (south, *_) = [load_scene(path) for path in write_scenes(scenario("junction-day"), tmp_path)]
    lanes = {lane.id: lane for lane in south.lanes}
    at = seen(camera, (5.4, -30.0))
    assert [name for name, lane in lanes.items() if inside(at, lane.polygon)] == ["S.in2"]
    assert [kind.value for kind in lanes["S.in2"].classes] == ["car", "bus", "truck"]
    start, end = lanes["S.in2"].direction[0], lanes["S.in2"].direction[-1]
    assert end[1] < start[1], "away from the camera is up"
    (line,) = south.stop_lines
    before, beyond = seen(camera, (9.0, -19.0)), seen(camera, (9.0, -18.0))
    assert crossed(before, beyond, line.line) is not None
    movements = line.movements.present()
    assert {name: movement.lamp for name, movement in movements.items()} == {
        "left": "S.ball",
        "straight": "S.ball",
        "right": "S.right",
    }
    straight = movements["straight"].exit
    assert straight is not None
    assert inside(seen(camera, (5.4, 10.0)), straight)


def test_a_long_lens_sees_its_lanes_lamp_and_plates(tmp_path: Path) -> None:
    one = scenario("demo")
    scenes = dict(zip(one.cameras, write_scenes(one, tmp_path), strict=True))
    close = {pose.id: pose for pose in one.poses() if pose.reads_plates}
    assert set(close) == {"south-line", "road-lanes"}
    (line,) = load_scene(scenes["south-line"]).stop_lines
    lamps = {lamp.id: lamp for lamp in load_scene(scenes["south-line"]).lamps}
    straight = line.movements.straight
    assert straight.lamp is not None
    assert straight.exit is not None
    left, _, right, _ = lamps[straight.lamp].box
    assert (right - left) * 640 > 20, "large in the small stream, too"
    for camera, at in ((close["south-line"], (8.0, -20.0)), (close["road-lanes"], (-18.0, -326.0))):
        (low, high), _ = project(camera, [(*at, 0.6), (*at, 0.655)])
        assert 11 < low[1] - high[1] < 25, "pixels of a motorbike's characters"


def test_the_opposite_camera_judges_by_the_lamp_that_shows_the_same() -> None:
    one = scenario("junction-day")
    camera = next(c for c in one.poses() if c.id == "opposite")
    drawn = scene(one.site(), camera)
    (line,) = drawn["stop_lines"]
    assert line["id"] == "S.line"
    assert line["movements"]["straight"]["lamp"] == "N.far"
    assert line["movements"]["right"]["free"] is True


def test_a_camera_that_sees_nothing_is_refused_by_name() -> None:
    one = scenario("road-day")
    away = replace(one.poses()[0], id="sky", position=(900.0, 900.0, 7.0), look_at=(1000.0, 900.0, 0.0))
    with pytest.raises(ScenarioError, match="sky"):
        scene(one.site(), away)


def test_the_homography_agrees_with_the_projection() -> None:
    for camera in scenario("demo").poses():
        ground = np.array(camera.look_at[:2]) + np.array([[0, 0], [5, 3], [-4, 6]])
        pixels, depth = project(camera, np.column_stack([ground, np.zeros(3)]))
        flat = np.column_stack([ground, np.ones(3)]) @ homography(camera).T
        assert (depth > 0).all()
        np.testing.assert_allclose(flat[:, :2] / flat[:, 2:], pixels, atol=1e-6)
        (middle,), _ = project(camera, [camera.look_at])
        np.testing.assert_allclose(middle, [camera.width_px / 2, camera.height_px / 2], atol=1e-6)


@pytest.mark.parametrize("name", ["junction-day", "road-day"])
def test_a_scene_is_calibrated_as_well_as_a_hand_can_survey_it(name: str, tmp_path: Path) -> None:
    for path, camera in zip(write_scenes(scenario(name), tmp_path), scenario(name).poses(), strict=True):
        surveyed = load_scene(path).calibration
        assert surveyed is not None
        calibration = surveyed.fitted()
        assert 0.005 < calibration.rms_m < 0.1, "measured, not taken from the projection"
        way = np.subtract(camera.look_at, camera.position)[:2]
        far = [camera.position[:2] + way / np.linalg.norm(way) * d for d in (20.0, 40.0)]
        a, b = calibration.to_ground([seen(camera, tuple(at)) for at in far])
        assert np.linalg.norm(b - a) == pytest.approx(20.0, rel=0.01)

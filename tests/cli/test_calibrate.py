from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import load_scene
from tests.rules.metres import POSE, SIZE, SURVEYED, seen


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["calibrate", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def csv_of(path: Path, rows: list[tuple[float, ...]], header: str = "x_px,y_px,x_m,y_m") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return path


def surveyed_px(off_m: float = 0.0, origin_m: tuple[float, float] = (0.0, 0.0)) -> list[tuple[float, ...]]:
    rows = [
        (round(u * SIZE[0]), round(v * SIZE[1]), round(x + origin_m[0], 3), round(y + origin_m[1], 3))
        for x, y in SURVEYED
        for u, v in [seen(x, y)]
    ]
    rows[4] = (*rows[4][:3], rows[4][3] + off_m)
    return rows


@pytest.fixture
def still(tmp_path: Path) -> Path:
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), np.full((SIZE[1], SIZE[0], 3), 90, np.uint8))
    return path


def test_points_in_pixels_become_metres_and_a_grid_lies_on_the_still(tmp_path: Path, still: Path) -> None:
    points, grid = csv_of(tmp_path / "points.csv", surveyed_px()), tmp_path / "grid.png"
    code, told, _ = run(points, "--still", still, "--out", grid, "--json")
    report = json.loads(told)

    assert code == 0
    assert 0 < report["rms_m"] < 0.1
    assert report["suspect"] is None
    assert report["camera_m"] == pytest.approx(POSE.position, abs=0.5)
    assert [row["point"] for row in report["points"]] == list(range(1, len(SURVEYED) + 1))
    assert all(row["error_m"] < 0.2 and row["pixel_m"] > 0 for row in report["points"])
    drawn = cv2.imread(str(grid))
    spacing = report["grid_m"]
    # The grid's lines lie where the true camera sees these metres, and nothing is drawn between them.
    on = [seen(spacing * i, spacing * j) for i in (-1, 0, 1) for j in (3, 4)]
    off = [seen(spacing * (i + 0.5), spacing * (j + 0.5)) for i in (-1, 0) for j in (3, 4)]
    for places, bright in ((on, True), (off, False)):
        for u, v in places:
            x, y = round(u * SIZE[0]), round(v * SIZE[1])
            patch = drawn[y - 3 : y + 4, x - 3 : x + 4].astype(int)
            assert bool(np.abs(patch - 90).max() > 40) is bright, (u, v)


@pytest.mark.parametrize("origin_m", [(0.0, 0.0), (592345.37, 1250123.456)])
def test_what_is_printed_can_be_pasted_into_the_scene(
    tmp_path: Path, still: Path, origin_m: tuple[float, float]
) -> None:
    rows = surveyed_px(origin_m=origin_m)
    points = csv_of(tmp_path / "p.csv", rows)
    code, told, _ = run(points, "--still", still, "--out", tmp_path / "g.jpg")
    scene = tmp_path / "scene.yaml"
    scene.write_text(told[told.index("calibration:") :], encoding="utf-8")
    calibration = load_scene(scene).calibration

    assert code == 0
    assert calibration is not None
    assert [point.ground_m for point in calibration.points] == [(x_m, y_m) for _, _, x_m, y_m in rows]
    for point, (x_px, y_px, _, _) in zip(calibration.points, rows, strict=True):
        assert point.picture == pytest.approx((x_px / SIZE[0], y_px / SIZE[1]), abs=1e-5)
    code, told, _ = run(scene, "--still", still, "--out", tmp_path / "g.jpg", "--json")
    report = json.loads(told)
    assert code == 0
    assert report["rms_m"] < 0.1
    x, y, high = report["camera_m"]
    assert (x - origin_m[0], y - origin_m[1], high) == pytest.approx(POSE.position, abs=0.5)


def test_numbers_are_printed_without_idle_zeros(tmp_path: Path, still: Path) -> None:
    points = csv_of(tmp_path / "p.csv", [(*row[:2], row[2] - 0.0001, row[3]) for row in surveyed_px()])
    _, told, _ = run(points, "--still", still, "--out", tmp_path / "g.jpg")
    assert "ground_m: [-3.5, 2]}" in told
    assert "ground_m: [0, 30]}" in told


def test_a_point_that_does_not_fit_is_named(tmp_path: Path, still: Path) -> None:
    points = csv_of(tmp_path / "points.csv", surveyed_px(off_m=6.0))
    code, told, err = run(points, "--still", still, "--out", tmp_path / "g.jpg")
    assert code == 0
    assert "point 5 does not fit the others" in err
    assert "reprojection error" in told


def test_four_points_prove_nothing_and_the_command_says_so(tmp_path: Path, still: Path) -> None:
    points = csv_of(tmp_path / "p.csv", surveyed_px()[:4])
    _, told, _ = run(points, "--still", still, "--out", tmp_path / "g.jpg")
    assert "Four points always fit" in told


def test_of_what_picture_a_pixel_is_meant_is_told_without_a_still(tmp_path: Path, still: Path) -> None:
    points = csv_of(tmp_path / "p.csv", [(*seen(*at), *at) for at in SURVEYED], "x,y,x_m,y_m")
    assert "for 1920x1080" in run(points)[1]
    assert json.loads(run(points, "--json")[1])["pixel_of"] == [1920, 1080]
    assert "for 1920x1080" not in run(points, "--still", still, "--out", tmp_path / "g.jpg")[1]


@pytest.mark.parametrize("name", ["still.tiff", "still", "cảnh đường.PNG"])
def test_a_still_is_known_by_what_it_holds(
    tmp_path: Path, still: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    there = still.rename(tmp_path / name)
    points = csv_of(tmp_path / "p.csv", surveyed_px())
    for grid in (tmp_path / "grid.png", tmp_path / "grid.jpg"):
        code, _, err = run(points, "--still", there, "--out", grid)
        assert (code, err) == (0, "")
        assert cv2.imread(str(grid)).shape == (SIZE[1], SIZE[0], 3)
    assert "WARN" not in capfd.readouterr().err


def test_the_still_may_be_a_video(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    shape = "video/x-raw,width=320,height=180,framerate=10/1"
    subprocess.run(
        ["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=20", "!", shape, "!", "x264enc", "!",
         "h264parse", "!", "mp4mux", "!", "filesink", f"location={film}"],
        check=True,
        timeout=30,
    )  # fmt: skip
    points = csv_of(tmp_path / "p.csv", [(*seen(*at), *at) for at in SURVEYED], "x,y,x_m,y_m")
    code, told, err = run(points, "--still", film, "--out", tmp_path / "g.png", "--json")
    assert code == 0, err
    assert cv2.imread(json.loads(told)["grid"]).shape == (180, 320, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x,y\n1,2", "the columns must be"),
        ("x,y,x_m,y_m\n0.1,0.2,a,4", "four numbers"),
        ("x,y,x_m,y_m\n0.1,0.2,nan,4", "points.csv:2: must be four numbers"),
        ("x,y,x_m,y_m\n0,1,0,2,3,4", "points.csv:2: must be four numbers, with a point"),
        ("x,y,x_m,y_m", "needs 4 to 32 points, there are 0"),
        ("x,y,x_m,y_m\n0.1,0.2,3,4", "needs 4 to 32 points, there are 1"),
        ("x,y,x_m,y_m\n" + "0.1,0.2,3,4\n" * 40, "needs 4 to 32 points, there are 40"),
        ("x,y,x_m,y_m\n" + "\n".join(f"0.{i},0.{i},{i},{i * i}" for i in range(1, 6)), "lie on one line"),
        ("x,y,x_m,y_m\n0.1,0.2,3,4\n0.5,517,3,4", "points.csv:3: y 517 lies outside 0..1; if it is pixels"),
        ("x_px,y_px,x_m,y_m\n100,200,3,4", "add --still"),
    ],
)
def test_points_that_cannot_be_used_are_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    points = tmp_path / "points.csv"
    points.write_text(text, encoding="utf-8")
    code, _, err = run(points)
    assert code == 1
    assert "points.csv" in err
    assert says in err


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((5000, 20), f"x_px 5000 lies outside the still ({SIZE[0]}x{SIZE[1]}): was it read in another size"),
        ((500, 1900), "y_px 1900 lies outside the still"),
        ((-1, 20), "x_px -1 lies outside the still"),
    ],
)
def test_pixels_outside_the_still_are_told_by_their_line(
    tmp_path: Path, still: Path, row: tuple[int, int], says: str
) -> None:
    rows = surveyed_px()
    points = csv_of(tmp_path / "points.csv", [*rows[:4], (*row, 1.0, 2.0), *rows[5:]])
    code, _, err = run(points, "--still", still)
    assert code == 1
    assert f"points.csv:6: {says}" in err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--still", "nowhere.jpg"], "nowhere.jpg: no such file"),
        (["--still", "nowhere.mp4"], "no such file"),
        (["--still", "rtsp://a:b@host/x"], "password"),
        (["--camera", "gate"], "--config and --camera together"),
    ],
)
def test_a_still_that_cannot_be_had_is_told(tmp_path: Path, more: list[str], says: str) -> None:
    code, _, err = run(csv_of(tmp_path / "points.csv", surveyed_px()), *more)
    assert code == 1
    assert says in err
    assert "a:b" not in err


def test_a_still_that_is_none_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("cut.png", "nowhere.png"):
        still = tmp_path / name
        if name == "cut.png":
            still.write_bytes(b"no picture")
        code, _, err = run(csv_of(tmp_path / "points.csv", surveyed_px()), "--still", still)
        assert code == 1
        assert name in err
    assert "WARN" not in capfd.readouterr().err


def test_a_scene_without_points_is_told(tmp_path: Path) -> None:
    zone = {"id": "z", "purpose": "p", "polygon": [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]}
    scene = tmp_path / "scene.yaml"
    scene.write_text(yaml.safe_dump({"zones": [zone]}), encoding="utf-8")
    code, _, err = run(scene)
    assert code == 1
    assert "has no `calibration`" in err


def test_a_camera_is_found_in_a_configuration_whatever_its_scenes_are_like(tmp_path: Path) -> None:
    """Of a scene that is still to be drawn, the still is what is needed."""
    points, path = csv_of(tmp_path / "points.csv", surveyed_px()), tmp_path / "worker.yaml"
    camera = {"id": "gate", "detect": {"url": "file:///nowhere.mp4"}, "scene": "none.yaml"}
    path.write_text(yaml.safe_dump({"model": {"path": "none.onnx"}, "cameras": [camera]}))
    code, _, told = run(points, "--config", path, "--camera", "gate")
    assert code == 1
    assert "none.yaml" not in told
    assert "nowhere.mp4" in told

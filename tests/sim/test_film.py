"""Films of the city: whole or not there, the same again out of the cache, and as cameras once served."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from pipeline.cameras.replay import served
from pipeline.config.load import load_scene
from pipeline.sim import scenario as scenarios
from pipeline.sim.errors import SimError
from pipeline.sim.film import Film, film, film_folder
from pipeline.sim.scenario import Scenario, ScenarioError, scenario
from pipeline.sim.sites import site
from pipeline.sim.truth import read_acts, read_frames
from tests.cameras.support import Watched, settings
from tests.sim.runs import run
from tests.waiting import wait_for

SIZE, RATE_HZ, LENGTH_S = (960, 540), 10.0, 4.0
FRAMES = 40


def short(cameras: tuple[str, ...] = ("road-east", "road-west"), duration_s: float = LENGTH_S) -> Scenario:
    return replace(scenario("road-day", "dev", 3, duration_s), cameras=cameras)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("city")


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int]]:
    """What the making of `filmed` told of its progress."""
    return []


@pytest.fixture(scope="module")
def filmed(cache: Path, told: list[tuple[int, int]]) -> Film:
    return film(short(), cache, size=SIZE, rate_hz=RATE_HZ, progress=lambda *step: told.append(step))


def pictures(path: Path) -> list[np.ndarray]:
    video = cv2.VideoCapture(str(path))
    out = []
    while (read := video.read())[0]:
        out.append(read[1])
    return out


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_film_is_whole(filmed: Film, told: list[tuple[int, int]]) -> None:
    assert [camera.camera_id for camera in filmed.cameras] == ["road-east", "road-west"]
    for camera in filmed.cameras:
        for path, (width, height) in ((camera.main, SIZE), (camera.sub, (640, 360))):
            shown = pictures(path)
            assert {one.shape for one in shown} == {(height, width, 3)}
            assert len(shown) == FRAMES
        assert [line["frame"] for line in read_frames(camera.truth)] == list(range(FRAMES))
        assert load_scene(camera.scene).lanes
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {2 * FRAMES}
    assert told[-1] == (2 * FRAMES, 2 * FRAMES)


def test_cameras_filmed_apart_show_the_same_city(filmed: Film) -> None:
    """Each camera's process runs the city anew; who is seen by both is at one place."""
    one, other = (list(read_frames(camera.truth)) for camera in filmed.cameras)
    both = 0
    for a, b in zip(one, other, strict=True):
        assert a["time_s"] == b["time_s"]
        places = {actor["id"]: (actor["position_m"], actor["speed_kmh"]) for actor in a["actors"]}
        for actor in b["actors"]:
            if actor["id"] in places:
                assert (actor["position_m"], actor["speed_kmh"]) == places[actor["id"]]
                both += 1
    assert both > FRAMES
    assert read_acts(filmed.acts) == run("road-day", 3, LENGTH_S, RATE_HZ).acts


def test_the_same_scenario_comes_out_of_the_cache(filmed: Film, cache: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in filmed.folder.glob("*.mp4")}
    steps: list[tuple[int, int]] = []
    filmed.cameras[0].scene.write_text("damaged")
    again = film(short(), cache, size=SIZE, rate_hz=RATE_HZ, progress=lambda *step: steps.append(step))
    assert again == filmed
    assert not steps
    assert before == {path: path.stat().st_mtime_ns for path in filmed.folder.glob("*.mp4")}
    assert load_scene(again.cameras[0].scene).lanes, "scene files follow the rules that there are now"
    others = {
        film_folder(short(), cache, size=(640, 360), rate_hz=RATE_HZ),
        film_folder(short(), cache, size=SIZE, rate_hz=25.0),
        film_folder(short(("road-east",)), cache, size=SIZE, rate_hz=RATE_HZ),
        film_folder(replace(short(), seed=4), cache, size=SIZE, rate_hz=RATE_HZ),
        film_folder(short(duration_s=5.0), cache, size=SIZE, rate_hz=RATE_HZ),
    }
    assert len(others | {filmed.folder}) == 6


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_kill_leaves_no_half_film_and_no_process(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.sim.film import film\n"
        "from tests.sim.test_film import short\n"
        "if __name__ == '__main__':\n"
        "    film(short(('road-east',), 600), Path(sys.argv[1]), size=(640, 360), rate_hz=10)\n"
    )
    code = tmp_path / "killed.py"
    code.write_text(script)
    cache = tmp_path / "cache"
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, str(code), str(cache)], cwd=root, env={**os.environ, "PYTHONPATH": root}
    )
    try:
        begun = cache / ".filming" / "road-east-main.mp4"
        assert wait_for(begun.exists, 120), "no film was begun"
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    _, alive = psutil.wait_procs(children, 30)
    assert not alive
    assert [path.name for path in cache.iterdir() if not path.name.startswith(".")] == []
    made = film(short(("road-east",), 1.0), cache, size=(640, 360), rate_hz=2)
    assert len(pictures(made.cameras[0].main)) == 2
    assert not (cache / ".filming").exists(), "what the killed one left is gone"


def test_trouble_of_a_camera_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent.json")
    with pytest.raises(SimError, match=r"camera 'road-east' cannot be filmed: .*libegl1"):
        film(short(("road-east",)), tmp_path, size=SIZE, rate_hz=RATE_HZ)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SimError, match=str(tmp_path / "file")):
        film(short(), tmp_path / "file" / "cache")


def test_what_cannot_be_is_refused_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ScenarioError, match="roof"):
        film(short(("roof",)), tmp_path)

    whole = site("junction", 0)
    dark = replace(
        whole, layout=replace(whole.layout, heads=tuple(h for h in whole.layout.heads if h.id != "S.right"))
    )
    away = replace(whole.cameras[0], position=(900.0, 900.0, 7.0), look_at=(990.0, 900.0, 0.0))
    blind = replace(whole, cameras=(away, *whole.cameras[1:]))
    for impossible, said in ((dark, r"'S\.right'.*no lamp"), (blind, f"{away.id}.*neither a lane")):
        monkeypatch.setattr(scenarios, "site", lambda plan, seed, built=impossible: built)
        with pytest.raises(ScenarioError, match=said):
            film(scenario("junction-day"), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_the_scenario_is_told_beside_the_film(filmed: Film) -> None:
    about = json.loads((filmed.folder / "scenario.json").read_text())
    assert about["size"] == list(SIZE)
    assert about["scenario"]["seed"] == short().seed
    assert about["scenario"]["conditions"] == dataclasses.asdict(short().conditions)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_served_streams_have_their_sizes_and_run_on_one_clock(filmed: Film) -> None:
    """What main and sub stream show at a moment is one picture, though one comes later; time only rises."""
    east = filmed.cameras[0]
    with (
        served([east.main, east.sub], together=True) as server,
        Watched(settings(server.urls["road-east-main"])) as main,
    ):
        main.until_frames(8, 30)
        with Watched(settings(server.urls["road-east-sub"], "sub")) as sub:
            sub.until_frames(90, 40)
    assert {frame.picture.shape for frame in main.frames} == {(SIZE[1], SIZE[0], 3)}
    assert {frame.picture.shape for frame in sub.frames} == {(360, 640, 3)}
    first = pictures(east.sub)

    def shown(picture: np.ndarray) -> int:
        """Which picture of the film it is."""
        small = cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA).astype(int)
        apart = [
            np.abs(cv2.resize(one, (160, 90), interpolation=cv2.INTER_AREA) - small).mean() for one in first
        ]
        return int(np.argmin(apart))

    began = []
    for watched in (main, sub):
        timed = [frame for frame in watched.frames if frame.time.source == "rtcp"]
        assert len(timed) > 60
        assert all(a.time.captured_at_s < b.time.captured_at_s for a, b in itertools.pairwise(timed))
        began += [(f.time.captured_at_s - shown(f.picture) / RATE_HZ) % LENGTH_S for f in timed]
    # How long before a picture its pass began: one moment for both streams, whatever the pass.
    away = (np.array(began) - began[-1] + LENGTH_S / 2) % LENGTH_S - LENGTH_S / 2
    assert (np.abs(away) < 0.5 / RATE_HZ).mean() > 0.9

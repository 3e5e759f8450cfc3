"""Back-test: what ran live comes out again, and a changed scene shows exactly what it changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import TracksSettings
from pipeline.rules import Moments, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.sim.scenario import scenario
from pipeline.tracks import log as tracks_log
from pipeline.tracks.log import TrackLog
from pipeline.tracks.store import StoredTracks
from pipeline.types import Hit, Observation, on_grid
from pipeline.worker.backtest import Change, compare, replay
from tests.rules.city import watch
from tests.rules.drive import RED, START_S, Driver, junction, observe
from tests.rules.yard import yard

RUNS = [(0.0, 0.5, 0.95), (3.0, 0.5, 0.65), (4.0, 0.5, 0.55), (6.0, 0.5, 0.3)]
"""Crosses the line (y = 0.6) at 3.5 s and goes on into the junction."""
STOPS = [(0.0, 0.3, 0.95), (3.0, 0.3, 0.65), (4.0, 0.3, 0.56), (11.0, 0.3, 0.56)]
"""Crosses the line and stays a little beyond it."""


def on_the_grid(seen: Observation) -> Observation:
    """As perception tells it."""
    users = tuple(
        replace(
            user,
            kind_confidence=on_grid(user.kind_confidence),
            trajectory=tuple(
                replace(point, box=tuple(map(on_grid, point.box)), confidence=on_grid(point.confidence))
                for point in user.trajectory
            ),
        )
        for user in seen.road_users
    )
    signals = {k: replace(s, confidence=on_grid(s.confidence)) for k, s in seen.signals.items()}
    return replace(seen, road_users=users, signals=signals)


def live(scene: SceneSettings, observations: Iterable[Observation]) -> list[Hit]:
    """What a worker would have reported."""
    ready = Scene(scene)
    moments, rules = Moments(ready), build_rules(ready)
    hits = [
        hit
        for observation in observations
        for moment in moments.observe(observation)
        for rule in rules
        for hit in rule.observe(moment)
    ]
    return hits + [hit for moment in moments.finish() for rule in rules for hit in rule.observe(moment)]


@pytest.fixture(autouse=True)
def _tests_add_faster_than_any_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks_log, "WAITING", 10_000)


def store(root: Path, camera_id: str, observations: Iterable[Observation]) -> StoredTracks:
    tracks = TrackLog(root, TracksSettings(enabled=True), lambda *counted: None)
    tracks.start()
    camera = tracks.camera(camera_id)
    assert camera is not None
    for observation in observations:
        camera.add(observation)
    tracks.close(30.0)
    return StoredTracks(root)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "camera", "duration_s", "seed", "least"),
    [("junction-day", "south", 60.0, 3, 2), ("security", "yard-gate", 100.0, 1, 2)],
)
def test_what_the_rules_reported_live_comes_out_again(
    name: str, camera: str, duration_s: float, seed: int, least: int, tmp_path: Path
) -> None:
    """Every hit with every fact, moment and box; nothing else."""
    chosen = replace(scenario(name, "dev", seed, duration_s), cameras=(camera,))
    (watched,) = watch(chosen)[1]
    observations = [on_the_grid(seen) for seen in watched.observations]
    scene = watched.scene.settings
    stored = store(tmp_path, camera, observations)
    replayed = replay(stored, camera, [scene])
    expected = live(scene, observations)
    print([hit.rule for hit in expected])
    assert len(expected) >= least
    assert [found.hit for found in replayed.found[0]] == expected
    assert replayed.frames == len(observations)


def traffic() -> Iterator[Observation]:
    for seen in observe([Driver(RUNS, jitter=0.02), Driver(STOPS, track_id=2, jitter=0.02)], RED):
        yield on_the_grid(seen)


def line_at(y: float) -> SceneSettings:
    return SceneSettings.model_validate(junction(line=[[0.2, y], [0.8, y]]))


def outcomes(changes: list[Change]) -> list[tuple[str, str, int]]:
    return sorted((change.outcome, change.found.hit.rule, change.found.hit.track_id) for change in changes)


def test_a_stop_line_moved_forward_frees_who_stopped_just_beyond_it(tmp_path: Path) -> None:
    stored = store(tmp_path, "cam", traffic())
    replayed = replay(stored, "cam", [line_at(0.53), line_at(0.6), line_at(0.6)])
    now, then, same = replayed.found
    assert outcomes(compare(then, now)) == [("gone", "stop_line", 2), ("moved", "red_light", 1)]
    assert outcomes(compare(now, then)) == [("moved", "red_light", 1), ("new", "stop_line", 2)]
    assert {change.outcome for change in compare(then, same)} == {"same"}
    (moved,) = [change for change in compare(then, now) if change.outcome == "moved"]
    assert 0.3 < moved.moved_s < 1.2
    assert len(moved.found.way) > 10


def test_each_life_of_a_worker_is_judged_anew(tmp_path: Path) -> None:
    """The same ids again after a restart are other road users."""
    store(tmp_path, "cam", list(traffic()))
    later = [
        replace(
            seen,
            time=replace(seen.time, captured_at_s=seen.time.captured_at_s + 13.0),
            road_users=tuple(
                replace(u, trajectory=tuple(replace(p, time_s=p.time_s + 13.0) for p in u.trajectory))
                for u in seen.road_users
            ),
        )
        for seen in traffic()
    ]
    stored = store(tmp_path, "cam", later)
    found = replay(stored, "cam", [line_at(0.6)]).found[0]
    assert sorted((one.hit.rule, one.hit.track_id) for one in found) == [
        ("red_light", 1), ("red_light", 1), ("stop_line", 2), ("stop_line", 2)
    ]  # fmt: skip
    assert len({one.run for one in found}) == 2
    first_half = replay(stored, "cam", [line_at(0.6)], to_s=START_S + 12.5)
    assert len(first_half.found[0]) == 2


class Bench:
    """A folder with configurations and tracks, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        store(folder / "tracks", "cam", traffic())
        self.config("now", junction(line=[[0.2, 0.53], [0.8, 0.53]]))
        self.config("then", junction())

    def config(self, name: str, scene: dict[str, Any], camera: str = "cam") -> None:
        (self.folder / f"{name}-scene.yaml").write_text(yaml.safe_dump(scene))
        config = {
            "model": {"path": "detector.onnx"},
            "cameras": [
                {"id": camera, "detect": {"url": "rtsp://192.0.2.1/"}, "scene": f"{name}-scene.yaml"}
            ],
        }
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(config))

    def run(self, *arguments: str, tracks: str = "tracks", now: str = "now") -> Any:
        return CliRunner().invoke(
            app,
            [
                "backtest",
                str(self.folder / f"{now}.yaml"),
                "--tracks",
                str(self.folder / tracks),
                "--pictures",
                str(self.folder / "pictures"),
                *arguments,
            ],
        )

    def against(self) -> tuple[str, str]:
        return "--against", str(self.folder / "then.yaml")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("backtest"))


def test_the_command_tells_and_draws_the_difference(bench: Bench) -> None:
    result = bench.run(*bench.against())
    assert result.exit_code == 0, result.output
    table = [line.split() for line in result.stdout.splitlines()]
    assert ["rule", "new", "gone", "moved", "same"] in table
    assert ["red_light", "0", "0", "1", "0"] in table
    assert ["stop_line", "0", "1", "0", "0"] in table
    picture = cv2.imread(str(bench.folder / "pictures" / "cam.png"))
    assert picture is not None
    height = 1280 * 3 // 4
    assert picture.shape[1] == 1280
    assert picture.shape[0] > height

    def shows(color: tuple[int, int, int], x: float, y: float) -> bool:
        around = picture[
            round(y * height) - 6 : round(y * height) + 7, round(x * 1280) - 20 : round(x * 1280) + 21
        ]
        return bool((np.abs(around.astype(int) - color).max(axis=2) < 40).any())

    now, then = (255, 190, 60), (60, 140, 255)
    assert shows(now, 0.7, 0.53)
    assert not shows(then, 0.7, 0.53)
    assert shows(then, 0.7, 0.6)
    assert shows(then, 0.3, 0.57), "where the one who is not reported any more stopped"


def test_the_command_for_machines(bench: Bench) -> None:
    answer = json.loads(bench.run(*bench.against(), "--json").stdout)
    assert answer["camera"] == "cam"
    assert answer["frames"] == 72
    assert answer["rules"] == {"red_light": {"moved": 1}, "stop_line": {"gone": 1}}
    gone = next(hit for hit in answer["hits"] if hit["outcome"] == "gone")
    assert (gone["rule"], gone["track"], gone["road_user"]) == ("stop_line", 2, "motorbike")
    alone = json.loads(bench.run("--json").stdout)
    assert alone["rules"] == {"red_light": {"hits": 1}}


def test_a_span_of_time_can_be_chosen(bench: Bench) -> None:
    answer = json.loads(bench.run("--json", "--to", "2023-11-14T22:13:22+00:00").stdout)
    assert answer["frames"] == 12
    assert answer["rules"] == {}
    nothing = bench.run("--from", "2024-01-01T00:00")
    assert nothing.exit_code == 0
    assert "no tracks in this span" in nothing.stdout


def test_what_cannot_be_is_refused_with_a_sentence(bench: Bench) -> None:
    for arguments, told in (
        (["--camera", "elsewhere"], "no camera elsewhere; known: cam"),
        (["--from", "yesterday"], "--from yesterday"),
    ):
        result = bench.run(*arguments)
        assert result.exit_code == 1
        assert told in " ".join(result.stderr.split())
    nothing = bench.run(tracks="nowhere")
    assert nothing.exit_code == 1
    assert "no stored tracks" in nothing.stderr
    bench.config("other", junction(), camera="other")
    other = bench.run(now="other")
    assert other.exit_code == 1
    assert "other: no stored tracks" in other.stderr


def test_what_a_back_test_cannot_know_is_said(bench: Bench) -> None:
    scene = junction()
    scene["lamps"] = [*scene["lamps"], {"id": "late", "box": [0.1, 0.1, 0.2, 0.2]}]
    scene["ignore"] = [[[0, 0], [0.1, 0], [0.1, 0.1]]]
    bench.config("relit", scene)
    told = " ".join(bench.run(*bench.against(), now="relit").stderr.split())
    assert "not read when tracks were stored show nothing here: late" in told
    assert "ignored areas differ" in told
    bench.config("zone", {**junction(), **yard("restricted", "intrusion")})
    assert bench.run(*bench.against(), now="zone").stderr.strip() == ""

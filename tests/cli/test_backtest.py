"""`ngatu backtest`: what it prints, draws, and refuses."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli.backtest import _still
from tests.rules.drive import START_S, junction
from tests.rules.yard import yard
from tests.tracks.test_log import as_nobody
from tests.worker.test_backtest import store, traffic


class Bench:
    """A folder with configurations and tracks, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        store(folder / "tracks", "cam", traffic())
        self.config("now", junction(line=[[0.2, 0.53], [0.8, 0.53]]))
        self.config("then", junction())

    def config(self, name: str, scene: dict[str, Any], *cameras: str, model: str = "detector.onnx") -> None:
        (self.folder / f"{name}-scene.yaml").write_text(yaml.safe_dump(scene))
        config = {
            "model": {"path": model},
            "cameras": [
                {"id": camera, "detect": {"url": "rtsp://192.0.2.1/"}, "scene": f"{name}-scene.yaml"}
                for camera in cameras or ["cam"]
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

    def stills(self) -> str:
        """A folder with a picture of the camera."""
        folder = self.folder / "stills"
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "cam.png"), np.zeros((12, 16, 3), np.uint8))
        return str(folder)

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
    (answer,) = json.loads(bench.run(*bench.against(), "--json").stdout)["cameras"]
    assert answer["camera"] == "cam"
    assert answer["frames"] == 72
    assert answer["rules"] == {"red_light": {"moved": 1}, "stop_line": {"gone": 1}}
    gone = next(hit for hit in answer["hits"] if hit["outcome"] == "gone")
    assert (gone["rule"], gone["track"], gone["road_user"]) == ("stop_line", 2, "motorbike")
    assert answer["picture"] == str(bench.folder / "pictures" / "cam.png")
    assert (answer["shadow"], answer["caveats"]) == ({"now": [], "before": []}, [])
    (alone,) = json.loads(bench.run("--json").stdout)["cameras"]
    assert alone["rules"] == {"red_light": {"hits": 1}}
    assert alone["shadow"] == {"now": [], "before": None}


def test_machines_are_told_of_all_cameras_in_one_document_or_of_none(bench: Bench) -> None:
    store(bench.folder / "two", "cam", traffic())
    store(bench.folder / "two", "other", traffic())
    bench.config("both", junction(), "cam", "other")
    (document,) = bench.run("--json", tracks="two", now="both").stdout.splitlines()
    assert [one["camera"] for one in json.loads(document)["cameras"]] == ["cam", "other"]
    (day,) = (bench.folder / "two" / "other").glob("*.tracks")
    day.write_bytes(b"junk")
    broken = bench.run("--json", tracks="two", now="both")
    assert broken.exit_code == 1
    assert broken.stdout == ""
    assert "is damaged" in broken.stderr


def test_a_span_of_time_can_be_chosen(bench: Bench) -> None:
    (answer,) = json.loads(bench.run("--json", "--to", "2023-11-14T22:13:22+00:00").stdout)["cameras"]
    assert answer["frames"] == 12
    assert answer["rules"] == {}


def test_a_span_without_tracks_tells_which_is_stored_and_draws_nothing(bench: Bench) -> None:
    folder = str(bench.folder / "none")
    nothing = bench.run("--from", "2024-01-01T00:00+00:00", "--pictures", folder)
    assert nothing.exit_code == 0
    assert "no tracks in this span" in nothing.stdout
    first, last = (datetime.fromtimestamp(START_S + s).astimezone().isoformat(" ") for s in (0, 11))
    assert f"cam: tracks are stored from {first} to {last}" in nothing.stderr
    assert not Path(folder).exists()
    asked = bench.run("--from", "2024-01-01T00:00+00:00", "--json", "--pictures", folder)
    (answer,) = json.loads(asked.stdout)["cameras"]
    assert (answer["frames"], answer["picture"], answer["from_s"]) == (0, None, None)
    assert "tracks are stored from" in answer["caveats"][0]


def test_what_cannot_be_is_refused_with_a_sentence(bench: Bench) -> None:
    for arguments, told in (
        (["--camera", "elsewhere"], "no camera elsewhere; known: cam"),
        (["--from", "yesterday"], "--from yesterday"),
        (["--from", "2024-01-02", "--to", "2024-01-01"], "--from 2024-01-02 is not before --to 2024-01-01"),
        (["--stills", str(bench.folder / "now.yaml")], "now.yaml: is no folder"),
    ):
        result = bench.run(*arguments)
        assert result.exit_code == 1
        assert told in " ".join(result.stderr.split())
    nothing = bench.run(tracks="nowhere")
    assert nothing.exit_code == 1
    assert "no stored tracks" in nothing.stderr
    bench.config("other", junction(), "other")
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
    told = bench.run(*bench.against(), "--stills", bench.stills(), now="zone").stderr
    assert told.strip() == ""
    bench.config("model", junction(), model="other.onnx")
    told = bench.run(*bench.against(), "--stills", bench.stills(), now="model").stderr
    assert told.strip() == (
        "cam: model.path differs: tracks are those that were followed live, with the settings of then"
    )


def test_a_camera_without_a_still_is_drawn_on_a_plain_ground_and_that_is_said(bench: Bench) -> None:
    folder = bench.folder / "others"
    folder.mkdir()
    (folder / "cam-monday.png").touch()
    told = bench.run("--stills", str(folder)).stderr
    assert f"no still of cam in {folder}: drawn on a plain ground" in told


def test_a_rule_that_goes_on_trial_is_told_beside_its_figures(bench: Bench) -> None:
    bench.config("trial", {**junction(), "rules": {"red_light": {"shadow": True}, "stop_line": None}})
    result = bench.run(*bench.against(), now="trial")
    told = " ".join(result.stdout.split())
    assert "red_light 0 0 0 1 on trial (shadow): not published; before it was published" in told
    assert "stop_line 0 0 0 1 drawn" in told
    (answer,) = json.loads(bench.run(*bench.against(), "--json", now="trial").stdout)["cameras"]
    assert answer["shadow"] == {"now": ["red_light"], "before": []}


def test_pictures_in_a_folder_of_another_user_are_done_without() -> None:
    with tempfile.TemporaryDirectory() as folder:
        references = Path(folder) / "references"
        references.mkdir()
        with as_nobody():
            assert _still(references, "cam") is None

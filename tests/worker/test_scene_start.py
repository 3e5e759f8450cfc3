"""A worker that starts with a broken scene file judges its other cameras, and that one once it is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.cli.common import scenes_of
from pipeline.config import Config
from pipeline.scene import Scene
from pipeline.types import CameraHealth, Frame, FrameTime
from pipeline.worker.box import Worker
from pipeline.worker.run import StatusView
from pipeline.worker.status import CameraStatus
from tests.perception.onnx_models import CELLS, constant_model, names
from tests.worker.test_scenes import scene

START_S = 1_700_000_000.0
GOOD = yaml.safe_dump(scene())


class Box:
    """A worker of two cameras, whose pictures the test brings; the scene of one is as the test says."""

    def __init__(self, folder: Path, spoil: Callable[[Path], object]) -> None:
        self.folder, self.scene = folder, folder / "bad.yaml"
        (folder / "good.yaml").write_text(GOOD)
        self.scene.write_text(GOOD)
        spoil(self.scene)
        model = constant_model(folder / "model.onnx", np.zeros((4 + 1, CELLS)), metadata=names("person"))
        url = {"url": "file:///nowhere.mp4"}
        self.config = Config.model_validate(
            {
                "worker": {"data_dir": folder / "data", "metrics_port": 0},
                "model": {"path": model},
                "cameras": [
                    {"id": name, "detect": url, "scene": folder / f"{name}.yaml"} for name in ("good", "bad")
                ],
                "plates": {"enabled": False},
            }
        )
        scenes, _ = scenes_of(self.config)
        self.worker = Worker(self.config, {name: Scene(settings) for name, settings in scenes.items()})
        self.bad = self.worker.watches["bad"]
        self.now_s = START_S

    def close(self) -> None:
        self.worker.monitor.stop()
        self.worker.outbox.close()
        self.worker._claim.close()

    def up(self, *cameras: str) -> None:
        for name in cameras:
            self.worker._health(CameraHealth(name, "up", START_S))

    def see(self, seconds: int) -> None:
        """A picture a second of both cameras."""
        for _ in range(seconds):
            self.now_s += 1
            for name in ("good", "bad"):
                picture = np.zeros((36, 64, 3), np.uint8)
                self.worker._see([Frame(name, picture, FrameTime(self.now_s, "rtcp"), 0, (64, 36))])

    def look(self) -> None:
        for _ in range(2):
            self.worker.scenes.look()

    def told(self, kind: str, camera: str) -> list[dict[str, Any]]:
        events = self.worker.outbox.batch(1000)
        return [event.data for event in events if event.type == kind and event.key == camera]

    def notices(self) -> list[list[str]]:
        return [data["notices"] for data in self.told("camera.health", "bad")]

    def unjudged(self, camera: str) -> float | None:
        registry = self.worker.metrics.registry
        return registry.get_sample_value("ngatu_camera_unjudged", {"camera": camera})

    def shown(self) -> dict[str, CameraStatus]:
        return {one.camera_id: one for one in StatusView(self.worker).read()[0]}


Start = Callable[[Callable[[Path], object]], Box]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[Box] = []

    def begin(spoil: Callable[[Path], object]) -> Box:
        begun.append(Box(tmp_path, spoil))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


def half_saved(path: Path) -> None:
    path.write_text("zones: [")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (half_saved, "bad.yaml:2: not valid YAML"),
        (Path.unlink, "bad.yaml: is gone, or the worker's user may not read it"),
        (lambda path: path.write_text(""), "the file is empty"),
        (lambda path: path.write_bytes(GOOD.encode() + b"# c\xf4ng\n"), "not UTF-8"),
        (lambda path: path.write_text(yaml.safe_dump(scene(rules={"intrusion": {"mins": 1}}))), "mins"),
        (lambda path: path.write_text(yaml.safe_dump(scene(rules={"crowd": None}))), "the scene lacks"),
    ],
)
def test_one_broken_scene_leaves_its_camera_unjudged_and_the_others_judged(
    start: Start, spoil: Callable[[Path], object], reason: str
) -> None:
    box = start(spoil)
    box.up("good", "bad")
    box.look()
    box.see(130)
    assert (box.worker.watches["good"].analysed, box.bad.analysed) == (130, 0)
    assert box.told("traffic.flow", "good")
    assert box.told("traffic.flow", "bad") == []
    assert box.bad.still is not None, "whoever draws its scene anew sees what it shows"
    [notices] = box.notices()
    assert len(notices) == 1
    assert notices[0].startswith("the camera is not judged until its scene file can be used; mend it")
    assert reason in notices[0]
    assert (box.unjudged("good"), box.unjudged("bad")) == (0, 1)
    ready, told = box.worker.ready()
    assert (ready, told["cameras"]) == (True, {"good": "up", "bad": "not judged"})
    shown = box.shown()
    assert (shown["good"].state, shown["good"].reason) == ("up", "")
    assert (shown["bad"].state, shown["bad"].reason) == ("not judged", notices[0])
    box.worker.finish_seeing()
    assert box.told("traffic.flow", "bad") == []


def test_a_mended_scene_is_judged_by_without_a_restart_and_the_complaint_is_withdrawn(start: Start) -> None:
    box = start(half_saved)
    box.up("good", "bad")
    box.see(3)
    box.scene.write_text(GOOD)
    box.look()
    box.see(5)
    assert box.bad.analysed == 5
    assert box.bad.scene.settings.zones[0].id == "yard"
    assert box.bad.view is not None
    assert box.bad.view.fits is None, "its picture is compared from now on"
    first, last = box.notices()
    assert ("not judged" in first[0], last) == (True, [])
    assert box.unjudged("bad") == 0
    assert box.worker.ready()[1]["cameras"]["bad"] == "up"
    assert box.shown()["bad"].state == "up"
    box.worker.finish_seeing()
    assert [flow["observed_s"] for flow in box.told("traffic.flow", "bad")] == [4.0]


def test_another_error_of_an_unjudged_camera_replaces_the_first(start: Start) -> None:
    box = start(half_saved)
    box.up("bad")
    box.scene.write_text("rules: {fly: }")
    box.look()
    box.scene.unlink()
    box.look()
    told = [notice for [notice] in box.notices()]
    assert all(notice.startswith("the camera is not judged") for notice in told)
    assert ["gone" in notice for notice in told] == [False, False, True]


def test_a_mended_scene_that_breaks_again_stays_in_force_as_ever(start: Start) -> None:
    box = start(half_saved)
    box.up("bad")
    box.scene.write_text(GOOD)
    box.look()
    box.see(2)
    in_force = box.bad.scene
    half_saved(box.scene)
    box.look()
    box.see(2)
    assert box.bad.scene is in_force
    assert box.bad.analysed == 4
    assert box.notices()[-1][0].startswith("the changed scene file was not taken up, the one before stays")
    assert (box.unjudged("bad"), box.bad.state) == (0, "up")


def test_a_file_mended_while_the_models_are_loaded_is_taken_up(start: Start, tmp_path: Path) -> None:
    box = start(half_saved)
    box.close()
    box.scene.write_text(GOOD)
    scenes = {"good": box.worker.watches["good"].scene}
    box.worker = Worker(box.config, scenes)
    box.bad = box.worker.watches["bad"]
    box.up("bad")
    box.worker.scenes.look()
    box.see(1)
    assert box.bad.analysed == 1
    assert box.notices()[-1] == []


def test_a_box_is_not_ready_where_all_that_comes_is_pictures_that_are_not_judged(start: Start) -> None:
    box = start(half_saved)
    box.up("bad")
    assert not box.worker.ready()[0]
    box.worker._health(CameraHealth("bad", "stalled", START_S, "no picture"))
    shown = box.shown()["bad"]
    assert (shown.state, shown.reason) == ("stalled", "no picture")


def test_what_was_known_of_a_moved_camera_outlives_a_start_with_a_broken_scene(
    start: Start, tmp_path: Path
) -> None:
    box = start(lambda path: None)
    view = box.bad.view
    assert view is not None
    assert view._path is not None
    kept = [view._path, view._path.with_suffix(".json")]
    box.close()
    view._path.parent.mkdir()
    for path in kept:
        path.write_bytes(b"kept")
    again = start(half_saved)
    again.see(40)
    assert [path.read_bytes() for path in kept] == [b"kept"] * 2

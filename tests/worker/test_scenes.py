"""A changed scene file goes into force between two frames; a bad one changes nothing and is told."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import supervision as sv
import yaml

from pipeline.config import CameraSettings, Config, StreamSettings
from pipeline.config.amend import AmendError, amend
from pipeline.config.document import read
from pipeline.config.load import load_scene
from pipeline.perception.closer import HeadFinder
from pipeline.perception.detector import Detector
from pipeline.scene import Scene
from pipeline.types import Frame, FrameTime, Picture
from pipeline.worker.http import MonitorServer
from pipeline.worker.metrics import Metrics
from pipeline.worker.operator import OperatorDesk
from pipeline.worker.scenes import SceneFileError, SceneFiles, digest
from pipeline.worker.watch import CameraWatch
from tests.perception.onnx_models import CELLS, constant_model, names

EXAMPLE = Path(__file__).resolve().parents[2] / "configs" / "examples" / "scene.yaml"
TOKEN = "a-token-of-this-test-alone"


def scene(x: float = 0.3, **more: Any) -> dict[str, Any]:
    """Nobody may stand in its zone; `x`: its left edge."""
    polygon = [[x, 0.4], [0.9, 0.4], [0.9, 1.0], [x, 1.0]]
    return {
        "zones": [{"id": "yard", "purpose": "restricted", "polygon": polygon}],
        "rules": {"intrusion": {"min_s": 1.0}},
        **more,
    }


class Closer:
    """Looks for heads, and counts how often."""

    looks = 0

    def look(self, picture: Picture, users: sv.Detections, moving: np.ndarray) -> sv.Detections:
        self.looks += 1
        return users


class Gate:
    """One camera's watch before which a person stands, and its scene file."""

    def __init__(self, folder: Path) -> None:
        self.closer = Closer()
        self.path = folder / "gate.yaml"
        self.path.write_text(yaml.safe_dump(scene()))
        stream = StreamSettings(url="file:///nowhere.mp4")
        self.settings = CameraSettings(id="gate", detect=stream, scene=self.path)
        self.watch = CameraWatch(
            self.settings,
            Scene(load_scene(self.path)),
            Metrics(),
            confidence=0.3,
            tracks=None,
            view=None,
            on_frame=lambda camera_id: None,
            on_health=lambda health: None,
            closer=cast(HeadFinder, self.closer),
        )
        self.told: list[str] = []
        self.files = self.look_after()
        self.now_s = 1e9

    def look_after(self) -> SceneFiles:
        in_force = {"gate": self.watch.scene}
        return SceneFiles([self.settings], in_force, self._adopt, self.told.append)

    def _adopt(self, camera_id: str, taken: Scene) -> None:
        self.watch.adopt(taken, None)

    def change(self, text: str) -> None:
        self.path.write_text(text)
        self.files.look()
        self.files.look()

    def stand(self, seconds: float, x: float = 0.6) -> tuple[list[str], set[int]]:
        """Rules that report, and track numbers, while somebody stands there."""
        hits, tracks = [], set()
        for _ in range(round(seconds * 5)):
            self.now_s += 0.2
            picture = np.zeros((360, 640, 3), np.uint8)
            frame = Frame("gate", picture, FrameTime(self.now_s, "rtcp"), 0, source_size=(640, 360))
            person = sv.Detections(
                xyxy=np.array([[640 * x - 15, 200, 640 * x + 15, 280]], np.float32),
                confidence=np.array([0.9], np.float32),
                class_id=np.array([0]),
            )
            verdict = self.watch.judge(frame, person)
            hits += [act.hit.rule for act in verdict.acts]
            if self.watch.newest is not None:
                tracks |= {user.track_id for user in self.watch.newest.road_users}
        return hits, tracks


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_a_changed_file_is_in_force_from_the_next_frame_and_tracks_go_on(gate: Gate) -> None:
    hits, before = gate.stand(3.0, x=0.2)
    assert hits == []
    gate.change(yaml.safe_dump(scene(0.1)))
    hits, after = gate.stand(3.0, x=0.2)
    assert hits == ["intrusion"]
    assert before == after
    assert gate.watch.scene.settings.zones[0].polygon[0][0] == 0.1
    assert gate.files.state()["gate"] == (digest(gate.path.read_bytes()), "")
    # Another change does not report whoever still stands there a second time.
    gate.change(yaml.safe_dump(scene(0.15)))
    assert gate.stand(3.0, x=0.2)[0] == []


def test_lamps_and_ignored_areas_are_those_of_the_new_scene(gate: Gate) -> None:
    gate.stand(1.0, x=0.2)
    assert gate.watch.newest is not None
    assert len(gate.watch.newest.road_users) == 1
    everywhere = [[0, 0], [1, 0], [1, 1], [0, 1]]
    lamp = {"id": "ball", "box": [0.8, 0.1, 0.85, 0.3]}
    gate.change(yaml.safe_dump(scene(lamps=[lamp], ignore=[everywhere])))
    gate.stand(1.0, x=0.2)
    assert gate.watch.newest.road_users == ()
    assert set(gate.watch.newest.signals) == {"ball"}


def test_heads_are_looked_for_from_the_scene_on_that_asks_for_them(gate: Gate) -> None:
    gate.stand(1.0)
    assert gate.closer.looks == 0
    gate.change(yaml.safe_dump(scene(rules={"no_helmet": None})))
    gate.stand(1.0)
    assert gate.closer.looks == 5
    gate.change(yaml.safe_dump(scene()))
    gate.stand(1.0)
    assert gate.closer.looks == 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("zones: [", "not valid YAML"),
        (yaml.safe_dump(scene(rules={"crowd": None})), "crowd: is on, but the scene lacks"),
        (
            yaml.safe_dump(
                {"zones": [{"id": "z", "purpose": "p", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}
            ),
            "crosses itself",
        ),
        ("", "the file is empty"),
    ],
)
def test_a_file_that_cannot_be_changes_nothing_and_is_told_until_it_is_mended(
    gate: Gate, text: str, reason: str
) -> None:
    before = gate.watch.scene
    good = gate.path.read_text()
    gate.change(text)
    gate.stand(0.4)
    assert gate.watch.scene is before
    assert reason in gate.files.notice("gate")
    assert gate.told == ["gate"]
    gate.change(good)
    assert gate.files.notice("gate") == ""
    assert gate.told == ["gate", "gate"]
    assert gate.watch.scene is before


def test_a_file_that_the_next_start_would_refuse_is_refused_now(gate: Gate) -> None:
    gate.path.write_bytes(f"{gate.path.read_text()}# c\xf4ng\n".encode("latin-1"))
    gate.files.look()
    gate.files.look()
    assert "not UTF-8" in gate.files.notice("gate")


def test_a_file_that_is_gone_or_half_written_is_waited_for(gate: Gate) -> None:
    gate.path.unlink()
    gate.files.look()
    assert gate.files.notice("gate") == ""  # an editor may be replacing it
    gate.files.look()
    assert "is gone" in gate.files.notice("gate")
    gate.change(yaml.safe_dump(scene(0.2)))
    gate.stand(0.4)
    assert gate.files.notice("gate") == ""
    assert gate.watch.scene.settings.zones[0].polygon[0][0] == 0.2


@pytest.mark.parametrize("text", [yaml.safe_dump(scene(0.1)), "zones: [", None])
def test_a_file_changed_while_the_worker_starts_is_taken_up_or_told(gate: Gate, text: str | None) -> None:
    """Models are loaded between the reading of the scene and the first look at its file."""
    if text is None:
        gate.path.unlink()
    else:
        gate.path.write_text(text)
    gate.files = gate.look_after()
    gate.files.look()
    gate.files.look()
    hits, _ = gate.stand(3.0, x=0.2)
    taken = text is not None and text.startswith("rules")
    assert hits == ["intrusion"] * taken
    assert bool(gate.files.notice("gate")) is not taken


def test_a_file_of_which_only_words_changed_while_the_worker_starts_is_the_one_in_force(gate: Gate) -> None:
    gate.path.write_text(f"# the gate\n{gate.path.read_text()}")
    before, gate.files = gate.watch.scene, gate.look_after()
    assert gate.files.state()["gate"] == (digest(gate.path.read_bytes()), "")
    gate.files.look()
    gate.stand(0.4)
    assert gate.watch.scene is before


@pytest.fixture
def port(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The gate's worker, as a console reaches it."""
    monkeypatch.setenv("NGATU_TEST_TOKEN", TOKEN)
    model = constant_model(tmp_path / "model.onnx", np.zeros((4 + 1, CELLS)), metadata=names("person"))
    config = Config.model_validate(
        {
            "worker": {"operator": {"token_env": "NGATU_TEST_TOKEN"}},
            "model": {"path": model},
            "cameras": [gate.settings.model_dump()],
        }
    )
    desk = OperatorDesk(config, {"gate": gate.watch}, gate.files, Detector(config.model), tmp_path / "tracks")
    verdict = (True, {})
    server = MonitorServer("127.0.0.1", 0, Metrics().registry, lambda: verdict, lambda: verdict, desk)
    server.start()
    yield server.port
    server.stop()


def ask(
    port: int, method: str, path: str, body: str | None = None, *, token: str = TOKEN, match: str = ""
) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {token}", "If-Match": f'"{match}"'}
    data = None if body is None else body.encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/cameras{path}", data, headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_stills_and_scene_files_are_for_whoever_has_the_token(gate: Gate, port: int) -> None:
    for token in ("", "wrong", TOKEN[:-1]):
        for method, path in (("GET", ""), ("GET", "/gate/still"), ("PUT", "/gate/scene")):
            assert ask(port, method, path, "x" if method == "PUT" else None, token=token)[0] == 401
    assert ask(port, "GET", "/gate/still")[0] == 503
    gate.stand(0.4)
    status, jpeg = ask(port, "GET", "/gate/still")
    assert (status, jpeg[:2]) == (200, b"\xff\xd8")
    for path in ("/other/still", "/gate/../gate/still", "/gate/scene/x", "/gate"):
        assert ask(port, "GET", path)[0] == 404, path
    (told,) = json.loads(ask(port, "GET", "")[1])
    assert (told["id"], told["scene_sha256"]) == ("gate", digest(gate.path.read_bytes()))


def test_a_scene_is_put_only_in_place_of_the_one_that_was_looked_at(gate: Gate, port: int) -> None:
    status, text = ask(port, "GET", "/gate/scene")
    assert (status, text) == (200, gate.path.read_bytes())
    new = yaml.safe_dump(scene(0.1, time_zone="Asia/Tokyo"))
    crossed = yaml.safe_dump(scene()).replace("restricted", "no purpose at all")
    assert ask(port, "PUT", "/gate/scene", crossed, match=digest(text))[0] == 422
    assert ask(port, "PUT", "/gate/scene", new, match="0" * 64)[0] == 412
    assert gate.path.read_bytes() == text
    assert ask(port, "PUT", "/gate/scene", new, match=digest(text))[0] == 200
    assert gate.path.read_text() == new
    assert [path.name for path in gate.path.parent.glob(".gate*")] == []
    status, answer = ask(port, "POST", "/gate/check", new.replace("intrusion", "no_helmet"))
    assert status == 200
    assert "no helmet" in answer.decode()
    status, answer = ask(port, "POST", "/gate/backtest", new)
    assert (status, b"stores no tracks" in answer) == (409, True)


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EROFS, "/var/lib/ngatu/scenes"),
        (errno.EACCES, "the right to its folder"),
        (errno.ENOSPC, "make room there"),
        (errno.EDQUOT, "make room there"),
    ],
)
def test_a_scene_that_cannot_be_written_says_what_helps(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(SceneFileError, match=cure) as told:
        gate.files.write("gate", "x")
    assert os.strerror(number) in str(told.value)


def test_a_file_that_other_cameras_have_too_is_not_saved_for_one(
    gate: Gate, port: int, tmp_path: Path
) -> None:
    (tmp_path / "link.yaml").symlink_to(gate.path)
    (tmp_path / "folder").symlink_to(tmp_path)
    before = gate.path.read_text()

    def sharing(path: Path) -> None:
        others = [CameraSettings(id=name, detect=gate.settings.detect, scene=path) for name in ("b", "c")]
        in_force = dict.fromkeys(("gate", "b", "c"), gate.watch.scene)
        files = SceneFiles([gate.settings, *others], in_force, lambda *_: None, gate.told.append)
        gate.files._files = files._files

    for path in (gate.path, tmp_path / "folder" / gate.path.name):
        sharing(path)
        status, answer = ask(port, "PUT", "/gate/scene", before + "# x\n", match=digest(before.encode()))
        assert status == 409
        assert "is the scene of b, c too" in json.loads(answer)["detail"]
        assert gate.path.read_text() == before
    sharing(tmp_path / "link.yaml")  # saving replaces the file, or the link, and the other stays
    assert ask(port, "PUT", "/gate/scene", before + "# x\n", match=digest(before.encode()))[0] == 200


def test_what_a_person_wrote_stays_where_nothing_changed() -> None:
    text = EXAMPLE.read_text()
    data = read(EXAMPLE).data
    assert amend(text, data) == text
    data["lamps"][0]["box"] = [0.5, 0.1, 0.6, 0.3]
    data["zones"] = [
        *data["zones"][1:],
        {"id": "new", "purpose": "crowd", "polygon": [[0, 0], [1, 0], [1, 1]]},
    ]
    del data["time_zone"]
    amended = amend(text, data)
    assert read(EXAMPLE, amended).data == data
    kept = [line for line in text.splitlines() if line.strip().startswith("#")]
    assert sum(line in amended.splitlines() for line in kept) > 0.85 * len(kept)
    assert "    # [left, top, right, bottom], drawn tightly around the three lights" in amended


def test_what_is_renamed_keeps_its_comments_and_what_is_drawn_instead_of_another_takes_none() -> None:
    text = EXAMPLE.read_text()
    data = read(EXAMPLE).data
    data["lamps"][0]["id"] = "main"
    data["stop_lines"][0]["id"] = "north"
    amended = amend(text, data)
    assert read(EXAMPLE, amended).data == data
    changed = [line for line in amended.splitlines() if line not in text.splitlines()]
    assert changed == ["  - id: main", "  - id: north"]
    assert len(amended.splitlines()) == len(text.splitlines())
    # Another place is another thing, whatever stood there.
    data["lamps"][0] = {"id": "main", "box": [0.5, 0.1, 0.6, 0.3], "layout": "vertical"}
    assert "drawn tightly around the three lights" not in amend(text, data)


@pytest.mark.parametrize("text", ["", "zones: [", "{zones: [], lamps: []}", "- a list"])
def test_a_text_that_cannot_be_amended_is_written_anew(text: str) -> None:
    assert read(EXAMPLE, amend(text, scene())).data == scene()


def test_data_that_no_file_can_hold_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    for data in (deep, {"zones": "\ud800"}, {"zones": "\x85"}, {"zones": 10**6000}):
        with pytest.raises(AmendError):
            amend("", data)

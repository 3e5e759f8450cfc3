"""`ngatu check` names what model, stream and rate cannot serve."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import CameraSettings, Config
from pipeline.evidence import SigningKey
from pipeline.law.load import SHIPPED
from pipeline.scene import SceneSettings
from pipeline.worker.check import Finding, findings, lamps_known, scene_fits
from tests.perception.onnx_models import CELLS, constant_model, names

RIDERS = {"rules": {"no_helmet": None, "too_many_riders": None}}


def looked_at(
    folder: Path, *classes: str, scene: Mapping[str, Any] = RIDERS, **settings: Any
) -> list[Finding]:
    model = constant_model(
        folder / "model.onnx", np.zeros((4 + len(classes), CELLS)), metadata=names(*classes)
    )
    config = Config.model_validate(
        {
            "worker": {"id": "w", "data_dir": str(folder / "data")},
            "model": {"path": str(model)},
            "cameras": [{"id": "north", "detect": {"url": "rtsp://127.0.0.1/a"}}],
            **settings,
        }
    )
    return list(findings(config, {"north": SceneSettings.model_validate(scene)}, offline=True))


def test_a_model_without_heads_cannot_serve_rules_about_riders(tmp_path: Path) -> None:
    refused = {found.what: found.detail for found in looked_at(tmp_path, "person", "car") if not found.ok}
    assert sorted(refused) == ["north rule no_helmet", "north rule too_many_riders"]
    assert "model.onnx" in refused["north rule no_helmet"]
    assert "no head and no helmet" in refused["north rule no_helmet"]


def test_a_model_with_heads_serves_them(tmp_path: Path) -> None:
    """By whatever names it calls them."""
    found = looked_at(tmp_path, "motorbike", "With Helmet", "no-helmet")
    assert all(each.ok for each in found), found


def test_it_says_where_the_model_sees_riders(tmp_path: Path) -> None:
    found = {each.what: each for each in looked_at(tmp_path, "person", "motorbike")}
    assert "2 classes, riders as persons of their own, on cpu" in found["model"].detail
    (tmp_path / "model.yaml").write_text("riders: in-box")
    found = {each.what: each for each in looked_at(tmp_path, "person", "motorbike")}
    assert "2 classes, riders in the two-wheeler's box, on cpu" in found["model"].detail


def test_it_says_how_much_law_is_in_force_and_unverified(tmp_path: Path) -> None:
    found = {each.what: each for each in looked_at(tmp_path, "head")}
    assert found["law"].ok
    assert "entries in force" in found["law"].detail
    assert "not verified" in found["law"].detail
    assert "whose figures are not in the catalogue" in found["law"].detail
    assert found["plates"].ok
    assert found["plates"].detail.startswith("read")


def test_law_that_cannot_be_read_or_is_silent_on_a_rule_is_not_well(tmp_path: Path) -> None:
    folder = tmp_path / "law"
    folder.mkdir()
    found = [each for each in looked_at(tmp_path, "head", law=str(folder)) if each.what == "law"]
    assert [each.ok for each in found] == [False]
    assert "holds no .yaml file" in found[0].detail
    ended = "act: no_helmet\n    effective_to: 2025-06-30"
    shipped = (SHIPPED / "nd-168-2024.yaml").read_text()
    (folder / "own.yaml").write_text(shipped.replace("act: no_helmet", ended))
    told = [each for each in looked_at(tmp_path, "head", law=str(folder)) if each.what == "law"]
    assert [each.ok for each in told] == [True, False]
    assert told[1].detail.startswith("no entry in force for no_helmet:")


def test_plates_that_are_not_read_leave_no_candidates_and_that_is_said(tmp_path: Path) -> None:
    found = {each.what: each for each in looked_at(tmp_path, "head", plates={"enabled": False})}
    assert found["plates"].ok
    assert "every violation is violation.incomplete" in found["plates"].detail


def test_a_look_leaves_nothing_behind_in_the_workers_folder(tmp_path: Path) -> None:
    """Of root's making, it would keep the worker's own user out."""
    found = {each.what: each for each in looked_at(tmp_path, "head")}
    assert not (tmp_path / "data").exists()
    assert found["disk"].ok
    assert found["disk"].detail.endswith("the worker will make it")
    assert found["signing key"].detail == "none yet: the worker makes it at its first start"
    key = SigningKey.load_or_create(tmp_path / "data")
    before = sorted((tmp_path / "data").iterdir())
    found = {each.what: each for each in looked_at(tmp_path, "head")}
    assert found["signing key"].detail == f"key {key.key_id}"
    assert found["disk"].detail.endswith("GB free")
    assert sorted((tmp_path / "data").iterdir()) == before
    (tmp_path / "file").write_text("")
    worker = {"data_dir": str(tmp_path / "file" / "data")}
    assert not {each.what: each for each in looked_at(tmp_path, "head", worker=worker)}["disk"].ok


def test_how_many_acts_fit_is_told(tmp_path: Path) -> None:
    parts = {"outbox": {"max_megabytes": 130.0, "max_disk_share": 1.0}}
    assert {each.what: each for each in looked_at(tmp_path, "head", **parts)}["room"].detail == "some 80 acts"
    parts["kafka"] = {"brokers": ["192.0.2.1:9092"]}
    for evidence, days in (({}, 7), ({"least_days": 4.0}, 4), ({"retention_days": 2.0}, 2)):
        room = {each.what: each for each in looked_at(tmp_path, "head", evidence=evidence, **parts)}["room"]
        a_day = f"{80 / days:.0f} a day, as evidence stays for {days} days at least"
        assert room.detail == f"some 80 acts: {a_day}"


def test_secrets_that_the_worker_would_miss_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {
        "worker": {"data_dir": str(tmp_path), "operator": {"token_env": "NGATU_TEST_TOKEN"}},
        "kafka": {
            "brokers": ["192.0.2.1:9092"],
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "username": "x",
            "password_env": "NGATU_TEST_PASSWORD",
        },
    }
    for name in ("NGATU_TEST_TOKEN", "NGATU_TEST_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    found = {each.what: each for each in looked_at(tmp_path, "head", **settings)}
    assert not found["operator"].ok
    assert "NGATU_TEST_TOKEN" in found["operator"].detail
    assert not found["kafka password"].ok
    assert "NGATU_TEST_PASSWORD" in found["kafka password"].detail
    monkeypatch.setenv("NGATU_TEST_TOKEN", "short")
    assert not {each.what: each for each in looked_at(tmp_path, "head", **settings)}["operator"].ok
    for name in ("NGATU_TEST_TOKEN", "NGATU_TEST_PASSWORD"):
        monkeypatch.setenv(name, "a secret of this test alone")
    found = {each.what: each for each in looked_at(tmp_path, "head", **settings)}
    assert found["operator"].ok
    assert found["kafka password"].ok
    assert not any("secret of" in each.detail for each in found.values())


def test_a_port_that_a_running_worker_may_hold_is_only_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        worker = {"data_dir": str(tmp_path), "metrics_port": port}
        found = {each.what: each for each in looked_at(tmp_path, "head", worker=worker)}
    assert found["monitor"].ok
    assert f"127.0.0.1:{port} is taken" in found["monitor"].detail
    found = {each.what: each for each in looked_at(tmp_path, "head", worker=worker)}
    assert found["monitor"].detail == f"127.0.0.1:{port}"
    worker = {"data_dir": str(tmp_path), "metrics_host": "192.0.2.1"}
    assert not {each.what: each for each in looked_at(tmp_path, "head", worker=worker)}["monitor"].ok


@pytest.mark.parametrize(
    ("width", "height", "more"),
    [(640, 360, False), (640, 384, False), (640, 480, True), (640, 1280, True), (1280, 720, True)],
)
def test_windows_that_show_nothing_more_are_told_by_the_pictures_scale(
    width: int, height: int, more: bool
) -> None:
    """To a model of 640x384 a picture of 640x480 is scaled down by its height."""
    scene = SceneSettings.model_validate({"windows": [(0.3, 0.2, 0.8, 0.7)]})
    found = scene_fits(camera(), scene, width, height, (640, 384))
    assert found.ok
    assert ("windows show no more" in found.detail) is not more
    assert more or f"{width}x{height} as against the model's 640x384" in found.detail


LAMP = {"id": "ball", "box": (0.8, 0.1, 0.85, 0.2)}


@pytest.mark.parametrize(("rate_hz", "told"), [(0.8, True), (1.9, True), (2.0, False), (6.0, False)])
def test_lamps_that_are_looked_at_too_seldom_are_not_well(rate_hz: float, told: bool) -> None:
    with_lamp = SceneSettings.model_validate({"lamps": [LAMP]})
    found = list(lamps_known(camera(rate_hz=rate_hz), with_lamp))
    assert [(one.what, one.ok) for one in found] == [("north lamps", False)] * told
    if told:
        assert f"ball cannot be known from {rate_hz:g} pictures a second analysed" in found[0].detail
        assert "raise analysis.rate_hz" in found[0].detail
    assert not list(lamps_known(camera(rate_hz=rate_hz), SceneSettings()))


def test_a_stream_too_slow_for_lamps_is_not_well(tmp_path: Path) -> None:
    with_lamp = SceneSettings.model_validate({"lamps": [LAMP]})
    (found,) = lamps_known(camera(), with_lamp, 1.02)
    assert not found.ok
    assert "raise the camera's frame rate" in found.detail
    assert not list(lamps_known(camera(), with_lamp, 1.97)), "a measured rate is not exact"


def test_check_looks_at_the_rate_of_lamps_without_a_camera_too(tmp_path: Path) -> None:
    slow = [camera(rate_hz=1.0).model_dump(mode="json")]
    scene = {"lamps": [LAMP], "rules": {}}
    found = {each.what: each.ok for each in looked_at(tmp_path, "head", scene=scene, cameras=slow)}
    assert found["north lamps"] is False


def camera(**analysis: float) -> CameraSettings:
    return CameraSettings.model_validate(
        {"id": "north", "detect": {"url": "rtsp://127.0.0.1/a"}, "analysis": analysis}
    )

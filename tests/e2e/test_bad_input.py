"""Whatever an operator or a disk gets wrong: one clear sentence, a non-zero exit or a state, nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cameras.replay import ReplayServer
from tests.cameras.clips import make_clip
from tests.e2e.harness import NGATU, Box, box, monitor


def ngatu(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*NGATU, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
    )


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refusal: no traceback, exit code 1."""
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("ngatu: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "bars.mp4")


@pytest.fixture
def looping(clip: Path) -> dict[str, Any]:
    return {"id": "bars", "detect": {"url": f"file://{clip}", "loop": True}}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB of our own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def events_of(worker: Box, kind: str) -> list[dict[str, Any]]:
    result = ngatu("events", str(worker.path), "--json", "--type", kind)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_missing_model(tmp_path: Path, looping: dict[str, Any]) -> None:
    worker = box(tmp_path, tmp_path / "none.onnx", [looping])
    worker.write()
    assert "none.onnx" in refused(ngatu("run", str(worker.path)))


def test_corrupt_model(tmp_path: Path, looping: dict[str, Any]) -> None:
    model = tmp_path / "broken.onnx"
    model.write_bytes(b"\x08\x07 this is no model" * 100)
    worker = box(tmp_path, model, [looping])
    worker.write()
    assert "broken.onnx" in refused(ngatu("run", str(worker.path)))


def test_unknown_key_names_file_line_and_key(
    tmp_path: Path, looping: dict[str, Any], yolox_path: Path
) -> None:
    worker = box(tmp_path, yolox_path, [{**looping, "scenne": "x.yaml"}])
    worker.write()
    line = 1 + worker.path.read_text().splitlines().index("  scenne: x.yaml")
    sentence = refused(ngatu("run", str(worker.path)))
    assert f"worker.yaml:{line}: cameras[0].scenne" in sentence
    assert "did you mean 'scene'?" in sentence


def test_self_crossing_zone(tmp_path: Path, looping: dict[str, Any], yolox_path: Path) -> None:
    scene = tmp_path / "scene.yaml"
    zone = {"id": "bow", "purpose": "test", "polygon": [[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]}
    scene.write_text(yaml.safe_dump({"zones": [zone]}))
    worker = box(tmp_path, yolox_path, [{**looping, "scene": "scene.yaml"}])
    worker.write()
    sentence = refused(ngatu("check", "--offline", str(worker.path)))
    assert "scene.yaml:" in sentence
    assert "crosses itself" in sentence


def test_one_half_saved_scene_does_not_keep_the_box_from_working(
    tmp_path: Path, looping: dict[str, Any], yolox_path: Path
) -> None:
    scene = tmp_path / "scene.yaml"
    scene.write_text("zones: [")
    worker = box(tmp_path, yolox_path, [looping, {**deepcopy(looping), "id": "half", "scene": "scene.yaml"}])
    worker.write()
    assert "scene.yaml:2: not valid YAML" in refused(ngatu("check", "--offline", str(worker.path)))

    def analysed(camera: str) -> bool:
        return f'ngatu_frames_total{{camera="{camera}",stage="analysed"}}' in monitor(process, "/metrics")

    with worker.running() as process:
        process.wait_for(lambda: '"camera": "half", "state": "up"' in "".join(process.err), 30, "camera")
        process.wait_for(lambda: analysed("bars"), 30, "a picture that is judged")
        assert not analysed("half")
        assert json.loads(monitor(process, "/readyz"))["cameras"] == {"bars": "up", "half": "not judged"}
        scene.write_text("rules: {}\n")
        process.wait_for(lambda: analysed("half"), 30, "a picture of the mended camera")
        scene.write_text("zones: [")
        process.wait_for(
            lambda: "".join(process.err).count("scene_refused") == 2, 30, "word of the next error"
        )
        process.terminate()
    assert process.popen.returncode == 0
    told = [event["data"] for event in events_of(worker, "camera.health")]
    first, mended, last = (
        data["notices"] for data in told if data["camera"]["id"] == "half" and data["state"] == "up"
    )
    assert "is not judged until its scene file can be used" in first[0]
    assert "scene.yaml:2: not valid YAML" in first[0]
    assert mended == []
    assert "the one before stays" in last[0]


def test_wrong_password_is_a_state_and_no_secret_is_told(
    tmp_path: Path, clip: Path, looping: dict[str, Any], yolox_path: Path
) -> None:
    secret = "s3cr3t-Pa55"
    with ReplayServer([clip], username="operator", password="right") as server:
        camera = {
            "id": "locked",
            "detect": {"url": server.urls["bars"], "username": "operator", "password_env": "CAM_PASSWORD"},
        }
        worker = box(tmp_path, yolox_path, [camera, looping])
        worker.write()
        found = ngatu("check", "--json", str(worker.path), env={"CAM_PASSWORD": secret})
        assert found.returncode == 1
        locked = next(f for f in json.loads(found.stdout) if f["what"] == "locked detect")
        assert not locked["ok"]
        assert "password" in locked["detail"] or "log" in locked["detail"]
        with worker.running({"CAM_PASSWORD": secret}) as process:
            said = lambda words: words in "".join(process.err)  # noqa: E731
            process.wait_for(lambda: said('"camera": "bars", "state": "up"'), 30, "healthy camera")
            process.wait_for(lambda: said('"camera": "locked", "state": "down"'), 30, "refused camera")
            metrics = monitor(process, "/metrics")
            ready = json.loads(monitor(process, "/readyz"))
            process.terminate()
        assert ready["cameras"]["bars"] == "up"
        assert ready["cameras"]["locked"] != "up"
        told = found.stdout + found.stderr + "".join(process.err) + metrics
        told += json.dumps(events_of(worker, "camera.health"))
        assert secret not in told
        assert any(
            event["data"]["camera"]["id"] == "locked" and event["data"]["state"] == "down"
            for event in events_of(worker, "camera.health")
        )


def test_password_in_an_address_is_refused(tmp_path: Path, yolox_path: Path) -> None:
    camera = {"id": "open", "detect": {"url": "rtsp://operator:s3cr3t-Pa55@127.0.0.1/x"}}
    worker = box(tmp_path, yolox_path, [camera])
    worker.write()
    result = ngatu("check", str(worker.path))
    assert "password_env" in refused(result)
    assert "s3cr3t-Pa55" not in result.stdout + result.stderr


def test_unreachable_broker_keeps_everything(
    tmp_path: Path, looping: dict[str, Any], yolox_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    worker = box(tmp_path, yolox_path, [looping], address)
    worker.write()
    found = ngatu("check", "--json", str(worker.path))
    assert found.returncode == 1
    kafka = next(f for f in json.loads(found.stdout) if f["what"] == "kafka")
    assert address in kafka["detail"]
    with worker.running() as process:
        process.wait_for(lambda: '"state": "up"' in "".join(process.err), 30, "camera")
        process.wait_for(lambda: "sink_unavailable" in "".join(process.err), 30, "word of the broker")
        ready = json.loads(monitor(process, "/readyz"))
        assert process.terminate() < 10
    assert process.popen.returncode == 0
    assert address in ready["kafka"]
    states = [event["data"]["state"] for event in events_of(worker, "camera.health")]
    assert "up" in states


def test_read_only_disk(tmp_path: Path, looping: dict[str, Any], yolox_path: Path, small_disk: Path) -> None:
    worker = box(tmp_path, yolox_path, [looping])
    worker.config["worker"]["data_dir"] = str(small_disk)
    worker.write()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert str(small_disk) in refused(ngatu("run", str(worker.path)))
    found = ngatu("check", "--offline", "--json", str(worker.path))
    assert found.returncode == 1
    disk = next(f for f in json.loads(found.stdout) if f["what"] == "disk")
    assert "cannot be written" in disk["detail"]


def test_full_disk_is_told_and_what_was_stored_stays(
    tmp_path: Path, looping: dict[str, Any], yolox_path: Path, small_disk: Path
) -> None:
    worker = box(tmp_path, yolox_path, [looping])
    worker.config["worker"]["data_dir"] = str(small_disk)
    with worker.running() as process:
        monitor(process, "/healthz")
        process.wait_for(lambda: "up" in "".join(process.err), 20, "camera")
        time.sleep(1)
        before = {event["id"] for event in events_of(worker, "camera.health")}
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while stream.write(b"\0" * 4096):
                pass
        _lose_and_regain(process, looping)
        assert json.loads(monitor(process, "/healthz"))["ok"]
        filler.unlink()
        process.terminate()
    assert process.popen.returncode == 0, "".join(process.err)[-2000:]
    after = {event["id"] for event in events_of(worker, "camera.health")}
    assert len(before) >= 2
    # The states of one camera replace each other when space is short; the newest is there.
    assert after


def _lose_and_regain(process: Any, looping: dict[str, Any]) -> None:
    """The camera's process dies: its health wants to be written, with nowhere to write it."""
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.popen.pid)], capture_output=True, text=True, check=True
    )
    for pid in children.stdout.split():
        os.kill(int(pid), 9)
    process.wait_for(
        lambda: "outbox" in "".join(process.err) and "full" in "".join(process.err), 20, "sentence"
    )


def test_metrics_port_in_use(tmp_path: Path, looping: dict[str, Any], yolox_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        worker = box(tmp_path, yolox_path, [looping])
        worker.config["worker"]["metrics_port"] = taken.getsockname()[1]
        worker.write()
        assert "metrics" in refused(ngatu("run", str(worker.path)))


def test_help_reads_like_a_manual() -> None:
    text = ngatu("--help").stdout
    for command in ("run", "check", "events", "verify", "replay", "schema", "models", "bench"):
        assert command in text
    assert shutil.which("ngatu", path=str(Path(NGATU[0]).parent))

"""The demo as a newcomer starts it: it finds what the city stages, and leaves nothing behind when stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from pipeline.sim.scenario import scenario
from pipeline.sim.scenes import write_scenes
from tests.conftest import ROOT
from tests.e2e.harness import NGATU
from tests.waiting import wait_for

CONFIG = ROOT / "configs" / "demo"
FILMING_S = 900.0
"""The film of the demo is made once and kept in the user's cache, as for a newcomer."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The demo's configuration with a folder for its data that is the test's own."""
    folder = tmp_path / "configs" / "demo"
    shutil.copytree(CONFIG, folder)
    (tmp_path / "models").symlink_to(ROOT / "models")
    return folder / "worker.yaml"


@contextmanager
def demo(config: Path, *arguments: str, cache: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Runs in a session of its own, so that a signal to its group is a Ctrl-C in its terminal."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts what runs in its background, and children would be as deaf.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*NGATU, "demo", str(config), "--no-status", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | ({"XDG_CACHE_HOME": str(cache)} if cache else {}),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_the_scene_files_are_those_of_the_ground_plan(tmp_path: Path) -> None:
    for made in write_scenes(scenario("demo"), tmp_path):
        assert (CONFIG / made.name).read_text() == made.read_text(), (
            "run `ngatu sim scenes demo configs/demo` and look at what changed"
        )


def test_the_smoke_expects_at_least_five_kinds() -> None:
    listed = re.search(r"^SMOKE_KINDS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed is not None
    kinds = set(listed[1].split(","))
    assert len(kinds) >= 5
    on = set().union(
        *(yaml.safe_load(path.read_text()).get("rules", {}) for path in CONFIG.glob("[!w]*.yaml"))
    )
    assert kinds <= on, "a kind that no camera's scene switches on can never arrive"


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.timeout(FILMING_S + 350)
def test_make_smoke_finds_what_it_must(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "smoke", "ARGS=--json"],
        cwd=ROOT,
        # Not as a part of the make that runs the tests: a part tells, last of all, which folder it leaves.
        env={name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")},
        capture_output=True,
        text=True,
        timeout=FILMING_S + 250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["missing"] == []
    assert report["console"]["kinds"] == report["kinds"], "the console shows every act"
    evidence = Path(report["evidence"])
    verified = subprocess.run([*NGATU, "verify", str(evidence)], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout
    with_folder = [one for one in report["acts"] if one["bundle"]]
    assert with_folder
    for one in with_folder:
        assert (evidence / one["bundle"] / "manifest.json").is_file()


def test_a_detector_that_is_not_there_is_told_before_anything_is_filmed(config: Path, tmp_path: Path) -> None:
    with demo(config, "--model", "none.onnx", cache=tmp_path / "cache") as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "none.onnx" in told
    assert "make train" in told
    assert not (tmp_path / "cache" / "ngatu").exists()


def test_what_cannot_be_expected_is_told(config: Path, yolox_path: Path) -> None:
    for arguments, said in (
        (["--for", "5", "--expect", "jaywalking"], "no rule 'jaywalking'"),
        (["--expect", "red_light"], "--for"),
    ):
        with demo(config, "--model", str(yolox_path), *arguments) as process:
            _, told = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said in told


def test_a_folder_that_is_no_demos_is_left_alone(config: Path, yolox_path: Path, tmp_path: Path) -> None:
    data = tmp_path / "data" / "demo"
    data.mkdir(parents=True)
    (data / "outbox.db").write_text("dear")
    with demo(config, "--model", str(yolox_path), cache=tmp_path / "cache") as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert str(data) in told
    assert (data / "outbox.db").read_text() == "dear"
    assert not (tmp_path / "cache" / "ngatu").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_while_filming_it_leaves_no_process_and_no_film(
    config: Path, yolox_path: Path, tmp_path: Path, number: signal.Signals
) -> None:
    cache = tmp_path / "cache" / "ngatu" / "city"
    with demo(config, "--model", str(yolox_path), cache=tmp_path / "cache") as process:
        assert wait_for(lambda: (cache / ".filming" / "scenario.json").exists(), 60)
        assert wait_for(lambda: len(descendants(process)) >= 2, 60)
        children = descendants(process)
        if number is signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode != 0
    assert not psutil.wait_procs(children, 60)[1], "orphans"
    assert not [path for path in cache.iterdir() if not path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.timeout(FILMING_S + 300)
def test_stopped_while_it_runs_it_ends_clean_and_leaves_no_process(config: Path) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with demo(config, "--model", str(ROOT / "models" / "ngatu_nano_int8.onnx"), "--json") as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("cameras"):
                    break
            # The city's server and a process for each camera.
            assert wait_for(lambda: len(cameras_of(process)) == 4, 60)
            children = descendants(process)
            if number is signal.SIGINT:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            out, told = process.communicate(timeout=30)
        assert not psutil.wait_procs(children, 20)[1], "orphans"
        if number is signal.SIGINT:
            assert process.returncode == 0, told
            assert "Traceback" not in told
            assert json.loads(out)["missing"] == []
    kept = config.parents[2] / "data" / "demo"
    assert (kept / "outbox.db").is_file()


def cameras_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Those that live: a child that has just ended, and waits for its parent, has no command line."""
    found = []
    for child in descendants(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "pipeline.cameras.child" in " ".join(child.cmdline()):
                found.append(child)
    return found

"""What is installed from a wheel is all that runs from a checkout: pages, texts, migrations, models, laws."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Of the files in a wheel that was built now."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("ngatu-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize(
    "name",
    [
        "pipeline/ioc/console/console.js",
        "pipeline/ioc/console/live.js",
        "pipeline/ioc/console/wall.js",
        "pipeline/ioc/console/cameras.js",
        "pipeline/ioc/console/style.css",
        "pipeline/ioc/console/wall.css",
        "pipeline/ioc/console/texts.yaml",
        "pipeline/ioc/store/migrations/env.py",
        "pipeline/ioc/store/migrations/versions/v0001_first.py",
        "pipeline/law/decrees/nd-168-2024.yaml",
        "pipeline/perception/known_models/ngatu_nano_int8.onnx",
    ],
)
def test_a_wheel_has_what_the_console_and_the_worker_open(names: set[str], name: str) -> None:
    assert name in names


def test_a_wheel_has_every_tracked_file_of_the_package(names: set[str]) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "pipeline"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    assert len(tracked) > 200
    assert tracked - names == set()

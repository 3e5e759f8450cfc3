"""scripts/setup on a machine that is played: packages, apt and uv are stand-ins, its .venv is real."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "scripts" / "setup"
LOCKED = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (unattended-upgr)"


@dataclass
class Machine:
    """A checkout, and the programs that its `setup` finds first."""

    root: Path

    def program(self, name: str, script: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def start(self, *options: str) -> subprocess.Popen[str]:
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        return subprocess.Popen(
            ["bash", "scripts/setup", *options],
            cwd=self.root,
            env={**os.environ, "PATH": path, "PIP_NO_INDEX": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def setup(self, *options: str) -> tuple[int, str]:
        process = self.start(*options)
        told, _ = process.communicate(timeout=120)
        return process.returncode, told

    def done(self) -> list[str]:
        """What uv was asked for since the last look: sync, install."""
        log = self.root / "uv.log"
        found = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return found


def machine(root: Path) -> Machine:
    """With all packages installed."""
    for folder in ("scripts", "deploy", "bin"):
        (root / folder).mkdir()
    shutil.copy(SETUP, root / "scripts")
    (root / "pyproject.toml").write_text("[project]\n")
    made = Machine(root)
    script = f'#!/bin/sh\necho "$2" >>{root}/uv.log\ntest ! -e {root}/fails\n'
    wheel = root / "uv-1-py3-none-any.whl"
    about = "uv-1.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        run = zipfile.ZipInfo("uv-1.data/scripts/uv")
        run.external_attr = 0o100755 << 16
        file.writestr(run, script)
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 1\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", f"uv-1.data/scripts/uv,,\n{about}/METADATA,,\n{about}/WHEEL,,\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (root / "deploy" / "bootstrap.lock").write_text(f"uv @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    for name in ("requirements", "requirements-ioc", "requirements-dev"):
        (root / "deploy" / f"{name}.lock").write_text(f"# {name}\n")
    packages = SETUP.read_text().partition("runtime_packages=(")[2].partition(")")[0].split()
    told = "".join(f"ii \t{package}\n" for package in packages)
    (root / "packages").write_text(told)
    made.program("dpkg-query", f"cat {root}/packages")
    made.program("apt-get", "echo must not be called >&2; exit 1")
    return made


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    return machine(tmp_path)


@pytest.mark.slow
def test_setup_does_what_is_to_do_and_takes_up_what_was_broken_off(bare: Machine) -> None:
    try:
        subprocess.run(["/usr/bin/python3", "-c", "import gi, ensurepip"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the distribution's own Python has no gi or ensurepip: run scripts/setup")
    status, told = bare.setup("--runtime")
    assert status == 0, told
    assert bare.done() == ["sync", "install"]
    # Nothing to do; and what is written in pyproject.toml alone needs no package anew.
    assert bare.setup("--runtime")[0] == 0
    assert bare.done() == []
    (bare.root / "pyproject.toml").write_text("[project]\n# longer lines\n")
    assert bare.setup("--runtime")[0] == 0
    assert bare.done() == ["install"]
    # Broken off between two states of the lock file, then the first again: half of it may be gone.
    lock = bare.root / "deploy" / "requirements.lock"
    before = lock.read_text()
    lock.write_text("# other packages\n")
    (bare.root / "fails").touch()
    assert bare.setup("--runtime")[0] != 0
    (bare.root / "fails").unlink()
    lock.write_text(before)
    bare.done()
    assert bare.setup("--runtime")[0] == 0
    assert bare.done() == ["sync", "install"]
    # The distribution went on to another Python: the environment's packages are the old one's.
    (packages,) = (bare.root / ".venv" / "lib").glob("python3.*")
    packages.rename(packages.with_name("python3.0"))
    status, told = bare.setup("--runtime")
    assert status == 0, told
    assert "creating .venv" in told
    assert packages.is_dir()
    # One that is broken off while it is made is made anew.
    shutil.rmtree(packages / "site-packages" / "pip")
    assert "creating .venv" in bare.setup("--runtime")[1]


def test_of_two_setups_at_once_the_second_waits(bare: Machine) -> None:
    bare.program("dpkg-query", f"touch {bare.root}/begun; exit 1")
    held = os.open(bare.root / "deploy", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    process = bare.start("--runtime")
    time.sleep(1)
    begun = (bare.root / "begun").exists()
    os.close(held)
    process.communicate(timeout=20)
    assert not begun
    assert (bare.root / "begun").exists()


def test_setup_waits_for_whoever_is_at_apt_and_for_nothing_else(bare: Machine) -> None:
    bare.program("id", "echo 0")
    bare.program("sleep", f"echo >>{bare.root}/slept")
    (bare.root / "packages").write_text("")
    # Locked twice; then it is not, and then a package is not to be had.
    bare.program(
        "apt-get",
        f"""echo "$@" >>{bare.root}/apt
case $(wc -l <{bare.root}/apt) in
    1 | 2) echo "{LOCKED}" >&2; exit 100 ;;
    3) ;;
    *) echo "E: Unable to locate package python3-gi" >&2; exit 100 ;;
esac""",
    )
    status, told = bare.setup("--runtime")
    assert status == 1
    asked = [line.split()[0] for line in (bare.root / "apt").read_text().splitlines()]
    assert asked == ["update", "update", "update", "install"]
    assert told.count("another program is at apt") == 1
    assert "Unable to locate package python3-gi" in told
    assert LOCKED not in told
    assert not (bare.root / ".venv").exists()


def test_setup_installs_nothing_for_an_option_that_it_does_not_know(bare: Machine) -> None:
    status, told = bare.setup("--runtme")
    assert status == 2
    assert "--runtime, --demo and --train" in told

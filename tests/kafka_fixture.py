"""A real Apache Kafka for tests: one broker shared by all workers of a test run, and brokers of one's own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "kafka"


@dataclass
class Broker:
    """A broker that can be stopped and started again with its data, on the same port."""

    directory: Path
    address: str = ""

    def start(self, *, properties: str = "") -> str:
        """Start it, or start it again; returns host:port once it answers."""
        port = self.address.rpartition(":")[2] or "0"
        command = [str(SCRIPT), "start", "--dir", str(self.directory), "--port", port]
        if properties:
            self.directory.mkdir(parents=True, exist_ok=True)
            extra = self.directory / "extra.properties"
            extra.write_text(properties)
            command += ["--properties", str(extra)]
        self.address = run(command)
        return self.address

    def stop(self) -> None:
        """Stop it; its data stay."""
        run([str(SCRIPT), "stop", "--dir", str(self.directory)])


def run(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, f"{command} failed: {result.stderr}"
    return result.stdout.strip()


def require_kafka() -> None:
    """Skip where there is no Java or Maven, but never in CI."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing:
        message = f"no Kafka: {' and '.join(missing)} missing, run scripts/setup"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a running broker. Parallel test workers share it; use own topic names."""
    require_kafka()
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    broker = Broker(shared / "kafka")
    users = shared / "kafka-users"
    users.mkdir(exist_ok=True)
    mine = users / str(os.getpid())
    with locked(shared / "kafka.lock"):
        mine.touch()
        address = broker.start()
    yield address
    with locked(shared / "kafka.lock"):
        mine.unlink()
        # The last one out stops it; a user that died does not count.
        if not any(Path(f"/proc/{user.name}").exists() for user in users.iterdir()):
            broker.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that is not running yet, to be started and stopped at will."""
    require_kafka()
    broker = Broker(tmp_path / "kafka")
    yield broker
    broker.stop()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

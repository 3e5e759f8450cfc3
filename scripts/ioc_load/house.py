"""Broker, database and the service's process, each of which can be taken away."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import requests
import yaml
from kafka import KafkaAdminClient

from pipeline.ioc.config import AreaTree, DatabaseSettings, IocKafkaSettings
from pipeline.ioc.config.areas import AreaSettings
from pipeline.ioc.config.settings import SessionSettings
from pipeline.ioc.people import Accounts
from pipeline.ioc.store import open_database
from scripts.ioc_load.traffic import CAMERAS

ROOT = Path(__file__).resolve().parents[2]
READY_S = 60.0
TOPICS = ("violations", "security", "flow", "cameras", "reviews", "dead_letter")


@dataclass
class House:
    """One IOC with a fresh database, and topics of its own."""

    folder: Path
    broker: str
    database_url: str
    kafka: IocKafkaSettings = field(init=False)
    database: DatabaseSettings = field(init=False)
    port: int = field(init=False)
    token: str = ""
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        name = f"load{uuid.uuid4().hex[:12]}"
        with self._admin() as admin:
            admin.execute(f"CREATE DATABASE {name}".encode())
        own = self.database_url.rpartition("/")[0] + f"/{name}"
        self.database = DatabaseSettings(url=own, username="ngatu")
        topics: dict[str, Any] = {f"{topic}_topic": f"{name}.{topic}" for topic in TOPICS}
        self.kafka = IocKafkaSettings(brokers=(self.broker,), group=name, **topics)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        areas = {"id": "tayninh", "name": "Tây Ninh"}
        areas |= {"cameras": [f"cam-{n}" for n in range(CAMERAS)]}  # type: ignore[dict-item]
        config = {
            "server": {"port": self.port, "secure_cookies": False},
            "database": {"url": own, "username": "ngatu"},
            "kafka": {"brokers": [self.broker], "group": name, **topics},
            "evidence": {"url": str(self.folder / "evidence")},
            "areas": areas,
        }
        self.config = self.folder / f"{name}.yaml"
        self.config.write_text(yaml.safe_dump(config, allow_unicode=True))
        tree = AreaTree(AreaSettings.model_validate(areas))
        database = open_database(self.database)
        accounts = Accounts(database, SessionSettings(), tree)
        accounts.create("mai", "Mai", "supervisor", ["tayninh"], "a first long secret", by="load")
        person = accounts.person(accounts.log_in("mai", "a first long secret"))
        assert person is not None
        accounts.change_password(person, "a first long secret", "another long secret")
        self.token = accounts.log_in("mai", "another long secret")
        database.close()

    def start(self) -> None:
        """Start the service; does not wait for it."""
        command = [sys.executable, "-m", "pipeline.cli", "ioc", "serve", str(self.config)]
        with (self.folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
            )

    def wait_ready(self) -> None:
        """Until the API answers. Raises TimeoutError."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.url}/api/v1/health", timeout=2).ok:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"the service does not answer; see {self.folder}/service.log")

    def wait_topics(self) -> None:
        """Until ingest, which is a process of its own, has made its topics. Raises TimeoutError."""
        wanted = {name for key, name in self.kafka.model_dump().items() if key.endswith("_topic")}
        admin = KafkaAdminClient(bootstrap_servers=[self.broker])
        try:
            deadline = time.monotonic() + READY_S
            while not wanted <= set(admin.list_topics()):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"topics are missing; see {self.folder}/service.log")
                time.sleep(0.2)
        finally:
            admin.close()

    def kill(self) -> None:
        """SIGKILL, to the whole process group."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> dict[str, float]:
        """SIGTERM; returns the CPU time in seconds that console and ingest took, each a process."""
        assert self._process is not None
        pid = self._process.pid
        # Listed by the thread that began them. The other child is multiprocessing's own.
        threads = Path(f"/proc/{pid}/task").glob("*/children")
        children = [child for thread in threads for child in thread.read_text().split()]
        took = {"console": _cpu_s(pid), "ingest": max(map(_cpu_s, map(int, children)), default=0.0)}
        self._process.terminate()
        self._process.wait(timeout=30)
        return took

    def close(self) -> None:
        """Drop the database."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        name = str(self.database.url).rpartition("/")[2]
        with self._admin() as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    @property
    def url(self) -> str:
        """Of console and API."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> psycopg.Connection[Any]:
        """To the service's database."""
        return psycopg.connect(str(self.database.url), user="ngatu", autocommit=True)

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database_url, user="ngatu", autocommit=True)


def _cpu_s(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def servers(port_of_broker: int = 0) -> Iterator[tuple[Path, str, str]]:
    """A folder, a broker's address and a PostgreSQL's URL, all of which end with the block."""
    folder = Path(tempfile.mkdtemp(prefix="ngatu-load-"))
    folder.chmod(0o755)  # PostgreSQL runs as an account of its own
    try:
        broker = script("kafka", "start", "--dir", str(folder / "kafka"), "--port", str(port_of_broker))
        url = script("postgres", "start", "--dir", str(folder / "postgres"), "--port", "0")
        yield folder, broker, url
    finally:
        script("kafka", "stop", "--dir", str(folder / "kafka"))
        script("postgres", "stop", "--dir", str(folder / "postgres"))
        shutil.rmtree(folder, ignore_errors=True)


def script(name: str, *arguments: str) -> str:
    """Run scripts/NAME; returns what it prints."""
    command = [str(ROOT / "scripts" / name), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

"""Runs the real thing: `ngatu replay` serves cameras, `ngatu run` works, a broker takes the events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kafka import KafkaConsumer

NGATU = [sys.executable, "-m", "pipeline.cli"]


@dataclass
class Process:
    """A command with what it wrote so far."""

    popen: subprocess.Popen[str]
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Its log lines, as far as they are JSON."""
        return [json.loads(line) for line in self.err if line.startswith("{")]

    def wait_for(self, found: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not found():
            assert self.popen.poll() is None, (
                f"ended with {self.popen.returncode}: {''.join(self.err)[-3000:]}"
            )
            assert time.monotonic() < deadline, f"no {what} within {timeout_s} s: {''.join(self.err)[-3000:]}"
            time.sleep(0.05)

    def terminate(self, timeout_s: float = 12) -> float:
        """SIGTERM; returns how long it took to end."""
        began = time.monotonic()
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(timeout_s)
        finally:
            self.kill()
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL; waits until it and its output are gone."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(10)
        for reader in self.readers:
            reader.join(5)


def start(arguments: Sequence[str], env: dict[str, str] | None = None) -> Process:
    popen = subprocess.Popen(
        [*NGATU, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    process = Process(popen)
    for stream, lines in ((popen.stdout, process.out), (popen.stderr, process.err)):
        reader = threading.Thread(target=_keep, args=(stream, lines), daemon=True)
        reader.start()
        process.readers.append(reader)
    return process


def _keep(stream: Iterable[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line)


@contextmanager
def replayed(*files: Path, once: bool = False) -> Iterator[dict[str, str]]:
    """Addresses of the files as cameras, by stem."""
    process = start(["replay", *map(str, files), "--port", "0", *(["--once"] if once else [])])
    try:
        process.wait_for(lambda: len(process.out) >= len(files), 20, "address of a served file")
        yield {line.strip().rpartition("/")[2]: line.strip() for line in process.out[: len(files)]}
    finally:
        process.terminate()


@dataclass
class Box:
    """One worker's folder and configuration."""

    folder: Path
    config: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.folder / "worker.yaml"

    @property
    def evidence(self) -> Path:
        return self.folder / "data" / "evidence"

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_text(yaml.safe_dump(self.config))

    @contextmanager
    def running(self, env: dict[str, str] | None = None) -> Iterator[Process]:
        self.write()
        process = start(["run", "--no-status", str(self.path)], env)
        try:
            yield process
        finally:
            process.kill()


def box(
    folder: Path, model: Path, cameras: list[dict[str, Any]], broker: str | None = None, **more: Any
) -> Box:
    config: dict[str, Any] = {
        "worker": {"id": "box-1", "data_dir": "data", "metrics_port": 0},
        "model": {"path": str(model)},
        "cameras": cameras,
        **more,
    }
    if broker is not None:
        config["kafka"] = {"brokers": [broker], **topics(folder)}
    return Box(folder, config)


def topics(folder: Path) -> dict[str, str]:
    """Topics of one's own: the broker is shared by parallel tests."""
    name = "".join(c if c.isalnum() else "-" for c in str(folder))[-100:].strip("-")
    return {f"{kind}_topic": f"{name}.{kind}" for kind in ("violations", "security", "flow", "cameras")}


def monitor(process: Process, path: str) -> str:
    """Body of a GET of the worker's monitor server, whatever its status."""
    process.wait_for(lambda: _address(process) is not None, 60, "monitor address")
    try:
        with urllib.request.urlopen(f"{_address(process)}{path}", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def _address(process: Process) -> str | None:
    return next((line["monitor"] for line in process.logs if line["event"] == "worker_started"), None)


def consume(
    broker: str, wanted: Sequence[str], quiet_s: float = 2.0
) -> list[tuple[str, str, dict[str, Any]]]:
    """Everything in the topics: (CloudEvents id, camera, data), until nothing comes for `quiet_s`."""
    consumer = KafkaConsumer(
        *wanted,
        bootstrap_servers=[broker],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=int(quiet_s * 1000),
    )
    try:
        return [
            (dict(record.headers)["ce_id"].decode(), record.key.decode(), json.loads(record.value))
            for record in consumer
        ]
    finally:
        consumer.close()

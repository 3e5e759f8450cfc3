"""A film through the real worker: RTSP in, events out. Nothing in here knows the truth."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipeline.cameras.replay import ReplayServer
from pipeline.config.camera import AnalysisSettings
from pipeline.config.load import load_scene
from pipeline.events.event import ACTS, Event, EventType
from pipeline.events.read import read_events
from pipeline.sim.film import Film
from pipeline.sim.reel import SUB_SIZE, CameraFilm
from pipeline.worker.check import MIN_LAMP_PX
from scripts.accuracy.clock import film_start_s
from scripts.accuracy.match import Reported

HEADS = Path("models/ngatu_heads_int8.onnx")
"""The model of riders' heads that goes with any detector."""

Figures = dict[tuple[str, str, str], float]
"""Samples of the worker's metrics by name, camera and stage."""

START_S = 60.0
"""A worker that has not started by then never will."""
OVER_S = 20.0
"""After a film's length a camera must have seen its end."""
SETTLE_S = 20.0
"""Most that the evidence of the last acts takes after that."""
UPDATE_S = 6.0
"""The worker brings its figures up to date every five seconds."""
RECONNECT_S = 60.0
"""A film that is over would be played again to who reconnects."""
ANALYSED_HZ = AnalysisSettings().rate_hz
MOST_DROPPED = 0.01
"""Share of a camera's pictures that may be lost before a run is no measurement."""
CONNECT_S = 1.0
"""Until the first picture, and between two of them at the end."""


class RunError(Exception):
    """The worker did not do its part; the message says what it said."""


@dataclass(frozen=True, slots=True)
class CameraRun:
    """How well a camera's pictures were kept up with."""

    camera_id: str
    analysed: int
    dropped: int
    """Replaced by newer ones before anybody had looked at them."""
    expected: int
    """By the film's length and the analysis rate."""
    latency_s: float
    """Mean, from capture to judged."""

    @property
    def kept_up(self) -> bool:
        lost = self.expected - self.analysed - CONNECT_S * ANALYSED_HZ
        return max(self.dropped, lost) <= MOST_DROPPED * self.expected


@dataclass(frozen=True, slots=True)
class Run:
    """What came out of the worker."""

    reported: tuple[Reported, ...]
    flow: tuple[Event, ...]
    cameras: tuple[CameraRun, ...]


def watched_stream(camera: CameraFilm) -> Path:
    """The stream that an operator would analyse: the large one where lamps or riders need it."""
    scene = load_scene(camera.scene)
    readable = all((lamp.box[2] - lamp.box[0]) * SUB_SIZE[0] >= MIN_LAMP_PX for lamp in scene.lamps)
    return camera.sub if readable and not scene.windows else camera.main


def run(
    film: Film,
    model: Path,
    folder: Path,
    duration_s: float,
    at_once: int,
    tick: Callable[[float], None] = lambda _: None,
) -> Run:
    """Serve the film once, let `ngatu run` work on it, and read its outbox.

    The film is shown in sittings of `at_once` cameras, each with a worker of its own: how accurate a worker
    is can only be measured where the machine keeps up. Configuration, outbox, evidence and log of a sitting
    stay in a folder of its own in `folder`. `tick` is told the seconds that have passed. Raises RunError.
    """
    sittings = [
        _sitting(film.cameras[first : first + at_once], model, folder / f"from-{first}", duration_s, tick)
        for first in range(0, len(film.cameras), at_once)
    ]
    return Run(
        tuple(one for sitting in sittings for one in sitting.reported),
        tuple(event for sitting in sittings for event in sitting.flow),
        tuple(camera for sitting in sittings for camera in sitting.cameras),
    )


def _sitting(
    cameras: Sequence[CameraFilm],
    model: Path,
    folder: Path,
    duration_s: float,
    tick: Callable[[float], None],
) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    for camera in cameras:
        shutil.copy(camera.scene, folder / camera.scene.name)
    files = [path for camera in cameras for path in (camera.main, camera.sub)]
    watched = {camera.camera_id: watched_stream(camera) for camera in cameras}
    with ReplayServer(files, once=True) as server:
        settings = [
            {
                "id": camera.camera_id,
                "detect": {"url": server.urls[watched[camera.camera_id].stem]},
                **(
                    {}
                    if watched[camera.camera_id] == camera.main
                    else {"record": {"url": server.urls[camera.main.stem]}}
                ),
                "scene": camera.scene.name,
                "reconnect": {"first_delay_s": RECONNECT_S, "max_delay_s": RECONNECT_S},
            }
            for camera in cameras
        ]
        config = {
            "worker": {"id": "ruler", "data_dir": "data", "metrics_port": 0},
            "model": {"path": str(model.resolve()), "heads": str(HEADS.resolve())},
            "cameras": settings,
        }
        (folder / "worker.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        with _worker(folder) as worker:
            monitor = worker.wait_until_up(len(settings))
            began = time.monotonic()
            starts = {name: film_start_s(server.urls[file.stem], file) for name, file in watched.items()}
            worker.wait_until_over(starts, duration_s, lambda: tick(time.monotonic() - began))
            figures = worker.settle(monitor)
    events = list(read_events(folder / "data" / "outbox.db"))
    (folder / "events.jsonl").write_text("".join(f"{event.to_json()}\n" for event in events))
    reported = [_reported(event, starts[event.key]) for event in events if event.type in ACTS]
    return Run(
        tuple(one for one in reported if -1.0 <= one.time_s <= duration_s + 1.0),
        tuple(event for event in events if event.type is EventType.FLOW),
        tuple(_camera_run(figures, camera.camera_id, duration_s) for camera in cameras),
    )


class _Worker:
    """`ngatu run` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "worker.log"
        self._outbox = folder / "data" / "outbox.db"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", "run", "--no-status", str(folder / "worker.yaml")],
                stdout=log,
                stderr=log,
            )

    def wait_until_up(self, cameras: int) -> str:
        """Until every camera sends pictures; the monitor's address."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            started = next((line for line in self._lines() if line.get("event") == "worker_started"), None)
            if started is not None and len(self._states("up")) == cameras:
                return str(started["monitor"])
            self._check()
            time.sleep(0.1)
        raise RunError(f"the worker's cameras are not all up after {START_S:g} s: see {self._log}")

    def wait_until_over(self, starts: dict[str, float], duration_s: float, tick: Callable[[], None]) -> None:
        """Until every camera has seen its film's end."""
        over_s = max(starts.values()) + duration_s
        while time.time() < over_s or (left := set(starts) - self._states("down")):
            if time.time() > over_s + OVER_S:
                raise RunError(f"the film of {', '.join(sorted(left))} did not end in time: see {self._log}")
            self._check()
            tick()
            time.sleep(1.0)

    def settle(self, monitor: str) -> Figures:
        """The worker's figures, once what is to be proven is proven and they are up to date."""
        deadline = time.monotonic() + SETTLE_S
        time.sleep(UPDATE_S)
        figures = _figures(monitor)
        while figures["ngatu_evidence_queue", "", ""] and time.monotonic() < deadline:
            self._check()
            time.sleep(1.0)
            figures = _figures(monitor)
        return figures

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def _check(self) -> None:
        if self._process.poll() is not None:
            tail = self._log.read_text()[-2000:]
            raise RunError(f"the worker ended with {self._process.returncode}: {tail}")

    def _states(self, state: str) -> set[str]:
        if not self._outbox.is_file():
            return set()
        events = read_events(self._outbox, only=EventType.HEALTH)
        return {event.key for event in events if event.data["state"] == state}

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._log.read_text().splitlines():
            if line.startswith("{"):
                yield json.loads(line)


@contextmanager
def _worker(folder: Path) -> Iterator[_Worker]:
    worker = _Worker(folder)
    try:
        yield worker
    finally:
        worker.stop()


def _figures(monitor: str) -> Figures:
    with urllib.request.urlopen(f"{monitor}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, sample.labels.get("camera", ""), sample.labels.get("stage", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _camera_run(figures: Figures, camera_id: str, duration_s: float) -> CameraRun:
    frames = {
        stage: int(figures.get(("ngatu_frames_total", camera_id, stage), 0))
        for stage in ("analysed", "dropped")
    }
    seconds = figures.get(("ngatu_frame_latency_seconds_sum", camera_id, ""), 0.0)
    return CameraRun(
        camera_id,
        frames["analysed"],
        frames["dropped"],
        int(duration_s * ANALYSED_HZ),
        seconds / max(frames["analysed"], 1),
    )


def _reported(event: Event, film_start_s: float) -> Reported:
    data = event.data
    before, at, after = (
        (
            datetime.fromisoformat(data["moments"][name]["captured_at"]).timestamp() - film_start_s,
            tuple(data["moments"][name]["box"]),
        )
        for name in ("before", "at", "after")
    )
    return Reported(
        event.id,
        event.key,
        data["rule"],
        data["road_user"],
        data["confidence"],
        (before, at, after),
        None if (plate := data.get("plate")) is None else (plate["text"], plate["legible"]),
        event.type is not EventType.INCOMPLETE,
    )

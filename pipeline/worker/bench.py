"""`ngatu bench`: how many cameras this machine holds, and what a frame costs.

The clip is served as one RTSP camera by a process of its own, and a worker opens it as often as asked, so
receiving, decoding, capture times and latencies are those of real cameras. What serving costs is told apart.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from pipeline.cameras.replay import Served, served
from pipeline.config import (
    CameraSettings,
    Config,
    KafkaSettings,
    ModelSettings,
    StreamSettings,
    WorkerSettings,
)
from pipeline.config.camera import AnalysisSettings
from pipeline.events.event import ACTS, Event
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Frame
from pipeline.worker.box import Worker
from pipeline.worker.telling import Observer

HELD = 0.95
"""A camera is held when this share of its asked rate is analysed."""
WARM_UP_S = 6.0


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One run with a number of cameras. Times of processors are per frame of that stage."""

    cameras: int
    held: bool
    asked_hz: float
    slowest_hz: float
    """Analysed frames a second of the slowest camera."""
    cores_used: float
    """Worker and its cameras, without the server."""
    server_cores: float
    decode_ms: float
    """Camera's process (receive, ring, decode, scale, hand over) per decoded frame."""
    infer_ms: float
    observe_ms: float
    judge_ms: float
    rest_ms: float
    """Everything else in the worker's own process, per analysed frame."""
    frame_latency_p50_ms: float
    """From capture to judged."""
    frame_latency_p95_ms: float
    camera_mb: float
    """Proportional memory of a camera's process."""
    worker_mb: float
    events: int
    """Acts that the broker acknowledged."""
    store_to_ack_p50_ms: float | None
    store_to_ack_p95_ms: float | None
    act_to_ack_p50_s: float | None
    """From the decisive moment to the acknowledgement, the wait for the clip's end included."""
    act_to_ack_p95_s: float | None


class _Samples(Observer):
    def __init__(self) -> None:
        self.measuring = False
        self.frame_latency_s: list[float] = []
        self.stored_at_s: dict[str, float] = {}
        self.store_to_ack_s: list[float] = []
        self.act_to_ack_s: list[float] = []

    def frame_judged(self, frame: Frame, at_s: float) -> None:
        if self.measuring:
            self.frame_latency_s.append(at_s - frame.time.captured_at_s)

    def event_stored(self, event: Event, at_s: float) -> None:
        self.stored_at_s[event.id] = at_s

    def event_acknowledged(self, event: Event, at_s: float) -> None:
        stored_at_s = self.stored_at_s.pop(event.id, None)
        if self.measuring and event.type in ACTS and stored_at_s is not None:
            self.store_to_ack_s.append(at_s - stored_at_s)
            self.act_to_ack_s.append(at_s - event.time.timestamp())


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What to run."""

    clip: Path
    model: ModelSettings
    scene: SceneSettings
    kafka: KafkaSettings | None
    rate_hz: float
    seconds: float


def search(
    plan: BenchPlan, most: int, on_result: Callable[[BenchResult], None]
) -> tuple[list[BenchResult], int]:
    """Find the largest number of cameras held, by runs that are each told to `on_result`.

    Returns all results and that number (0 when not even one is held).
    """
    results: list[BenchResult] = []
    with served([plan.clip]) as server:

        def run(cameras: int) -> BenchResult:
            result = _run(plan, server, cameras)
            results.append(result)
            on_result(result)
            return result

        first = run(1)
        if not first.held:
            return results, 0
        cores = psutil.cpu_count() or 1
        held, failed = 1, most + 1
        guess = int(cores * 0.85 / max(first.cores_used, 0.01))
        while failed - held > max(1, held // 10):
            guess = min(max(guess, held + 1), failed - 1)
            if run(guess).held:
                held = guess
                guess = held + max(1, held // 4) if failed > most else (held + failed) // 2
            else:
                failed = guess
                guess = (held + failed) // 2
        return results, held


def one(plan: BenchPlan, cameras: int) -> BenchResult:
    """One run with this number of cameras."""
    with served([plan.clip]) as server:
        return _run(plan, server, cameras)


def _run(plan: BenchPlan, served_clip: Served, cameras: int) -> BenchResult:
    samples = _Samples()
    (url,), server = served_clip.urls.values(), psutil.Process(served_clip.pid)
    with tempfile.TemporaryDirectory(prefix="ngatu-bench-") as folder:
        config = Config(
            worker=WorkerSettings(id="bench", data_dir=Path(folder), metrics_port=0),
            model=plan.model,
            kafka=plan.kafka,
            cameras=tuple(
                CameraSettings(
                    id=f"bench-{number}",
                    detect=StreamSettings(url=url),
                    analysis=AnalysisSettings(rate_hz=plan.rate_hz),
                )
                for number in range(cameras)
            ),
        )
        worker = Worker(config, {c.id: Scene(plan.scene) for c in config.cameras}, samples)
        worker.start()
        try:
            _wait_until_up(worker)
            time.sleep(WARM_UP_S)
            samples.measuring = True
            before = _reading(worker, server)
            time.sleep(plan.seconds)
            after = _reading(worker, server)
            samples.measuring = False
            return _result(plan, worker, samples, before, after)
        finally:
            worker.stop()


def _wait_until_up(worker: Worker) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if all(w.health is not None and w.health.state == "up" for w in worker.watches.values()):
            return
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class _Reading:
    at_s: float
    analysed: dict[str, int]
    decoded: int
    source_hz: float
    cameras_cpu_s: float
    worker_cpu_s: float
    server_cpu_s: float
    stages_cpu_s: dict[str, float]
    cameras_mb: float
    worker_mb: float


def _reading(worker: Worker, server: psutil.Process) -> _Reading:
    stats = [watch.camera.stats() for watch in worker.watches.values()]
    children = [psutil.Process(s.pid) for s in stats if s.pid is not None]
    me = psutil.Process()
    return _Reading(
        at_s=time.monotonic(),
        analysed={camera_id: watch.analysed for camera_id, watch in worker.watches.items()},
        decoded=sum(s.frames_decoded for s in stats),
        source_hz=max(s.fps for s in stats),
        cameras_cpu_s=sum(_cpu_s(child) for child in children),
        worker_cpu_s=_cpu_s(me),
        server_cpu_s=_cpu_s(server),
        stages_cpu_s={stage: _counter(worker, stage) for stage in ("infer", "observe", "judge")},
        cameras_mb=sum(child.memory_full_info().pss for child in children) / 1e6,
        worker_mb=me.memory_full_info().pss / 1e6,
    )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _counter(worker: Worker, stage: str) -> float:
    value = worker.metrics.registry.get_sample_value("ngatu_cpu_seconds_total", {"stage": stage})
    return value or 0.0


def _result(
    plan: BenchPlan, worker: Worker, samples: _Samples, before: _Reading, after: _Reading
) -> BenchResult:
    seconds = after.at_s - before.at_s
    rates = [(after.analysed[c] - before.analysed[c]) / seconds for c in after.analysed]
    analysed = max(1, sum(after.analysed.values()) - sum(before.analysed.values()))
    stages = {s: after.stages_cpu_s[s] - before.stages_cpu_s[s] for s in after.stages_cpu_s}
    worker_cpu_s = after.worker_cpu_s - before.worker_cpu_s
    cameras_cpu_s = after.cameras_cpu_s - before.cameras_cpu_s
    asked_hz = min(plan.rate_hz, after.source_hz or plan.rate_hz)
    per_frame = {s: 1000 * cpu_s / analysed for s, cpu_s in stages.items()}
    return BenchResult(
        cameras=len(rates),
        held=min(rates) >= HELD * asked_hz,
        asked_hz=round(asked_hz, 2),
        slowest_hz=round(min(rates), 2),
        cores_used=round((worker_cpu_s + cameras_cpu_s) / seconds, 3),
        server_cores=round((after.server_cpu_s - before.server_cpu_s) / seconds, 3),
        decode_ms=round(1000 * cameras_cpu_s / max(1, after.decoded - before.decoded), 2),
        infer_ms=round(per_frame["infer"], 2),
        observe_ms=round(per_frame["observe"], 2),
        judge_ms=round(per_frame["judge"], 2),
        rest_ms=round(1000 * (worker_cpu_s - sum(stages.values())) / analysed, 2),
        frame_latency_p50_ms=_percentile(samples.frame_latency_s, 50, 1000) or 0.0,
        frame_latency_p95_ms=_percentile(samples.frame_latency_s, 95, 1000) or 0.0,
        camera_mb=round(after.cameras_mb / len(rates), 1),
        worker_mb=round(after.worker_mb, 1),
        events=len(samples.act_to_ack_s),
        store_to_ack_p50_ms=_percentile(samples.store_to_ack_s, 50, 1000),
        store_to_ack_p95_ms=_percentile(samples.store_to_ack_s, 95, 1000),
        act_to_ack_p50_s=_percentile(samples.act_to_ack_s, 50, 1),
        act_to_ack_p95_s=_percentile(samples.act_to_ack_s, 95, 1),
    )


def _percentile(values: list[float], percent: float, scale: float) -> float | None:
    return round(float(np.percentile(values, percent)) * scale, 2) if values else None

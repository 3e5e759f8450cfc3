"""`ngatu run`: a worker until it is told to stop, with a live table where there is a terminal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

import psutil
from rich.console import Console, Group, RenderableType
from rich.live import Live

from pipeline.types import LampColor
from pipeline.worker.board import told
from pipeline.worker.box import Worker
from pipeline.worker.rates import RateMeter
from pipeline.worker.status import BoxStatus, CameraStatus, render
from pipeline.worker.watch import NOT_JUDGED

_LAMP_MARKS = {
    LampColor.RED: "[red]●[/]",
    LampColor.YELLOW: "[yellow]●[/]",
    LampColor.GREEN: "[green]●[/]",
    LampColor.OFF: "○",
    LampColor.UNKNOWN: "?",
}


def run_until_stopped(
    worker: Worker,
    console: Console | None,
    *,
    below: Callable[[], RenderableType] = lambda: "",
    over: Callable[[], bool] = lambda: False,
) -> None:
    """Run until SIGTERM or SIGINT, or until every camera's file has ended or `over`; then drain and stop.

    `console` shows the status table, and `below` under it; None for none.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    worker.start()
    try:
        if console is None:
            while not stop.wait(0.5) and not worker.ended():
                if over():
                    stop.set()
        else:
            view = StatusView(worker)
            with Live(console=console, refresh_per_second=2, transient=False) as live:
                while not stop.wait(1.0) and not worker.ended():
                    live.update(Group(render(*view.read()), below()))
                    if over():
                        stop.set()
    finally:
        if not stop.is_set():
            _let_files_finish(worker, stop)
        worker.stop()


def _let_files_finish(worker: Worker, stop: threading.Event) -> None:
    """Files have ended: nothing more is filmed, so proofs need not hurry as they must on a signal."""
    worker.finish_seeing()
    worker.evidence.hurry()
    deadline = time.monotonic() + 30
    while worker.teller.proofs.waiting() and time.monotonic() < deadline and not stop.wait(0.1):
        pass


class StatusView:
    """Reads what the status table shows."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._decoded = {camera_id: RateMeter() for camera_id in worker.watches}
        self._analysed = {camera_id: RateMeter() for camera_id in worker.watches}
        self._cpu_s: tuple[float, float] | None = None

    def read(self) -> tuple[list[CameraStatus], BoxStatus]:
        """The state now."""
        worker = self._worker
        now = time.monotonic()
        cameras = []
        for camera_id, watch in worker.watches.items():
            stats = watch.camera.stats()
            health, newest = watch.health, watch.newest
            width, height = health.size if health else (0, 0)
            clock = "-"
            if newest is not None:
                clock = (
                    f"{newest.time.source} {newest.time.offset_ms:+.0f}±{newest.time.uncertainty_ms:.0f} ms"
                )
            reason = health.reason if health else ""
            cameras.append(
                CameraStatus(
                    camera_id=camera_id,
                    state=watch.state,
                    reason=worker.scenes.notice(camera_id) if watch.state == NOT_JUDGED else reason,
                    video=f"{health.codec} {width}x{height}" if health and width else "-",
                    decoded_hz=self._decoded[camera_id].update(now, stats.frames_decoded),
                    analysed_hz=self._analysed[camera_id].update(now, watch.analysed),
                    clock=clock,
                    road_users=len(newest.road_users) if newest else 0,
                    lamps=" ".join(_LAMP_MARKS[s.color] for s in newest.signals.values()) if newest else "",
                    hits=watch.hits,
                    reconnects=health.reconnects if health else 0,
                    ring_s=stats.ring_seconds,
                )
            )
        publisher = worker.publisher
        if publisher is None:
            sink = "no Kafka: events stay in the outbox"
        else:
            state = publisher.state()
            sink = f"Kafka: {state.sent_total} sent" if state.connected else f"Kafka: {state.reason}"
        cores, memory_mb = self._load(now)
        return cameras, BoxStatus(
            told(lambda kind: worker.teller.told[kind]),
            worker.teller.proofs.waiting(),
            worker.outbox.count(),
            sink,
            cores,
            memory_mb,
        )

    def _load(self, now: float) -> tuple[float, float]:
        """Cores in use since the last reading, and memory in MB, of this process and its cameras'."""
        cpu_s, memory = 0.0, 0
        me = psutil.Process()
        for process in (me, *me.children()):
            try:
                times = process.cpu_times()
                cpu_s += times.user + times.system
                memory += process.memory_full_info().pss
            except psutil.Error:
                continue
        before, self._cpu_s = self._cpu_s, (now, cpu_s)
        cores = (cpu_s - before[1]) / (now - before[0]) if before and now > before[0] else 0.0
        return max(0.0, cores), memory / 1e6

"""Ingest in a process of its own: what the broker sends at full rate must not slow down an officer's page."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

import structlog

from pipeline.ioc.config import AreaTree, IocConfig
from pipeline.ioc.ingest.run import Ingest, SourceState, collect_rarely
from pipeline.ioc.store import StoreError, open_database

log = structlog.get_logger(__name__)

TELL_S = 1.0
RETRY_S, MAX_RETRY_S = 1.0, 10.0
END_S = 20.0
NICE = 5
"""People who wait for a page come first; the broker keeps what has to wait."""


class IngestProcess:
    """The same as `Ingest`, elsewhere; begun again when it dies, and it ends when this process does."""

    def __init__(self, config: IocConfig, prepare: Callable[[], None]) -> None:
        """`prepare` is called first in the new process, to set up its log; it must be picklable."""
        self._config = config
        self._prepare = prepare
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pipe: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self.sources: list[SourceState] = []
        """As the process told them last."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop within seconds; what was not committed comes again."""
        with self._lock:
            self._stop.set()
            if self._pipe is not None:
                _tell(self._pipe, None)
        self._thread.join(timeout=END_S + 5)

    def _run(self) -> None:
        wait_s = RETRY_S
        while not self._stop.is_set():
            said, code = self._once()
            if self._stop.is_set():
                return
            wait_s = RETRY_S if said else min(wait_s * 2, MAX_RETRY_S)
            log.error("ingest_ended", exit_code=code, again_in_s=wait_s)
            for source in self.sources:
                source.ok, source.reason = False, "its process has ended and is begun again"
            self._stop.wait(wait_s)

    def _once(self) -> tuple[bool, int | None]:
        """Until the process ends; whether it ever said how it fares, and its exit code."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_ingest, args=(self._config, theirs, self._prepare), daemon=True)
        process.start()
        theirs.close()
        with self._lock:
            self._pipe = ours
            if self._stop.is_set():
                _tell(ours, None)
        said = False
        with contextlib.suppress(EOFError, OSError):  # it has closed its end, or is gone
            while True:
                self.sources = ours.recv()
                said = True
        with self._lock:
            self._pipe = None
            ours.close()
        process.join(END_S)
        process.kill()
        process.join()
        return said, process.exitcode


def _ingest(config: IocConfig, pipe: Connection, prepare: Callable[[], None]) -> None:
    """Take events in until something comes through the pipe, or its other end is gone."""
    # Ctrl-C and a service manager's SIGTERM reach all processes: the service tells when it is time.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    prepare()
    stop = threading.Event()
    threading.Thread(target=_wait_for_end, args=(pipe, stop), name="end", daemon=True).start()
    while not stop.is_set():
        try:
            database = open_database(config.database)
        except StoreError as error:
            log.warning("database_lost", reason=str(error))
            stop.wait(RETRY_S)
            continue
        ingest = Ingest(config, AreaTree(config.areas), database)
        ingest.start()
        collect_rarely()
        while _tell(pipe, ingest.sources) and not stop.wait(TELL_S):
            pass
        ingest.stop()
        database.close()
        return


def _wait_for_end(pipe: Connection, stop: threading.Event) -> None:
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    stop.set()


def _tell(pipe: Connection, what: object) -> bool:
    """Whether the other end is still there."""
    try:
        pipe.send(what)
    except OSError:
        return False
    return True

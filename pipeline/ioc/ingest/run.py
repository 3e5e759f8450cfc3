"""One thread for each source. Whatever fails is tried again until the service stops; nothing is skipped."""

from __future__ import annotations

import gc
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from pipeline.events.errors import EventsError
from pipeline.ioc.config import AreaTree, IocConfig
from pipeline.ioc.ingest.kafka import KafkaReader
from pipeline.ioc.ingest.outbox import OutboxReader
from pipeline.ioc.ingest.writer import Batch, Letter, Totals, Writer
from pipeline.ioc.store import Database

log = structlog.get_logger(__name__)

RETRY_S, MAX_RETRY_S = 0.5, 10.0
IDLE_S = 0.5
GC_NEW = 50_000
"""New objects until the garbage collector looks through the young ones."""


@dataclass(slots=True)
class SourceState:
    """How a source fares."""

    name: str
    ok: bool = False
    reason: str = "not connected yet"
    totals: Totals = field(default_factory=Totals)


class Ingest:
    """All sources of one service."""

    def __init__(self, config: IocConfig, areas: AreaTree, database: Database) -> None:
        self._config = config
        self._areas = areas
        self._database = database
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.sources: list[SourceState] = []

    def start(self) -> None:
        """Begin to read."""
        if self._config.kafka is not None:
            self._begin("Kafka", self._read_kafka)
        for data_dir in self._config.outboxes:
            self._begin(f"outbox {data_dir}", partial(self._read_outbox, data_dir))

    def stop(self) -> None:
        """Stop within seconds; what was not committed comes again."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=15)

    def _begin(self, name: str, read: Callable[[SourceState], None]) -> None:
        state = SourceState(name)
        self.sources.append(state)
        thread = threading.Thread(target=self._forever, args=(state, read), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _forever(self, state: SourceState, read: Callable[[SourceState], None]) -> None:
        wait_s = RETRY_S
        while not self._stop.is_set():
            try:
                read(state)
            except (EventsError, SQLAlchemyError) as error:
                wait_s = RETRY_S if state.ok else min(wait_s * 2, MAX_RETRY_S)
                reason = _sentence(error)
                if reason != state.reason:
                    log.warning("source_lost", source=state.name, reason=reason)
                state.ok, state.reason = False, reason
                self._stop.wait(wait_s)
            except Exception as error:
                # A fault of ours must not end the thread unseen: the next try may be another batch.
                log.exception("source_fails", source=state.name)
                state.ok, state.reason = False, _sentence(error)
                self._stop.wait(MAX_RETRY_S)

    def _read_outbox(self, data_dir: Path, state: SourceState) -> None:
        writer = Writer(self._database, self._areas, state.totals)
        reader = OutboxReader(data_dir, self._database)
        while not self._stop.is_set():
            if not reader.step(writer):
                self._stop.wait(IDLE_S)
            _well(state)

    def _read_kafka(self, state: SourceState) -> None:
        assert self._config.kafka is not None
        writer = Writer(self._database, self._areas, state.totals)
        reader = KafkaReader(self._config.kafka, self._instance())
        try:
            while not self._stop.is_set():
                reader.step(lambda batch: self._store(writer, batch, state), self._stop)
                _well(state)
        finally:
            reader.close()

    def _instance(self) -> str | None:
        """This service's own name in the consumer group: no two share a host and a port."""
        port = self._config.server.port
        host = re.sub(r"[^A-Za-z0-9._-]", "_", socket.gethostname())[:200]
        return f"{host}-{port}" if port else None

    def _store(self, writer: Writer, batch: Batch, state: SourceState) -> list[Letter]:
        """Until the database has taken the batch, or the service stops: the group keeps our partitions."""
        while not self._stop.is_set():
            try:
                return writer.write(batch).refused
            except SQLAlchemyError as error:
                if state.ok:
                    log.warning("database_lost", source=state.name, reason=_sentence(error))
                state.ok, state.reason = False, _sentence(error)
                self._stop.wait(1.0)
        return []


def collect_rarely() -> None:
    """Spare the garbage collector work; to be called once everything is built.

    Batches of parsed events are many objects that die together: looking through all that lives, after each
    few hundred new ones, would take more time than storing them.
    """
    gc.freeze()
    gc.set_threshold(GC_NEW, 50, 50)


def _well(state: SourceState) -> None:
    if not state.ok:
        log.info("source_well", source=state.name)
    state.ok, state.reason = True, ""


def _sentence(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error).strip()
    return (text.splitlines()[0] if text else type(error).__name__)[:300]

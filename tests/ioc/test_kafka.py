"""Events through a real broker: offsets follow the database, and what is no event goes to its own topic."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka.consumer.fetcher import ConsumerRecord
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from pipeline.events.errors import SinkError
from pipeline.events.kafka_sink import KafkaSink
from pipeline.ioc.config import DatabaseSettings, IocConfig, IocKafkaSettings
from pipeline.ioc.ingest import kafka as ioc_kafka
from pipeline.ioc.ingest.apart import IngestProcess
from pipeline.ioc.ingest.kafka import KafkaReader, producer
from pipeline.ioc.ingest.writer import Batch, Letter, Writer
from pipeline.ioc.store import Database, open_database
from pipeline.ioc.store.models import Case, DeadLetter
from tests.events import examples
from tests.ioc.acts import AREAS, kafka_record
from tests.ioc.office import AREA_SETTINGS


def read_until(reader: KafkaReader, store: Callable[[Batch], list[Letter]], stop: threading.Event) -> None:
    for _ in range(60):
        reader.step(store, stop)


def test_what_the_database_did_not_take_comes_again_and_counts_once(
    kafka_broker: str, tmp_path: Path
) -> None:
    prefix = uuid.uuid4().hex[:8]
    topics = {f"{name}_topic": f"{prefix}.{name}" for name in ("violations", "security", "flow", "cameras")}
    settings = IocKafkaSettings(brokers=(kafka_broker,), group=prefix, **topics)
    sink = KafkaSink(settings)
    sink.open()
    assert len(sink.deliver([examples.candidate(track_id=n) for n in range(20)]).acknowledged) == 20
    odd = producer(settings)
    odd.send(settings.violations_topic, value=b"\xff no event").get(timeout=20)
    odd.close()
    sink.close(5)
    database = open_database(DatabaseSettings(path=tmp_path / "ioc.sqlite"))
    writer, stop = Writer(database, AREAS), threading.Event()

    def fails(batch: Batch) -> list[Letter]:
        raise OperationalError("INSERT", {}, Exception("the database is away"))

    first = KafkaReader(settings)
    with pytest.raises(OperationalError):
        read_until(first, fails, stop)
    first.close()
    # Taken by the database, but killed before the commit of offsets: it all comes once more.
    stopping = threading.Event()
    second = KafkaReader(settings)

    def taken(batch: Batch) -> list[Letter]:
        written = writer.write(batch)
        stopping.set()
        return written.refused

    for _ in range(60):
        second.step(taken, stopping)
        if stopping.is_set():
            break
    second.close()
    third = KafkaReader(settings)
    came = 0
    for _ in range(60):
        came += third.step(lambda batch: writer.write(batch).refused, stop)
        if came >= 21:
            break
    third.close()
    assert came == 21
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 20
        assert session.scalars(select(DeadLetter.reason)).all() == ["it is not UTF-8"]
    database.close()


class Polled:
    """A consumer that has these records, for what kafka-python's own producer refuses to send."""

    def __init__(self, *records: ConsumerRecord) -> None:
        self.records, self.commits = list(records), 0

    def poll(self, timeout_ms: int) -> dict[str, list[ConsumerRecord]]:
        return {"partition": self.records}

    def commit(self) -> None:
        self.commits += 1


def reader_of(monkeypatch: pytest.MonkeyPatch, consumer: Polled) -> KafkaReader:
    def away(settings: IocKafkaSettings) -> None:
        raise SinkError("no broker in this test")

    monkeypatch.setattr(ioc_kafka, "make_topics", lambda settings: None)
    monkeypatch.setattr(ioc_kafka, "KafkaConsumer", lambda *topics, **settings: consumer)
    monkeypatch.setattr(ioc_kafka, "producer", away)
    return KafkaReader(IocKafkaSettings(brokers=("127.0.0.1:9",)))


def record(headers: dict[str, bytes | None], value: bytes | None, offset: int = 0) -> ConsumerRecord:
    place = {"topic": "its.violations.v1", "partition": 0, "offset": offset}
    fields = (
        dict.fromkeys(ConsumerRecord._fields) | place | {"headers": list(headers.items()), "value": value}
    )
    return ConsumerRecord(**fields)


def test_a_header_without_a_value_holds_nothing_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, value = kafka_record(examples.candidate())
    whole = record({**headers, "traceparent": None}, value, 1)
    consumer = Polled(record({"traceparent": None, "a": b"b"}, b"{}"), whole)
    writer = Writer(database, AREAS)
    reader = reader_of(monkeypatch, consumer)
    assert reader.step(lambda batch: writer.write(batch).refused, threading.Event()) == 2
    assert consumer.commits == 1
    with database.read() as session:
        assert session.scalars(select(Case.id)).all() == [examples.candidate().id]
        (letter,) = session.scalars(select(DeadLetter))
        assert (letter.reason, letter.form, letter.headers) == ("its id is none", "kafka", '{"a": "b"}')


def test_a_dead_letter_at_the_place_of_another_is_kept_and_a_repeat_of_it_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(database, AREAS)
    # The second and third: of a topic that was made anew.
    for value in (b"[]", b"{}", b"\xff", b"{}", None):
        reader = reader_of(monkeypatch, Polled(record({}, value, 17)))
        reader.step(lambda batch: writer.write(batch).refused, threading.Event())
    with database.read() as session:
        letters = session.scalars(select(DeadLetter).order_by(DeadLetter.id)).all()
        assert [letter.body for letter in letters] == ["[]", "{}", "\ufffd", ""]
        assert all(letter.origin.startswith("its.violations.v1/0/17 ") for letter in letters)


def nothing() -> None:
    """No log to set up; a name that another process can import."""


def children() -> set[int]:
    """Processes that this one has begun, but for multiprocessing's own."""
    threads = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found = [int(pid) for thread in threads for pid in thread.read_text().split()]
    return {pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def test_ingest_in_its_own_process_is_begun_again_when_it_dies_and_ends_when_told(
    kafka_broker: str, postgres_settings: DatabaseSettings
) -> None:
    prefix = uuid.uuid4().hex[:8]
    topics = {f"{name}_topic": f"{prefix}.{name}" for name in ("violations", "security", "flow", "cameras")}
    settings = IocKafkaSettings(brokers=(kafka_broker,), group=prefix, **topics)
    sink = KafkaSink(settings)
    sink.open()
    database = open_database(postgres_settings)

    def cases_until(wanted: int) -> int:
        deadline = time.monotonic() + 90
        while True:
            with database.read() as session:
                found = session.scalar(select(func.count()).select_from(Case)) or 0
            if found >= wanted or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    before = children()
    config = IocConfig(database=postgres_settings, kafka=settings, areas=AREA_SETTINGS)
    ingest = IngestProcess(config, nothing)
    ingest.start()
    try:
        sink.deliver([examples.candidate(track_id=n) for n in range(10)])
        assert cases_until(10) == 10
        assert [source.name for source in ingest.sources] == ["Kafka"]
        (pid,) = children() - before
        os.kill(pid, signal.SIGKILL)
        sink.deliver([examples.candidate(track_id=n) for n in range(5, 20)])
        assert cases_until(20) == 20
    finally:
        ingest.stop()
    assert children() == before
    sink.close(5)
    database.close()

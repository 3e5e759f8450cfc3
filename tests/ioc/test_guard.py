"""A record that kafka-python cannot read is set aside and holds up no other; what is not its fault is not."""

from __future__ import annotations

import gzip
import json
import threading
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.record.memory_records import MemoryRecords
from sqlalchemy import func, select
from structlog.testing import capture_logs

from pipeline.events.errors import SinkError
from pipeline.events.kafka_sink import KafkaSink, compression
from pipeline.ioc.config import DatabaseSettings, IocKafkaSettings
from pipeline.ioc.ingest.guard import MAX_BATCH_BYTES, MAX_VALUE_BYTES, Unread, guard
from pipeline.ioc.ingest.kafka import KafkaReader, make_topics
from pipeline.ioc.ingest.writer import Writer
from pipeline.ioc.store import Database, open_database
from pipeline.ioc.store.models import Case, DeadLetter
from tests.events import examples
from tests.ioc.acts import AREAS, kafka_record
from tests.ioc.odd_batches import GZIP, NOT_UTF8, batch, bomb, odd_batches, record, send_raw

NAMELESS = "it cannot be read: the name of a header is not UTF-8"
REASONS = {
    "header": [(1, NAMELESS)],
    "header, gzip": [(1, NAMELESS)],
    "attributes": [(1, "it cannot be read: [Error 2] CorruptRecordError")],
    "offset": [(1, "it cannot be read: it says that it is at offset")],
    "tail": [],
    "codec": [(1, "cannot be read: compressed with zstd, which is not read here")],
    "bomb": [(0, "cannot be read: decompressed, it has more than 32 MiB")],
}
"""Of each odd batch: where in it something is set aside, and a part of why."""


class NotUtf8(str):
    def encode(self, *arguments: Any) -> bytes:
        return b"\xff\xfe"


def settings_of(broker: str) -> IocKafkaSettings:
    prefix = uuid.uuid4().hex[:8]
    kinds = ("violations", "security", "flow", "cameras", "reviews", "dead_letter")
    topics = {f"{kind}_topic": f"{prefix}.{kind}" for kind in kinds}
    settings = IocKafkaSettings(brokers=(broker,), group=prefix, **topics)
    make_topics(settings)
    return settings


def structured(track: int) -> bytes:
    """An event that is whole without headers."""
    headers, value = kafka_record(examples.candidate(track_id=track))
    attributes = {name[3:]: content.decode() for name, content in headers.items() if name.startswith("ce_")}
    return json.dumps({**attributes, "data": json.loads(value)}).encode()


def read(settings: IocKafkaSettings, database: Database, wanted: int) -> int:
    """With a reader of its own, as after a restart; returns how many records came."""
    writer, reader, came = Writer(database, AREAS), KafkaReader(settings), 0
    deadline = time.monotonic() + 60
    try:
        while came < wanted and time.monotonic() < deadline:
            came += reader.step(lambda batch: writer.write(batch).refused, threading.Event())
        return came + reader.step(lambda batch: writer.write(batch).refused, threading.Event())
    finally:
        reader.close()


def kept(database: Database) -> tuple[set[str], dict[str, str]]:
    """Ids of cases; dead letters, place to reason."""
    with database.read() as session:
        cases = set(session.scalars(select(Case.id)))
        letters = session.scalars(select(DeadLetter)).all()
    assert len({letter.origin.split()[0] for letter in letters}) == len(letters)
    return cases, {letter.origin.split()[0]: letter.reason for letter in letters}


def cases(*tracks: int) -> set[str]:
    return {examples.candidate(track_id=track).id for track in tracks}


@pytest.mark.parametrize("compressed", [None, "gzip"])
def test_a_header_with_a_name_that_is_no_utf8_holds_up_no_other_event(
    kafka_broker: str, tmp_path: Path, compressed: str | None
) -> None:
    settings = settings_of(kafka_broker)
    topic, security = settings.violations_topic, settings.security_topic
    sender = KafkaProducer(
        bootstrap_servers=kafka_broker, linger_ms=300, batch_size=1 << 20, compression_type=compressed
    )

    def send(track: int, partition: int = 0, odd: bool = False, topic: str = topic) -> Any:
        headers, value = kafka_record(examples.candidate(track_id=track))
        names = [*headers.items(), *([(NotUtf8("xx"), b"v")] if odd else [])]
        return sender.send(topic, value=value, headers=names, partition=partition)

    sent = [send(0), send(1, odd=True), send(2), send(3, partition=1), send(4, topic=security)]
    sender.flush(20)
    sent += [send(5), send(6, partition=1, odd=True), send(7, partition=1)]
    sender.flush(20)
    bad = [f"{topic}/0/{sent[1].get().offset}", f"{topic}/1/{sent[6].get().offset}"]
    database = open_database(DatabaseSettings(path=tmp_path / "ioc.sqlite"))

    assert read(settings, database, 8) == 8
    assert kept(database) == (cases(0, 2, 3, 4, 5, 7), dict.fromkeys(bad, NAMELESS))
    with database.read() as session:
        bodies = set(session.scalars(select(DeadLetter.body)))
    assert bodies == {kafka_record(examples.candidate(track_id=track))[1].decode() for track in (1, 6)}
    told = KafkaConsumer(
        settings.dead_letter_topic,
        bootstrap_servers=kafka_broker,
        auto_offset_reset="earliest",
        consumer_timeout_ms=3000,
    )
    letters = [json.loads(message.value) for message in told]
    told.close()
    assert sorted(letter["origin"].split()[0] for letter in letters) == sorted(bad)
    assert {letter["reason"] for letter in letters} == {NAMELESS}

    # What was committed is behind it all: another service goes on with what is new.
    send(8)
    sender.close()
    assert read(settings, database, 1) == 1
    assert kept(database)[0] == cases(0, 2, 3, 4, 5, 7, 8)
    database.close()


def test_whatever_a_broker_takes_is_read_or_set_aside(kafka_broker: str, tmp_path: Path) -> None:
    settings = settings_of(kafka_broker)
    topic = settings.violations_topic
    wanted, sets, count, stuck = set(), {}, 0, 0
    for number, kind in enumerate(REASONS):
        first, last = 2 * number, 2 * number + 1
        offset = send_raw(kafka_broker, topic, 0, odd_batches(structured(first), structured(last))[kind])
        if kind not in ("codec", "bomb"):
            wanted |= cases(first, last)
            count += 2
        for place, reason in REASONS[kind]:
            sets[f"{topic}/0/{offset + place}"] = reason
            count += 1
        if kind == "header, gzip":
            stuck = offset + 1
    database = open_database(DatabaseSettings(path=tmp_path / "ioc.sqlite"))

    assert read(settings, database, count) == count
    found, letters = kept(database)
    assert found == wanted
    assert letters.keys() == sets.keys()
    assert [place for place, reason in letters.items() if sets[place] not in reason] == []
    database.close()

    # A service that came to a stop at such a record, and begins again in the middle of its batch.
    other = settings.model_copy(update={"group": f"{settings.group}-stuck"})
    consumer = KafkaConsumer(bootstrap_servers=kafka_broker, group_id=other.group, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(stuck, "", -1)})
    consumer.close()
    database = open_database(DatabaseSettings(path=tmp_path / "other.sqlite"))
    assert read(other, database, count - 4) == count - 4
    found, letters = kept(database)
    assert found == wanted - cases(0, 1, 2)
    assert letters.keys() == sets.keys() - {f"{topic}/0/1"}
    database.close()


def test_what_the_broker_itself_compresses_is_not_set_aside(kafka_broker: str, tmp_path: Path) -> None:
    settings = settings_of(kafka_broker)
    assert compression(settings, settings.violations_topic) == "producer"
    assert compression(settings, "no-such-topic") == ""
    admin = KafkaAdminClient(bootstrap_servers=kafka_broker)
    topic = f"{settings.violations_topic}.zstd"
    admin.create_topics({topic: {"configs": {"compression.type": "zstd"}}}, wait_for_metadata=True)
    admin.close()
    settings = settings.model_copy(update={"violations_topic": topic})
    sink = KafkaSink(settings)
    sink.open()
    sink.deliver([examples.candidate(track_id=track) for track in range(3)])
    sink.close(5)
    database = open_database(DatabaseSettings(path=tmp_path / "ioc.sqlite"))
    with pytest.raises(SinkError, match=r"zstd \(its compression.type\).*not installed here: zstandard"):
        read(settings, database, 3)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(DeadLetter)) == 0
    database.close()


def taken(raw: bytes, fetch_offset: int = 0) -> list[Any]:
    """Records as a guarded consumer makes them of what it fetched."""
    consumer: Any = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords))
    guard(consumer)
    partition = TopicPartition("topic", 0)
    records = consumer._fetcher.PartitionRecords(
        fetch_offset, partition, MemoryRecords(bytes(raw)), check_crcs=False
    )
    found: list[Any] = []
    while more := records.take(1):
        found += more
    return found


def test_what_was_damaged_on_its_way_is_not_set_aside() -> None:
    raw = batch(record(0, b"one") + record(1, b"two", NOT_UTF8), 2)
    assert [record.offset for record in taken(raw)] == [0, 1]
    raw[-1] ^= 1
    with pytest.raises(Exception, match="invalid record structure"):
        taken(raw)


def test_a_batch_is_bounded_and_so_is_a_record() -> None:
    def read_as(packed: bytes, count: int = 1) -> list[str]:
        found = [entry.value for entry in taken(batch(packed, count, GZIP))]
        return [value.reason if isinstance(value, Unread) else "" for value in found]

    large = b"x" * MAX_VALUE_BYTES
    assert read_as(gzip.compress(record(0, large))) == [""]
    assert read_as(gzip.compress(record(0, large + b"x") + record(1, large), 1), 2) == [
        f"it cannot be read: it has {MAX_VALUE_BYTES + 1} bytes",
        "",
    ]
    # Its size is told by the first stream, but another follows it.
    hidden = gzip.compress(record(0, b"one")) + bomb(2 * MAX_BATCH_BYTES)
    assert read_as(hidden) == [""]


def test_a_library_without_the_place_to_guard_is_used_as_it_is() -> None:
    with capture_logs() as logs:
        guard(SimpleNamespace(_fetcher=SimpleNamespace()))
    assert [entry["event"] for entry in logs] == ["records_not_guarded"]

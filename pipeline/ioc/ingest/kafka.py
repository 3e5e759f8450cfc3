"""Reads the workers' topics. Offsets are committed only after the database has: at least once, and as the
database takes each event once however often it comes, its effect is exactly once."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog
from kafka import KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors

from pipeline.events.errors import SinkError, TopicError
from pipeline.events.kafka_sink import (
    cleanup_policy,
    compression,
    connection_settings,
    create_topics,
    topics,
)
from pipeline.ioc.config import IocKafkaSettings
from pipeline.ioc.ingest.guard import Unread, guard
from pipeline.ioc.ingest.parse import BadEventError, from_kafka
from pipeline.ioc.ingest.writer import Batch, Letter, digest

log = structlog.get_logger(__name__)

BATCH = 1000
POLL_S = 0.5
SESSION_MS = 10_000
"""After so long a service that is gone has its partitions taken by others."""
MAX_HEADERS_CHARS = 8192
PACKAGES = {"snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}
"""What kafka-python reads each with."""


class KafkaReader:
    """A member of the consumer group; for one thread."""

    def __init__(self, settings: IocKafkaSettings, instance: str | None = None) -> None:
        """`instance`: a name that this service alone has in the group, and has again after a restart; it then
        goes on with its partitions at once. Raises SinkError when the broker cannot be reached.
        """
        self._settings = settings
        self._producer: Any = None
        make_topics(settings)
        with _kafka_errors(settings):
            self._consumer: Any = KafkaConsumer(
                *dict.fromkeys(topics(settings).values()),
                **connection_settings(settings),
                group_id=settings.group,
                group_instance_id=instance,
                session_timeout_ms=SESSION_MS,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=5000,
                reconnect_backoff_max_ms=2000,
                max_poll_records=BATCH,
                fetch_max_wait_ms=200,
                # Kafka's own checksum costs more in pure Python than all else here; the workers' batches are
                # gzip streams, which carry a checksum of their own.
                check_crcs=False,
                metrics_enabled=False,
            )
        guard(self._consumer)

    def step(self, store: Callable[[Batch], Sequence[Letter]], stop: threading.Event) -> int:
        """Store the next records, then commit their offsets; returns how many came.

        `store` may take its time; it returns those events that became dead letters.
        """
        with _kafka_errors(self._settings):
            polled = self._consumer.poll(timeout_ms=round(POLL_S * 1000))
        events, letters = [], []
        unread: set[tuple[str, str]] = set()
        for records in polled.values():
            for record in records:
                if isinstance(record.value, Unread):
                    unread.add((record.topic, record.value.codec))
                    letters.append(_letter(record, record.value.reason))
                    continue
                try:
                    events.append(from_kafka(dict(record.headers or ()), record.value))
                except BadEventError as error:
                    letters.append(_letter(record, str(error)))
        if not events and not letters:
            return 0
        for topic, codec in unread:
            self._hold_where_the_broker_compresses(topic, codec)
        letters += store(Batch(events, letters[:]))
        if stop.is_set():
            return 0
        with _kafka_errors(self._settings):
            self._consumer.commit()
        self._tell(letters)
        return sum(map(len, polled.values()))

    def _hold_where_the_broker_compresses(self, topic: str, codec: str) -> None:
        """A compression that is not read is its sender's affair, but where the broker itself gives it to all
        that is sent, nothing may be set aside for it. Raises SinkError."""
        if codec and compression(self._settings, topic) == codec:
            raise SinkError(
                f"Kafka compresses topic {topic} with {codec} (its compression.type), which takes a package "
                f"that is not installed here: {PACKAGES[codec]}"
            )

    def close(self) -> None:
        """Leave the group; what was not committed goes to the others."""
        with contextlib.suppress(kafka_errors.KafkaError):
            self._consumer.close(autocommit=False)
        if self._producer is not None:
            with contextlib.suppress(kafka_errors.KafkaError):
                self._producer.close(timeout=2)

    def _tell(self, letters: list[Letter]) -> None:
        """The table of dead letters holds them already: a topic that is not there holds nothing up."""
        if not letters:
            return
        try:
            if self._producer is None:
                self._producer = producer(self._settings)
            sent = []
            for letter in letters:
                body = {"origin": letter.origin, "reason": letter.reason, "body": letter.body[:200_000]}
                value = json.dumps(body).encode()
                sent.append(self._producer.send(self._settings.dead_letter_topic, value=value))
            for future in sent:
                future.get(timeout=15)
        except (kafka_errors.KafkaError, SinkError) as error:
            log.warning("dead_letters_not_sent", reason=str(error)[:200])


def make_topics(settings: IocKafkaSettings) -> None:
    """Create what is missing of the topics that are read and written.

    Where the user may not, the log says what to create, and the others serve. Raises SinkError when the
    broker cannot be reached.
    """
    wanted = {topic: cleanup_policy(kind) for kind, topic in topics(settings).items()}
    wanted |= {settings.reviews_topic: "delete", settings.dead_letter_topic: "delete"}
    try:
        create_topics(settings, wanted)
    except TopicError as error:
        log.warning("topics_missing", reason=str(error))


def _letter(record: Any, reason: str) -> Letter:
    """`record`: kafka-python's, which is no event for this reason."""
    value = record.value or b""
    origin = f"{record.topic}/{record.partition}/{record.offset} {digest(value)}"
    if isinstance(value, Unread):
        return Letter(origin, reason, value.decode(errors="replace"))
    try:
        body = value.decode()
        headers = {name: content.decode() for name, content in record.headers or () if content is not None}
    except UnicodeDecodeError:
        return Letter(origin, reason, value.decode(errors="replace"))
    beside = json.dumps(headers)
    if record.value is None or len(beside) > MAX_HEADERS_CHARS:
        return Letter(origin, reason, body)
    return Letter(origin, reason, body, form="kafka", headers=beside)


def producer(settings: IocKafkaSettings) -> Any:
    """A producer that loses nothing. Raises SinkError."""
    with _kafka_errors(settings):
        return KafkaProducer(
            **connection_settings(settings),
            bootstrap_timeout_ms=5000,
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            max_block_ms=5000,
            delivery_timeout_ms=15000,
            request_timeout_ms=7000,
            metrics_enabled=False,
        )


@contextlib.contextmanager
def _kafka_errors(settings: IocKafkaSettings) -> Iterator[None]:
    try:
        yield
    except (kafka_errors.KafkaError, OSError, ValueError, AssertionError) as error:
        brokers = ", ".join(settings.brokers)
        raise SinkError(f"Kafka at {brokers}: {type(error).__name__}: {str(error)[:200]}") from error

"""Reads the workers' topics. Offsets are committed only after the database has: at least once, and as the
database takes each event once however often it comes, its effect is exactly once."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

import structlog
from kafka import KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors

from pipeline.events.errors import SinkError
from pipeline.events.kafka_sink import connection_settings
from pipeline.ioc.config import IocKafkaSettings
from pipeline.ioc.ingest.parse import BadEventError, from_kafka
from pipeline.ioc.ingest.writer import Batch, Letter

log = structlog.get_logger(__name__)

BATCH = 500
POLL_S = 0.5


class KafkaReader:
    """A member of the consumer group; for one thread."""

    def __init__(self, settings: IocKafkaSettings) -> None:
        """Raises SinkError when the broker cannot be reached."""
        self._settings = settings
        topics = (
            settings.violations_topic,
            settings.security_topic,
            settings.cameras_topic,
            settings.flow_topic,
        )
        self._producer: Any = None
        with _kafka_errors(settings):
            self._consumer: Any = KafkaConsumer(
                *dict.fromkeys(topics),
                **connection_settings(settings),
                group_id=settings.group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=5000,
                reconnect_backoff_max_ms=2000,
                max_poll_records=BATCH,
                fetch_max_wait_ms=200,
                metrics_enabled=False,
            )

    def step(self, store: Callable[[Batch], object], stop: threading.Event) -> int:
        """Store the next records, then commit their offsets; returns how many came.

        `store` may take its time, and is not asked again for what it has refused by raising.
        """
        with _kafka_errors(self._settings):
            polled = self._consumer.poll(timeout_ms=round(POLL_S * 1000))
        events, letters = [], []
        for records in polled.values():
            for record in records:
                try:
                    events.append(from_kafka(dict(record.headers or ()), record.value))
                except BadEventError as error:
                    origin = f"{record.topic}/{record.partition}/{record.offset}"
                    body = (record.value or b"").decode(errors="replace")
                    letters.append(Letter(origin, str(error), body))
        if not events and not letters:
            return 0
        store(Batch(events, letters))
        if stop.is_set():
            return 0
        with _kafka_errors(self._settings):
            self._consumer.commit()
        self._tell(letters)
        return len(events) + len(letters)

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
def _kafka_errors(settings: IocKafkaSettings) -> Any:
    try:
        yield
    except (kafka_errors.KafkaError, OSError, ValueError, AssertionError) as error:
        brokers = ", ".join(settings.brokers)
        raise SinkError(f"Kafka at {brokers}: {type(error).__name__}: {str(error)[:200]}") from error

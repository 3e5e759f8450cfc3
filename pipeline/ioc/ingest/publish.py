"""Decisions on their way out: written with the decision itself, sent apart; a broker holds nobody up."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from typing import Any

import structlog
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from kafka import errors as kafka_errors
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from pipeline.events.errors import SinkError
from pipeline.ioc.config import IocKafkaSettings
from pipeline.ioc.ingest.kafka import producer
from pipeline.ioc.store import Database, clock
from pipeline.ioc.store.models import ReviewEvent

log = structlog.get_logger(__name__)

TYPE = "violation.reviewed"
BATCH = 100
SENDING_LOCK = 7_201_169
"""Key of an advisory lock: of services that share a database, one sends at a time, in order."""


class ReviewPublisher:
    """Sends what waits, oldest first; at least once, each with the id it keeps."""

    def __init__(self, settings: IocKafkaSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._stop = threading.Event()
        self._producer: Any = None
        self._thread = threading.Thread(target=self._run, name="reviews", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what was not acknowledged is sent at the next start."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        wait_s = 1.0
        while not self._stop.wait(wait_s):
            try:
                wait_s = 0.0 if self._send() == BATCH else 1.0
            except (SinkError, kafka_errors.KafkaError, SQLAlchemyError) as error:
                log.warning("reviews_wait", reason=str(error)[:200])
                self._close()
                wait_s = 5.0
        self._close()

    def _send(self) -> int:
        """Send a batch; 0 where nothing waits, or another service on this database is sending."""
        with self._database.read() as turn:
            # Held until this block ends, and gone with this process, should it be killed.
            if not self._database.alone(turn, SENDING_LOCK):
                return 0
            query = select(ReviewEvent).where(ReviewEvent.sent_ms == 0).order_by(ReviewEvent.seq).limit(BATCH)
            waiting = list(turn.scalars(query))
            if not waiting:
                return 0
            self._deliver(waiting)
            with self._database.write() as session:
                sent = [event.seq for event in waiting]
                now_ms = clock.now_ms()
                session.execute(update(ReviewEvent).where(ReviewEvent.seq.in_(sent)).values(sent_ms=now_ms))
        return len(waiting)

    def _deliver(self, waiting: list[ReviewEvent]) -> None:
        """Until the broker has acknowledged all of them. Raises SinkError, KafkaError."""
        if self._producer is None:
            self._producer = producer(self._settings)
        futures = []
        for event in waiting:
            message = kafka.to_binary(to_cloudevent(event), JSONFormat())
            futures.append(
                self._producer.send(
                    self._settings.reviews_topic,
                    key=event.camera.encode(),
                    value=message.value,
                    headers=list(message.headers.items()),
                )
            )
        for future in futures:
            future.get(timeout=20)

    def _close(self) -> None:
        if self._producer is not None:
            with contextlib.suppress(kafka_errors.KafkaError):
                self._producer.close(timeout=2)
            self._producer = None


def to_cloudevent(event: ReviewEvent) -> CloudEvent:
    """The decision as a CloudEvent of type violation.reviewed; its subject is the case's id."""
    attributes = {
        "id": event.id,
        "type": TYPE,
        "source": "/ioc",
        "subject": event.data["case_id"],
        "time": datetime.fromtimestamp(event.at_ms / 1000, UTC),
        "datacontenttype": "application/json",
        "dataschema": "urn:ngatu:schema:violation.reviewed:v1",
        "partitionkey": event.camera,
    }
    return CloudEvent(attributes, dict(event.data))

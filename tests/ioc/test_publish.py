"""Decisions on their way out, through a real broker: each once, also from two services on one database."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pipeline.events.kafka_sink import create_topics
from pipeline.ioc.config import DatabaseSettings, IocKafkaSettings
from pipeline.ioc.ingest.publish import SENDING_LOCK, ReviewPublisher
from pipeline.ioc.store import Database, open_database
from pipeline.ioc.store.models import ReviewEvent
from tests.events.examples import read_topic
from tests.ioc.office import office

WAITING = 250
"""More than a batch has."""


@dataclass
class Desk:
    kafka: IocKafkaSettings
    first: Database
    second: Database

    def waiting(self) -> int:
        with self.first.read() as session:
            query = select(func.count()).select_from(ReviewEvent).where(ReviewEvent.sent_ms == 0)
            return session.scalar(query) or 0

    def put(self, count: int) -> list[str]:
        ids = [uuid.uuid4().hex for _ in range(count)]
        with self.first.write() as session:
            for number, one in enumerate(ids):
                data = {"case_id": f"case-{number}", "decision": "confirm"}
                session.add(
                    ReviewEvent(id=one, camera=f"cam-{number % 7}", at_ms=1_780_000_000_000, data=data)
                )
        return ids

    def until_all_are_sent(self) -> None:
        deadline = time.monotonic() + 20
        while self.waiting():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def desk(kafka_broker: str, postgres_settings: DatabaseSettings) -> Iterator[Desk]:
    kafka = IocKafkaSettings(brokers=(kafka_broker,), reviews_topic=f"{uuid.uuid4().hex[:8]}.reviews")
    create_topics(kafka, {kafka.reviews_topic: "delete"})
    made = Desk(kafka, open_database(postgres_settings), open_database(postgres_settings))
    yield made
    made.first.close()
    made.second.close()


def test_of_two_services_on_one_database_each_decision_is_sent_once_and_in_order(desk: Desk) -> None:
    ids = desk.put(WAITING)
    publishers = [ReviewPublisher(desk.kafka, database) for database in (desk.first, desk.second)]
    for publisher in publishers:
        publisher.start()
    desk.until_all_are_sent()
    more = desk.put(20)
    desk.until_all_are_sent()
    for publisher in publishers:
        publisher.stop()
    records = read_topic(desk.kafka.brokers[0], desk.kafka.reviews_topic)
    came = [dict(record.headers)["ce_id"].decode() for record in records]
    assert sorted(came) == sorted(ids + more)
    rank = {one: n for n, one in enumerate(ids + more)}
    by_camera: dict[bytes, list[int]] = {}
    for record, one in zip(records, came, strict=True):
        by_camera.setdefault(record.key, []).append(rank[one])
    assert all(ranks == sorted(ranks) for ranks in by_camera.values())


def test_who_has_not_the_turn_waits_and_takes_over_when_the_other_is_gone(desk: Desk) -> None:
    desk.put(3)
    publisher = ReviewPublisher(desk.kafka, desk.second)
    with desk.first.read() as session:
        assert desk.first.alone(session, SENDING_LOCK)
        publisher.start()
        time.sleep(2.5)  # it looks every second
        assert desk.waiting() == 3
    desk.until_all_are_sent()
    publisher.stop()
    assert len(read_topic(desk.kafka.brokers[0], desk.kafka.reviews_topic)) == 3


def test_what_an_officer_decides_reaches_the_topic_as_a_cloudevent(kafka_broker: str, tmp_path: Path) -> None:
    made = office(tmp_path)
    mai = made.hire("mai", "reviewer")
    case_id = made.act()
    kafka = IocKafkaSettings(brokers=(kafka_broker,), reviews_topic=f"{uuid.uuid4().hex[:8]}.reviews")
    create_topics(kafka, {kafka.reviews_topic: "delete"})
    publisher = ReviewPublisher(kafka, made.the.database)
    publisher.start()
    made.the.desk.decide(mai, case_id, "reject", reason="wrong_vehicle")
    Desk(kafka, made.the.database, made.the.database).until_all_are_sent()
    publisher.stop()
    (record,) = read_topic(kafka_broker, kafka.reviews_topic)
    headers = {name: value.decode() for name, value in record.headers}
    assert (headers["ce_type"], headers["ce_subject"], record.key) == (
        "violation.reviewed",
        case_id,
        b"cam-1",
    )
    body = json.loads(record.value)
    assert (body["case_id"], body["decision"], body["reason"]) == (case_id, "reject", "wrong_vehicle")

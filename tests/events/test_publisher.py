"""From the outbox to a real Kafka: nothing lost, nothing blocked, whatever the broker does."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from pipeline.config import KafkaSettings
from pipeline.events import publisher as publishers
from pipeline.events.errors import SinkError
from pipeline.events.event import EventType
from pipeline.events.kafka_sink import KafkaSink, check
from pipeline.events.outbox import Outbox
from pipeline.events.publisher import Publisher
from pipeline.events.read import read_set_aside
from tests.events.examples import (
    START_S,
    candidate,
    flow,
    health,
    incident,
    kafka_settings,
    padded,
    read_topic,
)
from tests.kafka_fixture import Broker
from tests.waiting import wait_for


@contextmanager
def publishing(outbox: Outbox, settings: KafkaSettings, **options: Any) -> Iterator[Publisher]:
    # Short timeouts: an outage of seconds takes the way of one of minutes.
    sink = KafkaSink(settings, open_timeout_s=2.0, delivery_timeout_s=3.0)
    publisher = Publisher(outbox, sink, **options)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close(5.0)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite")
    yield box
    box.close()


def ids(records: list[Any]) -> list[str]:
    return [dict(record.headers)["ce_id"].decode() for record in records]


def test_events_arrive_as_cloudevents_in_their_topics(kafka_broker: str, outbox: Outbox) -> None:
    settings = kafka_settings(kafka_broker)
    latencies: dict[str, float] = {}
    with publishing(outbox, settings, on_acknowledged=lambda event, at_s: latencies.update({event.id: at_s})):
        put_at_s = time.time()
        events = [candidate(), incident(), flow(), health()]
        for event in events:
            outbox.put(event)
        assert wait_for(lambda: outbox.count() == 0)
    names = (
        settings.violations_topic,
        settings.security_topic,
        settings.flow_topic,
        settings.cameras_topic,
    )
    for event, topic in zip(events, names, strict=True):
        (record,) = read_topic(kafka_broker, topic)
        headers = dict(record.headers)
        assert record.key == b"cam-1"
        assert headers["ce_type"] == str(event.type).encode()
        assert headers["content-type"] == b"application/json"
        assert json.loads(record.value) == event.data
        read = from_binary_event(KafkaMessage(headers, record.key, record.value))
        assert (read.get_id(), read.get_source(), read.get_time()) == (event.id, event.source, event.time)
        assert put_at_s <= latencies[event.id] <= time.time()


def test_topics_are_created_and_the_cameras_topic_is_compacted(kafka_broker: str) -> None:
    settings = kafka_settings(kafka_broker)
    assert set(check(settings).missing_topics) == {
        settings.violations_topic,
        settings.security_topic,
        settings.flow_topic,
        settings.cameras_topic,
    }
    sink = KafkaSink(settings)
    sink.open()
    sink.close(1.0)
    report = check(settings)
    assert report.missing_topics == ()
    assert report.nodes == (kafka_broker,)
    admin = KafkaAdminClient(bootstrap_servers=[kafka_broker])
    try:
        policies = {}
        for topic in (settings.cameras_topic, settings.violations_topic):
            resource = ConfigResource(ConfigResourceType.TOPIC, topic)
            found = admin.describe_configs([resource], config_filter="all")
            policies[topic] = found["topic"][topic]["cleanup.policy"]["value"]
    finally:
        admin.close()
    assert policies == {settings.cameras_topic: "compact", settings.violations_topic: "delete"}


@pytest.mark.slow
def test_broker_away_at_start_and_again_in_the_middle(own_broker: Broker, outbox: Outbox) -> None:
    # Learn a port, then begin with nobody there.
    settings = kafka_settings(own_broker.start())
    own_broker.stop()
    put: list[str] = []

    def put_some(count: int) -> float:
        longest_s = 0.0
        for _ in range(count):
            for event in (
                candidate(f"cam-{len(put) % 3}", track_id=len(put)),
                flow(start_s=START_S + 60 * len(put)),
            ):
                began_s = time.perf_counter()
                outbox.put(event)
                longest_s = max(longest_s, time.perf_counter() - began_s)
                put.append(event.id)
            time.sleep(0.01)
        return longest_s

    with publishing(outbox, settings) as publisher:
        put_some(20)
        assert wait_for(lambda: "cannot be reached" in publisher.state().reason)
        assert not publisher.state().connected
        assert outbox.count() == 40
        own_broker.start()
        put_some(20)
        assert wait_for(lambda: outbox.count() == 0, 30)
        assert publisher.state().connected
        own_broker.stop()
        longest_s = put_some(50)
        # With the broker gone, a put costs what the disk costs.
        assert longest_s < 2.0
        assert outbox.count() > 0
        assert wait_for(lambda: not publisher.state().connected, 15), publisher.state()
        troubles = publisher.state().troubles_total
        assert wait_for(lambda: publisher.state().troubles_total >= troubles + 2, 15), publisher.state()
        own_broker.start()
        put_some(20)
        assert wait_for(lambda: outbox.count() == 0, 60), publisher.state()
        state = publisher.state()
    arrived = Counter(
        ids(read_topic(settings.brokers[0], settings.violations_topic))
        + ids(read_topic(settings.brokers[0], settings.flow_topic))
    )
    print(f"put {len(put)}, arrived {len(arrived)}, repeats {arrived.total() - len(arrived)}, {state}")
    assert set(arrived) == set(put)
    assert state.sent_total == len(put)
    # The connections of the bad times are gone.
    assert wait_for(lambda: not [t for t in threading.enumerate() if t.name.endswith("network-thread")], 5)
    # The order of one camera's acts is kept.
    for camera_id in ("cam-0", "cam-1", "cam-2"):
        records = read_topic(settings.brokers[0], settings.violations_topic)
        tracks = [json.loads(record.value)["track"] for record in records if record.key == camera_id.encode()]
        firsts = list(dict.fromkeys(tracks))
        assert firsts == sorted(firsts)


def test_violations_overtake_a_backlog_of_flow(kafka_broker: str, outbox: Outbox) -> None:
    order: list[EventType] = []
    for minute in range(300):
        outbox.put(flow(start_s=START_S + 60 * minute))
    act = candidate()
    outbox.put(act)
    settings = kafka_settings(kafka_broker)
    with publishing(outbox, settings, on_acknowledged=lambda event, _: order.append(event.type)):
        assert wait_for(lambda: outbox.count() == 0)
    assert order[0] is EventType.VIOLATION
    assert len(order) == 301


@pytest.mark.parametrize("size", [1_200_000, 700_000], ids=["too large to send", "too large for the topic"])
def test_event_nobody_takes_goes_aside_and_blocks_nobody(
    kafka_broker: str, outbox: Outbox, tmp_path: Path, size: int
) -> None:
    settings = kafka_settings(kafka_broker)
    sink = KafkaSink(settings)
    sink.open()
    sink.close(1.0)
    admin = KafkaAdminClient(bootstrap_servers=[kafka_broker])
    topic = ConfigResource(
        ConfigResourceType.TOPIC, settings.violations_topic, configs={"max.message.bytes": "200000"}
    )
    admin.alter_configs([topic])
    admin.close()
    poison = padded(candidate(track_id=5), size)
    good = [candidate(track_id=track) for track in (1, 2, 8, 9)]
    for event in (*good[:2], poison, *good[2:]):
        outbox.put(event)
    with publishing(outbox, settings) as publisher:
        assert wait_for(lambda: outbox.count() == 0)
        assert publisher.state().connected
    (aside,) = read_set_aside(tmp_path / "outbox.sqlite")
    assert aside.id == poison.id
    assert "bytes: MessageSizeTooLargeError" in aside.reason
    assert set(ids(read_topic(kafka_broker, settings.violations_topic))) == {event.id for event in good}


def test_while_the_boxs_clock_is_ahead_events_wait_and_go_out_with_the_right_time(
    kafka_broker: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishers, "MAX_DELAY_S", 1.0)
    real, ahead_s = KafkaProducer.send, 7 * 3600.0

    def send(self: KafkaProducer, *args: Any, **fields: Any) -> Any:
        return real(self, *args, timestamp_ms=round((time.time() + ahead_s) * 1000), **fields)

    monkeypatch.setattr(KafkaProducer, "send", send)
    settings = kafka_settings(kafka_broker)
    acts = [candidate(track_id=track) for track in range(5)]
    for event in acts:
        outbox.put(event)
    with publishing(outbox, settings) as publisher:
        assert wait_for(lambda: publisher.state().troubles_total >= 2, 15), publisher.state()
        assert wait_for(lambda: "check this box's clock" in publisher.state().reason)
        assert (outbox.count(), outbox.set_aside_count()) == (5, 0)
        ahead_s = 0.0
        assert wait_for(lambda: outbox.count() == 0, 15), publisher.state()
    records = read_topic(kafka_broker, settings.violations_topic)
    assert ids(records) == [event.id for event in acts]
    assert all(abs(record.timestamp / 1000 - time.time()) < 60 for record in records)
    assert outbox.set_aside_count() == 0


def test_close_leaves_the_rest_in_the_outbox(outbox: Outbox) -> None:
    for track in range(5):
        outbox.put(candidate(track_id=track))
    publisher = Publisher(outbox, KafkaSink(kafka_settings("127.0.0.1:1")))
    publisher.start()
    began_s = time.monotonic()
    assert publisher.close(2.0) == 5
    assert time.monotonic() - began_s < 3.0


def test_close_sends_what_waits(kafka_broker: str, outbox: Outbox) -> None:
    settings = kafka_settings(kafka_broker)
    publisher = Publisher(outbox, KafkaSink(settings))
    publisher.start()
    assert wait_for(lambda: publisher.state().connected)
    for track in range(500):
        outbox.put(candidate(track_id=track))
    assert publisher.close(10.0) == 0
    assert len(read_topic(kafka_broker, settings.violations_topic)) == 500
    assert not publisher.alive()
    assert publisher.state().reason == "stopped"


def test_nothing_stays_behind_after_many_failed_connections(outbox: Outbox) -> None:
    sink = KafkaSink(kafka_settings("127.0.0.1:1"), open_timeout_s=0.1)
    with pytest.raises(SinkError):
        sink.open()
    before = threading.active_count()
    for _ in range(10):
        with pytest.raises(SinkError):
            sink.open()
    # Fewer: what another test left may end meanwhile.
    assert threading.active_count() <= before

"""What one event, camera or topic does to the others, with a broker that is played."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import KafkaSettings
from pipeline.events.kafka_sink import KafkaSink
from pipeline.events.outbox import Outbox
from pipeline.events.publisher import Publisher
from pipeline.events.read import read_set_aside
from pipeline.events.sink import Sink
from tests.events.examples import candidate
from tests.waiting import wait_for


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite")
    yield box
    box.close()


@contextmanager
def publishing(outbox: Outbox, sink: Sink) -> Iterator[Publisher]:
    publisher = Publisher(outbox, sink)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close(2.0)


class Taken:
    """An answer of the broker."""

    def get(self, timeout: float) -> None:
        pass


class Producer:
    """Takes everything."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def send(self, topic: str, **_: object) -> Taken:
        self.topics.append(topic)
        return Taken()

    def close(self, timeout: float) -> None:
        pass


class Played(KafkaSink):
    """The real sink with a producer that is played."""

    def __init__(self, producer: Producer) -> None:
        super().__init__(KafkaSettings(brokers=("192.0.2.1:9092",)))
        self.played = producer

    def open(self) -> None:
        self._producer = self.played


def test_an_event_that_cannot_be_written_goes_aside_and_the_others_out(
    outbox: Outbox, tmp_path: Path
) -> None:
    events = [candidate(track_id=track) for track in range(3)]
    broken = {name: value for name, value in events[1].data.items() if name != "schema_version"}
    for event in (events[0], replace(events[1], data=broken), events[2]):
        outbox.put(event)
    with publishing(outbox, Played(Producer())) as publisher:
        assert wait_for(lambda: outbox.count() == 0, 5), publisher.state()
        assert (publisher.state().sent_total, publisher.state().troubles_total) == (2, 0)
    (aside,) = read_set_aside(tmp_path / "outbox.sqlite")
    assert aside.id == events[1].id
    assert aside.reason.startswith("cannot be written as a CloudEvent")

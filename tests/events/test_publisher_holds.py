"""What one event, camera or topic does to the others, with a broker that is played."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import errors as kafka_errors

from pipeline.config import KafkaSettings
from pipeline.events import publisher as publishers
from pipeline.events.event import Event, EventType
from pipeline.events.kafka_sink import KafkaSink
from pipeline.events.outbox import Outbox
from pipeline.events.publisher import Publisher
from pipeline.events.read import read_set_aside
from pipeline.events.sink import Delivery, Sink
from tests.events.examples import START_S, candidate, flow, health, incident, incomplete
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
    """Takes everything but what is for a topic that cannot be written to."""

    def __init__(self, shut: str = "") -> None:
        self.shut = shut

    def send(self, topic: str, **_: object) -> Taken:
        if topic == self.shut:
            raise kafka_errors.KafkaTimeoutError("no metadata")
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


class Stuck:
    """Does not take acts of the cameras that are out of order; as for Kafka, violations share a topic."""

    name = "test"

    def __init__(self, *out_of_order: str, raises: bool = False) -> None:
        self.out_of_order = set(out_of_order)
        self.raises = raises
        self.tries = 0
        self.taken: list[Event] = []

    def open(self) -> None:
        pass

    def deliver(self, events: Sequence[Event]) -> Delivery:
        left = {event.id for event in events if event.type in ACTS and event.key in self.out_of_order}
        self.tries += bool(left)
        if left and self.raises:
            raise KeyError("ours")
        taken = tuple(event for event in events if event.id not in left)
        self.taken += taken
        return Delivery(taken, trouble="did not acknowledge within 30 s" if left else "")

    def together(self, event_type: EventType) -> Collection[EventType]:
        return ACTS if event_type in ACTS else (event_type,)

    def close(self, timeout_s: float) -> None:
        pass


ACTS = (EventType.VIOLATION, EventType.INCOMPLETE)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 5, so that few events fill one, and short delays."""
    monkeypatch.setattr(publishers, "BATCH", 5)
    monkeypatch.setattr(publishers, "FIRST_DELAY_S", 0.1)
    monkeypatch.setattr(publishers, "MAX_DELAY_S", 0.4)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("raises", [False, True])
def test_acts_of_cameras_that_cannot_be_sent_stop_neither_other_cameras_nor_other_types(
    outbox: Outbox, raises: bool
) -> None:
    kinds = (candidate, incomplete)
    stuck = [kinds[number % 2](f"cam-{1 + number // 12}", 100 + number) for number in range(24)]
    others = [candidate("cam-3", 1), incident("cam-1", 1), health("cam-1"), flow("cam-2")]
    for event in (*stuck, *others):
        outbox.put(event)
    sink = Stuck("cam-1", "cam-2", raises=raises)
    with publishing(outbox, sink) as publisher:
        assert wait_for(lambda: len(sink.taken) == len(others), 10), publisher.state()
        assert [event.id for event in sink.taken] == [event.id for event in others]
        later = candidate("cam-3", 2)
        outbox.put(later)
        assert wait_for(lambda: sink.taken[-1] == later, 10)
        tries = sink.tries
        assert wait_for(lambda: sink.tries > tries, 15), "they are tried again"
        sink.out_of_order.clear()
        assert wait_for(lambda: outbox.count() == 0, 20), publisher.state()
    for camera_id in ("cam-1", "cam-2"):
        order = [event for event in sink.taken if event.key == camera_id and event.type in ACTS]
        assert order == [event for event in stuck if event.key == camera_id]


@pytest.mark.usefixtures("small")
def test_what_stands_back_goes_first_again_however_much_else_there_is(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishers, "HELD_S", 0.0)
    outbox.put(candidate("cam-1"))
    for minute in range(100):
        outbox.put(flow("cam-2", START_S + 60 * minute))
    sink = Stuck("cam-1")
    with publishing(outbox, sink) as publisher:
        assert wait_for(lambda: sink.tries >= 3, 15), publisher.state()
        assert len(sink.taken) <= 5 * sink.tries


class Uneven:
    """Fails a camera once, and a little before that camera's time is over the next one."""

    name = "test"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.failed: list[str] = []
        self.taken: dict[str, float] = {}
        monkeypatch.setattr(publishers.time, "monotonic", lambda: self.now_s)

    def open(self) -> None:
        pass

    def deliver(self, events: Sequence[Event]) -> Delivery:
        self.now_s += 1.0
        left = ""
        if self.now_s > 0.7 * publishers.HELD_S * len(self.failed):
            left = next((event.key for event in events if event.key not in self.failed), "")
        if left:
            self.failed.append(left)
        taken = tuple(event for event in events if event.key != left)
        self.taken |= {event.id: self.now_s for event in taken}
        return Delivery(taken, trouble="did not acknowledge" if left else "")

    def together(self, event_type: EventType) -> Collection[EventType]:
        return (event_type,)

    def close(self, timeout_s: float) -> None:
        pass


@pytest.mark.usefixtures("small")
def test_what_stands_back_is_not_put_off_by_the_trouble_of_others(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = candidate("cam-a")
    outbox.put(act)
    flows = [flow(f"cam-{number // 20}", START_S + 60 * (number % 20)) for number in range(600)]
    for event in flows:
        outbox.put(event)
    sink = Uneven(monkeypatch)
    publisher = Publisher(outbox, sink)
    for _ in range(200):
        # The publisher's own round, without its thread and its pauses.
        events = publisher._next_events()
        delivery = publisher._deliver(events)
        publisher._settle(delivery)
        publisher._hold(events, delivery)
        if not outbox.count():
            break
    assert len(sink.failed) > 3, "others fail while it waits"
    assert publishers.HELD_S <= sink.taken[act.id] <= publishers.HELD_S + 2.0
    for number in range(30):
        order = [each for each in sink.taken if each in {e.id for e in flows[20 * number : 20 * number + 20]}]
        assert order == [event.id for event in flows[20 * number : 20 * number + 20]]


def test_a_topic_that_cannot_be_written_to_stops_no_other(outbox: Outbox) -> None:
    sink = Played(Producer(shut=KafkaSettings(brokers=("192.0.2.1:9092",)).violations_topic))
    for event in (candidate("cam-1"), incident("cam-2"), incomplete("cam-1", 3), flow("cam-1")):
        outbox.put(event)
    with publishing(outbox, sink) as publisher:
        assert wait_for(lambda: outbox.count() == 2, 5), publisher.state()
        assert publisher.state().sent_total == 2
        assert {event.type for event in outbox.batch(9)} == set(ACTS)

"""A rule on trial: its events are kept and can be read, and no sink gets them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import OutboxSettings
from pipeline.events import outbox as outboxes
from pipeline.events.build import act_id
from pipeline.events.errors import OutboxFull
from pipeline.events.event import Event, EventType
from pipeline.events.outbox import Outbox, Put
from pipeline.events.publisher import Publisher
from pipeline.events.read import read_events
from pipeline.events.sink import Delivery
from tests.events.examples import candidate, hit, padded
from tests.waiting import wait_for


def on_trial(track_id: int = 17) -> Event:
    seen = candidate(track_id=track_id)
    return replace(seen, data={**seen.data, "shadow": True})


class Taking:
    """Acknowledges everything, and remembers it."""

    name = "test"

    def __init__(self) -> None:
        self.taken: list[Event] = []

    def open(self) -> None:
        pass

    def deliver(self, events: Sequence[Event]) -> Delivery:
        self.taken += events
        return Delivery(tuple(events))

    def close(self, timeout_s: float) -> None:
        pass


def test_nothing_of_it_reaches_the_sink_and_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox, sink = Outbox(path), Taking()
    publisher = Publisher(outbox, sink)
    publisher.start()
    for number in range(5):
        assert outbox.put(on_trial(number)) is Put.STORED
        assert outbox.put(candidate(track_id=100 + number)) is Put.STORED
    assert wait_for(lambda: outbox.count() == 0)
    assert publisher.close(2.0) == 0
    assert [event.data["track"] for event in sink.taken] == [100, 101, 102, 103, 104]
    assert not any(event.is_shadow for event in sink.taken)
    assert [event.data["track"] for event in read_events(path)] == [0, 1, 2, 3, 4]
    outbox.close()
    again = Outbox(path)
    assert again.batch(100) == []
    assert len(list(read_events(path, only=EventType.VIOLATION))) == 5
    again.close()


def test_it_is_told_in_order_with_the_others(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    for event in (candidate(track_id=1), on_trial(2), candidate(track_id=3)):
        outbox.put(event)
    assert [(event.data["track"], event.is_shadow) for event in read_events(path)] == [
        (1, False),
        (2, True),
        (3, False),
    ]


def test_it_is_kept_once_is_done_at_once_and_leaves_the_journal(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.journal(on_trial())
    assert [event.is_shadow for event in outbox.leftover_hits()] == [True]
    assert not outbox.is_done(on_trial().id)
    assert outbox.put(on_trial()) is Put.STORED
    assert outbox.put(on_trial()) is Put.REPEATED
    assert outbox.leftover_hits() == []
    assert outbox.knows(on_trial().id)
    assert outbox.is_done(on_trial().id)
    assert not outbox.is_done(candidate(track_id=3).id)
    assert outbox.count() == 0


def test_only_the_newest_are_kept_and_they_are_refused_before_violations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "SHADOWS", 3)
    path = tmp_path / "outbox.db"
    outbox = Outbox(path, OutboxSettings(max_megabytes=1, reserve_share=0.5))
    for number in range(10):
        outbox.put(on_trial(number))
    assert [event.data["track"] for event in read_events(path)] == [7, 8, 9]
    outbox.put(padded(candidate(track_id=50), 600_000))
    with pytest.raises(OutboxFull):
        outbox.put(on_trial(11))
    outbox.put(candidate(track_id=51))


def test_beyond_the_newest_it_is_done_still_and_not_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "SHADOWS", 3)
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    for number in range(10):
        outbox.put(on_trial(number))
    outbox.put(candidate(track_id=50))
    outbox.close()
    outbox = Outbox(path)
    assert all(
        outbox.knows(on_trial(number).id) and outbox.is_done(on_trial(number).id) for number in range(10)
    )
    assert outbox.put(on_trial(0)) is Put.REPEATED
    assert [event.data["track"] for event in read_events(path) if event.is_shadow] == [7, 8, 9]
    assert not outbox.is_done(candidate(track_id=50).id), "it waits for the broker"
    assert not outbox.knows(on_trial(11).id)
    outbox.close()


def test_an_outbox_of_an_earlier_version_is_read_and_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    outbox.put(candidate(track_id=1))
    outbox.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE shadows")
        db.commit()
    assert len(list(read_events(path))) == 1
    outbox = Outbox(path)
    assert outbox.put(on_trial(2)) is Put.STORED
    assert len(list(read_events(path))) == 2


def test_the_id_tells_repeats_whether_on_trial_or_not() -> None:
    assert on_trial().id == act_id(hit())

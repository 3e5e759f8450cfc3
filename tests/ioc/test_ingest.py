"""Events in: each once, bad ones apart, on both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from pipeline.events.outbox import Outbox
from pipeline.ioc.config import AreaSettings, AreaTree
from pipeline.ioc.ingest import parse
from pipeline.ioc.ingest.outbox import OutboxReader
from pipeline.ioc.ingest.parse import BadEventError, from_kafka, from_outbox
from pipeline.ioc.ingest.writer import Batch, Letter, Writer, move_cameras
from pipeline.ioc.store import Database, open_database
from pipeline.ioc.store.act import Act
from pipeline.ioc.store.models import (
    CameraState,
    Case,
    CaseEvent,
    DeadLetter,
    Flow,
    Health,
    HourCount,
    Position,
)
from tests.events import examples
from tests.ioc.acts import AREAS, candidates, kafka_record, parsed, with_data


def count(database: Database, table: Any) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def cases(database: Database) -> list[Case]:
    with database.read() as session:
        return list(session.scalars(select(Case).order_by(Case.at_ms)))


def hour_counts(database: Database) -> dict[str, int]:
    with database.read() as session:
        rows = session.execute(select(HourCount.type, func.sum(HourCount.count)).group_by(HourCount.type))
        return {kind: int(total) for kind, total in rows}


def test_every_type_finds_its_place_once_however_often_it_comes(database: Database) -> None:
    writer = Writer(database, AREAS)
    events = [
        parsed(event)
        for event in (
            examples.candidate(),
            examples.incident(track_id=18),
            examples.incomplete(track_id=19),
            examples.flow(),
            examples.health(),
        )
    ]
    assert len(writer.write(Batch(events)).new) == 3
    assert writer.write(Batch(events[::-1] + events)).new == []
    assert {case.type: case.state for case in cases(database)} == {
        "violation.candidate": "open",
        "security.incident": "open",
        "violation.incomplete": "incomplete",
    }
    assert count(database, Flow) == 1
    assert hour_counts(database) == {
        "violation.candidate": 1,
        "security.incident": 1,
        "violation.incomplete": 1,
    }
    with database.read() as session:
        camera = session.get_one(CameraState, "cam-1")
        assert (camera.state, camera.area) == ("up", "tayninh/hoathanh")
        assert session.get_one(CaseEvent, examples.candidate().id).data["rule"] == "red_light"
    assert writer.totals.repeated == 10


def test_a_record_that_becomes_whole_takes_the_place_of_the_incomplete_one(database: Database) -> None:
    writer = Writer(database, AREAS)
    writer.write(Batch([parsed(examples.incomplete())]))
    writer.write(Batch([parsed(examples.candidate())]))
    writer.write(Batch([parsed(examples.incomplete())]))
    (case,) = cases(database)
    assert (case.type, case.state, case.plate) == ("violation.candidate", "open", "59P231316")
    counts = {kind: total for kind, total in hour_counts(database).items() if total}
    assert counts == {"violation.candidate": 1}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", ["ci", "ic", "cic", "ici", "i"])
def test_a_whole_record_stays_whole_in_one_batch_as_in_several(
    database: Database, order: str, together: bool
) -> None:
    made = {"c": parsed(examples.candidate()), "i": parsed(examples.incomplete())}
    events = [made[kind] for kind in order]
    for batch in [events] if together else [[event] for event in events]:
        Writer(database, AREAS).write(Batch(batch))
    (case,) = cases(database)
    kind = "violation.candidate" if "c" in order else "violation.incomplete"
    assert (case.type, case.state) == (kind, "open" if "c" in order else "incomplete")
    assert {kind: total for kind, total in hour_counts(database).items() if total} == {kind: 1}


def test_acts_of_rules_on_trial_are_not_taken_in(database: Database) -> None:
    Writer(database, AREAS).write(Batch([parsed(with_data(examples.candidate(), shadow=True))]))
    assert cases(database) == []


def test_an_older_state_does_not_replace_a_newer_one(database: Database) -> None:
    writer = Writer(database, AREAS)
    writer.write(Batch([parsed(examples.health(since_s=examples.START_S + 60, state="down"))]))
    writer.write(Batch([parsed(examples.health(state="up"))]))
    with database.read() as session:
        assert session.get_one(CameraState, "cam-1").state == "down"


def test_a_complaint_within_a_state_comes_and_goes_and_the_state_keeps_its_age(database: Database) -> None:
    writer = Writer(database, AREAS)
    for told_s, reason in ((0, ""), (600, "its clock is 5.3 s ahead"), (900, "")):
        told = examples.health(told_s=examples.START_S + told_s, reason=reason)
        writer.write(Batch([parsed(told)]))
        with database.read() as session:
            camera = session.get_one(CameraState, "cam-1")
            assert (camera.state, camera.reason) == ("up", reason)
            assert camera.since_ms == round(examples.START_S * 1000)
            assert camera.seen_ms == round((examples.START_S + told_s) * 1000)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", ["ab", "aba", "ba", "abab"])
def test_of_reports_within_a_state_the_newest_made_is_told_in_whatever_order_they_come(
    database: Database, order: str, together: bool
) -> None:
    """They are of one age of the state; the older one comes late, or once more."""
    start_s = examples.START_S
    made = {
        "a": parsed(examples.health(told_s=start_s + 10, reason="its clock is 6.0 s ahead")),
        "b": parsed(examples.health(told_s=start_s + 60)),
    }
    events = [made[kind] for kind in order]
    for batch in [events] if together else [[event] for event in events]:
        Writer(database, AREAS).write(Batch(batch))
    with database.read() as session:
        camera = session.get_one(CameraState, "cam-1")
        assert (camera.state, camera.reason) == ("up", "")
        assert (camera.since_ms, camera.seen_ms) == (round(start_s * 1000), round((start_s + 60) * 1000))
    assert count(database, Health) == 2


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("ids", ["abc", "cba", "bca", "aba"])
def test_of_reports_of_one_moment_the_last_to_arrive_is_told(
    database: Database, ids: str, together: bool
) -> None:
    report = examples.health(state="down")
    events = [parsed(replace(with_data(report, reason=f"reason {id_}"), id=id_)) for id_ in ids]
    # An older one that arrives last, as another worker may send it, changes nothing; nor does an act.
    older = examples.health(since_s=examples.START_S - 60, state="up")
    events += [parsed(older), parsed(examples.candidate(at_s=examples.START_S + 5))]
    for batch in [events] if together else [[event] for event in events]:
        Writer(database, AREAS).write(Batch(batch))
    with database.read() as session:
        camera = session.get_one(CameraState, "cam-1")
        assert (camera.state, camera.reason) == ("down", f"reason {ids[-1]}")
    assert count(database, Health) == len(set(ids)) + 1


def test_cameras_and_their_cases_follow_the_configuration(database: Database) -> None:
    Writer(database, AREAS).write(Batch(candidates(2)))
    moved = AreaTree(AreaSettings(id="tayninh", name="Tây Ninh"))
    assert move_cameras(database, moved) == 1
    assert {case.area for case in cases(database)} == {"tayninh"}
    assert move_cameras(database, moved) == 0


def test_what_is_no_event_is_kept_apart_with_the_reason_and_once(database: Database) -> None:
    writer = Writer(database, AREAS)
    letters = [Letter("topic/0/7", "its id is none", "\x00<script>\ud800" + "x" * 100_000)]
    writer.write(Batch(letters=letters))
    writer.write(Batch(letters=letters))
    assert writer.totals.dead_letters == 1
    with database.read() as session:
        (letter,) = session.scalars(select(DeadLetter))
        assert letter.reason == "its id is none"
        assert len(letter.body) == 65_536


@pytest.mark.parametrize("at", [{0}, {3, 17, 18}, set(range(20))])
def test_what_the_database_refuses_is_a_dead_letter_and_holds_nothing_up(
    database: Database, at: set[int]
) -> None:
    # A number that fits no column: SQLite's driver refuses it, PostgreSQL itself.
    events = [replace(one, at_ms=2**70) if n in at else one for n, one in enumerate(candidates(20))]
    writer = Writer(database, AREAS)
    written = writer.write(Batch(events, [Letter("topic/0/7", "no event", "")], ("outbox", "id", 20)))
    assert len(written.new) == 20 - len(at)
    assert {letter.origin.split()[1] for letter in written.refused} == {events[n].id for n in at}
    assert writer.write(Batch(events)).new == []  # all of it once more
    with database.read() as session:
        letters = {letter.origin: letter for letter in session.scalars(select(DeadLetter))}
        assert len(letters) == len(at) + 1
        for letter in written.refused:
            assert letters[letter.origin].reason.startswith("the database does not take it: ")
            assert events[0].data[-100:] in letters[letter.origin].body
        assert session.get_one(Position, "outbox").seq == 20
    assert count(database, CaseEvent) == 20 - len(at)


@pytest.mark.parametrize("number", ["1e-200000", "1" + "0" * 4000])
def test_numbers_at_the_edge_are_kept_or_told(database: Database, number: str) -> None:
    body = examples.candidate().to_json().replace('"red_since_s":4.25', f'"red_since_s":{number}')
    assert number in body
    Writer(database, AREAS).write(Batch([from_outbox(body)]))
    assert count(database, Case) + count(database, DeadLetter) == 1
    with database.read() as session:
        for kept in session.scalars(select(CaseEvent)):
            json.dumps(Act.model_validate(kept.data).model_dump(mode="json"), allow_nan=False)


ITEM = {"role": "at", "file": "at.jpg", "media_type": "image/jpeg", "size_bytes": 1, "sha256": "ab" * 32}
MOMENTS = examples.candidate().data["moments"]


def at(moment: str) -> dict[str, Any]:
    return {**MOMENTS["at"], "captured_at": moment}


BAD: dict[str, Any] = {
    "no camera": {"camera": None},
    "a path out of the bundle": {"evidence": {"bundle": "../../etc"}},
    "an absolute path": {"evidence": {"bundle": "/etc"}},
    "a file that is none": {
        "evidence": {
            "items": [
                {
                    "role": "at",
                    "file": "../x",
                    "media_type": "image/jpeg",
                    "size_bytes": 1,
                    "sha256": "ab" * 32,
                }
            ]
        }
    },
    "a media type that is none": {
        "evidence": {
            "items": [
                {
                    "role": "at",
                    "file": "x",
                    "media_type": "text/html\r\nX: 1",
                    "size_bytes": 1,
                    "sha256": "ab" * 32,
                }
            ]
        }
    },
    "a rule with a tag": {"rule": "<img src=x>"},
    "a name without end": {"camera": {"id": "cam-1", "name": "x" * 10_000, "place": ""}},
    "a confidence over one": {"confidence": 7},
    "NaN": {"confidence": float("nan")},
    "endless, and in what nobody reads": {"later": [float("inf")]},
    "seen at the end of the calendar": {"moments": {**MOMENTS, "before": at("9999-12-31T23:59:59.999Z")}},
    "seen before its beginning": {"moments": {**MOMENTS, "after": at("0001-01-01T00:00:00+14:00")}},
    "a still of another age": {
        "evidence": {"items": [{**ITEM, "captured_at": "9999-12-31T23:59:59Z"}]},
    },
    "a NUL": {"facts": {"a": "\x00"}},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_bad_data_are_refused_with_a_reason(fields: dict[str, Any]) -> None:
    content = json.loads(examples.candidate().to_json())
    content["data"] |= fields
    with pytest.raises(BadEventError) as raised:
        from_outbox(json.dumps(content))
    assert 5 < len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ({}, None),
        ({}, b""),
        ({}, b"\xff\xfe"),
        ({}, b"[" * 100_000),
        ({}, b"[1]"),
        ({"ce_id": b"a"}, b'{"a": 1e400}'),
        ({"ce_id": b"a"}, b'{"a": 1' + b"0" * 5000 + b"}"),
        ({"ce_id": b"a"}, b'{"a": "\\ud800"}'),
        ({}, b'{"id": "a", "type": "x", "time": "2026-01-01T00:00:00Z", "data": {}}'),
        ({"ce_id": b"../a"}, b"{}"),
        ({"ce_id": b"a", "ce_type": b"traffic.flow", "ce_time": b"never"}, b"{}"),
        ({"ce_id": b"a", "ce_type": b"traffic.flow", "ce_time": b"0001-01-01T00:00:00Z"}, b"{}"),
        ({"ce_id": b"a"}, b'"' + b"x" * 1_100_000 + b'"'),
    ],
)
def test_records_that_are_no_events_are_refused(headers: dict[str, bytes], value: bytes | None) -> None:
    with pytest.raises(BadEventError):
        from_kafka(headers, value)


def test_a_header_without_a_value_is_as_if_it_were_not_there() -> None:
    headers, value = kafka_record(examples.candidate())
    assert from_kafka({**headers, "traceparent": None}, value) == from_kafka(headers, value)
    with pytest.raises(BadEventError, match="its type None is not known"):
        from_kafka({**headers, "ce_type": None}, value)


def test_a_fault_of_ours_in_examining_a_record_is_told_of_that_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(text: str) -> Any:
        raise error

    headers, value = kafka_record(examples.candidate())
    monkeypatch.setattr(parse, "_json", fails)
    error: Exception = KeyError("nobody foresaw it")
    for examine in (lambda: from_kafka(headers, value), lambda: from_outbox("{}")):
        with pytest.raises(BadEventError, match="it cannot be examined: KeyError"):
            examine()
    error = MemoryError()  # the machine's, not the record's
    with pytest.raises(MemoryError):
        from_kafka(headers, value)


def test_a_record_of_kafka_is_the_same_event_as_the_outbox_has() -> None:
    for event in (examples.candidate(), examples.incident(), examples.flow(), examples.health()):
        record, row = from_kafka(*kafka_record(event)), parsed(event)
        assert json.loads(record.data) == json.loads(row.data)
        assert replace(record, data=row.data) == row


def test_an_outbox_is_read_once_beside_its_worker_and_from_the_start_when_it_is_new(
    database: Database, tmp_path: Path
) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    for track in range(5):
        outbox.put(examples.candidate(track_id=track))
    outbox.put(with_data(examples.candidate(track_id=77), shadow=True))
    writer = Writer(database, AREAS)
    assert OutboxReader(tmp_path, database).step(writer) == 5
    outbox.put(examples.candidate(track_id=5))
    reader = OutboxReader(tmp_path, database)  # a new one goes on where the old one was
    assert reader.step(writer) == 1
    assert reader.step(writer) == 0
    assert outbox.count() == 6  # nothing was taken away
    outbox.close()
    for path in tmp_path.glob("outbox.db*"):
        path.unlink()
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.put(examples.candidate(track_id=6))
    assert reader.step(writer) == 1
    assert len(cases(database)) == 7
    outbox.close()


def test_a_database_opens_again_with_what_it_held(settings: Any) -> None:
    first = open_database(settings)
    Writer(first, AREAS).write(Batch(candidates(3)))
    first.close()
    second = open_database(settings)
    assert len(cases(second)) == 3
    second.close()

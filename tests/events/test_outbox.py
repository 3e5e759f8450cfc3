"""The outbox keeps what it promised, in order, within its bound, on a disk that is anything but kind."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import OutboxSettings
from pipeline.events.errors import OutboxError, OutboxFull
from pipeline.events.event import Event, EventType
from pipeline.events.outbox import Outbox, Put
from pipeline.events.read import read_events, read_set_aside, send_again
from tests.events.examples import START_S, candidate, flow, health, padded


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite")
    yield box
    box.close()


def ids(events: list[Event]) -> list[str]:
    return [event.id for event in events]


def test_events_outlive_the_process_that_put_them(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.sqlite")
    first.put(candidate())
    # No close: as after a crash.
    second = Outbox(tmp_path / "outbox.sqlite")
    assert second.batch(10) == [candidate()]
    assert second.oldest_age_s() > 0


def test_every_put_is_flushed_to_the_disk(outbox: Outbox, tmp_path: Path) -> None:
    # PRAGMA synchronous belongs to the connection: ask the one that writes.
    assert outbox._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    with sqlite3.connect(tmp_path / "outbox.sqlite") as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1


def test_repeat_is_recognised_while_it_waits_and_after_it_was_sent(outbox: Outbox) -> None:
    assert outbox.put(candidate()) is Put.STORED
    assert outbox.put(candidate()) is Put.REPEATED
    outbox.acknowledge([candidate().id])
    assert outbox.put(candidate()) is Put.REPEATED
    assert outbox.count() == 0
    outbox.put(flow())
    outbox.set_aside(flow().id, "too large")
    assert outbox.put(flow()) is Put.REPEATED
    assert (outbox.count(), outbox.set_aside_count()) == (0, 1)


def test_violations_go_first_and_each_type_keeps_its_order(outbox: Outbox) -> None:
    flows = [flow(start_s=START_S + 60 * minute) for minute in range(3)]
    states = [health(since_s=START_S + second) for second in range(2)]
    acts = [candidate(track_id=track) for track in (9, 3, 5)]
    for event in (flows[0], states[0], acts[0], flows[1], acts[1], states[1], acts[2], flows[2]):
        outbox.put(event)
    assert ids(outbox.batch(100)) == ids([*acts, *states, *flows])
    assert ids(outbox.batch(2)) == ids(acts[:2])


def test_hit_without_event_is_left_over_and_the_event_takes_it_out(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.sqlite")
    finished, killed = candidate(track_id=1), candidate(track_id=2)
    box.journal(finished)
    box.journal(killed)
    box.put(finished)
    again = Outbox(tmp_path / "outbox.sqlite")
    assert again.leftover_hits() == [killed]
    again.put(killed)
    assert again.leftover_hits() == []
    # A hit that was told of already is not journaled again.
    again.journal(finished)
    assert again.leftover_hits() == []


def test_full_outbox_refuses_flow_then_health_then_violations(tmp_path: Path) -> None:
    used = 0
    settings = OutboxSettings(max_megabytes=2, max_disk_share=1, reserve_share=0.4)
    box = Outbox(tmp_path / "outbox.sqlite", settings, extra_bytes=lambda: used)
    box.put(health("cam-1"))
    number = 0
    refusals: list[tuple[EventType, str]] = []

    def accepted() -> list[EventType]:
        nonlocal number
        number += 1
        events = (
            candidate(track_id=number),
            health("cam-new", since_s=START_S + number),
            flow(start_s=START_S + 60 * number),
        )
        taken = []
        for event in events:
            try:
                box.put(event)
                taken.append(event.type)
            except OutboxFull as error:
                refusals.append((event.type, str(error)))
        box.acknowledge(ids([event for event in events if event.key == "cam-new"]))
        return taken

    assert accepted() == [EventType.VIOLATION, EventType.HEALTH, EventType.FLOW]
    used = 1_250_000
    assert accepted() == [EventType.VIOLATION, EventType.HEALTH]
    used = 1_650_000
    assert accepted() == [EventType.VIOLATION]
    # The newest state of a camera replaces the one that waits.
    box.put(health("cam-1", since_s=START_S + 99, state="down"))
    waiting = [event for event in box.batch(9) if event.type is EventType.HEALTH and event.key == "cam-1"]
    assert [event.data["state"] for event in waiting] == ["down"]
    used = 2_000_000
    assert accepted() == []
    refused = {kind: count for kind, count in box.refused().items() if count}
    assert refused == {EventType.VIOLATION: 1, EventType.HEALTH: 2, EventType.FLOW: 3}
    assert all(f"{event_type} is refused" in message for event_type, message in refusals)
    used = 0
    assert accepted() == [EventType.VIOLATION, EventType.HEALTH, EventType.FLOW]


def test_bound_counts_the_outbox_itself(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.sqlite", OutboxSettings(max_megabytes=1, max_disk_share=1))
    put: list[str] = []

    def fill() -> None:
        for track in range(100):
            event = padded(candidate(track_id=track), 50_000)
            box.put(event)
            put.append(event.id)

    with pytest.raises(OutboxFull, match="is full"):
        fill()
    assert 15 <= len(put) <= 20
    assert 0.8e6 < box.bytes() <= box.limit_bytes() == 1e6
    assert sum(part.stat().st_size for part in tmp_path.iterdir()) < 4e6
    box.acknowledge(put)
    assert box.bytes() < 0.2e6
    assert box.put(candidate()) is Put.STORED


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[None]:
    """A file system of its own, which can truly be full or read-only."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    result = subprocess.run(mount, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        message = f"needs the right to mount: {result.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill_disk(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 512):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    assert shutil.disk_usage(ballast.parent).free == 0


def test_full_disk_refuses_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "4m"):
        box = Outbox(disk / "outbox.sqlite", OutboxSettings(max_disk_share=1))
        put = [candidate(track_id=track) for track in range(3)]
        for event in put:
            box.put(event)
        ballast = disk / "ballast"
        fill_disk(ballast)
        for event in (flow(), padded(candidate(track_id=99), 300_000)):
            with pytest.raises(OutboxFull):
                box.put(event)
        with pytest.raises(OutboxFull, match="disk is full"):
            box.journal(padded(candidate(track_id=98), 2_000_000))
        assert ids(box.batch(10)) == ids(put)
        # Another process finds the outbox whole, full disk or not.
        assert ids(list(read_events(disk / "outbox.sqlite"))) == ids(put)
        ballast.unlink()
        assert box.put(flow()) is Put.STORED
        box.acknowledge(ids(put))
        assert ids(box.batch(10)) == [flow().id]
        box.close()


def test_read_only_disk_is_said_and_survived(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "4m"):
        path = disk / "outbox.sqlite"
        box = Outbox(path)
        box.put(candidate())
        box.close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OutboxError, match=r"outbox\.sqlite.*[Rr]ead-only"):
            Outbox(path)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert Outbox(path).batch(9) == [candidate()]


@pytest.mark.parametrize("damage", ["garbage", "half", "middle"])
def test_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path)
    for track in range(50):
        box.put(padded(candidate(track_id=track), 4000))
    box.close()
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        content = bytearray(os.urandom(20_000))
    elif damage == "half":
        del content[len(content) // 2 :]
    else:
        content[8192 : len(content) - 4096] = b"\xff" * (len(content) - 12288)
    path.write_bytes(content)
    new = Outbox(path)
    assert (new.count(), new.put(candidate())) == (0, Put.STORED)
    (aside,) = tmp_path.glob("outbox.sqlite.damaged-*")
    assert aside.read_bytes() == bytes(content)


def test_damaged_row_does_not_stop_the_others(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path)
    for track in range(3):
        box.put(candidate(track_id=track))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE events SET body = substr(body, 1, 40) WHERE seq = 2")
        db.execute("INSERT INTO hits VALUES ('damaged', 0, '{}')")
    box.journal(candidate(track_id=7))
    assert box.leftover_hits() == [candidate(track_id=7)]
    assert len(list(read_events(path))) == 2
    assert len(box.batch(10)) == 2
    assert (box.count(), box.set_aside_count()) == (2, 1)


@pytest.mark.parametrize(
    ("was", "flipped"),
    [
        (b'"data"', b'"dqta"'),
        (b"red_light", b"red\xdflight"),
        (b'"time_ms":178', b'"time_ms":9e18,"":178'),
        (b'"id":"', b'"id":"q'),
    ],
    ids=["no event", "no UTF-8", "no date", "another event"],
)
def test_flipped_bits_cost_one_event_whatever_they_hit(tmp_path: Path, was: bytes, flipped: bytes) -> None:
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path)
    for track in range(3):
        box.put(candidate(track_id=track))
        box.journal(candidate(track_id=10 + track))
    for table, row in (("events", candidate(track_id=1)), ("hits", candidate(track_id=11))):
        body = row.to_json().encode()
        assert was in body
        query = f"UPDATE {table} SET body = CAST(? AS TEXT) WHERE id = ?"
        box._db.execute(query, (body.replace(was, flipped, 1), row.id))
    assert next(iter(read_events(path))).id == candidate(track_id=0).id
    assert ids(box.batch(10)) == [candidate(track_id=0).id, candidate(track_id=2).id]
    assert (box.count(), box.set_aside_count()) == (2, 1)
    (aside,) = read_set_aside(path)
    assert aside.id == candidate(track_id=1).id
    assert aside.reason.startswith("cannot be read any more")
    assert len(box.leftover_hits()) >= 2


@pytest.mark.parametrize("flip", [0x80, 0x01], ids=["no UTF-8", "another letter"])
@pytest.mark.parametrize("spoilt", ["id", "id in its index", "id in both", "type"])
def test_flipped_bits_of_id_and_type_cost_one_event_and_stop_no_other(
    tmp_path: Path, spoilt: str, flip: int
) -> None:
    """Flipped in the file itself: what an UPDATE spoils, it spoils in the index as well."""
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path)
    events = [candidate(track_id=track) for track in range(4)]
    for event in events:
        box.put(event)
    box.close()
    raw = bytearray(path.read_bytes())
    event_id = events[1].id.encode()
    in_index = raw.index(event_id)
    in_row = raw.index(event_id + b"violation.candidate")
    places = {
        "id": [in_row],
        "id in its index": [in_index],
        "id in both": [in_index, in_row],
        "type": [in_row + len(event_id)],
    }
    assert in_index < in_row
    for place in places[spoilt]:
        raw[place + 4] ^= flip
    path.write_bytes(raw)

    box = Outbox(path)
    sent: list[str] = []
    for _ in range(3):
        batch = ids(box.batch(10))
        sent += batch
        box.acknowledge(batch)
    assert box.count() == 0
    assert [each for each in sent if each != events[1].id] == [e.id for e in events if e != events[1]]
    aside = spoilt in ("id", "id in both")
    assert (sent.count(events[1].id), box.set_aside_count()) == ((0, 1) if aside else (1, 0))
    assert all(box.is_done(each) for each in sent)
    assert [box.put(event) for event in (events[0], events[2])] == [Put.REPEATED, Put.REPEATED]
    assert box.put(candidate(track_id=9)) is Put.STORED
    box.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_was_never_put_is_neither_sent_nor_set_aside(outbox: Outbox) -> None:
    outbox.put(candidate())
    outbox.acknowledge(["nobody"])
    outbox.set_aside("nobody", "too large")
    assert (outbox.count(), outbox.set_aside_count(), outbox.knows("nobody")) == (1, 0, False)


def test_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    Outbox(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    before = path.read_bytes()
    with pytest.raises(OutboxError, match=r"newer version \(7\)"):
        Outbox(path)
    with pytest.raises(OutboxError, match=r"newer version \(7\)"):
        list(read_events(path))
    assert path.read_bytes() == before


def test_many_threads_put_and_take(outbox: Outbox) -> None:
    taken: list[str] = []
    done = threading.Event()

    def put(first: int) -> None:
        for track in range(first, first + 40):
            outbox.put(candidate(f"cam-{first}", track_id=track))

    def take() -> None:
        while not done.is_set() or outbox.count():
            some = ids(outbox.batch(7))
            outbox.acknowledge(some)
            taken.extend(some)

    putters = [threading.Thread(target=put, args=(100 * number,)) for number in range(4)]
    taker = threading.Thread(target=take)
    for thread in (*putters, taker):
        thread.start()
    for thread in putters:
        thread.join()
    done.set()
    taker.join()
    assert len(taken) == len(set(taken)) == 160


def test_reader_follows_while_the_worker_writes(outbox: Outbox, tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox.put(flow())
    outbox.put(candidate(track_id=0))
    stop = threading.Event()
    seen: list[str] = []

    def follow() -> None:
        for event in read_events(path, only=EventType.VIOLATION, follow=True, stop=stop, poll_s=0.02):
            seen.append(event.id)
            if len(seen) == 21:
                stop.set()

    reader = threading.Thread(target=follow)
    reader.start()
    for track in range(1, 21):
        outbox.put(candidate(track_id=track))
    reader.join(10)
    stop.set()
    assert seen == [candidate(track_id=track).id for track in range(21)]
    assert ids(list(read_events(path)))[:2] == [flow().id, seen[0]]


def test_reader_shows_what_was_set_aside_and_names_a_missing_outbox(outbox: Outbox, tmp_path: Path) -> None:
    outbox.put(candidate())
    outbox.set_aside(candidate().id, "too large")
    (aside,) = read_set_aside(tmp_path / "outbox.sqlite")
    assert (Event.from_json(aside.body), aside.reason) == (candidate(), "too large")
    with pytest.raises(OutboxError, match="there is no outbox at"):
        list(read_events(tmp_path / "none.sqlite"))


def test_what_was_set_aside_is_sent_again_beside_the_worker_but_no_old_state(
    outbox: Outbox, tmp_path: Path
) -> None:
    path = tmp_path / "outbox.sqlite"
    acts = [candidate(track_id=track) for track in range(4)]
    state = health()
    for event in (*acts[:3], state):
        outbox.put(event)
        outbox.set_aside(event.id, "refused")
    damaged = acts[1].to_json().encode().replace(b"red_light", b"red\xdflight")
    outbox._db.execute("UPDATE refused SET body = CAST(? AS TEXT) WHERE id = ?", (damaged, acts[1].id))
    outbox.put(acts[3])
    assert send_again(path) == 2
    assert outbox.batch(9) == [acts[3], acts[0], acts[2]]
    assert [aside.id for aside in read_set_aside(path)] == [acts[1].id, state.id]
    outbox.acknowledge([acts[0].id])
    assert outbox.is_done(acts[0].id)
    assert send_again(path) == 0
    with pytest.raises(OutboxError, match="there is no outbox at"):
        send_again(tmp_path / "none.sqlite")


def test_same_id_with_other_body_keeps_the_first(outbox: Outbox) -> None:
    outbox.put(candidate())
    assert outbox.put(replace(candidate(), subject="other")) is Put.REPEATED
    assert outbox.batch(9) == [candidate()]

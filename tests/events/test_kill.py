"""Kill -9 while events flow: what was finished before is in Kafka afterwards."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pipeline.events.kafka_sink import KafkaSink
from pipeline.events.outbox import Outbox
from pipeline.events.publisher import Publisher
from tests.events.examples import kafka_settings, read_topic
from tests.waiting import wait_for

KILLS = 10


@pytest.mark.slow
def test_every_finished_event_arrives_after_ten_kills(kafka_broker: str, tmp_path: Path) -> None:
    settings = kafka_settings(kafka_broker)
    names = (settings.violations_topic, settings.flow_topic, settings.cameras_topic)
    path, notes = tmp_path / "outbox.sqlite", tmp_path / "notes"
    notes.touch()
    seed = time.time_ns()
    moments = random.Random(seed)
    for _ in range(KILLS):
        size = notes.stat().st_size
        command = [sys.executable, "-W", "ignore", "-m", "tests.events.putter"]
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, str(path), str(notes), kafka_broker, *names], stdout=log, stderr=log
            )
        assert wait_for(lambda before=size: notes.stat().st_size > before, 30), (tmp_path / "log").read_text()
        time.sleep(moments.uniform(0.0, 0.8))
        assert process.poll() is None, (tmp_path / "log").read_text()
        process.kill()
        process.wait()
    lines = notes.read_text().splitlines()
    finished = {line.removeprefix("put ") for line in lines if line.startswith("put ")}
    journaled = {line.removeprefix("journal ") for line in lines if line.startswith("journal ")}

    outbox = Outbox(path)
    leftovers = outbox.leftover_hits()
    for event in leftovers:
        outbox.put(event)
    waiting = outbox.count()
    publisher = Publisher(outbox, KafkaSink(settings))
    publisher.start()
    assert wait_for(lambda: outbox.count() == 0, 60), publisher.state()
    publisher.close(5.0)
    records = [record for topic in names for record in read_topic(kafka_broker, topic)]
    arrived = Counter(dict(record.headers)["ce_id"].decode() for record in records)
    repeats = arrived.total() - len(arrived)
    print(
        f"seed {seed}: {KILLS} kills, {len(finished)} events finished, {len(journaled)} hits journaled, "
        f"{waiting} events and {len(leftovers)} hits waited after the last kill, "
        f"{len(arrived)} arrived, {repeats} repeats"
    )
    assert len(finished) > 100
    assert finished | journaled <= set(arrived)
    # Nothing arrives that nobody put: at most what each kill caught between the disk and the note.
    assert len(set(arrived) - finished - journaled) <= KILLS
    # A repeat is the same event under the same id.
    values: dict[str, bytes] = {}
    for record in records:
        assert values.setdefault(dict(record.headers)["ce_id"].decode(), record.value) == record.value

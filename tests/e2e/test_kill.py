"""kill -9 at random moments and a broker that goes away: what was finished arrives, once recognisable."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.harness import NGATU, box, consume, monitor, replayed
from tests.e2e.test_real_clips import ONCOMING, SCENES, turned
from tests.kafka_fixture import Broker

KILLS = int(os.environ.get("NGATU_KILLS", "4"))
BROKER_AWAY_S = float(os.environ.get("NGATU_BROKER_AWAY_S", "10"))


def known(data_dir: Path) -> dict[str, set[str]]:
    """Ids on disk, as another process finds them after the kill: table to ids."""
    path = data_dir / "outbox.db"
    if not path.exists():
        return {}
    with sqlite3.connect(path) as db:
        return {
            table: {row[0] for row in db.execute(f"SELECT id FROM {table}")}
            for table in ("events", "sent", "hits")
        }


def bundled(evidence: Path) -> set[str]:
    """Ids of the acts whose evidence is whole on disk."""
    return {path.parent.name for path in evidence.glob("*-*-*/*/*/manifest.json")}


def _more_than(count: int, evidence: Path) -> bool:
    return len(bundled(evidence)) > count


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_finished_is_lost(
    tmp_path: Path, video_dir: Path, yolox_path: Path, own_broker: Broker
) -> None:
    broker = own_broker.start()
    chance = random.Random(2026)
    with replayed(video_dir / f"{ONCOMING}.mp4") as urls:
        scene = str(turned(SCENES / f"{ONCOMING}.yaml", tmp_path))
        cameras = [
            {"id": f"gate-{n}", "detect": {"url": urls[ONCOMING]}, "scene": scene, "ring": {"seconds": 12}}
            for n in range(2)
        ]
        worker = box(tmp_path, yolox_path, cameras, broker, evidence={"before_s": 1, "after_s": 0.5})
        data_dir = tmp_path / "data"
        stored: set[str] = set()
        journalled: set[str] = set()
        away = threading.Thread(target=lambda: None)
        for kill in range(KILLS):
            if kill == KILLS // 2:
                away = threading.Thread(target=_away, args=(own_broker,))
                away.start()
            with worker.running() as process:
                monitor(process, "/healthz")
                if kill % 2:
                    there = len(bundled(worker.evidence))
                    process.wait_for(partial(_more_than, there, worker.evidence), 30, "one more bundle")
                    time.sleep(chance.uniform(0.0, 1.0))
                else:
                    time.sleep(chance.uniform(1.0, 7.0))
                process.kill()
            now = known(data_dir)
            stored |= now.get("events", set()) | now.get("sent", set())
            journalled |= now.get("hits", set())
        away.join()
        bundles = bundled(worker.evidence)
        with worker.running() as process:
            process.wait_for(lambda: not known(data_dir)["hits"], 20, "recovery of the journal")
            time.sleep(5)
            assert process.terminate() < 10
    kafka = worker.config["kafka"]
    arrived = consume(broker, [kafka[f"{kind}_topic"] for kind in ("violations", "flow", "cameras")], 4)
    times = Counter(event_id for event_id, _, _ in arrived)
    left = known(data_dir)["events"]
    whole = subprocess.run(
        [*NGATU, "verify", str(worker.evidence)], capture_output=True, text=True, check=False
    )
    recovered = [d for _, _, d in arrived if "evidence" in d and not d["evidence"]["items"]]
    print(
        f"\nkills {KILLS}, broker away {BROKER_AWAY_S:g} s: stored before a kill {len(stored)}, "
        f"in Kafka {len(times)} ids in {len(arrived)} messages, lost {len(stored - set(times) - left)}, "
        f"sent twice {sum(count > 1 for count in times.values())}, "
        f"hits interrupted while filming {len(journalled)} (published bare: {len(recovered)}), "
        f"bundles {len(bundles)}, all whole: {whole.returncode == 0}"
    )
    assert len(bundles) >= KILLS / 2
    assert stored - set(times) - left == set()
    assert bundles <= set(times) | left
    assert journalled <= set(times) | left
    assert not {event_id for event_id in left if event_id in bundles}
    assert whole.returncode == 0, whole.stdout
    for event_id, count in times.items():
        if count > 1:
            same = [data for other, _, data in arrived if other == event_id]
            assert all(data == same[0] for data in same)


def _away(broker: Broker) -> None:
    broker.stop()
    time.sleep(BROKER_AWAY_S)
    broker.start()

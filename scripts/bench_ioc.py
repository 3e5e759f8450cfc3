"""What the IOC's store takes and gives: events a second in, and how long its lists take.

.venv/bin/python scripts/bench_ioc.py [--events N] [--fill N] [--postgres]

`--fill` copies cases in the database itself until there are so many, before lists are timed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from pipeline.ioc.config import AreaSettings, AreaTree, DatabaseSettings, ReviewSettings
from pipeline.ioc.desk import Desk, Filter
from pipeline.ioc.ingest.parse import from_outbox
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.ioc.people import Person
from pipeline.ioc.store import open_database
from tests.events import examples

BATCH = 500
DAY_MS = 86_400_000
FILL = """
INSERT INTO cases (id, type, rule, camera, place, area, worker, at_ms, received_ms, road_user, plate,
                   confidence, state, claimed_until_ms)
SELECT c.id || '-' || n, c.type, c.rule, 'cam-' || (n % 200), c.place,
       'tayninh/' || CASE n % 4 WHEN 0 THEN 'hoathanh' ELSE 'trangbang' END, c.worker,
       c.at_ms - n * 997, c.received_ms - n * 997, c.road_user,
       '59P2' || (10000 + (c.at_ms / 1000 + n) % 90000), c.confidence,
       CASE WHEN n % 1000 = 0 THEN 'open' ELSE 'confirmed' END, 0
FROM cases c, {numbers}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--fill", type=int, default=200_000)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not options.postgres:
            bench(DatabaseSettings(path=Path(folder) / "ioc.sqlite"), options.events, options.fill)
            return
        script = Path(__file__).with_name("postgres")
        place = ["--dir", f"{tempfile.gettempdir()}/ngatu-bench-postgres"]
        url = subprocess.run(
            [script, "start", *place, "--port", "0"], check=True, capture_output=True, text=True
        ).stdout.strip()
        try:
            bench(DatabaseSettings(url=url, username="ngatu"), options.events, options.fill)
        finally:
            subprocess.run([script, "stop", *place], check=True)
            subprocess.run(["rm", "-rf", place[1]], check=True)


def bench(settings: DatabaseSettings, events: int, fill: int) -> None:
    areas = AreaTree(
        AreaSettings(
            id="tayninh",
            name="Tây Ninh",
            areas=(
                AreaSettings(id="hoathanh", name="Hòa Thành"),
                AreaSettings(id="trangbang", name="Trảng Bàng"),
            ),
        )
    )
    database = open_database(settings)
    writer = Writer(database, areas)
    template = examples.candidate()
    now_s = time.time()
    bodies = [
        replace(template, id=f"case{n}", time=examples.candidate(at_s=now_s - n).time).to_json()
        for n in range(0, events)
    ]
    began = time.perf_counter()
    parsed = [from_outbox(body) for body in bodies]
    parse_s = time.perf_counter() - began
    began = time.perf_counter()
    for start in range(0, events, BATCH):
        writer.write(Batch(parsed[start : start + BATCH]))
    write_s = time.perf_counter() - began
    print(f"{database.engine.dialect.name}: {events} candidates")
    print(f"  parsed  {events / parse_s:8.0f} a second")
    print(f"  stored  {events / write_s:8.0f} a second, in batches of {BATCH}")
    began = time.perf_counter()
    for start in range(0, events, BATCH):
        writer.write(Batch(parsed[start : start + BATCH]))
    print(f"  repeats {events / (time.perf_counter() - began):8.0f} a second")
    copies = max(0, fill // events - 1)
    if copies:
        counted = f"SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < {copies}"
        numbers = f"(WITH RECURSIVE k(n) AS ({counted}) SELECT n FROM k) q"
        with database.write() as session:
            session.execute(text(FILL.format(numbers=numbers)))
            session.execute(text("ANALYZE"))
    with database.read() as session:
        total = session.scalar(text("SELECT count(*) FROM cases"))
    desk = Desk(database, areas, ReviewSettings())
    chief = Person(1, "chief", "Chief", "viewer", ("tayninh",), "vi", False, False, "")
    town = replace(chief, areas=("tayninh/hoathanh",))
    deep = None
    for _ in range(5):
        deep = desk.cases(chief, Filter(state="all"), deep).next
    print(f"  lists over {total} cases, median and worst of 20, ms:")
    for name, call in {
        "queue": lambda: desk.cases(chief, Filter()),
        "queue, oldest first": lambda: desk.cases(chief, Filter(oldest_first=True)),
        "queue of one town": lambda: desk.cases(town, Filter()),
        "all cases": lambda: desk.cases(chief, Filter(state="all")),
        "all cases, page 6": lambda: desk.cases(chief, Filter(state="all"), deep),
        "one town, all": lambda: desk.cases(town, Filter(state="all")),
        "one camera": lambda: desk.cases(chief, Filter(state="all", camera="cam-7")),
        "plate": lambda: desk.cases(chief, Filter(state="all", plate="59P2777")),
        "how many wait": lambda: desk.waiting(chief),
        "counts of a day": lambda: desk.counts(chief, round(now_s * 1000) - DAY_MS, round(now_s * 1000)),
    }.items():
        took = []
        for _ in range(20):
            began = time.perf_counter()
            call()
            took.append((time.perf_counter() - began) * 1000)
        print(f"    {name:22} {statistics.median(took):7.1f} {max(took):7.1f}")
    database.close()


if __name__ == "__main__":
    main()

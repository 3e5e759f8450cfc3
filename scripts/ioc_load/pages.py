"""How long each page's data take: `.venv/bin/python -m scripts.ioc_load.pages --cases 10000000`.

Cases, their events, decisions, audit log, traffic and all counters of a year at 200 cameras are made within
the database; then each query is timed on the desks themselves. `--sqlite` takes the embedded database.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from pipeline.ioc.config import AreaTree, DatabaseSettings, ReviewSettings
from pipeline.ioc.config.areas import AreaSettings
from pipeline.ioc.config.display import MapSettings
from pipeline.ioc.desk import Desk, Filter
from pipeline.ioc.desk.display import Display
from pipeline.ioc.desk.indicators import Indicators
from pipeline.ioc.desk.log import AuditLog, LogFilter
from pipeline.ioc.ingest.letters import DeadLetters
from pipeline.ioc.ingest.run import collect_rarely
from pipeline.ioc.people import Person
from pipeline.ioc.store import Database, open_database
from pipeline.ioc.store.counters import DAY_MS, HOUR_MS, day_of
from scripts.ioc_load.house import script

CAMERAS, RUNS, DAYS = 200, 40, 365
TOWNS = ("hoathanh", "trangbang", "govau", "tanbien", "tanchau")
RULES = (
    "red_light",
    "stop_line",
    "wrong_way",
    "wrong_lane",
    "solid_line",
    "u_turn",
    "illegal_stop",
    "speeding",
    "no_helmet",
    "pavement",
)
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'cases' AND indexname <> 'cases_pkey'"
# Busy hours, kinds and cameras are as uneven as in a town; what is older than ten days is mostly decided.
CASES = """
INSERT INTO cases (id, type, rule, camera, place, area, worker, at_ms, received_ms, road_user, plate,
                   confidence, state, claimed_until_ms)
SELECT 'c' || n, kind, CASE kind WHEN 'security.incident' THEN 'intrusion' ELSE {rule} END, 'cam-' || cam,
       'Ngã tư ' || cam, 'tayninh/' || {town}, 'edge-' || cam % 20, at, at + 9000,
       CASE n % 3 WHEN 0 THEN 'car' ELSE 'motorbike' END, '70F1' || (10000 + (n * 7919) % 90000), 0.9,
       CASE kind WHEN 'violation.incomplete' THEN 'incomplete' ELSE
           CASE WHEN at > {now} - 4 * 86400000 AND n % 2 = 0 THEN 'open' WHEN n % 4999 = 0 THEN 'second_look'
                WHEN n % 5 = 0 THEN 'rejected' ELSE 'confirmed' END END, 0
FROM (SELECT n, cam, {now} - 1000 - day * 86400000 - hour * 3600000 - (n * 7907) % 3600000 AS at,
             CASE WHEN n % 20 = 0 THEN 'security.incident' WHEN n % 9 = 0 THEN 'violation.incomplete'
                  ELSE 'violation.candidate' END AS kind
      FROM (SELECT n, (n * 104729) % 365 AS day, ((n * 15485863) % 24 * ((n * 7) % 24)) / 24 AS hour,
                   ((n * 32452843) % 200 * ((n * 11) % 200)) / 200 AS cam FROM {numbers}) a) b
"""
AUDIT = """
INSERT INTO audit (seq, at_ms, actor, action, subject, detail, hash)
SELECT n, {now} - ({most} - n) * 31536000, 'officer' || n % 60,
       CASE n % 4 WHEN 0 THEN 'case.claim' WHEN 1 THEN 'login.ok' ELSE 'case.decide' END, 'c' || n, '{{}}', ''
FROM {numbers}
"""
TRAFFIC = """
INSERT INTO {table} ({span}, camera, observed_ms, person, bicycle, motorbike, car, bus, truck, speed_sum,
                     speed_weight, level_ms, congested_ms)
SELECT {at} - h * {step}, 'cam-' || c, {step}, 9, 9, 900, 200, 9, 30, 38000, 1000, {step}, {step} / 9
FROM (SELECT n / 200 AS h, n % 200 AS c FROM {numbers}) q
"""
# In the order of time, as ingest and decisions write them.
COUNTS = (
    "INSERT INTO hour_counts SELECT at_ms / 3600000 * 3600000, rule, camera, type, count(*) FROM cases "
    "GROUP BY 1, 2, 3, 4 ORDER BY 1",
    "INSERT INTO day_counts SELECT {day}, rule, camera, type, count(*) FROM cases "
    "GROUP BY 1, 2, 3, 4 ORDER BY 1",
    "INSERT INTO review_days SELECT {day}, rule, camera, state, count(*) FROM cases "
    "WHERE state IN ('confirmed', 'rejected') GROUP BY 1, 2, 3, 4 ORDER BY 1",
    "INSERT INTO block_counts SELECT {block}, rule, camera, type, sum(count) FROM day_counts "
    "GROUP BY 1, 2, 3, 4",
    "INSERT INTO review_blocks SELECT {block}, rule, camera, state, sum(count) FROM review_days "
    "GROUP BY 1, 2, 3, 4",
    "INSERT INTO review_times SELECT {day}, area, at_ms % 97, count(*) FROM cases "
    "WHERE state IN ('confirmed', 'rejected') GROUP BY 1, 2, 3",
    "INSERT INTO review_time_blocks SELECT {block}, area, minutes, sum(count) FROM review_times "
    "GROUP BY 1, 2, 3",
    'INSERT INTO case_events SELECT id, \'{{"rule": "red_light"}}\' FROM cases',
    "INSERT INTO cameras (id, name, place, area, state, reason, since_ms, first_ms, seen_ms) "
    "SELECT camera, place, place, min(area), 'up', '', min(at_ms), min(at_ms), max(at_ms) FROM cases "
    "GROUP BY 1, 2, 3",
)
SUMS = "observed_ms person bicycle motorbike car bus truck speed_sum speed_weight level_ms congested_ms"
BLOCKS = (
    "INSERT INTO traffic_blocks (block_ms, camera, {names}) SELECT {block}, camera, {sums} FROM traffic_days "
    "GROUP BY 1, 2"
)
DAY = "(at_ms + 25200000) / 86400000 * 86400000 - 25200000"
BLOCK = "(day_ms + 25200000) / 1382400000 * 1382400000 - 25200000"


def main() -> None:
    """Fill a database, time the pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=10_000_000)
    parser.add_argument("--sqlite", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ngatu-pages-") as folder:
        if options.sqlite:
            measure(DatabaseSettings(path=Path(folder) / "ioc.sqlite"), options.cases)
            return
        Path(folder).chmod(0o755)  # PostgreSQL runs as an account of its own
        place = ("--dir", f"{folder}/postgres")
        url = script("postgres", "start", *place, "--port", "0")
        try:
            measure(DatabaseSettings(url=url, username="ngatu"), options.cases)
        finally:
            script("postgres", "stop", *place)


def measure(settings: DatabaseSettings, cases: int) -> None:
    """Fill, then print a table."""
    areas = AreaTree(
        AreaSettings.model_validate(
            {
                "id": "tayninh",
                "name": "Tây Ninh",
                "areas": [
                    {
                        "id": town,
                        "name": town,
                        "cameras": [f"cam-{n}" for n in range(at, CAMERAS, len(TOWNS))],
                    }
                    for at, town in enumerate(TOWNS)
                ],
            }
        )
    )
    database = open_database(settings)
    began = time.monotonic()
    fill(database, cases)
    print(
        f"{database.engine.dialect.name}: {cases} cases, filled in {time.monotonic() - began:.0f} s",
        flush=True,
    )
    collect_rarely()  # as the service does
    print("| data of | p50 ms | p95 ms |\n|---|---|---|")
    for name, call in queries(database, areas).items():
        took = []
        for _ in range(RUNS):
            start = time.perf_counter()
            call()
            took.append((time.perf_counter() - start) * 1000)
        print(
            f"| {name} | {statistics.median(took):.1f} | {statistics.quantiles(took, n=20)[-1]:.1f} |",
            flush=True,
        )
    database.close()


def fill(database: Database, cases: int) -> None:
    """A year of cases and all that is counted of them."""
    now = round(time.time() * 1000)
    rule = "CASE (n * 31) % 10 " + " ".join(f"WHEN {i} THEN '{r}'" for i, r in enumerate(RULES)) + " END"
    town = (
        f"CASE cam % {len(TOWNS)} " + " ".join(f"WHEN {i} THEN '{t}'" for i, t in enumerate(TOWNS)) + " END"
    )

    def numbers(most: int) -> str:
        if database.is_sqlite:
            more = f"SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < {most}"
            return f"(WITH RECURSIVE k(n) AS ({more}) SELECT n FROM k) numbers"
        return f"generate_series(1::bigint, {most}) AS numbers(n)"

    audit = cases // 20
    hour, day = now // HOUR_MS * HOUR_MS, day_of(now)
    spans = (("traffic_hours", "hour_ms", hour, HOUR_MS, 24), ("traffic_days", "day_ms", day, DAY_MS, 1))
    statements = [
        CASES.format(rule=rule, town=town, now=now, numbers=numbers(cases)),
        *(count.format(day=DAY, block=BLOCK) for count in COUNTS),
        AUDIT.format(now=now, most=audit, numbers=numbers(audit)),
        *(
            TRAFFIC.format(
                table=table, span=span, at=at, step=step, numbers=numbers(DAYS * per_day * CAMERAS - 1)
            )
            for table, span, at, step, per_day in spans
        ),
        BLOCKS.format(
            block=BLOCK,
            names=", ".join(SUMS.split()),
            sums=", ".join(f"sum({name})" for name in SUMS.split()),
        ),
    ]
    with database.write() as session:
        indexes = [] if database.is_sqlite else list(session.execute(text(INDEXES)))
        for name, _ in indexes:
            session.execute(text(f"DROP INDEX {name}"))
        if not database.is_sqlite:
            session.execute(text("SET LOCAL synchronous_commit = off"))
            session.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign keys meanwhile
            session.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
            session.execute(text("SET LOCAL work_mem = '256MB'"))
        for number, statement in enumerate(statements):
            began = time.monotonic()
            session.execute(text(statement.replace(":", "\\:") if database.is_sqlite else statement))
            print(f"  step {number + 1} of {len(statements)}: {time.monotonic() - began:.0f} s", flush=True)
        for _, definition in indexes:
            session.execute(text(definition.replace(":", "\\:")))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE"))


def queries(database: Database, areas: AreaTree) -> dict[str, Callable[[], Any]]:
    """Each page's calls, for the whole province and for a town."""
    desk, display = Desk(database, areas, ReviewSettings()), Display(database, areas, MapSettings())
    indicators, log, letters = (
        Indicators(database, areas),
        AuditLog(database, areas),
        DeadLetters(database, areas),
    )
    chief = Person(1, "chief", "Chief", "supervisor", ("tayninh",), "vi", False, False, "")
    town = Person(2, "town", "Town", "supervisor", ("tayninh/hoathanh",), "vi", False, False, "")
    now = round(time.time() * 1000)
    filters = {
        "": {},
        ", oldest first": {"oldest_first": True},
        ", one kind": {"rule": "speeding"},
        ", security": {"type": "security.incident"},
        ", one camera": {"camera": "cam-7"},
        ", one town": {"area": "tayninh/hoathanh"},
        ", plate": {"plate": "70F1123"},
        ", due in 8 days": {"days_left": 8},
        ", second look": {"state": "second_look"},
        ", all states": {"state": "all"},
        ", rejected": {"state": "rejected"},
        ", incomplete": {"state": "incomplete"},
        ", a month ago": {"state": "all", "from_ms": now - 31 * DAY_MS, "to_ms": now - 30 * DAY_MS},
        ", all of a plate": {"state": "all", "plate": "70F112345"},
        ", confirmed of a kind": {"state": "confirmed", "rule": "wrong_way"},
    }
    found: dict[str, Callable[[], Any]] = {}
    for who, person in (("", chief), (" (town's officer)", town)):
        for name, fields in filters.items():
            wanted = Filter(**fields)  # type: ignore[arg-type]
            found[f"review queue{name}{who}"] = lambda p=person, w=wanted: desk.cases(p, w)
        found[f"how many wait{who}"] = lambda p=person: desk.waiting(p)
        found[f"wall, not from memory{who}"] = lambda p=person: (display._kept.clear(), display.wall(p))
        for period, days in (("day", 1), ("month", 30), ("year", 365)):
            last = date.today()
            first = last - timedelta(days=days - 1)
            found[f"indicators, {period}{who}"] = lambda p=person, f=first: indicators.of(
                p, "", f, date.today()
            )
        found[f"audit log{who}"] = lambda p=person: log.entries(p, LogFilter())
        found[f"audit log, one person{who}"] = lambda p=person: log.entries(p, LogFilter(actor="officer7"))
        found[f"audit log, one action{who}"] = lambda p=person: log.entries(p, LogFilter(action="login"))
        found[f"audit log, a day{who}"] = lambda p=person: log.entries(
            p, LogFilter(from_ms=now - 30 * DAY_MS, to_ms=now - 29 * DAY_MS)
        )
    found["camera"] = lambda: display.camera(chief, "cam-7")
    found["dead letters"] = letters.page
    return found


if __name__ == "__main__":
    main()

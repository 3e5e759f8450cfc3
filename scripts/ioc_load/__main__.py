"""Try the IOC under load: `.venv/bin/python -m scripts.ioc_load rate kills outages drain`.

rate     1,000 events a second with a console open
kills    the same at half the rate while the whole service is SIGKILLed and started anew, 20 times
outages  the same while the broker, then the database, is stopped for 30 s
drain    what waits in the broker, taken in as fast as it goes, beside the same rows straight into PostgreSQL

A real broker, a real PostgreSQL and the whole service, each a process; one event in thirty is sent twice.
Prints what was sent and what the database holds; exit code 1 where anything was lost, doubled or miscounted.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections.abc import Callable

import psycopg

from scripts.ioc_load.house import House, script, servers
from scripts.ioc_load.look import Console, faults, held, wait_for
from scripts.ioc_load.traffic import Publisher, Sent

CATCH_UP_S = 180.0
BATCH = 500
TABLES = ("cases", "case_events")


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="+", choices=("rate", "kills", "outages", "drain"))
    parser.add_argument("--rate", type=float, default=1000.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--away", type=float, default=30.0, help="seconds of each outage")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    bad = False
    parts = {"rate": rate, "kills": kills, "outages": outages, "drain": drain}
    with servers() as (folder, broker, url):
        for part in options.parts:
            house = House(folder, broker, url)
            try:
                print(f"{part}:", flush=True)
                bad |= parts[part](house, options)
            finally:
                house.close()
    sys.exit(bad)


def rate(house: House, options: argparse.Namespace) -> bool:
    """At full rate, undisturbed."""
    return under_load(house, options.rate, options.seconds, lambda: None, options.seed)


def kills(house: House, options: argparse.Namespace) -> bool:
    """Killed at random moments, each after it had time to take something in."""
    draw = random.Random(options.seed)

    def disturb() -> None:
        before = 0
        for number in range(options.kills):
            house.wait_ready()
            wait_for(house, before + 1, CATCH_UP_S)
            time.sleep(draw.uniform(0.2, 4.0))
            house.kill()
            with house.connect() as connection:
                before = held(connection)
            print(f"  kill {number + 1}: {before} in the database", flush=True)
            house.start()

    return under_load(house, options.rate / 2, float("inf"), disturb, options.seed)


def outages(house: House, options: argparse.Namespace) -> bool:
    """The broker, then the database, away for a while."""

    def disturb() -> None:
        for name in ("kafka", "postgres"):
            time.sleep(10)
            directory = str(house.folder / name)
            port = (house.broker if name == "kafka" else house.database_url.rpartition("/")[0]).rpartition(
                ":"
            )[2]
            script(name, "stop", "--dir", directory)
            print(f"  {name} stopped", flush=True)
            time.sleep(options.away)
            script(name, "start", "--dir", directory, "--port", port)
            print(f"  {name} back", flush=True)
        time.sleep(10)

    return under_load(house, options.rate / 2, float("inf"), disturb, options.seed)


def under_load(house: House, rate: float, seconds: float, disturb: Callable[[], None], seed: int) -> bool:
    """Send until the time is up or `disturb` has ended, and count; True where something is wrong."""
    house.start()
    house.wait_ready()
    house.wait_topics()
    console = Console(house)
    console.open()
    publisher, done, results = Publisher(house.kafka, seed), threading.Event(), list[Sent]()
    bounded = min(seconds, 3600.0)
    sender = threading.Thread(target=lambda: results.append(publisher.run(rate, bounded, done)))
    sender.start()
    disturb()
    if seconds == float("inf"):
        done.set()
    sender.join()
    sent = results[0]
    behind_s = wait_for(house, sent.events, CATCH_UP_S)
    time.sleep(2)  # whatever would come once too often
    console.close()
    found, wrong = faults(house, sent)
    cpu_s = house.stop()
    publisher.close()
    print(f"sent: {sent.events} events ({sent.records} records) in {sent.took_s:.1f} s,", end=" ")
    print(f"{sent.events / sent.took_s:.0f} a second; all in {behind_s:.1f} s after the last")
    print(f"held: {found}")
    print(f"CPU s since the last start: {cpu_s}; live news: {console.news}", end="; ")
    print(f"not answered: {dict(console.away)}")
    print("console, p95 ms:", {path: round(console.p95_ms(path)) for path in console.took_ms})
    return told(wrong)


def told(wrong: list[str]) -> bool:
    """Say what is wrong; returns whether anything is."""
    verdict = "LOST, DOUBLED OR MISCOUNTED: " + "; ".join(wrong) if wrong else "nothing lost, nothing doubled"
    print(verdict, flush=True)
    return bool(wrong)


def drain(house: House, options: argparse.Namespace) -> bool:
    """What waits in the broker, as fast as it goes; then the same rows with nothing around them."""
    house.start()
    house.wait_ready()
    house.wait_topics()
    house.stop()
    publisher = Publisher(house.kafka, options.seed)
    sent = publisher.run(1e9, options.rate * options.seconds / 1e9)
    publisher.close()
    house.start()
    with house.connect() as connection:
        while not held(connection):
            time.sleep(0.05)
        first, began = held(connection), time.monotonic()
        wait_for(house, sent.events, CATCH_UP_S)
        took_s = time.monotonic() - began
    _, wrong = faults(house, sent)
    through = (sent.events - first) / took_s
    house.stop()
    straight = inserted(house)
    print(f"{through:.0f} events a second through the service")
    for name, speed in straight.items():
        print(f"  straight into PostgreSQL, {name}: {speed:.0f} a second; ratio {through / speed:.2f}")
    return told(wrong)


def inserted(house: House) -> dict[str, float]:
    """Cases a second when the same rows go into tables of the same shape, by INSERT and by COPY."""
    with house.connect() as connection, house.connect() as target:
        rows = {}
        for table in TABLES:
            cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1".encode())
            rows[table] = [
                tuple(psycopg.types.json.Jsonb(value) if isinstance(value, dict) else value for value in row)
                for row in cursor
            ]
        speeds = {}
        for name in ("executemany", "COPY"):
            target.execute("TRUNCATE cases, case_events CASCADE")
            began = time.monotonic()
            for start in range(0, len(rows["cases"]), BATCH):
                with target.transaction(), target.cursor() as cursor:
                    for table in TABLES:
                        part = rows[table][start : start + BATCH]
                        if name == "COPY":
                            with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                                for row in part:
                                    copy.write_row(row)
                        else:
                            places = ", ".join(["%s"] * len(part[0]))
                            cursor.executemany(f"INSERT INTO {table} VALUES ({places})".encode(), part)
            speeds[f"{name}, {BATCH} a transaction"] = len(rows["cases"]) / (time.monotonic() - began)
    return speeds


if __name__ == "__main__":
    main()

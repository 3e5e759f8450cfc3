"""An open console, and what the database holds in the end."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests
from psycopg import Connection

from scripts.ioc_load.house import House
from scripts.ioc_load.traffic import Sent

ASKED = ("/", "/api/v1/cases", "/api/v1/wall")
ASK_S = 2.0
CHECKS = {
    "cases": "SELECT count(*) FROM cases",
    "case events": "SELECT count(*) FROM case_events",
    "counted by hour": "SELECT coalesce(sum(count), 0) FROM hour_counts",
    "counted by day": "SELECT coalesce(sum(count), 0) FROM day_counts",
    "flow reports": "SELECT count(*) FROM flow",
    "flow counted, ms": "SELECT coalesce(sum(observed_ms), 0) FROM traffic_hours",
    "flow reported, ms": "SELECT coalesce(round(sum(observed_s) * 1000), 0) FROM flow",
    "dead letters": "SELECT count(*) FROM dead_letters",
}


@dataclass(slots=True)
class Console:
    """What an open console does: it listens to the live news, and asks for pages again and again."""

    house: House
    news: int = 0
    took_ms: dict[str, list[float]] = field(default_factory=lambda: {path: [] for path in ASKED})
    away: Counter[str] = field(default_factory=Counter)
    """Answers other than 200, and none at all."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def open(self) -> None:
        """Begin."""
        for work in (self._listen, self._ask):
            self._threads.append(threading.Thread(target=work, daemon=True))
            self._threads[-1].start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=15)

    def p95_ms(self, path: str) -> float:
        """Of the answers; infinite where there were too few."""
        took = self.took_ms[path]
        return statistics.quantiles(took, n=20)[-1] if len(took) > 1 else float("inf")

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.headers["Cookie"] = f"ngatu_session={self.house.token}"
        return session

    def _listen(self) -> None:
        while not self._stop.wait(0.5):
            try:
                with self._session().get(f"{self.house.url}/api/v1/live", stream=True, timeout=15) as answer:
                    for line in answer.iter_lines(chunk_size=512):
                        self.news += line == b"event: new"
                        if self._stop.is_set():
                            return
            except requests.RequestException:
                self.away["live"] += 1

    def _ask(self) -> None:
        session = self._session()
        while not self._stop.wait(ASK_S):
            for path in ASKED:
                began = time.perf_counter()
                try:
                    answer = session.get(f"{self.house.url}{path}", timeout=15, allow_redirects=False)
                except requests.RequestException:
                    self.away["no answer"] += 1
                    continue
                if answer.status_code == 200:
                    self.took_ms[path].append((time.perf_counter() - began) * 1000)
                else:
                    self.away[str(answer.status_code)] += 1


def wait_for(house: House, events: int, seconds: float) -> float:
    """Until so many cases and flows are there; returns how long that took, or `seconds`."""
    began = time.monotonic()
    with house.connect() as connection:
        while (waited := time.monotonic() - began) < seconds:
            if held(connection) >= events:
                return waited
            time.sleep(0.25)
    return seconds


def held(connection: Connection[Any]) -> int:
    """Cases and flows in the database."""
    row = connection.execute("SELECT (SELECT count(*) FROM cases) + (SELECT count(*) FROM flow)").fetchone()
    assert row is not None
    return int(row[0])


def faults(house: House, sent: Sent) -> tuple[dict[str, int], list[str]]:
    """What the database holds, and what of it does not fit with what was sent: lost, doubled, miscounted."""
    with house.connect() as connection:
        found = {name: int(connection.execute(query).fetchone()[0]) for name, query in CHECKS.items()}  # type: ignore[index,call-overload]
        kinds = Counter(dict(connection.execute("SELECT type, count(*) FROM cases GROUP BY type").fetchall()))
    acts = sent.acts.total()
    wanted = dict.fromkeys(("cases", "case events", "counted by hour", "counted by day"), acts)
    wanted |= {"flow reports": sent.flows, "dead letters": 0, "flow counted, ms": found["flow reported, ms"]}
    wrong = [
        f"{name}: {found[name]}, not {number}" for name, number in wanted.items() if found[name] != number
    ]
    if kinds != sent.acts:
        wrong.append(f"cases by type: {dict(kinds)}, not {dict(sent.acts)}")
    return found, wrong + [f"not acknowledged: {reason}" for reason in sent.failed[:3]]

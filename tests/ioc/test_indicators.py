"""Wall and indicators against the raw events, counted anew here by other means."""

from __future__ import annotations

import csv
import io
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.events.event import Event
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.ioc.store.counters import waited_minutes
from tests.ioc import town
from tests.ioc.acts import parsed
from tests.ioc.office import HOATHANH, ROOT, TRANGBANG, Office, office

VIETNAM = timezone(timedelta(hours=7))
AREA_OF = {"cam-1": HOATHANH, "cam-2": TRANGBANG, "cam-3": "tayninh/hoathanh2"}
VEHICLES = ("bicycle", "motorbike", "car", "bus", "truck")


@pytest.fixture
def ioc(tmp_path: Path, settings: Any) -> Iterator[Office]:
    """On both databases."""
    made = office(tmp_path, settings)
    yield made
    made.the.database.close()


@pytest.fixture
def events(ioc: Office) -> list[Event]:
    """Two days of the town, told twice, and decided on in part."""
    told = town.live_through(ioc.the, ioc.folder / "evidence", hours=50)
    Writer(ioc.the.database, ioc.the.areas).write(Batch([parsed(event) for event in told]))
    officer = ioc.hire("mai", "reviewer")
    cases = [event for event in told if event.type == "violation.candidate"][:40]
    for number, event in enumerate(cases):
        # So long ago did it arrive.
        with ioc.the.database.write() as session:
            session.execute(
                text("UPDATE cases SET received_ms = received_ms - :ms WHERE id = :id"),
                {"ms": number * number * 211_000, "id": event.id},
            )
        if number % 4:
            ioc.the.desk.decide(officer, event.id, "confirm")
        else:
            ioc.the.desk.decide(officer, event.id, "reject", reason="no_violation")
    return told


def day_of(event: Event) -> str:
    return event.time.astimezone(VIETNAM).date().isoformat()


def minutes(event: Event) -> tuple[float, float, float, bool]:
    """Observed seconds, vehicles, weighted speed and congestion of a minute, read off its event."""
    counts = Counter[str]()
    for one in event.data["counts"]:
        counts[one["road_user"]] += one["count"]
    (lane,) = event.data["lanes"]
    return (
        event.data["observed_s"],
        sum(counts[kind] for kind in VEHICLES),
        lane["mean_speed_kmh"] * counts.total(),
        lane["level_of_service"] in ("E", "F"),
    )


def test_indicators_are_what_the_raw_events_say(ioc: Office, events: list[Event]) -> None:
    first, last = day_of(events[0]), datetime.now(VIETNAM).date().isoformat()
    client = ioc.client("boss", "viewer")
    found = client.get("/api/v1/indicators", params={"from": first, "to": last}).json()
    assert [area["area"] for area in found["areas"]] == [*sorted(AREA_OF.values()), ROOT]
    with ioc.the.database.read() as session:
        raw = session.execute(
            text(
                "SELECT c.area, c.rule, d.state, d.at_ms - c.received_ms FROM decisions d"
                " JOIN cases c ON c.id = d.case_id WHERE d.state IN ('confirmed', 'rejected')"
            )
        ).all()
    now_s = time.time()
    for area in found["areas"]:
        told, path = area["indicators"], area["area"]
        here = [e for e in events if (AREA_OF.get(e.key, ROOT) + "/").startswith(path + "/")]
        acts = [e for e in here if e.type in ("violation.candidate", "violation.incomplete")]
        assert told["violations"] == len(acts)
        assert told["violations_by_kind"] == dict(sorted(Counter(e.data["rule"] for e in acts).items()))
        assert told["violations_incomplete"] == sum(e.type == "violation.incomplete" for e in acts)
        assert told["security_incidents"] == sum(e.type == "security.incident" for e in here)
        decided = [row for row in raw if (row[0] + "/").startswith(path + "/")]
        confirmed = sum(row[2] == "confirmed" for row in decided)
        assert (told["confirmed"], told["rejected"]) == (confirmed, len(decided) - confirmed)
        if decided:
            assert told["confirmation_rate"] == round(confirmed / len(decided), 4)
            median_ms = statistics.median_low(row[3] for row in decided)
            assert told["median_review_minutes"] == waited_minutes(0, median_ms)
        spans = [minutes(e) for e in here if e.type == "traffic.flow"]
        assert told["vehicles"] == sum(span[1] for span in spans)
        observed_s = sum(span[0] for span in spans)
        assert told["observed_hours"] == pytest.approx(observed_s / 3600, abs=1e-3)
        assert told["congestion_hours"] == pytest.approx(
            sum(span[0] for span in spans if span[3]) / 3600, abs=1e-3
        )
        weights = [sum(c["count"] for c in e.data["counts"]) for e in here if e.type == "traffic.flow"]
        assert told["mean_speed_kmh"] == pytest.approx(sum(s[2] for s in spans) / sum(weights), abs=0.06)
        cameras = {e.key for e in here}
        begun_s = [min(e.time.timestamp() for e in here if e.key == camera) for camera in cameras]
        assert told["cameras"] == len(cameras)
        expected_s = sum(now_s - begun for begun in begun_s)
        assert told["camera_uptime"] == pytest.approx(observed_s / expected_s, abs=2e-4)


def test_a_day_is_a_day_of_vietnam_and_csv_says_the_same(ioc: Office, events: list[Event]) -> None:
    day = datetime.now(VIETNAM).date() - timedelta(days=1)
    client = ioc.client("boss", "operator")
    query = {"from": day.isoformat(), "to": day.isoformat()}
    found = client.get("/api/v1/indicators", params=query).json()["areas"][-1]["indicators"]
    acts = [e for e in events if e.type.startswith("violation") and day_of(e) == day.isoformat()]
    assert found["violations"] == len(acts) > 0
    answer = client.get("/api/v1/indicators", params={**query, "format": "csv", "area": TRANGBANG})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert {line["area"] for line in lines} == {TRANGBANG}
    by_kind = {
        line["kind"]: int(line["value"]) for line in lines if line["indicator"] == "violations_by_kind"
    }
    here = [e for e in acts if e.key == "cam-2"]
    assert by_kind == dict(Counter(e.data["rule"] for e in here))


def test_uptime_is_of_what_has_passed_of_a_period(ioc: Office, events: list[Event]) -> None:
    now = datetime.now(VIETNAM).date()
    client = ioc.client("boss", "viewer")

    def told(first: int, last: int) -> dict[str, Any]:
        days = {"from": now + timedelta(days=first), "to": now + timedelta(days=last)}
        query = {name: day.isoformat() for name, day in days.items()}
        found = client.get("/api/v1/indicators", params=query).json()
        indicators: dict[str, Any] = found["areas"][-1]["indicators"]
        return indicators

    assert told(1, 30)["camera_uptime"] is None
    assert told(1, 30)["cameras"] == len({event.key for event in events})
    assert told(-1, 30)["camera_uptime"] == pytest.approx(told(-1, 0)["camera_uptime"], abs=2e-4)
    assert 0 < told(-1, 0)["camera_uptime"] <= 1


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-05-02", "to": "2026-05-01"},
        {"from": "2020-01-01", "to": "2026-05-01"},
        {"from": "0001-01-01", "to": "0001-01-02"},
        {"from": "9999-12-31", "to": "9999-12-31"},
        {"from": "soon", "to": "2026-05-01"},
    ],
)
def test_a_period_that_is_none_is_refused(tmp_path: Path, query: dict[str, str]) -> None:
    made = office(tmp_path)
    answer = made.client("boss", "viewer").get("/api/v1/indicators", params=query)
    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        assert answer.json()["areas"][-1]["indicators"]["violations"] == 0
    made.the.database.close()


def test_the_wall_counts_today_and_its_town_alone(ioc: Office, events: list[Event]) -> None:
    today = datetime.now(VIETNAM).date().isoformat()
    acts = [e for e in events if e.type.startswith("violation") and day_of(e) == today]
    whole = ioc.client("boss", "supervisor").get("/api/v1/wall").json()
    assert whole["totals"]["violations"] == len(acts)
    assert whole["totals"]["confirmed"] == 30
    assert {k["rule"]: k["count"] for k in whole["kinds"] if not k["security"]} == Counter(
        e.data["rule"] for e in acts
    )
    hour_s = time.time() // 3600 * 3600
    recent = [
        e for e in events if e.type.startswith("violation") and e.time.timestamp() >= hour_s - 23 * 3600
    ]
    assert sum(map(sum, whole["hours"]["by_kind"].values())) == len(recent)
    assert sum(map(sum, whole["hours"]["by_area"].values())) == len(recent)
    assert sum(list_[-1] for list_ in whole["days"]["by_kind"].values()) == len(acts)
    states = {camera["id"]: camera["state"] for camera in whole["cameras"]}
    assert states.pop("cam-5") == "down"
    assert set(states.values()) == {"up"}
    town_wall = ioc.client("town", "viewer", TRANGBANG).get("/api/v1/wall").json()
    assert town_wall["totals"]["violations"] == sum(e.key == "cam-2" for e in acts)
    # Nothing in it is of any other place.
    shown = json.dumps(town_wall, ensure_ascii=False)
    assert "cam-2" in shown
    assert not [name for name in ("cam-1", "cam-3", HOATHANH, "Bình Minh") if name in shown]
    assert all(case["camera"] == "cam-2" for case in town_wall["last"])
    # Who runs cameras sees counts, not cases.
    assert "last" not in ioc.client("op", "operator").get("/api/v1/wall").json()


def test_a_camera_that_says_nothing_is_silent_whatever_it_said_last(ioc: Office) -> None:
    now_s = time.time()
    writer = Writer(ioc.the.database, ioc.the.areas)
    writer.write(Batch([parsed(town.health("cam-1", now_s - 900, "up"))]))
    client = ioc.client("op", "operator")
    assert client.get("/api/v1/cameras").json()[0]["state"] == "silent"
    writer.write(Batch([parsed(town.flow("cam-1", now_s - 90, 5, 40.0, "A"))]))
    time.sleep(2.1)  # as long as an answer is told again
    (camera,) = client.get("/api/v1/cameras").json()
    assert camera["state"] == "up"
    told = client.get("/api/v1/cameras/cam-1").json()
    assert told["health"][0]["state"] == "up"
    assert ioc.client("town", "operator", TRANGBANG).get("/api/v1/cameras/cam-1").status_code == 404
    assert client.get("/api/v1/cameras/cam-9").status_code == 404


def test_entities_are_of_fiware_without_plates_and_only_where_wanted(tmp_path: Path) -> None:
    made = office(tmp_path)
    boss = made.client("boss", "supervisor")
    url = "/api/v1/ngsi-ld/entities?type="
    assert boss.get(url + "TrafficViolation").status_code == 404
    wanted = made.the.config.exchange.model_copy(update={"ngsi_ld": True})
    config = made.the.config.model_copy(update={"exchange": wanted})
    made.app.state.services = type(made.the)(
        **{name: getattr(made.the, name) for name in made.the.__slots__} | {"config": config}
    )
    case_id, other = made.act(track=1), made.act(track=2)
    made.the.desk.decide(made.hire("mai", "reviewer"), case_id, "confirm")
    answer = boss.get(url + "TrafficViolation")
    assert answer.headers["content-type"] == "application/ld+json"
    (entity,) = answer.json()
    assert entity["id"] == f"urn:ngsi-ld:TrafficViolation:{case_id}"
    assert entity["type"] == "TrafficViolation"
    assert entity["titleCode"] == {"type": "Property", "value": "red_light"}
    assert entity["observationDateTime"]["value"]["@type"] == "DateTime"
    assert "59P2" not in answer.text
    assert other not in answer.text
    hour_s = (time.time() // 3600 - 1) * 3600
    flow = [parsed(town.flow("cam-1", hour_s + 60 * n, 12, 40.0, "F")) for n in range(3)]
    Writer(made.the.database, made.the.areas).write(Batch(flow))
    (entity,) = boss.get(url + "TrafficFlowObserved").json()
    assert entity["intensity"]["value"] == 36
    assert entity["averageVehicleSpeed"]["value"] == 40.0
    assert entity["congested"]["value"] is True
    start = datetime.fromtimestamp(hour_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert entity["dateObservedFrom"]["value"]["@value"] == start
    town_client = made.client("town", "viewer", TRANGBANG)
    assert town_client.get(url + "TrafficFlowObserved").json() == []
    assert town_client.get(url + "TrafficViolation").json() == []
    made.the.database.close()

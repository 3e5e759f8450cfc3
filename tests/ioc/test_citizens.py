"""What anybody may ask: off unless switched on, and then a door that tells nothing it should not."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from pipeline.ioc.desk.citizens import CitizensDesk
from tests.ioc.office import Office, office

URL = "/api/v1/citizens/cases"
NOW_S = time.time() - 3600


def opened(made: Office, **fields: Any) -> None:
    """Switch it on, generously unless told otherwise."""
    values = {
        "enabled": True,
        "per_address_per_minute": 10_000,
        "per_second": 10_000,
        "unit": "Đội CSGT số 1",
    }
    settings = made.the.config.citizens.model_copy(update=values | fields)
    config = made.the.config.model_copy(update={"citizens": settings})
    parts = {name: getattr(made.the, name) for name in made.the.__slots__}
    desk = CitizensDesk(made.the.database, settings)
    made.app.state.services = type(made.the)(**parts | {"config": config, "citizens": desk})


@pytest.fixture
def ioc(tmp_path: Path) -> Iterator[Office]:
    made = office(tmp_path)
    yield made
    made.the.database.close()


def ask(client: TestClient, plate: str, vehicle: str = "motorbike") -> Any:
    return client.get(URL, params={"plate": plate, "vehicle": vehicle})


def test_it_is_off_unless_switched_on(ioc: Office) -> None:
    ioc.the.desk.decide(ioc.hire("mai", "reviewer"), ioc.act(at_s=NOW_S), "confirm")
    assert ask(ioc.anybody(), "59P231316").status_code == 404


def test_only_a_confirmed_case_of_this_plate_and_vehicle_is_told_and_no_picture(ioc: Office) -> None:
    opened(ioc)
    officer = ioc.hire("mai", "reviewer")
    told, rejected, waiting = (ioc.act(track=n, at_s=NOW_S + n) for n in range(3))
    ioc.the.desk.decide(officer, told, "confirm")
    ioc.the.desk.decide(officer, rejected, "reject", reason="no_violation")
    citizen = ioc.anybody()
    (case,) = ask(citizen, "59-P2 313.16").json()["cases"]
    assert set(case) == {"plate", "plate_color", "vehicle", "act", "at", "place", "law", "unit", "phone"}
    assert (case["plate"], case["vehicle"], case["act"]) == ("59P231316", "motorbike", "red_light")
    assert case["unit"] == "Đội CSGT số 1"
    assert [entry["verified"] for entry in case["law"]] == [False]
    answer = ask(citizen, "59P231316").text
    assert not [word for word in (told, rejected, waiting, "jpg", "mp4", "evidence", "Mai") if word in answer]
    # A part of a plate is no plate, and another vehicle is another.
    for plate, vehicle in (("59P2", "motorbike"), ("59P23131", "motorbike"), ("59P231316", "car")):
        assert ask(citizen, plate, vehicle).json() == {"cases": []}
    # What officers decide on later is told from then on; what is too old, no more.
    ioc.the.desk.decide(officer, waiting, "confirm")
    assert len(ask(citizen, "59P231316").json()["cases"]) == 2
    opened(ioc, days=1)
    old = ioc.act(track=9, at_s=NOW_S - 2 * 86_400)
    ioc.the.desk.decide(officer, old, "confirm")
    assert len(ask(citizen, "59P231316").json()["cases"]) == 2


@pytest.mark.serial
def test_an_unknown_plate_and_an_unconfirmed_case_answer_alike(ioc: Office) -> None:
    opened(ioc)
    for track in range(60):
        ioc.act(track=track, at_s=NOW_S + track)
    citizen = ioc.anybody()
    took: dict[str, list[float]] = {"59P231316": [], "99Z999999": []}
    told = set()
    for _ in range(8):
        for plate, times in took.items():
            began_s = time.perf_counter()
            answer = ask(citizen, plate)
            times.append(time.perf_counter() - began_s)
            told.add((answer.status_code, answer.text, tuple(sorted(dict(answer.headers).items()))))
    assert len(told) == 1
    known_s, unknown_s = (statistics.median(times) for times in took.values())
    assert min(known_s, unknown_s) >= 0.1
    assert abs(known_s - unknown_s) < 0.03


@pytest.mark.parametrize(
    "query",
    [
        {"plate": "59P231316"},
        {"plate": "59P231316", "vehicle": "submarine"},
        {"plate": "%", "vehicle": "car"},
        {"plate": "5" * 21, "vehicle": "car"},
        {"vehicle": "car"},
    ],
)
def test_a_question_that_is_none_is_refused(ioc: Office, query: dict[str, str]) -> None:
    opened(ioc)
    assert ioc.anybody().get(URL, params=query).status_code == 422


@pytest.mark.serial
def test_the_limits_hold_under_two_hundred_questions_a_second(ioc: Office) -> None:
    opened(ioc, per_address_per_minute=15, per_second=10)
    ioc.act(at_s=NOW_S)

    async def one(address: str, wait_s: float) -> int:
        await asyncio.sleep(wait_s)
        transport = httpx.ASGITransport(ioc.app, client=(address, 40000))
        async with httpx.AsyncClient(transport=transport, base_url="https://ioc.example") as client:
            answer = await client.get(URL, params={"plate": "59P231316", "vehicle": "motorbike"})
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) > 0
            return answer.status_code

    async def all_of(addresses: list[str]) -> tuple[list[int], float]:
        began_s = time.monotonic()
        asked = [one(address, number / 200) for number, address in enumerate(addresses)]
        return list(await asyncio.gather(*asked)), time.monotonic() - began_s

    statuses, took_s = asyncio.run(all_of(["203.0.113.7"] * 400))
    assert took_s < 15, "refusing is quick"
    assert statuses.count(200) <= 15
    assert set(statuses) == {200, 429}
    # Another address may still ask; all together no more than so many a second.
    assert asyncio.run(all_of(["203.0.113.9"]))[0] == [200]
    statuses, took_s = asyncio.run(all_of([f"198.51.100.{number}" for number in range(200)]))
    assert statuses.count(200) <= 10 * (took_s + 1)
    assert set(statuses) == {200, 429}

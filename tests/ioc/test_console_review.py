"""Deciding in a real Chromium: a decision is on what its officer sees, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import text

from tests.ioc.test_console import Station, browser, log_in

__all__ = ["browser"]


@pytest.fixture
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    made = Station(tmp_path_factory.mktemp("review"), review={"four_eyes": ["red_light"]})
    yield made
    made.process.terminate()
    made.process.wait(timeout=20)
    made.outbox.close()
    made.office.the.database.close()


def plate(number: int) -> dict[str, object]:
    read = f"70A{number:05d}"
    return {
        "outcome": "legible",
        "text": read,
        "lines": [read],
        "voted": [read],
        "confidence": 0.9,
        "legible": True,
        "form": "car",
        "province": "70",
        "color": "white",
        "sights": [],
        "reason": "",
        "cause": None,
    }


def open_case(page: Page, station: Station, case_id: str) -> None:
    page.goto(f"{station.url}/cases/{case_id}")
    page.wait_for_selector(".tag.good:has-text('SHA-256')")


def seen_ms(station: Station, minutes_ago: float = 0.0) -> int:
    """When any session was last used, after putting that back by so much."""
    with station.office.the.database.write() as session:
        back = {"ms": round(minutes_ago * 60_000)}
        session.execute(text("UPDATE sessions SET seen_ms = seen_ms - :ms"), back)
        found = session.scalar(text("SELECT max(seen_ms) FROM sessions"))
    assert isinstance(found, int)
    return found


@pytest.mark.slow
def test_a_queue_that_nobody_sits_before_ends_its_session(station: Station, browser: Browser) -> None:
    station.act(1)
    mai = log_in(browser, station, "mai", "reviewer")
    mai.wait_for_selector(".side .acts")
    before = seen_ms(station, minutes_ago=5)
    for track in (2, 3):
        station.act(track)
        mai.wait_for_function(f"document.querySelectorAll('.entry').length === {track}")
    mai.wait_for_timeout(1500)  # for their pictures, too
    assert seen_ms(station) == before
    mai.keyboard.press("k")
    mai.wait_for_function("document.querySelectorAll('.entry')[1].classList.contains('on')")
    mai.wait_for_selector(".side .acts")
    assert seen_ms(station) > before
    seen_ms(station, minutes_ago=31)
    station.act(4)
    mai.wait_for_url("**/login")


@pytest.mark.slow
def test_an_old_page_overwrites_no_plate_and_confirms_nothing(station: Station, browser: Browser) -> None:
    desk, boss = station.office.the.desk, station.office.hire("boss", "supervisor")
    case_id = station.act(1, plate=plate(12345))
    mai, lan = (log_in(browser, station, name, "reviewer") for name in ("mai", "lan"))
    mai.wait_for_selector(".entry")
    open_case(mai, station, case_id)
    with station.office.the.database.write() as session:
        session.execute(text("UPDATE cases SET claimed_until_ms = 1"))
    open_case(lan, station, case_id)
    lan.fill("input[maxlength='20']", "70A-123.46")
    lan.keyboard.press("Tab")
    lan.click(".act.good")
    lan.wait_for_url(lambda url: case_id not in url)
    mai.keyboard.press("c")
    mai.wait_for_selector(".q-notification:has-text('Lan')")
    view = desk.case(boss, case_id)
    assert (view.row.plate, view.row.state) == ("70A12346", "confirmed_once")
    # She is shown what is new, and decides on that.
    mai.wait_for_selector(".plate.big:has-text('70A12346')")
    assert mai.input_value("input[maxlength='20']") == "70A12346"
    mai.wait_for_timeout(1000)
    mai.keyboard.press("c")
    mai.wait_for_url(lambda url: case_id not in url)
    history = desk.case(boss, case_id).history
    assert [(one.user, one.plate, one.state) for one in history] == [
        ("Lan", "70A12346", "confirmed_once"),
        ("Mai", "70A12346", "confirmed"),
    ]

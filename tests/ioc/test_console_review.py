"""Deciding in a real Chromium: a decision is on what its officer sees, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import text

from pipeline.ioc.console.side import DRAWN_WITHIN_S
from tests.ioc.test_console import Station, browser, log_in, look

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


def selected(page: Page) -> list[object]:
    """How many rows there are, which one is selected, its plate, and the plate of the case that is shown."""
    found: list[object] = page.evaluate(
        """() => { const rows = [...document.querySelectorAll('.entry')];
        const at = rows.findIndex(row => row.classList.contains('on'));
        return [rows.length, at, rows[at]?.querySelector('.plate').innerText,
                document.querySelector('.side .plate.big')?.innerText] }"""
    )
    return found


def wait_for(page: Page, *wanted: object) -> None:
    """Until `selected` tells this, and the officer has looked at it."""
    for _ in range(200):
        if selected(page) == [*wanted, wanted[-1]]:
            look(page)
            return
        page.wait_for_timeout(100)
    raise AssertionError(selected(page))


def states(station: Station, cases: dict[int, str]) -> dict[int, tuple[str, list[str]]]:
    """State, and who decided, of each case that was decided on, by the number of its plate."""
    desk, boss = station.office.the.desk, station.office.hire("boss", "supervisor")
    views = {number: desk.case(boss, case_id) for number, case_id in cases.items()}
    return {n: (one.row.state, [h.user for h in one.history]) for n, one in views.items() if one.history}


@pytest.mark.slow
def test_in_the_queue_only_what_is_shown_is_decided_on(station: Station, browser: Browser) -> None:
    cases = {n: station.act(n, plate=plate(n), rule="wrong_way") for n in range(1, 7)}
    mai, lan = (log_in(browser, station, name, "reviewer") for name in ("mai", "lan"))
    for page in (mai, lan):
        wait_for(page, 6, 0, "70A00006")
        page.keyboard.press("j")
        wait_for(page, 6, 1, "70A00005")
    # Another officer is first: she is told so, and her key does not reach the case below.
    lan.keyboard.press("c")
    wait_for(lan, 5, 1, "70A00004")
    mai.wait_for_selector(".side .tag:has-text('Lan: Đã xác nhận')")
    assert mai.locator(".side .act.good").count() == 0
    look(mai)
    mai.keyboard.press("c")
    mai.wait_for_selector(".q-notification:has-text('Lan')")
    assert selected(mai) == [6, 1, "70A00005", "70A00005"]
    assert states(station, cases) == {5: ("confirmed", ["Lan"])}
    # On from there; what was kept for her leaves with the next change.
    mai.keyboard.press("j")
    wait_for(mai, 6, 2, "70A00004")
    # A key that is pressed twice, and a button, decide once.
    mai.keyboard.press("c")
    mai.wait_for_timeout(150)
    mai.keyboard.press("c")
    wait_for(mai, 4, 1, "70A00003")
    assert states(station, cases) == {5: ("confirmed", ["Lan"]), 4: ("confirmed", ["Mai"])}
    mai.locator(".side .act.good").dblclick()
    wait_for(mai, 3, 1, "70A00002")
    # While she is asked why, another officer decides: hers is refused, the case below is left alone.
    mai.keyboard.press("r")
    mai.wait_for_selector(".reason")
    lan.locator(".entry", has_text="70A00002").click()
    lan.wait_for_selector(".side .plate.big:has-text('70A00002')")
    look(lan)
    lan.keyboard.press("c")
    lan.wait_for_function("document.querySelector('.side .plate.big')?.innerText !== '70A00002'")
    mai.wait_for_timeout(4000)
    mai.keyboard.press("1")
    mai.wait_for_selector(".side .tag:has-text('Lan: Đã xác nhận')")
    mai.keyboard.press("j")
    mai.wait_for_selector(".side .plate.big:has-text('70A00001')")
    look(mai)
    mai.keyboard.press("s")
    mai.wait_for_selector(".side .tag:has-text('Mai: Cần xem lại')")
    assert states(station, cases) == {
        5: ("confirmed", ["Lan"]),
        4: ("confirmed", ["Mai"]),
        3: ("confirmed", ["Mai"]),
        2: ("confirmed", ["Lan"]),
        1: ("second_look", ["Mai"]),
    }


AT_ONCE = """new MutationObserver(() => {
    const confirm = document.querySelector('.head .act.good');
    if (confirm && !window.pressed) { window.pressed = true; setTimeout(() => confirm.click(), 50); }
}).observe(document, { childList: true, subtree: true })"""


@pytest.mark.slow
def test_a_second_press_decides_nothing_on_the_next_case_page(station: Station, browser: Browser) -> None:
    cases = {n: station.act(n, plate=plate(n), rule="wrong_way") for n in (1, 2, 3)}
    mai = log_in(browser, station, "mai", "reviewer")
    mai.wait_for_selector(".entry >> nth=2")
    open_case(mai, station, cases[3])
    look(mai)
    mai.add_init_script(AT_ONCE)
    mai.keyboard.press("c")
    mai.wait_for_url(f"**/cases/{cases[2]}")
    mai.wait_for_function("window.pressed")
    mai.wait_for_selector(".tag.good:has-text('SHA-256')")
    mai.wait_for_timeout(2000)
    assert states(station, cases) == {3: ("confirmed", ["Mai"])}
    mai.keyboard.press("c")
    mai.wait_for_url(f"**/cases/{cases[1]}")


DEAF = """() => { const real = window.socket.emit.bind(window.socket); window.deaf = true;
window.socket.emit = (name, ...a) =>
    name === 'javascript_response' && window.deaf ? window.socket : real(name, ...a); }"""


@pytest.mark.slow
@pytest.mark.parametrize("by", ["itself", "click"])
def test_a_browser_that_did_not_answer_in_time_decides_once_it_does(
    station: Station, browser: Browser, by: str
) -> None:
    case_id = station.act(1, plate=plate(1), rule="wrong_way")
    mai = log_in(browser, station, "mai", "reviewer")
    wait_for(mai, 1, 0, "70A00001")
    mai.evaluate(DEAF)
    lan = station.office.hire("lan", "reviewer")
    station.office.the.desk.decide(lan, case_id, "second_look")
    mai.wait_for_selector(".side .tag:has-text('Lan: Cần xem lại')")
    mai.keyboard.press("c")
    mai.wait_for_timeout(DRAWN_WITHIN_S * 1000 + 500)
    assert states(station, {1: case_id}) == {1: ("second_look", ["Lan"])}
    mai.evaluate("window.deaf = false")
    if by == "click":
        mai.locator(".entry").click()
        look(mai)
    else:
        mai.wait_for_timeout(6500)
    mai.keyboard.press("c")
    mai.wait_for_selector(".entry", state="detached")
    assert states(station, {1: case_id}) == {1: ("confirmed", ["Lan", "Mai"])}


@pytest.mark.slow
def test_what_comes_in_leaves_the_officer_on_the_second_page(station: Station, browser: Browser) -> None:
    cases = {n: station.act(n, plate=plate(n), rule="wrong_way") for n in range(1, 58)}
    mai = log_in(browser, station, "mai", "reviewer")
    wait_for(mai, 50, 0, "70A00057")
    mai.keyboard.press("m")
    wait_for(mai, 57, 0, "70A00057")
    mai.locator(".entry").nth(54).click()
    wait_for(mai, 57, 54, "70A00003")
    cases[58] = station.act(58, plate=plate(58), rule="wrong_way")
    wait_for(mai, 58, 55, "70A00003")
    mai.keyboard.press("c")
    wait_for(mai, 57, 55, "70A00002")
    assert states(station, cases) == {3: ("confirmed", ["Mai"])}


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
    look(lan)
    lan.click(".act.good")
    lan.wait_for_url(lambda url: case_id not in url)
    mai.keyboard.press("c")
    mai.wait_for_selector(".q-notification:has-text('Lan')")
    view = desk.case(boss, case_id)
    assert (view.row.plate, view.row.state) == ("70A12346", "confirmed_once")
    # She is shown what is new, and decides on that.
    mai.wait_for_selector(".plate.big:has-text('70A12346')")
    assert mai.input_value("input[maxlength='20']") == "70A12346"
    look(mai)
    mai.keyboard.press("c")
    mai.wait_for_url(lambda url: case_id not in url)
    history = desk.case(boss, case_id).history
    assert [(one.user, one.plate, one.state) for one in history] == [
        ("Lan", "70A12346", "confirmed_once"),
        ("Mai", "70A12346", "confirmed"),
    ]

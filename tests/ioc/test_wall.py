"""Wall and cameras in a real Chromium: they follow what happens, keep nothing, and show a town its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from pipeline.worker.scenes import WITHOUT
from tests.events import examples
from tests.ioc import town
from tests.ioc.office import TRANGBANG
from tests.ioc.test_console import Station, browser, log_in
from tests.ioc.test_console_review import seen_ms

__all__ = ["browser"]
EVERY_S = 0.05
QUICK = f"""(() => {{ const real = window.setTimeout.bind(window);
window.setTimeout = (act, ms, ...more) => real(act, ms === 5000 ? {EVERY_S * 1000} : ms, ...more); }})();"""
"""What the wall does every five seconds it then does twenty times a second. Other waits stay as they are: the
console's own connection would be given up, and the page loaded anew."""
COUNT = """(() => { const real = window.fetch.bind(window); window.polls = 0;
window.fetch = (...a) => { if (String(a[0]).endsWith('/wall')) window.polls++; return real(...a); }; })();"""
LOOKS = [
    (1366, 768, "vi", False),
    (1366, 768, "en", True),
    (1920, 1080, "vi", True),
    (1920, 1080, "en", False),
]
OVERFLOWING = """() => [...document.querySelectorAll('.wall > *, .tile .v, .cams > *')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || box.width < 1;
}).map(one => one.className)"""


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    folder = tmp_path_factory.mktemp("wall")
    lines = {"type": "LineString", "coordinates": [[106.10, 11.28], [106.15, 11.31]]}
    (folder / "lines.json").write_text(json.dumps(lines))
    places = {camera: list(place) for camera, (_, _, place) in town.CAMERAS.items() if camera != "cam-4"}
    made = Station(folder, map={"cameras": places, "lines": "lines.json"})
    town.live_through(made.office.the, folder / "evidence")
    yield made
    made.process.terminate()
    made.process.wait(timeout=20)
    made.outbox.close()
    made.office.the.database.close()


def violations(page: Page) -> int:
    return int(page.inner_text("[data-tile=violations] .v").replace(".", "").replace(",", ""))


def tell(station: Station, track: int, camera: str = "cam-1", rule: str = "u_turn") -> str:
    event = town.act(camera, rule, time.time() - 1, track, None)
    station.outbox.put(event)
    return event.id


@pytest.mark.slow
def test_what_happens_is_on_the_wall_at_once_and_nothing_is_kept(station: Station, browser: Browser) -> None:
    page = log_in(browser, station, "lan", "supervisor")
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{station.url}/wall")
    page.wait_for_selector("[data-tile=violations] .v")
    before = violations(page)
    case = tell(station, 50_001)
    page.wait_for_selector(f".event[href='/cases/{case}']")
    page.wait_for_function(
        f"() => +document.querySelector('[data-tile=violations] .v').textContent === {before + 1}"
    )
    assert "Quay đầu" in page.inner_text(f".event[href='/cases/{case}']")
    # Four of five stand on the map, the fifth beside it; the one that is down says so.
    assert page.locator(".map .cam").count() == 4
    assert "Vòng xoay Lê Duẩn" in page.inner_text(".loose")
    assert "Ngã ba Mít Một" in page.inner_text(".health")
    assert page.locator(".map .road").count() >= 1
    # Many rounds with many events: what the page holds stays as it is.
    page.add_init_script(QUICK + COUNT)
    page.reload()
    devtools = page.context.new_cdp_session(page)

    def held(rounds: int) -> dict[str, float]:
        """The least of each over some rounds: what a round has just replaced may not be collected yet."""
        page.wait_for_function(f"() => window.polls >= {rounds}", timeout=90_000)
        devtools.send("Performance.enable")
        least: dict[str, float] = {}
        for _ in range(6):
            devtools.send("HeapProfiler.collectGarbage")
            metrics: dict[str, Any] = devtools.send("Performance.getMetrics")
            for one in metrics["metrics"]:
                least[one["name"]] = min(one["value"], least.get(one["name"], one["value"]))
            page.wait_for_timeout(300)
        return least

    for track in range(20):
        tell(station, 51_000 + track)
    first = held(15)
    for track in range(60):
        tell(station, 52_000 + track, f"cam-{1 + track % 3}")
    last = held(75)
    assert page.locator(".event").count() <= 16
    assert last["Nodes"] < first["Nodes"] * 1.25 + 300
    assert last["JSEventListeners"] < first["JSEventListeners"] + 60
    assert last["JSHeapUsedSize"] < first["JSHeapUsedSize"] + 2_000_000
    assert failures == []
    page.context.close()


@pytest.mark.slow
def test_a_page_outlives_a_connection_that_was_away(station: Station, browser: Browser) -> None:
    page = log_in(browser, station, "ly", "supervisor")
    page.goto(f"{station.url}/wall")
    page.wait_for_selector("[data-tile=violations] .v")
    page.wait_for_timeout(2000)
    loaded, before = page.evaluate("performance.timeOrigin"), violations(page)
    page.context.set_offline(True)
    page.wait_for_timeout(15_000)
    page.context.set_offline(False)
    tell(station, 61_001)
    page.wait_for_function(
        f"() => +document.querySelector('[data-tile=violations] .v').textContent > {before}"
    )
    page.wait_for_timeout(4000)
    assert page.evaluate("performance.timeOrigin") == loaded
    page.context.close()


@pytest.mark.slow
def test_a_town_sees_its_own_on_the_wall_and_among_the_cameras(station: Station, browser: Browser) -> None:
    page = log_in(browser, station, "town", "viewer", TRANGBANG)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path, there in (("/wall", "[data-tile=violations] .v"), ("/cameras", ".cams tbody tr")):
        page.goto(station.url + path)
        page.wait_for_selector(there)
        page.wait_for_timeout(500)
        source = page.content()
        assert "Cầu Quan" in source
        for other in ("Bình Minh", "Tòa Thánh", "Mít Một", "cam-1", "cam-3", "Hòa Thành"):
            assert other not in source, (path, other)
    # What happens elsewhere does not come, by whatever way.
    page.goto(f"{station.url}/wall")
    page.wait_for_selector(".event")
    elsewhere, here = tell(station, 60_001, "cam-1"), tell(station, 60_002, "cam-2")
    page.wait_for_selector(f".event[href='/cases/{here}']")
    assert elsewhere not in page.content()
    # Nothing is asked of anybody but the service itself.
    assert all(url.startswith((station.url, "data:", "blob:")) for url in asked)
    page.context.close()


@pytest.mark.slow
def test_who_chooses_cameras_stays_logged_in_and_an_open_page_does_not(
    station: Station, browser: Browser
) -> None:
    page = log_in(browser, station, "otto", "operator")
    page.goto(f"{station.url}/cameras")
    page.wait_for_selector(".cams .beside h2")
    before = seen_ms(station, minutes_ago=5)
    with page.expect_response("**/api/v1/cameras"):
        pass
    page.wait_for_timeout(500)
    assert seen_ms(station) == before
    with page.expect_response("**/api/v1/me"):
        page.locator(".cams tbody tr").nth(1).click()
    assert seen_ms(station) > before
    page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height", "language", "dark"), LOOKS)
def test_pages_fit_the_screen(
    station: Station, browser: Browser, tmp_path: Path, width: int, height: int, language: str, dark: bool
) -> None:
    page = log_in(browser, station, f"p{width}{language}", "supervisor")
    person = station.office.hire(f"p{width}{language}", "supervisor")
    station.office.the.accounts.prefer(person, language=language, dark=dark)
    page.set_viewport_size({"width": width, "height": height})
    for name, there in (("wall", "[data-tile=violations] .v"), ("cameras", ".cams .beside h2")):
        page.goto(f"{station.url}/{name}")
        page.wait_for_selector(there)
        page.wait_for_timeout(600)
        page.screenshot(path=tmp_path / f"{name}-{width}-{language}-{'dark' if dark else 'light'}.png")
        assert page.evaluate(OVERFLOWING) == []
        assert page.evaluate("document.body.classList.contains('body--dark')") == dark
        assert ("Live wall" if language == "en" else "Màn hình giám sát") in page.inner_text(".bar")
    page.context.close()


def test_only_pictures_of_the_tile_server_that_is_configured_may_come(tmp_path: Path) -> None:
    from pydantic import ValidationError

    from pipeline.ioc.config.display import MapSettings

    assert MapSettings().tiles_origin == ""
    tiles = MapSettings(tiles="https://tiles.example.org:8443/a/{z}/{x}/{y}.png")
    assert tiles.tiles_origin == "https://tiles.example.org:8443"
    for bad in (
        "https://tiles.example.org/{z}/{x}.png",
        "javascript:alert(1)//{z}{x}{y}",
        "https://t.example.org/{z}/{x}/{y}; script-src *",
        "https://user@t.example.org/{z}/{x}/{y}",
    ):
        with pytest.raises(ValidationError):
            MapSettings(tiles=bad)


@pytest.mark.slow
def test_why_a_camera_does_not_see_is_told_in_the_readers_language(
    station: Station, browser: Browser, tmp_path: Path
) -> None:
    reason, notice = (
        "rtsp://cam cannot be reached: check host, port and network",
        f"{WITHOUT}: gone",
    )
    event = examples.health("cam-1", time.time(), state="down", reason=reason)
    station.outbox.put(replace(event, data={**event.data, "notices": [notice]}))
    page = log_in(browser, station, "hoa", "operator")
    person = station.office.hire("hoa", "operator")
    for language, told in (
        ("en", [reason, notice]),
        ("vi", ["không kết nối được tới rtsp://cam: kiểm tra", "camera không được giám sát"]),
    ):
        station.office.the.accounts.prefer(person, language=language)
        page.goto(f"{station.url}/cameras?camera=cam-1")
        page.wait_for_selector(".cams .beside .log .wrap")
        page.screenshot(path=tmp_path / f"why-{language}.png")
        beside = page.inner_text(".cams .beside")
        assert all(words in beside for words in told), beside
        assert told[0] in page.inner_text(".cams tr[data-camera=cam-1]")
    page.context.close()

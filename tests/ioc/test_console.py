"""The console in a real Chromium: officers at work, by keyboard."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.events.outbox import Outbox
from tests.events import examples
from tests.ioc.acts import with_data
from tests.ioc.office import PASSWORD, TRANGBANG, Office, office, with_evidence

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{{window.hacked=1}}'
PATIENCE_MS = 45_000


class Station:
    """A running service over an outbox that the test fills."""

    def __init__(self, tmp_path: Path, **more: object) -> None:
        """`more`: further parts of the service's configuration."""
        self.office: Office = office(tmp_path)
        self.outbox = Outbox(tmp_path / "worker" / "outbox.db")
        self._root = tmp_path / "evidence"
        areas = self.office.the.config.areas.model_dump(mode="json")
        config = {
            "server": {"port": 0},
            "database": {"path": "ioc.sqlite"},
            "outboxes": ["worker"],
            "evidence": {"url": "evidence"},
            "areas": areas,
            **more,
        }
        (tmp_path / "ioc.yaml").write_text(yaml.safe_dump(config))
        log = (tmp_path / "log").open("w")
        command = [sys.executable, "-m", "pipeline.cli", "ioc", "serve", str(tmp_path / "ioc.yaml")]
        self.process = subprocess.Popen(command, stderr=log, stdout=log)
        self.log = tmp_path / "log"
        deadline = time.monotonic() + 90
        while "open http" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        self.url = self.log.read_text().partition("open ")[2].split()[0]

    def act(self, track: int, key: str = "cam-1", **data: object) -> str:
        event = with_evidence(examples.candidate(key, track, time.time() - 60 + track), self._root)
        event = with_data(event, **data)
        self.outbox.put(event)
        return event.id


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    made = Station(tmp_path_factory.mktemp("station"))
    yield made
    made.process.terminate()
    made.process.wait(timeout=20)
    made.outbox.close()
    made.office.the.database.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: run scripts/setup")
        pytest.skip("no Chromium: run scripts/setup")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield made
        made.close()


def log_in(browser: Browser, station: Station, name: str, role: str, area: str = "tayninh") -> Page:
    # The service's own process checks the password: let it be hashed as quickly as that takes here.
    station.office.hire(name, role, area)
    page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(station.url)
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".bar")
    return page


def look(page: Page) -> None:
    """As long as an officer looks at least: what is pressed before decides nothing."""
    page.wait_for_timeout(800)


@pytest.mark.slow
def test_officers_work_by_keyboard_and_never_against_each_other(
    station: Station, browser: Browser, tmp_path: Path
) -> None:
    first = station.act(1)
    mai = log_in(browser, station, "mai", "reviewer")
    mai.wait_for_selector(".entry")
    camera = {"id": "cam-1", "name": HOSTILE[:200], "place": HOSTILE[:200]}
    second = station.act(2, camera=camera, facts={HOSTILE: HOSTILE, "stood_s": 11.7})
    third = station.act(3)
    # Both appear without a reload, newest first.
    mai.wait_for_function("document.querySelectorAll('.entry').length === 3")
    mai.screenshot(path=tmp_path / "queue.png")
    assert "9 ngày" in mai.inner_text(".entry >> nth=0")
    # What she had selected stays so; up to the second, into it; the text of its event is text.
    assert mai.locator(".entry").nth(2).evaluate("row => row.classList.contains('on')")
    mai.keyboard.press("k")
    mai.wait_for_function("document.querySelectorAll('.entry')[1].classList.contains('on')")
    mai.keyboard.press("Enter")
    mai.wait_for_url(f"**/cases/{second}")
    mai.wait_for_selector(".tag.good:has-text('SHA-256')")
    assert "<img src=x" in mai.inner_text("main")
    assert mai.evaluate("window.hacked") is None
    assert "CHƯA ĐƯỢC KIỂM CHỨNG" in mai.inner_text("main")
    assert "Đứng\n11,7 s" in mai.inner_text("main")
    mai.screenshot(path=tmp_path / "case.png")
    # Another officer finds it taken up, and cannot decide.
    lan = log_in(browser, station, "lan", "reviewer")
    lan.wait_for_selector(".entry")
    lan.goto(f"{station.url}/cases/{second}")
    lan.wait_for_selector(".tag.good:has-text('SHA-256')")
    lan.wait_for_selector(".tag.warn:has-text('Mai')")
    look(lan)
    lan.keyboard.press("c")
    lan.wait_for_selector(".q-notification:has-text('Mai')")
    # She rejects with a reason and is led to the next.
    mai.keyboard.press("r")
    mai.wait_for_selector(".reason")
    mai.keyboard.press("4")
    mai.wait_for_url(lambda url: url.endswith((first, third)))
    mai.wait_for_selector(".tag.good:has-text('SHA-256')")
    look(mai)
    mai.keyboard.press("c")
    mai.wait_for_url(lambda url: second not in url and not url.endswith(third))
    desk, who = station.office.the.desk, station.office.hire("boss", "supervisor")
    decided = {case: desk.case(who, case).history for case in (first, second, third)}
    assert [h.reason for h in decided[second]] == ["emergency_vehicle"]
    assert sorted(len(history) for history in decided.values()) == [0, 1, 1]


@pytest.mark.slow
def test_a_town_sees_its_own_and_nobody_sees_without_a_login(station: Station, browser: Browser) -> None:
    here, beside = station.act(11, "cam-2"), station.act(12, "cam-3")
    page = log_in(browser, station, "town", "viewer", TRANGBANG)
    page.wait_for_selector(".entry")
    assert page.locator(".entry").count() == 1
    answer = page.goto(f"{station.url}/cases/{beside}")
    assert answer is not None
    assert answer.status == 404
    page.goto(f"{station.url}/cases/{here}")
    page.wait_for_selector(".stills")
    assert page.locator(".act.good").count() == 0  # may look, not decide
    page.context.clear_cookies()
    page.goto(f"{station.url}/cases/{here}")
    assert page.url.endswith("/login")

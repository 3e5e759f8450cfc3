"""The scene editor in a real Chromium, before a real worker: drawn, checked, tried, saved, taken up."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import yaml
from playwright.sync_api import Browser, Page

from pipeline.config.document import read
from pipeline.ioc.config.workers import WorkerAccess
from pipeline.ioc.desk.cameras import Boxes, CameraError
from pipeline.ioc.desk.log import LogFilter
from pipeline.ioc.desk.scenes import Draft, SceneDesk
from pipeline.ioc.store import Database, audit
from tests.cameras.clips import make_clip
from tests.e2e.harness import Process, start
from tests.ioc.office import HOATHANH, PASSWORD, TRANGBANG
from tests.ioc.test_console import Station, browser, log_in
from tests.perception.onnx_models import CELLS, constant_model, names
from tests.rules import drive
from tests.worker.test_backtest import store, traffic

__all__ = ["browser"]
TOKEN = "a-token-of-this-test-alone"
SCENE = """# Cách Mạng Tháng Tám, looking north. Drawn by hand.
lanes:
  # Northbound, both lanes.
  - id: north
    polygon: [[0.2, 0.95], [0.45, 0.4], [0.55, 0.4], [0.8, 0.95]]
    direction: [[0.5, 0.9], [0.5, 0.45]]
rules:
  wrong_way:  # nobody comes towards us here
"""
LOOKS = [
    (1366, 768, "vi", False),
    (1366, 768, "en", True),
    (1920, 1080, "vi", True),
    (1920, 1080, "en", False),
]
OVERFLOWING = """() => [...document.querySelectorAll('.scene > *, .scene .act, .scene h3')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1;
}).map(one => one.className)"""


@dataclass
class Place:
    """A worker with one camera, and the console that may ask it."""

    station: Station
    worker: Process
    scene: Path
    monitor: str
    """Where the worker is asked."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("scenes")
    box = folder / "box"
    model = constant_model(
        folder / "model.onnx", np.zeros((4 + 3, CELLS)), metadata=names("motorbike", "car", "person")
    )
    clip = make_clip(folder / "street.mp4", frames=50, fps=10, size=(960, 540))
    with pytest.MonkeyPatch.context() as patch:
        # Of today: the back-test looks at the newest hour, and the worker stores tracks of its own.
        patch.setattr(drive, "START_S", time.time() - 600)
        store(box / "tracks", "cam-1", traffic())
    scene = folder / "cam-1.yaml"
    scene.write_text(SCENE)
    config = {
        "worker": {
            "id": "box",
            "data_dir": str(box),
            "metrics_port": 0,
            "operator": {"token_env": "NGATU_TEST_TOKEN"},
        },
        "model": {"path": str(model)},
        "tracks": {"enabled": True},
        "plates": {"enabled": False},
        "cameras": [
            {
                "id": "cam-1",
                "name": "Ngã tư Bình Minh",
                "place": "QL22B",
                "detect": {"url": clip.as_uri(), "loop": True},
                "scene": str(scene),
                "analysis": {"rate_hz": 3},
            }
        ],
    }
    (folder / "worker.yaml").write_text(yaml.safe_dump(config))
    worker = start(["run", str(folder / "worker.yaml")], {"NGATU_TEST_TOKEN": TOKEN})

    def monitor() -> str:
        return next((line["monitor"] for line in worker.logs if line["event"] == "worker_started"), "")

    worker.wait_for(lambda: bool(monitor()), 60, "worker")
    os.environ["NGATU_TEST_TOKEN"] = TOKEN
    access = [{"url": monitor(), "token_env": "NGATU_TEST_TOKEN"}]
    station = Station(folder, workers=access, outboxes=["worker", "box"])
    del os.environ["NGATU_TEST_TOKEN"]
    yield Place(station, worker, scene, monitor())
    worker.terminate()
    station.process.terminate()
    station.process.wait(timeout=20)
    station.outbox.close()
    station.office.the.database.close()


def screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a place of the picture, 0..1, lies in the window."""
    found: dict[str, float] = page.evaluate(
        """([x, y]) => { const image = document.querySelector('.canvas image');
        const p = new DOMPoint(x * image.getAttribute('width'), y * image.getAttribute('height'))
          .matrixTransform(document.querySelector('.canvas').getScreenCTM()); return {x: p.x, y: p.y}; }""",
        [x, y],
    )
    return found["x"], found["y"]


def draw(page: Page, tool: str, *points: tuple[float, float], end: bool = True) -> None:
    page.keyboard.press(tool)
    for point in points:
        page.mouse.click(*screen(page, *point))
    if end:
        page.keyboard.press("Enter")


def verdict(page: Page, expected: str) -> None:
    page.wait_for_selector(f"[data-verdict={expected}]")


@pytest.mark.slow
def test_a_scene_is_drawn_checked_tried_saved_and_taken_up_by_the_running_worker(
    place: Place, browser: Browser, tmp_path: Path
) -> None:
    station = place.station
    page = log_in(browser, station, "tam", "operator")
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    # From the cameras, with their stills, to the scene.
    page.goto(f"{station.url}/cameras?camera=cam-1")
    page.wait_for_selector(".livestill:not(.gone)")
    page.screenshot(path=tmp_path / "cameras.png")
    page.click("text=Vẽ hiện trường")
    page.wait_for_selector(".canvas image[data-seen]")
    verdict(page, "good")
    assert page.locator("[data-item]").count() == 1

    # What cannot be is refused with its reason, and taken back.
    draw(page, "z", (0.1, 0.1), (0.3, 0.3), (0.3, 0.1), (0.1, 0.3))
    verdict(page, "bad")
    assert "tự cắt: cạnh từ góc 0" in page.inner_text(".problem")
    assert "zone1" in page.inner_text(".problem")
    page.fill("[data-field=note]", "không thể")
    assert page.is_disabled("[data-do=save]")
    page.click("[data-do=undo]")
    verdict(page, "good")

    # A lamp (dragged), a stop line that it governs, a zone, a calibration.
    page.keyboard.press("d")
    page.mouse.move(*screen(page, 0.88, 0.08))
    page.mouse.down()
    page.mouse.move(*screen(page, 0.92, 0.3))
    page.mouse.up()
    page.fill("[data-field=id]", "ball")
    page.locator("[data-field=id]").blur()
    draw(page, "s", (0.2, 0.6), (0.8, 0.6))
    for way in ("left", "right"):
        page.select_option(f"[data-way={way}]", "ball")
    for rule in ("red_light", "stop_line"):
        page.check(f"input[data-rule={rule}]")
    draw(page, "z", (0.05, 0.5), (0.15, 0.5), (0.15, 0.7), (0.05, 0.7))
    page.select_option("[data-field=purpose]", "pavement")
    metres = {(0.3, 0.9): (-3.5, 0), (0.7, 0.9): (3.5, 0), (0.6, 0.5): (3.5, 20), (0.4, 0.5): (-3.5, 20)}
    metres[0.5, 0.9] = (0, 0.4)
    page.keyboard.press("c")
    for number, (point, ground) in enumerate(metres.items()):
        page.mouse.click(*screen(page, *point))
        for axis in (0, 1):
            page.fill(f"[data-metre='{number}-{axis}']", str(ground[axis]))
            page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    page.wait_for_selector(".fit")
    assert 0.01 < float(page.get_attribute(".fit", "data-rms") or 0) < 0.4
    assert page.locator(".canvas .grid").count() > 8
    page.wait_for_selector("[data-verdict]")
    assert page.locator("[data-verdict=bad]").count() == 0, page.inner_text(".props")

    # What it would change on stored tracks.
    page.click("[data-do=try]")
    page.wait_for_selector("table.outcomes")
    assert page.inner_text("tr[data-rule=red_light] td.new") == "1"
    assert page.inner_text("tr[data-rule=stop_line] td.new") == "1"
    assert page.locator("polyline.went.new").count() == 2
    page.screenshot(path=tmp_path / "tried.png")

    # Saved, and in force, in the same worker.
    page.fill("[data-field=note]", "Vạch dừng, vùng và hiệu chuẩn")
    page.click("[data-do=save]")
    page.wait_for_selector("[data-saved=good]")
    assert place.worker.popen.poll() is None
    assert [line["camera"] for line in place.worker.logs if line["event"] == "scene_taken_up"] == ["cam-1"]
    written = read(place.scene).data
    assert [line["id"] for line in written["stop_lines"]] == ["line1"]
    assert written["stop_lines"][0]["movements"]["straight"] == {"lamp": "ball"}
    (start_, end) = written["stop_lines"][0]["travel"]
    assert start_[1] > 0.6 > end[1]
    assert written["zones"][0]["purpose"] == "pavement"
    assert len(written["calibration"]["points"]) == 5
    for kept in ("# Cách Mạng Tháng Tám, looking north.", "  # Northbound, both lanes.", "# nobody comes"):
        assert kept in place.scene.read_text()
    versions = station.office.the.scenes.versions("cam-1")
    assert [(one["number"], one["author"]) for one in versions] == [(2, "tam"), (1, "")]
    boss = station.office.hire("boss", "admin")
    (entry,) = station.office.the.log.entries(boss, LogFilter(action="scene"))
    assert (entry.actor, entry.action, entry.subject) == ("tam", "scene.save", "cam-1")
    assert json.loads(entry.detail)["version"] == 2

    # What is asked for by hand of the API is judged alike.
    impossible = {
        "data": {"zones": [{"id": "z", "purpose": "p", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}
    }
    body: dict[str, Any] = {**impossible, "version": 2, "etag": versions[0]["sha256"], "note": "x"}
    answer = page.evaluate(
        """async (body) => { const me = await (await fetch('/api/v1/me')).json();
        const answer = await fetch('/api/v1/scenes/cam-1', {method: 'PUT', body: JSON.stringify(body),
          headers: {'content-type': 'application/json', 'x-csrf-token': me.csrf_token}});
        return [answer.status, await answer.text()]; }""",
        body,
    )
    assert answer[0] == 422
    assert "crosses itself" in answer[1]
    # An old version is gone on from, and saved as a new one.
    page.click("[data-version='1']")
    page.click("[data-do=restore]")
    verdict(page, "good")
    page.click("label:has([data-field=anyway])")
    page.click("[data-do=save]")
    page.wait_for_function("document.querySelectorAll('[data-version]').length === 3")
    page.wait_for_selector("[data-saved=good]")
    assert place.scene.read_text() == SCENE
    assert failures == []
    page.context.close()


def test_only_those_who_may_draw_do_and_only_in_their_area(place: Place) -> None:
    station = place.station
    expected = {
        ("viewer", "tayninh"): {"scene": 303, "api": 403, "still": 200},
        ("operator", TRANGBANG): {"scene": 200, "api": 404, "still": 404},
        ("operator", HOATHANH): {"scene": 200, "api": 200, "still": 200},
    }
    for number, ((role, area), statuses) in enumerate(expected.items()):
        name = f"may{number}"
        station.office.hire(name, role, area)
        answer = requests.post(
            f"{station.url}/api/v1/login", json={"name": name, "password": PASSWORD}, timeout=30
        )
        cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
        for what, path in (
            ("scene", "/cameras/cam-1/scene"),
            ("api", "/api/v1/scenes/cam-1"),
            ("still", "/api/v1/cameras/cam-1/still"),
        ):
            found = requests.get(station.url + path, headers=cookie, allow_redirects=False, timeout=30)
            assert found.status_code == statuses[what], (role, area, what)


@pytest.mark.slow
def test_a_zone_is_drawn_and_moved_by_keyboard_alone(place: Place, browser: Browser, tmp_path: Path) -> None:
    page = log_in(browser, place.station, "phim", "operator")
    page.goto(f"{place.station.url}/cameras/cam-1/scene")
    page.wait_for_selector(".canvas image[data-seen]")
    verdict(page, "good")
    page.keyboard.press("z")
    for keys in ((), ("Shift+ArrowRight",) * 5, ("Shift+ArrowDown",) * 5):
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press(" ")
    page.keyboard.press("Enter")
    verdict(page, "good")
    page.focus(".handle[data-corner='1']")
    before = page.get_attribute(".handle[data-corner='1']", "cx")
    page.keyboard.press("Shift+ArrowRight")
    assert page.get_attribute(".handle[data-corner='1']", "cx") != before
    assert page.evaluate("document.activeElement.dataset.corner") == "1"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert page.locator("[data-item^=zones]").count() == 0
    person = place.station.office.hire("phim", "operator")
    page.on("dialog", lambda dialog: dialog.accept())
    for width, height, language, dark in LOOKS:
        place.station.office.the.accounts.prefer(person, language=language, dark=dark)
        page.set_viewport_size({"width": width, "height": height})
        page.reload()
        page.wait_for_selector(".canvas image[data-seen]")
        verdict(page, "good")
        page.click("[data-item='lanes/0']")
        page.screenshot(path=tmp_path / f"scene-{width}-{language}.png")
        assert page.evaluate(OVERFLOWING) == []
    page.context.close()


@pytest.mark.slow
def test_hours_of_a_zone_and_a_measured_rectangle_are_drawn_and_saved(
    place: Place, browser: Browser, tmp_path: Path
) -> None:
    page = log_in(browser, place.station, "gio", "operator")
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{place.station.url}/cameras/cam-1/scene")
    page.wait_for_selector(".canvas image[data-seen]")
    verdict(page, "good")
    draw(page, "z", (0.1, 0.5), (0.4, 0.5), (0.4, 0.9), (0.1, 0.9))
    page.select_option("[data-field=purpose]", "restricted_hours")
    page.click(".props .ticks label:has-text('Xe tải')")
    page.click("[data-do=hours]")
    page.click("label:has([data-field=sat-0])")
    page.click("label:has([data-field=sun-0])")
    for field, clock, expected in (
        ("start-0", "16:30", "good"),
        ("end-0", "25:00", "bad"),
        ("end-0", "22:00", "good"),
    ):
        page.fill(f"[data-field={field}]", clock)
        page.press(f"[data-field={field}]", "Tab")
        verdict(page, expected)
    page.screenshot(path=tmp_path / "hours.png")
    # The sides of a rectangle are not guessed.
    page.keyboard.press("Escape")
    page.focus(".canvas")
    draw(page, "r", (0.3, 0.9), (0.7, 0.9), (0.62, 0.5), (0.38, 0.5), end=False)
    verdict(page, "bad")
    page.wait_for_function("document.activeElement.dataset.field === 'width_m'")
    for name, metres in (("width_m", "7"), ("length_m", "30")):
        page.fill(f"[data-field={name}]", metres)
        page.press(f"[data-field={name}]", "Tab")
    page.wait_for_selector("[data-rms]")
    page.screenshot(path=tmp_path / "rectangle.png")
    page.wait_for_selector("[data-verdict=good], [data-verdict=warn]")
    page.fill("[data-field=note]", "Giờ cấm xe tải")
    # What was not tried on stored tracks is saved by whoever says so.
    assert page.is_disabled("[data-do=save]")
    page.click("label:has([data-field=anyway])")
    page.click("[data-do=save]")
    page.wait_for_selector("[data-saved=good]")
    saved = yaml.safe_load(place.scene.read_text())
    zone = saved["zones"][-1]
    assert zone["hours"] == [{"start": "16:30", "end": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"]}]
    assert zone["classes"] == ["truck"]
    assert saved["calibration"]["rectangle"]["width_m"] == 7
    assert failures == []
    page.context.close()


def test_every_version_is_kept_on_either_database(place: Place, database: Database) -> None:
    office = place.station.office
    person = office.hire("giu", "operator")
    place.scene.write_text(SCENE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NGATU_TEST_TOKEN", TOKEN)
        boxes = Boxes([WorkerAccess(url=place.monitor, token_env="NGATU_TEST_TOKEN")], office.the.areas)
        desk = SceneDesk(database, boxes)
        assert [desk.scene(person, "cam-1")["version"] for _ in range(2)] == [1, 1]
        # By hand on the worker, then here.
        place.scene.write_text(SCENE.replace("0.95", "0.96"))
        found = desk.scene(person, "cam-1")
        assert found["version"] == 2
        data = {**found["data"], "time_zone": "Asia/Tokyo"}
        saved = desk.save(person, "cam-1", Draft(data, 2), found["etag"], "Giờ Tokyo")
        assert saved["version"] == 3
        assert place.scene.read_text() == SCENE.replace("0.95", "0.96") + "time_zone: Asia/Tokyo\n"
        third = desk.version(person, "cam-1", 3)
        assert [line for line in third["diff"] if line[0] in "+-"] == ["+time_zone: Asia/Tokyo"]
        told = [(one["number"], one["author"], one["note"]) for one in desk.versions("cam-1")]
        assert told == [(3, "giu", "Giờ Tokyo"), (2, "", ""), (1, "", "")]
        with database.read() as session:
            assert audit.verify(session).problem == ""
            assert audit.verify(session).entries == 1
        with pytest.raises(CameraError, match="nothing has been changed"):
            desk.save(person, "cam-1", Draft(data, 3), saved["etag"], "again")


def test_a_worker_is_asked_with_its_token_alone_and_one_that_is_gone_is_told(place: Place) -> None:
    office = place.station.office
    person = office.hire("chef", "admin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NGATU_TEST_TOKEN", "some other token")
        wrong = Boxes([WorkerAccess(url=place.monitor, token_env="NGATU_TEST_TOKEN")], office.the.areas)
        with pytest.raises(CameraError, match="no worker that answers"):
            wrong.told(person, "cam-1")
        patch.setenv("NGATU_TEST_TOKEN", TOKEN)
        boxes = Boxes([WorkerAccess(url=place.monitor, token_env="NGATU_TEST_TOKEN")], office.the.areas)
        desk = SceneDesk(office.the.database, boxes)
        found = desk.scene(person, "cam-1")
        draft = Draft({**found["data"], "time_zone": "Asia/Tokyo"}, found["version"])
        with pytest.raises(CameraError, match="changed meanwhile"):
            desk.save(person, "cam-1", draft, "0" * 64, "too late")
        for data in ({"zones": 10**6000}, {"zones": "\ud800"}, {"lanes": [{}]}):
            with pytest.raises(CameraError) as refused:
                desk.save(person, "cam-1", Draft(data, found["version"]), found["etag"], "hostile")
            assert refused.value.status == 422
        # A file that is spoilt by hand is not taken up: the camera's health says so.
        place.scene.write_text("zones: [")
        told = [""]
        deadline = time.monotonic() + 20
        while not any("not taken up" in notice for notice in told) and time.monotonic() < deadline:
            time.sleep(0.2)
            told = office.the.display.camera(person, "cam-1")["health"][0]["notices"]
        assert "not valid YAML" in told[0]
        assert desk.scene(person, "cam-1")["camera"]["notice"] == told[0]
        assert [line["event"] for line in place.worker.logs if line["level"] == "error"] == ["scene_refused"]
        before = len(desk.versions("cam-1"))
        place.worker.terminate()
        with pytest.raises(CameraError, match="does not answer") as gone:
            desk.save(person, "cam-1", draft, found["etag"], "nobody there")
        assert gone.value.status == 502
        assert len(desk.versions("cam-1")) == before

"""The pages of those who run the house in a real Chromium, and who reaches which page."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from pipeline.events.event import Event
from pipeline.ioc.desk import Filter
from pipeline.ioc.ingest.writer import Batch, Letter, Writer
from tests.events import examples
from tests.ioc.acts import with_data
from tests.ioc.office import PASSWORD, ROOT, TRANGBANG
from tests.ioc.real_bundle import film_case
from tests.ioc.test_console import HOSTILE, Station, browser, log_in

__all__ = ["browser"]
REACHED = {
    "/": {"viewer", "reviewer", "supervisor"},
    "/?state=all": {"viewer", "reviewer", "supervisor"},
    "/wall": {"viewer", "reviewer", "supervisor", "operator", "admin"},
    "/cameras": {"viewer", "reviewer", "supervisor", "operator", "admin"},
    "/accounts": {"admin"},
    "/audit": {"supervisor", "admin"},
    "/dead-letters": {"operator", "admin"},
    "/account": {"viewer", "reviewer", "supervisor", "operator", "admin"},
}
"""Page to roles."""
NOT_OF_A_PART = {"/dead-letters"}
"""For accounts of the whole area alone."""
ROLES = ("viewer", "reviewer", "supervisor", "operator", "admin")
LOOKS = [("vi", False), ("en", True)]
SIZES = [(1366, 768), (1920, 1080)]
OUTSIDE = """() => [...document.querySelectorAll(
  '.bar > *, .filters > *, .rows > *, .rows .tag, .me .panel, .act')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
}).map(one => one.className)"""
CUT = """() => [...document.querySelectorAll('.rows .r .tag')].filter(one =>
  one.getBoundingClientRect().right > one.closest('[role=cell]').getBoundingClientRect().right + 1).length"""


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    made = Station(tmp_path_factory.mktemp("pages"))
    yield made
    made.process.terminate()
    made.process.wait(timeout=20)
    made.outbox.close()
    made.office.the.database.close()


def letters(station: Station, *of: Letter) -> None:
    the = station.office.the
    Writer(the.database, the.areas).write(Batch(letters=of))


def recent(track: int, **data: object) -> Event:
    return with_data(examples.candidate("cam-1", track, time.time() - 60 + track), **data)


def test_each_page_is_reached_and_named_by_its_roles_alone(station: Station) -> None:
    for area in (ROOT, TRANGBANG):
        for role in ROLES:
            client = station.office.client(f"{role}{len(area)}", role, area)
            cookie = {"cookie": f"ngatu_session={client.cookies['ngatu_session']}"}
            mine = {path for path, roles in REACHED.items() if role in roles}
            mine -= set() if area == ROOT else NOT_OF_A_PART
            with httpx.Client(base_url=station.url, headers=cookie, timeout=30) as caller:
                for path in REACHED:
                    got = caller.get(path)
                    if path not in mine:
                        assert got.status_code == 303, (role, area, path)
                        assert got.headers["location"] in mine
                        continue
                    assert got.status_code == 200, (role, area, path)
                    named = {other for other in REACHED if f'"href":"{other}"' in got.text.replace(" ", "")}
                    assert named == mine, (role, area, path)
    for path in REACHED:
        got = httpx.get(station.url + path, timeout=30)
        assert (got.status_code, got.headers["location"]) == (303, "/login"), path


def answer(page: Page) -> None:
    """Enter, once a dialog's button is ready for it."""
    page.wait_for_selector(".asks .act:focus")
    page.keyboard.press("Enter")


def change_password(page: Page, old: str) -> None:
    page.wait_for_url("**/password")
    page.fill("#old", old)
    page.fill("#new", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")


@pytest.mark.slow
def test_an_admin_makes_an_account_that_can_log_in_and_ends_it(station: Station, browser: Browser) -> None:
    boss = log_in(browser, station, "boss", "admin")
    boss.goto(f"{station.url}/accounts")
    boss.wait_for_selector(".accounts .r[aria-selected=true]")
    boss.keyboard.press("n")
    boss.get_by_label("Tên đăng nhập").fill("nhan")
    boss.get_by_label("Họ và tên").fill("Lê Thị Nhàn")
    boss.get_by_label("Vai trò").last.click()
    boss.locator(".q-menu .q-item:has-text('Cán bộ xử lý')").click()
    boss.get_by_label("Khu vực").last.click()
    boss.locator(".q-menu .q-item:has-text('Trảng Bàng')").click()
    boss.keyboard.press("Escape")
    boss.locator(".asks .act.good").click()
    once = boss.locator(".once")
    once.wait_for()
    password = once.inner_text()
    answer(boss)
    once.wait_for(state="hidden")
    assert password not in boss.content()
    assert "Chưa đổi mật khẩu" in boss.inner_text(".side")
    # She logs in with it, must choose another, and is an officer of her town.
    nhan = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    nhan.goto(station.url)
    for attempt in (password, PASSWORD):
        nhan.fill("#name", "nhan")
        nhan.fill("#password", attempt)
        nhan.keyboard.press("Enter")
        if attempt == password:
            change_password(nhan, password)
    nhan.wait_for_selector(".bar")
    assert nhan.locator(".bar nav a").all_inner_texts()[0] == "Hồ sơ chờ xử lý"
    person = next(one for one in station.office.the.accounts.everybody() if one.name == "nhan")
    assert (person.role, person.areas) == ("reviewer", [TRANGBANG])
    # Another password of her own choice, by the page: she has to log in again.
    nhan.goto(f"{station.url}/account")
    nhan.get_by_label("Mật khẩu hiện tại").fill(PASSWORD)
    nhan.get_by_label("Mật khẩu mới (").fill("quite another secret")
    nhan.get_by_label("Nhập lại").fill("quite another secret")
    nhan.keyboard.press("Enter")
    nhan.wait_for_url("**/login")
    nhan.fill("#name", "nhan")
    nhan.fill("#password", "quite another secret")
    nhan.keyboard.press("Enter")
    nhan.wait_for_selector(".bar")
    # Disabled, after a question: what she does next leads out.
    boss.keyboard.press("d")
    boss.wait_for_selector(".asks:has-text('Vô hiệu hóa: Lê Thị Nhàn')")
    answer(boss)
    boss.wait_for_selector(".side .tag.bad:has-text('Đã vô hiệu')")
    nhan.goto(f"{station.url}/account")
    assert nhan.url.endswith("/login")
    for page in (nhan, boss):
        page.context.close()


@pytest.mark.slow
def test_dead_letters_are_shown_as_text_and_taken_in_again(station: Station, browser: Browser) -> None:
    first, second = recent(1), recent(2)
    body = '{"a": "' + HOSTILE.replace('"', "'") + '\u202e"}'
    letters(
        station,
        Letter("topic/0/1", "its type was not known", first.to_json(), "outbox"),
        Letter("topic/0/2", "its type was not known", second.to_json(), "outbox"),
        Letter(f"topic/0/3 {HOSTILE}", HOSTILE, body, "kafka", '{"ce_id": "<b>"}'),
    )
    page = log_in(browser, station, "op", "operator")
    page.goto(f"{station.url}/dead-letters")
    page.wait_for_selector(".letters .r[aria-selected=true]")
    assert HOSTILE in page.inner_text(".side h2")
    # What would turn the line around is written out.
    assert "\\u202e" in page.inner_text(".raw.body")
    assert page.evaluate("window.hacked") is None
    page.keyboard.press("j")
    page.wait_for_selector(".side h2:has-text('not known')")
    page.keyboard.press("r")
    page.wait_for_function("document.querySelectorAll('.letters .r:not(.h)').length === 2")
    mai = station.office.hire("mai", "reviewer")
    assert station.office.the.desk.case(mai, second.id).row.id == second.id
    page.keyboard.press("a")
    page.wait_for_selector(".asks:has-text('Nhận lại tất cả')")
    answer(page)
    page.wait_for_selector(".filters:has-text('Đã nhận: 1 · vẫn lỗi: 1')")
    assert station.office.the.desk.case(mai, first.id).row.id == first.id
    assert page.locator(".letters .r:not(.h)").count() == 1
    page.context.close()


@pytest.mark.slow
def test_a_case_is_held_and_taken_out_and_the_log_tells_it(
    station: Station, browser: Browser, tmp_path: Path
) -> None:
    case = film_case(tmp_path / "film")
    case_id = case.into(station.office)
    page = log_in(browser, station, "lan", "supervisor")
    page.goto(f"{station.url}/cases/{case_id}")
    page.wait_for_selector(".tag.good:has-text('SHA-256')")

    def taken(button: str) -> bytes:
        with page.expect_download() as told:
            page.locator(button).click()
        return Path(told.value.path()).read_bytes()

    page.keyboard.press("h")
    page.get_by_label("Lý do", exact=True).fill("Khiếu nại số 12")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tag.warn:has-text('Khiếu nại số 12')")
    assert taken(".exports a >> nth=0").startswith(b"%PDF-")
    original = zipfile.ZipFile(io.BytesIO(taken(".exports a >> nth=1")))
    assert any(name.endswith("manifest.sig") for name in original.namelist())
    copied = zipfile.ZipFile(io.BytesIO(taken(".exports a >> nth=2")))
    assert any(name.endswith("copy.json") for name in copied.namelist())
    page.goto(f"{station.url}/?state=all")
    page.wait_for_selector(".entry")
    listed = taken("[aria-label$=CSV]").decode("utf-8-sig")
    assert case_id in [row["id"] for row in csv.DictReader(io.StringIO(listed))]
    assert case_id in taken("[aria-label$=JSON]").decode()
    page.goto(f"{station.url}/audit")
    page.wait_for_selector(".chainbox .tag.good:has-text('Nguyên vẹn')")
    page.get_by_label("Hồ sơ / đối tượng").fill(case_id)
    page.wait_for_function("document.querySelectorAll('.audit .r:not(.h)').length === 4")
    told = page.inner_text(".audit")
    for action in ("Đặt lưu giữ", "Xuất phiếu PDF", "Xuất gói bằng chứng"):
        assert action in told
    page.context.close()


@pytest.mark.slow
def test_pages_fit_the_screen_and_what_strangers_wrote_stays_text(
    station: Station, browser: Browser, tmp_path: Path
) -> None:
    name, at_s = HOSTILE[:60], time.time() - 57
    shown = {name: [[at_s - 8, at_s - 2, "green"], [at_s - 2, at_s + 2, "red"]]}
    camera = {"id": "cam-1", "name": name, "place": name}
    case = station.act(3, facts={"lamp_shown": shown, name: name}, camera=camera)
    the = station.office.the
    the.accounts.create("stranger", HOSTILE[:100], "admin", [ROOT], PASSWORD, by="test", must_change=False)
    letters(station, Letter(f"topic/9/{HOSTILE}", HOSTILE, HOSTILE, "kafka", HOSTILE))
    boss, lan = station.office.hire("stranger", "admin"), station.office.hire("lan", "supervisor")
    deadline = time.monotonic() + 30
    while case not in {row.id for row in the.desk.cases(lan, Filter(state="all")).rows}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    the.desk.decide(lan, case, "second_look", note=HOSTILE)
    the.desk.hold(lan, case, held=True, reason=HOSTILE)
    run = {
        "accounts": ".accounts .r.on",
        "audit": ".chainbox .tag.good",
        "dead-letters": ".letters .r.on",
        "account": ".login",
    }
    pages = {boss: run, lan: {f"cases/{case}": ".strip .run.red"}}
    for person, of in pages.items():
        page = log_in(browser, station, person.name, person.role)
        for language, dark in LOOKS:
            the.accounts.prefer(person, language=language, dark=dark)
            for path, there in of.items():
                page.goto(f"{station.url}/{path}")
                page.wait_for_selector(there)
                assert page.evaluate("document.body.classList.contains('body--dark')") == dark
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    look = f"{path.partition('/')[0]}-{width}-{language}-{'dark' if dark else 'light'}.png"
                    page.screenshot(path=tmp_path / look)
                    assert (page.evaluate(OUTSIDE), page.evaluate(CUT)) == ([], 0), look
                assert page.evaluate("window.hacked") is None, path
                assert page.locator("img[src=x]").count() == 0
        if person is lan:
            assert name in page.inner_text(".signals")
            assert HOSTILE in page.inner_text("main")
        page.context.close()

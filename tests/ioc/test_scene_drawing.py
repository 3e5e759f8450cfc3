"""The scene editor under an operator's hand: numbers, slow answers, two at once, files that are spoilt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.ioc.test_console import browser, log_in
from tests.ioc.test_scenes import SCENE, Place, draw, place, screen, verdict

__all__ = ["browser", "place"]
pytestmark = pytest.mark.slow
JUNCTION = SCENE.replace(
    "rules:",
    """lamps:
  - {id: left, box: [0.9, 0.05, 0.92, 0.2]}
  - {id: ball, box: [0.95, 0.05, 0.97, 0.2]}
stop_lines:
  - id: south
    line: [[0.2, 0.6], [0.8, 0.6]]
    travel: [[0.5, 0.8], [0.5, 0.4]]
    movements: {left: {lamp: left}, straight: {lamp: ball}}
rules:""",
)
ANSWERS_LATER = """(() => { const plain = window.fetch; window.fetch = async (...asked) => {
  const answer = await plain(...asked), name = asked[1]?.method + String(asked[0]).split('/').pop();
  const later = (window.later ?? {})[name];
  if (later) await new Promise(go => setTimeout(go, later));
  return answer; }; })();"""


def editor(place: Place, browser: Browser, name: str, scene: str = SCENE) -> Page:
    place.scene.write_text(scene)
    page = log_in(browser, place.station, name, "operator")
    page.add_init_script(ANSWERS_LATER)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{place.station.url}/cameras/cam-1/scene")
    page.wait_for_selector(".canvas image[data-seen]")
    page.wait_for_selector("[data-verdict], [data-unreadable]")
    return page


def asked(page: Page, act: Callable[[], object]) -> Any:
    """What the page asks to be checked once `act` is done."""
    with page.expect_request(lambda request: request.url.endswith("/check")) as found:
        act()
    return found.value.post_data_json["data"]


def save(page: Page, note: str) -> None:
    page.wait_for_selector("[data-verdict=good], [data-verdict=warn]")
    page.fill("[data-field=note]", note)
    if not page.is_checked("[data-field=anyway]"):
        page.click("label:has([data-field=anyway])")
    page.click("[data-do=save]")


def test_a_decimal_comma_is_a_decimal_point_and_what_is_no_number_is_refused(
    place: Place, browser: Browser
) -> None:
    page = editor(place, browser, "so")
    # Metres that were not given yet are none.
    drawn = asked(page, lambda: draw(page, "c", (0.3, 0.9), end=False))
    assert drawn["calibration"]["points"][0]["ground_m"] == [None, None]
    verdict(page, "bad")
    page.keyboard.press("Escape")
    for typed, expected in (
        ("3,5", 3.5),
        ("-0,25", -0.25),
        ("1204567.891", 1204567.891),
        ("0", 0),
        ("1.234,5", "1.234,5"),
        ("1e", "1e"),
        ("", None),
    ):

        def type_it(text: str = typed) -> None:
            page.fill("[data-metre='0-0']", text)
            page.press("[data-metre='0-0']", "Tab")

        assert asked(page, type_it)["calibration"]["points"][0]["ground_m"][0] == expected, typed
    page.fill("[data-metre='0-0']", "1.234,5")
    page.press("[data-metre='0-0']", "Tab")
    page.wait_for_selector(".problem:has-text('không phải là một số')")
    # A limit likewise, and a limit that is emptied is gone.
    page.click("[data-item='lanes/0']")
    for typed, expected in (("52,5", 52.5), ("", None)):
        found = asked(
            page,
            lambda text=typed: (
                page.fill("[data-field=limit]", text),
                page.press("[data-field=limit]", "Tab"),
            ),
        )
        assert found["lanes"][0].get("limit_kmh") == expected
    page.context.close()


def test_answers_that_come_late_take_nothing_from_the_hand(place: Place, browser: Browser) -> None:
    page = editor(place, browser, "cham")
    page.evaluate("window.later = {POSTcheck: 900}")
    page.check("input[data-rule=stalled]")
    page.click("[data-field=note]")
    page.keyboard.type("Thêm quy tắc xe hỏng", delay=80)
    verdict(page, "good")
    assert page.input_value("[data-field=note]") == "Thêm quy tắc xe hỏng"
    # A parameter that is being typed.
    page.uncheck("input[data-rule=stalled]")
    page.locator("details[data-rule=wrong_way]").evaluate("one => { one.open = true; }")
    page.click("[data-field='wrong_way.min_confidence']")
    page.keyboard.type("0,75", delay=350)
    found = asked(page, lambda: page.keyboard.press("Tab"))
    assert found["rules"]["wrong_way"] == {"min_confidence": 0.75}
    verdict(page, "good")
    # Pressed with a field still open: what was typed counts, and so does the click.
    page.click("[data-item='lanes/0']")
    page.fill("[data-field=id]", "north2")
    page.hover("[data-do=delete]")
    page.mouse.down()
    page.wait_for_timeout(60)
    found = asked(page, page.mouse.up)
    assert "lanes" not in found
    found = asked(page, lambda: page.click("[data-do=undo]"))
    assert found["lanes"][0]["id"] == "north2"
    # A note is no licence to save what the check has not seen.
    page.fill("[data-field=note]", "chưa kiểm tra")
    page.click("[data-item='lanes/0']")
    page.fill("[data-field=id]", "Làn bắc")
    page.locator("[data-field=id]").blur()
    assert page.is_disabled("[data-do=save]")
    verdict(page, "bad")
    assert "chữ không dấu hoặc chữ số" in page.inner_text(".problem")
    page.context.close()


def test_what_is_drawn_while_a_scene_is_sent_stays_and_who_is_second_loses_nothing(
    place: Place, browser: Browser
) -> None:
    page = editor(place, browser, "nhanh")
    other = editor(place, browser, "sau")
    draw(other, "i", (0.8, 0.1), (0.9, 0.1), (0.9, 0.3))
    page.evaluate("window.later = {'PUTcam-1': 1500}")
    page.check("input[data-rule=stalled]")
    save(page, "Xe hỏng")
    page.focus(".canvas")
    draw(page, "z", (0.1, 0.5), (0.15, 0.5), (0.15, 0.7))
    page.wait_for_selector("[data-saved=good]")
    assert page.locator("[data-item^=zones]").count() == 1
    assert "zones" not in yaml.safe_load(place.scene.read_text())
    save(page, "Và một vùng")
    page.wait_for_function("document.querySelectorAll('[data-version]').length >= 3")
    page.wait_for_selector("[data-saved=good]")
    assert [zone["id"] for zone in yaml.safe_load(place.scene.read_text())["zones"]] == ["zone1"]
    # The second is told; looks at it, and has the own drawing back by one step.
    save(other, "Vùng bỏ qua")
    other.wait_for_selector("[data-saved=bad]")
    assert "người khác" in other.inner_text("[data-saved]")
    assert asked(other, lambda: other.click("[data-do=theirs]"))["zones"]
    assert other.locator("[data-item^=ignore]").count() == 0
    assert asked(other, lambda: other.click("[data-do=undo]"))["ignore"]
    other.wait_for_selector("[data-verdict]")
    assert "- id: zone1" in other.text_content(".diff")
    other.click("[data-do=undo] + button")
    draw(other, "i", (0.8, 0.1), (0.9, 0.1), (0.9, 0.3))
    save(other, "Vùng bỏ qua")
    other.wait_for_selector("[data-saved=good]")
    saved = yaml.safe_load(place.scene.read_text())
    assert (len(saved["zones"]), len(saved["ignore"])) == (1, 1)
    for one in (page, other):
        one.context.close()


def test_a_version_is_shown_against_the_file_and_once_undone_has_no_say(
    place: Place, browser: Browser
) -> None:
    editor(place, browser, "ban1").context.close()
    surveyed = SCENE.replace("both lanes.", "both lanes, surveyed.").replace("0.95", "0.96")
    page = editor(place, browser, "ban2", surveyed)
    older = page.locator("[data-version]").nth(1)
    older.click()
    page.click("[data-do=restore]")
    verdict(page, "good")
    assert "+    polygon: [[0.2, 0.95]" in page.text_content("details .diff")
    asked(page, lambda: page.click("[data-do=undo]"))
    page.check("input[data-rule=stalled]")
    save(page, "Xe hỏng")
    page.wait_for_selector("[data-saved=good]")
    assert place.scene.read_text() == surveyed + "  stalled: {}\n"
    page.context.close()


def test_corners_lie_where_the_hand_put_them(place: Place, browser: Browser) -> None:
    page = editor(place, browser, "tay")
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    # A double click whose hand trembles ends the line; two corners that are near each other are two.
    page.keyboard.press("v")
    for point in ((0.3, 0.3), (0.3, 0.32), (0.35, 0.5)):
        page.mouse.click(*screen(page, *point))
    x, y = screen(page, 0.4, 0.7)

    def twice() -> None:
        for count in (1, 2):
            page.mouse.move(x + count - 1, y - count + 1)
            page.mouse.down(click_count=count)
            page.mouse.up(click_count=count)

    line = asked(page, twice)["solid_lines"][0]["line"]
    assert len(line) == 4
    assert line[1] == pytest.approx([0.3, 0.32], abs=0.001)
    # A lane that is pulled over the edge stops there, and keeps its form.
    page.click("[data-item='lanes/0']")
    for way, expected in ((-0.1, 0.1), (-0.35, 0.0)):
        page.mouse.move(*screen(page, 0.45, 0.85))
        page.mouse.down()
        page.mouse.move(*screen(page, 0.45 + way / 2, 0.85))
        page.mouse.move(*screen(page, 0.45 + way, 0.85))
        polygon = asked(page, page.mouse.up)["lanes"][0]["polygon"]
        assert polygon[0][0] == pytest.approx(expected, abs=0.002)
        assert polygon[3][0] - polygon[0][0] == pytest.approx(0.6, abs=0.001)
    # Undone in the middle of a pull: nothing breaks, and the pull can be undone afterwards.
    page.mouse.move(*screen(page, *polygon[1]))
    page.mouse.down()
    page.mouse.move(*screen(page, 0.3, 0.3))
    page.keyboard.press("Control+z")
    page.mouse.move(*screen(page, 0.3, 0.2))
    assert asked(page, page.mouse.up)["lanes"][0]["polygon"][1] == pytest.approx([0.3, 0.2], abs=0.002)
    assert asked(page, lambda: page.keyboard.press("Control+z"))["lanes"][0]["polygon"] == polygon
    # Whatever the window and however near one looks.
    page.keyboard.press("Escape")
    for width, height, turns in ((1366, 768, 6), (900, 1000, 0), (1900, 600, 2)):
        page.set_viewport_size({"width": width, "height": height})
        page.keyboard.press("0")
        page.mouse.move(*screen(page, 0.5, 0.5))
        for _ in range(turns):
            page.mouse.wheel(0, -100)
        page.wait_for_timeout(200)
        corners = [(0.48, 0.48), (0.52, 0.48), (0.52, 0.53)]
        zone = asked(page, lambda c=corners: draw(page, "z", *c))["zones"][-1]["polygon"]
        for found, corner in zip(zone, corners, strict=True):
            assert found == pytest.approx(corner, abs=0.002)
        page.keyboard.press("Escape")
    assert failures == []
    page.context.close()


def test_a_place_stays_where_it_is_looked_at(place: Place, browser: Browser, tmp_path: Path) -> None:
    page = editor(place, browser, "nhin")
    for size in ((1900, 560), (900, 1000)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.keyboard.press("0")
        x, y = screen(page, 0.3, 0.5)
        page.mouse.move(x, y)
        for _ in range(4):
            page.mouse.wheel(0, -100)
        page.wait_for_timeout(200)
        # What is pulled stays under the hand.
        page.mouse.down()
        page.mouse.move(x + 60, y + 20)
        page.mouse.up()
        assert screen(page, 0.3, 0.5) == pytest.approx((x + 60, y + 20), abs=2)
    # A still of another shape, as of a 4:3 stream for analysis: zoom and place stay.
    before, wide = page.get_attribute(".canvas", "viewBox"), page.get_attribute(".canvas image", "height")
    Image.new("RGB", (704, 576)).save(tmp_path / "narrow.jpg")
    page.route("**/still*", lambda route: route.fulfill(path=tmp_path / "narrow.jpg"))
    page.wait_for_function(f"document.querySelector('.canvas image').getAttribute('height') !== '{wide}'")
    after = page.get_attribute(".canvas", "viewBox")
    assert before is not None
    assert after is not None
    x, _, w, _ = map(float, before.split())
    assert list(map(float, after.split()))[::2] == [x, w]
    page.context.close()


def test_a_lamp_keeps_what_it_governs_through_any_renaming(place: Place, browser: Browser) -> None:
    page = editor(place, browser, "den", JUNCTION)

    def rename(name: str) -> Any:
        def act() -> None:
            page.fill("[data-field=id]", name)
            page.locator("[data-field=id]").blur()

        return asked(page, act)["stop_lines"][0]["movements"]

    page.click("[data-item='lamps/0']")
    assert rename("turn") == {"left": {"lamp": "turn"}, "straight": {"lamp": "ball"}}
    # Over the other lamp's name and on: what the other governs is never taken along.
    assert rename("ball")["straight"] == {"lamp": "ball"}
    assert rename("arrow")["straight"] == {"lamp": "ball"}
    verdict(page, "bad")
    # A lamp that is gone stays named where it was asked for.
    page.click("[data-item='stop_lines/0']")
    shown = page.locator("[data-way=left]").evaluate("one => one.selectedOptions[0].textContent")
    assert shown == "turn"
    page.select_option("[data-way=left]", "arrow")
    verdict(page, "good")
    page.context.close()


SPOILT = [
    (SCENE.replace("lanes:", "lanes:\n\t- x"), "dòng 3:  thụt dòng bằng tab"),
    ("", "dòng 1:  tệp trống"),
    (SCENE + "zones: {a: {}}\n", "zones must be a list"),
    (SCENE + "calibration: {points: [null]}\n", "calibration.points[0] must be a mapping"),
]


def test_a_file_that_cannot_be_drawn_is_told_and_never_called_sound(place: Place, browser: Browser) -> None:
    page = editor(place, browser, "hong")
    for text, reason in SPOILT:
        place.scene.write_text(text)
        page.reload()
        page.wait_for_selector("[data-unreadable]")
        page.wait_for_timeout(1500)
        side = page.inner_text(".props")
        assert " ".join(reason.split()) in " ".join(side.split())
        assert "Hợp lệ" not in side
        assert page.is_disabled("[data-do=save]")
    # One goes on from a version.
    page.locator("[data-version]").filter(has_text="đang dùng").first.click()
    page.click("[data-do=restore]")
    save(page, "Tệp hỏng")
    page.wait_for_selector("[data-saved=good]")
    assert place.scene.read_text() == SCENE
    assert page.locator("[data-unreadable]").count() == 0
    page.context.close()


def test_a_complaint_about_the_file_before_is_not_taken_for_one_about_what_is_saved(
    place: Place, browser: Browser
) -> None:
    editor(place, browser, "cu").context.close()
    page = editor(place, browser, "cu", "zones: [")
    refused = page.locator(".tag.bad", has_text="có lỗi")
    for _ in range(40):
        if refused.count():
            break
        page.wait_for_timeout(250)
        page.reload()
        page.wait_for_selector("[data-unreadable]")
    assert refused.count() == 1
    page.locator("[data-version]").filter(has_text="đang dùng").first.click()
    page.click("[data-do=restore]")
    save(page, "Sửa tệp hỏng")
    page.wait_for_selector("[data-saved]:not([data-saved=''])")
    assert page.get_attribute("[data-saved]", "data-saved") == "good"
    assert refused.count() == 0
    page.context.close()


def test_what_was_not_saved_is_offered_again_to_whom_it_is(
    place: Place, browser: Browser, tmp_path: Path
) -> None:
    page = editor(place, browser, "roi")
    assert page.locator("[data-left]").count() == 0
    drawn = asked(page, lambda: draw(page, "z", (0.1, 0.1), (0.3, 0.1), (0.3, 0.3)))
    # As after a night of sleep, or a lost login.
    page.reload()
    page.wait_for_selector("[data-left]")
    page.screenshot(path=tmp_path / "left.png")
    assert page.locator("[data-item^=zones]").count() == 0
    assert asked(page, lambda: page.click("[data-do=left]")) == drawn
    assert page.locator("[data-left]").count() == 0
    save(page, "Vùng")
    page.wait_for_selector("[data-saved=good]")
    page.reload()
    verdict(page, "good")
    assert page.locator("[data-left]").count() == 0
    # Nobody else is offered it.
    asked(page, lambda: draw(page, "i", (0.8, 0.1), (0.9, 0.1), (0.9, 0.3)))
    page.context.clear_cookies()
    place.station.office.hire("khac", "operator")
    page.goto(place.station.url)
    page.fill("#name", "khac")
    page.fill("#password", "a long enough secret")
    page.keyboard.press("Enter")
    page.wait_for_selector(".bar")
    page.goto(f"{place.station.url}/cameras/cam-1/scene")
    verdict(page, "good")
    assert page.locator("[data-left]").count() == 0
    page.context.close()

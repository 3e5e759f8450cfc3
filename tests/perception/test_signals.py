"""Reading lamps: drawn heads with known answers, and real ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.perception.lamps import read_lamp
from pipeline.perception.signals import SignalReader
from pipeline.types import Lamp, LampColor, LampLayout, SignalState

RED, YELLOW, GREEN, OFF, UNKNOWN = (
    LampColor.RED,
    LampColor.YELLOW,
    LampColor.GREEN,
    LampColor.OFF,
    LampColor.UNKNOWN,
)
HUES = {RED: 178, YELLOW: 25, GREEN: 90}
PLACES = {RED: 0.2, YELLOW: 0.5, GREEN: 0.8}


def head(
    lit: LampColor | None,
    *,
    hue: int | None = None,
    width: int = 24,
    over_exposed: bool = False,
    background: int = 45,
    value: int = 230,
    seed: int = 0,
) -> np.ndarray:
    """A vertical head, three times as high as wide, with the sensor's noise."""
    height = 3 * width
    picture = np.full((height, width, 3), background, np.uint8)
    for place in PLACES.values():
        cv2.circle(picture, (width // 2, int(place * height)), int(0.38 * width), (40, 36, 34), -1)
    if lit in PLACES:
        colour = np.uint8([[[HUES[lit] if hue is None else hue, 215, value]]])
        bgr = [int(channel) for channel in cv2.cvtColor(colour, cv2.COLOR_HSV2BGR)[0, 0]]
        centre = (width // 2, int(PLACES[lit] * height))
        cv2.circle(picture, centre, int(0.38 * width), bgr, -1)
        if over_exposed:
            cv2.circle(picture, centre, int(0.25 * width), (250, 252, 255), -1)
            picture = cv2.GaussianBlur(picture, (0, 0), 0.06 * width)
    noise = np.random.default_rng(seed).normal(0, 4, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("color", [RED, YELLOW, GREEN])
@pytest.mark.parametrize("width", [6, 8, 10, 24, 60])
def test_heads_of_all_sizes_are_read(color: LampColor, width: int) -> None:
    assert read_lamp(head(color, width=width), "vertical").color is color
    assert read_lamp(np.rot90(head(color, width=width)).copy(), "horizontal").color is color


@pytest.mark.parametrize("width", [6, 10, 24])
def test_a_dark_head_is_off(width: int) -> None:
    for background in (10, 45, 120, 200):
        assert read_lamp(head(None, width=width, background=background), "vertical").color is OFF


@pytest.mark.parametrize("hue", [13, 15, 18])
def test_an_orange_looking_red_is_red(hue: int) -> None:
    assert read_lamp(head(RED, hue=hue), "vertical").color is RED
    assert read_lamp(head(YELLOW, hue=hue), "vertical").color is YELLOW, "place outranks hue"
    lamp = head(RED, hue=hue)[:26]
    assert read_lamp(lamp, "single").color is UNKNOWN, "without a place it may be either"


@pytest.mark.parametrize(("color", "rows"), [(RED, (0, 26)), (YELLOW, (23, 49)), (GREEN, (46, 72))])
def test_one_lamp_alone_is_read_by_its_hue(color: LampColor, rows: tuple[int, int]) -> None:
    assert read_lamp(head(color)[slice(*rows)], "single").color is color
    assert read_lamp(head(None)[slice(*rows)], "single").color is OFF


@pytest.mark.parametrize("color", [RED, GREEN, YELLOW])
def test_a_white_core_does_not_hide_the_colour(color: LampColor) -> None:
    assert read_lamp(head(color, over_exposed=True), "vertical").color is color


def test_a_lamp_glows_at_night() -> None:
    night = head(RED, background=4, over_exposed=True, value=255)
    assert read_lamp(night, "vertical").color is RED


def test_what_contradicts_itself_is_unknown() -> None:
    both = np.vstack((head(RED)[:36], head(GREEN)[36:]))
    assert read_lamp(both, "vertical").color is UNKNOWN
    upside_down = head(RED)[::-1].copy()
    assert read_lamp(upside_down, "vertical").color is UNKNOWN


def test_a_red_bus_in_front_is_not_a_red_lamp() -> None:
    bus = np.full((72, 24, 3), (30, 30, 200), np.uint8)
    assert read_lamp(bus, "vertical").color is UNKNOWN


BUSES = {"red": (30, 30, 200), "orange": (20, 90, 235), "yellow": (30, 180, 230), "green": (70, 160, 40)}


def street(shown: np.ndarray, bus: str | None = None, side: str = "left", share: float = 0.0) -> LampColor:
    """What is read of a head in a street while a bus goes before so much of it, from one side on."""
    picture = np.full((300, 300, 3), 110, np.uint8)
    rows, columns = slice(120, 120 + shown.shape[0]), slice(140, 140 + shown.shape[1])
    picture[rows, columns] = shown
    if bus is not None:
        across, down = (round(share * edge) for edge in (shown.shape[1], shown.shape[0]))
        hidden = {"left": picture[:, : 140 + across], "right": picture[:, columns.stop - across :]}
        hidden.get(side, picture[rows.stop - down :])[:] = BUSES[bus]
    layout: LampLayout = "single" if shown.shape[0] == shown.shape[1] else "vertical"
    return read_lamp(picture, layout, (rows, columns)).color


@pytest.mark.parametrize("bus", BUSES)
@pytest.mark.parametrize("side", ["left", "right", "below"])
@pytest.mark.parametrize("width", [6, 12, 24])
def test_a_bus_before_a_part_of_a_head_lends_it_no_colour(bus: str, side: str, width: int) -> None:
    for lit in (GREEN, RED):
        top = round(PLACES[lit] * 3 * width - width / 2)
        shown = head(lit, width=width)
        for share in (0.1, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0):
            assert street(shown, bus, side, share) in (lit, OFF, UNKNOWN), (lit, share)
            arrow = shown[top : top + width]
            assert street(arrow, bus, side, share) in (lit, OFF, UNKNOWN), (lit, share, "single")
    assert street(arrow, bus, side, 1.0) is UNKNOWN


@pytest.mark.parametrize("color", [RED, YELLOW, GREEN])
@pytest.mark.parametrize("width", [6, 10, 24])
def test_bloom_around_a_lamp_at_night_is_its_own(color: LampColor, width: int) -> None:
    """An arrow that glows half its size beyond its box on every side, beside another one."""
    centre, hue = (150, 150), np.uint8([[[HUES[color], 215, 230]]])
    glow = [int(channel) for channel in cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0]]
    picture = np.full((300, 300, 3), 8, np.uint8)
    cv2.circle(picture, centre, width, glow, -1)
    cv2.circle(picture, (150 + 3 * width, 150), width // 2, glow, -1)
    box = slice(150 - width // 2, 150 - width // 2 + width)
    assert read_lamp(picture, "single", (box, box)).color is color


def test_a_head_at_the_pictures_corner_is_read() -> None:
    picture = np.full((100, 60, 3), 110, np.uint8)
    picture[:72, :24] = head(RED)
    assert read_lamp(picture, "vertical", (slice(0, 72), slice(0, 24))).color is RED


def test_foliage_is_not_a_green_lamp() -> None:
    leaves = np.full((72, 24, 3), (40, 110, 60), np.uint8)
    assert read_lamp(leaves, "vertical").color is OFF


@pytest.mark.parametrize("size", [(0, 0), (2, 8), (8, 1)])
def test_too_small_a_crop_is_unknown(size: tuple[int, int]) -> None:
    assert read_lamp(np.zeros((*size, 3), np.uint8), "vertical").color is UNKNOWN


@pytest.mark.parametrize(("color", "wrong"), [("red", 1), ("yellow", 0), ("green", 1)])
def test_real_heads_are_read(shared_dir: Path, color: str, wrong: int) -> None:
    paths = sorted((shared_dir / "real" / "signals" / color).iterdir())
    read = Counter(read_lamp(cv2.imread(str(path)), "vertical").color.value for path in paths)
    assert read[color] >= len(paths) - wrong, read
    assert set(read) <= {color, "off", "unknown"}, "never another colour"


# Over time -----------------------------------------------------------------------------------------------


def follow(shown: list[tuple[float, LampColor | None]], **drawn: int) -> list[SignalState]:
    """States of one lamp that shows these colours at these moments."""
    reader = SignalReader([Lamp("lamp", (0.25, 0.2, 0.75, 0.8))])
    states = []
    for index, (time_s, lit) in enumerate(shown):
        picture = np.full((120, 48, 3), 90, np.uint8)
        picture[24:96, 12:36] = head(lit, seed=index, **drawn)
        states.append(reader.update(picture, 1e9 + time_s)["lamp"])
    return states


def every(gap_s: float, *spans: tuple[float, LampColor | None]) -> list[tuple[float, LampColor | None]]:
    """(duration, colour) spans as frames at a fixed gap."""
    frames: list[tuple[float, LampColor | None]] = []
    for duration_s, color in spans:
        start_s = len(frames) * gap_s
        frames += [(start_s + n * gap_s, color) for n in range(round(duration_s / gap_s))]
    return frames


@pytest.mark.parametrize("gap_s", [0.04, 0.16, 0.24])
def test_red_is_found_within_half_a_second(gap_s: float) -> None:
    shown = every(gap_s, (5, GREEN), (3, RED))
    lit_s = next(time_s for time_s, color in shown if color is RED)
    states = follow(shown)
    found_s = next(time_s for (time_s, _), state in zip(shown, states, strict=True) if state.color is RED)
    assert 0 < found_s - lit_s <= 0.5
    assert states[-1].since_s == pytest.approx(1e9 + lit_s), "since the first frame that showed it"


@pytest.mark.parametrize("gap_s", [0.04, 0.16, 0.24])
@pytest.mark.parametrize("seed", range(4))
def test_red_survives_flicker(gap_s: float, seed: int) -> None:
    """Dark in a quarter of frames, at random, orange-looking."""
    rng = np.random.default_rng(seed)
    shown = [(time_s, color if rng.random() > 0.25 else None) for time_s, color in every(gap_s, (60, RED))]
    states = follow(shown, hue=16)
    settled = [state for (time_s, _), state in zip(shown, states, strict=True) if time_s > 1.5]
    assert {state.color for state in settled} == {RED}
    assert len({state.since_s for state in settled}) == 1


@pytest.mark.parametrize("gap_s", [0.07, 0.16, 0.5])
def test_red_that_beats_with_the_shutter_began_once(gap_s: float) -> None:
    """Dark for 4 s in every 16: off then, and the same red after it."""
    shown = every(gap_s, (12, RED), (4, None), (12, RED), (4, None), (4, RED))
    states = follow(shown)
    dark = [state.color for (time_s, _), state in zip(shown, states, strict=True) if 14 < time_s < 15.8]
    assert set(dark) == {OFF}
    red = [state.since_s for state in states if state.color is RED]
    assert red[-1] == pytest.approx(1e9)
    assert len(set(red)) == 1
    assert states[-1].color is RED


def test_red_that_a_bus_hides_for_a_moment_began_before_it() -> None:
    reader = SignalReader([Lamp("lamp", (0.4, 0.2, 0.6, 0.8))])
    states = []
    for n in range(90):
        picture = np.full((120, 120, 3), 110, np.uint8)
        picture[24:96, 48:72] = head(RED, seed=n)
        if 40 <= n < 60:
            picture[20:, 10:] = BUSES["red"]
        states.append(reader.update(picture, 1e9 + n / 6)["lamp"])
    assert states[58].color is UNKNOWN
    assert (states[-1].color, states[-1].since_s) == (RED, states[30].since_s)


@pytest.mark.parametrize("between", [((8, None),), ((4, None), (3, YELLOW)), ((2, GREEN), (2, None))])
def test_a_red_after_another_phase_is_a_new_one(between: tuple[tuple[float, LampColor | None], ...]) -> None:
    shown = every(0.16, (8, RED), *between, (6, RED))
    lit_s = max(time_s for time_s, color in shown if color is not RED) + 0.16
    states = follow(shown)
    assert states[-1].color is RED
    assert states[-1].since_s == pytest.approx(1e9 + lit_s)


@pytest.mark.parametrize("gap_s", [0.04, 0.16])
def test_an_unlit_amber_is_off_and_never_red(gap_s: float) -> None:
    shown = every(gap_s, (5, GREEN), (3, None), (2, RED))
    states = follow(shown)
    before_red = [state.color for (_, color), state in zip(shown, states, strict=True) if color is not RED]
    assert RED not in before_red
    assert before_red[-1] is OFF
    assert states[-1].color is RED


def test_a_steady_red_that_goes_out_is_not_held_for_a_second() -> None:
    shown = every(0.16, (8, RED), (3, None))
    states = follow(shown)
    held = [time_s for (time_s, _), state in zip(shown, states, strict=True) if state.color is RED]
    assert held[-1] - 8 < 0.55


def test_red_ends_with_the_first_frame_of_green() -> None:
    shown = every(0.16, (8, RED), (2, GREEN))
    states = follow(shown)
    colors = [state.color for (_, color), state in zip(shown, states, strict=True) if color is GREEN]
    assert RED not in colors
    assert colors[-1] is GREEN


def test_one_odd_frame_does_not_end_red() -> None:
    shown = [*every(0.16, (4, RED)), (4.0, GREEN), *[(4.16 + n * 0.16, RED) for n in range(10)]]
    states = follow(shown)
    assert states[25].color is UNKNOWN
    assert states[-1].color is RED
    assert states[-1].since_s == states[5].since_s


def test_one_flash_of_red_is_not_red() -> None:
    shown = [*every(0.16, (4, None)), (4.0, RED), *[(4.16 + n * 0.16, None) for n in range(20)]]
    assert RED not in {state.color for state in follow(shown)}


@pytest.mark.parametrize("gap_s", [0.07, 0.16, 0.5])
def test_a_red_bus_that_stops_before_a_green_arrow_hides_it(gap_s: float) -> None:
    reader = SignalReader([Lamp("arrow", (0.4, 0.4, 0.6, 0.6), "single")])
    shown = []
    for n in range(round(20 / gap_s)):
        picture = np.full((120, 120, 3), 110, np.uint8)
        picture[48:72, 48:72] = head(GREEN, seed=n)[46:70]
        if n * gap_s >= 10:
            picture[20:, 10:] = BUSES["red"]
        shown.append(reader.update(picture, 1e9 + n * gap_s)["arrow"].color)
    assert RED not in shown
    assert shown[-1] is UNKNOWN


def test_a_lamp_outside_the_picture_is_unknown() -> None:
    reader = SignalReader([Lamp("gone", (1.2, 0.1, 1.4, 0.3)), Lamp("thin", (0.5, 0.1, 0.5, 0.3))])
    picture = np.full((120, 48, 3), 90, np.uint8)
    states = [reader.update(picture, 1e9 + n) for n in range(5)][-1]
    assert {state.color for state in states.values()} == {UNKNOWN}


def test_a_reset_forgets() -> None:
    reader = SignalReader([Lamp("lamp", (0.0, 0.0, 1.0, 1.0))])
    for n in range(20):
        reader.update(head(RED, seed=n), 1e9 + n * 0.16)
    reader.reset()
    assert reader.update(head(None), 1e9 + 4)["lamp"].color is UNKNOWN


# Real clips ----------------------------------------------------------------------------------------------


def read_clip(
    path: Path, box: tuple[int, int, int, int], layout: LampLayout, step: int = 1
) -> list[LampColor]:
    """States of a lamp, frame by frame; `box` is x, y, width, height in pixels."""
    capture = cv2.VideoCapture(str(path))
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    x, y, w, h = box
    reader = SignalReader([Lamp("lamp", (x / width, y / height, (x + w) / width, (y + h) / height), layout)])
    states, number = [], 0
    while True:
        ok, picture = capture.read()
        if not ok:
            return states
        if number % step == 0:
            time_s = 1e9 + capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            states.append(reader.update(picture, time_s)["lamp"].color)
        number += 1


def test_junction_red_is_read_as_the_eye_does(video_dir: Path) -> None:
    truth = json.loads((video_dir / "ground-truth.json").read_text())["junction-red-640x480-6fps.mp4"]
    states = read_clip(video_dir / "junction-red-640x480-6fps.mp4", tuple(truth["light_box"]), "vertical")
    assert RED not in states[:25], "green to frame 6, nothing lit to 24"
    assert OFF in states[7:25]
    assert set(states[28:]) == {RED}, "lit from 25, found within half a second, never left"


@pytest.mark.parametrize("step", [1, 3, 4])
def test_a_flickering_red_ball_beside_a_green_arrow(video_dir: Path, step: int) -> None:
    clip = "junction-red-green-arrow-1018x720-20fps.mp4"
    lights = json.loads((video_dir / "ground-truth.json").read_text())[clip]["lights"]
    settled = -(-10 // step)
    ball = read_clip(video_dir / clip, tuple(lights["right_ball"]), "single", step)
    assert set(ball[settled:]) == {RED}
    arrow = read_clip(video_dir / clip, tuple(lights["right_arrow"]), "single", step)
    assert set(arrow[settled:]) == {GREEN}


@pytest.mark.parametrize("step", [1, 5])
def test_a_steady_red(video_dir: Path, step: int) -> None:
    clip = "pickup-runs-red-854x480-25fps.mp4"
    truth = json.loads((video_dir / "ground-truth.json").read_text())[clip]
    states = read_clip(video_dir / clip, tuple(truth["light_box"]), "vertical", step)
    assert set(states[-(-10 // step) :]) == {RED}

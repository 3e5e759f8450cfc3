"""The annotated still shows the act and hides nothing of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ImageFont

from pipeline.config import CameraSettings
from pipeline.evidence import EvidenceMaker, verify
from pipeline.evidence.annotate import annotate, caption_rows
from pipeline.evidence.text import fit, font
from pipeline.evidence.words import KINDS, LAMPS, RULES, TIME_SOURCES
from pipeline.types import Box, Hit, LampColor, Picture, RoadUserKind, TrackPoint
from tests.evidence.conftest import EVENT_ID
from tests.evidence.film import FilmRecording

SIZES = [(320, 240), (640, 480), (480, 854), (1920, 1080)]
BOXES: list[Box] = [
    (0.4, 0.4, 0.6, 0.7),
    (0.0, 0.0, 0.2, 0.3),
    (0.8, 0.75, 1.0, 1.0),
    (0.45, 0.0, 0.5, 0.05),
    (0.0, 0.0, 1.0, 1.0),
    (0.9, 0.1, 1.3, 0.6),
]


def street(width: int, height: int) -> Picture:
    """A noisy picture: anything drawn on it shows."""
    return np.random.default_rng(0).integers(60, 200, (height, width, 3), np.uint8)


def draw(picture: Picture, hit: Hit, camera: CameraSettings) -> Picture:
    time_s = hit.at.time_s
    return annotate(picture, hit, captured_at_s=time_s, camera=camera, event_id=EVENT_ID, worker_id="edge-01")


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("box", BOXES)
def test_the_vehicle_shows_through_whatever_is_drawn(
    hit: Hit, camera: CameraSettings, width: int, height: int, box: Box
) -> None:
    center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    crossing = {"stop_line": [center, (0.9, 0.9)], "lane": [center, (0.05, 0.05), (0.95, 0.05)]}
    busy = replace(hit, at=TrackPoint(hit.at.time_s, box), geometry=crossing, lamps={})
    picture = street(width, height)
    drawn = draw(picture, busy, camera)

    assert np.array_equal(picture, street(width, height)), "the original stays as it was"
    assert drawn.shape[1] == width
    assert height * 1.05 < drawn.shape[0] < height * 1.4, "the caption is below, not in the picture"
    left, top, right, bottom = (int(edge * size) for edge, size in zip(box, (width, height) * 2, strict=True))
    # The frame may touch the outermost pixels, and the ground point sits on the lower edge.
    unit = max(0.75, min(width / 640, height / 480))
    frame, dot = round(4 * unit), round(7 * unit)
    lowest, rightmost = max(0, min(bottom, height) - dot), max(0, min(right, width) - frame)
    inner = (slice(top + frame, lowest), slice(left + frame, rightmost))
    change = np.abs(drawn[:height][inner].astype(int) - picture[inner])
    assert change.max(initial=0) <= 0.4 * 255 + 1, "60 % of every pixel is the vehicle's"


def test_shows_box_line_and_lamp_where_they_are(hit: Hit, camera: CameraSettings) -> None:
    grey = np.full((480, 640, 3), 110, np.uint8)
    drawn = draw(grey, hit, camera)

    def strongest(x: float, y: float) -> tuple[int, int, int]:
        around = drawn[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5].reshape(-1, 3).astype(int)
        pick = around[np.ptp(around, axis=1).argmax()]
        return int(pick[0]), int(pick[1]), int(pick[2])

    left, top, right, bottom = (v * s for v, s in zip(hit.at.box, (640, 480) * 2, strict=True))
    for x, y in ((left, (top + bottom) / 2), (right, (top + bottom) / 2)):
        blue, green, red = strongest(x, y)
        assert blue < 60 < 180 < min(green, red), "the vehicle's frame is yellow"
    blue, green, red = strongest(0.2 * 640, 0.60625 * 480)
    assert green < 140 < 200 < min(blue, red), "the line is magenta"
    blue, green, red = strongest(0.9 * 640, 0.3 * 480)
    assert red > 200 > 120 > max(blue, green), "the lamp's frame has the lamp's colour"


def test_lines_are_smooth(hit: Hit, camera: CameraSettings) -> None:
    """A slanted line has shades between line and ground."""
    grey = np.full((480, 640, 3), 110, np.uint8)
    drawn = draw(grey, replace(hit, geometry={"edge_line": [(0.05, 0.8), (0.35, 0.9)]}), camera)
    around = drawn[int(0.8 * 480) - 8 : int(0.9 * 480) + 8, 40:210, 1]
    assert len(np.unique(around)) > 20


def test_trajectory_from_facts(hit: Hit, camera: CameraSettings) -> None:
    grey = np.full((480, 640, 3), 110, np.uint8)
    plain = draw(grey, hit, camera)
    way = [(0.05, 0.95), (0.15, 0.9), (0.3, 0.95)]
    drawn = draw(grey, replace(hit, facts={**hit.facts, "trajectory": way}), camera)
    near = (slice(int(0.9 * 480) - 3, int(0.9 * 480) + 4), slice(93, 100))
    assert drawn[near].max() > 240
    assert plain[near].max() < 120
    for odd in ("text", [], [(1,)], [(0.1, 0.2)], [("a", "b")], [(0.1, float("nan"))] * 3, 5):
        assert np.array_equal(draw(grey, replace(hit, facts={**hit.facts, "trajectory": odd}), camera), plain)


def test_geometry_of_any_kind_is_drawn_or_left_out(hit: Hit, camera: CameraSettings) -> None:
    geometry = {
        "lane": [(0.1, 0.1), (0.5, 0.1), (0.5, 0.9)],
        "direction a": [(0.3, 0.9), (0.3, 0.5), (0.3, 0.1)],
        "point": [(0.5, 0.5)],
        "empty": [],
        "far_line": [(-1e12, 0.5), (1e12, 0.5)],
        "direction b": [(0.5, 0.5), (0.5, 0.5)],
    }
    drawn = draw(street(640, 480), replace(hit, geometry=geometry), camera)
    assert drawn.shape[1] == 640


def test_caption_says_all(hit: Hit, camera: CameraSettings) -> None:
    rows = caption_rows(hit, hit.at.time_s + 0.0004, camera, EVENT_ID, "edge-01")
    assert rows == [
        ("Vượt đèn đỏ", "25/09/2025 16:15:30.250 UTC+7"),
        ("Red light", "2025-09-25T09:15:30.250Z · ±12 ms · giờ camera / camera clock (RTCP)"),
        ("Giảng Võ – Láng Hạ · Hà Nội [giang-vo-1]", "Xe máy / motorbike #17"),
        ("Đèn / lamp main: đỏ / red 4.5 s", f"edge-01 · {EVENT_ID}"),
    ]
    nameless = camera.model_copy(update={"name": "", "place": ""})
    other = replace(hit, rule="other_act", lamps={}, facts={"gap_s": 2.5, "lane": "a"})
    rows = caption_rows(other, hit.at.time_s, nameless, EVENT_ID, "edge-01")
    assert [left for left, _ in rows] == ["Other act", "", "giang-vo-1", "gap_s 2.5"]


def test_milliseconds_are_in_the_picture(hit: Hit, camera: CameraSettings) -> None:
    grey = np.full((480, 640, 3), 110, np.uint8)
    later = replace(hit, at=replace(hit.at, time_s=hit.at.time_s + 0.001))
    assert not np.array_equal(draw(grey, hit, camera), draw(grey, later, camera))


def test_font_has_every_letter_that_we_write() -> None:
    words = "".join(
        "".join(entry) for table in (RULES, KINDS, LAMPS, TIME_SOURCES) for entry in table.values()
    )
    vietnamese = "ăâđêôơư" + "áàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ"
    for bold in (False, True):
        face = font(24, bold)
        unknown = bytes(face.getmask("\U0010fffe"))
        for letter in set(words + vietnamese + vietnamese.upper() + "…·±–#") - {" "}:
            assert bytes(face.getmask(letter)) != unknown, letter


def test_text_fits() -> None:
    face = font(12)
    assert fit("Hà Nội", face, 500) == "Hà Nội"
    cut = fit("Quốc lộ 1A, huyện Trảng Bàng, tỉnh Tây Ninh", face, 100)
    assert cut.endswith("…")
    assert cut.startswith("Quốc")
    assert face.getlength(cut) <= 100
    assert fit("anything", face, 0) == "…"
    # Loose accents are put together, control characters go.
    assert fit("Ha\u0300\nNo\u0323\u0302i\x1b", face, 500) == "Hà Nội"


def test_machine_without_the_font_lists_the_overlay_as_missing(
    maker: EvidenceMaker,
    hit: Hit,
    recording: FilmRecording,
    camera: CameraSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(*_: object) -> None:
        raise OSError("cannot open resource")

    font.cache_clear()
    monkeypatch.setattr(ImageFont, "truetype", none)
    bundle = maker.make(hit, EVENT_ID, recording, camera)
    font.cache_clear()
    assert [part.role for part in bundle.missing] == ["annotated", "composite"]
    assert "apt-get install fonts-dejavu-core" in bundle.missing[0].reason
    assert verify(bundle.path).ok


@pytest.mark.parametrize("kind", RoadUserKind)
@pytest.mark.parametrize("color", LampColor)
def test_every_kind_and_lamp_has_words(
    hit: Hit, camera: CameraSettings, kind: RoadUserKind, color: LampColor
) -> None:
    some = replace(hit, kind=kind, lamps={"main": (hit.lamps["main"][0], color)})
    assert draw(street(320, 240), some, camera).size


def test_real_street(video_dir: Path, hit: Hit, camera: CameraSettings) -> None:
    capture = cv2.VideoCapture(str(video_dir / "junction-red-640x480-6fps.mp4"))
    ok, frame = capture.read()
    assert ok
    drawn = draw(np.asarray(frame, np.uint8), hit, camera)
    assert np.array_equal(drawn[:20, :200], frame[:20, :200]), "the camera's own clock stays readable"

"""The page says all that an officer asks for, hides who is not judged, and lets nothing run over."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest

from pipeline.config import CameraSettings
from pipeline.evidence import EvidenceMaker, Seen, verify
from pipeline.evidence.composite import LEAST_TEXT_PX, SIZE, compose
from pipeline.evidence.manifest import Manifest
from pipeline.evidence.panels import clear_pictures
from pipeline.evidence.record import LawNote, LawPoint, Record, Shot
from pipeline.evidence.sheet import Sheet
from pipeline.types import Hit, MissingItem, Picture, PlateReading, PlateSight, RoadUserKind, TrackPoint
from tests.evidence.conftest import EVENT_ID
from tests.evidence.film import FilmRecording

POINT = LawPoint(
    "điểm c khoản 7 Điều 7 Nghị định 168/2024/NĐ-CP",
    ("Không chấp hành hiệu lệnh của đèn tín hiệu giao thông", "Not obeying the traffic light"),
    (4_000_000, 6_000_000),
    4,
)
LAW = LawNote((POINT,), verified=False)
HOSTILE = "\u202e<script>\n\x1b[2J" + "ắ" * 3000 + "\x00"
ROLES = ("before", "at", "after")


def street(seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(60, 200, (720, 1280, 3), np.uint8)


@pytest.fixture
def record(hit: Hit, camera: CameraSettings) -> Record:
    at_s = hit.at.time_s
    sight = PlateSight(at_s, (0.44, 0.5, 0.48, 0.58), ("59-P2", "3I3.16"), 0.9, 22.0)
    plate = PlateReading(
        "59P231316",
        ("59P2", "31316"),
        ("59P2", "3I316"),
        0.914,
        "legible",
        "motorbike",
        "59",
        "white",
        (sight,),
    )
    others = [Seen("car", (0.6, 0.5, 0.9, 0.95)), Seen("motorbike", hit.at.box, judged=True)]
    times = (hit.before.time_s, at_s, hit.after.time_s)
    return Record(
        hit=hit,
        event_id=EVENT_ID,
        worker_id="edge-01",
        camera=camera,
        shots={
            role: Shot(street(seed), time_s)
            for seed, (role, time_s) in enumerate(zip(ROLES, times, strict=True))
        },
        digest="0123456789abcdef" * 4,
        seen=dict.fromkeys(ROLES, others),
        plate=plate,
        plate_picture=street()[:40, :60],
        law=LAW,
    )


def says(sheet: Sheet) -> str:
    return "\n".join(line.text for line in sheet.lines)


def well_set(sheet: Sheet) -> None:
    """Every line is on the page, large enough, and over no other."""
    for line in sheet.lines:
        left, top, right, bottom = line.rect
        assert 0 <= left < right <= SIZE[0], line
        assert 0 <= top < bottom <= SIZE[1], line
        assert line.size_px >= LEAST_TEXT_PX, line
        assert line.text.isprintable(), line
    for one, other in combinations(sheet.lines, 2):
        across = min(one.rect[2], other.rect[2]) - max(one.rect[0], other.rect[0])
        down = min(one.rect[3], other.rect[3]) - max(one.rect[1], other.rect[1])
        # A font's full height has room for stacked accents: neighbouring lines may share some of it.
        assert across <= 0 or down <= 0.3 * min(one.size_px, other.size_px), (one, other)


def test_says_all_that_an_officer_asks_for(record: Record) -> None:
    sheet = compose(record)
    told = says(sheet)
    for part in (
        "Vượt đèn đỏ",
        "Red light",
        "16:15:30.250   25/09/2025",
        "±12 ms · giờ camera / camera clock (RTCP)",
        "Giảng Võ – Láng Hạ · Hà Nội [giang-vo-1]",
        "16:15:28.750",
        "−1,50 s",
        "16:15:31.250",
        "+1,00 s",
        "đỏ / red",
        "4,5 s",
        "59-P2 3I3.16",
        "59P2 3I316",
        "59P2 31316",
        "0,91",
        "Đọc rõ / legible",
        "trắng / white · 2 dòng / two lines",
        "Điểm c khoản 7 Điều 7 Nghị định",
        "4.000.000 – 6.000.000 đ",
        "4 điểm",
        "CHƯA KIỂM CHỨNG / not verified",
        f"Sự kiện / event {EVENT_ID}",
        "0123 4567 89ab cdef…",
        "chưa phải kết luận vi phạm",
    ):
        assert part in told, part
    well_set(sheet)
    page = sheet.draw()
    assert page.shape == (SIZE[1], SIZE[0], 3)
    assert np.array_equal(page, compose(record).draw())


def test_what_is_not_sure_is_not_told_as_sure(record: Record) -> None:
    assert record.plate is not None
    reason = "it was read with confidence 0.60"
    unsure = replace(record.plate, outcome="not_legible", reason=reason, cause="unsure")
    told = says(compose(replace(record, plate=unsure, law=replace(LAW, verified=True))))
    assert "Không rõ / not legible" in told
    assert "Hồ sơ chưa đủ" in told
    assert "Ứng viên" not in told
    clip = MissingItem("clip.before", "the ring let go of it")
    assert "Hồ sơ chưa đủ" in says(compose(replace(record, missing=(clip,))))
    assert "Ứng viên vi phạm" in says(compose(record))
    assert "Đọc được nhưng chưa đủ chắc chắn" in told
    assert reason not in told
    # Of a version that knew no words for it.
    assert reason in says(compose(replace(record, plate=replace(unsure, cause=None))))
    assert "Đã kiểm chứng / verified" in told
    assert "CHƯA KIỂM CHỨNG" not in told
    assert "Chưa có điều khoản" in says(compose(replace(record, law=None)))
    speed = {"speed_kmh": 72.04, "uncertainty_kmh": 2.5, "limit_kmh": 50.0, "advisory": True}
    told = says(compose(replace(record, hit=replace(record.hit, facts=speed))))
    assert "72,0 ± 2,5 km/h" in told
    assert "Kiểm định / verified\nkhông / no" in told or "không / no\nKiểm định / verified" in told
    trial = says(compose(replace(record, hit=replace(record.hit, shadow=True))))
    assert "Luật thử nghiệm" in trial


def test_a_security_incident_has_no_plate_and_no_law(record: Record) -> None:
    hit = replace(record.hit, rule="intrusion", concern="security", kind=RoadUserKind.PERSON, lamps={})
    sheet = compose(replace(record, hit=hit, plate=None, law=None))
    told = says(sheet)
    assert "Xâm nhập khu vực cấm" in told
    assert "Sự cố an ninh" in told
    for part in ("Biển số", "pháp lý", "vi phạm"):
        assert part not in told
    well_set(sheet)


def test_whatever_is_lacking_or_hostile_nothing_runs_over(record: Record) -> None:
    assert record.plate is not None
    point = replace(POINT, citation=HOSTILE, title=(HOSTILE, "word " * 300))
    odd = replace(
        record,
        camera=record.camera.model_copy(update={"name": HOSTILE, "place": HOSTILE}),
        worker_id=HOSTILE,
        plate=replace(record.plate, lines=(HOSTILE, HOSTILE), voted=(HOSTILE,), reason="why " * 200),
        law=LawNote((point,) * 5, verified=False, reason=HOSTILE),
        hit=replace(
            record.hit,
            rule="x" * 300,
            facts={"zone": HOSTILE, "lane": HOSTILE, "speed_kmh": float("nan"), "riders": [1], "lamp": ["x"]},
            lamps={HOSTILE: record.hit.lamps["main"], "b": record.hit.lamps["main"]},
        ),
        way=[(-5.0, 2.0), (0.5, 0.5)],
    )
    bare = replace(
        record, shots={}, seen={}, plate=PlateReading.unread(HOSTILE), plate_picture=None, law=None
    )
    incident = replace(odd.hit, concern="security", at=TrackPoint(odd.hit.at.time_s, (1.2, 0.1, 1.4, 0.3)))
    for each in (odd, bare, replace(odd, plate=None, hit=incident)):
        sheet = compose(each)
        well_set(sheet)
        assert sheet.draw().shape == (SIZE[1], SIZE[0], 3)


def test_others_are_hidden_and_the_shots_stay_as_they_are(record: Record) -> None:
    clear = clear_pictures(record)
    for seed, role in enumerate(ROLES):
        assert np.array_equal(record.shots[role].picture, street(seed))
        left, top, right, bottom = {
            "before": record.hit.before,
            "at": record.hit.at,
            "after": record.hit.after,
        }[role].box
        own = np.s_[int(top * 720) : int(bottom * 720), int(left * 1280) : int(right * 1280)]
        assert np.array_equal(clear[role][own], street(seed)[own])
        car = clear[role][400:660, 800:1130].reshape(-1, 3)
        assert len(np.unique(car, axis=0)) < 200
    unknown = clear_pictures(replace(record, seen={}))["at"]
    assert (unknown == street(1)).all(axis=2).mean() < 0.08


def test_of_a_crowd_the_people_are_clear_and_a_car_between_them_is_not(record: Record) -> None:
    box = (0.1, 0.1, 0.9, 0.9)
    people = [Seen("person", (x, 0.4, x + 0.05, 0.6)) for x in (0.2, 0.3)]
    points = {name: replace(getattr(record.hit, name), box=box) for name in ROLES}
    hit = replace(record.hit, rule="crowd", concern="security", kind=RoadUserKind.PERSON, lamps={}, **points)
    seen = {role: [*people, Seen("car", (0.5, 0.4, 0.8, 0.8))] for role in ROLES}
    clear = clear_pictures(replace(record, hit=hit, seen=seen, plate=None))["at"]
    assert np.array_equal(clear[290:430, 260:315], street(1)[290:430, 260:315])
    assert len(np.unique(clear[300:560, 650:1010].reshape(-1, 3), axis=0)) < 300


def test_the_bundle_holds_it_signed_and_names_it_as_the_clips_poster(
    maker: EvidenceMaker, hit: Hit, recording: FilmRecording, camera: CameraSettings
) -> None:
    asked = []

    def read() -> PlateReading:
        asked.append(1)
        return PlateReading.unread("no plate can be made out", "not_found")

    bundle = maker.make(hit, EVENT_ID, recording, camera, law=LAW, read_plate=read)
    assert bundle.missing == ()
    assert verify(bundle.path).ok
    page = cv2.imread(str(bundle.path / "composite.jpg"))
    assert page is not None
    assert page.shape == (SIZE[1], SIZE[0], 3)
    written = json.loads((bundle.path / "manifest.json").read_bytes())
    assert written["clip"]["poster"] == "composite.jpg"
    for name in ROLES:
        still = next(item for item in bundle.items if item.role == name)
        assert still.sha256 == hashlib.sha256((bundle.path / f"{name}.jpg").read_bytes()).hexdigest()
    assert maker.make(hit, EVENT_ID, recording, camera, read_plate=read).items == bundle.items
    assert len(asked) == 1, "a repeat reads nothing"

    del written["clip"]["poster"]
    written["items"] = [item for item in written["items"] if item["role"] != "composite"]
    assert Manifest.model_validate_json(json.dumps(written)).clip is not None, "bundles made before"

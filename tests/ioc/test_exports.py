"""What leaves the house: whole, checked, without bystanders where it says so, and written down."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from pipeline.evidence import verify_tree
from pipeline.ioc.config.keeping import NoticeSettings
from pipeline.ioc.exports.lists import COLUMNS, defused
from pipeline.ioc.exports.notice import shown_plate
from pipeline.ioc.store.act import Plate
from tests.ioc.office import HOATHANH, TRANGBANG, Office, office
from tests.ioc.real_bundle import RealCase, film_case

HOSTILE = "<b>&{nb}**x**\x07\u202e\n" + "Ặ" * 900


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> RealCase:
    return film_case(tmp_path_factory.mktemp("film"))


@pytest.fixture
def ioc(tmp_path: Path) -> Iterator[Office]:
    made = office(tmp_path)
    yield made
    made.the.database.close()


def actions(ioc: Office) -> list[tuple[str, str, str]]:
    boss = ioc.client("boss", "admin")
    found = boss.get("/api/v1/audit").json()
    entries = found if isinstance(found, list) else found["entries"]
    return [(one["actor"], one["action"], one["subject"]) for one in entries]


def pages(pdf: bytes) -> tuple[list[str], list[Image.Image]]:
    document = pypdfium2.PdfDocument(pdf)
    texts = [" ".join(page.get_textpage().get_text_range().split()) for page in document]
    return texts, [page.render(scale=2).to_pil() for page in document]


def codes(picture: Image.Image) -> str:
    return str(cv2.QRCodeDetector().detectAndDecode(np.asarray(picture.convert("L")))[0])


def test_a_confirmed_case_is_a_notice_with_all_that_the_law_names(ioc: Office, case: RealCase) -> None:
    case_id = case.into(ioc)
    settings = NoticeSettings(authority_above="Công an tỉnh Tây Ninh", authority="Phòng Cảnh sát giao thông")
    ioc.the = replace(ioc.the, config=ioc.the.config.model_copy(update={"notice": settings}))
    ioc.__post_init__()
    mai = ioc.client("mai", "reviewer")
    draft, _ = pages(mai.get(f"/api/v1/cases/{case_id}/notice").content)
    assert "PHIẾU HỒ SƠ VỤ VIỆC" in draft[0]
    assert "không phải thông báo vi phạm" in draft[0]
    assert "THÔNG BÁO Về việc" not in draft[0]

    assert mai.post(f"/api/v1/cases/{case_id}/claim").status_code == 200
    assert mai.post(f"/api/v1/cases/{case_id}/decisions", json={"decision": "confirm"}).status_code == 201
    answer = mai.get(f"/api/v1/cases/{case_id}/notice")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="{case_id}.pdf"'
    (form, pictures, evidence), drawn = pages(answer.content)
    for wanted in (
        "CÔNG AN TỈNH TÂY NINH",
        "PHÒNG CẢNH SÁT GIAO THÔNG",
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "THÔNG BÁO Về việc phương tiện vi phạm",
        "70P2-313.16 (nền trắng)",
        "Xe máy",
        "16:15:30,250 ngày 25/09/2025",
        "đồng hồ camera (RTCP); sai số ± 12 ms",
        "Ngã tư Bình Minh, QL22B, Hòa Thành",
        "Vượt đèn đỏ",
        "Điểm c khoản 7 Điều 7 Nghị định 168/2024/NĐ-CP",
        "CHƯA KIỂM CHỨNG",
        "Đã xác nhận bởi Mai",
        "THỦ TRƯỞNG ĐƠN VỊ",
        case_id,
    ):
        assert wanted in form, wanted
    assert "Phụ lục 1" in pictures
    # The composite is there in full: of its blue bar nothing else on the page is.
    assert np.mean(np.all(np.abs(np.asarray(drawn[1], int) - (16, 44, 84)) < 12, axis=2)) > 0.03
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(case.folder(ioc).iterdir())]
    listed = evidence.replace(" ", "")
    assert [
        one for one in hashes if one not in listed
    ] == [  # the signature alone has none to be held against
        hashlib.sha256((case.folder(ioc) / "manifest.sig").read_bytes()).hexdigest()
    ]
    assert "8/8 tệp khớp" in evidence
    assert codes(drawn[0]) == case_id
    assert ("mai", "case.export_notice", case_id) in actions(ioc)


def test_a_notice_tells_changed_and_expired_evidence_and_survives_hostile_texts(
    ioc: Office, case: RealCase
) -> None:
    data = case.event.data
    law = json.loads(json.dumps(data["law"]))
    law["entries"][0]["title"]["vi"] = HOSTILE[:400]
    facts = {"line": HOSTILE, "zone": HOSTILE, "lane": HOSTILE}
    camera = {**data["camera"], "name": HOSTILE[:200]}
    hostile = replace(case.event, data={**data, "facts": facts, "law": law, "camera": camera})
    case_id = RealCase(hostile, case.root, case.key).into(ioc)
    (case.folder(ioc) / "before.jpg").write_bytes(b"another")
    (case.folder(ioc) / "composite.jpg").unlink()
    mai = ioc.client("mai", "reviewer")
    answer = mai.get(f"/api/v1/cases/{case_id}/notice")
    assert answer.status_code == 200, answer.text
    texts, _ = pages(answer.content)
    told = " ".join(texts)
    assert len(texts) <= 5
    assert "6/8 tệp khớp" in told
    assert "before.jpg was changed" in told
    assert "composite.jpg is not there" in told


def test_the_zip_of_a_case_is_the_bundle_that_verify_accepts(
    ioc: Office, case: RealCase, tmp_path: Path
) -> None:
    case_id = case.into(ioc)
    mai = ioc.client("mai", "reviewer")
    answer = mai.get(f"/api/v1/cases/{case_id}/evidence")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "out")
    [result] = verify_tree(tmp_path / "out", {case.key.public_key})
    assert (result.ok, result.trusted, result.event_id) == (True, True, case_id), result.problem
    assert ("mai", "case.export_evidence", case_id) in actions(ioc)
    # One changed byte, and there is no zip at all.
    clip = case.folder(ioc) / "clip.mp4"
    clip.write_bytes(clip.read_bytes()[:-1] + b"x")
    ioc.the.files._cache.clear()
    refused = mai.get(f"/api/v1/cases/{case_id}/evidence")
    assert (refused.status_code, "clip.mp4 was changed" in refused.text) == (409, True)


def test_a_copy_hides_bystanders_says_so_and_is_no_evidence(
    ioc: Office, case: RealCase, tmp_path: Path
) -> None:
    case_id = case.into(ioc)
    before = {file.name: file.read_bytes() for file in case.folder(ioc).iterdir()}
    answer = ioc.client("mai", "reviewer").get(f"/api/v1/cases/{case_id}/evidence?form=copy")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "out")
    folder = tmp_path / "out" / f"{case_id}-copy"
    names = {file.name for file in folder.iterdir()}
    assert names == {"before.jpg", "at.jpg", "after.jpg", "composite.jpg", "copy.json"}
    assert not any(result.ok for result in verify_tree(tmp_path / "out"))
    note = json.loads((folder / "copy.json").read_text())
    assert (note["kind"], note["case"], note["made_by"]) == ("copy", case_id, "mai")
    originals = {each["file"]: each["sha256"] for each in note["originals"]["items"]}
    assert originals == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in before.items()
        if not name.startswith("manifest")
    }
    assert note["originals"]["manifest_sha256"] == hashlib.sha256(before["manifest.json"]).hexdigest()
    assert {each["of"] for each in note["left_out"]} == {"clip.mp4", "crop.png", "annotated.jpg"}
    for each in note["files"]:
        assert each["sha256"] == hashlib.sha256((folder / each["file"]).read_bytes()).hexdigest()
    # The judged one is as it was, everything else is cells; below is the strip that says what this is.
    real = np.asarray(Image.open(io.BytesIO(before["at.jpg"])).convert("RGB"), int)
    copy = np.asarray(Image.open(folder / "at.jpg"), int)
    assert copy.shape[0] > real.shape[0]
    left, top, right, bottom = 0.42 * 640, 0.32 * 360, 0.50 * 640, 0.6 * 360
    inside = np.s_[round(top) : round(bottom), round(left) : round(right)]
    assert np.abs(real[inside] - copy[: real.shape[0]][inside]).mean() < 4
    digits = np.s_[:60, :300]  # the film's clock, burnt into the corner
    assert real[digits].std() > 20
    assert np.abs(real[digits] - copy[: real.shape[0]][digits]).mean() > 10
    assert {file.name: file.read_bytes() for file in case.folder(ioc).iterdir()} == before


def test_lists_hold_what_the_filter_and_the_areas_leave(ioc: Office) -> None:
    for track in range(120):
        ioc.act("cam-1", track, 1_780_000_000.0 + track)
    other = ioc.act("cam-2", 500, 1_780_001_000.0)
    hoa = ioc.client("hoa", "reviewer", HOATHANH)
    answer = hoa.get("/api/v1/exports/cases?state=all&form=csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="cases.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS
    assert len({row["id"] for row in rows}) == 120
    assert other not in {row["id"] for row in rows}
    assert rows[0]["at"] == "2026-05-29T03:28:39.000+07:00"
    told = hoa.get("/api/v1/exports/cases?state=all&form=json&from_ms=1780000100000").json()
    assert (told["count"], len(told["cases"])) == (20, 20)
    assert told["cases"][0]["id"] == rows[0]["id"]
    assert hoa.get(f"/api/v1/exports/cases?form=json&area={TRANGBANG}").json()["count"] == 0
    assert hoa.get("/api/v1/exports/cases?form=xml").status_code == 422
    assert [entry[1] for entry in actions(ioc)].count("cases.export_csv") == 1


def test_a_list_of_too_many_cases_is_refused_rather_than_cut_off(ioc: Office) -> None:
    for track in range(4):
        ioc.act("cam-1", track, 1_780_000_000.0 + track)
    exports = ioc.the.config.exports.model_copy(update={"most_cases": 3})
    ioc.the = replace(ioc.the, config=ioc.the.config.model_copy(update={"exports": exports}))
    ioc.__post_init__()
    mai = ioc.client("mai", "reviewer")
    refused = mai.get("/api/v1/exports/cases")
    assert (refused.status_code, refused.json()["detail"]) == (422, "more than 3 cases: narrow the filter")
    assert mai.get("/api/v1/exports/cases?form=json&from_ms=1780000001000").json()["count"] == 3


def test_no_cell_of_a_list_is_a_formula(ioc: Office) -> None:
    name = '=HYPERLINK("http://evil.example","x");=1+1\t+2'
    camera: dict[str, Any] = {"id": "cam-1", "name": name, "place": "@SUM(1)"}
    case_id = ioc.act("cam-1", camera=camera)
    content = ioc.client("mai", "reviewer").get("/api/v1/exports/cases").content.decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(content))
    assert row["id"] == case_id
    for cut in (",", ";", "\t", '"', "\n"):
        for cell in content.split(cut):
            assert not cell.lstrip(' "').startswith(("=", "+", "@")), cell
    assert defused("70A-123.45") == "70A-123.45"
    assert defused("-1") == "'-1"
    assert defused("  ＝1") == "  '＝1"


def test_who_may_not_decide_takes_nothing_out(ioc: Office, case: RealCase) -> None:
    case_id = case.into(ioc)
    lan = ioc.client("lan", "viewer")
    for path in (f"cases/{case_id}/notice", f"cases/{case_id}/evidence", "exports/cases"):
        assert lan.get(f"/api/v1/{path}").status_code == 403
    far = ioc.client("far", "reviewer", TRANGBANG)
    for path in (f"cases/{case_id}/notice", f"cases/{case_id}/evidence"):
        assert far.get(f"/api/v1/{path}").status_code == 404
    assert not [entry for entry in actions(ioc) if "export" in entry[1]]


def test_a_plate_is_written_as_people_write_it() -> None:
    read = Plate(lines=("70P2", "31316"))
    assert shown_plate("70P231316", read) == "70P2-313.16"
    assert shown_plate("70A12345", read) == "70A-123.45"  # corrected by an officer
    assert shown_plate("70A1234", None) == "70A-1234"
    assert shown_plate("NG12345", None) == "NG12345"
    assert shown_plate("", None) == ""

"""One page for the officer: three moments side by side, and below them plate, vehicle and law.

1920x1080: it fills a wide screen, is the clip's poster in its own shape, and is printed across A4 in
landscape with letters of no less than 7 points (18 of 1920 pixels on 277 mm).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import cv2

from pipeline.evidence.drawing import LAMP_COLORS, Rect
from pipeline.evidence.panels import ROLES, clear_pictures, close_up, lamp_color, panel, view_of
from pipeline.evidence.record import LawNote, LawPoint, Record
from pipeline.evidence.sheet import Sheet
from pipeline.evidence.text import Color, font, plain, wrap
from pipeline.evidence.words import (
    KINDS,
    LAMPS,
    MOMENTS,
    PLATE_CAUSES,
    PLATE_COLORS,
    PLATE_OUTCOMES,
    TIME_SOURCES,
    decimal,
    measured,
    rule_words,
)
from pipeline.types import Picture, PlateReading

SIZE = (1920, 1080)
LEAST_TEXT_PX = 18

_MARGIN, _GAP = 24, 18
_COLUMN = (SIZE[0] - 2 * _MARGIN - 2 * _GAP) // 3
_HEADER, _CAPTION, _PANEL, _FOOTER = 132, 46, 408, 72
_PANEL_TOP = _HEADER + 14 + _CAPTION
_CARD_TOP = _PANEL_TOP + _PANEL + 16
_CARD_BOTTOM = SIZE[1] - _FOOTER - 14
_TITLE = 44
_PLATE_LETTERS = 16
"""Of a line of a plate; none has so many."""
_PLAIN_OUTCOMES = frozenset({"not_found", "reading_off", "not_carried"})
"""Of a plate: the words on its sign say everything."""
_PAD = 16

_NAVY: Color = (84, 44, 16)
_PAGE: Color = (240, 237, 234)
_WHITE: Color = (255, 255, 255)
_INK: Color = (36, 28, 22)
_MUTED: Color = (112, 98, 88)
_PALE: Color = (226, 214, 204)
_RED: Color = (38, 30, 190)
_AMBER: Color = (0, 170, 255)
_GREEN: Color = (62, 122, 24)
_DARK: Color = (48, 40, 34)

_PLATE_PAINT: dict[str | None, tuple[Color, Color]] = {
    "white": (_WHITE, _INK),
    "yellow": ((40, 200, 250), _INK),
    "blue": ((150, 70, 20), _WHITE),
    "red": ((40, 30, 180), _WHITE),
    None: (_WHITE, _INK),
}

_VIETNAM = timezone(timedelta(hours=7), "UTC+7")


def compose(record: Record) -> Sheet:
    """The page of a record; `draw` makes the picture. Raises OSError when the font is not installed.

    The same record gives the same page.
    """
    sheet = Sheet(*SIZE, _PAGE)
    _header(sheet, record)
    clear = clear_pictures(record)
    size = next((picture.shape[1::-1] for picture in clear.values()), (16, 9))
    view = view_of(record, (size[0], size[1]), (_COLUMN, _PANEL))
    for number, role in enumerate(ROLES):
        left = _column(number)
        _caption(sheet, record, role, left)
        rect = (left, _PANEL_TOP, left + _COLUMN, _PANEL_TOP + _PANEL)
        if role in clear:
            sheet.paste(panel(record, role, clear[role], view, (_COLUMN, _PANEL)), left, _PANEL_TOP)
        else:
            sheet.fill(rect, _DARK)
            _middle(sheet, rect, "Không có ảnh / no picture", _PALE)
    close = close_up(clear["at"], record.hit.at.box, 0.12) if "at" in clear else None
    if record.plate is not None:
        _plate_card(sheet, record, record.plate)
        body = _card(sheet, 1, "Phương tiện", "vehicle")
    else:
        # No plate: the room goes to who or what it is about.
        body = _card(sheet, 0, "Cận cảnh", "close-up")
        _picture(sheet, body, close_up(clear["at"], record.hit.at.box, 0.6) if "at" in clear else None)
        body, close = _card(sheet, 1, "Diễn biến", "what was seen"), None
    _facts_card(sheet, body, record, close)
    if record.hit.concern == "security":
        _place_card(sheet, _card(sheet, 2, "Sự cố an ninh", "security incident"), record)
    else:
        _law_card(sheet, 2, record.law)
    _footer(sheet, record)
    return sheet


def local_time(time_s: float) -> datetime:
    """A moment by Vietnamese clocks, to the millisecond."""
    return datetime.fromtimestamp(round(time_s, 3), _VIETNAM)


def _header(sheet: Sheet, record: Record) -> None:
    hit, camera = record.hit, record.camera
    security = hit.concern == "security"
    sheet.fill((0, 0, SIZE[0], _HEADER), _NAVY)
    sheet.fill((0, 0, 12, _HEADER), _AMBER if security else _RED)
    at_s = record.shots["at"].captured_at_s if "at" in record.shots else hit.at.time_s
    local = local_time(at_s)
    clock = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
    right = SIZE[0] - _MARGIN
    used = sheet.write(
        right, 52, f"{clock}   {local:%d/%m/%Y}", 42, _WHITE, room=760, bold=True, align="right"
    )
    source = f"giờ Việt Nam UTC+7 · ±{hit.time.uncertainty_ms:.0f} ms · {TIME_SOURCES[hit.time.source]}"
    small = sheet.write(right, 86, source, 20, _PALE, room=820, align="right")
    title_vi, title_en = rule_words(hit.rule)
    kind_vi, kind_en = KINDS[hit.kind]
    left = _MARGIN + 6
    sheet.write(left, 54, title_vi, 44, _WHITE, room=right - left - used - 40, bold=True)
    english = f"{title_en} · {kind_vi} / {kind_en}" if title_en != title_vi else f"{kind_vi} / {kind_en}"
    sheet.write(left, 87, english, 22, _PALE, room=right - left - small - 40)
    place = " · ".join(part for part in (camera.name, camera.place) if part)
    if security:
        word = "Sự cố chờ xem xét / to be reviewed"
    elif record.whole:
        word = "Ứng viên vi phạm, chờ xem xét / to be reviewed"
    else:
        word = "Hồ sơ chưa đủ, chờ xem xét / incomplete, to be reviewed"
    if hit.shadow:
        word = "Luật thử nghiệm, không dùng để xử lý / rule on trial"
    chip = sheet.chip(right, 111, word, 18, _INK, _AMBER, room=820)
    sheet.write(
        left,
        120,
        f"{place} [{hit.camera_id}]" if place else hit.camera_id,
        24,
        _WHITE,
        room=right - left - chip - 40,
        bold=True,
    )


def _caption(sheet: Sheet, record: Record, role: str, left: int) -> None:
    top, decisive = _PANEL_TOP - _CAPTION, role == "at"
    ground, ink = (_RED, _WHITE) if decisive else (_DARK, _WHITE)
    sheet.fill((left, top, left + _COLUMN, _PANEL_TOP), ground)
    vi, en = MOMENTS[role]
    if decisive and record.hit.concern == "security":
        vi = "Thời điểm xảy ra"
    right, baseline = left + _COLUMN - 14, top + 31
    used = 0.0
    shot = record.shots.get(role)
    if shot is not None:
        local = local_time(shot.captured_at_s)
        clock = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
        used = sheet.write(right, baseline, clock, 24, ink, room=260, bold=True, align="right")
        base = record.shots.get("at")
        if base is not None and not decisive:
            off_s = shot.captured_at_s - base.captured_at_s
            sign = "−" if off_s < 0 else "+"
            ago = f"{sign}{decimal(abs(off_s), 2)} s"
            used += 14 + sheet.write(right - used - 14, baseline, ago, 20, _PALE, room=140, align="right")
    name = sheet.write(left + 14, baseline, vi, 24, ink, room=_COLUMN - used - 42, bold=True)
    _aside(sheet, left + 24 + name, baseline, en, _PALE, _COLUMN - used - name - 52)


def _card(sheet: Sheet, number: int, vi: str, en: str, chip: tuple[str, Color] | None = None) -> Rect:
    """A card under a panel with its title and a sign; the room that is left."""
    left = _column(number)
    right = left + _COLUMN
    sheet.fill((left, _CARD_TOP, right, _CARD_BOTTOM), _WHITE)
    sheet.fill((left, _CARD_TOP, right, _CARD_TOP + 4), _NAVY)
    room = _COLUMN - 2.0 * _PAD
    if chip is not None:
        room -= 12 + sheet.chip(right - _PAD, _CARD_TOP + 25, chip[0], 18, _WHITE, chip[1], room=380)
    used = sheet.write(left + _PAD, _CARD_TOP + 33, vi, 24, _NAVY, room=room, bold=True)
    _aside(sheet, left + _PAD + used + 10, _CARD_TOP + 33, en, _MUTED, room - used - 10)
    return left + _PAD, _CARD_TOP + _TITLE + 6, right - _PAD, _CARD_BOTTOM - _PAD


def _plate_card(sheet: Sheet, record: Record, plate: PlateReading) -> None:
    ground = {"legible": _GREEN, "not_carried": _MUTED}.get(plate.outcome, _RED)
    chip = " / ".join(PLATE_OUTCOMES[plate.outcome]), ground
    left, top, right, _ = _card(sheet, 0, "Biển số", "number plate", chip)
    middle, bottom = left + (right - left) // 2, top + 146
    _picture(sheet, (left, top, middle - 6, bottom), record.plate_picture)
    _painted(sheet, (middle + 6, top, right, bottom), plate)
    rows: list[tuple[str, str]] = []
    if plate.sights:
        color = " / ".join(PLATE_COLORS[plate.color]) if plate.color else ""
        lines = {1: "1 dòng / one line", 2: "2 dòng / two lines"}.get(len(plate.lines), "")
        rows = [
            ("Đọc thô / raw", " · ".join(" ".join(sight.lines) for sight in plate.sights[:3])),
            ("Biểu quyết / voted", " ".join(plate.voted)),
            ("Sau chỉnh / corrected", " ".join(plate.lines)),
            ("Độ tin cậy / confidence", decimal(plate.confidence, 2)),
            ("Loại biển / kind", " · ".join(part for part in (color, lines) if part)),
        ]
    baseline = bottom + 30
    for name, value in rows:
        _row(sheet, left, right, baseline, name, value or "—")
        baseline += 28
    told = plate.reason
    if plate.cause is not None:
        told = PLATE_CAUSES[plate.cause][0] if rows else " / ".join(PLATE_CAUSES[plate.cause])
    elif plate.outcome in _PLAIN_OUTCOMES:
        told = ""
    for line in wrap(told, font(LEAST_TEXT_PX), right - left, 1 if rows else 3):
        sheet.write(left, baseline, line, LEAST_TEXT_PX, _RED, room=right - left)
        baseline += 26


def _painted(sheet: Sheet, rect: Rect, plate: PlateReading) -> None:
    """The reading as a plate of its colour; a reading that is not sure stands on grey."""
    left, top, right, bottom = rect
    ground, ink = _PLATE_PAINT[plate.color] if plate.legible else (_PAGE, _MUTED)
    sheet.fill(rect, ink)
    sheet.fill((left + 3, top + 3, right - 3, bottom - 3), ground)
    lines = [plain(line[:_PLATE_LETTERS]) for line in plate.lines if line][:2]
    if not lines:
        _middle(sheet, rect, "Chưa đọc được / not read", _MUTED)
        return
    room = right - left - 28
    size = 56 if len(lines) == 2 else 60
    while size > LEAST_TEXT_PX and any(font(size, bold=True).getlength(line) > room for line in lines):
        size -= 2
    step = (bottom - top) / len(lines) * (0.86 if len(lines) == 2 else 1)
    start = (top + bottom - step * len(lines)) / 2
    for number, line in enumerate(lines):
        baseline = start + step * (number + 0.5) + size * 0.36
        sheet.write((left + right) / 2, baseline, line, size, ink, room=room, bold=True, align="middle")


def _facts_card(sheet: Sheet, body: Rect, record: Record, close: Picture | None) -> None:
    left, top, right, bottom = body
    if record.plate is not None:
        wide = (right - left) * 2 // 5
        _picture(sheet, (left, top, left + wide, bottom), close)
        left += wide + _PAD
    baseline = top + 22
    for lamp_id in list(record.hit.lamps)[:2]:
        color = lamp_color(record, "at", lamp_id)
        words = " / ".join(LAMPS[color])
        used = sheet.write(right, baseline, words, 22, _INK, room=150, bold=True, align="right")
        center = (round(right - used - 20), round(baseline - 8))
        cv2.circle(sheet.canvas, center, 12, _INK, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(sheet.canvas, center, 10, LAMP_COLORS[color], cv2.FILLED, cv2.LINE_AA)
        room = right - left - used - 50
        sheet.write(left, baseline, f"Đèn / lamp {lamp_id}", LEAST_TEXT_PX, _MUTED, room=room)
        baseline += 34
    for name, value in _facts(record):
        if baseline > bottom:
            break
        _row(sheet, left, right, baseline, name, value)
        baseline += 34


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    facts, kind = record.hit.facts, KINDS[record.hit.kind]
    for key, (vi, en), value in measured(facts):
        yield f"{vi} / {en}", value
        if key == "speed_kmh" and facts.get("advisory"):
            yield "Kiểm định / verified", "không / no"
    yield f"{kind[0]} / {kind[1]}", f"#{record.hit.track_id}"
    yield "Độ tin cậy / confidence", decimal(record.hit.confidence, 2)


def _law_card(sheet: Sheet, number: int, law: LawNote | None) -> None:
    if law is None or not law.points:
        left, top, right, _ = _card(sheet, number, "Căn cứ pháp lý", "law")
        reason = law.reason if law is not None else ""
        sheet.write(left, top + 30, "Chưa có điều khoản cho hành vi này", 22, _INK, room=right - left)
        sheet.write(left, top + 60, reason or "no entry for this act", 18, _MUTED, room=right - left)
        return
    chip = ("Đã kiểm chứng / verified", _GREEN) if law.verified else ("CHƯA KIỂM CHỨNG / not verified", _RED)
    left, top, right, _ = _card(sheet, number, "Căn cứ pháp lý", "law", chip)
    shown = law.points[:2]
    baseline = top + 26.0
    for point in shown:
        baseline = _law_point(sheet, left, right, baseline, point, lines=2 if len(shown) == 1 else 1)
    notes = [f"và {len(law.points) - 2} điều khoản khác / and more"] if len(law.points) > 2 else []
    notes += wrap(law.reason, font(LEAST_TEXT_PX), right - left, 2)
    for note in notes:
        sheet.write(left, baseline, note, LEAST_TEXT_PX, _RED, room=right - left)
        baseline += 24


def _law_point(sheet: Sheet, left: int, right: int, baseline: float, point: LawPoint, lines: int) -> float:
    """One point from `baseline` on, each text on so many lines at most; where the next one may begin."""
    room = right - left
    citation = point.citation[:1].upper() + point.citation[1:]
    if lines == 1:
        citation = citation.replace("Nghị định", "NĐ")
    for text, size, bold, color in (
        (citation, 22, True, _INK),
        (point.title[0], 20, False, _INK),
        (point.title[1], 18, False, _MUTED),
    ):
        for line in wrap(text, font(size, bold), room, lines):
            sheet.write(left, baseline, line, size, color, room=room, bold=bold)
            baseline += size + 7
    low, high = (f"{amount:,}".replace(",", ".") for amount in point.fine_vnd)
    fine, taken = f"{low} – {high} đ", point.licence_points
    if lines == 1:
        fine += f", −{taken} điểm" if taken else ""
        _row(sheet, left, right, baseline + 2, "Phạt / fine", fine)
        return baseline + 38
    _row(sheet, left, right, baseline + 4, "Phạt tiền / fine", fine)
    points = f"{taken} điểm" if taken else "không / none"
    _row(sheet, left, right, baseline + 32, "Trừ điểm bằng lái / licence points", points)
    return baseline + 68


def _place_card(sheet: Sheet, body: Rect, record: Record) -> None:
    left, top, right, _ = body
    camera = record.camera
    baseline = top + 26.0
    for name, text in (("Camera", camera.name or camera.id), ("Nơi / place", camera.place or "—")):
        sheet.write(left, baseline, name, LEAST_TEXT_PX, _MUTED, room=right - left)
        baseline += 28
        for line in wrap(text, font(22, bold=True), right - left, 2):
            sheet.write(left, baseline, line, 22, _INK, room=right - left, bold=True)
            baseline += 30
        baseline += 6
    for line in (
        "Không cần biển số; người trong khung không được làm mờ.",
        "No plate is asked for; who is in the box is shown clearly.",
    ):
        sheet.write(left, baseline, line, LEAST_TEXT_PX, _MUTED, room=right - left)
        baseline += 26


def _footer(sheet: Sheet, record: Record) -> None:
    top = SIZE[1] - _FOOTER
    sheet.fill((0, top, SIZE[0], SIZE[1]), _DARK)
    left, right, half = _MARGIN + 6, SIZE[0] - _MARGIN, (SIZE[0] - 2 * _MARGIN) / 2
    sheet.write(left, top + 29, f"Sự kiện / event {record.event_id}", 20, _WHITE, room=half, bold=True)
    digest = " ".join(record.digest[start : start + 4] for start in range(0, 16, 4))
    sheet.write(left, top + 57, f"Mã băm ảnh, video gốc / originals SHA-256: {digest}…", 18, _PALE, room=half)
    note = "Kết quả của máy, chưa phải kết luận vi phạm / a machine's finding, no decision"
    if record.hit.concern == "security":
        note = "Kết quả của máy, chờ người xem xét / a machine's finding, no decision"
    sheet.write(right, top + 29, note, 18, _WHITE, room=half - 20, align="right")
    hidden = (
        f"Người và xe khác đã làm mờ; ảnh gốc giữ nguyên / others are hidden here only · {record.worker_id}"
    )
    sheet.write(right, top + 57, hidden, 18, _PALE, room=half - 20, align="right")


def _picture(sheet: Sheet, rect: Rect, picture: Picture | None) -> None:
    if picture is None or not picture.size:
        sheet.fill(rect, _PAGE)
        _middle(sheet, rect, "Không có ảnh / none", _MUTED)
        return
    sheet.show(picture, rect, _PAGE)


def _aside(sheet: Sheet, x: float, baseline: float, text: str, color: Color, room: float) -> None:
    """The English beside the Vietnamese: whole or not at all."""
    if font(LEAST_TEXT_PX).getlength(text) <= room:
        sheet.write(x, baseline, text, LEAST_TEXT_PX, color, room=room)


def _middle(sheet: Sheet, rect: Rect, text: str, color: Color) -> None:
    left, top, right, bottom = rect
    sheet.write(
        (left + right) / 2, (top + bottom) / 2 + 7, text, 20, color, room=right - left - 20, align="middle"
    )


def _row(sheet: Sheet, left: float, right: float, baseline: float, name: str, value: str) -> None:
    """What, and its value at the right; the value keeps its room."""
    used = sheet.write(right, baseline, value, 20, _INK, room=(right - left) * 0.68, bold=True, align="right")
    sheet.write(left, baseline, name, LEAST_TEXT_PX, _MUTED, room=right - left - used - 12)


def _column(number: int) -> int:
    return _MARGIN + number * (_COLUMN + _GAP)

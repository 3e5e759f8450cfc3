"""A case on paper: the notice to a vehicle's owner, or, before a decision, a sheet that says it is none.

Three parts: the form with what a notice names (vehicle, time, place, act, law, device), the pictures, and the
list of evidence with its hashes. Bystanders are hidden on all of it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image

from pipeline import __version__
from pipeline.evidence.words import decimal
from pipeline.ioc.config.keeping import NoticeSettings
from pipeline.ioc.desk import CaseView
from pipeline.ioc.desk.files import Checked, EvidenceFiles, FileError, item_of
from pipeline.ioc.exports import words
from pipeline.ioc.exports.form import INK, LABEL_MM, LEFT_MM, MUTED, RED, RIGHT_MM, TOP_MM, Align, Form, clean
from pipeline.ioc.exports.hidden import STILLS, cut, hidden_still
from pipeline.ioc.store.act import Act, LawEntry, Plate
from pipeline.ioc.store.act import bare_plate as bare

NOT_VERIFIED = "CHƯA KIỂM CHỨNG"
_CAR = re.compile(r"(\d\d[A-Z]{1,2})(\d{4,5})")


@dataclass(frozen=True, slots=True)
class _Pictures:
    """What could be had of them, bystanders hidden."""

    composite: bytes | None
    stills: dict[str, Image.Image]
    vehicle: Image.Image | None
    plate: Image.Image | None


def notice(
    files: EvidenceFiles, view: CaseView, settings: NoticeSettings, *, by: str, now_ms: int, area: str
) -> bytes:
    """The PDF. Raises OSError when the fonts are not installed.

    Evidence that has expired, or was changed, is told on the form and left out.
    """
    security = view.row.type == "security.incident"
    confirmed = view.row.state == "confirmed" and not security
    title = "Thông báo vi phạm" if confirmed else "Phiếu hồ sơ vụ việc"
    foot = f"Hồ sơ {view.row.id} · kết xuất {words.day(now_ms)} bởi {by} · ngatu {__version__}"
    form = Form(f"{title} {view.row.id}", clean(foot))
    pictures = _pictures(files, view)
    form.add_page()
    if not confirmed:
        form.watermark("KHÔNG PHẢI THÔNG BÁO" if not security else "LƯU HÀNH NỘI BỘ")
    _head(form, settings, view, area)
    _title(form, view, confirmed=confirmed, security=security)
    if confirmed:
        form.dotted("Kính gửi: Ông/bà (chủ phương tiện)")
        form.dotted("Địa chỉ:")
        form.ln(1.5)
    _facts(form, view, security=security)
    _shown(form, view, pictures)
    if confirmed:
        _request(form, settings)
    _signatures(form, view, confirmed=confirmed)
    _picture_page(form, view, pictures)
    _evidence_page(form, view, files.verify(view))
    return bytes(form.output())


def _head(form: Form, settings: NoticeSettings, view: CaseView, area: str) -> None:
    """Who issues it, and the country's name and motto, as Nghị định 30/2020/NĐ-CP lays them out."""
    top, left, half = form.y, form.l_margin, form.epw * 0.43
    y = top
    if settings.authority_above:
        form.pen(9.6)
        y = form.text_at(left, y, half, settings.authority_above.upper(), line=4.8, align="C")
    form.pen(9.6, bold=True)
    issuer = settings.authority.upper() or "." * 40
    y = form.text_at(left, y, half, issuer, line=4.8, align="C")
    _rule(form, left + half / 2, y + 0.8, 22)
    form.pen(9.6)
    low = form.text_at(left, y + 3, half, "Số: ............ /TB-............", line=4.8, align="C")
    right, room = left + half + 2, form.epw - half - 2
    form.pen(9.2, bold=True)
    y = form.text_at(right, top, room, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", line=4.8, align="C")
    form.pen(10, bold=True)
    y = form.text_at(right, y, room, "Độc lập - Tự do - Hạnh phúc", line=4.8, align="C")
    _rule(form, right + room / 2, y + 0.8, 52)
    form.pen(9.6)
    place = settings.place or area
    dated = f"{place}, ngày ...... tháng ...... năm .........."
    low = max(low, form.text_at(right, y + 3, room, dated, line=4.8, align="C"))
    form.set_y(low + 4)


def _rule(form: Form, middle: float, y: float, width: float) -> None:
    form.set_draw_color(*INK)
    form.set_line_width(0.3)
    form.line(middle - width / 2, y, middle + width / 2, y)


def _title(form: Form, view: CaseView, *, confirmed: bool, security: bool) -> None:
    state = words.STATES.get(view.row.state, view.row.state)
    if confirmed:
        lines = (
            ("THÔNG BÁO", 14, True),
            ("Về việc phương tiện vi phạm trật tự, an toàn giao thông đường bộ", 10.6, True),
            ("phát hiện qua phương tiện, thiết bị kỹ thuật nghiệp vụ", 10, False),
        )
    elif security:
        lines = (
            ("PHIẾU THÔNG TIN SỰ CỐ", 14, True),
            ("phát hiện qua camera giám sát", 10, False),
            (f"Trạng thái: {state}", 10, True),
        )
    else:
        lines = (
            ("PHIẾU HỒ SƠ VỤ VIỆC", 14, True),
            ("Dấu hiệu vi phạm trật tự, an toàn giao thông đường bộ phát hiện qua camera", 10, False),
            (f"Trạng thái: {state}. Phiếu này không phải thông báo vi phạm.", 10, True),
        )
    for text, points, bold in lines:
        form.pen(points, bold=bold)
        form.text_at(form.l_margin, form.y, form.epw, text, line=points * 0.5, align="C")
    form.ln(2.5)


def _facts(form: Form, view: CaseView, *, security: bool) -> None:
    act = view.act
    clock = act.time
    if security:
        form.row("1. Đối tượng", words.road_user(act.road_user))
    else:
        color = words.plate_color(act.plate.color if act.plate else None)
        ground = f" (nền {color})" if color else ""
        read = shown_plate(view.row.plate, act.plate)
        form.row("1. Biển số", f"{read}{ground}" if read else "không đọc được", bold=True)
        form.row("Loại phương tiện", words.road_user(act.road_user), sub=True)
    form.row("2. Thời gian", f"{words.moment(view.row.at_ms)} (giờ Việt Nam, UTC+7)", bold=True)
    source = words.SOURCES.get(clock.source, clock.source)
    off = f"; lệch so với máy thu {decimal(clock.offset_ms, 0)} ms" if clock.source == "rtcp" else ""
    form.row("Nguồn giờ", f"{source}; sai số ± {decimal(clock.uncertainty_ms, 0)} ms{off}", sub=True)
    place = ", ".join(part for part in (act.camera.name, act.camera.place) if part)
    form.row("3. Địa điểm", place or act.camera.id, bold=True)
    form.row("4. Hành vi" if not security else "4. Sự cố", words.rule(act.rule), bold=True)
    if told := words.measured(act) + _lamps(act):
        form.row("Ghi nhận", "; ".join(told), sub=True)
    if not security:
        _law(form, act)
    number = "5" if security else "6"
    device = f"camera {act.camera.id}, máy {view.worker} ({act.worker.software or 'không rõ phần mềm'})"
    form.row(f"{number}. Thiết bị", device)
    if view.history:
        last = view.history[-1]
        state = words.STATES.get(last.state, last.state)
        form.row("Xét duyệt", f"{state} bởi {last.user} lúc {words.day(last.at_ms)}", sub=True)


def _lamps(act: Act) -> list[str]:
    return [f"đèn {name}: {words.lamp(lamp.color)}" for name, lamp in list(act.lamps.items())[:3]]


def _law(form: Form, act: Act) -> None:
    entries = act.law.entries[:2] if act.law else ()
    if not entries:
        form.row("5. Căn cứ pháp lý", "chưa có điều khoản cho hành vi này")
        return
    for number, entry in enumerate(entries):
        form.row("5. Căn cứ pháp lý" if number == 0 else "hoặc", _cited(entry), sub=number > 0)
        form.row("Mức phạt tiền", _fine(entry), sub=True)
    more = len(act.law.entries) - len(entries) if act.law else 0
    if more:
        form.row("", f"và {more} điều khoản khác có thể áp dụng")
    if act.law and len(entries) > 1:
        undecided = f"chưa đủ căn cứ chọn một trong {len(act.law.entries)} điều khoản"
        form.row("Lưu ý", undecided, sub=True)
    if act.law and not all(entry.verified for entry in act.law.entries):
        y, start = form.y + 0.6, form.l_margin + LABEL_MM + 1
        width = form.stamp(NOT_VERIFIED, start, y, 9)
        form.pen(8, color=RED)
        note = "điều khoản lấy từ bản sao thứ cấp: cán bộ đối chiếu với văn bản chính thức trước khi ký"
        left = start + width + 2.5
        low = form.text_at(left, y - 0.6, form.w - form.r_margin - left, note, line=3.6)
        form.set_xy(form.l_margin, max(low, y + 6) + 0.8)


def _cited(entry: LawEntry) -> str:
    changes = "".join(f" ({change.note.vi})" for change in entry.amended_by if change.note.vi)
    citation = entry.citation[:1].upper() + entry.citation[1:]
    return f"{citation}: {entry.title.vi}{changes}"


def _fine(entry: LawEntry) -> str:
    fine = " đến ".join(words.money(amount) for amount in entry.fine_vnd)
    points = f"; trừ {entry.licence_points} điểm giấy phép lái xe" if entry.licence_points else ""
    return f"{fine} đồng{points}" if fine else f"không rõ{points}"


def shown_plate(text: str, plate: Plate | None) -> str:
    """As people write it: 70A-123.45."""
    lines = [bare(line) for line in plate.lines if line] if plate else []
    if len(lines) != 2 or "".join(lines) != text:
        car = _CAR.fullmatch(text)
        lines = list(car.groups()) if car else [text]
    head, *tail = lines
    return "-".join([head, *(f"{each[:3]}.{each[3:]}" if len(each) == 5 else each for each in tail)])


def _shown(form: Form, view: CaseView, pictures: _Pictures) -> None:
    """The vehicle, its plate, and the code of the case in one row."""
    tall, gap = 40.0, 3.0
    form.ln(1)
    if form.y + tall + 8 > form.h - form.b_margin:
        form.add_page()
    top, left = form.y, form.l_margin
    code = tall
    room = form.epw - code - 2 * gap
    first = room * 0.56
    _captioned(form, pictures.vehicle, (left, top, first, tall), "Phương tiện, thời điểm quyết định")
    plate = view.act.plate
    if view.row.type != "security.incident":
        read = shown_plate(view.row.plate, plate) or "không đọc được"
        score = f" (máy đọc, độ tin cậy {decimal(plate.confidence, 2)})" if plate and plate.text else ""
        if plate and plate.text and bare(plate.text) != view.row.plate:
            score = f" (cán bộ sửa; máy đọc {plate.text})"
        caption = f"Biển số: {read}{score}"
        place = (left + first + gap, top, room - first, tall)
        _captioned(form, pictures.plate, place, caption)
    right = form.w - form.r_margin - code
    form.code(view.row.id, right, top, code)
    form.pen(6.8, color=MUTED)
    form.text_at(right - 4, top + tall + 0.6, code + 8, "Mã hồ sơ", line=3.4, align="C")
    form.set_xy(left, top + tall + 8.4)


def _captioned(
    form: Form,
    picture: Image.Image | bytes | None,
    place: tuple[float, float, float, float],
    caption: str,
    align: Align = "C",
) -> None:
    x, y, width, height = place
    if picture is not None:
        form.picture(picture, x, y, width, height)
    else:
        form.rect(x, y, width, height)
        form.pen(8, color=MUTED)
        form.text_at(x, y + height / 2 - 2, width, "không có ảnh", line=4, align="C")
    form.pen(6.8, color=MUTED)
    form.text_at(x, y + height + 0.6, width, caption, line=3.4, align=align)


def _request(form: Form, settings: NoticeSettings) -> None:
    where = settings.address or settings.authority or "cơ quan ra thông báo"
    phone = f", điện thoại {settings.phone}" if settings.phone else ""
    form.pen(9.8)
    for text in (
        f"Đề nghị chủ phương tiện hoặc người đã điều khiển phương tiện đến {where}{phone} để giải quyết vụ "
        "việc; khi đến mang theo thông báo này, giấy tờ của phương tiện và của người điều khiển.",
        "Sau 20 ngày kể từ ngày gửi thông báo mà không có người đến giải quyết, thông tin về vi phạm được "
        "công khai và gửi cơ quan đăng kiểm theo quy định (Thông tư 73/2024/TT-BCA, chưa kiểm chứng).",
    ):
        form.set_x(form.l_margin)
        form.multi_cell(form.epw, 4.9, clean(text), align="J", new_x="LMARGIN", new_y="NEXT")
        form.ln(0.8)


def _signatures(form: Form, view: CaseView, *, confirmed: bool) -> None:
    tall = 36.0
    if form.y + tall > form.h - form.b_margin:
        form.add_page()
    form.ln(1.5)
    top, half = form.y, form.epw / 2
    officer = view.history[-1].user if view.history else ""
    columns = [("CÁN BỘ XỬ LÝ", "(Ký, ghi rõ họ tên)", officer)]
    if confirmed:
        columns.append(("THỦ TRƯỞNG ĐƠN VỊ", "(Ký, ghi rõ họ tên, đóng dấu)", ""))
    for number, (title, how, name) in enumerate(columns):
        left = form.l_margin + (number if confirmed else 1) * half
        form.pen(10, bold=True)
        y = form.text_at(left, top, half, title, line=5, align="C")
        form.pen(8.4, color=MUTED)
        form.text_at(left, y, half, how, line=4.4, align="C")
        if name:
            form.pen(10)
            form.text_at(left, top + 28, half, name, line=5, align="C")
    form.set_y(top + tall)


def _picture_page(form: Form, view: CaseView, pictures: _Pictures) -> None:
    form.add_page(orientation="landscape")
    form.set_margins(12, 12, 12)
    form.set_xy(12, 12)
    form.heading("Phụ lục 1. Hình ảnh (người và phương tiện không liên quan đã được che)")
    top = form.y + 1
    tall = form.h - form.b_margin - top - 4
    if pictures.composite is not None:
        form.picture(pictures.composite, 12, top, form.epw, tall)
    else:
        wide = (form.epw - 8) / 3
        for number, role in enumerate(STILLS):
            sighting = getattr(view.act.moments, role)
            caption = f"{words.ROLES[role]}: {words.moment(round(sighting.captured_at.timestamp() * 1000))}"
            place = (12 + number * (wide + 4), top, wide, wide * 0.62)
            _captioned(form, pictures.stills.get(role), place, caption)


def _evidence_page(form: Form, view: CaseView, checked: list[Checked]) -> None:
    form.add_page(orientation="portrait")
    form.set_margins(LEFT_MM, TOP_MM, RIGHT_MM)
    form.set_xy(LEFT_MM, TOP_MM)
    form.heading("Phụ lục 2. Danh mục bằng chứng điện tử")
    evidence = view.act.evidence
    if view.evidence_gone_ms:
        form.stamp("BẰNG CHỨNG ĐÃ HẾT HẠN LƯU", form.l_margin, form.y)
        form.set_xy(form.l_margin, form.y + 8)
        form.row("Hết hạn lúc", words.day(view.evidence_gone_ms))
    form.row("Mã hồ sơ", view.row.id)
    form.row("Gói bằng chứng", evidence.bundle or "không có")
    form.row("Khóa ký (Ed25519)", evidence.signature_key_id or "không có")
    if view.hold is not None:
        form.row(
            "Lưu giữ theo yêu cầu", f"{view.hold.user}, {words.day(view.hold.at_ms)}: {view.hold.reason}"
        )
    lines = [
        (words.ROLES.get(item.role, item.role), item.file, words.money(item.size_bytes), item.sha256)
        for item in evidence.items
    ]
    if evidence.manifest_sha256 is not None:
        lines.append(("Bản kê đã ký", "manifest.json", "", evidence.manifest_sha256))
    form.ln(1)
    form.pen(7.4)
    with form.table(
        col_widths=(31, 23, 16, 100), line_height=4.6, padding=(0.8, 1), text_align=("L", "L", "R", "L"),
        width=form.epw, align="LEFT", borders_layout="HORIZONTAL_LINES",
    ) as table:  # fmt: skip
        head = table.row()
        for text in ("Nội dung", "Tệp", "Byte", "SHA-256"):
            head.cell(text)
        for role, file, size, sha256 in lines:
            row = table.row()
            form.pen(7.4)
            row.cell(clean(role))
            row.cell(clean(file))
            row.cell(size)
            form.pen(6.6, mono=True)
            row.cell(sha256)
            form.pen(7.4)
    form.ln(2)
    if checked:
        right = sum(one.ok for one in checked)
        form.row(
            "Đối chiếu mã băm", f"{right}/{len(checked)} tệp khớp khi kết xuất", bold=right < len(checked)
        )
        for one in checked:
            if not one.ok:
                form.row(one.file, one.problem, sub=True)
    if view.history:
        form.heading("Quá trình xét duyệt")
        for entry in view.history[-12:]:
            note = f" ({entry.note})" if entry.note else ""
            state = words.STATES.get(entry.state, entry.state)
            form.row(words.day(entry.at_ms).replace(" ngày", ""), f"{state}, {entry.user}{note}")
    if missing := (*view.act.missing, *evidence.missing):
        form.row("Thiếu", "; ".join(words.lacking(missing)))
    form.pen(8, color=MUTED)
    form.text_at(
        form.l_margin,
        form.y + 1,
        form.epw,
        "Kiểm tra: giải nén gói bằng chứng của hồ sơ và chạy lệnh “ngatu verify THƯ-MỤC”; mã băm SHA-256 của "
        "từng tệp phải trùng với danh mục này. Tệp gốc không bị sửa; ảnh ở Phụ lục 1 là bản sao đã che người "
        "không liên quan.",
        line=4,
    )


def _pictures(files: EvidenceFiles, view: CaseView) -> _Pictures:
    stills: dict[str, Image.Image] = {}
    composite: bytes | None = None
    for role in (*STILLS, "composite"):
        item = item_of(view, role)
        if item is None:
            continue
        # What is not there, or was changed, is left out here and named in the list of evidence.
        with suppress(FileError):
            if role == "composite":
                composite = files.read(view, item.file)[0]
            else:
                stills[role] = hidden_still(files, view, item)
    at = stills.get("at")
    vehicle = cut(at, view.act.moments.at.box, 0.12) if at is not None else None
    return _Pictures(composite, stills, vehicle, _plate_picture(view, stills))


def _plate_picture(view: CaseView, stills: dict[str, Image.Image]) -> Image.Image | None:
    """The plate where it is largest among the stills it was read on."""
    plate = view.act.plate
    sights = sorted(plate.sights, key=lambda sight: -sight.char_px) if plate else []
    for sight in sights:
        for role, picture in stills.items():
            item = item_of(view, role)
            at = item.captured_at if item is not None else None
            if at is not None and abs((at - sight.captured_at).total_seconds()) < 0.002:
                return cut(picture, sight.box, 0.15)
    return None

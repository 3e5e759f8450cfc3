"""Words and clocks of what leaves the house: Vietnamese, as forms of the authorities are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from pipeline.evidence.words import KINDS, LAMPS, PLATE_COLORS, PLATE_OUTCOMES, rule_words
from pipeline.evidence.words import measured as facts_told
from pipeline.ioc.store.act import Act, Missing
from pipeline.types import LampColor, RoadUserKind

VIETNAM = timezone(timedelta(hours=7))

STATES = {
    "open": "Chưa xét duyệt",
    "confirmed_once": "Mới xác nhận 1/2",
    "second_look": "Cần xem lại",
    "confirmed": "Đã xác nhận",
    "rejected": "Đã từ chối",
    "incomplete": "Thiếu bằng chứng",
}
SOURCES = {
    "rtcp": "đồng hồ camera (RTCP)",
    "arrival": "đồng hồ máy thu, lúc nhận hình",
    "file": "dòng thời gian của tệp",
}
ROLES = {
    "before": "Ảnh trước",
    "at": "Ảnh lúc vi phạm",
    "after": "Ảnh sau",
    "clip": "Video",
    "crop": "Ảnh cắt phương tiện",
    "annotated": "Ảnh có chú giải",
    "composite": "Ảnh tổng hợp",
}
PARTS = {
    "still_before": ROLES["before"],
    "still_at": ROLES["at"],
    "still_after": ROLES["after"],
    "clip_before": "Đoạn đầu của video",
    "clip.before": "Đoạn đầu của video",
    "clip_after": "Đoạn cuối của video",
    "clip.after": "Đoạn cuối của video",
    "geometry": "Vạch, vùng làm căn cứ",
    "plate": "Ảnh biển số",
    **ROLES,
}
"""Of a record, by code and by role."""


def rule(name: str) -> str:
    """The act."""
    return rule_words(name)[0]


def road_user(name: str) -> str:
    """The vehicle."""
    return KINDS[RoadUserKind(name)][0] if name in set(RoadUserKind) else name


def lamp(color: str) -> str:
    """What a lamp showed."""
    return LAMPS[LampColor(color)][0] if color in set(LampColor) else color


def plate_color(color: str | None) -> str:
    """The plate's ground."""
    return next((vi for name, (vi, _) in PLATE_COLORS.items() if name == color), "")


def lacking(missing: Iterable[Missing]) -> list[str]:
    """What a record lacks, each thing once."""
    told: dict[str, None] = {}
    for part in missing:
        name = part.code or part.role
        outcome = name.removeprefix("plate_")
        plate = next((vi for key, (vi, _) in PLATE_OUTCOMES.items() if key == outcome), "")
        told[f"Biển số: {plate.lower()}" if plate else PARTS.get(name) or part.reason or name] = None
    return list(told)[:12]


def measured(act: Act) -> list[str]:
    """What the rule measured, those facts that an officer asks for."""
    told = [f"{vi}: {value}" for _, (vi, _), value in facts_told(act.facts)]
    if act.facts.get("advisory") is True:
        told.append("tốc độ đo bằng hình ảnh, thiết bị chưa kiểm định: chỉ để tham khảo")
    return told


def money(amount: int) -> str:
    """4.000.000."""
    return f"{amount:,}".replace(",", ".")


def moment(at_ms: int) -> str:
    """To the millisecond, by Vietnamese clocks."""
    local = datetime.fromtimestamp(at_ms / 1000, VIETNAM)
    return f"{local:%H:%M:%S},{local.microsecond // 1000:03d} ngày {local:%d/%m/%Y}"


def day(at_ms: int) -> str:
    """To the minute."""
    return f"{datetime.fromtimestamp(at_ms / 1000, VIETNAM):%H:%M ngày %d/%m/%Y}"

"""What the annotated still says, in Vietnamese and English."""

from __future__ import annotations

from pipeline.types import LampColor, RoadUserKind, TimeSource

RULES: dict[str, tuple[str, str]] = {
    "red_light": ("Vượt đèn đỏ", "Red light"),
    "stop_line": ("Đè vạch dừng", "Stopped past the stop line"),
    "wrong_way": ("Đi ngược chiều", "Wrong way"),
    "speeding": ("Chạy quá tốc độ", "Speeding"),
    "stalled": ("Xe dừng giữa làn", "Stalled in a lane"),
    "intrusion": ("Xâm nhập khu vực cấm", "Intrusion"),
    "loitering": ("Lảng vảng", "Loitering"),
    "crowd": ("Tụ tập đông người", "Crowd"),
    "abandoned_object": ("Xe bỏ lại không người trông", "Left alone"),
}

KINDS: dict[RoadUserKind, tuple[str, str]] = {
    RoadUserKind.PERSON: ("Người", "person"),
    RoadUserKind.BICYCLE: ("Xe đạp", "bicycle"),
    RoadUserKind.MOTORBIKE: ("Xe máy", "motorbike"),
    RoadUserKind.CAR: ("Ô tô", "car"),
    RoadUserKind.BUS: ("Xe buýt", "bus"),
    RoadUserKind.TRUCK: ("Xe tải", "truck"),
}

LAMPS: dict[LampColor, tuple[str, str]] = {
    LampColor.RED: ("đỏ", "red"),
    LampColor.YELLOW: ("vàng", "yellow"),
    LampColor.GREEN: ("xanh", "green"),
    LampColor.OFF: ("tắt", "off"),
    LampColor.UNKNOWN: ("không rõ", "unknown"),
}

TIME_SOURCES: dict[TimeSource, str] = {
    "rtcp": "giờ camera / camera clock (RTCP)",
    "arrival": "giờ nhận / time of arrival",
    "file": "giờ của tệp / file's own time",
}


GEOMETRY: dict[str, str] = {
    "stop_line": "vạch dừng",
    "junction": "giao lộ",
    "clearance": "qua giao lộ",
    "lane": "làn",
    "direction": "chiều đi",
    "zone": "vùng",
}
"""What rules draw, by the first word of its name; signs in the picture are short, so in Vietnamese only."""


def rule_words(rule: str) -> tuple[str, str]:
    """Vietnamese and English name of a rule; a rule without words here goes by its id."""
    plain = rule.replace("_", " ").capitalize()
    return RULES.get(rule, (plain, plain))

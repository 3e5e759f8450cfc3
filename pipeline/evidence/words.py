"""What the annotated still says, in Vietnamese and English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.types import LampColor, PlateCause, PlateColor, PlateOutcome, RoadUserKind, TimeSource

RULES: dict[str, tuple[str, str]] = {
    "red_light": ("Vượt đèn đỏ", "Red light"),
    "stop_line": ("Đè vạch dừng", "Stopped past the stop line"),
    "wrong_way": ("Đi ngược chiều", "Wrong way"),
    "wrong_lane": ("Đi sai làn đường", "Wrong lane"),
    "solid_line": ("Lấn vạch liền", "Crossed a solid line"),
    "banned_turn": ("Rẽ nơi cấm rẽ", "Banned turn"),
    "u_turn": ("Quay đầu nơi cấm", "Banned U-turn"),
    "illegal_stop": ("Dừng, đỗ xe sai quy định", "Illegal stop or parking"),
    "speeding": ("Chạy quá tốc độ", "Speeding"),
    "restricted_hours": ("Đi vào đường cấm, giờ cấm", "Restricted road or hours"),
    "pavement": ("Đi xe trên vỉa hè", "Riding on the pavement"),
    "no_helmet": ("Không đội mũ bảo hiểm", "No helmet"),
    "too_many_riders": ("Chở quá số người quy định", "Too many riders"),
    "motorway_intruder": ("Đi vào đường cao tốc trái phép", "Banned from the motorway"),
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
    "solid_line": "vạch liền",
    "entry": "lối vào",
    "exit": "lối ra",
    "head": "đầu",
}
"""What rules draw, by the first word of its name; signs in the picture are short, so in Vietnamese only."""


FACTS: dict[str, tuple[str, str, str]] = {
    "speed_kmh": ("Tốc độ", "speed", "km/h"),
    "limit_kmh": ("Giới hạn", "limit", "km/h"),
    "red_age_s": ("Đèn đỏ đã", "red for", "s"),
    "line": ("Vạch", "line", ""),
    "lane": ("Làn", "lane", ""),
    "zone": ("Vùng", "zone", ""),
    "turn": ("Hướng rẽ", "turn", ""),
    "angle_to_lane_deg": ("Góc so với làn", "angle to lane", "°"),
    "turned_deg": ("Góc quay", "turned", "°"),
    "riders": ("Số người trên xe", "riders", ""),
    "allowed": ("Được chở", "allowed", ""),
    "people": ("Số người", "people", ""),
    "people_most": ("Đông nhất", "at most", ""),
    "stood_s": ("Đứng", "stood", "s"),
    "alone_s": ("Không người trông", "alone for", "s"),
    "inside_s": ("Ở trong", "inside for", "s"),
    "stayed_s": ("Ở lại", "stayed", "s"),
    "lasted_s": ("Kéo dài", "lasted", "s"),
    "duration_s": ("Trong", "during", "s"),
    "way_m": ("Đo trên", "over", "m"),
}
"""What a rule tells and an officer asks for: Vietnamese, English, unit; in order of importance."""

PLATE_COLORS: dict[PlateColor, tuple[str, str]] = {
    "white": ("trắng", "white"),
    "yellow": ("vàng", "yellow"),
    "blue": ("xanh", "blue"),
    "red": ("đỏ", "red"),
}

PLATE_OUTCOMES: dict[PlateOutcome, tuple[str, str]] = {
    "legible": ("Đọc rõ", "legible"),
    "not_legible": ("Không rõ", "not legible"),
    "not_found": ("Không thấy biển", "not found"),
    "not_read": ("Chưa đọc", "not read"),
    "reading_off": ("Không bật đọc biển", "reading is off"),
    "not_carried": ("Không có biển", "carries none"),
}

PLATE_CAUSES: dict[PlateCause, tuple[str, str]] = {
    "unlike_a_plate": (
        "Chữ đọc được không đúng dạng biển số Việt Nam",
        "not written like a Vietnamese plate",
    ),
    "rival_plate": ("Có biển số khác cũng có thể là của xe này", "another plate may be the vehicle's"),
    "unsure": ("Đọc được nhưng chưa đủ chắc chắn", "read, but not surely"),
    "no_picture": ("Không có ảnh của phương tiện", "no picture of the vehicle"),
    "acts_wait": ("Quá nhiều vụ việc đang chờ, không kịp đọc", "too many acts waited"),
    "reader_busy": ("Đang đọc biển số của vụ việc khác", "plates of other acts were being read"),
    "failed": ("Lỗi khi đọc biển số", "reading failed"),
    "stopping": ("Máy đang dừng lúc xảy ra vụ việc", "the worker was stopping"),
}

MOMENTS: dict[str, tuple[str, str]] = {
    "before": ("Trước", "before"),
    "at": ("Thời điểm vi phạm", "decisive"),
    "after": ("Sau", "after"),
}


def measured(facts: Mapping[str, object], point: str = ",") -> Iterator[tuple[str, tuple[str, str], str]]:
    """Of `facts`, those that an officer asks for: key, name in Vietnamese and English, value with its unit.

    Numbers have `point` before their decimals: a comma in Vietnamese. What no rule tells is left out.
    """
    for key, (vi, en, unit) in FACTS.items():
        value = facts.get(key)
        text = value[:60] if isinstance(value, str) else _number(value, point)
        if text and key == "speed_kmh" and (spread := _number(facts.get("uncertainty_kmh"), point)):
            text += f" ± {spread}"
        if text:
            yield key, (vi, en), f"{text}{unit if unit == '°' else ' ' + unit}".strip()


def _number(value: object, point: str) -> str:
    """ "" for what is none, is zero, or is larger than anything that is measured."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < abs(value) < 1e9:
        return ""
    return str(value) if isinstance(value, int) else decimal(value, 1, point)


def decimal(value: float, places: int, point: str = ",") -> str:
    """With `point` before the fraction: a comma, as Vietnamese write it."""
    return f"{value:.{places}f}".replace(".", point)


def rule_words(rule: str) -> tuple[str, str]:
    """Vietnamese and English name of a rule; a rule without words here goes by its id."""
    plain = rule.replace("_", " ").capitalize()
    return RULES.get(rule, (plain, plain))

"""Solid lines, forbidden turns and hours as operators draw them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from pipeline.scene import HoursSettings, Scene, SceneSettings, in_force
from tests.rules.metres import CALIBRATION, SIZE, seen

LINE = {"id": "middle", "line": [[0.5, 0.1], [0.5, 0.8]]}
TURN = {
    "id": "no_left",
    "act": "banned_turn",
    "entry": [[0.5, 0.7], [0.7, 0.7], [0.7, 0.9], [0.5, 0.9]],
    "exit": [[0.0, 0.3], [0.2, 0.3], [0.2, 0.5], [0.0, 0.5]],
}


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (
            {"solid_lines": [LINE | {"forbidden": [[0.6, 0.5], [0.8, 0.5]]}]},
            "forbidden does not cross the line",
        ),
        ({"solid_lines": [LINE | {"forbidden": [[0.5, 0.2], [0.5, 0.6]]}]}, "forbidden runs parallel"),
        ({"solid_lines": [LINE, LINE]}, "'middle' is used more than once in solid_lines"),
        ({"turns": [TURN | {"act": "left"}]}, "banned_turn"),
        ({"turns": [TURN | {"exit": TURN["entry"]}]}, "entry and exit overlap"),
        ({"turns": [TURN | {"exit": [[0.4, 0.8], [0.8, 0.8], [0.6, 1.0]]}]}, "entry and exit overlap"),
        ({"time_zone": "Asia/Tay_Ninh"}, "there is no time zone 'Asia/Tay_Ninh'"),
        ({"time_zone": "../../etc/passwd"}, "there is no time zone"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(scene: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SceneSettings.model_validate(scene)


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ({"start": "25:00"}, "time of day"),
        ({"start": "6.30"}, "time of day"),
        ({"end": 1441}, "time of day"),
        ({"start": True}, "time of day"),
        ({"start": 22}, 'write "22:00"'),
        ({"start": "06:00", "end": "06:00"}, "the same"),
        ({"days": ["monday"]}, "mon"),
    ],
)
def test_hours_that_cannot_be_are_refused(hours: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HoursSettings.model_validate(hours)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-03-02 05:59:59", False),
        ("2026-03-02 06:00:00", True),
        ("2026-03-02 08:59:59", True),
        ("2026-03-02 09:00:00", False),
        ("2026-03-03 07:00:00", False),
    ],
)
def test_a_span_holds_from_its_first_minute_to_before_its_last(local: str, expected: bool) -> None:
    span = HoursSettings.model_validate({"days": ["mon"], "start": "06:00", "end": "09:00"})
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    time_s = datetime.fromisoformat(local).replace(tzinfo=zone).timestamp()
    assert in_force([span], time_s, "Asia/Ho_Chi_Minh") is expected


def test_the_same_moment_is_another_hour_elsewhere() -> None:
    span = HoursSettings.model_validate({"start": "06:00", "end": "09:00"})
    morning = datetime(2026, 3, 2, 0, 30, tzinfo=ZoneInfo("UTC")).timestamp()
    assert in_force([span], morning, "Asia/Ho_Chi_Minh")
    assert not in_force([span], morning, "UTC")


def test_a_line_without_an_arrow_has_two_sides_all_the_same() -> None:
    scene = Scene(SceneSettings.model_validate({"solid_lines": [LINE]}))
    (line,) = scene.solid_lines(1.5)
    assert line.both
    left, right = line.distance((0.6, 0.4)), line.distance((0.9, 0.4))
    assert left * right < 0
    assert abs(left) == pytest.approx(0.15)


def test_zones_are_asked_for_by_purpose() -> None:
    square = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4], [0.1, 0.4]]
    zones = [{"id": name, "polygon": square, "purpose": name} for name in ("pavement", "motorway")]
    scene = Scene(SceneSettings.model_validate({"zones": zones}))
    (zone,) = scene.zones(1.0, "motorway")
    assert zone.id == "motorway"
    assert zone.depth((0.25, 0.25)) == pytest.approx(0.15)
    assert zone.depth((0.5, 0.25)) == pytest.approx(-0.1)
    assert zone.depth_m((0.0, 0.0)) is None


def test_lanes_that_draw_together_in_the_picture_lead_over_the_line_on_the_ground() -> None:
    line = {
        "id": "far",
        "line": [list(seen(-3.5, 30.0)), list(seen(3.5, 30.0))],
        "travel": [list(seen(0.0, 25.0)), list(seen(0.0, 35.0))],
        "movements": {"straight": {"lamp": "ball"}},
        "junction": {"beyond_heights": 2.0},
    }
    lamp = {"id": "ball", "box": [0.9, 0.1, 0.95, 0.2]}
    aspect = SIZE[0] / SIZE[1]

    def drawn(**more: Any) -> Any:
        scene = Scene(SceneSettings.model_validate({"lamps": [lamp], "stop_lines": [line], **more}))
        (found,) = scene.stop_lines(aspect)
        return found

    x, y = seen(3.0, 5.0)
    calibrated = drawn(calibration=CALIBRATION)
    assert not calibrated.faces((x * aspect, y))
    assert calibrated.faces_m((3.0, 5.0))
    assert not calibrated.faces_m((4.5, 5.0))
    assert drawn().faces_m((3.0, 5.0)) is None

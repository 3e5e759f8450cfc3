"""Which speeds are judged, and what is told of the others."""

from __future__ import annotations

import pytest

from pipeline.scene import SceneSettings
from scripts.accuracy.perception import Perception
from tests.accuracy.city import watched
from tests.rules.metres import CALIBRATION, SIZE, Vehicle, lane, observe, steady

SCENE = SceneSettings.model_validate(
    {"calibration": CALIBRATION, "lanes": [lane("north", -3.5, 3.5)], "rules": {}}
)


def added(told_kmh: float, true_kmh: float, shift_px: float = 0.0) -> Perception:
    observations = list(observe([Vehicle(steady(told_kmh))]))
    sums = Perception()
    sums.add_speeds(SCENE, observations, watched(observations, true_kmh, shift_px), SIZE)
    return sums


def test_a_speed_is_judged_by_how_fast_its_vehicle_truly_is() -> None:
    [error] = added(30.0, 29.0).speeds
    assert error.off_kmh == pytest.approx(1.0, abs=0.7)


def test_who_is_told_as_fast_though_it_is_slow_is_told_apart() -> None:
    sums = added(30.0, 15.0)
    assert sums.speeds == []
    assert sums.slower_kmh == [pytest.approx(15.0, abs=0.7)]
    assert added(12.0, 15.0).slower_kmh == []


def test_a_speed_of_no_one_vehicle_is_told_apart() -> None:
    sums = added(30.0, 30.0, shift_px=500.0)
    assert (sums.speeds, sums.slower_kmh, sums.nobodys) == ([], [], 1)
    assert added(12.0, 12.0, shift_px=500.0).nobodys == 0

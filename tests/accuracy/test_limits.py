"""Who is told to be faster than limits that the city does not have."""

from __future__ import annotations

import pytest

from pipeline.scene import SceneSettings
from scripts.accuracy.limits import LIMITS_KMH, told_faster
from tests.accuracy.city import watched
from tests.rules.metres import CALIBRATION, SIZE, Vehicle, lane, observe, steady

SCENE = SceneSettings.model_validate(
    {"calibration": CALIBRATION, "lanes": [lane("north", -3.5, 3.5, limit_kmh=50)], "rules": {}}
)


@pytest.mark.parametrize(
    ("true_kmh", "shift_px", "right"),
    [(38.0, 0.0, [True, True, True]), (31.0, 0.0, [True, True, False]), (38.0, 500.0, [False] * 3)],
    ids=["as fast", "slower than one of them", "somebody else"],
)
def test_a_telling_is_held_against_the_vehicle_whose_boxes_it_tells(
    true_kmh: float, shift_px: float, right: list[bool]
) -> None:
    observations = list(observe([Vehicle(steady(38.0))]))
    told = told_faster(SCENE, observations, watched(observations, true_kmh, shift_px), SIZE)
    assert [one.limit_kmh for one in told] == [limit_kmh for limit_kmh in LIMITS_KMH if limit_kmh < 38]
    assert [one.right for one in told] == right


def test_without_metres_nothing_is_told() -> None:
    bare = SCENE.model_copy(update={"calibration": None})
    assert told_faster(bare, observe([Vehicle(steady(38.0))]), [], SIZE) == []

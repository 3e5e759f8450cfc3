"""Vehicles that pass the middles of lanes, by class, beside those that were counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline.scene import Scene, SceneSettings
from scripts.accuracy.counts import LaneCount, lane_counts
from tests.accuracy.city import truth
from tests.rules.metres import POSE, lane, seen

LATER = lane("right", 0.0, 3.5, direction=[seen(1.75, 6.0), seen(1.75, 59.5)])
SCENE = Scene(SceneSettings.model_validate({"lanes": [lane("left", -3.5, 0.0), LATER]}))
"""Halfway up the picture, their middles are some 10 and 16 m away."""


def frames(*drivers: tuple[int, str, Callable[[float], tuple[float, float]]]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "time_s": k / 10,
            "actors": [
                {"id": who, "kind": kind, "position_m": place(k / 10)} for who, kind, place in drivers
            ],
        }
        for k in range(150)
    )


def counts(*drivers: tuple[int, str, Callable[[float], tuple[float, float]]]) -> list[LaneCount]:
    watched = replace(truth([], []), frames=frames(*drivers))
    return lane_counts(watched, SCENE, POSE, [("left", "car", 2), ("right", "person", 1), (None, "car", 1)])


def test_each_lane_has_its_counts_by_class() -> None:
    assert counts(
        (1, "car", lambda t: (-1.5, 5 * t)),
        (2, "motorbike", lambda t: (-2.0, 4 * t)),
        (3, "motorbike", lambda t: (2.0, 4 * t)),
        (4, "person", lambda t: (2.0, 4 * t)),
    ) == [
        LaneCount("south", "left", "car", 1, 2),
        LaneCount("south", "left", "motorbike", 1, 0),
        LaneCount("south", "right", "motorbike", 1, 0),
    ]


@pytest.mark.parametrize(("mps", "lanes"), [(5.0, ["left"]), (2.0, ["left", "right"])])
def test_who_changes_lane_between_the_gates_passes_once(mps: float, lanes: list[str]) -> None:
    """Slower, more than two seconds lie between them: two passages."""
    found = counts((1, "car", lambda t: (-1.5 if mps * t < 12 else 1.5, mps * t)))
    assert [one.lane for one in found if one.true] == lanes

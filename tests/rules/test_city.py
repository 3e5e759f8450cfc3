"""All rules about where one drives, held against the city's truth without rendering: see `city`.

What is found here is found with perfect classes and lamps, and with boxes that jitter, are cut, hidden, lost
and renamed; what a detector adds to that is measured by the accuracy runs.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from pipeline.sim.scenario import scenario
from tests.rules.city import Score, Watched, score, watch

GEOMETRIC = {
    "red_light",
    "stop_line",
    "wrong_way",
    "wrong_lane",
    "solid_line",
    "banned_turn",
    "u_turn",
    "illegal_stop",
    "restricted_hours",
    "pavement",
}


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    """Eighty seconds of a junction and of a road, all cameras."""
    total: defaultdict[str, Score] = defaultdict(Score)
    for name, seed in (("junction-day", 40), ("road-day", 41)):
        city, cameras = watch(scenario(name, "dev", seed, 80.0), 6.0)
        for rule, one in score(city, [only_geometric(camera) for camera in cameras]).items():
            total[rule].true += one.true
            total[rule].found += one.found
            total[rule].false += one.false
    return dict(total)


def only_geometric(camera: Watched) -> Watched:
    rules = camera.scene.settings.rules
    for name in set(rules) - GEOMETRIC:
        del rules[name]
    return camera


@pytest.mark.slow
def test_nobody_is_accused_who_did_nothing(scores: dict[str, Score]) -> None:
    assert {rule: one.false for rule, one in scores.items() if one.false} == {}


@pytest.mark.slow
def test_nearly_all_acts_in_view_are_found(scores: dict[str, Score]) -> None:
    assert len(scores) >= 8, "too few kinds of acts came about to say anything"
    true, found = (sum(getattr(one, key) for one in scores.values()) for key in ("true", "found"))
    assert true >= 12
    assert found >= 0.9 * true, scores

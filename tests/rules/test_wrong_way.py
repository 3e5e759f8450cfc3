"""Wrong way: acts, look-alikes, edges."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from pipeline.types import RoadUserKind
from tests.rules.drive import Driver, judge, names, observe

LANE: dict[str, Any] = {
    "lanes": [
        {
            "id": "down",
            "polygon": [[0.3, 0.1], [0.5, 0.1], [0.5, 0.95], [0.3, 0.95]],
            "direction": [[0.4, 0.15], [0.4, 0.9]],
        }
    ],
    "rules": {"wrong_way": None},
}
UP = [(0.0, 0.4, 0.9), (4.0, 0.4, 0.4)]


@pytest.mark.parametrize("rate_hz", [5.0, 6.0, 25.0])
def test_driving_against_the_lane_is_one_hit(rate_hz: float) -> None:
    hits = judge(LANE, observe([Driver(UP, jitter=0.03)], rate_hz=rate_hz))
    assert names(hits) == ["wrong_way"]
    hit = hits[0]
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s
    assert hit.time.captured_at_s == hit.at.time_s
    assert hit.facts["against_box_heights"] >= 2
    assert hit.facts["angle_to_lane_deg"] == pytest.approx(180, abs=8)
    assert hit.facts["duration_s"] >= 1
    assert 0.5 < hit.confidence <= 1
    json.dumps(dict(hit.facts))


def test_driving_with_the_lane_is_nothing() -> None:
    assert judge(LANE, observe([Driver([(t, x, 1.3 - y) for t, x, y in UP])])) == []


def test_a_bent_lane_is_judged_by_its_direction_there() -> None:
    """First to the right, then down: going down the second leg is with the lane, up is against it."""
    bent: dict[str, Any] = {
        "lanes": [
            {
                "id": "bend",
                "polygon": [[0.05, 0.1], [0.6, 0.1], [0.6, 0.95], [0.4, 0.95], [0.4, 0.3], [0.05, 0.3]],
                "direction": [[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]],
            }
        ],
        "rules": {"wrong_way": None},
    }
    along = [(0.0, 0.1, 0.2), (4.0, 0.5, 0.2), (8.0, 0.5, 0.9)]
    back = [(8 - t, x, y) for t, x, y in reversed(along)]
    assert judge(bent, observe([Driver(along)])) == []
    assert names(judge(bent, observe([Driver(back)]))) == ["wrong_way"]


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver([(0.0, 0.4, 0.7), (12.0, 0.4, 0.7)], jitter=0.15), id="parked, box jitters"),
        pytest.param(Driver([(0.0, 0.4, 0.7), (3.0, 0.4, 0.58), (12.0, 0.4, 0.58)]), id="backs a little"),
        pytest.param(Driver([(0.0, 0.4, 0.9), (11.0, 0.4, 0.62)]), id="backs slowly into a place"),
        pytest.param(Driver([(0.0, 0.3, 0.7), (4.0, 0.5, 0.55)]), id="crosses the lane"),
        pytest.param(
            Driver([(0.0, 0.35, 0.2), (2.0, 0.35, 0.5), (3.0, 0.45, 0.62), (4.0, 0.35, 0.8)]),
            id="overtakes within the lane",
        ),
        pytest.param(
            Driver([(0.0, 0.4, 0.3), (2.0, 0.4, 0.6), (3.0, 0.46, 0.6), (3.5, 0.46, 0.5)]), id="u-turn begins"
        ),
        pytest.param(Driver([(0.0, 0.7, 0.9), (4.0, 0.7, 0.4)]), id="in the lane beside it"),
        pytest.param(Driver(UP, RoadUserKind.PERSON), id="person on foot"),
        pytest.param(
            Driver([(0.0, 0.4, 0.9), (3.0, 0.4, 0.9), (3.01, 0.4, 0.4), (9.0, 0.4, 0.4)]), id="id switch"
        ),
    ],
)
def test_look_alikes_are_nothing(driver: Driver) -> None:
    driver.points.clear()
    assert judge(LANE, observe([driver])) == []


def test_a_u_turn_that_goes_on_against_the_lane_is_a_hit() -> None:
    way = [(0.0, 0.4, 0.3), (3.0, 0.4, 0.8), (3.5, 0.45, 0.8), (6.5, 0.45, 0.3)]
    assert names(judge(LANE, observe([Driver(way)]))) == ["wrong_way"]


def test_a_moment_forward_does_not_end_the_act() -> None:
    way = [(0.0, 0.4, 0.9), (1.0, 0.4, 0.75), (1.4, 0.4, 0.77), (3.0, 0.4, 0.55)]
    assert names(judge(LANE, observe([Driver(way)]))) == ["wrong_way"]


def test_an_identity_that_goes_back_through_a_queue_by_leaps_is_nothing() -> None:
    """From one who stands to the one who stands behind, and on, standing for more than a second each time."""
    queue = [0.9, 0.78, 0.66, 0.54]
    way = [(n * 2.0 + part, 0.4, y) for n, y in enumerate(queue) for part in (0.0, 1.8)]
    assert judge(LANE, observe([Driver(way)])) == []


def test_who_stops_on_the_way_and_rides_on_is_one_hit() -> None:
    way = [(0.0, 0.4, 0.9), (1.0, 0.4, 0.75), (4.0, 0.4, 0.75), (6.5, 0.4, 0.4)]
    assert names(judge(LANE, observe([Driver(way)]))) == ["wrong_way"]


def test_a_moment_off_the_lane_does_not_end_the_act() -> None:
    edge = [(0.0, 0.49, 0.9), (1.3, 0.49, 0.77), (1.4, 0.51, 0.76), (1.7, 0.51, 0.73), (1.8, 0.49, 0.72)]
    assert names(judge(LANE, observe([Driver([*edge, (2.8, 0.49, 0.62)])]))) == ["wrong_way"]


def test_a_short_dash_is_nothing() -> None:
    assert judge(LANE, observe([Driver([(0.0, 0.4, 0.9), (0.8, 0.4, 0.55)])])) == []


def test_a_box_that_is_slowly_cut_from_below_has_not_moved() -> None:
    def hidden(time_s: float) -> float:
        return min(0.6, max(0.0, (time_s - 4) * 0.3))

    scene = {**LANE, "rules": {"wrong_way": {"min_heights": 0.5, "min_speed_heights_s": 0.1}}}
    parked = [(0.0, 0.4, 0.7), (12.0, 0.4, 0.7)]
    assert judge(scene, observe([Driver(parked, cut=hidden)])) == []


def test_leaving_the_lane_ends_it() -> None:
    way = [
        (0.0, 0.4, 0.9),
        (1.0, 0.4, 0.78),
        (2.0, 0.6, 0.72),
        (3.0, 0.6, 0.6),
        (4.0, 0.4, 0.55),
        (5.0, 0.4, 0.45),
    ]
    assert judge(LANE, observe([Driver(way)])) == []


def test_where_lanes_overlap_the_right_one_excuses() -> None:
    up = {**LANE["lanes"][0], "id": "up", "direction": [[0.4, 0.9], [0.4, 0.15]]}
    assert judge({**LANE, "lanes": [LANE["lanes"][0], up]}, observe([Driver(UP)])) == []


def test_angles_are_true_in_the_pictures_proportions() -> None:
    """A way at 50 degrees to the lane on the road's picture looks like 37 where x is not stretched."""
    wide: dict[str, Any] = {
        "lanes": [
            {
                "id": "wide",
                "polygon": [[0.0, 0.1], [1.0, 0.1], [1.0, 0.95], [0.0, 0.95]],
                "direction": [[0.5, 0.15], [0.5, 0.9]],
            }
        ],
        "rules": {"wrong_way": {"max_angle_deg": 45}},
    }
    angle = math.radians(50)
    slanted = [
        (0.0, 0.3, 0.9),
        (3.0, 0.3 + 0.5 * math.sin(angle) / (1600 / 1200), 0.9 - 0.5 * math.cos(angle)),
    ]
    assert judge(wide, observe([Driver(slanted)])) == []
    wide["rules"] = {"wrong_way": {"max_angle_deg": 55}}
    assert names(judge(wide, observe([Driver(slanted)]))) == ["wrong_way"]


@pytest.mark.parametrize("pushed_s", [0.0, 20.0, 45.0])
def test_who_first_pushes_a_machine_back_and_then_rides_on_it_is_one_hit(pushed_s: float) -> None:
    """Slower than 0.5 box heights a second is manoeuvring; what comes after it is not."""
    y = 0.396 + 0.0112 * pushed_s
    way = [(0.0, 0.4, y), (pushed_s + 0.01, 0.4, 0.396), (pushed_s + 5.0, 0.4, 0.14)]
    (hit,) = judge(LANE, observe([Driver(way, height=0.04)], until_s=pushed_s + 6))
    assert hit.after.time_s - hit.before.time_s <= 10.2

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pipeline.rules import RuleError, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Hit, LampColor, Observation
from tests.rules.drive import judge as judge_by
from tests.rules.metres import CALIBRATION, Vehicle, every, lane, observe, steady
from tests.rules.test_traffic import LAMP, LINE

RED, GREEN = LampColor.RED, LampColor.GREEN
ROAD: dict[str, Any] = {
    "calibration": CALIBRATION,
    "lanes": [lane("north", -3.5, 3.5)],
    "rules": {"stalled": {"min_s": 30}},
}
SIGNALLED = {**ROAD, "lamps": [LAMP], "stop_lines": [LINE]}


def judge(observations: Iterable[Observation], scene: dict[str, Any] = ROAD) -> list[Hit]:
    return judge_by(scene, observations)


def stops_at(y: float, **more: Any) -> Vehicle:
    """Comes with 36 km/h and stands from then on."""
    return Vehicle(lambda t: min(y, 10 * t), track=more.pop("track", lambda t: 1), jitter=0.01, **more)


def passing(count: int, x: float = -2.4, every_s: float = 5.0) -> list[Vehicle]:
    return [
        Vehicle(steady(30, from_s=8 + k * every_s), x=x, track=lambda t, k=k: 100 + k, size_m=(1.9, 0.7, 1.6))
        for k in range(count)
    ]


def phases(time_s: float) -> LampColor:
    """20 s red, 20 s green, red first."""
    return GREEN if time_s % 40 >= 20 else RED


def test_one_that_stands_while_others_go_past_is_reported_once() -> None:
    (hit,) = judge(observe([stops_at(20.0), *passing(9)], every(1 / 5, 60)))
    assert (hit.rule, hit.concern, hit.track_id) == ("stalled", "security", 1)
    assert hit.facts["lane"] == "north"
    assert hit.facts["passed_by"] >= 4
    assert hit.facts["stood_s"] >= 30
    assert hit.before.time_s < hit.at.time_s <= hit.after.time_s


@pytest.mark.parametrize("rate_hz", [1.0, 2.0, 2.8])
def test_few_pictures_a_second_are_enough(rate_hz: float) -> None:
    (hit,) = judge(observe([stops_at(20.0), *passing(9)], every(1 / rate_hz, 60)))
    assert hit.track_id == 1


def test_one_that_is_alone_on_the_road_may_just_wait() -> None:
    assert judge(observe([stops_at(20.0)], every(1 / 5, 60))) == []


def test_those_in_a_queue_are_not_stalled_though_motorbikes_filter_past() -> None:
    queue = [
        Vehicle(lambda t, k=k: 33.0 - 7 * k, x=1.0, track=lambda t, k=k: k + 1, jitter=0.01) for k in range(4)
    ]
    hits = judge(observe([*queue, *passing(9)], every(1 / 5, 70), lamp=lambda t: RED), SIGNALLED)
    assert hits == []


def test_the_first_at_a_red_light_is_not_stalled() -> None:
    hits = judge(
        observe([stops_at(33.0, x=1.0), *passing(9)], every(1 / 5, 70), lamp=lambda t: RED), SIGNALLED
    )
    assert hits == []


def test_one_that_stands_through_two_greens_is() -> None:
    (hit,) = judge(observe([stops_at(33.0)], every(1 / 5, 100), lamp=phases), SIGNALLED)
    assert hit.facts["greens"] == 2


def test_one_that_goes_with_the_green_is_not() -> None:
    goes = Vehicle(lambda t: min(33.0, 10 * t) if t < 62 else 33.0 + 5 * (t - 62), jitter=0.01)
    assert judge(observe([goes], every(1 / 5, 90), lamp=phases), SIGNALLED) == []


def test_one_that_is_hidden_for_a_while_and_comes_back_as_another_track_is_the_same() -> None:
    broken = stops_at(20.0, track=lambda t: 1 if t < 20 else 2, unseen=lambda t: 20 <= t < 30)
    (hit,) = judge(observe([broken, *passing(12)], every(1 / 5, 80)))
    assert hit.track_id == 2
    assert hit.facts["stood_s"] >= 30


@pytest.mark.parametrize("every_s", [12.0, 40.0])
def test_one_whose_lower_half_passing_buses_hide_is_reported_once(every_s: float) -> None:
    def hidden(time_s: float) -> float:
        return 0.5 if time_s > 5 and time_s % every_s < 1.5 else 0.0

    in_the_picture = {key: part for key, part in ROAD.items() if key != "calibration"}
    stands = stops_at(20.0, hidden=hidden)
    hits = judge(observe([stands, *passing(20)], every(1 / 5, 120)), in_the_picture)
    assert [hit.track_id for hit in hits] == [1]


def test_slow_ones_and_oncoming_ones_prove_nothing() -> None:
    creeps = Vehicle(lambda t: 10 + 0.6 * t)
    assert judge(observe([creeps, *passing(9)], every(1 / 5, 60))) == []
    oncoming = [
        Vehicle(lambda t, k=k: 50 - 8 * (t - 5 * k), x=-2.4, track=lambda t, k=k: 100 + k) for k in range(9)
    ]
    assert judge(observe([stops_at(20.0), *oncoming], every(1 / 5, 60))) == []


def test_without_a_lane_the_rule_is_refused_by_name() -> None:
    with pytest.raises(RuleError, match=r"rule stalled .*lane"):
        build_rules(Scene(SceneSettings.model_validate({**ROAD, "lanes": []})))

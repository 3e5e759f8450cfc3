from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pipeline.rules.traffic import Traffic, level_of_service
from pipeline.scene import Scene, SceneSettings
from pipeline.types import LaneState, Observation, RoadUserKind
from tests.rules.drive import moments
from tests.rules.metres import CALIBRATION, START_S, Vehicle, every, lane, observe, seen, steady

LANE = lane("north", -1.8, 1.8, limit_kmh=50)
LAMP = {"id": "ball", "box": [0.9, 0.1, 0.95, 0.2]}
LINE = {
    "id": "line",
    "line": [seen(-3.5, 40.0), seen(3.5, 40.0)],
    "travel": [seen(0.0, 35.0), seen(0.0, 45.0)],
    "movements": {"straight": {"lamp": "ball"}},
    "junction": {"clearance": [seen(-3.5, 45.0), seen(3.5, 45.0)]},
}


def minutes(observations: Iterable[Observation], **scene: Any) -> list[LaneState]:
    drawn = Scene(SceneSettings.model_validate({"calibration": CALIBRATION, "lanes": [LANE], **scene}))
    traffic = Traffic(drawn)
    told = [state for moment in moments(drawn, observations) for state in traffic.observe(moment)]
    return [*told, *traffic.finish()]


def stream(count: int, kmh: float, gap_s: float, **more: Any) -> list[Vehicle]:
    return [
        Vehicle(steady(kmh, from_s=k * gap_s), track=lambda t, k=k: k + 1, seed=k, **more)
        for k in range(count)
    ]


def test_an_even_flow_has_its_speed_and_occupancy() -> None:
    first, *_ = minutes(observe(stream(11, 36, 5.0, jitter=0.01), every(1 / 6, 58)))

    assert (first.start_s, first.lane) == (START_S, "north")
    assert first.mean_speed_kmh == pytest.approx(36, rel=0.05)
    # Ten or eleven cars of 4.4 m pass the middle at 10 m/s.
    assert first.occupied_s == pytest.approx(10.5 * 0.44, rel=0.15)
    assert (first.queue_vehicles, first.queue_m) == (0, 0.0)
    assert first.level_of_service == "B"


@pytest.mark.parametrize("rate_hz", [1.0, 2.0, 2.8])
def test_an_even_flow_seen_in_few_pictures_a_second_is_no_queue(rate_hz: float) -> None:
    first, *_ = minutes(observe(stream(11, 36, 2.0, jitter=0.01), every(1 / rate_hz, 58)))
    assert (first.queue_vehicles, first.queue_m) == (0, 0.0)


def test_the_mean_is_over_time_spent_and_not_over_vehicles() -> None:
    """A slow one counts for as long as it holds up the lane: space-mean speed."""
    slow = Vehicle(steady(10.8), x=-1.0, track=lambda t: 9)
    first, *_ = minutes(observe([*stream(3, 54, 4.0), slow], every(1 / 6, 20)))
    # 60 m in 4 s by each of the three, 58 m in 19 s by the slow one.
    assert first.mean_speed_kmh == pytest.approx(27, abs=1.5), "the mean over vehicles would be 43"


def against(count: int, kmh: float = 30) -> list[Vehicle]:
    """Motorbikes that come down the lane."""
    return [
        Vehicle(
            steady(-kmh, 55, from_s=k * 4.0), track=lambda t, k=k: k + 50, seed=k + 50, x=1.0,
            kind=RoadUserKind.MOTORBIKE, size_m=(1.9, 0.7, 1.5),
        )
        for k in range(count)
    ]  # fmt: skip


def test_who_comes_against_the_lane_is_no_part_of_its_speed() -> None:
    alone, *_ = minutes(observe(stream(4, 30, 4.0), every(1 / 6, 40)))
    both, *_ = minutes(observe([*stream(4, 30, 4.0), *against(5)], every(1 / 6, 40)))
    assert both.mean_speed_kmh == pytest.approx(alone.mean_speed_kmh, abs=0.01)
    assert both.level_of_service == alone.level_of_service
    wrong, *_ = minutes(observe(against(4), every(1 / 6, 40)))
    assert (wrong.mean_speed_kmh, wrong.level_of_service) == (None, None), "nothing is known of the lane's"
    assert wrong.occupied_s > 0, "but they cover its middle"


def test_who_makes_room_backwards_stays_in_the_mean() -> None:
    def way(time_s: float) -> float:
        return 30.0 - min(max(time_s - 5, 0.0), 2.0)

    first, *_ = minutes(observe([Vehicle(way)], every(1 / 6, 20)))
    assert (first.mean_speed_kmh, first.level_of_service) == (0.0, "F"), "never below 0"


@pytest.mark.parametrize("seed", range(6))
def test_a_jam_stands_however_the_boxes_jump(seed: int) -> None:
    jam = [
        Vehicle(lambda t, k=k: 33.0 - k * 7, track=lambda t, k=k: k + 1, jitter=0.03, seed=seed * 10 + k)
        for k in range(3)
    ]
    first, *_ = minutes(observe(jam, every(1 / 3, 20)))
    assert first.mean_speed_kmh is not None
    assert 0 <= first.mean_speed_kmh < 0.5


def queue(count: int, gap_m: float = 7.0, change_s: float = 1e9, changing: int = 0) -> list[Vehicle]:
    """Standing one behind the other; the first one's rear is at 33 m. `changing` of them get another id."""
    return [
        Vehicle(
            lambda t, k=k: 33.0 - k * gap_m, jitter=0.01, seed=k,
            track=lambda t, k=k: k + 1 + 100 * (k < changing and t >= change_s),
        )
        for k in range(count)
    ]  # fmt: skip


def test_a_queue_before_the_line_is_counted_and_measured() -> None:
    first, *_ = minutes(observe(queue(4), every(1 / 6, 20)), lamps=[LAMP], stop_lines=[LINE])
    assert first.queue_vehicles == 4
    assert first.queue_m == pytest.approx(3 * 7 + 4.4, abs=1.5)
    assert first.mean_speed_kmh == pytest.approx(0, abs=0.5), "jitter is not motion"
    assert first.level_of_service == "F"


@pytest.mark.parametrize("changing", [1, 4])
@pytest.mark.parametrize("rate_hz", [3, 6, 12])
@pytest.mark.parametrize("scene", [{"lamps": [LAMP], "stop_lines": [LINE]}, {"calibration": None}])
def test_who_gets_another_id_in_the_queue_is_there_once(
    scene: dict[str, Any], rate_hz: int, changing: int
) -> None:
    cars = queue(4, change_s=10.0, changing=changing)
    first, *_ = minutes(observe(cars, every(1 / rate_hz, 20)), **scene)
    assert first.queue_vehicles == 4


def test_who_is_lost_and_found_under_other_ids_is_there_once() -> None:
    flickers = Vehicle(
        lambda t: 33.0, track=lambda t: int(t // 4) + 1, unseen=lambda t: t % 4 > 3.5, jitter=0.01
    )
    first, *_ = minutes(observe([flickers], every(1 / 6, 40)), lamps=[LAMP], stop_lines=[LINE])
    assert first.queue_vehicles == 1


def test_two_side_by_side_are_two_and_so_is_one_that_is_not_seen_for_a_second() -> None:
    def bike(x: float, track: int, **more: Any) -> Vehicle:
        kind, size_m = RoadUserKind.MOTORBIKE, (1.9, 0.7, 1.5)
        return Vehicle(lambda t: 33.0, x=x, kind=kind, size_m=size_m, track=lambda t: track, **more)

    pair = [bike(-0.6, 1), bike(0.6, 2, unseen=lambda t: 8.0 < t < 9.0)]
    first, *_ = minutes(observe(pair, every(1 / 6, 20)), lamps=[LAMP], stop_lines=[LINE])
    assert first.queue_vehicles == 2


def test_a_track_that_leaps_to_another_vehicle_leaves_nobody_behind() -> None:
    """The first car drives off unseen, and its id goes over to the one behind."""
    leaps = Vehicle(lambda t: 33.0 if t < 10 else 19.0, track=lambda t: 1)
    behind = Vehicle(lambda t: 19.0, track=lambda t: 2, unseen=lambda t: t >= 10)
    third = Vehicle(lambda t: 10.0 if t >= 10 else 60.0, track=lambda t: 3)
    first, *_ = minutes(observe([leaps, behind, third], every(1 / 6, 20)), lamps=[LAMP], stop_lines=[LINE])
    assert first.queue_vehicles == 2


def test_those_beyond_the_line_and_far_behind_are_not_in_the_queue() -> None:
    beyond = Vehicle(lambda t: 46.0, track=lambda t: 8)
    far_behind = Vehicle(lambda t: 4.0, track=lambda t: 9)
    first, *_ = minutes(
        observe([*queue(2), beyond, far_behind], every(1 / 6, 20)), lamps=[LAMP], stop_lines=[LINE]
    )
    assert first.queue_vehicles == 3, "who stands far behind stands, ..."
    assert first.queue_m == pytest.approx(7 + 4.4, abs=1.5), "... but not in this queue"


def test_without_calibration_vehicles_are_counted_and_nothing_is_in_metres() -> None:
    first, *_ = minutes(observe(queue(3), every(1 / 6, 20)), calibration=None)
    assert first.queue_vehicles == 3
    assert (first.mean_speed_kmh, first.queue_m, first.level_of_service) == (None, None, None)
    first, *_ = minutes(observe(stream(6, 36, 3.0), every(1 / 6, 30)), calibration=None)
    assert first.occupied_s > 0


def test_a_vehicle_that_covers_the_middle_occupies_it_all_the_time() -> None:
    two = [Vehicle(lambda t, k=k: 28.0, x=-0.9 + 1.8 * k, track=lambda t, k=k: k + 1) for k in range(2)]
    first, *_ = minutes(observe(two, every(1 / 6, 30)))
    assert first.occupied_s == pytest.approx(30, abs=1), "the span counts once, however many are there"


def test_an_empty_lane_is_told_as_empty_and_persons_are_not_traffic() -> None:
    for vehicles in ([], [Vehicle(steady(5), kind=RoadUserKind.PERSON)]):
        first, *_ = minutes(observe(vehicles, every(1 / 6, 30)))
        assert first == LaneState(START_S, "north", None, 0.0, 0, 0.0, None)


def test_minutes_are_told_once_they_are_over() -> None:
    told = minutes(observe(stream(20, 40, 8.0), every(1 / 5, 150)))
    assert [state.start_s - START_S for state in told] == [0, 60, 120]


@pytest.mark.parametrize(
    ("kmh", "level"),
    [(50, "A"), (40.1, "A"), (40, "B"), (30, "C"), (25, "D"), (20, "E"), (15, "F"), (0, "F")],
)
def test_levels_of_service(kmh: float, level: str) -> None:
    assert level_of_service(kmh, 50) == level
    assert level_of_service(None, 50) is None
    assert level_of_service(kmh, None) is None

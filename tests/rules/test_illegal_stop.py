"""Stopping where that is forbidden, on hand-made trajectories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline.types import LampColor, Observation, RoadUserKind
from tests.rules import metres
from tests.rules.drive import START_S, Driver, Program, judge, names, observe

CAR, BUS, MOTORBIKE = RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.MOTORBIKE
SCENE: dict[str, Any] = {
    "lamps": [{"id": "ball", "box": [0.9, 0.1, 0.95, 0.2]}],
    "stop_lines": [
        {
            "id": "north",
            "line": [[0.4, 0.3], [0.7, 0.3]],
            "travel": [[0.55, 0.4], [0.55, 0.2]],
            "movements": {"straight": {"lamp": "ball"}},
        }
    ],
    "lanes": [
        {
            "id": "kerb",
            "polygon": [[0.4, 0.05], [0.7, 0.05], [0.7, 0.99], [0.4, 0.99]],
            "direction": [[0.55, 0.95], [0.55, 0.1]],
        }
    ],
    "zones": [
        {
            "id": "kerbside",
            "polygon": [[0.5, 0.2], [0.7, 0.2], [0.7, 0.8], [0.5, 0.8]],
            "purpose": "no_stopping",
        }
    ],
    "rules": {"illegal_stop": {"min_s": 10}},
}
GREEN: Program = {"ball": [(-30.0, LampColor.GREEN)]}


Way = list[tuple[float, float, float]]


def parks(y: float = 0.6, x: float = 0.6, from_s: float = 2.0, until_s: float = 24.0) -> Way:
    return [(0.0, x, y + 0.3), (from_s, x, y), (until_s, x, y), (until_s + 1.5, x, y - 0.3)]


def judged(*drivers: Driver, program: Program = GREEN, scene: dict[str, Any] = SCENE) -> list[str]:
    return names(judge(scene, observe(drivers, program, 26.0)))


@pytest.mark.parametrize("rate_hz", [5.0, 10.0])
def test_standing_for_long_enough_is_one_hit_soon_after(rate_hz: float) -> None:
    (hit,) = judge(SCENE, observe([Driver(parks(), CAR, jitter=0.05)], GREEN, 26.0, rate_hz))
    assert (hit.rule, hit.facts["zone"]) == ("illegal_stop", "kerbside")
    assert 10 <= hit.facts["stood_s"] < 10.5
    assert hit.facts["standing_since_s"] - START_S == pytest.approx(2.0, abs=0.5)
    assert hit.after.time_s - START_S == pytest.approx(12.0, abs=0.7)
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver(parks(until_s=9.0), CAR), id="going on in time"),
        pytest.param(Driver(parks(x=0.45), CAR), id="beside the zone"),
        pytest.param(Driver([(0.0, 0.6, 0.95), (26.0, 0.6, 0.15)], CAR), id="creeping through"),
        pytest.param(Driver(parks(), RoadUserKind.PERSON), id="on foot"),
    ],
)
def test_look_alikes_are_nothing(driver: Driver) -> None:
    assert judged(driver) == []


def test_in_a_queue_is_nothing() -> None:
    queue = [Driver(parks(0.72 - 0.12 * k), CAR, track_id=k, jitter=0.03) for k in range(3)]
    before_the_line = [Driver(parks(0.35), BUS, track_id=9, jitter=0.03)]
    red: Program = {"ball": [(-30.0, LampColor.RED)]}
    assert judged(*queue, *before_the_line, program=red) == []


def test_the_first_one_at_a_red_light_is_nothing_and_counts_from_green_on() -> None:
    red_until_8: Program = {"ball": [(-30.0, LampColor.RED), (8.0, LampColor.GREEN)]}
    (hit,) = judge(SCENE, observe([Driver(parks(0.35), CAR)], red_until_8, 26.0))
    assert hit.facts["standing_since_s"] - START_S == pytest.approx(8.0, abs=0.5)


def test_crawling_traffic_ahead_holds_it_up() -> None:
    zone = {**SCENE["zones"][0], "polygon": [[0.5, 0.55], [0.7, 0.55], [0.7, 0.8], [0.5, 0.8]]}
    ahead = Driver([(0.0, 0.6, 0.75), (2.0, 0.6, 0.47), (26.0, 0.6, 0.42)], BUS, track_id=2)
    scene = {**SCENE, "zones": [zone]}
    assert judged(Driver(parks(), CAR), ahead, scene=scene) == []
    assert judged(Driver(parks(), CAR), scene=scene) == ["illegal_stop"]


def test_one_that_others_pass_by_is_not_held_up() -> None:
    passing = [
        Driver([(t, 0.45, 0.95), (t + 3, 0.45, 0.1)], MOTORBIKE, track_id=10 + k)
        for k, t in enumerate((1.0, 5.0, 9.0))
    ]
    assert judged(Driver(parks(), CAR), *passing) == ["illegal_stop"]


def test_those_who_must_wait_behind_an_offender_are_none() -> None:
    offender = Driver(parks(0.5), CAR, track_id=1)
    behind = Driver(parks(0.63, from_s=5.0, until_s=14.5), CAR, track_id=2)
    assert judged(offender, behind) == ["illegal_stop"]


def test_hidden_by_a_bus_and_found_again_under_another_id_is_one_hit() -> None:
    way = parks()
    first = Driver(way, CAR, track_id=1, unseen=((7.0, 99.0),))
    again = Driver(way, CAR, track_id=2, unseen=((0.0, 9.5),))
    (hit,) = judge(SCENE, observe([first, again], GREEN, 26.0))
    assert hit.facts["standing_since_s"] - START_S == pytest.approx(2.0, abs=0.5)
    assert hit.facts["unseen_s"] == pytest.approx(2.5, abs=0.5)


def test_a_flickering_box_is_one_hit() -> None:
    flicker = tuple((k * 0.7, k * 0.7 + 0.3) for k in range(40))
    assert judged(Driver(parks(), CAR, unseen=flicker)) == ["illegal_stop"]


def test_standing_there_since_before_the_camera_looked() -> None:
    assert judged(Driver([(0.0, 0.6, 0.6), (25.0, 0.6, 0.6)], CAR, jitter=0.05)) == ["illegal_stop"]


def test_a_zone_may_be_in_force_at_some_hours_only() -> None:
    never = {**SCENE, "zones": [{**SCENE["zones"][0], "hours": [{"start": "00:00", "end": "00:01"}]}]}
    assert judged(Driver(parks(), CAR), scene=never) == []


def test_who_stands_there_when_the_hours_begin_counts_from_then_on() -> None:
    """The clip begins at 05:13:20 in Ho Chi Minh City."""
    zone = {**SCENE["zones"][0], "hours": [{"start": "05:14", "end": "08:00"}]}
    stays = Driver([(0.0, 0.6, 0.9), (2.0, 0.6, 0.6), (90.0, 0.6, 0.6)], CAR)
    (hit,) = judge({**SCENE, "zones": [zone]}, observe([stays], GREEN, 90.0))
    assert hit.facts["standing_since_s"] - START_S == pytest.approx(40.0, abs=0.5)


@pytest.mark.parametrize("every_s", [8.0, 20.0])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.6])
def test_one_whose_lower_half_passing_buses_hide_is_one_hit(every_s: float, share: float) -> None:
    def cut(time_s: float) -> float:
        return share if time_s > 3 and time_s % every_s < 1.5 else 0.0

    parked = Driver([(0.0, 0.6, 0.9), (2.0, 0.6, 0.6), (80.0, 0.6, 0.6)], CAR, cut=cut, jitter=0.02)
    (hit,) = judge(SCENE, observe([parked], GREEN, 80.0))
    assert hit.after.time_s - START_S == pytest.approx(12.0, abs=1.7)


def test_one_that_passes_where_another_hardly_stood_does_not_take_over_its_stand() -> None:
    """Each stands for a second in the same place, eleven seconds apart."""
    first = Driver(parks(from_s=2.0, until_s=3.0), CAR, track_id=1, unseen=((3.2, 99.0),))
    later = Driver(parks(from_s=14.0, until_s=15.0), CAR, track_id=2, unseen=((0.0, 12.5),))
    assert judged(first, later) == []


def clipped(observations: Iterable[Observation]) -> Iterator[Observation]:
    """As a detector tells boxes that the picture's lower edge cuts."""
    for seen in observations:
        users = tuple(
            replace(
                user,
                trajectory=tuple(
                    replace(point, box=(*point.box[:3], min(point.box[3], 1.0))) for point in user.trajectory
                ),
            )
            for user in seen.road_users
        )
        yield replace(seen, road_users=users)


@pytest.mark.parametrize("y", [0.9, 0.93, 0.97])
def test_who_stops_where_another_drove_out_of_the_picture_takes_over_no_stand(y: float) -> None:
    """Towards the camera: one stands for 8 s and leaves, the next one comes 6 s later and stands for 6 s."""
    kerb = {**SCENE["zones"][0], "polygon": [[0.5, 0.5], [0.7, 0.5], [0.7, 1.0], [0.5, 1.0]]}
    lane = {**SCENE["lanes"][0], "direction": [[0.55, 0.05], [0.55, 0.95]]}
    scene = {**SCENE, "zones": [kerb], "lanes": [lane]}

    def passes(track_id: int, stops_s: float, goes_s: float) -> Driver:
        way = [(stops_s - 3, 0.6, 0.45), (stops_s, 0.6, y), (goes_s, 0.6, y), (goes_s + 0.6, 0.6, y + 0.15)]
        return Driver(way, CAR, track_id, height=0.2, width=1.0, jitter=0.01)

    assert judge(scene, clipped(observe([passes(1, 3.0, 11.0), passes(2, 17.0, 23.0)], GREEN, 26.0))) == []
    stays = passes(2, 17.0, 30.0)
    (hit,) = judge(scene, clipped(observe([passes(1, 3.0, 11.0), stays], GREEN, 30.0)))
    assert (hit.track_id, hit.facts["standing_since_s"]) == (2, pytest.approx(START_S + 17.0, abs=0.5))


def test_one_that_stands_at_the_edge_and_is_lost_there_is_the_same() -> None:
    """A car at the lower edge, its box cut by it now and then."""
    kerb = {**SCENE["zones"][0], "polygon": [[0.5, 0.5], [0.7, 0.5], [0.7, 1.0], [0.5, 1.0]]}
    way = parks(y=0.985, until_s=26.0)
    first = Driver(way, CAR, track_id=1, unseen=((8.0, 99.0),), height=0.2, width=1.0, jitter=0.05)
    again = Driver(way, CAR, track_id=2, unseen=((0.0, 10.0),), height=0.2, width=1.0, jitter=0.05)
    (hit,) = judge({**SCENE, "zones": [kerb]}, clipped(observe([first, again], GREEN, 26.0)))
    assert hit.track_id == 2
    assert hit.facts["standing_since_s"] - START_S == pytest.approx(2.0, abs=0.8)


def behind_buses(from_s: float, every_s: float, count: int) -> list[Driver]:
    """One parked car; each bus hides half of it for a second, then all of it for three: a new id."""
    buses = [from_s + every_s * k for k in range(count)]

    def cut(time_s: float) -> float:
        return 0.55 if any(bus <= time_s <= bus + 1 for bus in buses) else 0.0

    way = [(0.0, 0.6, 0.9), (2.0, 0.6, 0.6), (400.0, 0.6, 0.6)]
    found = [-1.0, *(bus + 4 for bus in buses)]
    lost = [*(bus + 1 for bus in buses), 999.0]
    return [
        Driver(way, CAR, k, cut=cut, unseen=((-1.0, since_s), (until_s, 999.0)), jitter=0.02)
        for k, (since_s, until_s) in enumerate(zip(found, lost, strict=True))
    ]


@pytest.mark.parametrize(("from_s", "every_s"), [(20.0, 15.0), (7.0, 8.0)])
def test_one_that_buses_hide_bit_by_bit_is_one_hit(from_s: float, every_s: float) -> None:
    hits = judge(SCENE, observe(behind_buses(from_s, every_s, 4), GREEN, 70.0))
    assert [round(hit.facts["standing_since_s"] - START_S) for hit in hits] == [2]


def test_who_stops_where_another_drove_off_behind_a_bus_takes_over_no_stand() -> None:
    """After 9 s a bus hides its lower half, then all of it; the next one comes and stands for 6 s."""
    corners = [(-3, 5), (3, 5), (3, 30), (-3, 30)]
    kerb = {**SCENE["zones"][0], "polygon": [list(metres.seen(*at)) for at in corners]}
    scene = {
        "calibration": metres.CALIBRATION,
        "lanes": [metres.lane("kerb", -3, 3)],
        "zones": [kerb],
        "rules": SCENE["rules"],
    }

    def hits(stays_s: float) -> list[Any]:
        first = metres.Vehicle(
            lambda t: 15 * min(t, 1.0), hidden=lambda t: 0.5 if t >= 9.5 else 0.0, unseen=lambda t: t > 10.5
        )
        later = metres.Vehicle(
            lambda t: 15 * min(max(t - 15, 0) / 1.5, 1.0) + 8 * max(t - 16.5 - stays_s, 0),
            track=lambda t: 2,
            unseen=lambda t: t < 15,
        )
        return judge(scene, metres.observe([first, later], metres.every(1 / 6, 32.0)))

    assert hits(6.0) == []
    (hit,) = hits(12.0)
    assert hit.facts["standing_since_s"] - metres.START_S == pytest.approx(16.5, abs=0.5)


@pytest.mark.parametrize("half_s", [0.0, 4.0])
def test_one_that_was_told_is_not_told_again_after_somebody_held_it_up(half_s: float) -> None:
    """Soon after, it is hidden for 6 s, half of it before."""
    way = [(0.0, 0.6, 0.9), (2.0, 0.6, 0.6), (80.0, 0.6, 0.6)]
    first = Driver(way, CAR, 1, cut=lambda t: 0.55 if t >= 30 - half_s else 0.0, unseen=((30.0, 99.0),))
    again = Driver(way, CAR, 2, unseen=((0.0, 36.0),))
    before = [(20.0, 0.6, 0.8), (21.0, 0.5, 0.65), (22.0, 0.6, 0.5), (26.0, 0.6, 0.5), (28.0, 0.6, 0.2)]
    hits = judge(SCENE, observe([first, again, Driver(before, CAR, 3)], GREEN, 60.0))
    assert [(hit.track_id, round(hit.after.time_s - START_S)) for hit in hits] == [(1, 12)]


def test_one_that_stands_while_the_clock_is_put_back_is_told_by_the_new_time() -> None:
    """By twenty minutes, with a new connection, when it has stood for 4 s."""

    def put_back(observations: Iterable[Observation]) -> Iterator[Observation]:
        for seen in observations:
            users = tuple(
                replace(
                    user,
                    trajectory=tuple(replace(point, time_s=point.time_s - 1200) for point in user.trajectory),
                )
                for user in seen.road_users
            )
            time = replace(seen.time, captured_at_s=seen.time.captured_at_s - 1200)
            yield replace(seen, time=time, road_users=users, connection=1)

    before = observe([Driver(parks(), CAR, 1)], GREEN, 6.0)
    after = observe([Driver([(0.0, 0.6, 0.6), (40.0, 0.6, 0.6)], CAR, 2)], GREEN, 30.0)
    (hit,) = judge(SCENE, [*before, *put_back(after)])
    assert hit.after.time_s + 1200 - START_S == pytest.approx(10.0, abs=0.7)


def test_one_that_stands_where_two_zones_overlap_is_one_hit() -> None:
    zone = SCENE["zones"][0]
    both = {**SCENE, "zones": [zone, {**zone, "id": "bus_stop"}]}
    assert judged(Driver(parks(), CAR), scene=both) == ["illegal_stop"]
    two = [Driver(parks(0.5), CAR, 1), Driver([(t, 0.52, y) for t, _, y in parks(0.7)], CAR, 2)]
    assert judged(*two, scene=both) == ["illegal_stop", "illegal_stop"]


def test_one_that_moves_up_a_little_is_one_hit() -> None:
    way = [(0.0, 0.6, 0.9), (2.0, 0.6, 0.65), (18.0, 0.6, 0.65), (19.0, 0.6, 0.57), (33.0, 0.6, 0.57)]
    assert names(judge(SCENE, observe([Driver(way, CAR)], GREEN, 33.0))) == ["illegal_stop"]
    first = Driver(way, CAR, 1, unseen=((13.0, 99.0),))
    again = Driver(way, CAR, 2, unseen=((0.0, 15.5),))
    assert names(judge(SCENE, observe([first, again], GREEN, 33.0))) == ["illegal_stop"]


def test_another_one_under_the_same_number_is_another_hit() -> None:
    """The tracker passes from one that was told to one that parks beside it."""
    told = Driver(parks(0.6, until_s=99.0), CAR, 1, unseen=((13.0, 99.0),))
    other = Driver(parks(0.35, 0.52, until_s=99.0), CAR, 1, unseen=((0.0, 13.0),))
    hits = judge(SCENE, observe([told, other], GREEN, 30.0))
    assert [round(hit.at.ground[1], 1) for hit in hits] == [0.6, 0.3]


NO_LANE = {
    **{key: part for key, part in SCENE.items() if key != "lanes"},
    "zones": [{**SCENE["zones"][0], "polygon": [[0.5, 0.2], [0.7, 0.2], [0.7, 0.9], [0.5, 0.9]]}],
}
QUEUE = (0.35, 0.47, 0.59, 0.71)


def test_a_queue_that_stood_before_the_camera_looked_is_nothing_where_no_lane_is_drawn() -> None:
    red_until_20: Program = {"ball": [(-30.0, LampColor.RED), (20.0, LampColor.GREEN)]}
    queue = [
        Driver([(0.0, 0.6, y), (20.0, 0.6, y), (23.0, 0.6, y - 0.5)], CAR, k, jitter=0.02)
        for k, y in enumerate(QUEUE)
    ]
    assert judged(*queue, program=red_until_20, scene=NO_LANE) == []


@pytest.mark.parametrize("y", QUEUE[:3])
def test_one_alone_that_stood_before_the_camera_looked_is_one_hit_where_no_lane_is_drawn(y: float) -> None:
    stands = Driver([(0.0, 0.6, y), (26.0, 0.6, y)], CAR, jitter=0.02)
    assert judged(stands, scene=NO_LANE) == ["illegal_stop"]


def test_in_a_queue_found_again_behind_a_bus_is_nothing_where_no_lane_is_drawn() -> None:
    queue = []
    for k, y in enumerate(QUEUE):
        way = [(0.0, 0.6, y + 0.3), (3.0, 0.6, y), (26.0, 0.6, y)]
        queue.append(Driver(way, CAR, k, unseen=((10.0, 99.0),) if k in (1, 2) else (), jitter=0.02))
        if k in (1, 2):
            queue.append(Driver(way, CAR, k + 10, unseen=((0.0, 14.0),), jitter=0.02))
    red: Program = {"ball": [(-30.0, LampColor.RED)]}
    assert judged(*queue, program=red, scene=NO_LANE) == []


def test_two_boxes_in_one_place_are_no_error_where_no_lane_is_drawn() -> None:
    stands = [Driver([(0.0, 0.6, 0.6), (14.0, 0.6, 0.6)], kind, k) for k, kind in enumerate((CAR, BUS))]
    assert judged(*stands, scene=NO_LANE) == ["illegal_stop"]


def test_one_found_again_behind_a_bus_still_goes_on_as_it_came_where_no_lane_is_drawn() -> None:
    """Another one parks right behind it: that does not hold it up."""
    first = Driver(parks(until_s=99.0), CAR, 1, unseen=((7.0, 99.0),))
    again = Driver(parks(until_s=99.0), CAR, 2, unseen=((0.0, 10.0),))
    behind = Driver(parks(0.72, from_s=3.0, until_s=99.0), CAR, 3)
    (hit,) = judge(NO_LANE, observe([first, again, behind], GREEN, 26.0))
    assert hit.facts["standing_since_s"] - START_S == pytest.approx(2.0, abs=0.5)

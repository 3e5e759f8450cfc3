"""Crossing a solid line, on hand-made trajectories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.types import RoadUserKind
from tests.rules.drive import START_S, Driver, judge, names, observe

CAR = RoadUserKind.CAR


def scene(**line: Any) -> dict[str, Any]:
    middle = {"id": "middle", "line": [[0.5, 0.1], [0.5, 0.8]]}
    return {"solid_lines": [middle | line], "rules": {"solid_line": None}}


TO_THE_RIGHT = [[0.4, 0.5], [0.6, 0.5]]
RIGHT = [(0.0, 0.42, 0.75), (1.5, 0.42, 0.6), (3.0, 0.58, 0.45), (5.0, 0.58, 0.25)]
LEFT = [(t, 1 - x, y) for t, x, y in RIGHT]


@pytest.mark.parametrize("rate_hz", [5.0, 10.0, 25.0])
@pytest.mark.parametrize("way", [RIGHT, LEFT])
def test_changing_over_the_line_is_one_hit(way: list[tuple[float, float, float]], rate_hz: float) -> None:
    (hit,) = judge(scene(), observe([Driver(way, CAR, jitter=0.04)], rate_hz=rate_hz))
    assert (hit.rule, hit.facts["line"], hit.facts["forbidden"]) == ("solid_line", "middle", "both ways")
    assert hit.facts["crossed_s"] - START_S == pytest.approx(2.25, abs=0.3)
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s
    assert (
        hit.before.ground[0] < 0.5 < hit.after.ground[0] or hit.after.ground[0] < 0.5 < hit.before.ground[0]
    )


@pytest.mark.parametrize(("until_s", "said"), [(5.0, []), (2.0, ["solid_line"])])
def test_nobody_is_clear_of_a_line_while_a_nearer_vehicle_hides_its_foot(
    until_s: float, said: list[str]
) -> None:
    """A lorry in front takes up and pushes aside what is seen of who is behind it, over the line and on."""
    lorry = Driver(
        [(1.6, 0.5, 0.7), (until_s, 0.5, 0.7)],
        RoadUserKind.TRUCK,
        track_id=2,
        height=0.5,
        width=1.2,
    )
    hits = judge(scene(), observe([Driver(RIGHT, CAR), lorry]))
    assert names([hit for hit in hits if hit.track_id == 1]) == said


def test_where_an_arrow_is_drawn_only_its_direction_is_forbidden() -> None:
    assert names(judge(scene(forbidden=TO_THE_RIGHT), observe([Driver(RIGHT, CAR)]))) == ["solid_line"]
    assert judge(scene(forbidden=TO_THE_RIGHT), observe([Driver(LEFT, CAR)])) == []


def test_a_line_may_bind_some_classes_only() -> None:
    assert judge(scene(classes=["truck"]), observe([Driver(RIGHT, CAR)])) == []
    assert names(judge(scene(classes=["car"]), observe([Driver(RIGHT, CAR)]))) == ["solid_line"]
    unsure = Driver(RIGHT, CAR, kind_confidence=0.5)
    assert judge(scene(classes=["car"]), observe([unsure])) == []


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver([(0.0, 0.47, 0.75), (5.0, 0.47, 0.2)], CAR, jitter=0.1), id="along the line"),
        pytest.param(Driver([(0.0, 0.5, 0.75), (5.0, 0.5, 0.2)], CAR, jitter=0.1), id="astride of it"),
        pytest.param(
            Driver(
                [(0.0, 0.42, 0.75), (2.0, 0.42, 0.6), (2.7, 0.52, 0.55), (3.4, 0.42, 0.5), (5.0, 0.42, 0.3)],
                CAR,
            ),
            id="over it by a little and back",
        ),
        pytest.param(
            Driver([(0.0, 0.42, 0.98), (2.0, 0.58, 0.9), (5.0, 0.58, 0.6)], CAR), id="before the line begins"
        ),
        pytest.param(Driver(RIGHT, RoadUserKind.PERSON), id="on foot"),
        pytest.param(Driver([(0.0, 0.46, 0.5), (12.0, 0.54, 0.48)], CAR), id="a box that drifts"),
        pytest.param(
            Driver([(0.0, 0.47, 0.5), (12.0, 0.47, 0.5)], CAR, jitter=0.15), id="standing beside it"
        ),
    ],
)
def test_look_alikes_are_nothing(driver: Driver) -> None:
    assert judge(scene(), observe([driver])) == []


def test_a_vehicle_half_hidden_by_a_bus_has_not_crossed() -> None:
    # What can be seen of it shrinks to its right half: the middle of that lies over the line.
    hidden = Driver(
        [(0.0, 0.46, 0.7), (6.0, 0.46, 0.4)], CAR, width=2.0, side=lambda t: 0.55 if t > 2 else 0.0
    )
    assert judge(scene(), observe([hidden])) == []


def test_lost_on_the_line_and_found_again_is_one_hit() -> None:
    assert names(judge(scene(), observe([Driver(RIGHT, CAR, unseen=((2.0, 2.7),))]))) == ["solid_line"]


def test_a_track_taken_over_by_one_on_the_other_side_is_nothing() -> None:
    way = [(0.0, 0.4, 0.7), (3.0, 0.4, 0.45), (3.01, 0.62, 0.3), (5.0, 0.62, 0.25)]
    assert judge(scene(), observe([Driver(way, CAR)])) == []


def test_going_over_and_back_later_is_reported_once() -> None:
    back = [*RIGHT, (6.5, 0.42, 0.2), (7.5, 0.42, 0.15)]
    assert names(judge(scene(), observe([Driver(back, CAR)]))) == ["solid_line"]


@pytest.mark.parametrize("apart", [0.06, 0.07, 0.08])
@pytest.mark.parametrize("gap_s", [0.0, 0.5, 1.0])
def test_two_riders_whose_identities_are_exchanged_have_not_crossed(apart: float, gap_s: float) -> None:
    """Straight on, one on each side of the line, some 1.2 to 1.6 m apart, both unseen for a moment."""
    left, right = 0.5 - apart / 2, 0.5 + apart / 2
    gone, back = 3.0 - gap_s / 2, 3.01 + gap_s / 2
    unseen = ((gone + 0.02, back - 0.01),) if gap_s else ()

    def rides(from_x: float, to_x: float, number: int) -> Driver:
        way = [(0.0, from_x, 0.75), (gone, from_x, 0.5), (back, to_x, 0.5 - gap_s / 12), (6.0, to_x, 0.25)]
        return Driver(way, track_id=number, jitter=0.02, seed=number, unseen=unseen)

    assert judge(scene(), observe([rides(left, right, 1), rides(right, left, 2)])) == []


SIDES = (0.46, 0.54)
"""On either side of the line, some 1.6 m apart."""
RATES_HZ = pytest.mark.parametrize("rate_hz", [3.0, 6.0, 15.0])


def changes(
    from_x: float, to_x: float, number: int, at_s: float = 2.0, took_s: float = 1.0, behind: float = 0.0
) -> Driver:
    """Straight on, but for a time in which it goes over to another place across the road."""
    way = [(0.0, from_x), (at_s, from_x), (at_s + took_s, to_x), (6.0, to_x)]
    waypoints = [(t, x, 0.75 - t / 12 + behind) for t, x in way]
    return Driver(waypoints, track_id=number, jitter=0.03, seed=number)


def told(*drivers: Driver, rate_hz: float) -> set[int]:
    return {hit.track_id for hit in judge(scene(), observe(drivers, rate_hz=rate_hz))}


@RATES_HZ
@pytest.mark.parametrize("between", [1, 2])
@pytest.mark.parametrize("only_one", [False, True], ids=["told of both", "told of one"])
def test_two_riders_who_are_seen_as_one_while_their_identities_are_exchanged_have_not_crossed(
    only_one: bool, between: int, rate_hz: float
) -> None:
    """For some pictures there is one box, of both, on the line."""
    took_s = (between + 1) / rate_hz
    one, other = changes(*SIDES, 1, took_s=took_s), changes(*SIDES[::-1], 2, took_s=took_s)
    if only_one:
        other.unseen = ((2.01, 1.99 + took_s),)
    assert told(one, other, rate_hz=rate_hz) == set()


@RATES_HZ
@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(changes(0.6, 0.6, 2), {1}, id="beside one on the other side"),
        pytest.param(changes(0.5, 0.5, 2, behind=0.05), {1}, id="beside one who rides astride of it"),
        pytest.param(changes(0.54, 0.495, 2, behind=0.05), {1}, id="beside one who goes over by a little"),
        pytest.param(
            changes(0.4, 0.6, 2, at_s=2.0, took_s=1.5, behind=-0.12), {1, 2}, id="both, the same way"
        ),
        pytest.param(changes(0.54, 0.46, 2, at_s=3.5, behind=0.05), {1, 2}, id="the other back, later"),
        pytest.param(changes(0.54, 0.46, 2, behind=0.2), {1, 2}, id="the other way, some way behind"),
    ],
)
def test_who_crosses_beside_another_is_told(other: Driver, expected: set[int], rate_hz: float) -> None:
    assert told(changes(*SIDES, 1), replace(other, points=[]), rate_hz=rate_hz) == expected


def test_of_two_who_change_places_one_who_was_told_before_counts_as_well() -> None:
    crossed = Driver([(0.0, 0.46, 0.78), (1.0, 0.54, 0.7), (3.0, 0.54, 0.6)], track_id=2)
    crossed.waypoints += [(3.34, 0.46, 0.57), (6.0, 0.46, 0.45)]
    other = Driver([(1.0, 0.46, 0.7), (3.0, 0.46, 0.6), (3.34, 0.54, 0.57), (6.0, 0.54, 0.45)], track_id=1)
    assert told(other, crossed, rate_hz=6.0) == {2}

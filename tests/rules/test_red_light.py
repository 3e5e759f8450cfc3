"""Red light and stop line: acts, look-alikes, edges."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from pipeline.types import Hit, LampColor, RoadUserKind
from tests.rules.drive import HEIGHT, START_S, Driver, judge, junction, names, observe, shows

RUN = [(0.0, 0.5, 0.95), (3.0, 0.5, 0.65), (4.0, 0.5, 0.55), (6.0, 0.5, 0.3)]
"""Crosses the line (y = 0.6) at 3.5 s and is beyond the crossing (y = 0.5) at 4.4 s."""
GREEN_ARROW = {"left": {"lamp": "ball"}, "straight": {"lamp": "ball"}, "right": {"lamp": "arrow"}}


@pytest.mark.parametrize("rate_hz", [5.0, 6.0, 12.0, 25.0])
def test_a_vehicle_that_runs_the_red_light_is_one_hit(rate_hz: float) -> None:
    hits = judge(junction(), observe([Driver(RUN, jitter=0.03)], rate_hz=rate_hz))
    assert names(hits) == ["red_light"]
    hit = hits[0]
    assert hit.before.ground[1] > 0.6 + 0.1 * HEIGHT
    assert 0.5 < hit.at.ground[1] < 0.6 + 0.05 * HEIGHT
    assert hit.after.ground[1] < 0.5 + 0.05 * HEIGHT
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s
    assert hit.facts["crossed_s"] == pytest.approx(START_S + 3.5, abs=0.1)
    assert hit.time.captured_at_s == hit.at.time_s
    assert hit.time.source == "rtcp"
    assert hit.facts["lamp_color_before"] == "red"
    assert hit.facts["red_age_s"] == pytest.approx(33.5, abs=0.1)
    assert hit.lamps["ball"][1] is LampColor.RED
    assert 0.5 < hit.confidence <= 1
    json.dumps(dict(hit.facts))


def test_a_hit_tells_what_the_lamps_showed_until_it_was_made() -> None:
    program = shows((-9.0, LampColor.GREEN), (0.4, LampColor.YELLOW), (1.9, LampColor.RED))
    (hit,) = judge(junction(), observe([Driver(RUN)], program, rate_hz=25.0))
    (runs,) = hit.facts["lamp_shown"].values()
    assert [color for _, _, color in runs] == ["green", "yellow", "red"]
    # Without gaps, each change at the first picture that showed it.
    assert all(before[1] == after[0] for before, after in pairwise(runs))
    assert runs[1][0] - START_S == pytest.approx(0.4, abs=0.05)
    assert runs[2][0] - START_S == pytest.approx(1.9, abs=0.05)
    assert runs[0][0] < hit.before.time_s < hit.at.time_s < hit.after.time_s <= runs[2][1]


def test_a_hit_does_not_wait_for_the_track_to_end() -> None:
    assert names(judge(junction(), observe([Driver(RUN)], until_s=5.2), finish=False)) == ["red_light"]


@pytest.mark.parametrize("color", [LampColor.GREEN, LampColor.YELLOW, LampColor.OFF, LampColor.UNKNOWN])
def test_crossing_while_the_lamp_is_not_red_is_nothing_even_if_it_turns_red_then(color: LampColor) -> None:
    program = shows((-5.0, color), (3.8, LampColor.RED))
    assert judge(junction(), observe([Driver(RUN)], program)) == []


def test_crossing_within_the_grace_time_is_nothing() -> None:
    assert (
        judge(junction(), observe([Driver(RUN)], shows((0.0, LampColor.GREEN), (3.2, LampColor.RED)))) == []
    )
    late = judge(junction(), observe([Driver(RUN)], shows((0.0, LampColor.GREEN), (2.8, LampColor.RED))))
    assert names(late) == ["red_light"]


def test_unknown_at_the_moment_of_crossing_is_never_trusted() -> None:
    flicker = shows((-9.0, LampColor.RED), (3.4, LampColor.UNKNOWN), (3.55, LampColor.RED))
    assert judge(junction(), observe([Driver(RUN)], flicker)) == []


def test_a_lamp_that_is_not_reported_at_all_is_nothing() -> None:
    assert judge(junction(), observe([Driver(RUN)], {})) == []


def test_turning_green_after_the_crossing_does_not_undo_it() -> None:
    hits = judge(junction(), observe([Driver(RUN)], shows((-9.0, LampColor.RED), (3.9, LampColor.GREEN))))
    assert names(hits) == ["red_light"]
    assert hits[0].facts["lamp_color_after"] == "green"


@pytest.mark.parametrize(
    ("x", "y", "movement"), [(0.95, 0.52, "right"), (0.05, 0.46, "left"), (0.5, 0.2, "straight")]
)
def test_a_right_turn_under_the_green_arrow_is_nothing(x: float, y: float, movement: str) -> None:
    way = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.49), (6.0, x, y)]
    program = shows((-9.0, LampColor.RED), arrow=LampColor.GREEN)
    scene = junction(movements=GREEN_ARROW, junction={"area": [[0, 0], [1, 0], [1, 0.55], [0, 0.55]]})
    hits = judge(scene, observe([Driver(way)], program))
    assert names(hits) == ([] if movement == "right" else ["red_light"])
    if hits:
        assert hits[0].facts["movement"] == movement
        assert hits[0].facts["movement_decided_by"] == "turn angle"
    red_arrow = judge(scene, observe([Driver(way)], shows((-9.0, LampColor.RED))))
    assert names(red_arrow) == ["red_light"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("movements", "x"),
    [
        ({"left": {"lamp": "arrow"}, "straight": {"lamp": "ball"}, "right": {"lamp": "ball"}}, 0.1),
        ({"left": {"lamp": "ball"}, "straight": {"lamp": "ball"}, "right": {"free": True}}, 0.9),
    ],
)
def test_who_waits_in_the_junction_for_a_turn_that_is_allowed_is_nothing(
    movements: dict[str, Any], x: float, seed: int
) -> None:
    """For oncoming traffic or people who cross; a standing box jitters in every direction."""
    way = [(0.0, 0.5, 0.85), (3.5, 0.5, 0.44), (10.0, 0.5, 0.44), (12.5, x, 0.36)]
    turns = Driver(way, RoadUserKind.CAR, jitter=0.03, seed=seed)
    program = shows((-9.0, LampColor.RED), arrow=LampColor.GREEN)
    assert judge(junction(movements=movements), observe([turns], program, 12.0)) == []
    wrong = {"left": movements["right"], "straight": movements["straight"], "right": movements["left"]}
    assert names(judge(junction(movements=wrong), observe([turns], program, 12.0))) == ["red_light"]


@pytest.mark.parametrize("wait_s", [2.0, 9.0, 20.0, 60.0])
@pytest.mark.parametrize("exits", [True, False])
def test_who_runs_a_red_arrow_and_waits_in_the_junction_is_told_however_long_that_takes(
    exits: bool, wait_s: float
) -> None:
    """Left, while straight on is green; oncoming traffic keeps it from turning."""
    drawn = {
        "left": {"exit": [[0.0, 0.1], [0.3, 0.1], [0.3, 0.5], [0.0, 0.5]]},
        "straight": {"exit": [[0.31, 0.0], [0.8, 0.0], [0.8, 0.2], [0.31, 0.2]]},
    }
    lamps = {"left": {"lamp": "arrow"}, "straight": {"lamp": "ball"}}
    movements = {name: lamp | (drawn[name] if exits else {}) for name, lamp in lamps.items()}
    end_s = wait_s + 6.0
    way = [(0.0, 0.5, 0.95), (3.0, 0.5, 0.45), (3.0 + wait_s, 0.5, 0.45), (5.0 + wait_s, 0.12, 0.35)]
    turns = Driver([*way, (end_s, 0.05, 0.33)], jitter=0.02)

    def hits(*arrow: tuple[float, LampColor]) -> list[Hit]:
        program = {"ball": [(-30.0, LampColor.GREEN), (30.0, LampColor.RED)], "arrow": arrow}
        again = Driver(turns.waypoints, jitter=0.02)
        return judge(junction(movements=movements), observe([again], program, end_s + 2.0))

    (hit,) = hits((-30.0, LampColor.RED))
    assert (hit.rule, hit.facts["movement"], hit.facts["lamp_color_before"]) == ("red_light", "left", "red")
    ((start_s, until_s, color),) = hit.facts["lamp_shown"]["arrow"]
    assert color == "red"
    assert start_s <= hit.before.time_s + 0.2
    assert until_s >= hit.after.time_s
    # Who went into the junction under the arrow may turn out of it in the next red.
    assert hits((-30.0, LampColor.GREEN), (4.0, LampColor.RED)) == []


def test_exit_areas_decide_the_movement_where_they_are_drawn() -> None:
    movements = {
        "straight": {"lamp": "ball", "exit": [[0.3, 0.0], [0.7, 0.0], [0.7, 0.2], [0.3, 0.2]]},
        "right": {"free": True, "exit": [[0.8, 0.3], [1.0, 0.3], [1.0, 0.6], [0.8, 0.6]]},
    }
    scene = junction(movements=movements)
    straight = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (6.0, 0.5, 0.1)]
    right = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.48), (6.0, 0.95, 0.45)]
    undecided = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (5.0, 0.5, 0.3)]
    hits = judge(scene, observe([Driver(straight)]))
    assert [hit.facts["movement_decided_by"] for hit in hits] == ["exit area"]
    assert judge(scene, observe([Driver(right)])) == []
    assert judge(scene, observe([Driver(undecided)])) == []


def test_stopping_past_the_line_is_its_own_kind() -> None:
    stop = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.56), (12.0, 0.5, 0.56)]
    hits = judge(junction(), observe([Driver(stop, jitter=0.02)]))
    assert names(hits) == ["stop_line"]
    assert hits[0].facts["stood_s"] >= 3


def test_stopping_with_no_more_than_an_edge_over_the_line_is_nothing() -> None:
    stop = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.592), (12.0, 0.5, 0.592)]
    assert judge(junction(), observe([Driver(stop)])) == []


def test_stopping_in_the_junction_is_not_stopping_at_the_line() -> None:
    stop = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (5.0, 0.5, 0.45), (12.0, 0.5, 0.45)]
    assert names(judge(junction(), observe([Driver(stop)]))) == ["red_light"]


STANDS = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.56)]
"""Past the line (y = 0.6), short of the junction (y = 0.5)."""


def test_a_box_that_leaps_back_for_a_moment_is_no_second_approach() -> None:
    """A car passes in front at 10 s: for half a second the box takes in some of it."""
    leap = [(10.0, 0.5, 0.56), (10.1, 0.5, 0.65), (10.5, 0.5, 0.65), (10.6, 0.5, 0.56)]
    program = shows((-9.0, LampColor.RED), (2.0, LampColor.GREEN), (8.0, LampColor.RED))
    # Released by green, held up, and gone on while red: it crossed the line on green.
    way = [*STANDS, *leap, (14.0, 0.5, 0.56), (16.0, 0.5, 0.3)]
    assert judge(junction(), observe([Driver(way)], program, until_s=18)) == []
    rolled_back = [*STANDS, (9.0, 0.5, 0.56), (10.0, 0.5, 0.65), (14.0, 0.5, 0.65), (18.0, 0.5, 0.3)]
    assert names(judge(junction(), observe([Driver(rolled_back)], program, until_s=20))) == ["red_light"]


@pytest.mark.parametrize(("to", "said"), [(0.49, ["stop_line"]), (0.3, ["stop_line", "red_light"])])
def test_a_box_that_is_pulled_up_for_a_moment_has_not_gone_on(to: float, said: list[str]) -> None:
    way = [*STANDS, (10.0, 0.5, 0.56), (11.0, 0.5, to), (11.6, 0.5, to), (12.6, 0.5, 0.56), (16.0, 0.5, 0.56)]
    assert names(judge(junction(), observe([Driver(way)], until_s=16))) == said


@pytest.mark.parametrize(
    ("after", "confidence", "said"),
    [(0.44, 0.5, []), (0.3, 0.5, ["red_light"]), (0.44, 0.8, ["red_light"])],
    ids=["above its roof", "come out in front", "seen whole"],
)
def test_nobody_enters_the_junction_by_what_shows_above_a_cars_roof(
    after: float, confidence: float, said: list[str]
) -> None:
    way = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.58), (8.0, 0.5, 0.58), (9.0, 0.5, 0.45), (12.0, 0.5, after)]
    car = Driver(
        [(8.0, 0.5, 0.64), (12.0, 0.5, 0.64)], kind=RoadUserKind.CAR, track_id=2, height=0.2, width=1.5
    )
    rider = Driver(way, confidence=confidence)
    hits = judge({**junction(), "rules": {"red_light": None}}, observe([rider, car], until_s=12))
    assert names([hit for hit in hits if hit.track_id == 1]) == said


def test_who_waits_behind_the_line_with_a_hidden_foot_has_not_crossed_it() -> None:
    """Of one in the second row only the upper part is seen, and for two pictures all of it."""
    way = [(0.0, 0.5, 0.9), (2.0, 0.5, 0.64), (12.0, 0.5, 0.64)]

    def cut(time_s: float) -> float:
        return 0.0 if time_s < 2 or 4 < time_s < 4.4 else 0.6

    waits = Driver(way, cut=cut)
    next_one = Driver([(2.0, 0.5, 0.7), (12.0, 0.5, 0.7)], track_id=2, width=1.0, height=0.12)
    hits = judge(junction(), observe([waits, next_one], until_s=12))
    assert names([hit for hit in hits if hit.track_id == 1]) == []


def test_who_is_released_by_green_in_time_is_not_reported() -> None:
    stop = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.56), (12.0, 0.5, 0.56)]
    program = shows((-9.0, LampColor.RED), (6.0, LampColor.GREEN))
    assert judge(junction(), observe([Driver(stop)], program)) == []


def test_who_is_kept_beyond_the_line_through_a_green_is_not_reported_in_the_next_red() -> None:
    stop = [(0.0, 0.5, 0.9), (5.5, 0.5, 0.56), (60.0, 0.5, 0.56)]
    changes = [(-9.0, LampColor.RED), (6.0, LampColor.GREEN), (26.0, LampColor.YELLOW), (29.0, LampColor.RED)]
    jammed = Driver(stop, RoadUserKind.CAR, jitter=0.01)
    assert judge(junction(), observe([jammed], shows(*changes), 50.0)) == []


@pytest.mark.parametrize("color", [LampColor.GREEN, LampColor.RED])
def test_who_is_released_by_a_green_while_unseen_is_not_reported(color: LampColor) -> None:
    """As behind a bus, and still kept there by a jam."""
    stop = Driver(
        [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.56), (12.0, 0.5, 0.56)], unseen=((5.1, 6.9),)
    )
    program = shows((-9.0, LampColor.RED), (5.2, color), (6.8, LampColor.RED))
    assert names(judge(junction(), observe([stop], program))) == ["stop_line"] * (color is LampColor.RED)


def test_stopping_past_the_line_and_going_on_at_green_is_stop_line_only() -> None:
    way = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.56), (9.0, 0.5, 0.56), (11.0, 0.5, 0.3)]
    hits = judge(junction(), observe([Driver(way)], shows((-9.0, LampColor.RED), (8.5, LampColor.GREEN))))
    assert names(hits) == ["stop_line"]


def test_stopping_past_the_line_and_going_on_while_red_is_both() -> None:
    way = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.56), (9.0, 0.5, 0.56), (11.0, 0.5, 0.3)]
    assert sorted(names(judge(junction(), observe([Driver(way)])))) == ["red_light", "stop_line"]


def test_standing_past_the_line_is_nothing_where_a_movement_is_not_red() -> None:
    stop = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (4.0, 0.5, 0.56), (12.0, 0.5, 0.56)]
    program = shows((-9.0, LampColor.RED), arrow=LampColor.GREEN)
    assert judge(junction(movements=GREEN_ARROW), observe([Driver(stop)], program)) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_waiting_vehicle_whose_box_jitters_over_the_line_is_nothing(seed: int) -> None:
    wait = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.604), (12.0, 0.5, 0.604)]
    assert judge(junction(), observe([Driver(wait, jitter=0.08, seed=seed)])) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_waiting_vehicle_that_starts_at_green_is_nothing(seed: int) -> None:
    wait = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.602), (8.0, 0.5, 0.602), (10.0, 0.5, 0.3)]
    program = shows((-9.0, LampColor.RED), (7.8, LampColor.GREEN))
    assert judge(junction(), observe([Driver(wait, jitter=0.08, seed=seed)], program)) == []


def test_a_vehicle_first_seen_past_the_line_is_nothing() -> None:
    assert judge(junction(), observe([Driver([(0.0, 0.5, 0.59), (3.0, 0.5, 0.3)])])) == []


def test_a_vehicle_first_seen_just_before_the_line_is_nothing() -> None:
    assert judge(junction(), observe([Driver([(0.0, 0.5, 0.612), (3.0, 0.5, 0.3)])])) == []
    once = [(0.0, 0.5, 0.617), (1.5, 0.5, 0.257)]
    assert judge(junction(), observe([Driver(once)])) == []


@pytest.mark.parametrize(
    "way",
    [
        pytest.param([(0.0, 0.5, 0.3), (6.0, 0.5, 0.95)], id="oncoming"),
        pytest.param([(0.0, 0.05, 0.58), (6.0, 0.95, 0.56)], id="cross traffic beyond the line"),
        pytest.param([(0.0, 0.05, 0.63), (6.0, 0.95, 0.565)], id="along the line, slowly over it"),
        pytest.param([(0.0, 0.1, 0.63), (6.0, 0.75, 0.58), (8.0, 0.9, 0.4)], id="along the line, then on"),
        pytest.param([(0.0, 0.9, 0.8), (3.0, 0.9, 0.55), (6.0, 0.5, 0.4)], id="past the end of the line"),
        pytest.param(
            [(0.0, 0.75, 0.9), (2.0, 0.78, 0.64), (3.0, 0.83, 0.58), (5.0, 0.83, 0.3)],
            id="from before the line round its end",
        ),
        pytest.param([(0.0, 0.5, 0.3), (3.0, 0.5, 0.57), (6.0, 0.5, 0.3)], id="oncoming that turns back"),
    ],
)
def test_traffic_that_does_not_come_over_the_line_in_its_direction_is_nothing(
    way: list[tuple[float, float, float]],
) -> None:
    assert judge(junction(), observe([Driver(way)])) == []


def test_a_person_on_foot_is_nothing() -> None:
    walk = [(0.0, 0.5, 0.75), (12.0, 0.5, 0.3)]
    assert judge(junction(), observe([Driver(walk, RoadUserKind.PERSON)])) == []


def test_a_box_cut_from_below_has_not_moved() -> None:
    wait = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.62), (12.0, 0.5, 0.62)]

    def van_in_front(time_s: float) -> float:
        return 0.5 if 5 < time_s < 10 else 0.0

    scene = junction(junction={"beyond_heights": 0.2})
    assert judge(scene, observe([Driver(wait, cut=van_in_front)])) == []


def test_a_track_lost_around_the_line_and_found_again_counts_while_the_lamp_stays_red() -> None:
    gap = Driver(RUN, unseen=((3.2, 4.2),))
    assert names(judge(junction(), observe([gap]))) == ["red_light"]
    flicker = shows((-9.0, LampColor.RED), (3.3, LampColor.UNKNOWN), (3.4, LampColor.RED))
    no_grace = {**junction(), "rules": {"red_light": {"grace_s": 0}}}
    assert judge(no_grace, observe([Driver(RUN, unseen=((3.2, 4.2),))], flicker)) == []
    changed = shows(
        (-9.0, LampColor.GREEN), (2.0, LampColor.RED), (3.5, LampColor.GREEN), (4.0, LampColor.RED)
    )
    assert judge(junction(), observe([Driver(RUN, unseen=((3.2, 4.2),))], changed)) == []


def test_a_track_lost_for_long_is_another_trajectory() -> None:
    slow = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.65), (8.0, 0.5, 0.45), (10.0, 0.5, 0.3)]
    assert judge(junction(), observe([Driver(slow, unseen=((3.0, 7.0),))])) == []


def test_a_camera_that_shows_nothing_for_long_does_not_join_what_was_before() -> None:
    slow = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.65), (6.0, 0.5, 0.55), (8.0, 0.5, 0.3)]
    hidden = Driver(slow, unseen=((3.01, 5.89),))
    seen = [o for o in observe([hidden]) if not 3.0 < o.time.captured_at_s - START_S < 5.9]
    assert judge(junction(), seen) == []


def test_a_new_track_beyond_the_line_is_nothing() -> None:
    before = Driver([(0.0, 0.5, 0.9), (3.4, 0.5, 0.61)], track_id=1)
    beyond = Driver([(3.6, 0.5, 0.59), (6.0, 0.5, 0.3)], track_id=2)
    assert judge(junction(), observe([before, beyond])) == []


def test_a_track_that_jumps_to_a_vehicle_beyond_the_line_is_nothing() -> None:
    jump = [(0.0, 0.5, 0.8), (4.0, 0.5, 0.75), (4.01, 0.6, 0.45), (8.0, 0.6, 0.2)]
    assert judge(junction(), observe([Driver(jump)])) == []


def test_a_reconnection_ends_every_trajectory() -> None:
    observations = observe([Driver(RUN)], connection=lambda time_s: int(time_s >= 3.4))
    assert judge(junction(), observations) == []


def test_two_vehicles_are_two_hits() -> None:
    drivers = [Driver(RUN, track_id=1), Driver([(t + 1, x - 0.1, y) for t, x, y in RUN], track_id=2)]
    hits = judge(junction(), observe(drivers))
    assert sorted(hit.track_id for hit in hits) == [1, 2]


def test_a_repeated_moment_is_not_a_second_one() -> None:
    twice = [o for observation in observe([Driver(RUN)]) for o in (observation, observation)]
    assert names(judge(junction(), twice)) == ["red_light"]


def test_the_before_picture_of_a_long_wait_is_still_to_be_had() -> None:
    wait = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.607), (20.0, 0.5, 0.607), (22.0, 0.5, 0.3)]
    hits = judge(junction(), observe([Driver(wait)], until_s=24))
    assert names(hits) == ["red_light"]
    assert hits[0].at.time_s - hits[0].before.time_s < 5


def test_parameters_come_from_the_scene() -> None:
    scene = {**junction(), "rules": {"red_light": {"grace_s": 5}}}
    assert judge(scene, observe([Driver(RUN)], shows((0.0, LampColor.RED)))) == []

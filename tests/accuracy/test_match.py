"""The ruler can fail: what is taken from the events is missed, what is added to them is false."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.scene import geometry
from scripts.accuracy.match import match
from scripts.accuracy.truth import Sighting
from tests.accuracy.city import act, event, sighting, truth


def test_every_act_and_its_event_are_found() -> None:
    seen = truth([sighting(1), sighting(2)], [act("red_light", 1, 10.0), act("red_light", 2, 30.0)])
    outcome = match(seen, [event("red_light", 2, 30.2), event("red_light", 1, 10.1)])
    assert {found.true.act.actor_id: round(found.late_s, 2) for found in outcome.found} == {1: 0.1, 2: 0.2}
    assert not outcome.missed
    assert not outcome.false


def test_an_event_taken_away_is_a_missed_act() -> None:
    seen = truth([sighting(1), sighting(2)], [act("red_light", 1, 10.0), act("red_light", 2, 30.0)])
    outcome = match(seen, [event("red_light", 1, 10.1)])
    assert [missed.act.actor_id for missed in outcome.missed] == [2]


def test_an_event_of_what_nobody_did_is_false_and_says_who_was_there() -> None:
    seen = truth([sighting(1), sighting(2)], [act("red_light", 1, 10.0)])
    outcome = match(seen, [event("red_light", 1, 10.1), event("red_light", 2, 20.0)])
    [false] = outcome.false
    assert false.why == "motorbike 2 did nothing of note"
    assert false.look_alike == ""


def test_an_event_where_nobody_is_at_all() -> None:
    [false] = match(truth([sighting(1)], []), [event("wrong_way", 9, 20.0, row=0)]).false
    assert false.why == "nobody is there"


def test_a_second_event_of_one_act_is_false() -> None:
    seen = truth([sighting(1)], [act("red_light", 1, 10.0)])
    outcome = match(seen, [event("red_light", 1, 10.1), event("red_light", 1, 10.6)])
    assert len(outcome.found) == 1
    assert [false.why for false in outcome.false] == ["motorbike 1 was reported before"]


def test_the_right_actor_of_the_wrong_kind_is_both_false_and_missed() -> None:
    outcome = match(truth([sighting(1)], [act("stop_line", 1, 10.0)]), [event("red_light", 1, 10.0)])
    assert [missed.act.kind.value for missed in outcome.missed] == ["stop_line"]
    assert [false.why for false in outcome.false] == ["motorbike 1 did stop_line"]


def test_an_event_of_somebody_else_at_the_same_moment_does_not_count() -> None:
    seen = truth([sighting(1), sighting(2)], [act("red_light", 1, 10.0)])
    outcome = match(seen, [event("red_light", 2, 10.0)])
    assert [missed.act.actor_id for missed in outcome.missed] == [1]
    assert len(outcome.false) == 1


def test_an_event_long_after_the_act_does_not_count() -> None:
    seen = truth([sighting(1)], [act("red_light", 1, 10.0)])
    outcome = match(seen, [event("red_light", 1, 25.0)])
    assert len(outcome.missed) == len(outcome.false) == 1


@pytest.mark.parametrize(("time_s", "found"), [(7.1, 0), (9.2, 1), (13.0, 1)])
def test_an_event_before_its_act_at_a_moment_is_false(time_s: float, found: int) -> None:
    """What is told 2.9 s before the line is crossed was no crossing; those beside it measure times."""
    seen = truth([sighting(1)], [act("red_light", 1, 10.0)])
    outcome = match(seen, [event("red_light", 1, time_s)])
    assert (len(outcome.found), len(outcome.false)) == (found, 1 - found)


def beside(other: Sighting) -> Sighting:
    """A rider on the left of another, so near that their boxes overlap by an IoU of a quarter."""
    return replace(other, id=other.id + 1, boxes=other.boxes - [0.06, 0, 0.06, 0])


def test_an_innocent_beside_who_did_it_is_a_false_alarm() -> None:
    innocent, guilty = sighting(1), beside(sighting(1))
    outcome = match(truth([innocent, guilty], [act("red_light", 2, 10.0)]), [event("red_light", 1, 10.0)])
    assert [missed.act.actor_id for missed in outcome.missed] == [2]
    assert [false.why for false in outcome.false] == ["motorbike 1 did nothing of note"]


def test_one_told_twice_is_not_two_found() -> None:
    seen = truth([sighting(1), beside(sighting(1))], [act("red_light", who, 10.0) for who in (1, 2)])
    outcome = match(seen, [event("red_light", 1, 10.0), event("red_light", 1, 10.2)])
    assert [found.true.act.actor_id for found in outcome.found] == [1]
    assert [missed.act.actor_id for missed in outcome.missed] == [2]
    assert [false.why for false in outcome.false] == ["motorbike 1 was reported before"]


def test_a_poor_box_is_of_whom_it_fits_though_another_fits_a_little_better() -> None:
    seen = truth([sighting(1), beside(sighting(1))], [act("red_light", 2, 10.0)])
    between = event("red_light", 1, 10.0)
    moments = tuple((at_s, (a - 0.028, b, c - 0.028, d)) for at_s, (a, b, c, d) in between.moments)
    assert len(match(seen, [replace(between, moments=moments)]).found) == 1


def test_a_flagged_look_alike_is_named() -> None:
    seen = truth([sighting(1)], [act("legal.right_on_arrow", 1, 10.0)])
    [false] = match(seen, [event("red_light", 1, 10.2)]).false
    assert false.look_alike == "legal.right_on_arrow"


def test_an_act_that_does_not_count_is_neither_missed_nor_makes_its_event_false() -> None:
    seen = truth([sighting(1, visible=0.3)], [act("red_light", 1, 10.0)])
    silent, told = match(seen, []), match(seen, [event("red_light", 1, 10.0)])
    assert not silent.missed
    assert not told.found
    assert not told.false
    assert len(told.also) == 1


def test_a_rule_reports_a_road_user_once() -> None:
    """Two stretches against a lane by one rider, one event: nothing is missed."""
    acts = [
        act("wrong_way", 1, 11.0, start_s=10.0, end_s=15.0, place="S.in1"),
        act("wrong_way", 1, 31.0, start_s=30.0, end_s=35.0, place="S.in1"),
    ]
    outcome = match(truth([sighting(1)], acts), [event("wrong_way", 1, 11.5)])
    assert len(outcome.found) == 1
    assert not outcome.missed


def test_two_acts_side_by_side_get_an_event_each() -> None:
    seen = truth([sighting(1), sighting(2)], [act("red_light", 1, 10.0), act("red_light", 2, 10.0)])
    outcome = match(seen, [event("red_light", 2, 10.0), event("red_light", 1, 10.0)])
    assert sorted(found.true.act.actor_id for found in outcome.found) == [1, 2]
    assert all(found.event.id.startswith(f"red_light-{found.true.act.actor_id}-") for found in outcome.found)


def test_events_at_the_very_end_are_not_judged() -> None:
    """What comes of them may lie beyond the film. An event of the test is complete 1 s after its moment."""
    outcome = match(
        truth([sighting(1)], []), [event("red_light", 1, time_s) for time_s in (55.9, 56.1, 58.5)]
    )
    assert [false.event.time_s for false in outcome.false] == [55.9]
    assert [one.time_s for one in outcome.out] == [56.1, 58.5]


def test_a_crowd_is_told_by_its_time() -> None:
    seen = truth(
        [sighting(1, kind="person"), sighting(2, kind="person")],
        [act("crowd", 1, 15.0, start_s=10.0, end_s=25.0, place="")],
    )
    assert len(match(seen, [event("crowd", 2, 16.0)]).found) == 1


def test_boxes_far_off_at_two_of_three_moments_are_somebody_else() -> None:
    seen = truth([sighting(1)], [act("red_light", 1, 10.0)])
    good = event("red_light", 1, 10.0)
    away = (0.0, 0.9, 0.05, 0.95)
    (before_s, _), at, (after_s, _) = good.moments
    outcome = match(seen, [replace(good, moments=((before_s, away), at, (after_s, away)))])
    assert len(outcome.found) == 1
    (at_s, _) = at
    shifted = (at_s, (0.16, 0.15, 0.26, 0.25))
    outcome = match(seen, [replace(good, moments=((before_s, away), shifted, (after_s, away)))])
    assert len(outcome.missed) == 1


def test_overlap_is_intersection_over_union() -> None:
    assert geometry.overlap((0, 0, 2, 2), (1, 0, 3, 2))[0] == pytest.approx(1 / 3)
    assert geometry.overlap((0, 0, 1, 1), (2, 2, 3, 3))[0] == 0

"""More riders than a motorbike may carry, and what looks like them."""

from __future__ import annotations

import pytest

from pipeline.types import RoadUserKind
from tests.rules.riding import BARE, HELMET, PILLION, START_S, Machine, Sight, judge, sits

CHILD = (0.5, 1.2)
THREE = (HELMET, sits(HELMET, CHILD), sits(BARE, (1.1, 0.6)))
TWO = (HELMET, sits(HELMET, PILLION))


def test_three_on_one_machine_are_reported_once() -> None:
    [hit] = judge("too_many_riders", [Machine(lambda t: THREE)])
    assert (hit.rule, hit.track_id, hit.kind) == ("too_many_riders", 1, RoadUserKind.MOTORBIKE)
    assert (hit.facts["riders"], hit.facts["allowed"]) == (3, 2)
    assert len(hit.geometry) == 3
    assert hit.before.time_s < hit.after.time_s


@pytest.mark.parametrize(("min_shown", "told"), [(0.027, False), (0.023, True)])
def test_an_officer_must_be_able_to_count_them(min_shown: float, told: bool) -> None:
    """Their heads are 9 pixels high, of 360."""
    assert bool(judge("too_many_riders", [Machine(lambda t: THREE)], min_shown=min_shown)) is told


def test_two_are_allowed() -> None:
    assert not judge("too_many_riders", [Machine(lambda t: TWO)])
    assert judge("too_many_riders", [Machine(lambda t: TWO)], most=1)


def test_a_child_between_that_shows_in_half_of_the_pictures_is_counted() -> None:
    assert judge("too_many_riders", [Machine(lambda t: THREE if round(t * 6) % 2 else TWO)])


@pytest.mark.parametrize("pictures", [1, 3])
def test_a_third_head_in_few_pictures_is_chance(pictures: int) -> None:
    assert not judge("too_many_riders", [Machine(lambda t: THREE if 1 < t < 1 + pictures / 6 else TWO)])


def test_a_third_head_now_and_then_is_outvoted() -> None:
    assert not judge("too_many_riders", [Machine(lambda t: THREE if round(t * 6) % 5 == 0 else TWO)])


def test_two_machines_in_one_box_are_not_one() -> None:
    """Side by side, a detector may box them together: their riders sit further apart than on one."""
    far = 3.4
    both = (*TWO, sits(HELMET, (far, 0.5)), sits(HELMET, (far + 0.9, 0.7)))
    assert not judge("too_many_riders", [Machine(lambda t: both, size=(70.0, 60.0))])


@pytest.mark.parametrize(("behind_px", "said"), [(10.0, False), (36.0, True)])
def test_heads_in_two_machines_boxes_are_nobodys(behind_px: float, said: bool) -> None:
    """Close behind another, the rider in front may be taken for a third one; well apart, heads are told."""
    front = Machine(lambda t: (), track=lambda t: 2, start=(40.0 - behind_px, 205.0))
    assert bool(judge("too_many_riders", [Machine(lambda t: THREE), front])) is said


def test_a_machine_that_comes_free_of_others_is_judged_from_there() -> None:
    beside = Machine(lambda t: (), track=lambda t: 2, start=(45.0, 205.0), unseen=lambda t: t > 2)
    [hit] = judge("too_many_riders", [Machine(lambda t: THREE), beside])
    assert hit.before.time_s > START_S + 2


def test_a_walker_passed_by_is_no_rider() -> None:
    def heads(time_s: float) -> tuple[Sight, ...]:
        beside = sits(BARE, (3.0 - 8 * (time_s - 2), 0.6))
        return (*TWO, beside) if abs(beside.at[0]) < 3 else TWO

    assert not judge("too_many_riders", [Machine(heads)])


def test_a_motorbike_that_stands_among_people_is_no_act() -> None:
    assert not judge("too_many_riders", [Machine(lambda t: THREE, speed=(0.0, 0.0))])


def test_an_id_that_jumps_to_a_full_machine_counts_from_there() -> None:
    two = Machine(lambda t: TWO, unseen=lambda t: t >= 2.0)
    three = Machine(lambda t: THREE, start=(300.0, 60.0), speed=(60.0, 0.0), unseen=lambda t: t < 2.0)
    [hit] = judge("too_many_riders", [two, three])
    assert hit.facts["share"] == 1.0


def test_bicycles_are_not_judged() -> None:
    assert not judge("too_many_riders", [Machine(lambda t: THREE, kind=RoadUserKind.BICYCLE)])


def test_who_rides_up_to_a_light_is_told_while_waiting_there() -> None:
    machine = Machine(lambda t: THREE if t < 2.5 else (), waits=(2.5, 60.0))
    assert len(judge("too_many_riders", [machine], until_s=9.0, finish=False)) == 1

"""Bare heads on motorbikes: the act, what looks like it, and what cameras and trackers make of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest

from pipeline.types import RoadUser, RoadUserKind
from tests.rules.riding import BARE, HELMET, PILLION, START_S, Machine, Sight, judge, sits


def test_a_bare_head_is_reported_once_with_its_clearest_picture() -> None:
    [hit] = judge("no_helmet", [Machine(lambda t: (Sight(bare=0.9 if 1.9 < t < 2.1 else 0.6),))])
    assert (hit.rule, hit.track_id, hit.kind) == ("no_helmet", 1, RoadUserKind.MOTORBIKE)
    assert hit.at.time_s == pytest.approx(START_S + 2.0, abs=0.1)
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s
    assert hit.facts["bare_share"] == 1.0
    assert hit.facts["bare_pictures"] == hit.facts["pictures"] >= 10
    assert hit.facts["head_px"] == 9.0
    [outline] = hit.geometry.values()
    left, top, right, bottom = hit.at.box
    assert all(left < x < right and top - 0.01 < y < bottom for x, y in outline)


def test_helmets_are_no_act() -> None:
    assert not judge("no_helmet", [Machine(lambda t: (HELMET, sits(HELMET, PILLION)))])


def test_a_bare_passenger_behind_a_driver_with_a_helmet_is_reported() -> None:
    [hit] = judge("no_helmet", [Machine(lambda t: (HELMET, sits(BARE, PILLION)))])
    assert hit.facts["bare_share"] > 0.9


def test_a_passenger_seen_now_and_then_behind_the_driver_is_reported() -> None:
    def heads(time_s: float) -> tuple[Sight, ...]:
        return (HELMET, sits(BARE, PILLION)) if round(time_s * 6) % 3 == 0 else (HELMET,)

    assert len(judge("no_helmet", [Machine(heads)])) == 1


def test_flicker_under_hood_and_rain_is_outvoted() -> None:
    """Three of ten pictures of each of two helmets say bare: at no moment is it the same rider's majority."""
    dice = random.Random(3)

    def rider() -> Sight:
        bare = dice.random() < 0.3
        return Sight(bare=0.4) if bare else Sight(helmet=0.5)

    for seed in range(20):
        machine = Machine(lambda t: (rider(), sits(rider(), PILLION)), seed=seed)
        assert not judge("no_helmet", [machine])


def test_one_head_seen_as_both_is_weighed() -> None:
    assert not judge("no_helmet", [Machine(lambda t: (Sight(helmet=0.4, bare=0.5),))])


@pytest.mark.parametrize("pictures", [1, 3])
def test_few_pictures_are_not_enough(pictures: int) -> None:
    assert not judge("no_helmet", [Machine(lambda t: (BARE,) if 1 < t < 1 + pictures / 6 else ())])


def test_heads_too_small_to_tell_are_not_judged() -> None:
    def small(head_px: float) -> list[Machine]:
        return [Machine(lambda t: (BARE,), head_px=head_px, size=(23, 35))]

    assert not judge("no_helmet", small(3.0))
    assert judge("no_helmet", small(5.0))
    assert not judge("no_helmet", small(5.0), min_head_px=8)


@pytest.mark.parametrize(("min_shown", "told"), [(0.027, False), (0.023, True)])
def test_an_officer_must_be_able_to_see_the_head(min_shown: float, told: bool) -> None:
    """It is 9 pixels high, of 360."""
    assert bool(judge("no_helmet", [Machine(lambda t: (BARE,))], min_shown=min_shown)) is told


def test_near_pictures_outweigh_far_ones() -> None:
    """Far away, hair and a dark helmet are one: the pictures from near decide."""
    far = Machine(lambda t: (Sight(bare=0.35) if t < 1.2 else Sight(helmet=0.8),))
    assert not judge("no_helmet", [far])


def test_a_parked_motorbike_with_somebody_beside_it_is_no_act() -> None:
    """The walker's head is given to the machine while it passes behind."""

    def passing(time_s: float) -> tuple[Sight, ...]:
        return (sits(BARE, ((time_s - 2.5) * 3, 0.5)),) if 1.5 < time_s < 3.5 else ()

    parked = Machine(passing, speed=(0.0, 0.0))
    standing = Machine(lambda t: (BARE,), track=lambda t: 2, speed=(0.0, 0.0), start=(300.0, 100.0))
    assert not judge("no_helmet", [parked, standing])


def test_a_motorbike_pushed_along_is_no_act() -> None:
    assert not judge("no_helmet", [Machine(lambda t: (BARE,), speed=(36.0, 0.0))], until_s=12)


def test_a_walker_passed_by_is_nobody_on_the_machine() -> None:
    def heads(time_s: float) -> tuple[Sight, ...]:
        beside = sits(BARE, (2.0 - 8 * (time_s - 2), 0.6))
        return (HELMET, beside) if abs(beside.at[0]) < 2.2 else (HELMET,)

    assert not judge("no_helmet", [Machine(heads)])


def test_cyclists_and_walkers_need_none() -> None:
    for kind in (RoadUserKind.BICYCLE, RoadUserKind.PERSON):
        assert not judge("no_helmet", [Machine(lambda t: (BARE,), kind=kind)])


def test_a_bicycle_that_is_called_a_motorbike_half_of_the_time_is_not_accused() -> None:
    assert judge("no_helmet", [Machine(lambda t: (BARE,), sure=0.91)])
    assert not judge("no_helmet", [Machine(lambda t: (BARE,), sure=0.85)])


@dataclass
class Cyclist(Machine):
    """Called a motorbike up to a second, while far off."""

    until_s: float = 1.4

    def see(self, time_s: float) -> RoadUser | None:
        user = super().see(time_s)
        return user and replace(
            user, kind=RoadUserKind.MOTORBIKE if time_s < self.until_s else RoadUserKind.BICYCLE
        )


@pytest.mark.parametrize("rule", ["no_helmet", "too_many_riders"])
def test_a_cyclist_who_was_called_a_motorbike_far_off_is_not_accused(rule: str) -> None:
    def three(time_s: float) -> tuple[Sight, ...]:
        return (BARE, sits(BARE, (0.5, 1.2)), sits(BARE, (1.1, 0.6)))

    assert not judge(rule, [Cyclist(three)])
    assert len(judge(rule, [Cyclist(three, until_s=99.0)])) == 1
    lost_early = Cyclist(three, until_s=99.0, unseen=lambda t: t > 1.4)
    assert len(judge(rule, [lost_early])) == 1


def test_a_track_that_jumps_to_another_machine_begins_anew() -> None:
    """An id switch: a bare head for half a second, then another machine's helmets under the same id."""
    bare = Machine(lambda t: (BARE,), unseen=lambda t: t >= 0.6)
    helmets = Machine(lambda t: (HELMET,), start=(300.0, 60.0), unseen=lambda t: t < 0.6)
    assert not judge("no_helmet", [bare, helmets])


def test_an_act_is_told_once_though_the_track_is_lost_and_found() -> None:
    machine = Machine(lambda t: (BARE,), unseen=lambda t: 2.0 < t < 3.0)
    assert len(judge("no_helmet", [machine])) == 1


def test_hidden_by_a_bus_the_vote_goes_on() -> None:
    machine = Machine(lambda t: (BARE,) if t < 0.5 or t > 2.2 else (), unseen=lambda t: 0.5 < t < 2.0)
    assert len(judge("no_helmet", [machine], until_s=2.8)) == 1


def test_who_rides_up_to_a_light_is_told_while_waiting_there() -> None:
    """Not when it turns green: by then the pictures of it are gone."""
    machine = Machine(lambda t: (BARE,) if t < 2.5 else (), waits=(2.5, 60.0))
    [hit] = judge("no_helmet", [machine], until_s=9.0, finish=False)
    assert hit.after.time_s - hit.before.time_s < 3


def test_bare_before_and_after_a_long_wait_is_shown_as_it_rides_on() -> None:
    """Too little was seen before; the pictures of then are no more to be had."""
    machine = Machine(lambda t: (BARE,) if t < 0.5 or t > 42 else (), waits=(1.5, 42.0), start=(40.0, 200.0))
    [hit] = judge("no_helmet", [machine], until_s=46.0)
    assert hit.facts["duration_s"] > 40
    assert hit.before.time_s - START_S >= 42
    assert hit.at.time_s - START_S >= 42

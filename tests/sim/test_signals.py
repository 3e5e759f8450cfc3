"""Signals: phases that exclude each other, and lamps that flicker."""

from __future__ import annotations

import pytest

from pipeline.sim.signals import ALL_RED_S, YELLOW_S, Signals
from pipeline.sim.sites import PHASES, site
from pipeline.types import LampColor

GROUPS = ("S.ball", "N.ball", "E.ball", "W.ball", "S.right")


@pytest.fixture(scope="module")
def signals() -> Signals:
    built = site("junction", 0)
    return Signals(PHASES, built.layout.heads, built.groups, 11)


def test_no_two_phases_are_green_together(signals: Signals) -> None:
    for tenth in range(-1000, 4000):
        shown = {group: signals.shown(group, tenth / 10).color for group in GROUPS}
        assert shown["S.ball"] is shown["N.ball"]
        going = [g for g in ("S.ball", "E.ball", "W.ball") if shown[g] is not LampColor.RED]
        assert len(going) <= 1
        if shown["S.right"] is not LampColor.RED:
            assert shown["W.ball"] is LampColor.RED


@pytest.mark.parametrize("group", GROUPS)
def test_a_colour_lasts_from_since_to_until(signals: Signals, group: str) -> None:
    time_s, seen = 0.0, []
    for _ in range(9):
        shown = signals.shown(group, time_s)
        assert shown.since_s <= time_s < shown.until_s
        for inner in (shown.since_s + 1e-6, shown.until_s - 1e-6):
            assert signals.shown(group, inner).color is shown.color
        seen.append(shown.color)
        if shown.color is LampColor.YELLOW:
            assert shown.until_s - shown.since_s == pytest.approx(YELLOW_S)
        time_s = shown.until_s + 1e-9
    order = [LampColor.GREEN, LampColor.YELLOW, LampColor.RED]
    start = order.index(seen[0])
    assert seen == [order[(start + k) % 3] for k in range(9)]


def test_all_is_red_between_phases(signals: Signals) -> None:
    end = signals.shown("W.ball", next(t for t in range(200) if signals.shown("W.ball", t).color == "yellow"))
    for offset in (0.1, ALL_RED_S - 0.1):
        assert {signals.shown(g, end.until_s + offset).color for g in GROUPS} == {LampColor.RED}


def test_some_lamps_are_dark_in_a_quarter_of_the_frames_and_never_for_long(signals: Signals) -> None:
    frames = [{lamp.head_id: lamp.lit for lamp in signals.lamps(k / 25)} for k in range(2500)]
    flickering = 0
    for head in frames[0]:
        lit = [frame[head] for frame in frames]
        if all(lit):
            continue
        flickering += 1
        assert 0.2 < lit.count(False) / len(lit) < 0.3
        dark = "".join("1" if on else "0" for on in lit).split("1")
        assert max(map(len, dark)) <= 3
    assert 0 < flickering < len(frames[0])

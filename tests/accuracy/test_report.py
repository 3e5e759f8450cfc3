"""Figures, and the bars they are held to."""

from __future__ import annotations

import io
import json
from collections import Counter

import pytest
from rich.console import Console

from scripts.accuracy import plan
from scripts.accuracy.counts import LaneCount
from scripts.accuracy.limits import ToldFaster, limit_figures
from scripts.accuracy.match import Reported, match
from scripts.accuracy.report import Judged, failures, other_failures, report, rows
from scripts.accuracy.report import lanes as counted_lanes
from scripts.accuracy.run import CameraRun
from scripts.accuracy.show import show
from tests.accuracy.city import act, event, sighting, truth

TAKE = plan.quick()[0]
BOTH = frozenset({"red_light", "wrong_way"})
KEPT_UP = CameraRun("south", analysed=358, dropped=0, expected=360, latency_s=0.2)


def judged(events: list[Reported], camera: CameraRun = KEPT_UP) -> Judged:
    """One camera that sees two runners of a red light and one rider against the lane."""
    seen = truth(
        [sighting(1), sighting(2), sighting(3), sighting(4)],
        [
            act("red_light", 1, 10.0),
            act("red_light", 2, 30.0),
            act("wrong_way", 3, 21.0, start_s=20.0, end_s=26.0, place="S.in1"),
            act("legal.waits_past_line", 4, 40.0),
        ],
    )
    look_alikes = Counter(one.kind.value for one in seen.look_alikes)
    lanes = [
        LaneCount("south", "S.in1", "motorbike", 10, 9),
        LaneCount("south", "S.in2", "motorbike", 10, 11),
    ]
    return Judged(TAKE, [match(seen, events)], look_alikes, BOTH, lanes, (camera,))


BARS_OF_BOTH = {key: bar for key, bar in plan.BARS.items() if key[0] == "day" and key[1] in BOTH}

ALL = [event("red_light", 1, 10.2), event("red_light", 2, 30.4), event("wrong_way", 3, 21.0)]


def test_all_found_and_nothing_false_reaches_the_bars() -> None:
    table = rows([judged(ALL)])
    assert {(row.kind, row.true, row.found, row.false, row.missed) for row in table} == {
        ("red_light", 2, 2, 0, 0),
        ("wrong_way", 1, 1, 0, 0),
    }
    assert failures(table, BARS_OF_BOTH) == []
    red = next(row for row in table if row.kind == "red_light").as_json()
    assert red["time_error_s"]["median"] == pytest.approx(0.3)


def test_a_missed_act_misses_the_bar() -> None:
    assert failures(rows([judged(ALL[1:])]), BARS_OF_BOTH) == [
        "red_light by day: recall 0.500, the bar is 0.95"
    ]


def test_a_false_event_misses_the_bar_and_names_the_look_alike() -> None:
    table = rows([judged([*ALL, event("red_light", 4, 40.0)])])
    assert failures(table, BARS_OF_BOTH) == ["red_light by day: precision 0.667, the bar is 0.95"]
    assert table[0].look_alikes == {"legal.waits_past_line": 1}


def test_no_event_at_all_misses_every_bar() -> None:
    assert failures(rows([judged([])]), BARS_OF_BOTH) == [
        "red_light by day: precision nothing was found, the bar is 0.95",
        "red_light by day: recall 0.000, the bar is 0.95",
        "wrong_way by day: precision nothing was found, the bar is 0.95",
        "wrong_way by day: recall 0.000, the bar is 0.95",
    ]


def test_nothing_to_be_found_is_no_success() -> None:
    empty = Judged(TAKE, [match(truth([], []), [])], Counter(), BOTH, [], (KEPT_UP,))
    assert len(failures(rows([empty]), BARS_OF_BOTH)) == 2


@pytest.mark.parametrize(
    ("camera", "kept_up"),
    [
        (KEPT_UP, True),
        (CameraRun("south", analysed=352, dropped=6, expected=360, latency_s=0.2), False),
        (CameraRun("south", analysed=300, dropped=0, expected=360, latency_s=0.2), False),
    ],
    ids=["all seen", "dropped", "never came"],
)
def test_a_machine_that_cannot_keep_up_measures_nothing(camera: CameraRun, kept_up: bool) -> None:
    assert report([judged(ALL, camera)], {}, {"model": "m", "took_s": 1.0}, bars=True)["kept_up"] is kept_up


def test_everything_missed_or_false_is_listed_to_look_at() -> None:
    result = report(
        [judged([ALL[0], ALL[2], event("red_light", 4, 40.0)])],
        {},
        {"model": "m", "took_s": 1.0},
        bars=True,
    )
    text = json.dumps(result)
    assert json.loads(text)["lanes"]["day"]["off_by_lane"] == pytest.approx(0.1)
    missed, false = result["details"]
    assert (missed["what"], missed["camera"], missed["time_s"], missed["actor"]) == (
        "missed",
        "south",
        30.0,
        2,
    )
    assert (false["what"], false["kind"], false["why"]) == (
        "false",
        "red_light",
        "motorbike 4 did legal.waits_past_line",
    )
    assert result["look_alikes"]["day"]["legal.waits_past_line"] == {"seen": 1, "flagged": 1}
    shown = io.StringIO()
    show(result, Console(file=shown, width=160))
    for part in ("red_light", "actor 2 S.line", "legal.waits_past_line", "bar missed", "S.in1"):
        assert part in shown.getvalue()


def test_counts_of_one_film_do_not_make_up_for_anothers() -> None:
    def counted(*lanes: LaneCount) -> Judged:
        return Judged(TAKE, [], Counter(), BOTH, list(lanes), ())

    one = counted(LaneCount("south", "S.in1", "car", 10, 8), LaneCount("south", "S.in1", "bus", 10, 10))
    other = counted(LaneCount("south", "S.in1", "car", 9, 12), LaneCount("south", "S.in1", "bus", 1, 0))
    day = counted_lanes([one, other])["day"]
    assert (day["true"], day["counted"]) == (30, 30)
    assert day["off_by_lane"] == pytest.approx(4 / 30)
    assert day["off_by_lane_and_class"] == pytest.approx(6 / 30)
    assert day["lanes"] == {"south S.in1": {"true": 30, "counted": 30}}
    assert day["classes"] == {"bus": {"true": 11, "counted": 10}, "car": {"true": 19, "counted": 20}}


def test_without_a_worker_nothing_is_said_of_one() -> None:
    speed = {
        "tracks": 3,
        "unsure": 1,
        "mean_absolute_kmh": 0.5,
        "p95_absolute_kmh": 1.0,
        "within_3_kmh": 1.0,
        "within_uncertainty": 1.0,
        "truly_slower": {"tracks": 2, "mean_absolute_kmh": 8.125},
        "of_no_vehicle": 4,
        "at_borrowed_limits": limit_figures([ToldFaster("south", 16.1, 35.0, 40.2, 3.2, 31.9)]),
    }
    facts = {"model": "m", "took_s": 1.0}
    result = report([judged(ALL)], {}, facts, bars=True, speeds={"day": speed})
    shown = io.StringIO()
    show(result, Console(file=shown, width=160))
    assert "Speeds, day: 3 tracks (1 more, too unsure)" in shown.getvalue()
    assert "2 of vehicles truly slower (mean error 8.12 km/h), 4 of no one vehicle" in " ".join(
        shown.getvalue().split()
    )
    assert "(25/30/35/40/45 km/h), day: 1 told, 1 false (south at 16.1 s told 40.2" in shown.getvalue()
    assert "No worker, no streams" in shown.getvalue()
    assert "pictures analysed" not in shown.getvalue()


def test_counts_and_speeds_have_bars_of_their_own() -> None:
    def missed(counted: int, mean_kmh: float, within_3: float, told: list[ToldFaster]) -> list[str]:
        counts = {"day": {"true": 100, "counted": counted}}
        speed = {
            "mean_absolute_kmh": mean_kmh,
            "within_3_kmh": within_3,
            "at_borrowed_limits": limit_figures(told),
        }
        return other_failures(counts, {"day": speed})

    right, wrong = (ToldFaster("south", 16.1, 35.0, 40.2, 3.2, true_kmh) for true_kmh in (39.0, 31.9))
    assert missed(98, 1.0, 0.95, [*[right] * 19, wrong]) == []
    assert missed(103, 1.2, 0.9, [right, wrong]) == [
        "vehicles counted by day: +3.0%, the bar is 2%",
        "speeds by day: mean error 1.20 km/h, the bar is 1",
        "speeds by day: 90.0% within 3 km/h, the bar is 95%",
        "speeding at borrowed limits by day: 1 of 2 false, the bar is a precision of 0.95",
    ]
    assert len(missed(98, 1.0, 0.95, [])) == 1


def test_whatever_is_done_in_the_town_has_a_bar_in_its_light() -> None:
    asked = {
        (take.light, kind)
        for take in plan.full()
        if take.scenario.plan == "town"
        for kind in take.scenario.acts
        if not kind.value.startswith("legal.")
    }
    assert asked == set(plan.BARS)

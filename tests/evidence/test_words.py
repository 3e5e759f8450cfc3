"""Everything that a plate's reading may say has words, and what a rule measured is told in an officer's."""

from __future__ import annotations

from typing import get_args

from pipeline.evidence.words import PLATE_CAUSES, PLATE_OUTCOMES, measured
from pipeline.types import PlateCause, PlateOutcome

FACTS = {
    "lane": "W.in2" * 50,
    "speed_kmh": 71.54,
    "uncertainty_kmh": 2.0,
    "turned_deg": 92.0,
    "riders": 3,
    "stood_s": True,
    "alone_s": 0.0,
    "zone": "",
    "head_px": 4.8,
}


def test_each_outcome_and_cause_of_a_plate_has_words() -> None:
    assert set(PLATE_OUTCOMES) == set(get_args(PlateOutcome))
    assert set(PLATE_CAUSES) == set(get_args(PlateCause))


def test_numbers_have_units_and_a_comma_and_strangers_texts_an_end() -> None:
    told = {key: value for key, _, value in measured(FACTS)}
    lane = ("W.in2" * 50)[:60]
    assert told == {"speed_kmh": "71,5 ± 2,0 km/h", "lane": lane, "turned_deg": "92,0°", "riders": "3"}


def test_english_has_points() -> None:
    [(_, names, value), *_] = measured(FACTS, ".")
    assert (names, value) == (("Tốc độ", "speed"), "71.5 ± 2.0 km/h")


def test_what_no_rule_tells_is_left_out() -> None:
    odd = {"riders": 10**400, "speed_kmh": float("nan"), "limit_kmh": 1e300, "turn": ["left"], "line": None}
    assert not list(measured(odd))
    assert [value for _, _, value in measured({"speed_kmh": 50.0, "uncertainty_kmh": 10**400})] == [
        "50,0 km/h"
    ]

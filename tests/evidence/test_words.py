"""What a rule measured, in an officer's words."""

from __future__ import annotations

from pipeline.evidence.words import measured

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


def test_numbers_have_units_and_a_comma_and_strangers_texts_an_end() -> None:
    told = {key: value for key, _, value in measured(FACTS)}
    lane = ("W.in2" * 50)[:60]
    assert told == {"speed_kmh": "71,5 ± 2,0 km/h", "lane": lane, "turned_deg": "92,0°", "riders": "3"}


def test_english_has_points() -> None:
    [(_, names, value), *_] = measured(FACTS, ".")
    assert (names, value) == (("Tốc độ", "speed"), "71.5 ± 2.0 km/h")

"""Plates of those reported: right, wrong and unread ones are told apart, by the size that could be seen."""

from __future__ import annotations

from dataclasses import replace

from scripts.accuracy.match import match
from scripts.accuracy.plates import PlateRead, plate_figures, plate_reads
from tests.accuracy.city import act, event, sighting, truth

BOX = [0, 0, 1, 1]


def test_a_reading_is_held_against_its_own_actor_and_the_size_seen_around_the_act() -> None:
    frames = tuple(
        {
            "time_s": time_s,
            "actors": [
                {"id": 1, "plate": {"text": "70A112345", "box": box, "char_px": char_px}},
                {"id": 2, "plate": {"text": "70B198765", "box": BOX, "char_px": 30.0}},
                {"id": 3, "plate": None},
            ],
        }
        for time_s, box, char_px in [
            (10.0, [0, 0, 1, 1], 15.0),
            (10.5, None, 0.0),
            (40.0, [0, 0, 1, 1], 25.0),
        ]
    )
    seen = truth(
        [sighting(1), sighting(2), sighting(3)], [act("red_light", who, 10.0 * who) for who in (1, 2, 3)]
    )
    seen = replace(seen, frames=frames)
    events = [
        replace(event("red_light", 1, 10.0), plate=("70A112345", True)),
        replace(event("red_light", 2, 20.0), plate=("70A112345", True), whole=False),
        replace(event("red_light", 3, 30.0), plate=("", False)),
    ]
    assert plate_reads(seen, match(seen, events)) == [
        PlateRead("70A112345", 15.0, "70A112345", legible=True, whole=True),
        PlateRead("70B198765", 0.0, "70A112345", legible=True, whole=False),
    ]


def test_figures_by_band() -> None:
    reads = [
        PlateRead("A", 25.0, "A", legible=True, whole=True),
        PlateRead("B", 20.0, "C", legible=True, whole=True),
        PlateRead("D", 19.0, "D", legible=False, whole=False),
        PlateRead("E", 3.0, "", legible=False, whole=False),
    ]
    figures = plate_figures(reads)
    assert figures["20 px and up"] == {
        "acts": 2,
        "exact": 1,
        "legible": 2,
        "legible_and_wrong": 1,
        "candidates": 2,
    }
    assert figures["14-20 px"]["exact"] == 1
    assert figures["8-14 px"]["acts"] == 0
    assert figures["all"]["acts"] == 4

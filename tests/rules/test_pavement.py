"""Riding on the pavement, on hand-made trajectories."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.types import RoadUserKind
from tests.rules import metres
from tests.rules.drive import Driver, judge, names, observe

SCENE: dict[str, Any] = {
    "zones": [
        {"id": "east", "polygon": [[0.6, 0.1], [0.8, 0.1], [0.8, 0.95], [0.6, 0.95]], "purpose": "pavement"}
    ],
    "rules": {"pavement": None},
}
RIDE = [(0.0, 0.7, 0.9), (5.0, 0.7, 0.2)]


@pytest.mark.parametrize("rate_hz", [5.0, 10.0])
def test_riding_along_the_pavement_is_one_hit(rate_hz: float) -> None:
    (hit,) = judge(SCENE, observe([Driver(RIDE, jitter=0.05)], rate_hz=rate_hz))
    assert (hit.rule, hit.facts["zone"]) == ("pavement", "east")
    assert hit.facts["speed_box_heights_s"] == pytest.approx(1.4, abs=0.15)
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver([(0.0, 0.5, 0.9), (5.0, 0.5, 0.2)]), id="on the road"),
        pytest.param(Driver([(0.0, 0.7, 0.5), (12.0, 0.7, 0.5)], jitter=0.1), id="parked"),
        pytest.param(Driver([(0.0, 0.7, 0.9), (11.0, 0.7, 0.25)]), id="pushed"),
        pytest.param(Driver(RIDE, RoadUserKind.PERSON), id="walking"),
        pytest.param(Driver([(0.0, 0.7, 0.9), (6.0, 0.7, 0.2)]), id="walking briskly, taken for a rider"),
        pytest.param(Driver([(0.0, 0.5, 0.5), (3.0, 0.9, 0.5)]), id="straight across, into a gate"),
        pytest.param(Driver([(0.0, 0.6, 0.9), (5.0, 0.6, 0.2)], jitter=0.1), id="along the kerb"),
        pytest.param(
            Driver([(0.0, 0.5, 0.8), (2.0, 0.62, 0.62), (3.0, 0.65, 0.58), (12.0, 0.65, 0.58)]),
            id="up the kerb, to park",
        ),
        pytest.param(
            Driver([(0.0, 0.7, 0.7), (12.0, 0.7, 0.7)], cut=lambda t: 0.6 if 3 < t < 6 else 0.0),
            id="parked, half hidden by a bus for a while",
        ),
    ],
)
def test_look_alikes_are_nothing(driver: Driver) -> None:
    assert judge(SCENE, observe([driver])) == []


def test_already_there_when_first_seen() -> None:
    (hit,) = judge(SCENE, observe([Driver(RIDE)]))
    assert hit.facts["seen_entering"] is False


def test_lost_and_found_again_is_one_hit() -> None:
    assert names(judge(SCENE, observe([Driver(RIDE, unseen=((1.2, 2.5),))]))) == ["pavement"]


def test_a_walkers_track_taken_over_by_a_motorbike_elsewhere_makes_no_way() -> None:
    way = [(0.0, 0.7, 0.9), (3.0, 0.7, 0.8), (3.01, 0.7, 0.5), (4.2, 0.7, 0.4)]
    assert judge(SCENE, observe([Driver(way)])) == []


def test_far_away_a_row_of_parked_ones_under_one_identity_is_nothing() -> None:
    """Seven metres in three seconds on the ground, and half a box in the picture."""
    scene = {
        "zones": [{"id": "east", "purpose": "pavement", "polygon": metres.lane("east", -2, 2)["polygon"]}],
        "calibration": metres.CALIBRATION,
        "rules": {"pavement": None},
    }

    def reported(start_m: float, end_m: float) -> list[str]:
        def way(time_s: float) -> float:
            return start_m + (end_m - start_m) * min(max((time_s - 1) / 3, 0), 1)

        rider = metres.Vehicle(way, kind=RoadUserKind.MOTORBIKE, size_m=(1.9, 0.7, 1.5))
        return names(judge(scene, metres.observe([rider])))

    assert reported(43, 50) == []
    assert reported(13, 20) == ["pavement"]
    assert reported(30, 50) == ["pavement"], "one that is ridden there"


def test_a_zone_may_be_in_force_at_some_hours_only() -> None:
    closed = {**SCENE, "zones": [{**SCENE["zones"][0], "hours": [{"start": "00:00", "end": "00:01"}]}]}
    assert judge(closed, observe([Driver(RIDE)])) == []

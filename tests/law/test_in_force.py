"""Which entries an act falls under: by vehicle, local date, and what was seen; the rest is told honestly."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.law import Catalogue, Details, InForce
from pipeline.law.load import SHIPPED, load_law
from pipeline.types import RoadUserKind

CAR, MOTORBIKE = RoadUserKind.CAR, RoadUserKind.MOTORBIKE
CATALOGUE = load_law()
BEFORE, SINCE = "2026-08-14T12:00:00+07:00", "2026-08-15T12:00:00+07:00"
"""The amendment, whose figures nobody has seen, is in force since 2026-08-15."""


def law(
    act: str,
    vehicle: RoadUserKind | None,
    details: Details | None = None,
    at: str = BEFORE,
    catalogue: Catalogue = CATALOGUE,
) -> InForce:
    return catalogue.in_force(act, vehicle, datetime.fromisoformat(at).timestamp(), details)


def points(found: InForce) -> list[str]:
    return [f"{entry.article}.{entry.clause}.{entry.point}" for entry in found.entries]


def test_red_light_by_vehicle() -> None:
    found = law("red_light", CAR)
    [entry] = found.entries
    assert (entry.fine_vnd, entry.licence_points) == ((18_000_000, 20_000_000), 4)
    assert entry.citation == "điểm b khoản 9 Điều 6 Nghị định 168/2024/NĐ-CP"
    assert (found.reason, found.verified) == ("", False)
    assert points(law("red_light", MOTORBIKE)) == ["7.7.c"]


def test_of_a_bicycle_nothing_is_claimed() -> None:
    found = law("red_light", RoadUserKind.BICYCLE)
    assert (found.entries, found.verified) == ((), False)
    assert found.reason == "the catalogue has no entry for red_light by a bicycle"


def test_an_unknown_vehicle_gets_all_that_may_apply() -> None:
    found = law("red_light", None)
    assert points(found) == ["6.9.b", "7.7.c"]
    assert found.reason.startswith("2 entries may apply")


@pytest.mark.parametrize(
    ("over_kmh", "expected"),
    [(3, "6.3.a"), (10, "6.5.đ"), (20, "6.5.đ"), (20.1, "6.6.a"), (35, "6.6.a"), (35.5, "6.7.a")],
)  # fmt: skip
def test_speed_decides_by_how_much_it_was_over(over_kmh: float, expected: str) -> None:
    assert points(law("speeding", CAR, Details(over_kmh=(over_kmh, over_kmh)))) == [expected]


def test_a_speed_that_may_lie_in_two_bands_gets_both() -> None:
    assert points(law("speeding", CAR, Details(over_kmh=(19.2, 21.0)))) == ["6.5.đ", "6.6.a"]
    assert points(law("speeding", MOTORBIKE, Details(over_kmh=(21.0, 60.0)))) == ["7.8.a"]
    assert len(law("speeding", CAR).entries) == 4, "how fast it was nobody knows"


def test_riders_and_motorway_decide() -> None:
    assert points(law("too_many_riders", MOTORBIKE, Details(passengers=2))) == ["7.2.g"]
    assert points(law("too_many_riders", MOTORBIKE, Details(passengers=4))) == ["7.3.b"]
    assert points(law("wrong_way", CAR, Details(motorway=False))) == ["6.9.d"]
    assert points(law("wrong_way", CAR, Details(motorway=True))) == ["6.11.đ"]
    assert points(law("wrong_way", CAR)) == ["6.9.d", "6.11.đ"]
    none = law("too_many_riders", MOTORBIKE, Details(passengers=1))
    assert (none.entries, none.reason) == ((), "no entry for too_many_riders fits what was seen")


def test_before_the_decree_there_was_none() -> None:
    found = law("red_light", CAR, at="2024-12-31T23:59:59+07:00")
    assert found.entries == ()
    assert found.reason == "the catalogue has no entry for red_light on 2024-12-31"
    assert points(law("red_light", CAR, at="2025-01-01T00:00:00+07:00")) == ["6.9.b"]


def test_the_day_is_that_of_the_place() -> None:
    """At 18:00 UTC the next day has begun in Việt Nam."""
    found = law("red_light", CAR, at="2024-12-31T18:00:00+00:00")
    assert (found.on, points(found)) == (date(2025, 1, 1), ["6.9.b"])
    assert datetime.fromisoformat(BEFORE).astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).date() == date(2026, 8, 14)


def test_an_amendment_whose_figures_nobody_saw_is_a_warning_and_never_verified(tmp_path: Path) -> None:
    assert law("red_light", CAR).entries[0].amended_by == ()
    [amendment] = law("red_light", CAR, at=SINCE).entries[0].amended_by
    assert (amendment.decree, amendment.figures_seen) == ("238/2026/NĐ-CP", False)
    text = (SHIPPED / "nd-168-2024.yaml").read_text().replace("verified: false}", "verified: true}")
    (tmp_path / "own.yaml").write_text(text)
    confirmed = load_law(tmp_path)
    assert law("red_light", CAR, catalogue=confirmed).verified
    assert not law("red_light", CAR, at=SINCE, catalogue=confirmed).verified
    (tmp_path / "own.yaml").write_text(text.replace("figures: not_seen", "figures: seen"))
    assert law("red_light", CAR, at=SINCE, catalogue=load_law(tmp_path)).verified

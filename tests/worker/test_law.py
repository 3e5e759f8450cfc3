"""What decides between points of the law comes from the rule's facts and from the scene."""

from __future__ import annotations

from dataclasses import replace

from pipeline.law.load import load_law
from pipeline.scene import Scene, SceneSettings
from pipeline.types import RoadUserKind
from pipeline.worker.law import details, law_note, law_of
from tests.events.examples import hit

CITY = Scene(SceneSettings())
MOTORWAY = Scene(
    SceneSettings.model_validate(
        {
            "zones": [
                {
                    "id": "m1",
                    "polygon": [[0.2, 0.5], [0.6, 0.5], [0.6, 0.9], [0.2, 0.9]],
                    "purpose": "motorway",
                }
            ]
        }
    )
)
CATALOGUE = load_law()


def points(rule: str, facts: dict[str, float], kind: RoadUserKind, scene: Scene | None = CITY) -> list[str]:
    law = law_of(replace(hit(), rule=rule, kind=kind, facts=facts), scene, CATALOGUE)
    assert law is not None
    return [f"{entry.article}.{entry.clause}.{entry.point}" for entry in law.entries]


def test_speed_counts_with_its_uncertainty() -> None:
    facts = {"speed_kmh": 71.5, "limit_kmh": 50.0, "uncertainty_kmh": 2.0}
    assert details(replace(hit(), facts=facts), CITY).over_kmh == (19.5, 23.5)
    assert points("speeding", facts, RoadUserKind.CAR) == ["6.5.đ", "6.6.a"]
    assert points("speeding", {**facts, "uncertainty_kmh": 1.0}, RoadUserKind.CAR) == ["6.6.a"]


def test_passengers_are_riders_less_one() -> None:
    assert points("too_many_riders", {"riders": 3}, RoadUserKind.MOTORBIKE) == ["7.2.g"]
    assert points("too_many_riders", {"riders": 4}, RoadUserKind.MOTORBIKE) == ["7.3.b"]
    assert points("too_many_riders", {}, RoadUserKind.MOTORBIKE) == ["7.2.g", "7.3.b"], "nobody counted"


def test_a_place_is_a_motorway_where_the_scene_says_so() -> None:
    assert points("wrong_way", {}, RoadUserKind.CAR, CITY) == ["6.9.d"]
    assert points("wrong_way", {}, RoadUserKind.CAR, MOTORWAY) == ["6.11.đ"]
    assert points("wrong_way", {}, RoadUserKind.CAR, None) == ["6.9.d", "6.11.đ"], "no scene says so or not"


def test_what_is_not_decided_is_told_in_the_officers_language() -> None:
    law = law_of(
        replace(hit(), rule="too_many_riders", kind=RoadUserKind.MOTORBIKE, facts={}), CITY, CATALOGUE
    )
    assert law is not None
    note = law_note(law)
    assert len(note.points) == 2
    assert "chưa đủ căn cứ chọn 1 trong 2 điều khoản" in note.reason
    assert law.reason not in note.reason


def test_of_an_incident_there_is_no_law() -> None:
    assert law_of(replace(hit(), rule="intrusion", concern="security"), CITY, CATALOGUE) is None

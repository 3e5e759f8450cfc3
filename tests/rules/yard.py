"""A square of 0.3..0.7 in the picture that a rule watches, and people around it."""

from __future__ import annotations

from typing import Any

from pipeline.types import RoadUserKind
from tests.rules.drive import Driver

ZONE = [[0.3, 0.4], [0.7, 0.4], [0.7, 0.8], [0.3, 0.8]]


def yard(purpose: str, rule: str, parameters: dict[str, Any] | None = None, **zone: Any) -> dict[str, Any]:
    """The scene, with one zone and one rule."""
    return {
        "zones": [{"id": "square", "polygon": ZONE, "purpose": purpose, **zone}],
        "rules": {rule: parameters},
    }


def person(waypoints: list[tuple[float, float, float]], track_id: int = 1, **more: Any) -> Driver:
    return Driver(waypoints, RoadUserKind.PERSON, track_id, **{"jitter": 0.02, **more})

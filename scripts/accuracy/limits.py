"""Speeding at limits that vehicles are near to: few in the city are within 10 km/h of its own.

The rule judges each camera again, with limits borrowed for all its lanes. What it tells is false where the
vehicle whose boxes it tells was not faster at any moment of the window told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.rules import Moments, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Hit, Observation
from scripts.accuracy.match import OVERLAP, overlap
from scripts.accuracy.truth import Sighting, sightings

LIMITS_KMH = (25.0, 30.0, 35.0, 40.0, 45.0)


@dataclass(frozen=True, slots=True)
class ToldFaster:
    """A vehicle that the rule tells to be faster than a borrowed limit."""

    camera_id: str
    time_s: float
    limit_kmh: float
    told_kmh: float
    uncertainty_kmh: float
    true_kmh: float
    """The most within the window told; 0 where nobody is there."""

    @property
    def right(self) -> bool:
        return self.true_kmh > self.limit_kmh


def told_faster(
    scene: SceneSettings,
    observations: Iterable[Observation],
    truths: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
) -> list[ToldFaster]:
    """By all limits, on one camera; none where it is not calibrated or has no lanes.

    `truths` are those of the observations, in their time; `size` is the main stream's in pixels.
    """
    if scene.calibration is None or not scene.lanes:
        return []
    rules = [rule for limit_kmh in LIMITS_KMH for rule in build_rules(Scene(_limited(scene, limit_kmh)))]
    seen = sightings(truths, size)
    return [
        _held_against(hit, seen, truths)
        for moment in Moments(Scene(scene)).all_of(observations)
        for rule in rules
        for hit in rule.observe(moment)
    ]


def limit_figures(told: Sequence[ToldFaster]) -> dict[str, Any]:
    """How many were told, and which of them wrongly."""
    return {
        "limits_kmh": LIMITS_KMH,
        "told": len(told),
        "false": [
            {
                "camera": one.camera_id,
                "time_s": round(one.time_s, 2),
                "limit_kmh": one.limit_kmh,
                "told_kmh": one.told_kmh,
                "uncertainty_kmh": one.uncertainty_kmh,
                "true_kmh": round(one.true_kmh, 1),
            }
            for one in told
            if not one.right
        ],
    }


def _limited(scene: SceneSettings, limit_kmh: float) -> SceneSettings:
    lanes = tuple(lane.model_copy(update={"limit_kmh": limit_kmh}) for lane in scene.lanes)
    return scene.model_copy(update={"lanes": lanes, "zones": (), "rules": {"speeding": {}}})


def _held_against(hit: Hit, seen: Mapping[int, Sighting], truths: Sequence[Mapping[str, Any]]) -> ToldFaster:
    shares = overlap(seen, [(point.time_s, point.box) for point in (hit.before, hit.at, hit.after)])
    actor_id = max(shares, key=lambda one: shares[one], default=None)
    true_kmh = 0.0
    if actor_id is not None and shares[actor_id] >= OVERLAP:
        true_kmh = max(
            (
                actor["speed_kmh"]
                for truth in truths
                if hit.before.time_s <= truth["time_s"] <= hit.after.time_s
                for actor in truth["actors"]
                if actor["id"] == actor_id
            ),
            default=0.0,
        )
    facts = hit.facts
    return ToldFaster(
        hit.camera_id,
        hit.at.time_s,
        facts["limit_kmh"],
        facts["speed_kmh"],
        facts["uncertainty_kmh"],
        true_kmh,
    )

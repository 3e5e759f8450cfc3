"""Driving in a lane that is for others.

See docs/rules/wrong_lane.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.stay import Stay, StayParameters, StayRule
from pipeline.rules.step import Step, Track
from pipeline.scene import Lane, SceneSettings, Zone
from pipeline.types import VEHICLES

MOVING_HEIGHTS_S = 0.3
"""Slower (in box heights a second, some 0.5 m/s) is standing."""


class WrongLaneParameters(StayParameters):
    """Vehicles in a lane whose `classes` do not name theirs."""

    min_s: Annotated[float, Field(gt=0, le=3600)] = 2.0
    """It must have driven along it for this long ..."""
    min_heights: Annotated[float, Field(ge=0, le=50)] = 4.0
    """... and this far, in box heights (1.5 m each where the scene is calibrated)."""
    max_angle_deg: Annotated[float, Field(ge=5, le=85)] = 40.0
    """Between its motion and the lane's direction; more is crossing the lane, not driving in it."""


class WrongLane(StayRule):
    """Judges vehicles that drive along a lane of other classes."""

    name: ClassVar[str] = "wrong_lane"
    parameters: ClassVar[type[base.Parameters]] = WrongLaneParameters

    _limits: WrongLaneParameters

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        if any(lane.classes for lane in scene.lanes):
            return None
        return "a lane (lanes) that only some `classes` may use"

    def places(self, moment: Moment) -> Iterable[Lane]:
        """See StayRule."""
        return (lane for lane in self._scene.lanes(moment.aspect) if lane.settings.classes)

    def binds(self, place: Lane | Zone, track: Track) -> bool:
        """See StayRule."""
        return track.kind in VEHICLES and track.kind not in place.settings.classes

    def counts(self, place: Lane | Zone, step: Step) -> bool:
        """See StayRule: it goes along the lane."""
        assert isinstance(place, Lane)
        if step.pace < MOVING_HEIGHTS_S:
            return False
        return place.angle_deg(step.centre, step.velocity) <= self._limits.max_angle_deg

    def is_act(self, place: Lane | Zone, stay: Stay) -> bool:
        """See StayRule: it has gone along the lane as a whole, not only moment by moment."""
        assert isinstance(place, Lane)
        return place.angle_deg(stay.first.centre, stay.way) <= self._limits.max_angle_deg

    def facts(self, place: Lane | Zone, stay: Stay) -> Mapping[str, Any]:
        """See StayRule."""
        assert isinstance(place, Lane)
        return {
            "lane_classes": [kind.value for kind in place.settings.classes],
            "angle_to_lane_deg": round(place.angle_deg(stay.first.centre, stay.way), 1),
            "speed_box_heights_s": round(stay.way_heights / max(stay.duration_s, math.ulp(1)), 2),
        }

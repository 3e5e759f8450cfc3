"""Riding on the pavement.

See docs/rules/pavement.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.lengths import mean_height
from pipeline.rules.moments import Moment
from pipeline.rules.stay import Stay, StayParameters, StayRule
from pipeline.rules.step import Step, Track
from pipeline.scene import Lane, SceneSettings, Zone
from pipeline.types import VEHICLES

PURPOSE = "pavement"
MOVING_HEIGHTS_S = 0.5
"""Slower at a moment (in box heights a second) is standing or being pushed."""
SEEN_HEIGHTS = 0.75
"""Way in the picture, in heights of its box: far away some pixels are metres, and an identity that goes from
one to the next in a row of parked ones moves by a part of a box."""


class PavementParameters(StayParameters):
    """Vehicles that are ridden along a pavement."""

    min_s: Annotated[float, Field(gt=0, le=3600)] = 2.0
    """It must have been ridden there for this long ..."""
    min_heights: Annotated[float, Field(ge=0, le=50)] = 4.0
    """... and this far, in box heights (1.5 m each where the scene is calibrated): farther than across it."""
    min_speed_heights_s: Annotated[float, Field(ge=0, le=20)] = 1.3
    """Mean speed in box heights a second (some 7 km/h); slower is pushing, manoeuvring to park, or
    a walker taken for a rider: far away, in rain, a detector does."""


class Pavement(StayRule):
    """Judges vehicles that make way on a pavement, faster than one walks."""

    name: ClassVar[str] = "pavement"
    parameters: ClassVar[type[base.Parameters]] = PavementParameters

    _limits: PavementParameters

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_zone(scene, PURPOSE)

    def places(self, moment: Moment) -> Iterable[Zone]:
        """See StayRule."""
        return self._scene.zones(moment.aspect, PURPOSE)

    def binds(self, place: Lane | Zone, track: Track) -> bool:
        """See StayRule."""
        return track.kind in (place.settings.classes or VEHICLES)

    def counts(self, place: Lane | Zone, step: Step) -> bool:
        """See StayRule: it moves."""
        return step.pace >= MOVING_HEIGHTS_S

    def is_act(self, place: Lane | Zone, stay: Stay) -> bool:
        """See StayRule: faster than one walks, and seen to move."""
        seen_heights = math.hypot(*stay.way) / mean_height(stay.first, stay.last)
        return (
            seen_heights >= SEEN_HEIGHTS
            and stay.way_heights / stay.duration_s >= self._limits.min_speed_heights_s
        )

    def facts(self, place: Lane | Zone, stay: Stay) -> Mapping[str, Any]:
        """See StayRule."""
        return {"speed_box_heights_s": round(stay.way_heights / stay.duration_s, 2)}

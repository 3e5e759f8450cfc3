"""On foot, by bicycle or by motorbike where only motor cars may be.

See docs/rules/motorway_intruder.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.stay import StayParameters, StayRule
from pipeline.rules.step import Track
from pipeline.scene import Lane, SceneSettings, Zone
from pipeline.types import RoadUserKind

PURPOSE = "motorway"
BANNED = (RoadUserKind.PERSON, RoadUserKind.BICYCLE, RoadUserKind.MOTORBIKE)


class MotorwayIntruderParameters(StayParameters):
    """People, bicycles and motorbikes on a motorway."""

    min_s: Annotated[float, Field(gt=0, le=3600)] = 1.5
    """It must have been there for this long ..."""
    min_heights: Annotated[float, Field(ge=0, le=50)] = 0.0
    """... and have made this much way there, in box heights; 0: standing there is enough."""


class MotorwayIntruder(StayRule):
    """Judges whoever is in a zone with purpose motorway and is not meant to be."""

    name: ClassVar[str] = "motorway_intruder"
    parameters: ClassVar[type[base.Parameters]] = MotorwayIntruderParameters

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_zone(scene, PURPOSE)

    def places(self, moment: Moment) -> Iterable[Zone]:
        """See StayRule."""
        return self._scene.zones(moment.aspect, PURPOSE)

    def binds(self, place: Lane | Zone, track: Track) -> bool:
        """See StayRule: the zone's `classes`, or all that motorways are closed to."""
        return track.kind in (place.settings.classes or BANNED)

"""Driving where one's class is banned at this hour.

See docs/rules/restricted_hours.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.stay import Stay, StayParameters, StayRule
from pipeline.rules.step import Track
from pipeline.scene import Lane, SceneSettings, Zone
from pipeline.types import VEHICLES

PURPOSE = "restricted_hours"


class RestrictedHoursParameters(StayParameters):
    """Vehicles in a zone that is closed to their class in the zone's hours."""


class RestrictedHours(StayRule):
    """Judges vehicles of a zone's `classes` that drive in it while its `hours` are in force."""

    name: ClassVar[str] = "restricted_hours"
    parameters: ClassVar[type[base.Parameters]] = RestrictedHoursParameters
    found_again_s: ClassVar[float] = 8.0
    """See Told: who is hidden at a corner for long drives in the same zone before and after."""

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        if any(zone.purpose == PURPOSE and zone.classes for zone in scene.zones):
            return None
        return f"a zone (zones) with purpose: {PURPOSE} and the `classes` that it is closed to"

    def places(self, moment: Moment) -> Iterable[Zone]:
        """See StayRule."""
        return (zone for zone in self._scene.zones(moment.aspect, PURPOSE) if zone.settings.classes)

    def binds(self, place: Lane | Zone, track: Track) -> bool:
        """See StayRule."""
        return track.kind in VEHICLES and track.kind in place.settings.classes

    def facts(self, place: Lane | Zone, stay: Stay) -> Mapping[str, Any]:
        """See StayRule."""
        assert isinstance(place, Zone)
        zone = self._scene.settings.time_zone
        local = datetime.fromtimestamp(stay.shown[1].time_s, ZoneInfo(zone))
        return {
            "banned_classes": [kind.value for kind in place.settings.classes],
            "local_time": local.isoformat(timespec="seconds"),
            "time_zone": zone,
        }

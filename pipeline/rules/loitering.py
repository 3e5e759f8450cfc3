"""Staying in a zone that people only pass through.

See docs/rules/loitering.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.visits import Visits, picture_geometry
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Hit, RoadUserKind

PURPOSE = "loitering"


class LoiteringParameters(base.Parameters):
    """A person who visits in a zone with purpose `loitering`, during its hours."""

    min_s: Annotated[float, Field(ge=2, le=3600)] = 60.0
    """Time in the zone, standing or moving about."""


class Loitering:
    """Reports each person's visit once, over losses and id switches of the tracker."""

    name: ClassVar[str] = "loitering"
    parameters: ClassVar[type[base.Parameters]] = LoiteringParameters
    classes: ClassVar[frozenset[str]] = frozenset(("person",))
    """Of the detector; see rules.blind."""

    def __init__(self, scene: Scene, parameters: LoiteringParameters) -> None:
        self._parameters = parameters
        self._visits = Visits(scene, PURPOSE, (RoadUserKind.PERSON,))

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_zone(scene, PURPOSE)

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of persons who have been in the zone for long enough.

        Confidence: see report; of the rule's own the share of the visit that is not bridged between two ids.
        """
        for visit, _ in self._visits.observe(moment):
            if not visit.reported and visit.duration_s >= self._parameters.min_s:
                facts = {
                    "zone": visit.zone.id,
                    "stayed_s": round(visit.duration_s, 1),
                    "bridged_s": round(visit.unseen_s, 1),
                    "tracks": list(visit.tracks),
                }
                drawn = picture_geometry(visit.zone)
                hit = report(
                    self.name, moment, visit.track, visit.lately(), (visit.seen_share,), facts, drawn
                )
                if self._parameters.tells(hit):
                    visit.reported = True
                    yield hit

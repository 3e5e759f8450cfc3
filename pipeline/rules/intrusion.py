"""Being in a closed zone, at all or at certain hours.

See docs/rules/intrusion.md for the act, its look-alikes and what the scene must say.
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

PURPOSE = "restricted"

ENTRY_S = 12.0
"""The way in is shown if it is no older: of a longer stay, the pictures of then may be gone."""


class IntrusionParameters(base.Parameters):
    """Anybody in a zone with purpose `restricted`, during its hours."""

    min_s: Annotated[float, Field(ge=0.2, le=60)] = 1.0
    """Shorter is stepping over the edge."""


class Intrusion:
    """Reports each visit in a restricted zone once."""

    name: ClassVar[str] = "intrusion"
    parameters: ClassVar[type[base.Parameters]] = IntrusionParameters
    classes: ClassVar[frozenset[str]] = frozenset(("person",))
    """Of the detector; see rules.blind."""

    def __init__(self, scene: Scene, parameters: IntrusionParameters) -> None:
        self._parameters = parameters
        self._visits = Visits(scene, PURPOSE, tuple(RoadUserKind))

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_zone(scene, PURPOSE)

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of those who have been in the zone for long enough; confidence: see report."""
        for visit, step in self._visits.observe(moment):
            if not visit.reported and visit.duration_s >= self._parameters.min_s:
                way_in = (visit.before or visit.first, visit.first, step)
                shown = way_in if step.time_s - way_in[0].time_s <= ENTRY_S else visit.lately()
                facts = {
                    "zone": visit.zone.id,
                    "seen_entering": visit.before is not None,
                    "inside_s": round(visit.duration_s, 2),
                }
                drawn = picture_geometry(visit.zone)
                hit = report(self.name, moment, visit.track, shown, (), facts, drawn)
                if self._parameters.tells(hit):
                    visit.reported = True
                    yield hit

"""Stopping past the line: crosses the stop line on red and stays there without going on.

See docs/rules/stop_line.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.crossing import BEFORE_HEIGHTS, Crossings, Passage
from pipeline.rules.crossing_hit import crossing_hit, red_movements
from pipeline.rules.trajectory import Step, Track
from pipeline.scene import Scene, SceneSettings
from pipeline.types import VEHICLES, Hit, LampColor, Observation


class StopLineParameters(base.Parameters):
    """Vehicles that cross a stop line on red and stay beyond it."""

    grace_s: Annotated[float, Field(ge=0, le=10)] = 0.5
    """The lamp must have been red for this long at the crossing."""
    stand_s: Annotated[float, Field(ge=1, le=60)] = 3.0
    """It must have stood beyond the line for this long while the lamp was red."""


class StopLineRule:
    """Judges vehicles that stand between a stop line and the junction.

    Every movement that starts at the line must be red for as long as it stands: one that may turn under an
    arrow, or at any time, may have been kept from it.
    """

    name: ClassVar[str] = "stop_line"
    parameters: ClassVar[type[base.Parameters]] = StopLineParameters

    def __init__(self, scene: Scene, parameters: StopLineParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._crossings = Crossings(scene)
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_signalled_line(scene)

    def observe(self, observation: Observation) -> Iterator[Hit]:
        """Hits of vehicles that have stood long enough; confidence: see crossing_hit."""
        for track, step, passage in self._crossings.observe(observation):
            yield from self._judge(observation, track, step, passage)

    def finish(self) -> Iterator[Hit]:
        """See base.Rule."""
        for track, step, passage in self._crossings.finish():
            yield from self._judge(self._crossings.latest, track, step, passage)

    def _judge(
        self, observation: Observation, track: Track, step: Step | None, passage: Passage | None
    ) -> Iterator[Hit]:
        if step is None:
            self._reported.discard(track.id)
            return
        if passage is None or passage.entered is not None or passage.stood_since_s is None:
            return
        if track.id in self._reported or track.kind not in VEHICLES:
            return
        clearly_past = passage.line.distance(step.position) >= BEFORE_HEIGHTS * step.height
        if not clearly_past or not passage.is_real(step):
            return
        red = red_movements(passage, self._parameters.grace_s)
        if set(red) != set(passage.line.movements):
            return
        colors = [self._crossings.lamps.color(lamp.lamp_id, step.time_s) for lamp in red.values()]
        if step.time_s - passage.stood_since_s < self._parameters.stand_s or set(colors) != {LampColor.RED}:
            return
        self._reported.add(track.id)
        yield crossing_hit(
            self.name,
            self._scene,
            self._crossings.lamps,
            observation,
            track,
            passage,
            step,
            next(iter(red.values())),
            {},
        )

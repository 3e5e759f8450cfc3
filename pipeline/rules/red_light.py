"""Running a red light: crosses the stop line and goes on into the junction while its movement is red.

See docs/rules/red_light.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.crossing import Crossings, Passage, heading_deg, way_heights
from pipeline.rules.crossing_hit import crossing_hit, red_movements
from pipeline.rules.trajectory import Step, Track
from pipeline.scene import Scene, SceneSettings
from pipeline.types import VEHICLES, Hit, LampColor, Observation, SignalState


class RedLightParameters(base.Parameters):
    """Vehicles that cross a stop line on red and go on into the junction."""

    grace_s: Annotated[float, Field(ge=0, le=10)] = 0.5
    """The lamp must have been red for this long at the crossing."""
    turn_deg: Annotated[float, Field(ge=10, le=90)] = 45.0
    """Where no exit areas are drawn: motion turned this far from the line's direction is a turn."""
    turn_heights: Annotated[float, Field(gt=0, le=20)] = 1.0
    """Where no exit areas are drawn: a turn is not judged before this many box heights of way."""
    straight_heights: Annotated[float, Field(gt=0, le=50)] = 3.0
    """Where no exit areas are drawn: not having turned after this many box heights is going straight."""


class RedLight:
    """Judges every passage of a stop line at which a lamp was red."""

    name: ClassVar[str] = "red_light"
    parameters: ClassVar[type[base.Parameters]] = RedLightParameters

    def __init__(self, scene: Scene, parameters: RedLightParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._crossings = Crossings(scene)
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_signalled_line(scene)

    def observe(self, observation: Observation) -> Iterator[Hit]:
        """Hits whose movement is decided by now; confidence: see crossing_hit."""
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
        if passage is None or passage.entered is None:
            return
        if track.id in self._reported or track.kind not in VEHICLES:
            return
        if not passage.is_real(step):
            return
        red = red_movements(passage, self._parameters.grace_s)
        movement, decided_by = self._movement(passage, step)
        if movement is None:
            if set(red) != set(passage.line.movements):
                return
            decided_by = "every movement was red"
        elif movement not in red:
            return
        lamp = next(iter(red.values())) if movement is None else red[movement]
        if passage.stood_s > 0 and not self._red_at(passage.entered, lamp):
            # Crossed on red, stood, and went on when the lamp had changed: that is stop_line.
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
            lamp,
            {"movement": movement, "movement_decided_by": decided_by},
        )

    def _movement(self, passage: Passage, step: Step) -> tuple[str | None, str]:
        """Which way it went, and how that is known; None while it is open."""
        line, parameters = passage.line, self._parameters
        if line.has_exits:
            return line.exit_of(step.position), "exit area"
        way, heading = way_heights(passage, step), heading_deg(passage, step)
        turned: str | None = None
        if way >= parameters.turn_heights and abs(heading) >= parameters.turn_deg:
            turned = "right" if heading > 0 else "left"
        elif way >= parameters.straight_heights:
            turned = "straight"
        return turned if turned in line.movements else None, "turn angle"

    def _red_at(self, step: Step, lamp: SignalState) -> bool:
        return self._crossings.lamps.color(lamp.lamp_id, step.time_s) is LampColor.RED

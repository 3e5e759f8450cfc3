"""Running a red light: crosses the stop line and goes on into the junction while its movement is red.

See docs/rules/red_light.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.crossing import STANDING_HEIGHTS_S, Passage, heading_deg, way_heights
from pipeline.rules.crossing_hit import red_movements
from pipeline.rules.crossing_rule import CrossingRule, Decision
from pipeline.rules.lamps import LampHistory
from pipeline.rules.step import Step
from pipeline.scene import Scene
from pipeline.types import LampColor


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


class RedLight(CrossingRule):
    """Judges every passage of a stop line at which a lamp was red."""

    name: ClassVar[str] = "red_light"
    parameters: ClassVar[type[base.Parameters]] = RedLightParameters

    def __init__(self, scene: Scene, parameters: RedLightParameters) -> None:
        super().__init__(scene)
        self._parameters = parameters

    def decide(self, passage: Passage, step: Step, lamps: LampHistory) -> Decision | None:
        """See CrossingRule: it went on into the junction, and its movement was red."""
        if passage.entered is None:
            return None
        red = red_movements(passage, self._parameters.grace_s)
        movement, decided_by = self._movement(passage, step)
        if movement is None:
            if set(red) != set(passage.line.movements):
                return None
            decided_by = "every movement was red"
        elif movement not in red:
            return None
        lamp = next(iter(red.values())) if movement is None else red[movement]
        if passage.stood_s > 0 and lamps.color(lamp.lamp_id, passage.entered.time_s) is not LampColor.RED:
            # Crossed on red, stood, and went on when the lamp had changed: that is stop_line.
            return None
        return lamp, {"movement": movement, "movement_decided_by": decided_by}

    def _movement(self, passage: Passage, step: Step) -> tuple[str | None, str]:
        """Which way it went, and how that is known; None while it is open."""
        line, parameters = passage.line, self._parameters
        if line.has_exits:
            return line.exit_of(step.centre) or line.exit_of(step.position), "exit area"
        if step.speed < STANDING_HEIGHTS_S:
            return None, ""  # who waits in the junction has no direction: its box jitters in all of them
        way, heading = way_heights(passage, step), heading_deg(passage, step)
        turned: str | None = None
        if way >= parameters.turn_heights and abs(heading) >= parameters.turn_deg:
            turned = "right" if heading > 0 else "left"
        elif way >= parameters.straight_heights:
            turned = "straight"
        return turned if turned in line.movements else None, "turn angle"

"""Stopping past the line: crosses the stop line on red and stays there without going on.

See docs/rules/stop_line.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.crossing import BEFORE_HEIGHTS, Passage
from pipeline.rules.crossing_hit import red_movements
from pipeline.rules.crossing_rule import CrossingRule, Decision
from pipeline.rules.lamps import LampHistory
from pipeline.rules.lengths import beyond_heights
from pipeline.rules.step import Step
from pipeline.scene import Scene, SceneSettings
from pipeline.types import LampColor


class StopLineParameters(base.Parameters):
    """Vehicles that cross a stop line on red and stay beyond it."""

    grace_s: Annotated[float, Field(ge=0, le=10)] = 0.5
    """The lamp must have been red for this long at the crossing."""
    stand_s: Annotated[float, Field(ge=1, le=60)] = 3.0
    """It must have stood beyond the line for this long while the lamp was red."""


def untold_lines(scene: SceneSettings) -> list[str]:
    """Ids of the lines at which nobody is reported, whatever lamps show: a movement is free there."""
    return [line.id for line in scene.stop_lines if any(m.free for m in line.movements.present().values())]


class StopLineRule(CrossingRule):
    """Judges vehicles that stand between a stop line and the junction.

    Every movement that starts at the line must be red for as long as it stands: one that may turn under an
    arrow, or at any time, may have been kept from it.
    """

    name: ClassVar[str] = "stop_line"
    parameters: ClassVar[type[base.Parameters]] = StopLineParameters

    def __init__(self, scene: Scene, parameters: StopLineParameters) -> None:
        super().__init__(scene)
        self._parameters = parameters

    @classmethod
    def limits(cls, scene: SceneSettings) -> str:
        """What an operator may expect and it cannot do; `ngatu check` says so."""
        lines = ", ".join(untold_lines(scene))
        if not lines:
            return ""
        return f"is never told at {lines}: a movement there is free, and who stands may be waiting for that"

    def decide(self, passage: Passage, step: Step, lamps: LampHistory) -> Decision | None:
        """See CrossingRule: it has stood beyond the line for long enough, all of it on red."""
        if passage.entered is not None or passage.stood_since_s is None or passage.released:
            return None
        if beyond_heights(passage.line, step) < BEFORE_HEIGHTS:
            return None
        red = red_movements(passage, self._parameters.grace_s)
        if set(red) != set(passage.line.movements):
            return None
        colors = {lamps.color(lamp.lamp_id, step.time_s) for lamp in red.values()}
        if step.time_s - passage.stood_since_s < self._parameters.stand_s or colors != {LampColor.RED}:
            return None
        return next(iter(red.values())), {}

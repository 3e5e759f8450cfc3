"""What a rule is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from pipeline.rules.moments import Moment
from pipeline.scene import SceneSettings
from pipeline.types import Hit


class Parameters(BaseModel):
    """What an operator can set of a rule, in the scene file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    shadow: bool = False
    """On trial: its hits are recorded with their evidence and counted, but not published."""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Acts of which the rule is less sure are not told: little was seen, or seen weakly."""

    def tells(self, hit: Hit) -> bool:
        """Whether the rule is sure enough; of what lasts it may become so later."""
        return hit.confidence >= self.min_confidence


class Rule(Protocol):
    """One act. Pure: no clock, no I/O; time and everything else is in the moments."""

    name: ClassVar[str]
    parameters: ClassVar[type[Parameters]]

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """What the scene would need drawn for this rule to judge anything; None where all is there."""
        ...

    def observe(self, moment: Moment) -> Iterable[Hit]:
        """Take up the next moment of this camera; the acts that are proven by now.

        Moments come in order of capture time. A track is reported once.
        """
        ...


def lacks_signalled_line(scene: SceneSettings) -> str | None:
    """What is missing for rules that judge crossings of a stop line by its lamps."""
    governed = any(
        movement.lamp is not None
        for line in scene.stop_lines
        for movement in line.movements.present().values()
    )
    return None if governed else "a stop line (stop_lines) with a movement that a lamp governs"


def lacks_zone(scene: SceneSettings, purpose: str) -> str | None:
    """What is missing for a rule that judges by zones of a purpose."""
    drawn = any(zone.purpose == purpose for zone in scene.zones)
    return None if drawn else f"a zone (zones) with purpose: {purpose}"

"""Turning round where that is forbidden.

See docs/rules/u_turn.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.turn import TurnParameters, TurnRule


class UTurnParameters(TurnParameters):
    """Vehicles that turn round where that is forbidden."""

    min_turn_deg: Annotated[float, Field(ge=10, le=175)] = 110.0
    """Its motion must have turned by as much on the way; on the ground where the scene is calibrated."""


class UTurn(TurnRule):
    """Judges the scene's `turns` with act u_turn."""

    name: ClassVar[str] = "u_turn"
    parameters: ClassVar[type[base.Parameters]] = UTurnParameters

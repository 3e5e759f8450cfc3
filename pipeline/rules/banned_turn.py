"""Turning where a sign or marking forbids it.

See docs/rules/banned_turn.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

from typing import ClassVar

from pipeline.rules import base
from pipeline.rules.turn import TurnParameters, TurnRule


class BannedTurnParameters(TurnParameters):
    """Vehicles that turn from an entry to an exit where that is forbidden."""


class BannedTurn(TurnRule):
    """Judges the scene's `turns` with act banned_turn."""

    name: ClassVar[str] = "banned_turn"
    parameters: ClassVar[type[base.Parameters]] = BannedTurnParameters

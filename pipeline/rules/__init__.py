"""What is forbidden: one file per act. A rule sees moments only and returns hits.

Moments(scene) makes them of observations, once per camera: smoothed trajectories, lamps over time. All rules
of a camera, and its counts, get the same.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from pipeline.rules.base import Rule
from pipeline.rules.flow import Flow
from pipeline.rules.moments import Moment, Moments
from pipeline.rules.red_light import RedLight
from pipeline.rules.speeding import Speeding
from pipeline.rules.stop_line import StopLineRule
from pipeline.rules.wrong_way import WrongWay
from pipeline.scene import Scene

RULES: dict[str, Any] = {
    RedLight.name: RedLight,
    StopLineRule.name: StopLineRule,
    WrongWay.name: WrongWay,
    Speeding.name: Speeding,
}
"""Name to class, of every rule there is."""


class RuleError(Exception):
    """A scene switches on a rule that does not exist, or that it cannot serve."""


def build_rules(scene: Scene) -> list[Rule]:
    """The rules that a scene switches on, with its parameters. Raises RuleError naming the rule."""
    rules: list[Rule] = []
    for name, parameters in scene.settings.rules.items():
        if name not in RULES:
            raise RuleError(f"there is no rule {name!r}; known: {', '.join(RULES)}")
        kind = RULES[name]
        if (lacking := kind.lacks(scene.settings)) is not None:
            raise RuleError(f"rule {name} is on, but the scene lacks {lacking}")
        try:
            rules.append(kind(scene, kind.parameters.model_validate(parameters)))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise RuleError(f"rule {name}: {place}: {first['msg']}") from error
    return rules


__all__ = ["RULES", "Flow", "Moment", "Moments", "Rule", "RuleError", "build_rules"]

"""What is forbidden: one file per act. A rule sees moments only and returns hits.

Moments(scene) makes them of observations, once per camera: smoothed trajectories, lamps over time. All rules
of a camera, and its counts, get the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from pipeline.rules.abandoned_object import AbandonedObject
from pipeline.rules.banned_turn import BannedTurn
from pipeline.rules.base import Parameters, Rule
from pipeline.rules.crowd import Crowd
from pipeline.rules.flow import Flow
from pipeline.rules.illegal_stop import IllegalStop
from pipeline.rules.intrusion import Intrusion
from pipeline.rules.loitering import Loitering
from pipeline.rules.moments import Moment, Moments
from pipeline.rules.motorway_intruder import MotorwayIntruder
from pipeline.rules.no_helmet import NoHelmet
from pipeline.rules.pavement import Pavement
from pipeline.rules.red_light import RedLight
from pipeline.rules.restricted_hours import RestrictedHours
from pipeline.rules.riders import RiderRule
from pipeline.rules.solid_line import SolidLineRule
from pipeline.rules.speeding import Speeding
from pipeline.rules.stalled import Stalled
from pipeline.rules.stop_line import StopLineRule
from pipeline.rules.told import Told
from pipeline.rules.too_many_riders import TooManyRiders
from pipeline.rules.traffic import Traffic
from pipeline.rules.u_turn import UTurn
from pipeline.rules.wrong_lane import WrongLane
from pipeline.rules.wrong_way import WrongWay
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Concern, Hit

RULES: dict[str, Any] = {
    RedLight.name: RedLight,
    StopLineRule.name: StopLineRule,
    WrongWay.name: WrongWay,
    WrongLane.name: WrongLane,
    SolidLineRule.name: SolidLineRule,
    BannedTurn.name: BannedTurn,
    UTurn.name: UTurn,
    IllegalStop.name: IllegalStop,
    RestrictedHours.name: RestrictedHours,
    Pavement.name: Pavement,
    MotorwayIntruder.name: MotorwayIntruder,
    Speeding.name: Speeding,
    NoHelmet.name: NoHelmet,
    TooManyRiders.name: TooManyRiders,
    Stalled.name: Stalled,
    Intrusion.name: Intrusion,
    Loitering.name: Loitering,
    Crowd.name: Crowd,
    AbandonedObject.name: AbandonedObject,
}
"""Name to class, of every rule there is."""


SECURITY = frozenset((Intrusion.name, Loitering.name, Crowd.name, AbandonedObject.name, Stalled.name))
"""Rules whose hits are incidents, nobody's offence; those of the others are violations of traffic law."""


class RuleError(Exception):
    """A scene switches on a rule that does not exist, or that it cannot serve."""


class Marked:
    """A rule whose hits say what they concern, and whether it is on trial; each act once, if it is sure."""

    def __init__(self, rule: Rule, security: bool, parameters: Parameters) -> None:
        self.name = rule.name
        self._rule = rule
        self._concern: Concern = "security" if security else "traffic"
        self._parameters = parameters
        self._told = Told(getattr(rule, "found_again_s", 0.0))

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """See base.Rule."""
        self._told.observe(moment.observation)
        for hit in self._rule.observe(moment):
            if not self._parameters.tells(hit):
                continue
            if self._told.is_again(hit, moment.observation):
                continue
            yield replace(hit, concern=self._concern, shadow=self._parameters.shadow)


def build_rules(scene: Scene) -> list[Marked]:
    """The rules that a scene switches on, with its parameters. Raises RuleError naming the rule."""
    rules: list[Marked] = []
    for name, parameters in scene.settings.rules.items():
        if name not in RULES:
            raise RuleError(f"there is no rule {name!r}; known: {', '.join(RULES)}")
        kind = RULES[name]
        if (lacking := kind.lacks(scene.settings)) is not None:
            raise RuleError(f"rule {name} is on, but the scene lacks {lacking}")
        try:
            valid = kind.parameters.model_validate(parameters)
            rules.append(Marked(kind(scene, valid), name in SECURITY, valid))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise RuleError(f"rule {name}: {place}: {first['msg']}") from error
    return rules


def blind(scene: SceneSettings, classes: Collection[str]) -> dict[str, list[str]]:
    """Rules that are on in vain with a model of these classes: name to the classes that it lacks."""
    missing = {
        name: sorted(RULES[name].classes - set(classes))
        for name in scene.rules
        if hasattr(RULES.get(name), "classes")
    }
    return {name: lacking for name, lacking in missing.items() if lacking}


def judging_heads(rules: Iterable[str]) -> list[str]:
    """Those of the rules that judge by riders' heads."""
    return [name for name in rules if name in RULES and issubclass(RULES[name], RiderRule)]


def asks_for_heads(scene: SceneSettings) -> bool:
    """Whether a rule that is on looks at riders' heads, if only to know that somebody sits there."""
    return bool(judging_heads(scene.rules)) or AbandonedObject.name in scene.rules


__all__ = [
    "RULES",
    "Flow",
    "Marked",
    "Moment",
    "Moments",
    "Rule",
    "RuleError",
    "Traffic",
    "asks_for_heads",
    "blind",
    "build_rules",
    "judging_heads",
]

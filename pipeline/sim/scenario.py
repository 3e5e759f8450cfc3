"""Scenarios: what is asked of the city, and the catalogue of named ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pipeline.sim.acts import possible
from pipeline.sim.errors import SimError
from pipeline.sim.layout import Site
from pipeline.sim.sites import PHASES, PLANS, site
from pipeline.sim.types import ActKind, CameraPose, Conditions

Family = Literal["train", "dev", "heldout"]
FAMILIES: dict[Family, int] = {"train": 0, "dev": 1_000_000, "heldout": 2_000_000}
"""First seed of each family."""
SEEDS = 1_000_000
"""Seeds in a family: no two families share one."""


class ScenarioError(SimError):
    """A scenario that cannot be; the message names it, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A stretch of time in the city. Family and number make the `seed`, see `scenario`."""

    name: str
    family: Family
    seed: int
    duration_s: float
    plan: str
    """Name of the pieces the city is made of, see pipeline.sim.sites.PLANS."""
    cameras: tuple[str, ...]
    places: tuple[str, ...] = ()
    """Arms and roads on which scripted acts happen; empty: all."""
    conditions: Conditions = field(default_factory=Conditions)
    acts: Mapping[ActKind, float] = field(default_factory=dict)
    """Scripted acts a minute. Each kind named happens at least once."""
    vehicles_per_hour: float = 620.0
    """Arrivals at each entry."""
    walkers_per_hour: float = 220.0

    @property
    def trucks_banned(self) -> bool:
        """Whether trucks are out of hours: then only scripted ones come."""
        return self.acts.get(ActKind.RESTRICTED_HOURS, 0) > 0

    def site(self) -> Site:
        """The city's ground, lines, routes and cameras. Raises ScenarioError for what cannot be."""
        if self.plan not in PLANS:
            raise ScenarioError(f"scenario {self.name!r}: no plan {self.plan!r}; known: {', '.join(PLANS)}")
        built = site(self.plan, self.seed)
        known = {camera.id for camera in built.cameras}
        for camera in self.cameras:
            if camera not in known:
                raise ScenarioError(
                    f"scenario {self.name!r}: no camera {camera!r} in plan {self.plan!r}; "
                    f"there are {', '.join(sorted(known))}"
                )
        for kind, rate in self.acts.items():
            if rate > 0 and not possible(kind, built):
                raise ScenarioError(
                    f"scenario {self.name!r}: plan {self.plan!r} has no place for act {kind.value}"
                )
        check_signals(self.name, built)
        return built

    def poses(self) -> tuple[CameraPose, ...]:
        """The cameras chosen, in the order asked."""
        poses = {camera.id: camera for camera in self.site().cameras}
        return tuple(poses[camera] for camera in self.cameras)


def check_signals(name: str, built: Site) -> None:
    """Raises ScenarioError where a stop line is governed by a signal that has no lamp or no programme."""
    lamps = {built.groups.get(head.id) for head in built.layout.heads}
    phased = {group for phase in PHASES for group in phase.groups}
    for line in built.lines:
        for movement, group in line.groups.items():
            if group not in lamps:
                raise ScenarioError(
                    f"scenario {name!r}: signal {group!r} ({movement} at {line.id!r}) has no lamp; add a head"
                )
            if group not in phased:
                raise ScenarioError(
                    f"scenario {name!r}: signal {group!r} at {line.id!r} is in no phase, never green"
                )


K = ActKind
_JUNCTION_ACTS: dict[ActKind, float] = {
    K.RED_LIGHT: 1.5,
    K.STOP_LINE: 0.5,
    K.WRONG_WAY: 1.0,
    K.WRONG_LANE: 0.5,
    K.SOLID_LINE: 0.35,
    K.BANNED_TURN: 0.35,
    K.U_TURN: 0.35,
    K.ILLEGAL_STOP: 0.35,
    K.PAVEMENT: 0.5,
    K.NO_HELMET: 0.5,
    K.TOO_MANY_RIDERS: 0.5,
    K.RIGHT_ON_ARROW: 0.5,
    K.WAITS_PAST_LINE: 0.35,
}
_ROAD_ACTS: dict[ActKind, float] = {
    K.WRONG_WAY: 1.0,
    K.WRONG_LANE: 0.8,
    K.ILLEGAL_STOP: 0.5,
    K.SPEEDING: 0.8,
    K.RESTRICTED_HOURS: 0.4,
    K.PAVEMENT: 0.6,
    K.NO_HELMET: 0.6,
    K.TOO_MANY_RIDERS: 0.5,
    K.OVERTAKES_IN_LANE: 0.5,
    K.SLOW_IN_JAM: 0.2,
}
_YARD_ACTS: dict[ActKind, float] = {
    K.INTRUSION: 0.7,
    K.LOITERING: 0.5,
    K.CROWD: 0.2,
    K.ABANDONED_OBJECT: 0.35,
}
_DEMO_ACTS: dict[ActKind, float] = {
    **_JUNCTION_ACTS,
    **_ROAD_ACTS,
    K.RED_LIGHT: 4.0,
    K.STOP_LINE: 1.0,
    K.WRONG_WAY: 2.5,
    K.WRONG_LANE: 2.0,
    K.SPEEDING: 2.0,
    K.RESTRICTED_HOURS: 1.0,
    K.NO_HELMET: 2.0,
    K.TOO_MANY_RIDERS: 1.0,
}
_DAY = Conditions()
_NIGHT = Conditions(light="night", noise=0.2)
_RAIN = Conditions(rain=0.7, haze=0.35, sun_height=0.8)
_DUSK = Conditions(light="dusk", haze=0.1, sun_height=0.15)


def _junction(name: str, conditions: Conditions) -> Scenario:
    return Scenario(
        name,
        "dev",
        0,
        180.0,
        "junction",
        ("south", "opposite", "corner", "west"),
        ("S", "E", "W"),
        conditions,
        _JUNCTION_ACTS,
    )


def _road(name: str, conditions: Conditions) -> Scenario:
    return Scenario(
        name, "dev", 0, 180.0, "road", ("road-east", "road-west"), (), conditions, _ROAD_ACTS, 700.0, 120.0
    )


CATALOGUE: dict[str, Scenario] = {
    one.name: one
    for one in (
        _junction("junction-day", _DAY),
        _junction("junction-night", _NIGHT),
        _junction("junction-rain", _RAIN),
        _junction("junction-dusk", _DUSK),
        _road("road-day", _DAY),
        _road("road-night", _NIGHT),
        _road("road-rain", _RAIN),
        Scenario(
            "security", "dev", 0, 180.0, "yard", ("yard-gate", "yard-wall"), (), _DAY, _YARD_ACTS, 0.0, 500.0
        ),
        Scenario(
            "demo",
            "dev",
            0,
            120.0,
            "town",
            ("south", "south-line", "road-east", "road-lanes"),
            ("S", "road"),
            _DAY,
            _DEMO_ACTS,
            620.0,
            300.0,
        ),
    )
}


def scenario(name: str, family: Family = "dev", seed: int = 0, duration_s: float | None = None) -> Scenario:
    """A scenario of the catalogue with the family's `seed`-th city.

    Raises ScenarioError for an unknown name or family, a seed outside 0..SEEDS, or no duration.
    """
    if name not in CATALOGUE:
        raise ScenarioError(f"there is no scenario {name!r}; known: {', '.join(CATALOGUE)}")
    if family not in FAMILIES:
        raise ScenarioError(f"scenario {name!r}: no family {family!r}; known: {', '.join(FAMILIES)}")
    if not 0 <= seed < SEEDS:
        raise ScenarioError(f"scenario {name!r}: seed {seed} is outside 0..{SEEDS - 1}")
    found = CATALOGUE[name]
    length_s = found.duration_s if duration_s is None else duration_s
    if not 1 <= length_s <= 24 * 3600:
        raise ScenarioError(f"scenario {name!r}: duration {length_s:g} s is outside 1..86400")
    return replace(found, family=family, seed=FAMILIES[family] + seed, duration_s=length_s)

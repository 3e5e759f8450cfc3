"""What is measured: which stretches of the held-out city are filmed, and the bars they are held to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pipeline.sim.scenario import CATALOGUE, Scenario, scenario
from pipeline.sim.types import ActKind as K

Light = Literal["day", "night", "rain"]

SIZE = (1280, 720)
"""Of the films, but for cameras with a long lens: theirs are 1920x1080."""
RATE_HZ = 10.0
"""Of the films. The worker looks at six of them a second, as it does by default."""

_ACTS = {
    K.RED_LIGHT: 12.0,
    K.WRONG_WAY: 8.0,
    K.STOP_LINE: 2.0,
    K.WRONG_LANE: 1.5,
    K.SOLID_LINE: 1.0,
    K.BANNED_TURN: 1.0,
    K.U_TURN: 1.0,
    K.ILLEGAL_STOP: 1.0,
    K.SPEEDING: 1.5,
    K.RESTRICTED_HOURS: 0.8,
    K.PAVEMENT: 1.5,
    K.NO_HELMET: 2.0,
    K.TOO_MANY_RIDERS: 1.5,
    K.RIGHT_ON_ARROW: 1.0,
    K.WAITS_PAST_LINE: 1.0,
    K.OVERTAKES_IN_LANE: 0.8,
    K.SLOW_IN_JAM: 0.3,
}
"""A minute: more than in the demo, so that a quarter of an hour holds enough of each."""


@dataclass(frozen=True, slots=True)
class Take:
    """One stretch of the city, filmed by its cameras."""

    light: Light
    scenario: Scenario
    perception: bool = False
    """Whether detector and tracker are measured on it, too."""

    @property
    def name(self) -> str:
        return f"{self.scenario.name}-{self.scenario.seed % 1_000_000}"


OVERVIEW = ("corner", "road-east")
CLOSE = ("south-line", "road-lanes")
"""With a long lens: plates are legible."""


def town(light: Light, seed: int, more: tuple[str, ...] = OVERVIEW, duration_s: float = 150.0) -> Take:
    """Two or three arms of a junction with their own lamps, and a road with lanes for some classes only."""
    town = replace(
        scenario("demo", "heldout", seed, duration_s),
        name=f"town-{light}",
        cameras=("south", "west", *more),
        places=("S", "E", "W", "road"),
        acts=_ACTS,
        conditions=CATALOGUE[f"junction-{light}"].conditions,
    )
    return Take(light, town, perception=seed % 10 == 0)


def full() -> list[Take]:
    """What `make accuracy` measures: twelve minutes by day, two and a half each by night and in rain."""
    return [
        town("day", 0),
        town("day", 1, CLOSE),
        town("day", 2, ("corner", "road-west")),
        town("day", 3, CLOSE),
        town("night", 10),
        town("rain", 20),
        Take("day", scenario("security", "heldout", 30, 120.0)),
    ]


def quick() -> list[Take]:
    """Half a minute of one camera: shows that the ruler works, and nothing more."""
    take = town("day", 0, duration_s=25.0)
    alone = replace(take.scenario, name="town-quick", cameras=("south",), places=("S",))
    return [replace(take, scenario=alone)]


@dataclass(frozen=True, slots=True)
class Bar:
    """The least that is accepted."""

    precision: float
    recall: float


_TRAFFIC = (
    K.RED_LIGHT,
    K.STOP_LINE,
    K.WRONG_WAY,
    K.WRONG_LANE,
    K.SOLID_LINE,
    K.BANNED_TURN,
    K.U_TURN,
    K.ILLEGAL_STOP,
    K.SPEEDING,
    K.RESTRICTED_HOURS,
    K.PAVEMENT,
)
_LIGHTS: tuple[Light, ...] = ("day", "night", "rain")
BARS: dict[tuple[Light, str], Bar] = {
    **{
        (light, kind): Bar(0.95, 0.95) if light == "day" else Bar(0.9, 0.9)
        for light in _LIGHTS
        for kind in _TRAFFIC
    },
    **{(light, kind): Bar(0.95, 0.9) for light in _LIGHTS for kind in (K.NO_HELMET, K.TOO_MANY_RIDERS)},
}
"""By light and kind. A kind that has a bar and of which nothing was to be seen misses it."""

COUNTS_OFF = 0.02
"""Most that vehicles counted may be off, of all of one light."""
SPEED_MEAN_KMH, SPEED_WITHIN_3_KMH = 1.0, 0.95
"""Most mean error of speeds, and least share of them that is right within 3 km/h."""

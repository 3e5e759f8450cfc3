"""Running the city."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.sim.city import City
from pipeline.sim.scenario import scenario
from pipeline.sim.types import Act, Moment


@dataclass(frozen=True)
class Run:
    city: City
    moments: list[Moment]
    acts: tuple[Act, ...]


def run(name: str, seed: int, duration_s: float, rate_hz: float, **changes: object) -> Run:
    city = City(replace(scenario(name, "dev", seed, duration_s), **changes))  # type: ignore[arg-type]
    moments = list(city.moments(rate_hz))
    return Run(city, moments, city.acts)

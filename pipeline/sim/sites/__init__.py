"""The pieces that a city is made of."""

from __future__ import annotations

from pipeline.sim.layout import Site, joined
from pipeline.sim.sites.junction import junction
from pipeline.sim.sites.measures import PHASES
from pipeline.sim.sites.road import road
from pipeline.sim.sites.yard import yard

PLANS = {
    "junction": (junction,),
    "road": (road,),
    "yard": (yard,),
    "town": (junction, road),
}
"""Name to pieces, of every plan a scenario can ask for."""


def site(plan: str, seed: int) -> Site:
    """The named plan. Raises KeyError for one that is not in PLANS."""
    return joined(tuple(piece(seed) for piece in PLANS[plan]))


__all__ = ["PHASES", "PLANS", "site"]

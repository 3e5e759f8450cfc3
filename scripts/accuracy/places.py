"""Under which id a scene file draws the place of an act."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.sim.layout import Site, solid_lines
from pipeline.sim.types import Act, ActKind, Ground

TURNS = (ActKind.BANNED_TURN, ActKind.U_TURN)


class Places:
    """Knows the city's ground plan, and where everybody was."""

    def __init__(self, site: Site, frames: Iterable[Mapping[str, Any]]) -> None:
        """`frames` are a camera's, see pipeline.sim.truth."""
        self._solid = solid_lines(site)
        self._ways: dict[int, list[tuple[float, Ground]]] = {}
        for frame in frames:
            for actor in frame["actors"]:
                x, y = actor["position_m"]
                self._ways.setdefault(actor["id"], []).append((frame["time_s"], (x, y)))

    def of(self, act: Act) -> str | None:
        """None for an act that happens anywhere, such as riding without a helmet."""
        if act.kind in TURNS:
            return f"{act.place}.{act.kind.value}"
        if act.kind is ActKind.SOLID_LINE:
            return self._nearest_solid(act)
        return act.place or None

    def _nearest_solid(self, act: Act) -> str | None:
        way = self._ways.get(act.actor_id)
        if not way:
            return None
        _, where = min(way, key=lambda seen: abs(seen[0] - act.decisive_s))
        nearest = min(range(len(self._solid)), key=lambda k: _distance(where, *self._solid[k]))
        return f"solid.{nearest}"


def _distance(point: Ground, a: Ground, b: Ground) -> float:
    """To a straight piece of line, metres."""
    size = math.dist(a, b) ** 2
    share = ((point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])) / max(size, 1e-9)
    share = min(max(share, 0.0), 1.0)
    return math.dist(point, (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))

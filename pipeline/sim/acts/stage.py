"""What acts are started with."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.sim.layout import Route, Site
from pipeline.sim.signals import Signals
from pipeline.sim.traffic.arrivals import Arrivals
from pipeline.sim.traffic.movers import Mover, Movers
from pipeline.sim.types import ActKind
from pipeline.types import RoadUserKind


@dataclass(frozen=True, slots=True)
class Stage:
    """The running city, as the script may change it."""

    site: Site
    movers: Movers
    arrivals: Arrivals
    signals: Signals
    rng: random.Random
    places: tuple[str, ...]
    """Arms and roads that a camera sees: acts happen there. Empty: everywhere."""

    def routes(self, fits: Callable[[Route], bool]) -> list[Route]:
        """Those that fit: in view, or anywhere where none in view does."""
        fitting = [route for route in self.site.routes if fits(route)]
        in_view = [route for route in fitting if route.id.split(".")[0] in self.places]
        return in_view or fitting

    def active(self, kind: ActKind) -> Iterator[Mover]:
        """Those of an act who are in the city or about to come."""
        return (mover for mover in (*self.movers.who, *self.arrivals.waiting()) if mover.act is kind)

    def approaching(self, *kinds: RoadUserKind) -> Iterator[tuple[int, Mover, Route, float]]:
        """Rows of lawful vehicles before a stop line, in random order, with the way of the front to it."""
        rows = list(range(len(self.movers)))
        self.rng.shuffle(rows)
        for row in rows:
            mover = self.movers.who[row]
            route = mover.route
            if mover.act is not None or mover.kind not in kinds or not isinstance(route, Route):
                continue
            if route.line is None or (self.places and route.entry not in self.places):
                continue
            to_line_m = route.stop_m - float(self.movers.s[row] + self.movers.length[row] / 2)
            if to_line_m > 0:
                yield row, mover, route, to_line_m

    def free(self, row: int, ahead_m: float, left_m: float, right_m: float, behind_m: float = 0.0) -> bool:
        """Whether nobody is in a box around a row: from its front and rear on, and from its middle across."""
        m = self.movers
        dx, dy = m.x - m.x[row], m.y - m.y[row]
        along = dx * m.cos[row] + dy * m.sin[row]
        across = dy * m.cos[row] - dx * m.sin[row]
        reach = (m.length + m.length[row]) / 2
        there = (along < reach + ahead_m) & (along > -reach - behind_m)
        there &= (across < left_m + m.width / 2) & (across > -right_m - m.width / 2)
        if not behind_m:
            there &= along > 0
        there[row] = False
        return not bool(np.any(there))


Start = Callable[[Stage, float], Mover | None]
"""Begins an act at this time; None: not possible now, ask again."""


@dataclass(frozen=True, slots=True)
class Direction:
    """How one kind of act is begun, and whether a site has a place for it."""

    kind: ActKind
    start: Start
    possible: Callable[[Site], bool]
    at_once: bool = False
    """Done by somebody who is there already."""

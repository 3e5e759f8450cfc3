"""When which act is begun, and begun again where it did not come about."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.sim.acts import driving, people
from pipeline.sim.acts.stage import Stage
from pipeline.sim.layout import Site
from pipeline.sim.traffic.movers import Mover
from pipeline.sim.types import ActKind

DIRECTIONS = {direction.kind: direction for direction in (*driving.DIRECTIONS, *people.DIRECTIONS)}
LEAD_S = 12.0
"""Acts are begun from this long before the first picture on, and none in the last LAST_S seconds."""
LAST_S = 25.0
TRY_EVERY = 5
"""Steps between two tries."""


def possible(kind: ActKind, site: Site) -> bool:
    """Whether a site has a place for an act."""
    return DIRECTIONS[kind].possible(site)


class Script:
    """Spreads the acts asked for evenly over the time, with some chance, and begins each when it can be."""

    def __init__(self, stage: Stage, acts: Mapping[ActKind, float], duration_s: float) -> None:
        """`acts` are rates per minute."""
        self._stage = stage
        self._steps = 0
        self.begun: list[tuple[ActKind, Mover]] = []
        """What was begun and not given up: it may still fail, the audit tells."""
        span_s = max(LEAD_S + duration_s - LAST_S, 1.0)
        self._due: list[tuple[float, ActKind]] = []
        for kind in sorted(acts):
            count = max(1, round(acts[kind] * duration_s / 60)) if acts[kind] > 0 else 0
            for k in range(count):
                share = (k + stage.rng.uniform(0.0, 0.7)) / count
                due_s = share * span_s - LEAD_S
                self._due.append((max(due_s, 0.0) if DIRECTIONS[kind].at_once else due_s, kind))

    def step(self, time_s: float) -> None:
        """Begin what is due."""
        self._steps += 1
        if self._steps % TRY_EVERY:
            return
        people.put_down(self._stage)
        given_up = [(kind, mover) for kind, mover in self.begun if mover.act is not kind]
        if given_up:
            self.begun = [pair for pair in self.begun if pair[1].act is pair[0]]
            self._due += [(time_s, kind) for kind, _ in given_up]
        tried: set[ActKind] = set()
        for order in sorted(self._due):
            due_s, kind = order
            if due_s > time_s or kind in tried:
                continue
            tried.add(kind)
            mover = DIRECTIONS[kind].start(self._stage, time_s)
            if mover is not None:
                self.begun.append((kind, mover))
                self._due.remove(order)

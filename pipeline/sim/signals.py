"""Traffic lights: a fixed-time programme, and how LED lamps look to a camera."""

from __future__ import annotations

import math
import random
import zlib
from bisect import bisect_right
from dataclasses import dataclass

from pipeline.sim.types import Lamp, SignalHead
from pipeline.types import LampColor

YELLOW_S = 3.0
ALL_RED_S = 2.5
DARK_SHARE = 0.25
"""Of the frames in which a flickering lamp shows nothing."""
PWM_HZ = 109.3
"""Far from any multiple of a frame rate: dark frames come one by one, as a camera's exposure meets the duty
cycle of the lamp."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Groups that are green together, and for how long."""

    green_s: float
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a signal group shows, since when, and until when."""

    color: LampColor
    since_s: float
    until_s: float


class Signals:
    """A programme of phases; each ends with yellow and a moment in which all that change are red.

    A group that is green in two phases one after the other stays green between them.
    """

    def __init__(
        self, phases: tuple[Phase, ...], heads: tuple[SignalHead, ...], groups: dict[str, str], seed: int
    ) -> None:
        rng = random.Random(seed)  # noqa: S311
        self._heads, self._groups = heads, groups
        self._flickers = {
            head.id: (rng.random(), zlib.crc32(f"{seed} {head.id}".encode()) % 3 == 0) for head in heads
        }
        greens = [phase.green_s + rng.uniform(-2.0, 3.0) for phase in phases]
        self.cycle_s = sum(greens) + len(phases) * (YELLOW_S + ALL_RED_S)
        self._offset_s = rng.uniform(0, self.cycle_s) if phases else 0.0
        self._plans = {
            group: self._plan(group, phases, greens)
            for group in sorted({group for phase in phases for group in phase.groups})
        }

    def _plan(
        self, group: str, phases: tuple[Phase, ...], greens: list[float]
    ) -> list[tuple[float, LampColor]]:
        """Changes within one cycle: time and colour, the first at 0."""
        plan: list[tuple[float, LampColor]] = []
        at_s = 0.0
        for k, phase in enumerate(phases):
            end_s = at_s + greens[k] + YELLOW_S + ALL_RED_S
            if group in phase.groups:
                plan.append((at_s, LampColor.GREEN))
                if group not in phases[(k + 1) % len(phases)].groups:
                    plan.append((at_s + greens[k], LampColor.YELLOW))
                    plan.append((at_s + greens[k] + YELLOW_S, LampColor.RED))
            elif k == 0:
                plan.append((at_s, LampColor.RED))
            at_s = end_s
        return [change for k, change in enumerate(plan) if k == 0 or change[1] is not plan[k - 1][1]]

    def shown(self, group: str, time_s: float) -> Shown:
        """What the group shows. `since_s` and `until_s` lie in the past and future of `time_s`."""
        plan = self._plans[group]
        turn, at_s = divmod(time_s + self._offset_s, self.cycle_s)
        start_s = turn * self.cycle_s - self._offset_s
        k = bisect_right([change[0] for change in plan], at_s) - 1
        color = plan[k][1]
        since_s = start_s + plan[k][0]
        if k == 0 and plan[-1][1] is color:
            since_s = start_s - self.cycle_s + plan[-1][0]
        until_s = start_s + (plan[k + 1][0] if k + 1 < len(plan) else self.cycle_s)
        if k + 1 == len(plan) and plan[0][1] is color:
            until_s = start_s + self.cycle_s + (plan[1][0] if len(plan) > 1 else math.inf)
        return Shown(color, since_s, until_s)

    def lamps(self, time_s: float) -> tuple[Lamp, ...]:
        """Every head at one moment, flicker included."""
        out = []
        for head in self._heads:
            phase, flickers = self._flickers[head.id]
            dark = flickers and (time_s * PWM_HZ + phase) % 1.0 < DARK_SHARE
            out.append(Lamp(head.id, self.shown(self._groups[head.id], time_s).color, lit=not dark))
        return tuple(out)

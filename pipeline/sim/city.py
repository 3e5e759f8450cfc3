"""The running city: give it a scenario, take its moments, ask for its acts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Literal

from pipeline.sim.acts import Script
from pipeline.sim.acts.stage import Stage
from pipeline.sim.audit import Auditor, Track
from pipeline.sim.layout import Route
from pipeline.sim.scenario import Scenario
from pipeline.sim.signals import Signals
from pipeline.sim.sites import PHASES
from pipeline.sim.traffic.arrivals import Arrivals
from pipeline.sim.traffic.flow import DT_S, Flow
from pipeline.sim.traffic.movers import Mover, Movers
from pipeline.sim.traffic.paths import Paths
from pipeline.sim.types import Act, ActKind, Actor, Moment
from pipeline.types import RoadUserKind

WARM_UP_S = 45.0
"""Traffic has run for this long when the first picture is taken."""
INDICATE_M = 35.0
STEP_M = 1.5
"""Way of two paces on foot."""
GRAVITY = 9.81


class City:
    """One run of a scenario; the same scenario always runs the same.

    Raises ScenarioError like Scenario.site.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.site = scenario.site()
        seeds = random.Random(scenario.seed)  # noqa: S311
        self.signals = Signals(PHASES, self.site.layout.heads, self.site.groups, seeds.getrandbits(32))
        paths = Paths()
        self.movers = Movers(paths)
        self._arrivals = Arrivals(
            self.site,
            paths,
            self.movers,
            per_hour=scenario.vehicles_per_hour,
            walkers_per_hour=scenario.walkers_per_hour,
            trucks=not scenario.trucks_banned,
            rng=random.Random(seeds.getrandbits(32)),  # noqa: S311
        )
        self.flow = Flow(self.movers, self.signals)
        stage = Stage(
            self.site,
            self.movers,
            self._arrivals,
            self.signals,
            random.Random(seeds.getrandbits(32)),  # noqa: S311
            scenario.places,
        )
        self.script = Script(stage, scenario.acts, scenario.duration_s)
        self._auditor = Auditor(self.site, self.signals, trucks_banned=scenario.trucks_banned)
        self._acts: list[Act] = []
        self._done = False
        self._step = -round(WARM_UP_S / DT_S)

    @property
    def time_s(self) -> float:
        """Of the state now; negative while warming up."""
        return self._step * DT_S

    @property
    def acts(self) -> tuple[Act, ...]:
        """All that happened, in order of their decisive moments; complete once `moments` has ended."""
        return tuple(sorted(self._acts, key=lambda act: (act.decisive_s, act.actor_id, act.kind)))

    def moments(self, rate_hz: float) -> Iterator[Moment]:
        """The city at every 1 / rate_hz seconds from 0 until the end. Can be run through once."""
        count = 0
        total = int(self.scenario.duration_s * rate_hz)
        while count < total:
            wanted_s = count / rate_hz
            while self.time_s + DT_S <= wanted_s + 1e-9:
                self._advance()
            yield self._moment(wanted_s)
            count += 1
        while self.time_s < self.scenario.duration_s:
            self._advance()
        self._finish()

    def _advance(self) -> None:
        self._arrivals.step(DT_S)
        self.script.step(self.time_s)
        self.flow.step(self.time_s)
        self._step += 1
        self._record()

    def _record(self) -> None:
        m = self.movers
        time_s = self.time_s
        columns = zip(
            m.who,
            m.path.tolist(),
            m.x.tolist(),
            m.y.tolist(),
            m.cos.tolist(),
            m.sin.tolist(),
            m.v.tolist(),
            strict=True,
        )
        even = self._step % 2 == 0
        for mover, path, x, y, cos, sin, v in columns:
            if (even and path >= 0) or (mover.kind == "object" and not mover.trail):
                mover.trail.append((time_s, x, y, cos, sin, v, mover.queued))
        stays = (m.path < 0) | (m.s < m.paths.last[m.path] * 0.25 - m.length / 2 - 0.5)
        if not stays.all():
            for row in (~stays).nonzero()[0].tolist():
                self._judge(row)
            m.keep(stays)

    def _judge(self, row: int) -> None:
        mover = self.movers.who[row]
        track = Track(mover, float(self.movers.length[row]), float(self.movers.width[row]))
        self._keep(self._auditor.judge(track))
        mover.trail = []

    def _keep(self, acts: Iterator[Act]) -> None:
        self._acts += [
            act for act in acts if act.end_s >= 0 and 0 <= max(act.decisive_s, 0) <= self.scenario.duration_s
        ]

    def _finish(self) -> None:
        if self._done:
            return
        self._done = True
        for row, mover in enumerate(self.movers.who):
            if mover.kind == "object":
                mover.trail.append((self.time_s, *mover.trail[-1][1:]))
            if mover.trail:
                self._judge(row)
        self._keep(self._auditor.finish())

    def _moment(self, time_s: float) -> Moment:
        m = self.movers
        ahead_s = time_s - self.time_s
        x, y = m.x + m.v * m.cos * ahead_s, m.y + m.v * m.sin * ahead_s
        bend = m.paths.bend[m.paths.index(m.path, m.s)]
        columns = zip(
            m.who,
            x.tolist(),
            y.tolist(),
            m.cos.tolist(),
            m.sin.tolist(),
            m.v.tolist(),
            m.acc.tolist(),
            m.s.tolist(),
            m.length.tolist(),
            m.width.tolist(),
            bend.tolist(),
            strict=True,
        )
        actors = []
        for mover, ax, ay, cos, sin, v, acc, s, length, width, curve in columns:
            two_wheeled = mover.kind in (RoadUserKind.MOTORBIKE, RoadUserKind.BICYCLE)
            on_foot = mover.kind is RoadUserKind.PERSON
            actors.append(
                Actor(
                    id=mover.id,
                    kind=mover.kind,
                    position=(ax, ay),
                    heading=math.atan2(sin, cos),
                    speed_mps=v,
                    length_m=length,
                    width_m=width,
                    height_m=mover.height_m,
                    seed=mover.seed,
                    plate=mover.plate,
                    riders=mover.riders,
                    braking=mover.route is not None and not on_foot and (acc < -0.8 or v < 0.2),
                    indicator=_indicator(mover, s + length / 2),
                    lean=math.atan(v * v * curve / GRAVITY)
                    if two_wheeled and mover.route is not None
                    else 0.0,
                    stride=(s / STEP_M) % 1.0 if on_foot else 0.0,
                )
            )
        return Moment(time_s, tuple(actors), self.signals.lamps(time_s))


def _indicator(mover: Mover, front: float) -> Literal["", "left", "right"]:
    route = mover.route
    if mover.act is ActKind.ILLEGAL_STOP and mover.swerve is not None:
        return "right"
    if not isinstance(route, Route) or route.movement == "straight" or mover.kind is RoadUserKind.BICYCLE:
        return ""
    if not route.stop_m - INDICATE_M < front < route.stop_m + 28.0:
        return ""
    return "right" if route.movement == "right" else "left"

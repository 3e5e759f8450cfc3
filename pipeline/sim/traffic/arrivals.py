"""Who comes into the city, when and where."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from itertools import count

import numpy as np

from pipeline.sim.layout import Parked, Route, Site, Walk
from pipeline.sim.traffic import fleet
from pipeline.sim.traffic.lateral import room_at
from pipeline.sim.traffic.movers import Mover, Movers
from pipeline.sim.traffic.overlap import overlapping
from pipeline.sim.traffic.paths import Paths
from pipeline.types import RoadUserKind

QUEUE_LIMIT = 12
ROOM_AT_ENTRY_M = 2.5
ENTRY_HEADWAY_S = 1.0


class Arrivals:
    """Poisson arrivals at every entry and door; each waits until there is room for it."""

    def __init__(
        self,
        site: Site,
        paths: Paths,
        movers: Movers,
        *,
        per_hour: float,
        walkers_per_hour: float,
        trucks: bool,
        rng: random.Random,
    ) -> None:
        self.movers, self.paths, self.rng = movers, paths, rng
        self._ids = count(1)
        ways: tuple[Route | Walk, ...] = (*site.routes, *site.walks)
        self.index = {way.id: paths.add(way.points) for way in ways}
        self.routes = {route.id: route for route in site.routes}
        self._entries: dict[str, list[Route]] = {}
        for route in site.routes:
            if route.share > 0:
                self._entries.setdefault(route.entry, []).append(route)
        self._per_s = per_hour / 3600
        self._walkers_per_s = walkers_per_hour / 3600 if site.walks else 0.0
        self._walks = site.walks
        self._mix = {
            kind: share for kind, share in fleet.MIX.items() if trucks or kind is not RoadUserKind.TRUCK
        }
        self._waiting: dict[int, deque[tuple[Mover, dict[str, float]]]] = {}
        for place in site.parked:
            self._park(place)

    def step(self, dt_s: float) -> None:
        """New ones of this span of time, and room for those that wait."""
        for routes in self._entries.values():
            if self.rng.random() < self._per_s * dt_s:
                kind = self.rng.choices(list(self._mix), list(self._mix.values()))[0]
                fitting = [route for route in routes if kind in route.classes]
                if fitting:
                    self.send(self.rng.choices(fitting, [route.share for route in fitting])[0], kind)
        if self.rng.random() < self._walkers_per_s * dt_s:
            walk = self.rng.choice(self._walks)
            self.walk(walk)
        for queue in self._waiting.values():
            if queue and self._enter(*queue[0]):
                queue.popleft()

    def waiting(self) -> Iterator[Mover]:
        """Those who are about to come in."""
        return (mover for queue in self._waiting.values() for mover, _ in queue)

    def send(self, route: Route, kind: RoadUserKind, **values: float) -> Mover | None:
        """Somebody to come in on a route as soon as there is room; None where too many wait there."""
        queue = self._waiting.setdefault(self.index[route.id], deque())
        if len(queue) >= QUEUE_LIMIT:
            return None
        mover = self.person(kind)
        mover.route, mover.yields, mover.origin = route, route.yield_m, route.entry
        mover.shy_m = self.rng.uniform(0.25, 0.9)
        queue.append((mover, values))
        return mover

    def walk(self, walk: Walk, **values: float) -> Mover | None:
        """A pedestrian."""
        if walk.id not in self.index:
            self.index[walk.id] = self.paths.add(walk.points)
        queue = self._waiting.setdefault(self.index[walk.id], deque())
        if len(queue) >= QUEUE_LIMIT:
            return None
        mover = self.person(RoadUserKind.PERSON)
        mover.route = walk
        mover.prefers_m = offset = self.rng.uniform(-0.75, -0.3)
        queue.append((mover, {"d": offset, "aim": offset} | values))
        return mover

    def person(self, kind: RoadUserKind) -> Mover:
        """Somebody new, who goes nowhere yet."""
        rng = self.rng
        return Mover(
            next(self._ids),
            kind,
            rng.uniform(*fleet.MODELS[kind].height_m),
            rng.getrandbits(30),
            None,
            fleet.plate(kind, rng),
            fleet.riders(kind, rng),
        )

    def put(self, owner: Mover, x: float, y: float) -> Mover:
        """A bag beside somebody."""
        bag = Mover(next(self._ids), "object", 0.45, self.rng.getrandbits(30), None, partner_id=owner.id)
        self.movers.add(bag, -1, self.rng, x=x, y=y, length=0.5, width=0.35, want=0.1)
        return bag

    def _park(self, place: Parked) -> None:
        mover = self.person(place.kind)
        mover.riders = ()
        self.movers.add(
            mover,
            -1,
            self.rng,
            x=place.position[0],
            y=place.position[1],
            cos=float(np.cos(place.heading)),
            sin=float(np.sin(place.heading)),
            want=0.1,
        )

    def _enter(self, mover: Mover, values: dict[str, float]) -> bool:
        m = self.movers
        path = self.index[mover.route.id] if mover.route is not None else -1
        row = m.add(mover, path, self.rng, **values)
        m.s[row] = m.length[row] / 2 + 0.5
        if isinstance(mover.route, Route) and "d" not in values:
            room = room_at(mover.route, 0.0)
            half = m.width[row] / 2 + 0.1
            low, high = room.right_m + half, room.left_m - half
            wide = mover.kind not in (RoadUserKind.MOTORBIKE, RoadUserKind.BICYCLE)
            m.d[row] = mover.route.aside_m if wide or low > high else self.rng.uniform(low, high)
            m.aim[row] = m.d[row]
        m.x[row], m.y[row], m.cos[row], m.sin[row] = (values[row] for values in m.poses(m.s, m.d, m.slope))
        speed = float(min(m.want[row], m.paths.speed[m.paths.start[path]]))
        ahead = (m.x - m.x[row]) * m.cos[row] + (m.y - m.y[row]) * m.sin[row]
        side = np.abs((m.y - m.y[row]) * m.cos[row] - (m.x - m.x[row]) * m.sin[row])
        ahead = ahead - (m.length + m.length[row]) / 2
        in_way = (ahead > -m.length) & (ahead < 40.0) & (side < (m.width + m.width[row]) / 2 + 0.3)
        in_way[row] = False
        for gap, leader in zip(ahead[in_way].tolist(), m.v[in_way].tolist(), strict=True):
            if gap < ROOM_AT_ENTRY_M + leader * 0.3:
                speed = -1.0
                break
            speed = min(speed, leader + (gap - ROOM_AT_ENTRY_M) / (2 * ENTRY_HEADWAY_S))
        others = np.arange(row)
        touches = overlapping(
            (m.x, m.y, m.cos, m.sin, m.length, m.width), others, np.full(row, row), 0.3
        ).any()
        if speed < 0 or touches:
            rows = np.ones(len(m), bool)
            rows[row] = False
            m.keep(rows)
            return False
        m.v[row] = speed
        return True

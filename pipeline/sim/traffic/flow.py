"""Moves everybody by one step of time; two footprints never overlap."""

from __future__ import annotations

import math

import numpy as np

from pipeline.sim.layout import KERB_STRIP_M, Room, Route, Walk
from pipeline.sim.signals import Signals
from pipeline.sim.traffic import drive, giveway, lateral, lights
from pipeline.sim.traffic.movers import Kind, Mover, Movers
from pipeline.sim.traffic.overlap import near_pairs, overlapping
from pipeline.sim.traffic.paths import SIDE_ACCELERATION, Bools, Floats
from pipeline.types import RoadUserKind

DT_S = 0.04
THINK_EVERY = 3
"""Steps between two decisions."""
SETTLE_EVERY = 12
"""Steps between two choices of a place across the lane, of one road user."""
STEEPEST = 0.28
"""Greatest change of offset per metre of way."""
STEER_PER_M: dict[Kind, float] = {
    RoadUserKind.MOTORBIKE: 0.35,
    RoadUserKind.BICYCLE: 0.4,
    RoadUserKind.PERSON: 1.0,
}
STEER_WIDE_PER_M = 0.09
PATIENCE_S = 0.8
"""Held back by a touch for longer, one steers away from it."""
CREEP_M = 0.01
"""A rider who stands still turns and shifts by walking the motorbike, as if it rolled this far a step."""
WALKED_M = 0.025
"""The same on foot."""
BACK_AFTER_S, BACK_S, BACK_WAIT_S, BACK_MPS = 3.0, 2.2, 3.0, 0.7
"""Rolling back: after how long, for how long, standing for how long then, and how fast."""
SIDESTEP_M, SIDESTEP_S = 0.7, 1.2
WANDER_M = 0.1
COMMITTED = 4
"""Priority of those who have begun to cross the way of others: before all that drive."""
PULLS_OVER_M = 28.0
WALKERS_ROOM = Room(0, -1.7, 1.7)
Poses = tuple[Floats, Floats, Floats, Floats]
FILTERS = (RoadUserKind.MOTORBIKE, RoadUserKind.BICYCLE)


class Flow:
    """The physics. `refused` counts the steps in which somebody was held back to keep two from touching."""

    def __init__(self, movers: Movers, signals: Signals) -> None:
        self.movers = movers
        self.refused = 0
        self._stuck: dict[int, tuple[float, float]] = {}
        """Id of whom was held back: for how long, and on which side the other is."""
        self._facing: set[int] = set()
        """Ids of those who stand nose to nose with somebody."""
        self._signals = signals
        self._step = 0

    def step(self, time_s: float) -> None:
        """From `time_s` to DT_S later."""
        m = self.movers
        if not len(m):
            return
        if self._step % THINK_EVERY == 0:
            self._think(time_s)
        self._step += 1
        self._move()

    def _think(self, time_s: float) -> None:
        m = self.movers
        giveway.decide(m)
        slow_leader = np.zeros(len(m), bool)
        for row, mover in enumerate(m.who):
            if m.path[row] < 0:
                continue
            if lights.committed(m, row, mover, self._signals, time_s):
                m.priority[row] = COMMITTED
            m.stop[row] = lights.stop_for(m, row, mover, self._signals, time_s)
            if mover.crawl is not None:
                start, end, speed = mover.crawl
                m.want[row] = speed if start < m.s[row] < end else mover.cruise_mps
        seen = drive.leaders(m)
        m.acc = drive.follow(m, seen)
        queued = (seen.gap < 4.0) & (m.v[seen.j] < 1.5) & (seen.turn > 0.5) & (m.path[seen.j] >= 0)
        behind = set(seen.i[queued].tolist())
        opposed = set(seen.i[(seen.gap < 2.0) & (seen.turn < 0.8)].tolist())
        facing = (seen.turn < -0.7) & (seen.gap < 1.5) & (m.v[seen.i] < 0.1)
        self._facing = {m.who[row].id for row in seen.i[facing].tolist()}
        held = np.array([mover.halt_m is not None or mover.crawl is not None for mover in m.who])
        blocking = (seen.gap < 30.0) & (held[seen.j] | (m.path[seen.j] < 0)) & (m.v[seen.j] < 3.0)
        slow_leader[seen.i[blocking]] = True
        for row, mover in enumerate(m.who):
            mover.queued = row in behind
            touches = self._stuck.get(mover.id, (0.0, 0.0))[0] > PATIENCE_S
            self._yield_ground(row, mover, row in opposed or touches)
            held_s, side = self._stuck.get(mover.id, (0.0, 0.0))
            if held_s > PATIENCE_S:
                m.aim[row] = m.d[row] - math.copysign(0.4, side)
            elif mover.route is not None:
                self._steer(row, mover, mover.route, bool(slow_leader[row]))

    def _steer(self, row: int, mover: Mover, route: Route | Walk, blocked: bool) -> None:
        m = self.movers
        front = float(m.s[row] + m.length[row] / 2)
        if mover.halt_m is not None and isinstance(route, Route) and front > mover.halt_m - PULLS_OVER_M:
            kerb = lateral.room_at(route, front).right_m - KERB_STRIP_M
            mover.swerve = kerb + float(m.width[row]) / 2 + 0.25
        if mover.swerve is not None:
            m.aim[row] = mover.swerve
            return
        due = (self._step // THINK_EVERY + mover.id) % (SETTLE_EVERY // THINK_EVERY) == 0
        to_line = max(float(m.stop[row]) - front, 0.0)
        if isinstance(route, Walk):
            if mover.idle_s > PATIENCE_S:
                # Two who stand in each other's way step aside, this way or that.
                turn = (mover.id * 7919 + int(mover.idle_s / SIDESTEP_S) * 104729) % 31 % 2
                m.aim[row] = m.d[row] + (SIDESTEP_M if turn else -SIDESTEP_M)
            elif due:
                lateral.settle(m, row, WALKERS_ROOM, mover.prefers_m, to_line)
            return
        room = lateral.room_at(route, float(m.s[row]) + 8.0)
        if mover.kind in FILTERS:
            if due:
                lateral.settle(m, row, room, self._preferred(row, route), to_line)
        elif blocked or abs(m.aim[row] - route.aside_m) > 0.8:
            if due:
                lateral.settle(m, row, room, route.aside_m, math.inf)
        else:
            m.aim[row] = route.aside_m + WANDER_M * math.sin(m.s[row] / 19.0 + m.phase[row])

    def _yield_ground(self, row: int, mover: Mover, opposed: bool) -> None:
        """Count how long one stands for nothing but somebody in the way. Those who stand nose to nose or nose
        to side go back a little after a while, one sooner than the other, and let the other go.
        """
        m = self.movers
        if mover.backs_s > 0 or mover.waits_s > 0:
            return
        on_foot = mover.kind is RoadUserKind.PERSON
        front = m.s[row] + m.length[row] / 2
        idle = m.v[row] < 0.1 and m.stop[row] - front > 0.6 and (opposed or on_foot)
        mover.idle_s = mover.idle_s + THINK_EVERY * DT_S if idle else 0.0
        if mover.idle_s > BACK_AFTER_S + mover.id % 4 * 1.5 + 4.0 * on_foot:
            mover.idle_s, mover.backs_s, mover.waits_s = 0.0, BACK_S, BACK_WAIT_S

    def _preferred(self, row: int, route: Route) -> float:
        """Each motorbike has a part of the lane it likes; those who turn left keep to its right."""
        m = self.movers
        room = lateral.room_at(route, float(m.s[row]))
        like = 0.5 + 0.45 * math.sin(float(m.phase[row]))
        if route.movement == "left":
            like = 0.4 * like
        width = min(room.left_m - room.right_m, 4.5) - 1.0
        return room.right_m + 0.5 + like * width

    def _move(self) -> None:
        m = self.movers
        moving = m.path >= 0
        v = np.where(moving, np.maximum(m.v + m.acc * DT_S, 0.0), 0.0)
        way = (m.v + v) / 2 * DT_S
        for row, mover in enumerate(m.who):
            if mover.backs_s > 0:
                way[row], v[row] = -BACK_MPS * DT_S, 0.0
                mover.backs_s -= DT_S
            elif mover.waits_s > 0:
                way[row], v[row] = 0.0, 0.0
                mover.waits_s -= DT_S
        on_foot = np.array([mover.kind is RoadUserKind.PERSON for mover in m.who])
        steepest = np.where(on_foot, 1.0, STEEPEST)
        wanted = np.clip((m.aim - m.d) / (m.ease + drive.EASE_S * m.v), -steepest, steepest)
        free = v > 0.1
        free |= np.array(
            [
                mover.id in self._stuck or mover.id in self._facing or mover.idle_s > PATIENCE_S
                for mover in m.who
            ]
        )
        wanted = np.where(free, wanted, 0.0)
        steer = np.array([STEER_PER_M.get(mover.kind, STEER_WIDE_PER_M) for mover in m.who])
        grip = np.minimum(steer, SIDE_ACCELERATION / np.maximum(v, 0.1) ** 2)
        creep = np.where(on_foot, WALKED_M, np.where(steer > STEER_WIDE_PER_M, CREEP_M, 0.0))
        most = grip * np.maximum(way, creep)
        slope = m.slope + np.clip(wanted - m.slope, -most, most)
        shift = np.where(way < 0, way, np.maximum(way, np.where(free, creep, 0.0)))
        s, d = m.s + way, m.d + slope * shift
        now = (m.x, m.y, m.cos, m.sin)
        wished = m.poses(s, d, slope)
        held, sides = self._held(now, wished)
        self._stuck = {
            mover.id: (before[0] + DT_S * (row in sides), sides.get(row, before[1]))
            for row, mover in enumerate(m.who)
            if (before := self._stuck.get(mover.id, (0.0, 0.0)))
            and (row in sides or (before[0] and v[row] < 0.1))
        }
        if held.any():
            # Steering may be what makes them touch: those go straight on instead, where that is free.
            slope = np.where(held, m.slope, slope)
            d = np.where(held, m.d + slope * way, d)
            ahead = m.poses(s, d, slope)
            reached = _pick(held, now, wished)
            wished = _pick(held, ahead, wished)
            held, _ = self._held(reached, wished)
            held |= ~moving
        self.refused += int(held.sum()) - int((~moving & held).sum())
        go = moving & ~held
        m.v = np.where(held, np.minimum(v, 0.5 * m.v), v)
        new = {"s": s, "d": d, "slope": slope} | dict(zip(("x", "y", "cos", "sin"), wished, strict=True))
        for name, values in new.items():
            setattr(m, name, np.where(go, values, getattr(m, name)))

    def _held(self, now: Poses, wished: Poses) -> tuple[Bools, dict[int, float]]:
        """Rows that must stay where they are, so that no two rectangles overlap, and on which side (left
        positive) the other one is.

        Where all stay nothing overlaps, since nothing did before: so the search ends.
        """
        m = self.movers
        held = np.zeros(len(m), bool)
        sides: dict[int, float] = {}
        i, j = near_pairs(m.x, m.y, np.hypot(m.length, m.width) / 2 + 0.5)
        while True:
            shapes = (*_pick(held, now, wished), m.length, m.width)
            bad = overlapping(shapes, i, j, 0.02) & ~(held[i] & held[j])
            if not bad.any():
                return held, sides
            for a, b in zip(i[bad].tolist(), j[bad].tolist(), strict=True):
                ahead = (m.x[b] - m.x[a]) * m.cos[a] + (m.y[b] - m.y[a]) * m.sin[a]
                behind = (m.x[a] - m.x[b]) * m.cos[b] + (m.y[a] - m.y[b]) * m.sin[b]
                loser, other = (a, b) if (ahead > behind and not held[a]) or held[b] else (b, a)
                held[loser] = True
                dx, dy = m.x[other] - m.x[loser], m.y[other] - m.y[loser]
                sides[loser] = float(dy * m.cos[loser] - dx * m.sin[loser])


def _pick(held: Bools, now: Poses, wished: Poses) -> Poses:
    x, y, cos, sin = (np.where(held, a, b) for a, b in zip(now, wished, strict=True))
    return x, y, cos, sin

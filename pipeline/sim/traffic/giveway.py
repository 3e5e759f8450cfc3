"""Giving way: nobody enters where somebody who goes first would be at the same time."""

from __future__ import annotations

import numpy as np

from pipeline.sim.traffic.movers import Movers
from pipeline.sim.traffic.paths import Floats, Ints

HORIZON_S = 8.0
STEP_S = 0.35
APPROACH_M = 22.0
"""How far before a place to wait the decision begins."""
HEADWAY_S = 0.7
ROOM_M = 0.5
IDLE_S = 1.0
_TIMES = np.arange(1, int(HORIZON_S / STEP_S) + 1) * STEP_S


def decide(m: Movers) -> None:
    """Set `waits_at` of every road user that comes to a place where it gives way; None: goes on."""
    ahead: tuple[Floats, Floats, Floats, Floats] | None = None
    for row, mover in enumerate(m.who):
        if not mover.yields:
            continue
        mover.waits_at = None
        front = m.s[row] + m.length[row] / 2
        place = next((k for k, at in enumerate(mover.yields) if at > front - 0.4), None)
        if place is None or mover.yields[place] - front > APPROACH_M:
            continue
        if ahead is None:
            ahead = _future(m)
        at = mover.yields[place]
        to = mover.yields[place + 1] if place + 1 < len(mover.yields) else at + mover.region_m
        if _blocked(m, row, at, min(to, at + 2 * mover.region_m), ahead):
            mover.waits_at = at


def _future(m: Movers) -> tuple[Floats, Floats, Floats, Floats]:
    """Where each row will be at _TIMES if it goes on as now, stopping where it must: (N, T) each."""
    v, push = m.v[:, None], np.clip(m.acc, 0.0, None)[:, None]
    s = m.s[:, None] + v * _TIMES + 0.5 * push * np.minimum(_TIMES, 2.5) ** 2
    s = s + push * 2.5 * np.maximum(_TIMES - 2.5, 0)
    s = np.minimum(s, np.maximum((m.stop - m.length / 2)[:, None], m.s[:, None]))
    return _at(m, s, m.path[:, None], m.d[:, None])


def _at(m: Movers, s: Floats, path: Ints, d: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    index = m.paths.index(path, s)
    cos, sin = m.paths.cos[index], m.paths.sin[index]
    return m.paths.x[index] - sin * d, m.paths.y[index] + cos * d, cos, sin


def _blocked(m: Movers, row: int, at: float, to: float, ahead: tuple[Floats, Floats, Floats, Floats]) -> bool:
    own_v, power = float(m.v[row]), float(m.power[row])
    top = min(float(m.want[row]), 6.5)
    gain = np.minimum(_TIMES, max(top - own_v, 0.0) / power)
    s = m.s[row] + own_v * _TIMES + 0.5 * power * gain**2 + power * gain * (_TIMES - gain)
    front = s + m.length[row] / 2
    during = np.flatnonzero((front > at) & (s - m.length[row] / 2 < to))
    if not len(during):
        return False
    s = np.minimum(s[during], to - m.length[row] / 2)
    x, y, cos, sin = _at(m, s, np.full(len(s), m.path[row]), np.full(len(s), m.d[row]))
    first = (m.priority > m.priority[row]) & (m.path >= 0)
    first &= np.hypot(m.x - m.x[row], m.y - m.y[row]) < 90.0
    # Who stands and is kept from going will not come; drive.leaders sees what of it is in the way.
    first &= (m.v > 0.2) | (m.acc > 0.3)
    origin = m.who[row].origin
    others = np.array(
        [k for k in np.flatnonzero(first) if m.who[k].origin != origin and m.who[k].idle_s < IDLE_S], np.int64
    )
    if not len(others):
        return False
    ox, oy, oc, os = (values[others][:, during] for values in ahead)
    dx, dy = x - ox, y - oy
    along, across = dx * oc + dy * os, dy * oc - dx * os
    c, t = np.abs(oc * cos + os * sin), np.abs(oc * sin - os * cos)
    half_l, half_w = m.length[row] / 2, m.width[row] / 2
    reach = m.length[others][:, None] / 2 + half_l * c + half_w * t + ROOM_M
    reach = reach + HEADWAY_S * m.v[others][:, None]
    side = m.width[others][:, None] / 2 + half_l * t + half_w * c + ROOM_M
    return bool(((np.abs(along) < reach) & (np.abs(across) < side)).any())

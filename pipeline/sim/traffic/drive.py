"""How hard everybody accelerates: the Intelligent Driver Model along each one's own way.

Treiber, Hennecke, Helbing: Congested traffic states in empirical observations and microscopic simulations,
Physical Review E 62, 2000. What stands or moves in the strip of ground that a vehicle is about to sweep is
its leader, whatever lane or direction it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.sim.traffic.movers import Movers
from pipeline.sim.traffic.paths import Floats, Ints

SAMPLES = 20
FORESIGHT_S = 1.3
EASE_S = 0.5
"""Moving over takes longer way at speed."""
HARDEST = -8.0
"""Deceleration of an emergency stop, m/s²."""
GENTLE = -2.5
"""Deceleration where only the speed is too high."""
_FRACTION = (np.arange(1, SAMPLES + 1) / SAMPLES) ** 2


@dataclass(frozen=True, slots=True)
class Leaders:
    """What is ahead of whom: rows i and j, free metres between, j's speed along i's way."""

    i: Ints
    j: Ints
    gap: Floats
    speed: Floats
    turn: Floats
    """Cosine of the angle between the two ways: -1 is head-on."""


def leaders(m: Movers) -> Leaders:
    """Everything within braking reach in the strip each moving row is about to sweep."""
    paths = m.paths
    look = 5.0 + 1.6 * m.v + m.v**2 / 5.0
    look = np.where(m.path < 0, 0.0, look)
    u = m.length[:, None] / 2 + look[:, None] * _FRACTION
    spacing = look[:, None] * np.diff(_FRACTION, prepend=0.0)
    reach = look + m.length / 2
    dx, dy = m.x - m.x[:, None], m.y - m.y[:, None]
    far = reach[:, None] + m.length / 2 + 1.0
    near = (dx * dx + dy * dy < far * far) & (look[:, None] > 0)
    ahead = dx * m.cos[:, None] + dy * m.sin[:, None]
    near &= ahead > -0.35 * np.hypot(dx, dy)
    np.fill_diagonal(near, False)
    i, j = np.nonzero(near)
    index = paths.index(m.path[:, None], m.s[:, None] + u)
    lateral = m.aim[:, None] + (m.d - m.aim)[:, None] * np.exp(-u / (m.ease + EASE_S * m.v)[:, None])
    cos, sin = paths.cos[index], paths.sin[index]
    px, py = paths.x[index] - sin * lateral, paths.y[index] + cos * lateral
    bulge = np.abs(paths.bend[index]) * (0.6 * m.length[:, None]) ** 2 / 8
    side = m.width[:, None] / 2 + m.margin[:, None] + bulge
    cj, sj = m.cos[j][:, None], m.sin[j][:, None]
    # Who goes first and crosses is seen where it will be in a moment, before it is in the way.
    crosses = np.abs(m.cos[i] * m.cos[j] + m.sin[i] * m.sin[j]) < 0.8
    shadow = np.where(crosses & (m.priority[j] > m.priority[i]), m.v[j] * FORESIGHT_S, 0.0)[:, None]
    half_j = (m.length[j][:, None] + shadow) / 2
    ox, oy = px[i] - m.x[j][:, None] - cj * shadow / 2, py[i] - m.y[j][:, None] - sj * shadow / 2
    along, across = ox * cj + oy * sj, oy * cj - ox * sj
    turn_cos = cos[i] * cj + sin[i] * sj
    turn_sin = np.abs(sin[i] * cj - cos[i] * sj)
    hit = np.abs(along) < half_j + side[i] * turn_sin + spacing[i] / 2
    hit &= np.abs(across) < m.width[j][:, None] / 2 + side[i] * np.abs(turn_cos) + spacing[i] / 2 * turn_sin
    found = hit.any(axis=1)
    first = hit.argmax(axis=1)[found]
    i, j = i[found], j[found]
    gap = np.maximum(u[i, first] - m.length[i] / 2 - spacing[i, first] / 2, 0.0)
    return Leaders(i, j, gap, m.v[j] * turn_cos[found, first], turn_cos[found, first])


def follow(m: Movers, seen: Leaders) -> Floats:
    """Acceleration of every row, m/s²."""
    limit = np.minimum(np.minimum(m.want, m.cap), _bend_speed(m))
    ratio = m.v / np.maximum(limit, 0.1)
    free = np.maximum(m.power * (1 - ratio**4), GENTLE)
    i = seen.i
    to_leader = _interaction(m, i, seen.gap, seen.speed, m.standoff[i])
    out = free.copy()
    np.minimum.at(out, i, free[i] - to_leader)
    to_stop = m.stop - m.s - m.length / 2
    rows = np.flatnonzero(np.isfinite(to_stop))
    stopping = free[rows] - _interaction(
        m, rows, to_stop[rows], np.zeros(len(rows)), np.full(len(rows), 0.25)
    )
    out[rows] = np.minimum(out[rows], stopping)
    return np.clip(out, HARDEST, None)


def _bend_speed(m: Movers) -> Floats:
    if not len(m.paths.speed):
        return np.full(len(m), np.inf)
    return np.asarray(m.paths.speed[m.paths.index(m.path, m.s)])


def _interaction(m: Movers, i: Ints, gap: Floats, speed: Floats, standoff: Floats) -> Floats:
    """The braking term of the model: a (s*/s)²."""
    v = m.v[i]
    closing = v * (v - speed) / (2 * np.sqrt(m.power[i] * m.brake[i]))
    wished = standoff + np.maximum(0.0, v * m.headway[i] + closing)
    return np.asarray(m.power[i] * (wished / np.maximum(gap, 0.05)) ** 2)

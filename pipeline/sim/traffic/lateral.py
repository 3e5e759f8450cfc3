"""Choosing a place across the lane: motorbikes ride abreast, filter to the front and pass what is slow."""

from __future__ import annotations

import numpy as np

from pipeline.sim.layout import Room, Route
from pipeline.sim.traffic.movers import Movers

AHEAD_M = 32.0
SPACING_M = 0.4
REACTION_S = 1.6
PREFERENCE = 0.12
"""Metres a second given up for a metre nearer to the preferred offset."""
EFFORT = 0.25
"""Metres a second given up for a metre of moving over."""
WORTH_MPS = 0.5
"""Moving over for less is not done."""
SQUEEZE_BASE_MPS, SQUEEZE_PER_M = 3.0, 9.0
"""How fast one rides past another, by the room between."""


def room_at(route: Route, s: float) -> Room:
    """The room in force at a place of the route."""
    room = route.rooms[0]
    for later in route.rooms[1:]:
        if s >= later.from_m:
            room = later
    return room


def settle(m: Movers, row: int, room: Room, preferred: float, to_line_m: float) -> None:
    """Set `aim` and `cap` of one row for the next moments.

    `to_line_m` is the way to a line it must stop at: nothing beyond it matters.
    """
    half = float(m.width[row]) / 2 + 0.05
    d, now = float(m.d[row]), float(m.aim[row])
    low, high = room.right_m + half, room.left_m - half
    if low > high:
        low = high = (low + high) / 2
    index = int(m.paths.index(m.path[row : row + 1], m.s[row : row + 1])[0])
    if not m.paths.straight[index]:
        m.cap[row] = np.inf
        return
    c, s = float(m.paths.cos[index]), float(m.paths.sin[index])
    dx, dy = m.x - m.x[row], m.y - m.y[row]
    along, across = dx * c + dy * s, dy * c - dx * s
    v = float(m.v[row])
    near = (along > -7.0) & (along < AHEAD_M) & (np.abs(across) < 9.0)
    near[row] = False
    rows = np.flatnonzero(near)
    if not len(rows):
        m.aim[row], m.cap[row] = min(max(preferred, low), high), np.inf
        return
    along, across = along[rows], across[rows] + d
    turn_c = m.cos[rows] * c + m.sin[rows] * s
    turn_s = np.abs(m.sin[rows] * c - m.cos[rows] * s)
    length, width = m.length[rows] / 2, m.width[rows] / 2
    reach = length * np.abs(turn_c) + width * turn_s + m.length[row] / 2
    side = length * turn_s + width * np.abs(turn_c) + half + float(m.margin[row])
    to = np.where(turn_c > 0.9, across + m.aim[rows] - m.d[rows], across)
    right, left = np.minimum(across, to) - side, np.maximum(across, to) + side
    speed = m.v[rows] * turn_c
    free = along - reach

    candidates = np.unique(
        np.clip(np.append(np.arange(low, high + 1e-6, SPACING_M), [now, preferred]), low, high)
    )
    inside = (candidates[:, None] > right) & (candidates[:, None] < left)
    ahead = along > 0
    pace = np.where(
        inside & ahead & (free < to_line_m),
        np.maximum(speed + np.maximum(free, 0) / REACTION_S, -5.0),
        np.inf,
    )
    gain = np.minimum(pace.min(axis=1), min(float(m.want[row]), to_line_m / REACTION_S))
    # Beside me, or coming up from behind: sweeping over it is no choice.
    beside = (free < 0.4) & (along > -reach - 0.6 - np.maximum(speed - v, 0) * 1.5)
    wish = candidates[:, None]
    on_left = across > d
    barred = beside & np.where(on_left, wish > np.maximum(right, d + 0.01), wish < np.minimum(left, d - 0.01))
    barred = barred.any(axis=1)
    score = gain - EFFORT * np.abs(candidates - d) - PREFERENCE * np.abs(candidates - preferred)
    score = np.where(barred, -np.inf, score)
    best = int(score.argmax())
    current = score[int(np.abs(candidates - now).argmin())]
    outside = not low - 0.01 <= now <= high + 0.01
    worth = 0.0 if outside else WORTH_MPS * (abs(candidates[best] - now) > 0.5)
    if np.isfinite(score[best]) and (outside or score[best] > current + worth):
        m.aim[row] = candidates[best]
    elif not np.isfinite(current):
        m.aim[row] = min(max(d, low), high)
    passing = (free < 3.0) & (along > -reach) & ~((d > right + 0.02) & (d < left - 0.02)) & (turn_c > 0.5)
    gap = np.where(passing, np.maximum(np.maximum(right - d, d - left), 0.0) + float(m.margin[row]), np.inf)
    limit = np.maximum(speed, 0) + SQUEEZE_BASE_MPS + SQUEEZE_PER_M * gap
    m.cap[row] = float(limit.min(initial=np.inf))

"""Routes as tables that many road users can be looked up in at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.sim.types import Ground

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

DS_M = 0.25
SIDE_ACCELERATION = 2.2
"""Comfortable in a bend, m/s²."""
EASE = 1.8
"""Deceleration ahead of a bend, m/s²."""
STRAIGHT_AHEAD_M = 10.0


class Paths:
    """Every path sampled each DS_M, one behind the other in flat arrays."""

    def __init__(self) -> None:
        self._count = 0
        self.start = np.zeros(0, np.int64)
        """Index of each path's first sample."""
        self.last = np.zeros(0, np.int64)
        """Offset of each path's last sample."""
        empty = np.zeros(0)
        self.x, self.y, self.cos, self.sin, self.bend, self.speed = (empty,) * 6
        self.straight = np.zeros(0, bool)
        """Whether the next metres have no bend."""

    def add(self, points: tuple[Ground, ...]) -> int:
        """Take in a polyline; its number. Raises ValueError for one shorter than 2 m."""
        corners = np.asarray(points, float)
        steps = np.hypot(*np.diff(corners, axis=0).T)
        keep = np.concatenate([[True], steps > 1e-9])
        corners, steps = corners[keep], steps[steps > 1e-9]
        along = np.concatenate([[0], np.cumsum(steps)])
        if along[-1] < 2:
            raise ValueError(f"a path of {along[-1]:.1f} m is too short to move on")
        at = np.arange(0, along[-1], DS_M)
        x, y = np.interp(at, along, corners[:, 0]), np.interp(at, along, corners[:, 1])
        heading = _smooth(np.unwrap(np.arctan2(np.gradient(y), np.gradient(x))), 5)
        bend = _smooth(np.gradient(heading) / DS_M, 7)
        speed = np.sqrt(SIDE_ACCELERATION / np.maximum(np.abs(bend), 1e-3))
        for k in range(len(speed) - 2, -1, -1):
            speed[k] = min(speed[k], (speed[k + 1] ** 2 + 2 * EASE * DS_M) ** 0.5)
        ahead = int(STRAIGHT_AHEAD_M / DS_M)
        bent = np.concatenate([np.abs(bend) > 0.01, np.zeros(ahead, bool)]).astype(int)
        total = np.concatenate([[0], np.cumsum(bent)])
        straight = (total[ahead:-1] - total[: -ahead - 1]) == 0
        self.start = np.append(self.start, len(self.x))
        self.last = np.append(self.last, len(x) - 1)
        for name, values in (
            ("x", x),
            ("y", y),
            ("cos", np.cos(heading)),
            ("sin", np.sin(heading)),
            ("bend", bend),
            ("speed", speed),
            ("straight", straight),
        ):
            setattr(self, name, np.concatenate([getattr(self, name), values]))
        self._count += 1
        return self._count - 1

    def length_m(self, path: int) -> float:
        """Of one path."""
        return float(self.last[path]) * DS_M

    def index(self, path: Ints, s: Floats) -> Ints:
        """Nearest sample to a distance along each path; the ends beyond the ends."""
        offset = np.clip(np.rint(s / DS_M).astype(np.int64), 0, self.last[path])
        return np.asarray(self.start[path] + offset)

    def place(self, path: Ints, s: Floats, d: Floats) -> tuple[Floats, Floats]:
        """World x, y at distance s along and d to the left of each path."""
        exact = np.clip(s / DS_M, 0, self.last[path] - 1e-6)
        low = exact.astype(np.int64)
        share = exact - low
        a = self.start[path] + low
        b = a + 1
        cos = self.cos[a] + share * (self.cos[b] - self.cos[a])
        sin = self.sin[a] + share * (self.sin[b] - self.sin[a])
        x = self.x[a] + share * (self.x[b] - self.x[a]) - d * sin
        y = self.y[a] + share * (self.y[b] - self.y[a]) + d * cos
        return x, y


def _smooth(values: Floats, size: int) -> Floats:
    padded = np.pad(values, size // 2, mode="edge")
    return np.convolve(padded, np.ones(size) / size, mode="valid")

"""Which footprints overlap."""

from __future__ import annotations

import numpy as np

from pipeline.sim.traffic.paths import Bools, Floats, Ints

Rectangles = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
"""x, y, cos, sin, length, width; each (N,)."""


def near_pairs(x: Floats, y: Floats, reach: Floats) -> tuple[Ints, Ints]:
    """Pairs i < j whose circles of radius `reach` meet."""
    dx, dy = x[:, None] - x, y[:, None] - y
    close = np.triu(dx * dx + dy * dy < (reach[:, None] + reach) ** 2, 1)
    i, j = np.nonzero(close)
    return i, j


def overlapping(shapes: Rectangles, i: Ints, j: Ints, slack_m: float = 0.0) -> Bools:
    """For each pair whether their rectangles overlap, or come nearer than about `slack_m`.

    Separating axis theorem on the four axes of both rectangles (Gottschalk, Lin, Manocha 1996).
    """
    x, y, cos, sin, length, width = shapes
    dx, dy = x[j] - x[i], y[j] - y[i]
    c = np.abs(cos[i] * cos[j] + sin[i] * sin[j])
    s = np.abs(cos[i] * sin[j] - sin[i] * cos[j])
    li, wi, lj, wj = length[i] / 2, width[i] / 2, length[j] / 2, width[j] / 2
    apart = np.abs(dx * cos[i] + dy * sin[i]) > li + lj * c + wj * s + slack_m
    apart |= np.abs(dy * cos[i] - dx * sin[i]) > wi + lj * s + wj * c + slack_m
    apart |= np.abs(dx * cos[j] + dy * sin[j]) > lj + li * c + wi * s + slack_m
    apart |= np.abs(dy * cos[j] - dx * sin[j]) > wj + li * s + wi * c + slack_m
    return np.asarray(~apart)

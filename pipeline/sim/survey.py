"""What somebody with a tape and a picture measures of the road, for a camera's calibration."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.scene import Calibration, CalibrationError
from pipeline.sim.camera import project
from pipeline.sim.layout import Site
from pipeline.sim.types import CameraPose, Ground

POINTS = 8
EVERY_M = 2.5
"""Along the lanes' edges: where dashes of a marking begin and end."""
NEAR_M, FAR_M = 6.0, 60.0
"""Depth of points: a pixel is too much of a metre farther away."""
EDGE = 0.02
"""Kept free at the picture's edges."""
TAPE_M = 0.05
"""Points are measured to this on the ground, and to a whole pixel in the picture."""


def calibration(site: Site, camera: CameraPose) -> dict[str, Any] | None:
    """The scene's `calibration`: points spread over the lanes in view, as exact as a hand measures them.

    None where too little road is in view.
    """
    size = np.array([camera.width_px, camera.height_px])
    there = sorted({point for lane in site.lanes for point in _along(lane.polygon)})
    if not there:
        return None
    ground = np.array(there)
    pixels, depth = project(camera, np.column_stack([ground, np.zeros(len(ground))]))
    picture = pixels / size
    clear = (depth > NEAR_M) & (depth < FAR_M) & (picture > EDGE).all(1) & (picture < 1 - EDGE).all(1)
    ground, picture, pixels = ground[clear], picture[clear], pixels[clear]
    if len(ground) < POINTS:
        return None
    chosen = _spread(picture)
    points = [
        {
            "picture": [round(float(v), 5) for v in np.round(pixels[k]) / size],
            "ground_m": [round(round(float(v) / TAPE_M) * TAPE_M, 2) for v in ground[k]],
        }
        for k in chosen
    ]
    try:
        Calibration(*(np.array([point[key] for point in points]) for key in ("picture", "ground_m")))
    except CalibrationError:
        return None
    return {"points": points}


def _along(polygon: tuple[Ground, ...]) -> list[Ground]:
    """Places along the sides."""
    out: list[Ground] = []
    for a, b in pairwise((*polygon, polygon[0])):
        steps = max(1, int(math.dist(a, b) / EVERY_M))
        out += [(a[0] + (b[0] - a[0]) * k / steps, a[1] + (b[1] - a[1]) * k / steps) for k in range(steps)]
    return out


def _spread(picture: Any) -> list[int]:
    """Indices of points far from each other: each next one is the farthest from those chosen."""
    chosen = [int(np.argmax(picture[:, 1]))]
    while len(chosen) < POINTS:
        away = np.linalg.norm(picture[:, None] - picture[None, chosen], axis=2).min(axis=1)
        chosen.append(int(np.argmax(away)))
    return chosen

"""Maps of the ground as seen from above: what it is made of, paint, wear, and where things may stand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.sim.types import Ground, Layout, Marking, Paint, Surface

Pixels = npt.NDArray[np.uint8]
_SURFACES = (Surface.ROAD, Surface.PAVEMENT, Surface.GRASS, Surface.PLOT)
_MOST_PX = 4096
_FINEST_M = 0.04
_SHIFT = 4
_DASH_M, _GAP_M = 2.0, 4.0
_BAR_M = 0.45


@dataclass(frozen=True, slots=True)
class GroundMap:
    """Row 0 lies at the lowest y."""

    corner: Ground
    size: tuple[float, float]
    scale: float
    """Pixels a metre."""
    surfaces: Pixels
    """(H, W, 4): road, pavement, grass, plot."""
    details: Pixels
    """(H, W, 4): paint, distance to the road's edge (0.5 at it, 4 m for the whole range), patches, stains."""
    kinds: Pixels
    """(h, w) index into road, pavement, grass, plot; 255: nothing. A quarter metre a pixel."""
    distance: npt.NDArray[np.float32]
    """(h, w) metres to the nearest road, negative on it."""

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of `kinds` and `distance` under a place."""
        column, row = int((x - self.corner[0]) * 4), int((y - self.corner[1]) * 4)
        if 0 <= row < self.kinds.shape[0] and 0 <= column < self.kinds.shape[1]:
            return row, column
        return None

    def at(self, x: float, y: float) -> Surface | None:
        """What lies at a place; None: nothing, or outside the map."""
        cell = self.cell(x, y)
        if cell is None or self.kinds[cell] == 255:
            return None
        return _SURFACES[self.kinds[cell]]


def ground_map(layout: Layout, corner: Ground, size: tuple[float, float]) -> GroundMap:
    """Draws the part of the layout in the given rectangle."""
    scale = min(1 / _FINEST_M, _MOST_PX / max(size))
    width, height = math.ceil(size[0] * scale), math.ceil(size[1] * scale)

    def pixels(points: npt.ArrayLike, by: float = scale) -> npt.NDArray[np.int32]:
        flat = (np.asarray(points, float) - corner) * by - 0.5
        return np.round(flat * (1 << _SHIFT)).astype(np.int32)

    surfaces = np.zeros((height, width, 4), np.uint8)
    kinds = np.full((math.ceil(size[1] * 4), math.ceil(size[0] * 4)), 255, np.uint8)
    for area in layout.areas:
        k = _SURFACES.index(area.surface)
        full = [0.0] * 4
        full[k] = 255.0
        cv2.fillPoly(surfaces, [pixels(area.corners)], full, cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(kinds, [pixels(area.corners, 4.0)], float(k), cv2.LINE_8, _SHIFT)
    bare = surfaces.max(2) == 0
    surfaces[bare, 2] = 255

    road = (kinds == 0).astype(np.uint8)
    outside = cv2.distanceTransform(1 - road, cv2.DIST_L2, 5) / 4
    inside = cv2.distanceTransform(road, cv2.DIST_L2, 5) / 4
    distance = (outside - inside).astype(np.float32)
    # A third of the map's grain will do: distance is smooth.
    fine = cv2.resize(surfaces[..., 0], (width // 3, height // 3), interpolation=cv2.INTER_AREA)
    fine = (fine > 127).astype(np.uint8)
    away = cv2.distanceTransform(1 - fine, cv2.DIST_L2, 5) - cv2.distanceTransform(fine, cv2.DIST_L2, 5)
    edge = np.clip(128 + away * 3 / scale / 4 * 255, 0, 255).astype(np.uint8)

    details = np.zeros((height, width, 4), np.uint8)
    details[..., 1] = cv2.resize(edge, (width, height), interpolation=cv2.INTER_LINEAR)
    paint = np.zeros((height, width), np.uint8)
    for marking in layout.markings:
        for polygon in _painted(marking):
            cv2.fillPoly(paint, [pixels(polygon)], 255.0, cv2.LINE_AA, _SHIFT)
    details[..., 0] = paint
    patches, stains = _wear(layout, corner, size, scale, (height, width), kinds)
    details[..., 2], details[..., 3] = patches, stains
    return GroundMap(corner, size, scale, surfaces, details, kinds, distance)


def _painted(marking: Marking) -> list[npt.NDArray[np.float64]]:
    """Polygons of paint."""
    out = []
    line = np.asarray(marking.line, float)
    half = marking.width_m / 2
    if marking.paint in (Paint.ARROW_STRAIGHT, Paint.ARROW_LEFT, Paint.ARROW_RIGHT):
        return _arrow(marking)
    walked = 0.0
    for a, b in pairwise(line):
        long = float(np.linalg.norm(b - a))
        if long < 1e-6:
            continue
        along = (b - a) / long
        across = np.array([-along[1], along[0]])
        if marking.paint is Paint.CROSSING:
            pieces = [(s, s + _BAR_M) for s in np.arange(0.2, long - _BAR_M, 2 * _BAR_M)]
        elif marking.paint is Paint.DASHED:
            first = -(walked % (_DASH_M + _GAP_M))
            pieces = [(max(s, 0.0), min(s + _DASH_M, long)) for s in np.arange(first, long, _DASH_M + _GAP_M)]
        else:
            pieces = [(0.0, long)]
        for s, e in pieces:
            if e > s:
                ends = (a + along * s, a + along * e)
                out.append(
                    np.array(
                        [
                            ends[0] - across * half,
                            ends[1] - across * half,
                            ends[1] + across * half,
                            ends[0] + across * half,
                        ]
                    )
                )
        walked += long
    return out


def _arrow(marking: Marking) -> list[npt.NDArray[np.float64]]:
    """An arrow from the line's first to its last point; turning ones bend near the tip."""
    a, b = np.asarray(marking.line[0], float), np.asarray(marking.line[-1], float)
    long = float(np.linalg.norm(b - a))
    along = (b - a) / max(long, 1e-6)
    across = np.array([-along[1], along[0]])

    def place(points: list[tuple[float, float]]) -> npt.NDArray[np.float64]:
        return np.array([a + along * (x * long) + across * y for x, y in points])

    if marking.paint is Paint.ARROW_STRAIGHT:
        return [place([(0, -0.08), (0.6, -0.08), (0.6, -0.35), (1, 0), (0.6, 0.35), (0.6, 0.08), (0, 0.08)])]
    side = 1.0 if marking.paint is Paint.ARROW_LEFT else -1.0
    shaft = [
        (0, -0.08),
        (0.72, -0.08),
        (0.86, 0.10),
        (0.86, 0.40),
        (0.78, 0.40),
        (0.78, 0.15),
        (0.66, 0.08),
        (0, 0.08),
    ]
    head = [(0.82, 0.95), (0.64, 0.38), (1.0, 0.38)]
    return [place([(x, y * side) for x, y in part]) for part in (shaft, head)]


def _wear(
    layout: Layout,
    corner: Ground,
    size: tuple[float, float],
    scale: float,
    shape: tuple[int, int],
    kinds: Pixels,
) -> tuple[Pixels, Pixels]:
    """Repaired patches with cracks, and stains of oil and tyres, both on the road."""
    rng = np.random.default_rng([layout.seed, 41])
    patches, stains = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    half = (shape[0] // 2, shape[1] // 2)
    soft = np.zeros(half, np.uint8)
    on_road = np.argwhere(kinds == 0)
    if not len(on_road):
        return patches, stains
    for _ in range(int(size[0] * size[1] / 420)):
        row, column = on_road[rng.integers(len(on_road))]
        centre = np.array([column, row]) / 4 * scale
        box = (
            tuple(map(float, centre)),
            (float(rng.uniform(0.6, 4) * scale), float(rng.uniform(0.5, 2) * scale)),
            float(rng.choice([0, 90]) + rng.normal(0, 4)),
        )
        corners = np.round(cv2.boxPoints(box)).astype(np.int32)
        cv2.fillPoly(patches, [corners], float(rng.integers(40, 150)), cv2.LINE_AA)
        cv2.polylines(patches, [corners], True, 235.0, max(1, round(0.06 * scale)), cv2.LINE_AA)
    for _ in range(int(size[0] * size[1] / 160)):
        row, column = on_road[rng.integers(len(on_road))]
        point, way = np.array([column, row]) / 4 * scale, rng.uniform(0, 2 * np.pi)
        crack = [point]
        for _ in range(int(rng.integers(6, 22))):
            way += rng.normal(0, 0.5)
            point = point + np.array([np.cos(way), np.sin(way)]) * 0.25 * scale
            crack.append(point)
        cv2.polylines(patches, [np.round(crack).astype(np.int32)], False, 200.0, 1, cv2.LINE_AA)
    for _ in range(int(size[0] * size[1] / 60)):
        row, column = on_road[rng.integers(len(on_road))]
        at = (int(column / 4 * scale / 2), int(row / 4 * scale / 2))
        axes = (
            max(1, int(rng.uniform(0.1, 0.7) * scale / 2)),
            max(1, int(rng.uniform(0.08, 0.35) * scale / 2)),
        )
        cv2.ellipse(soft, at, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.integers(60, 190)), -1)
    for marking in layout.markings:
        if marking.paint is not Paint.STOP_LINE:
            continue
        a, b = np.asarray(marking.line[0], float), np.asarray(marking.line[-1], float)
        across = np.array([-(b - a)[1], (b - a)[0]]) / max(np.linalg.norm(b - a), 1e-6)
        for share in np.arange(0.12, 1.0, 0.11):
            for sign in (1, -1):
                start = (a + (b - a) * share - corner) * scale / 2
                end = start + across * sign * rng.uniform(5, 16) * scale / 2
                cv2.line(
                    soft,
                    tuple(int(v) for v in start),
                    tuple(int(v) for v in end),
                    float(rng.integers(40, 95)),
                    max(1, int(0.28 * scale / 2)),
                )
    blurred = cv2.GaussianBlur(soft, (0, 0), max(0.5, 0.10 * scale / 2))
    stains[:] = cv2.resize(blurred, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return patches, stains

"""Bodies of cars: sedan, hatchback, SUV, minivan and pickup from one loft each, with taxis' roof signs."""

from __future__ import annotations

import numpy as np

from pipeline.sim.render.mesh import Builder, Floats, Material, Mesh

M = Material
# Station: x as a share of the length from the rear; underside, belt and top as shares of the height; half
# widths of body and roof as shares of the half width; glass on the side and on top towards the next one.
Station = tuple[float, float, float, float, float, float, bool, bool]

SEDAN: tuple[Station, ...] = (
    (0.000, 0.30, 0.56, 0.58, 0.80, 0.70, False, False),
    (0.018, 0.19, 0.62, 0.66, 0.91, 0.80, False, False),
    (0.060, 0.17, 0.63, 0.70, 0.97, 0.82, False, False),
    (0.165, 0.15, 0.64, 0.72, 0.99, 0.82, False, True),
    (0.290, 0.14, 0.65, 0.955, 1.0, 0.66, True, False),
    (0.360, 0.14, 0.65, 0.99, 1.0, 0.68, True, False),
    (0.500, 0.14, 0.645, 1.00, 1.0, 0.69, True, False),
    (0.600, 0.14, 0.64, 0.97, 1.0, 0.68, True, True),
    (0.745, 0.14, 0.635, 0.69, 1.0, 0.80, False, False),
    (0.800, 0.15, 0.62, 0.66, 0.99, 0.80, False, False),
    (0.930, 0.16, 0.56, 0.60, 0.96, 0.76, False, False),
    (0.985, 0.18, 0.48, 0.52, 0.86, 0.68, False, False),
    (1.000, 0.28, 0.42, 0.45, 0.76, 0.60, False, False),
)
HATCHBACK: tuple[Station, ...] = (
    (0.000, 0.30, 0.52, 0.54, 0.82, 0.72, False, False),
    (0.020, 0.20, 0.60, 0.64, 0.93, 0.80, False, True),
    (0.110, 0.16, 0.62, 0.93, 0.98, 0.68, True, False),
    (0.180, 0.15, 0.62, 0.98, 1.0, 0.70, True, False),
    (0.400, 0.14, 0.61, 1.00, 1.0, 0.72, True, False),
    (0.560, 0.14, 0.60, 0.97, 1.0, 0.70, True, True),
    (0.745, 0.14, 0.59, 0.66, 1.0, 0.80, False, False),
    (0.810, 0.15, 0.57, 0.62, 0.99, 0.80, False, False),
    (0.940, 0.17, 0.52, 0.56, 0.95, 0.76, False, False),
    (0.985, 0.19, 0.45, 0.48, 0.87, 0.68, False, False),
    (1.000, 0.28, 0.40, 0.43, 0.78, 0.60, False, False),
)
SUV: tuple[Station, ...] = (
    (0.000, 0.32, 0.56, 0.58, 0.86, 0.78, False, False),
    (0.015, 0.22, 0.60, 0.63, 0.95, 0.84, False, True),
    (0.075, 0.18, 0.61, 0.93, 0.98, 0.76, True, False),
    (0.120, 0.17, 0.61, 0.98, 1.0, 0.77, True, False),
    (0.400, 0.17, 0.60, 1.00, 1.0, 0.78, True, False),
    (0.590, 0.17, 0.595, 0.98, 1.0, 0.76, True, True),
    (0.715, 0.17, 0.59, 0.665, 1.0, 0.84, False, False),
    (0.780, 0.18, 0.58, 0.64, 1.0, 0.84, False, False),
    (0.950, 0.20, 0.54, 0.585, 0.97, 0.82, False, False),
    (0.985, 0.22, 0.48, 0.52, 0.90, 0.76, False, False),
    (1.000, 0.30, 0.42, 0.45, 0.82, 0.68, False, False),
)
MINIVAN: tuple[Station, ...] = (
    (0.000, 0.24, 0.52, 0.54, 0.92, 0.86, False, False),
    (0.010, 0.18, 0.55, 0.60, 0.97, 0.88, False, True),
    (0.035, 0.16, 0.55, 0.93, 0.99, 0.82, True, False),
    (0.070, 0.15, 0.55, 0.985, 1.0, 0.83, True, False),
    (0.500, 0.15, 0.55, 1.00, 1.0, 0.84, True, False),
    (0.700, 0.15, 0.54, 0.975, 1.0, 0.82, True, True),
    (0.850, 0.15, 0.53, 0.60, 1.0, 0.86, False, False),
    (0.900, 0.16, 0.50, 0.54, 0.99, 0.84, False, False),
    (0.980, 0.18, 0.42, 0.45, 0.94, 0.78, False, False),
    (1.000, 0.24, 0.36, 0.39, 0.86, 0.70, False, False),
)
PICKUP: tuple[Station, ...] = (
    (0.000, 0.34, 0.58, 0.59, 0.94, 0.90, False, False),
    (0.012, 0.26, 0.60, 0.61, 0.97, 0.92, False, False),
    (0.330, 0.24, 0.60, 0.61, 0.99, 0.92, False, True),
    (0.350, 0.22, 0.61, 0.94, 1.0, 0.74, True, False),
    (0.400, 0.20, 0.61, 0.99, 1.0, 0.76, True, False),
    (0.520, 0.19, 0.61, 1.00, 1.0, 0.77, True, False),
    (0.600, 0.19, 0.60, 0.975, 1.0, 0.75, True, True),
    (0.715, 0.19, 0.60, 0.67, 1.0, 0.84, False, False),
    (0.780, 0.20, 0.59, 0.645, 1.0, 0.84, False, False),
    (0.950, 0.22, 0.55, 0.60, 0.97, 0.82, False, False),
    (0.985, 0.24, 0.48, 0.53, 0.90, 0.76, False, False),
    (1.000, 0.32, 0.43, 0.46, 0.82, 0.68, False, False),
)
BODIES: dict[str, tuple[tuple[Station, ...], tuple[float, float, float], tuple[float, float]]] = {
    "sedan": (SEDAN, (4.5, 1.76, 1.46), (0.185, 0.81)),
    "hatchback": (HATCHBACK, (3.9, 1.70, 1.50), (0.17, 0.815)),
    "suv": (SUV, (4.6, 1.85, 1.70), (0.18, 0.80)),
    "minivan": (MINIVAN, (4.75, 1.84, 1.90), (0.19, 0.81)),
    "pickup": (PICKUP, (5.1, 1.85, 1.78), (0.21, 0.81)),
}
"""Name to stations, nominal size and where the axles are."""


def loft(b: Builder, stations: tuple[Station, ...], size: tuple[float, float, float], lower: int) -> None:
    """The body's skin; `lower` is the material of the sill."""
    length, width, height = size
    rings, kinds = [], []
    for x, under, belt, top, body, roof, side, up in stations:
        w, r = body * width / 2, roof * width / 2
        zu, zb, zt = under * height, belt * height, top * height
        mid = zu + 0.55 * (zb - zu)
        low = zu + 0.22 * (zb - zu)
        shoulder = max(zt - 0.05 * height, zb + 0.3 * (zt - zb))
        r5 = r + 0.22 * (w - r) * (1 if zt - zb > 0.2 * height else 0)
        half = [
            (0.0, zu),
            (w * 0.86, zu),
            (w * 0.965, low),
            (w, mid),
            (w * 0.955, zb),
            (r5, shoulder),
            (r * 0.86, zt),
            (0.0, zt + 0.012 * height),
        ]
        ring = half + [(-y, z) for y, z in half[-2:0:-1]]
        rings.append([((x - 0.5) * length, y, z) for y, z in ring])
        glass, wind = (M.GLASS if side else M.PAINT), (M.GLASS if up else M.PAINT)
        row = [M.DARK, lower, M.PAINT, M.PAINT, glass, wind, wind]
        kinds.append(row + row[::-1])
    b.grid(np.array(rings), np.array(kinds[:-1]), closed=True, crease=0.86, caps=(M.PAINT, M.PAINT))


def car(body: str, taxi: bool, detail: float) -> Mesh:
    """A car of one of BODIES."""
    stations, size, axles = BODIES[body]
    length, width, height = size
    b = Builder(detail)
    suv = body in ("suv", "pickup")
    loft(b, stations, size, M.DARK if suv else M.PAINT)
    radius = 0.225 * height
    half = width / 2
    for side in (1.0, -1.0):
        for axle in axles:
            x = (axle - 0.5) * length
            b.disc((x, side * (half * 0.985 + 0.012), radius * 1.04), radius * 1.2, side, M.RUBBER, n=16)
            b.wheel((x, side * (half - 0.09), radius), radius, 0.22)
        _side(b, body, size, stations, side)
        _lights(b, body, size, side)
    _ends(b, body, size, stations)
    if taxi:
        at = 0.45 if body != "pickup" else 0.5
        b.box(((at - 0.5) * length, 0, height + 0.10), (0.16, 0.62, 0.15), M.SIGN, top=0.8)
    return b.build(size)


def _at(stations: tuple[Station, ...], x: float, column: int) -> float:
    return float(np.interp(x, [s[0] for s in stations], [float(s[column]) for s in stations]))


def _side(
    b: Builder, body: str, size: tuple[float, float, float], stations: tuple[Station, ...], side: float
) -> None:
    length, width, height = size
    glass = [s[0] for s in stations if s[6]]
    first, last = glass[0], glass[-1]

    # Pillars over the glass, door seams under it.
    def point(x: float, share: float, out: float) -> Floats:
        w, r = _at(stations, x, 4) * width / 2, _at(stations, x, 5) * width / 2
        zb, zt = _at(stations, x, 2) * height, _at(stations, x, 3) * height
        r5 = r + 0.22 * (w - r)
        shoulder = max(zt - 0.05 * height, zb + 0.3 * (zt - zb))
        return np.array(
            [
                (x - 0.5) * length,
                side * (w * 0.955 + share * (r5 - w * 0.955) + out),
                zb + share * (shoulder - zb),
            ]
        )

    def strip(x: float, across: float, low: float, high: float, material: int) -> None:
        corners = [
            point(x - across, low, 0.012),
            point(x + across, low, 0.012),
            point(x + across, high, 0.012),
            point(x - across, high, 0.012),
        ]
        b.quad(corners if side < 0 else corners[::-1], material)

    middle = 0.5 * (first + last) + 0.01
    for x, across in ((middle, 0.012), (last + 0.018, 0.014)):
        strip(x, across, 0.0, 1.0, M.PAINT if x != middle else M.DARK)
    if body in ("suv", "minivan", "hatchback", "sedan"):
        strip(0.5 * (first + middle) - 0.06, 0.010, 0.0, 1.0, M.PAINT)
    for x in (middle, last + 0.07, first + 0.04):
        w = _at(stations, x, 4) * width / 2
        zu, zb = _at(stations, x, 1) * height, _at(stations, x, 2) * height
        b.box(
            ((x - 0.5) * length, side * (w - 0.012), zu * 0.35 + zb * 0.65),
            (0.018, 0.03, (zb - zu) * 0.62),
            M.DARK,
        )
    for x in (middle - 0.06, last - 0.06):
        w, zb = _at(stations, x, 4) * width / 2, _at(stations, x, 2) * height
        b.box(((x - 0.5) * length, side * (w * 0.985), zb - 0.10 * height), (0.17, 0.04, 0.03), M.TRIM)
    zb = _at(stations, last + 0.09, 2) * height
    b.box(
        ((last + 0.075 - 0.5) * length, side * (width / 2 + 0.07), zb + 0.07),
        (0.12, 0.2, 0.13),
        M.TRIM,
        top=0.85,
    )
    if body == "suv":
        b.box(
            ((0.34 - 0.5) * length, side * _at(stations, 0.34, 5) * width / 2 * 0.86, height + 0.02),
            (length * 0.36, 0.04, 0.04),
            M.METAL,
        )


def _lights(b: Builder, body: str, size: tuple[float, float, float], side: float) -> None:
    length, width, height = size
    half = width / 2
    front = length / 2
    z = {"sedan": 0.475, "hatchback": 0.475, "suv": 0.50, "minivan": 0.42, "pickup": 0.52}[body] * height
    b.ball((front - 0.14, side * half * 0.70, z), (0.15, 0.20, 0.075), M.HEADLAMP, n=8)
    light = M.LEFT if side > 0 else M.RIGHT
    b.ball((front - 0.22, side * half * 0.90, z - 0.01), (0.12, 0.06, 0.05), light, n=6)
    b.ball((front - 0.10, side * half * 0.66, 0.27 * height), (0.08, 0.08, 0.05), M.METAL, n=6)
    if body in ("minivan", "suv", "hatchback"):
        tall = {"minivan": 0.34, "suv": 0.20, "hatchback": 0.16}[body] * height
        z = {"minivan": 0.46, "suv": 0.60, "hatchback": 0.60}[body] * height
        b.box((-front + 0.05, side * half * 0.86, z), (0.13, half * 0.2, tall), M.BRAKE)
        b.box((-front + 0.045, side * half * 0.87, z - tall * 0.62), (0.13, half * 0.18, tall * 0.26), light)
    else:
        z = (0.565 if body == "sedan" else 0.52) * height
        b.box((-front + 0.06, side * half * 0.70, z), (0.12, half * 0.34, 0.075 * height), M.BRAKE)
        b.box((-front + 0.09, side * half * 0.90, z), (0.16, half * 0.10, 0.075 * height), light)


def _ends(b: Builder, body: str, size: tuple[float, float, float], stations: tuple[Station, ...]) -> None:
    length, width, height = size
    front = length / 2
    b.box((front - 0.03, 0, 0.37 * height), (0.08, width * 0.50, 0.10 * height), M.DARK)
    b.box((front - 0.01, 0, 0.44 * height), (0.06, width * 0.34, 0.025 * height), M.METAL)
    b.box((front - 0.04, 0, 0.22 * height), (0.10, width * 0.62, 0.07 * height), M.DARK)
    b.box((-front + 0.04, 0, 0.22 * height), (0.10, width * 0.66, 0.07 * height), M.DARK)
    b.box((-front + 0.012, 0, 0.345 * height), (0.03, width * 0.40, 0.14 * height), M.TRIM)
    glass = [s[0] for s in stations if s[6]]
    b.box(((glass[0] + 0.012 - 0.5) * length, 0, 0.945 * height), (0.05, 0.30, 0.03), M.BRAKE)
    if body == "pickup":
        b.box(((0.17 - 0.5) * length, 0, 0.612 * height), (length * 0.29, width * 0.80, 0.02), M.DARK)
        b.box((-front + 0.0, 0, 0.30 * height), (0.12, width * 0.9, 0.07 * height), M.METAL)

"""Buses and trucks."""

from __future__ import annotations

import numpy as np

from pipeline.sim.render.mesh import Builder, Material, Mesh

M = Material


def _shell(
    b: Builder, x0: float, x1: float, half: float, z0: float, z1: float, round_: float, kinds: list[int]
) -> None:
    """A box with bevelled upright edges and roof: rings along z; `kinds` from bottom to top."""
    levels = np.linspace(z0, z1 - round_, len(kinds) - 1)
    rings = []
    for z, inset in [*((z, 0.0) for z in levels), (z1, round_)]:
        r = 0.18
        a, c, h = x0 + inset * 0.6, x1 - inset * 0.6, half - inset * 0.6
        rings.append(
            [
                (c, -h + r, z),
                (c, h - r, z),
                (c - r, h, z),
                (a + r * 0.6, h, z),
                (a, h - r * 0.6, z),
                (a, -h + r * 0.6, z),
                (a + r * 0.6, -h, z),
                (c - r, -h, z),
            ]
        )
    b.grid(np.array(rings), np.array(kinds[:-1])[:, None], closed=True, crease=0.75, caps=(M.DARK, kinds[-1]))


def bus(city: bool, detail: float) -> Mesh:
    """A city bus, or a coach."""
    size = (9.6, 2.45, 3.05)
    length, width, height = size
    half, front = width / 2, length / 2
    b = Builder(detail)
    z0 = 0.32
    _shell(b, -front, front, half, z0, height, 0.16, [M.PAINT, M.PAINT, M.PAINT, M.PAINT, M.PAINT, M.SIGN])
    low, high = (1.25, 2.55) if city else (1.55, 2.65)
    for side in (1.0, -1.0):
        y = side * (half + 0.008)
        start, end = -front + 0.35, front - (0.5 if side > 0 else 1.55)
        count = 6
        pitch = (end - start) / count
        for k in range(count):
            x = start + pitch * (k + 0.5)
            b.box((x, y, (low + high) / 2), (pitch - 0.09, 0.03, high - low), M.GLASS)
        b.box((0, side * (half + 0.004), 0.95), (length - 0.5, 0.016, 0.42), M.TRIM)
        if not city:
            b.box((-0.4, side * (half + 0.006), 1.27), (length - 2.2, 0.016, 0.12), M.DARK)
        if side < 0:
            for x in (front - 0.95, *((-0.6,) if city else ())):
                b.box((x, y, 1.5), (1.0, 0.04, 2.1), M.GLASS)
                b.box((x, y - 0.01, 1.5), (0.05, 0.04, 2.1), M.DARK)
        for x in (-front + 2.1, front - 2.0):
            b.disc((x, side * (half + 0.006), 0.5), 0.6, side, M.RUBBER, n=18)
            b.wheel((x, side * (half - 0.13), 0.48), 0.48, 0.3)
        b.box((front + 0.12, side * (half + 0.14), 2.1), (0.14, 0.2, 0.4), M.DARK)
        b.ball((front - 0.02, side * half * 0.74, 0.78), (0.08, 0.2, 0.13), M.HEADLAMP, n=8)
        light = M.LEFT if side > 0 else M.RIGHT
        b.box((front, side * half * 0.90, 1.0), (0.06, 0.14, 0.1), light)
        b.box((-front, side * half * 0.82, 1.05), (0.07, 0.2, 0.3), M.BRAKE)
        b.box((-front, side * half * 0.82, 0.82), (0.07, 0.2, 0.14), light)
    b.box((front + 0.01, 0, 1.75), (0.05, width * 0.86, 1.25), M.GLASS)
    b.box((front + 0.02, 0, 2.66), (0.06, width * 0.70, 0.26), M.SIGN)
    b.box((front + 0.02, 0, 0.62), (0.06, width * 0.55, 0.2), M.DARK)
    b.box((front, 0, 0.45), (0.1, width * 0.9, 0.22), M.TRIM)
    b.box((-front - 0.01, 0, 2.15), (0.05, width * 0.72, 0.8), M.GLASS)
    b.box((-front - 0.01, 0, 1.0), (0.05, width * 0.55, 0.55), M.DARK)
    b.box((-front, 0, 0.45), (0.1, width * 0.92, 0.22), M.DARK)
    b.box((-1.0, 0, height + 0.08), (2.2, 1.5, 0.22), M.SIGN, top=0.85)
    return b.build(size)


def truck(style: str, detail: float) -> Mesh:
    """A truck: "van" (closed body), "stake" (open bed with load), "tipper" or "tank"."""
    size = (6.6, 2.2, 2.8)
    length, width, height = size
    half, front = width / 2, length / 2
    b = Builder(detail)
    cab0, cab1 = front - 1.75, front
    rings = []
    for z, lean, inset in (
        (0.45, 0.0, 0.02),
        (0.95, 0.0, 0.0),
        (1.35, 0.02, 0.0),
        (2.12, 0.34, 0.12),
        (2.28, 0.5, 0.22),
    ):
        c, h = cab1 - lean, half * 0.96 - inset
        rings.append(
            [
                (c, -h + 0.15, z),
                (c, h - 0.15, z),
                (c - 0.14, h, z),
                (cab0, h, z),
                (cab0, -h, z),
                (c - 0.14, -h, z),
            ]
        )
    kinds = np.full((4, 6), int(M.PAINT))
    kinds[2, 0] = M.GLASS
    b.grid(np.array(rings), kinds, closed=True, crease=0.8, caps=(M.DARK, M.PAINT))
    for side in (1.0, -1.0):
        y = side * (half * 0.96 - 0.055)
        b.box((cab0 + 0.75, y, 1.72), (0.85, 0.08, 0.55), M.GLASS)
        b.box((cab0 + 0.28, side * half * 0.965, 1.0), (0.02, 0.02, 0.9), M.DARK)
        b.box((front - 0.1, side * (half + 0.13), 1.75), (0.1, 0.16, 0.42), M.DARK)
        b.ball((front - 0.01, side * half * 0.70, 0.82), (0.06, 0.18, 0.11), M.HEADLAMP, n=8)
        light = M.LEFT if side > 0 else M.RIGHT
        b.box((front - 0.02, side * half * 0.9, 0.98), (0.1, 0.14, 0.09), light)
        b.box((-front, side * half * 0.78, 0.66), (0.06, 0.3, 0.14), M.BRAKE)
        b.box((-front, side * half * 0.50, 0.66), (0.06, 0.12, 0.14), light)
        for x, w in ((front - 1.0, 0.24), (-front + 1.5, 0.42)):
            b.wheel((x, side * (half - w / 2 - 0.02), 0.42), 0.42, w)
        b.box((-0.2, side * (half - 0.06), 0.55), (2.0, 0.05, 0.3), M.DARK)
        b.box((-front + 1.5, side * (half - 0.2), 0.92), (1.2, 0.4, 0.05), M.DARK)
    b.box((front, 0, 0.52), (0.08, width * 0.92, 0.26), M.DARK)
    b.box((front + 0.01, 0, 1.12), (0.03, width * 0.5, 0.16), M.DARK)
    b.box((-0.3, 0, 0.68), (length - 0.8, 0.9, 0.22), M.DARK)
    b.box((-front + 0.02, 0, 0.52), (0.06, width * 0.85, 0.12), M.DARK)
    bed0, bed1 = -front + 0.02, cab0 - 0.12
    mid, long = (bed0 + bed1) / 2, bed1 - bed0
    if style == "van":
        b.box((mid, 0, 0.85 + (height - 0.85) / 2), (long, width, height - 0.85), M.CARGO)
        b.box((bed0 - 0.01, 0, 1.82), (0.02, 0.03, 1.8), M.DARK)
        for side in (1.0, -1.0):
            b.box((mid, side * (half + 0.005), 1.9), (long * 0.8, 0.01, 0.5), M.TRIM)
            b.box((mid, side * (half + 0.01), 0.9), (long, 0.02, 0.1), M.METAL)
            b.box((bed0 - 0.01, side * 0.3, 1.7), (0.03, 0.04, 1.5), M.METAL)
    elif style == "tank":
        b.limb((bed0 + 0.35, 0, 1.65), (bed1 - 0.3, 0, 1.65), 0.88, 0.88, M.CARGO, n=16)
        b.box((mid, 0, 0.85), (long, width * 0.7, 0.16), M.DARK)
        b.box((mid, 0, 2.52), (long * 0.5, 0.5, 0.12), M.METAL)
    else:
        b.box((mid, 0, 0.90), (long, width, 0.16), M.TRIM)
        wall = 0.55 if style == "stake" else 0.85
        for side in (1.0, -1.0):
            b.box((mid, side * (half - 0.03), 0.98 + wall / 2), (long, 0.06, wall), M.TRIM)
            for k in range(6):
                x = bed0 + 0.15 + k * (long - 0.3) / 5
                top = height if style == "stake" else 1.9
                b.box((x, side * (half - 0.02), (0.9 + top) / 2), (0.07, 0.09, top - 0.9), M.TRIM)
            if style == "stake":
                for z in (1.85, 2.3, height - 0.05):
                    b.box((mid, side * (half - 0.02), z), (long, 0.05, 0.07), M.TRIM)
        for x in (bed0, bed1):
            b.box((x, 0, 0.98 + wall / 2), (0.06, width, wall), M.TRIM)
        rng = np.random.default_rng(len(style))
        if style == "stake":
            for k in range(7):
                for j in range(3):
                    tall = rng.uniform(0.7, 1.5)
                    b.box(
                        (bed0 + 0.35 + k * (long - 0.6) / 6.2, (j - 1) * 0.66, 1.0 + tall / 2),
                        (0.5, 0.6, tall),
                        M.CARGO if (k + j) % 3 else M.SIGN,
                        turned=None,
                        top=rng.uniform(0.8, 1.0),
                    )
        else:
            b.ball((mid, 0, 1.5), (long * 0.5, half * 0.95, 0.75), M.CARGO, n=12)
    return b.build(size)

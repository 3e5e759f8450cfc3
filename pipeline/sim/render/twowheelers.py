"""Motorbikes and bicycles, without their riders."""

from __future__ import annotations

import math

from pipeline.sim.render.mesh import Builder, Material, Mesh, turn

M = Material
MOTORBIKES = ("underbone", "scooter", "classic")


def motorbike(style: str, detail: float) -> Mesh:
    """ "underbone": tall wheels, step-through, leg shield; "scooter": small wheels and a flat floor;
    "classic": a tank between seat and bars."""
    b = Builder(detail)
    {"underbone": _underbone, "scooter": _scooter, "classic": _classic}[style](b)
    return b.build((1.92, 0.70, 1.10))


def _wheels(b: Builder, front: float, rear: float, radius: float, width: float) -> None:
    for x in (front, rear):
        b.ring((x, 0, radius), radius, radius * 0.24, width, M.RUBBER)
        b.limb((x, -0.06, radius), (x, 0.06, radius), 0.06, 0.06, M.METAL, n=6)
        for k in range(3 if b.detail < 1 else 5):
            a = k * 2 * math.pi / 5
            b.box(
                (x + 0.42 * radius * math.cos(a), 0, radius * (1 + 0.42 * math.sin(a))),
                (radius * 0.72, 0.025, 0.03),
                M.METAL,
                turned=turn(1, -a),
            )


def _bars(b: Builder, x: float, z: float, wide: float = 0.33) -> None:
    for side in (1.0, -1.0):
        b.limb((x, 0, z - 0.02), (x - 0.10, side * wide, z + 0.02), 0.02, 0.022, M.DARK, n=5)
        b.limb(
            (x - 0.02, side * wide * 0.6, z),
            (x - 0.03, side * (wide + 0.04), z + 0.19),
            0.009,
            0.009,
            M.DARK,
            n=4,
        )
        b.ball((x - 0.03, side * (wide + 0.05), z + 0.22), (0.018, 0.06, 0.04), M.DARK, n=7)


def _front(b: Builder, x: float, z: float, fork_x: float, fork_z: float) -> None:
    for side in (1.0, -1.0):
        b.limb((x, side * 0.075, z), (fork_x, side * 0.075, fork_z), 0.025, 0.025, M.METAL, n=5)


def _tail(b: Builder, x: float, z: float, wide: float) -> None:
    b.ball((x, 0, z), (0.06, wide, 0.05), M.BRAKE, n=8)
    for side, light in ((1.0, M.LEFT), (-1.0, M.RIGHT)):
        b.ball((x + 0.01, side * (wide + 0.05), z - 0.02), (0.045, 0.05, 0.04), light, n=6)


def _underbone(b: Builder) -> None:
    _wheels(b, 0.62, -0.60, 0.29, 0.085)
    b.ball((-0.60, 0, 0.42), (0.27, 0.075, 0.17), M.DARK, n=8, low=0.0)
    b.ball((0.62, 0, 0.40), (0.26, 0.07, 0.20), M.PAINT, n=8, low=0.0)
    _front(b, 0.47, 0.80, 0.62, 0.29)
    b.limb((0.50, 0, 0.60), (0.38, 0, 0.98), 0.07, 0.08, M.PAINT, n=7)
    b.box((0.42, 0, 0.60), (0.05, 0.42, 0.50), M.PAINT, turned=turn(1, -0.30), top=0.7)
    b.limb((0.42, 0, 0.50), (-0.25, 0, 0.55), 0.085, 0.10, M.PAINT, n=6, flat=0.8)
    b.ball((0.05, 0, 0.33), (0.24, 0.13, 0.13), M.METAL, n=8)
    b.ball((-0.40, 0, 0.63), (0.42, 0.12, 0.15), M.PAINT, n=10)
    b.box((-0.22, 0, 0.775), (0.72, 0.25, 0.09), M.DARK, top=0.85)
    b.box((-0.74, 0, 0.80), (0.20, 0.18, 0.025), M.METAL)
    b.limb((-0.10, -0.17, 0.30), (-0.72, -0.19, 0.40), 0.035, 0.055, M.METAL, n=7)
    b.ball((0.42, 0, 0.98), (0.11, 0.13, 0.10), M.PAINT, n=8)
    b.ball((0.50, 0, 0.98), (0.06, 0.10, 0.075), M.HEADLAMP, n=8)
    for side, light in ((1.0, M.LEFT), (-1.0, M.RIGHT)):
        b.ball((0.47, side * 0.15, 0.95), (0.05, 0.045, 0.035), light, n=6)
    _bars(b, 0.38, 1.02)
    _tail(b, -0.80, 0.70, 0.10)
    b.box((-0.83, 0, 0.50), (0.02, 0.17, 0.26), M.DARK, turned=turn(1, 0.25))


def _scooter(b: Builder) -> None:
    _wheels(b, 0.62, -0.55, 0.235, 0.10)
    b.ball((0.62, 0, 0.33), (0.24, 0.09, 0.20), M.PAINT, n=8, low=-0.05)
    _front(b, 0.48, 0.75, 0.62, 0.24)
    b.box((0.45, 0, 0.62), (0.10, 0.46, 0.62), M.PAINT, turned=turn(1, -0.25), top=0.75)
    b.ball((0.45, 0, 0.70), (0.14, 0.19, 0.30), M.PAINT, n=10)
    b.box((0.14, 0, 0.29), (0.55, 0.36, 0.09), M.DARK)
    b.box((-0.42, 0, 0.48), (0.60, 0.34, 0.34), M.PAINT, top=0.85)
    b.ball((-0.45, 0, 0.60), (0.48, 0.20, 0.20), M.PAINT, n=10)
    b.box((-0.30, 0, 0.785), (0.74, 0.29, 0.10), M.DARK, top=0.85)
    b.limb((-0.72, 0.14, 0.83), (-0.72, -0.14, 0.83), 0.02, 0.02, M.METAL, n=5)
    b.ball((-0.45, -0.19, 0.32), (0.30, 0.07, 0.12), M.METAL, n=8)
    b.ball((0.42, 0, 1.00), (0.13, 0.17, 0.10), M.PAINT, n=8)
    b.ball((0.51, 0, 1.0), (0.05, 0.10, 0.06), M.HEADLAMP, n=8)
    for side, light in ((1.0, M.LEFT), (-1.0, M.RIGHT)):
        b.ball((0.56, side * 0.15, 0.78), (0.04, 0.05, 0.06), light, n=6)
    _bars(b, 0.40, 1.03, 0.31)
    _tail(b, -0.88, 0.66, 0.13)
    b.box((-0.84, 0, 0.44), (0.02, 0.18, 0.26), M.DARK, turned=turn(1, 0.3))


def _classic(b: Builder) -> None:
    _wheels(b, 0.66, -0.62, 0.30, 0.11)
    b.ball((0.66, 0, 0.44), (0.24, 0.075, 0.18), M.PAINT, n=8, low=0.05)
    b.ball((-0.62, 0, 0.46), (0.26, 0.085, 0.17), M.DARK, n=8, low=0.0)
    _front(b, 0.45, 0.88, 0.66, 0.30)
    b.ball((0.18, 0, 0.80), (0.30, 0.16, 0.14), M.PAINT, n=10)
    b.ball((0.10, 0, 0.42), (0.24, 0.16, 0.19), M.METAL, n=8)
    b.limb((0.35, 0, 0.70), (0.0, 0, 0.35), 0.03, 0.03, M.DARK, n=5)
    b.limb((-0.1, 0, 0.62), (-0.62, 0, 0.30), 0.03, 0.03, M.DARK, n=5)
    b.box((-0.36, 0, 0.80), (0.66, 0.24, 0.10), M.DARK, top=0.85)
    b.ball((-0.45, 0, 0.68), (0.36, 0.12, 0.09), M.PAINT, n=8)
    b.limb((0.0, -0.18, 0.30), (-0.75, -0.20, 0.38), 0.04, 0.06, M.METAL, n=7)
    b.ball((0.56, 0, 0.92), (0.08, 0.11, 0.11), M.HEADLAMP, n=8)
    for side, light in ((1.0, M.LEFT), (-1.0, M.RIGHT)):
        b.ball((0.50, side * 0.17, 0.90), (0.04, 0.04, 0.035), light, n=6)
    _bars(b, 0.42, 1.02, 0.36)
    _tail(b, -0.82, 0.74, 0.09)
    b.box((-0.86, 0, 0.54), (0.02, 0.17, 0.24), M.DARK, turned=turn(1, 0.3))


def load(style: str, detail: float) -> Mesh:
    """What a motorbike carries, in its coordinates: "box" on the rack, "sacks" at both sides, "bag" at the
    feet, "gas" bottle."""
    b = Builder(detail)
    if style == "box":
        b.box((-0.82, 0, 1.03), (0.44, 0.46, 0.42), M.CARGO)
        b.box((-0.82, 0, 1.06), (0.445, 0.465, 0.07), M.SIGN)
    elif style == "sacks":
        for side in (1.0, -1.0):
            b.ball((-0.62, side * 0.32, 0.60), (0.36, 0.17, 0.28), M.CARGO, n=9)
        b.ball((-0.72, 0, 0.98), (0.26, 0.34, 0.16), M.SIGN, n=9)
    elif style == "bag":
        b.ball((0.20, 0, 0.58), (0.13, 0.20, 0.24), M.CARGO, n=9)
    else:
        for side in (1.0, -1.0):
            b.limb((-0.74, side * 0.27, 0.40), (-0.74, side * 0.27, 0.82), 0.15, 0.15, M.CARGO, n=9)
        b.box((-0.72, 0, 0.86), (0.30, 0.60, 0.05), M.DARK)
    return b.build((1.92, 0.70, 1.10))


def bicycle(detail: float) -> Mesh:
    """A town bicycle with a basket."""
    b = Builder(detail)
    for x in (0.53, -0.53):
        b.ring((x, 0, 0.33), 0.33, 0.035, 0.035, M.RUBBER, n=20)
        for k in range(4):
            a = k * math.pi / 4
            b.box((x, 0, 0.33), (0.60, 0.008, 0.008), M.METAL, turned=turn(1, a))
    bars = (
        ((-0.53, 0, 0.33), (-0.10, 0, 0.30)),
        ((-0.10, 0, 0.30), (-0.22, 0, 0.82)),
        ((-0.53, 0, 0.33), (-0.20, 0, 0.72)),
        ((-0.10, 0, 0.30), (0.38, 0, 0.70)),
        ((-0.19, 0, 0.66), (0.36, 0, 0.78)),
        ((0.53, 0, 0.33), (0.33, 0, 0.98)),
    )
    for start, end in bars:
        b.limb(start, end, 0.02, 0.02, M.PAINT, n=5)
    b.ball((-0.24, 0, 0.87), (0.14, 0.09, 0.05), M.DARK, n=7)
    for side in (1.0, -1.0):
        b.limb((0.34, 0, 1.0), (0.24, side * 0.27, 1.02), 0.016, 0.018, M.DARK, n=5)
    b.box((0.56, 0, 0.88), (0.26, 0.34, 0.22), M.METAL, top=1.15)
    b.box((-0.55, 0, 0.70), (0.36, 0.14, 0.025), M.METAL)
    b.ball((-0.75, 0, 0.62), (0.03, 0.04, 0.03), M.BRAKE, n=5)
    return b.build((1.72, 0.58, 1.05))


def luggage(style: str, detail: float) -> Mesh:
    """Something left behind: "suitcase", "carton" or "backpack"."""
    b = Builder(detail)
    if style == "carton":
        b.box((0, 0, 0.25), (0.5, 0.4, 0.5), M.CARGO)
        b.box((0, 0, 0.501), (0.5, 0.06, 0.005), M.SIGN)
    elif style == "backpack":
        b.ball((0, 0, 0.25), (0.23, 0.19, 0.26), M.CARGO, n=10)
        b.ball((0.16, 0, 0.18), (0.12, 0.14, 0.15), M.DARK, n=8)
    else:
        b.box((0, 0, 0.25), (0.46, 0.24, 0.42), M.CARGO, top=0.96)
        b.box((0, 0, 0.25), (0.475, 0.05, 0.43), M.DARK)
        for x in (0.14, -0.14):
            b.limb((x, 0, 0.44), (x, 0, 0.50), 0.012, 0.012, M.METAL, n=4)
        b.limb((-0.14, 0, 0.50), (0.14, 0, 0.50), 0.015, 0.015, M.DARK, n=4)
    return b.build((0.5, 0.4, 0.5))

"""Bodies: pedestrians in the phases of a step, and riders as they sit."""

from __future__ import annotations

import math

import numpy as np

from pipeline.sim.render.mesh import HEAD, Builder, Floats, Material, Mesh, turn

M = Material
STEPS = 8
"""Phases of a step that are modelled."""
HEAD_RADIUS_M = 0.125
"""About a head with its hair or helmet."""
Wear = str
"""On the head: "helmet" (open face), "half" (half shell), "full" (face covered), "hair", "long" (hair),
"cap" or "cone" (nón lá)."""


def _head(b: Builder, at: Floats, wear: Wear, mask: bool) -> None:
    x, y, z = at
    b.limb((x - 0.03, y, z - 0.20), (x - 0.01, y, z - 0.08), 0.05, 0.05, M.SKIN, n=6)
    if wear == "full":
        b.ball((x, y, z), (0.145, 0.125, 0.140), M.HAT, n=11, part=HEAD)
        b.box((x + 0.085, y, z + 0.005), (0.10, 0.19, 0.075), M.VISOR, part=HEAD)
        return
    b.ball((x + 0.005, y, z - 0.01), (0.098, 0.080, 0.120), M.SKIN, n=9, part=HEAD)
    if mask:
        b.ball((x + 0.035, y, z - 0.055), (0.078, 0.078, 0.065), M.MASK, n=8, part=HEAD)
    if wear in ("helmet", "half"):
        low = -0.10 if wear == "helmet" else 0.0
        b.ball((x - 0.005, y, z + 0.025), (0.138, 0.122, 0.128), M.HAT, n=11, part=HEAD, low=low)
        brim = turn(1, 0.25)
        b.box((x + 0.13, y, z + 0.045), (0.10, 0.17, 0.018), M.VISOR, turned=brim, part=HEAD, top=0.9)
        if wear == "helmet":
            b.box((x + 0.10, y, z + 0.0), (0.02, 0.17, 0.07), M.GLASS, part=HEAD)
    elif wear == "cone":
        n = max(8, round(14 * b.detail))
        a = np.arange(n) * 2 * np.pi / n
        rim = np.stack([x + 0.21 * np.cos(a), y + 0.21 * np.sin(a), np.full(n, z + 0.05)], 1)
        tip = np.broadcast_to([x, y, z + 0.21], rim.shape)
        b.grid(np.stack([rim, tip]), M.HAT, closed=True, part=HEAD, crease=0.3)
        b.grid(np.stack([tip - [0, 0, 0.03], rim]), M.HAT, closed=True, part=HEAD, crease=0.3)
    else:
        b.ball(
            (x - 0.020, y, z + 0.020),
            (0.100, 0.092, 0.112),
            M.HAT,
            n=9,
            part=HEAD,
            turned=turn(1, -0.35),
            low=-0.12,
        )
        if wear == "long":
            b.ball((x - 0.085, y, z - 0.09), (0.045, 0.085, 0.18), M.HAT, n=8, part=HEAD)
        elif wear == "cap":
            b.box((x + 0.10, y, z + 0.06), (0.13, 0.15, 0.02), M.HAT, part=HEAD)


def _reach(
    b: Builder,
    a: Floats,
    hand: Floats,
    bend: Floats,
    upper: float,
    lower: float,
    radii: tuple[float, ...],
    kinds: tuple[int, int],
) -> None:
    """Two bones from a to hand with the joint towards `bend`."""
    way = hand - a
    span = min(float(np.linalg.norm(way)), (upper + lower) * 0.995)
    way = way / max(float(np.linalg.norm(way)), 1e-9)
    along = (upper**2 - lower**2 + span**2) / (2 * span)
    off = math.sqrt(max(upper**2 - along**2, 0.0))
    side = bend - way * float(bend @ way)
    joint = a + way * along + side / max(float(np.linalg.norm(side)), 1e-9) * off
    b.limb(a, joint, radii[0], radii[1], kinds[0])
    b.limb(joint, a + way * span, radii[1], radii[2], kinds[1])


def _torso(b: Builder, hip: Floats, neck: Floats, wide: float, deep: float) -> None:
    axis = neck - hip
    tilt = math.atan2(axis[0], axis[2])
    turned = turn(1, tilt)
    rings = []
    for share, w, d in (
        (-0.08, 0.80, 0.95),
        (0.12, 0.88, 1.0),
        (0.45, 0.84, 0.92),
        (0.78, 1.05, 1.0),
        (0.93, 0.92, 0.8),
        (1.02, 0.42, 0.5),
    ):
        a = np.arange(8 if b.detail >= 1 else 6) * 2 * np.pi / (8 if b.detail >= 1 else 6)
        flat = np.stack([np.cos(a) * d * deep, np.sin(a) * w * wide, 0 * a], 1) @ turned.T
        rings.append(flat + hip + axis * share)
    b.grid(np.array(rings), M.SHIRT, closed=True, crease=0.2, caps=(M.TROUSERS, M.SHIRT))


def pedestrian(step: int, wear: Wear, bag: bool, detail: float) -> Mesh:
    """Somebody who walks, in one of STEPS phases; STEPS itself stands still."""
    b = Builder(detail)
    swing = 0.0 if step >= STEPS else math.sin(2 * math.pi * step / STEPS)
    lift = 0.0 if step >= STEPS else math.cos(2 * math.pi * step / STEPS)
    hip, neck = np.array([0.0, 0, 0.90]), np.array([0.02, 0, 1.42])
    _torso(b, hip, neck, 0.185, 0.115)
    for side in (1.0, -1.0):
        s = swing * side
        up = max(0.0, lift * side) * 0.10
        ankle = np.array([0.34 * s, side * 0.085, 0.07 + up])
        _reach(
            b,
            np.add(hip, (0, side * 0.085, 0)),
            ankle,
            np.array([1.0, 0, 0]),
            0.43,
            0.43,
            (0.085, 0.06, 0.045),
            (M.TROUSERS, M.TROUSERS),
        )
        b.box(np.add(ankle, (0.06, 0, -0.025)), (0.25, 0.085, 0.09), M.SHOES, top=0.7)
        hand = np.array([0.06 - 0.26 * s, side * 0.25, 0.86 + 0.05 * abs(s)])
        _reach(
            b,
            np.add(neck, (0, side * 0.185, -0.06)),
            hand,
            np.array([-1.0, side * 0.3, 0]),
            0.28,
            0.27,
            (0.05, 0.042, 0.035),
            (M.SHIRT, M.SKIN),
        )
        b.ball(hand, (0.04, 0.03, 0.05), M.SKIN, n=5)
    _head(b, np.array([0.03, 0, 1.62]), wear, False)
    if bag:
        b.box((-0.17, 0, 1.17), (0.15, 0.27, 0.40), M.CARGO, top=0.8)
    return b.build((0.42, 0.46, 1.72))


def rider(seat: str, wear: Wear, mask: bool, detail: float) -> Mesh:
    """Somebody who sits: "driver", "driver2" (leaning), "pillion", "child" or "cyclist"; the seat's place is
    added by whoever seats them."""
    b = Builder(detail)
    if seat == "cyclist":
        hip, neck, head = np.array([-0.22, 0, 0.93]), np.array([0.02, 0, 1.40]), np.array([0.10, 0, 1.60])
        hands, feet, knee = (0.26, 0.25, 1.04), (-0.08, 0.11, 0.30), 0.0
    elif seat == "pillion":
        hip, neck, head = np.array([-0.48, 0, 0.90]), np.array([-0.44, 0, 1.38]), np.array([-0.41, 0, 1.59])
        hands, feet, knee = (-0.22, 0.17, 1.05), (-0.28, 0.19, 0.37), 0.5
    else:
        lean = 0.14 if seat == "driver2" else 0.05
        hip, neck = np.array([-0.16, 0, 0.86]), np.array([-0.10 + lean, 0, 1.35])
        head = np.array([-0.06 + lean * 1.25, 0, 1.56])
        hands, feet, knee = (0.27, 0.31, 1.03), (0.16, 0.16, 0.34), 0.42
    wide = 0.20 if seat != "pillion" else 0.19
    _torso(b, hip, neck, wide, 0.125)
    for side in (1.0, -1.0):
        mirror = np.array([1.0, side, 1.0])
        foot = np.array(feet) * mirror
        if seat == "cyclist":
            foot = np.add(foot, (0.10 * side, 0, 0.12 * side))
        _reach(
            b,
            np.add(hip, (0.02, side * 0.09, 0)),
            np.add(foot, (0, 0, 0.06)),
            np.array([1.0, side * knee, 0.6]),
            0.43,
            0.42,
            (0.092, 0.068, 0.048),
            (M.TROUSERS, M.TROUSERS),
        )
        b.box(np.add(foot, (0.05, 0, 0.0)), (0.25, 0.09, 0.08), M.SHOES, top=0.75)
        hand = np.array(hands) * mirror
        _reach(
            b,
            np.add(neck, (-0.01, side * 0.185, -0.06)),
            hand,
            np.array([-0.5, side * 0.8, -1.0]),
            0.30,
            0.29,
            (0.055, 0.045, 0.035),
            (M.SHIRT, M.SHIRT),
        )
        b.ball(hand, (0.05, 0.04, 0.04), M.SKIN, n=5)
    _head(b, head, wear, mask)
    return b.build((1.92, 0.70, 1.75))


def head_centre(seat: str) -> tuple[float, float, float]:
    """Where the head of `rider(seat)` or a "pedestrian" is, in its model's coordinates."""
    return {
        "cyclist": (0.10, 0.0, 1.60),
        "pillion": (-0.41, 0.0, 1.59),
        "driver": (0.0, 0.0, 1.56),
        "driver2": (0.115, 0.0, 1.56),
        "pedestrian": (0.03, 0.0, 1.62),
    }[seat]

"""Lenses of signal heads as they shine at one moment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pipeline.sim.errors import SimError
from pipeline.sim.render.light import Light
from pipeline.sim.types import CameraPose, Lamp, SignalHead
from pipeline.types import LampColor

_COLORS = {
    LampColor.RED: (1.0, 0.10, 0.05),
    LampColor.YELLOW: (1.0, 0.62, 0.06),
    LampColor.GREEN: (0.08, 0.95, 0.45),
}
_HALF_M = 0.125
Floats = npt.NDArray[np.float64]
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Lens:
    """A square with a lens on it, and the glow around it where it is lit."""

    picture: str
    middle: Triple
    right: Triple
    up: Triple
    light: Triple
    glow: list[float] | None


def lenses_of(
    heads: tuple[SignalHead, ...], lamps: tuple[Lamp, ...], camera: CameraPose, light: Light
) -> list[Lens]:
    """Every lens that looks towards the camera. Raises SimError for a lamp of an unknown head."""
    shown = {lamp.head_id: lamp for lamp in lamps}
    strange = shown.keys() - {head.id for head in heads}
    if strange:
        raise SimError(f"lamp {min(strange)!r}: the layout has no such signal head")
    out = []
    eye = np.asarray(camera.position, float)
    for head in heads:
        front = np.array([math.cos(head.facing), math.sin(head.facing), 0.0])
        right = np.array([-front[1], front[0], 0.0])
        way = eye - np.asarray(head.position)
        facing = float(front @ way / max(np.linalg.norm(way), 1e-9))
        if facing <= 0 or np.linalg.norm(way) > 200:
            continue
        lamp = shown.get(head.id)
        color = lamp.color if lamp is not None and lamp.lit else LampColor.OFF
        balls = lenses(head)
        colors = list(_COLORS) if len(balls) == 3 else [color if color in _COLORS else LampColor.GREEN]
        for middle, own in zip(balls, colors, strict=True):
            lit = own == color
            gain = (1.0 if light.dark > 0.2 else 0.95) if lit else 0.045
            shine = np.asarray(_COLORS[own]) * gain
            if lit:
                shine = shine + 0.10
            glow = None
            if lit:
                strength = (0.22 + 0.5 * light.dark) * facing
                glow = [
                    *(middle + front * 0.06),
                    0.34 + 0.5 * light.dark,
                    0.01,
                    0.0,
                    0.0,
                    *(v * strength for v in _COLORS[own]),
                    1.0,
                ]
            at, r = middle + front * 0.01, right * _HALF_M
            out.append(Lens(head.shows, _triple(at), _triple(r), (0.0, 0.0, _HALF_M), _triple(shine), glow))
    return out


def _triple(v: npt.NDArray[np.float64]) -> Triple:
    return (float(v[0]), float(v[1]), float(v[2]))


@cache
def lens_pictures() -> dict[str, npt.NDArray[np.uint8]]:
    """(128, 128, 3) of each kind of lens: a disc, or an arrow, of LEDs on black."""
    shapes = {
        "ball": None,
        "arrow_left": [(8, 64), (58, 14), (58, 44), (120, 44), (120, 84), (58, 84), (58, 114)],
        "arrow_right": [(120, 64), (70, 14), (70, 44), (8, 44), (8, 84), (70, 84), (70, 114)],
        "arrow_straight": [(64, 8), (14, 58), (44, 58), (44, 120), (84, 120), (84, 58), (114, 58)],
    }
    out = {}
    for name, points in shapes.items():
        image = Image.new("L", (128, 128), 28)
        draw = ImageDraw.Draw(image)
        if points is None:
            draw.ellipse((5, 5, 123, 123), fill=255)
        else:
            draw.ellipse((5, 5, 123, 123), fill=46)
            draw.polygon(points, fill=255)
        pixels = np.asarray(image).astype(float)
        y, x = np.mgrid[0:128, 0:128]
        dots = 0.86 + 0.14 * np.cos(x * 2 * np.pi / 9) * np.cos(y * 2 * np.pi / 9)
        out[name] = np.repeat((pixels * dots).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return out


def lenses(head: SignalHead) -> list[Floats]:
    """Centres of the lenses: red, yellow, green of a ball head; one of an arrow."""
    centre = np.asarray(head.position, float)
    front = np.array([math.cos(head.facing), math.sin(head.facing), 0.0])
    across = np.array([-front[1], front[0], 0.0])
    face = centre + front * 0.12
    if head.layout == "single":
        return [face]
    # A viewer's right is +across: red is at the top, or on the left.
    step = np.array([0, 0, 0.32]) if head.layout == "vertical" else across * -0.32
    return [face + step * k for k in (1, 0, -1)]

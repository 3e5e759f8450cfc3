"""Colours of vehicles, clothes and skin, and how often they are seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.sim.render.mesh import MATERIALS, Material

Palette = npt.NDArray[np.uint8]
"""(MATERIALS, 4): red, green, blue, and gloss (below 128) or glow (from 128 on)."""
M = Material
Rgb = tuple[int, int, int]

CAR_PAINT: tuple[tuple[Rgb, float], ...] = (
    ((232, 233, 232), 0.30),
    ((24, 25, 28), 0.19),
    ((150, 153, 156), 0.15),
    ((90, 94, 98), 0.09),
    ((150, 22, 26), 0.09),
    ((28, 52, 110), 0.06),
    ((92, 64, 42), 0.04),
    ((196, 180, 150), 0.03),
    ((210, 96, 28), 0.03),
    ((32, 80, 60), 0.02),
)
BIKE_PAINT: tuple[tuple[Rgb, float], ...] = (
    ((26, 26, 28), 0.32),
    ((150, 20, 24), 0.19),
    ((225, 226, 224), 0.16),
    ((30, 58, 130), 0.12),
    ((110, 114, 118), 0.09),
    ((70, 44, 34), 0.05),
    ((196, 150, 40), 0.03),
    ((60, 120, 110), 0.04),
)
HELMETS: tuple[tuple[Rgb, float], ...] = (
    ((24, 24, 26), 0.22),
    ((228, 228, 226), 0.20),
    ((170, 28, 30), 0.12),
    ((34, 66, 140), 0.12),
    ((120, 124, 128), 0.08),
    ((214, 170, 60), 0.06),
    ((214, 110, 150), 0.07),
    ((40, 120, 70), 0.07),
    ((120, 70, 40), 0.06),
)
SHIRTS: tuple[tuple[Rgb, float], ...] = (
    ((40, 44, 52), 0.18),
    ((222, 222, 218), 0.17),
    ((52, 74, 116), 0.13),
    ((150, 40, 44), 0.09),
    ((112, 120, 128), 0.10),
    ((196, 150, 160), 0.07),
    ((72, 104, 76), 0.06),
    ((206, 160, 60), 0.05),
    ((104, 70, 110), 0.05),
    ((222, 110, 40), 0.05),
    ((130, 170, 200), 0.05),
)
TROUSERS: tuple[tuple[Rgb, float], ...] = (
    ((30, 32, 38), 0.42),
    ((50, 62, 88), 0.28),
    ((120, 108, 90), 0.12),
    ((84, 86, 90), 0.12),
    ((200, 196, 186), 0.06),
)
SKIN: tuple[Rgb, ...] = ((196, 150, 118), (180, 132, 100), (160, 114, 84), (208, 166, 136))
HAIR: tuple[Rgb, ...] = ((22, 20, 20), (30, 25, 22), (44, 34, 28), (96, 92, 90))
UNIFORMS: tuple[Rgb, ...] = ((20, 140, 70), (226, 150, 20), (30, 90, 160))
"""Jackets and helmets of those who carry people and parcels."""


def draw(rng: np.random.Generator, choices: tuple[tuple[Rgb, float], ...], spread: float = 14) -> Rgb:
    """One of weighted colours, a little brighter or darker."""
    weights = np.array([w for _, w in choices])
    color = np.array(choices[rng.choice(len(choices), p=weights / weights.sum())][0])
    r, g, b = (
        int(v) for v in np.clip(color + rng.normal(0, spread) + rng.normal(0, spread * 0.25, 3), 6, 250)
    )
    return (r, g, b)


def palette(**colors: Rgb) -> Palette:
    """Colours of the named materials, and what the others usually have."""
    out = np.zeros((MATERIALS, 4), np.uint8)
    fixed: dict[Material, tuple[int, int, int, int]] = {
        M.PAINT: (128, 128, 128, 105),
        M.TRIM: (40, 40, 42, 30),
        M.GLASS: (26, 32, 38, 127),
        M.RUBBER: (24, 24, 25, 10),
        M.METAL: (150, 152, 156, 90),
        M.HEADLAMP: (205, 210, 214, 120),
        M.BRAKE: (122, 16, 16, 90),
        M.LEFT: (190, 104, 24, 90),
        M.RIGHT: (190, 104, 24, 90),
        M.SKIN: (190, 140, 110, 8),
        M.SHIRT: (90, 90, 90, 4),
        M.TROUSERS: (40, 42, 50, 4),
        M.HAT: (30, 30, 30, 60),
        M.VISOR: (30, 32, 36, 100),
        M.DARK: (26, 26, 28, 30),
        M.CARGO: (160, 120, 80, 12),
        M.SIGN: (220, 220, 216, 30),
        M.SHOES: (40, 36, 34, 12),
        M.MASK: (190, 200, 206, 4),
    }
    for material, color in fixed.items():
        out[material] = color
    for name, rgb in colors.items():
        out[Material[name], :3] = rgb
    return out

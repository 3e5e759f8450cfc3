"""How bright and of what colour the light of an hour and its weather is. Colours are linear RGB."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.sim.types import Conditions

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """What the shaders need to know."""

    sun: Rgb
    """Direction towards the sun, a unit vector."""
    sun_color: Rgb
    sky_color: Rgb
    bounce_color: Rgb
    haze_color: Rgb
    zenith: Rgb
    haze: float
    """Extinction per metre."""
    dark: float
    """0 by day .. 1 at night: how much lamps count."""
    lamp_color: Rgb
    overcast: float
    shadow: float
    """Share of the light that the sun brings: 0, no shadow to draw."""


def light_of(conditions: Conditions) -> Light:
    """The light of these conditions."""
    height = min(max(conditions.sun_height, 0.12), 1.45)
    azimuth = conditions.sun_azimuth
    sun = (math.cos(azimuth) * math.cos(height), math.sin(azimuth) * math.cos(height), math.sin(height))
    cloud = min(1.0, conditions.rain * 1.6 + conditions.haze * 0.5)
    low = math.exp(-3.0 * (height - 0.12))
    if conditions.light == "day":
        warm = np.array([1.0, 0.94 - 0.18 * low, 0.84 - 0.36 * low])
        sun_color = warm * 1.35 * (1 - 0.35 * low) * (1 - cloud) ** 1.5
        sky = np.array([0.40, 0.46, 0.55]) * (1 - 0.25 * low) + 0.16 * cloud
        haze_color, zenith, dark = np.array([0.66, 0.72, 0.78]), np.array([0.16, 0.32, 0.62]), 0.0
    elif conditions.light == "dusk":
        sun_color = np.array([0.42, 0.21, 0.09]) * (1 - cloud) ** 1.5
        sky = np.array([0.185, 0.180, 0.225])
        haze_color, zenith, dark = np.array([0.34, 0.22, 0.18]), np.array([0.055, 0.075, 0.16]), 0.45
    else:
        sun_color = np.zeros(3)
        sky = np.array([0.034, 0.036, 0.046])
        haze_color, zenith, dark = np.array([0.046, 0.040, 0.040]), np.array([0.010, 0.013, 0.026]), 1.0
    grey = float(haze_color.mean())
    haze_color = haze_color * (1 - 0.6 * cloud) + grey * 0.92 * 0.6 * cloud
    zenith = zenith * (1 - 0.85 * cloud) + haze_color * 0.85 * cloud
    bounce = sky * np.array([0.52, 0.47, 0.40]) + sun_color * 0.10
    share = float(sun_color.mean() / (sun_color.mean() + sky.mean()))
    return Light(
        sun=sun,
        sun_color=_rgb(sun_color),
        sky_color=_rgb(sky),
        bounce_color=_rgb(bounce),
        haze_color=_rgb(haze_color),
        zenith=_rgb(zenith),
        haze=0.0011 + 0.014 * conditions.haze**1.5 + 0.0035 * conditions.rain,
        dark=dark,
        lamp_color=_rgb(np.array([1.0, 0.72, 0.42]) * dark),
        overcast=cloud,
        shadow=share if share > 0.06 else 0.0,
    )


def _rgb(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Rgb:
    r, g, b = (float(v) for v in values)
    return (r, g, b)

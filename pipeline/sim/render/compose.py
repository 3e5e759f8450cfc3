"""Puts backdrop, shadows, lights, mirror images and actors together as a camera would see them.

Works on 8-bit pictures with OpenCV: in a shader on a software rasteriser the same sums took ten
times as long.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.sim.render.backdrop import Backdrop
from pipeline.sim.render.light import Light
from pipeline.sim.render.textures import grain, streaks
from pipeline.sim.types import CameraPose, Conditions
from pipeline.types import Picture

Pixels = npt.NDArray[np.uint8]
_CONTACT = 0.62
_SPARE_PX = 128
"""Grain and rain are drawn this much larger than the picture, to be shifted from frame to frame."""


class Composer:
    """One camera's optics and weather."""

    def __init__(self, backdrop: Backdrop, camera: CameraPose, conditions: Conditions, light: Light) -> None:
        self._backdrop, self._light, self._conditions = backdrop, light, conditions
        wide, high = camera.width_px, camera.height_px
        self._size = (wide, high)
        x, y = np.meshgrid(np.linspace(-0.5, 0.5, wide), np.linspace(-0.5, 0.5, high))
        vignette = (255 * (1 - 0.22 * (x * x + y * y))).astype(np.uint8)
        self._vignette = cv2.merge([vignette] * 3)
        noise: Any = _tiled(grain(), wide, high).astype(np.float32) - 128
        strength = 0.14 * conditions.noise * (1 + 1.1 * light.dark)
        noise = (noise[..., :3] + 0.9 * noise[..., 3:]) * strength
        self._brighter = np.clip(noise, 0, 255).astype(np.uint8)
        self._darker = np.clip(-noise, 0, 255).astype(np.uint8)
        self._rain: Pixels | None = None
        if conditions.rain > 0:
            fall = np.repeat(np.repeat(streaks(), 2, 0), 2, 1)[..., 0] if high > 900 else streaks()[..., 0]
            color = np.sqrt(np.clip(np.asarray(light.haze_color[::-1]) * 1.1, 0, 1))
            drops: Any = (
                _tiled(fall[..., None], wide, high).astype(np.float32) * 0.20 * conditions.rain * color
            )
            self._rain = drops.astype(np.uint8)
        row, column = np.mgrid[0 : high // 2, 0 : wide // 2].astype(np.float32)
        wave: Any = _tiled(grain(), wide // 2, high // 2)[: high // 2, : wide // 2].astype(np.float32) - 128
        wave = cv2.GaussianBlur(wave, (0, 0), sigmaX=3, sigmaY=0.8)
        self._ripple = cv2.convertMaps(column + wave[..., 0] * 0.05, row + wave[..., 1] * 0.16, cv2.CV_16SC2)

    def compose(
        self,
        actors: Pixels,
        mask: Pixels,
        beams: Pixels | None,
        mirror: Pixels | None,
        rng: np.random.Generator,
    ) -> Picture:
        """The picture from actors (2H, 2W, 4) RGBA, and at half its size the mask (sun shadow and contact
        shadow in its first channels), headlamps' light and mirror image of the actors."""
        b, size = self._backdrop, self._size
        picture: Any = b.lit  # OpenCV's types know no dtype
        soft = cv2.resize(mask[..., :2], size, interpolation=cv2.INTER_LINEAR)
        if self._light.shadow:
            shadow = cv2.extractChannel(soft, 0)
            picture = cv2.subtract(picture, cv2.multiply(b.sun, cv2.merge([shadow] * 3), scale=1 / 255))
        keep = cv2.convertScaleAbs(cv2.extractChannel(soft, 1), alpha=-_CONTACT, beta=255)
        picture = cv2.multiply(picture, cv2.merge([keep] * 3), scale=1 / 255)
        if beams is not None:
            beam = cv2.resize(cv2.cvtColor(beams, cv2.COLOR_RGBA2BGR), size, interpolation=cv2.INTER_LINEAR)
            shine = cv2.multiply(b.albedo, beam, scale=1 / 255, dtype=cv2.CV_32F)
            # Roots of light add up as the sides of a right triangle do.
            total = cv2.magnitude(picture.astype(np.float32).reshape(-1), shine.reshape(-1))
            picture = cv2.convertScaleAbs(total).reshape(picture.shape)
        if mirror is not None:
            image = cv2.remap(
                mirror, self._ripple[0], self._ripple[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
            )
            image = cv2.resize(
                cv2.blur(image, (3, max(3, size[1] // 90))), size, interpolation=cv2.INTER_LINEAR
            )
            amount = cv2.merge([cv2.extractChannel(image, 3)] * 3)
            hidden = cv2.subtract(np.full_like(amount, 255), cv2.multiply(amount, b.wet, scale=1 / 255))
            glow = cv2.multiply(cv2.cvtColor(image, cv2.COLOR_RGBA2BGR), b.wet, scale=1 / 255)
            picture = cv2.add(cv2.multiply(picture, hidden, scale=1 / 255), glow)
        small = cv2.resize(actors, size, interpolation=cv2.INTER_AREA)
        open_ = cv2.bitwise_not(cv2.extractChannel(small, 3))
        picture = cv2.multiply(picture, cv2.merge([open_] * 3), scale=1 / 255)
        picture = cv2.add(picture, cv2.cvtColor(small, cv2.COLOR_RGBA2BGR))
        if self._rain is not None:
            picture = cv2.add(picture, self._shifted(self._rain, rng))
            picture = cv2.add(picture, cv2.flip(self._shifted(self._rain, rng), 1))
        picture = cv2.multiply(picture, self._vignette, scale=1 / 255)
        place = rng.bit_generator.state
        picture = cv2.add(picture, self._shifted(self._brighter, rng))
        rng.bit_generator.state = place
        return np.asarray(cv2.subtract(picture, self._shifted(self._darker, rng)), np.uint8)

    def _shifted(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        wide, high = self._size
        x, y = rng.integers(_SPARE_PX, size=2)
        return pixels[y : y + high, x : x + wide]


def _tiled(tile: Pixels, wide: int, high: int) -> Pixels:
    rows = math.ceil((high + _SPARE_PX) / tile.shape[0])
    columns = math.ceil((wide + _SPARE_PX) / tile.shape[1])
    return np.tile(tile, (rows, columns, 1))[: high + _SPARE_PX, : wide + _SPARE_PX]

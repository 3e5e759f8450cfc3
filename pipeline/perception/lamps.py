"""What one signal head shows in one picture."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.types import LampColor, LampLayout, Picture

_SMALLEST_PX = 3
"""A head of fewer pixels across, or a glow of fewer pixels, tells nothing."""

_LIT_CHROMA = 70.0
"""Largest minus smallest channel (0..255) of a lit lamp. In the real clips unlit glass reaches 35 in warm
hues, lit lamps 75 to 200."""
_LIT_BRIGHTNESS = 90.0
_WASHED_OUT_CHROMA = 38.0
"""A green LED overdrives the sensor to near white: the brighter, the less colour will do (lit arrows of the
real clip: chroma 40 to 50 at brightness 235; dark ones: 24 to 39 at 65)."""
_WASHED_OUT_BRIGHTNESS = 170.0

_GREEN_HUES = (60, 98)
"""Of OpenCV's 180. LED green is nearly cyan (85 to 95); foliage stays below 60, the sky's blue above 98."""
_WARM_HUES = (155, 38)
"""Red over orange to yellow, around zero."""
_TRUE_RED = 7
_SINGLE_RED = 11
_SINGLE_YELLOW = 20
"""Some cameras render a red lamp at hue 13 to 18, and real yellow ones lie at 14 to 29: where a head has
three lamps, place decides; one lamp alone is unknown between these two."""

_CORE = 0.6
"""Share of the strongest chroma down to which pixels belong to the glow."""
_LARGEST_GLOW = 0.45
"""Share of a three-lamp head: a larger coloured area is something in front of it, not a lamp."""


class LampReading(NamedTuple):
    """One lamp in one picture."""

    color: LampColor
    confidence: float
    """0..1"""


class _Glow(NamedTuple):
    """The strongest coloured spot of one group of hues."""

    hue: float
    """-25..98 of OpenCV's 180; red runs through zero."""
    place: float
    """Along the head, 0..1 from its red end."""
    chroma: float
    brightness: float
    area: float
    """Share of the crop."""


_UNKNOWN = LampReading(LampColor.UNKNOWN, 0.0)


def read_lamp(crop: Picture, layout: LampLayout) -> LampReading:
    """Read a head cut out of the picture, (h, w, 3) BGR, by the hue of its glow and the glow's place.

    `UNKNOWN` where the crop is too small, or what it shows contradicts itself: two colours, a colour at the
    wrong end, a coloured surface larger than a lamp. `OFF` where nothing glows.
    """
    if min(crop.shape[:2]) < _SMALLEST_PX:
        return _UNKNOWN
    hsv = cv2.cvtColor(crop, cv2.COLOR_BGR2HSV)
    brightness = crop.max(axis=2).astype(np.float32)
    chroma = brightness - crop.min(axis=2)
    hue = hsv[:, :, 0].astype(np.float32)
    hue = np.where(hue >= _WARM_HUES[0], hue - 180, hue)

    warm = _glow(hue <= _WARM_HUES[1], hue, chroma, brightness, layout)
    green = _glow((hue >= _GREEN_HUES[0]) & (hue <= _GREEN_HUES[1]), hue, chroma, brightness, layout)
    warm_lit = warm is not None and warm.brightness >= _LIT_BRIGHTNESS and warm.chroma >= _LIT_CHROMA
    green_lit = (
        green is not None
        and green.brightness >= _LIT_BRIGHTNESS
        and green.chroma >= _green_chroma_needed(green.brightness)
    )
    if warm_lit and green_lit and warm is not None and green is not None:
        weaker, stronger = sorted((warm, green), key=lambda glow: glow.chroma * glow.area)
        if weaker.chroma * weaker.area > 0.3 * stronger.chroma * stronger.area:
            return _UNKNOWN
        warm_lit, green_lit = stronger is warm, stronger is green
    if not warm_lit and not green_lit:
        strongest = max((glow.chroma for glow in (warm, green) if glow is not None), default=0.0)
        return LampReading(LampColor.OFF, float(np.clip(1 - strongest / _LIT_CHROMA, 0.1, 1)))
    glow = warm if warm_lit else green
    if glow is None or (layout != "single" and glow.area > _LARGEST_GLOW):
        return _UNKNOWN
    color = _color(glow, layout)
    if color is LampColor.UNKNOWN:
        return _UNKNOWN
    return LampReading(color, float(np.clip(glow.chroma / (2 * _LIT_CHROMA), 0.3, 1)))


def _green_chroma_needed(brightness: float) -> float:
    """From `_LIT_CHROMA` at `_LIT_BRIGHTNESS`, on a straight line, to `_WASHED_OUT_CHROMA`."""
    bounds = (_LIT_BRIGHTNESS, _WASHED_OUT_BRIGHTNESS)
    return float(np.interp(brightness, bounds, (_LIT_CHROMA, _WASHED_OUT_CHROMA)))


def _color(glow: _Glow, layout: LampLayout) -> LampColor:
    """The colour that hue and place agree on; place decides between red, orange and yellow hues."""
    if layout == "single":
        if glow.hue >= _GREEN_HUES[0]:
            return LampColor.GREEN
        if glow.hue <= _SINGLE_RED:
            return LampColor.RED
        return LampColor.YELLOW if glow.hue >= _SINGLE_YELLOW else LampColor.UNKNOWN
    if glow.hue >= _GREEN_HUES[0]:
        return LampColor.GREEN if glow.place > 0.45 else LampColor.UNKNOWN
    if glow.hue <= _TRUE_RED:
        return LampColor.RED if glow.place < 0.6 else LampColor.UNKNOWN
    if glow.place < 0.38:
        return LampColor.RED
    return LampColor.YELLOW if glow.place < 0.7 else LampColor.UNKNOWN


def _glow(
    allowed: npt.NDArray[np.bool_],
    hue: npt.NDArray[np.float32],
    chroma: npt.NDArray[np.float32],
    brightness: npt.NDArray[np.float32],
    layout: LampLayout,
) -> _Glow | None:
    """The largest connected spot of allowed hues around the strongest chroma."""
    strength = np.where(allowed, chroma, 0)
    # The few strongest pixels may be noise of the sensor: the third must agree.
    peak = float(np.partition(strength, -_SMALLEST_PX, axis=None)[-_SMALLEST_PX])
    if peak < _WASHED_OUT_CHROMA / 2:
        return None
    mask = (strength >= _CORE * peak).astype(np.uint8)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    largest = 1 + int(stats[1:count, cv2.CC_STAT_AREA].argmax())
    spot = labels == largest
    pixels = int(stats[largest, cv2.CC_STAT_AREA])
    if pixels < _SMALLEST_PX:
        return None
    weight = chroma[spot]
    x, y = centres[largest]
    height, width = chroma.shape
    place = (x + 0.5) / width if layout == "horizontal" else (y + 0.5) / height
    return _Glow(
        hue=float(np.average(hue[spot], weights=weight)),
        place=float(place),
        chroma=float(np.percentile(weight, 80)),
        brightness=float(np.percentile(brightness[spot], 80)),
        area=pixels / chroma.size,
    )

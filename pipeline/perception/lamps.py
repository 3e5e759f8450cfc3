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
_LARGEST_BEYOND = 2.5
"""What a glow covers around its head, of what it covers in it: more is a bus in front. Bloom at night reaches
1.0, a surface that hides a lamp has 4 to 8."""
_EVERYWHERE = (slice(None), slice(None))


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
    """Share of the head."""
    core: float
    """Least chroma of its pixels."""


_UNKNOWN = LampReading(LampColor.UNKNOWN, 0.0)


def read_lamp(picture: Picture, layout: LampLayout, head: tuple[slice, slice] = _EVERYWHERE) -> LampReading:
    """Read the head in these rows and columns of a picture, (h, w, 3) BGR, by its glow's hue and place.

    `UNKNOWN` where the head is too small, or what it shows contradicts itself: two colours, a colour at the
    wrong end, a coloured surface that is larger than a lamp or goes on around the head. `OFF` where nothing
    glows.
    """
    if min(picture[head].shape[:2]) < _SMALLEST_PX:
        return _UNKNOWN
    hue, chroma, brightness = _planes(picture[head])
    warm = _glow(_is_warm(hue), hue, chroma, brightness, layout)
    green = _glow(_is_green(hue), hue, chroma, brightness, layout)
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
    if glow is None or (layout != "single" and glow.area > _LARGEST_GLOW) or _goes_on(picture, head, glow):
        return _UNKNOWN
    color = _color(glow, layout)
    if color is LampColor.UNKNOWN:
        return _UNKNOWN
    return LampReading(color, float(np.clip(glow.chroma / (2 * _LIT_CHROMA), 0.3, 1)))


def _planes(
    picture: Picture,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Hue (-25..154, see `_Glow`), chroma and brightness (0..255), each (h, w)."""
    brightness = picture.max(axis=2).astype(np.float32)
    hue = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)[:, :, 0].astype(np.float32)
    return np.where(hue >= _WARM_HUES[0], hue - 180, hue), brightness - picture.min(axis=2), brightness


def _is_warm(hue: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    return hue <= _WARM_HUES[1]


def _is_green(hue: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    return (hue >= _GREEN_HUES[0]) & (hue <= _GREEN_HUES[1])


def _goes_on(picture: Picture, head: tuple[slice, slice], glow: _Glow) -> bool:
    """Whether the glow is part of a surface that goes on around the head, further than bloom does: as far as
    the head is wide is looked."""
    (top, bottom, _), (left, right, _) = (
        each.indices(length) for each, length in zip(head, picture.shape, strict=False)
    )
    margin = min(bottom - top, right - left)
    above, before = max(0, top - margin), max(0, left - margin)
    hue, chroma, _ = _planes(picture[above : bottom + margin, before : right + margin])
    allowed = _is_green(hue) if glow.hue >= _GREEN_HUES[0] else _is_warm(hue)
    mask = (allowed & (chroma >= glow.core)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    own = labels[top - above : bottom - above, left - before : right - before]
    inside = np.bincount(own.ravel(), minlength=count)
    inside[0] = 0
    surface = int(inside.argmax())
    beyond = int(stats[surface, cv2.CC_STAT_AREA]) - int(inside[surface])
    return beyond > _LARGEST_BEYOND * int(inside[surface])


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
        core=_CORE * peak,
    )

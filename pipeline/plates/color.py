"""The ground's colour of a plate."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.types import Picture, PlateColor

_DULL = 70
"""Saturation (0..255) below which nothing has a colour: grey light and shade only lower it."""
_DARK = 40
"""Value (0..255) below which no colour can be told."""
_YELLOW = (12, 38)
_BLUE = (92, 132)
_RED = ((0, 11), (165, 180))
"""Spans of hue in halves of a degree, as OpenCV counts it."""
_MOSTLY = 0.5
"""A dark ground covers at least this much: red letters on white (diplomats') cover less."""


def ground_color(line: Picture) -> PlateColor | None:
    """The ground's colour of a plate, of which `line` shows characters and what is between them, no rim.

    Light and dark are parted by Otsu's threshold (1979). Black is written on white and yellow, white on blue
    and red: so a light part that is yellow is a yellow ground, a dark one that is blue or red and large is a
    blue or red ground, and everything else is white. None in the dark.
    """
    if line.size == 0:
        return None
    grey = cv2.cvtColor(line, cv2.COLOR_BGR2GRAY)
    _, mask = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    light = mask > 0
    if light.all() or not light.any():
        return None
    hue, saturation, value = _middle(line[light])
    if value < _DARK:
        return None
    if saturation >= _DULL and _YELLOW[0] <= hue <= _YELLOW[1]:
        return "yellow"
    hue, saturation, value = _middle(line[~light])
    if np.mean(~light) >= _MOSTLY and saturation >= _DULL and value >= _DARK:
        if _BLUE[0] <= hue <= _BLUE[1]:
            return "blue"
        if any(low <= hue <= high for low, high in _RED):
            return "red"
    return "white"


def _middle(pixels: npt.NDArray[np.uint8]) -> tuple[int, int, int]:
    """Hue, saturation and value of the median."""
    median = np.median(pixels, axis=0).astype(np.uint8).reshape(1, 1, 3)
    hue, saturation, value = (int(each) for each in cv2.cvtColor(median, cv2.COLOR_BGR2HSV)[0, 0])
    return hue, saturation, value

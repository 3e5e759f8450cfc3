"""The ground's colour of a plate."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.types import Picture, PlateColor

_DULL = 70
"""Saturation (0..255) below which a ground is white: grey light and shade only lower it."""
_DARK = 45
"""Value (0..255) below which no colour can be told."""
_HUES: tuple[tuple[int, int, PlateColor], ...] = (
    (0, 11, "red"),
    (12, 38, "yellow"),
    (90, 132, "blue"),
    (165, 180, "red"),
)
"""Hue in halves of a degree, as OpenCV counts it."""


def ground_color(plate: Picture) -> PlateColor | None:
    """The colour of most of `plate`, a cut-out of the plate's lines; None where it cannot be told.

    Ink and ground are parted by brightness (Otsu 1979); the ground is the larger part, whichever is lighter.
    """
    if plate.size == 0:
        return None
    grey = cv2.cvtColor(plate, cv2.COLOR_BGR2GRAY)
    _, light = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    ground = light > 0
    if np.count_nonzero(ground) < ground.size / 2:
        ground = ~ground
    hsv = cv2.cvtColor(np.median(plate[ground], axis=0).astype(np.uint8).reshape(1, 1, 3), cv2.COLOR_BGR2HSV)
    hue, saturation, value = (int(each) for each in hsv[0, 0])
    if value < _DARK:
        return None
    if saturation < _DULL:
        return "white"
    return next((name for low, high, name in _HUES if low <= hue <= high), None)

"""Lines, areas, boxes and signs on a picture: they show on any ground and cover nothing that matters."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.evidence.text import Color, label
from pipeline.evidence.words import GEOMETRY
from pipeline.types import Box, LampColor, Picture, Point

INK: Color = (24, 20, 18)
PAPER: Color = (255, 255, 255)
VEHICLE: Color = (0, 208, 255)
LAMP_COLORS: dict[LampColor, Color] = {
    LampColor.RED: (70, 70, 255),
    LampColor.YELLOW: (0, 200, 255),
    LampColor.GREEN: (90, 210, 70),
    LampColor.OFF: (190, 190, 190),
    LampColor.UNKNOWN: (190, 190, 190),
}
_LINE: Color = (255, 90, 255)
_LANE: Color = (255, 200, 60)
_SHIFT = 4
"""Fractional bits of OpenCV's drawing coordinates."""

Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


class Shape:
    """A line or an area of the scene; rules name it "what id", such as "stop_line south"."""

    def __init__(self, name: str, points: Sequence[Point]) -> None:
        """Two points or more."""
        what, _, part_id = name.partition(" ")
        self.points = points
        self.text = f"{GEOMETRY.get(what, what.replace('_', ' '))} {part_id}"
        self.is_arrow = what == "direction"
        is_line = what.endswith("line")
        self.is_open = len(points) == 2 or self.is_arrow or is_line or what == "clearance"
        self.color = _LINE if is_line else _LANE


class Drawing:
    """A copy of a picture, and the places in it that signs must keep clear of."""

    def __init__(self, picture: Picture, unit: float, text_px: int | None = None) -> None:
        """`unit` is how many pixels a fine line has; `text_px` the height of signs, by `unit` where None."""
        self._original = picture
        self.canvas = picture.copy()
        self._height, self._width = picture.shape[:2]
        self._unit = unit
        self._text = text_px or max(10, round(12 * unit))
        self._occupied: list[Rect] = []

    def occupy(self, box: Box) -> None:
        """Keep signs off `box` and its frame."""
        self._occupied.append(self._rect(box, self._px(3)))

    def shape(self, shape: Shape) -> None:
        """A line, or the outline of an area with a light fill."""
        pixels = self._pixels(shape.points)
        if shape.is_arrow:
            self._way(shape.points, shape.color, 2)
            return
        if not shape.is_open:
            tinted = self.canvas.copy()
            cv2.fillPoly(tinted, [pixels], shape.color, cv2.LINE_AA, _SHIFT)
            cv2.addWeighted(tinted, 0.14, self.canvas, 0.86, 0, self.canvas)
        self._stroke(pixels, shape.color, self._px(2), closed=not shape.is_open)

    def clear_sight(self, box: Box) -> None:
        """Let the vehicle shine through what was drawn over it."""
        left, top, right, bottom = self._rect(box, 0)
        if left < right and top < bottom:
            drawn = self.canvas[top:bottom, left:right]
            cv2.addWeighted(self._original[top:bottom, left:right], 0.6, drawn, 0.4, 0, drawn)

    def path(self, points: Sequence[Point]) -> None:
        """The ground contact's way; two points or more."""
        self._way(points, PAPER, 1.5)

    def dot(self, point: Point) -> None:
        """The ground contact at the decisive moment."""
        center = self._pixels([point])[0]
        radius = round(self._unit * 4 * (1 << _SHIFT))
        for extra, color in ((1.5, INK), (0.0, VEHICLE)):
            grown = radius + round(self._unit * extra * (1 << _SHIFT))
            cv2.circle(self.canvas, center.tolist(), grown, color, cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def box(self, box: Box, color: Color, text: str) -> None:
        """A frame around `box`, outside of it, and its sign beside it."""
        width = self._px(2)
        left, top, right, bottom = self._rect(box, width)
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int32) << _SHIFT
        self._stroke(corners, color, width, closed=True)
        sign = label(text, self._text, INK, color)
        sign_height, sign_width = sign.shape[:2]
        gap = self._px(2)
        above, below = top - gap - sign_height, bottom + gap
        self._place(
            sign,
            [
                (left - width // 2, above),
                (right + width // 2 - sign_width, above),
                (right + gap, top),
                (left - gap - sign_width, top),
                (left - width // 2, below),
                (right + width // 2 - sign_width, below),
            ],
        )

    def name(self, shape: Shape) -> None:
        """A shape's sign, at one of its corners."""
        sign = label(shape.text, max(9, round(self._text * 0.8)), shape.color, INK)
        height, width = sign.shape[:2]
        gap = self._px(4)
        ends = [(x >> _SHIFT, y >> _SHIFT) for x, y in self._pixels(shape.points).tolist()]
        places = [
            place
            for x, y in ends
            for place in (
                (x, y - gap - height),
                (x, y + gap),
                (x - width, y - gap - height),
                (x - width, y + gap),
            )
        ]
        self._place(sign, places)

    def _place(self, sign: Picture, places: Sequence[tuple[int, int]]) -> None:
        """Put a sign at the first free place; where there is none it is left out, the caption says it too."""
        height, width = sign.shape[:2]
        for x, y in places:
            # A sign that sticks out a little is moved in.
            left = min(max(x, 0), self._width - width)
            top = min(max(y, 0), self._height - height)
            rect = (left, top, left + width, top + height)
            if left < 0 or top < 0 or any(overlap(rect, other) for other in self._occupied):
                continue
            self.canvas[top : top + height, left : left + width] = sign
            self._occupied.append(rect)
            return

    def _stroke(self, pixels: npt.NDArray[np.int32], color: Color, width: int, *, closed: bool) -> None:
        """An anti-aliased line with a dark edge, so that it shows on any ground."""
        for thickness, ink in ((width + self._px(1.5), INK), (width, color)):
            cv2.polylines(self.canvas, [pixels], closed, ink, thickness, cv2.LINE_AA, _SHIFT)

    def _way(self, points: Sequence[Point], color: Color, width: float) -> None:
        if len(points) > 2:
            self._stroke(self._pixels(points[:-1]), color, self._px(width), closed=False)
        self._arrow(points[-2], points[-1], color)

    def _arrow(self, start: Point, end: Point, color: Color) -> None:
        (x0, y0), (x1, y1) = self._pixels([start, end]) / (1 << _SHIFT)
        length = float(np.hypot(x1 - x0, y1 - y0))
        if length < 1:
            return
        head = self._unit * 9
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        base = np.array([x1 - ux * head, y1 - uy * head])
        side = np.array([-uy, ux]) * head * 0.5
        shaft = np.array([(x0, y0), base]) * (1 << _SHIFT)
        self._stroke(np.rint(shaft).astype(np.int32), color, self._px(1.5), closed=False)
        tip = np.rint(np.array([(x1, y1), base + side, base - side]) * (1 << _SHIFT)).astype(np.int32)
        self._stroke(tip, color, 1, closed=True)
        cv2.fillPoly(self.canvas, [tip], color, cv2.LINE_AA, _SHIFT)

    def _pixels(self, points: Sequence[Point]) -> npt.NDArray[np.int32]:
        """(N, 2) fixed-point pixels; far outside is pulled in, OpenCV's integers overflow."""
        scale = np.array([self._width, self._height]) * (1 << _SHIFT)
        pixels: npt.NDArray[np.int32] = np.rint(
            np.clip(np.asarray(points, np.float64), -1, 2) * scale
        ).astype(np.int32)
        return pixels

    def _rect(self, box: Box, margin: int) -> Rect:
        left, top, right, bottom = np.clip(box, 0, 1) * np.tile([self._width, self._height], 2)
        return (
            max(int(left) - margin, 0),
            max(int(top) - margin, 0),
            min(round(right) + margin, self._width),
            min(round(bottom) + margin, self._height),
        )

    def _px(self, size: float) -> int:
        return max(1, round(size * self._unit))


def overlap(one: Rect, other: Rect) -> bool:
    """Whether two rectangles share a pixel."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

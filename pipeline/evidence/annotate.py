"""The annotated copy of the decisive still: what was judged, drawn so that an officer sees it at a glance.

The caption stands below the picture and signs stand beside what they name, so nothing written ever covers
the vehicle. OpenCV draws (it lets other threads run); Pillow only sets the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from numbers import Real
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.config import CameraSettings
from pipeline.evidence.text import Color, Panel, fit, font, label
from pipeline.evidence.words import GEOMETRY, KINDS, LAMPS, TIME_SOURCES, rule_words
from pipeline.types import Box, Hit, LampColor, Picture, Point

_VIETNAM = timezone(timedelta(hours=7), "UTC+7")

_INK: Color = (24, 20, 18)
_PAPER: Color = (255, 255, 255)
_MUTED: Color = (190, 184, 178)
_VEHICLE: Color = (0, 208, 255)
_LINE: Color = (255, 90, 255)
_LANE: Color = (255, 200, 60)
_LAMPS: dict[LampColor, Color] = {
    LampColor.RED: (70, 70, 255),
    LampColor.YELLOW: (0, 200, 255),
    LampColor.GREEN: (90, 210, 70),
    LampColor.OFF: (190, 190, 190),
    LampColor.UNKNOWN: (190, 190, 190),
}
_SHIFT = 4
"""Fractional bits of OpenCV's drawing coordinates."""

Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


def annotate(
    picture: Picture, hit: Hit, *, captured_at_s: float, camera: CameraSettings, event_id: str, worker_id: str
) -> Picture:
    """A copy of `picture` with the act drawn in, and a caption below it: (H + caption, W, 3).

    `captured_at_s` is the picture's own capture time. Raises OSError when the font is not installed.
    """
    height, width = picture.shape[:2]
    unit = max(0.75, min(width / 640, height / 480))
    drawing = _Drawing(picture, unit)
    drawing.occupy(hit.at.box)
    for box, _ in hit.lamps.values():
        drawing.occupy(box)
    geometry = [_Shape(name, points) for name, points in hit.geometry.items() if len(points) > 1]
    for shape in sorted(geometry, key=lambda shape: shape.is_open):
        drawing.shape(shape)
    drawing.path(_trajectory(hit))
    drawing.clear_sight(hit.at.box)
    for box, color in hit.lamps.values():
        drawing.box(box, _LAMPS[color], LAMPS[color][0])
    drawing.box(hit.at.box, _VEHICLE, f"{KINDS[hit.kind][0]} #{hit.track_id}")
    drawing.dot(hit.at.ground)
    # Signs of what is drawn come last, on top, and where there is still room.
    for shape in geometry:
        drawing.name(shape)
    rows = caption_rows(hit, captured_at_s, camera, event_id, worker_id)
    return np.vstack([drawing.canvas, _caption(width, unit, rows)])


class _Shape:
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


class _Drawing:
    """A copy of a picture, and the places in it that signs must keep clear of."""

    def __init__(self, picture: Picture, unit: float) -> None:
        self._original = picture
        self.canvas = picture.copy()
        self._height, self._width = picture.shape[:2]
        self._unit = unit
        self._occupied: list[Rect] = []

    def occupy(self, box: Box) -> None:
        """Keep signs off `box` and its frame."""
        self._occupied.append(self._rect(box, self._px(3)))

    def shape(self, shape: _Shape) -> None:
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
        self._way(points, _PAPER, 1.5)

    def dot(self, point: Point) -> None:
        """The ground contact at the decisive moment."""
        center = self._pixels([point])[0]
        radius = round(self._unit * 4 * (1 << _SHIFT))
        for extra, color in ((1.5, _INK), (0.0, _VEHICLE)):
            grown = radius + round(self._unit * extra * (1 << _SHIFT))
            cv2.circle(self.canvas, center.tolist(), grown, color, cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def box(self, box: Box, color: Color, text: str) -> None:
        """A frame around `box`, outside of it, and its sign beside it."""
        width = self._px(2)
        left, top, right, bottom = self._rect(box, width)
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int32) << _SHIFT
        self._stroke(corners, color, width, closed=True)
        sign = label(text, self._text_px(), _INK, color)
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

    def name(self, shape: _Shape) -> None:
        """A shape's sign, at one of its corners."""
        sign = label(shape.text, max(9, round(self._text_px() * 0.8)), shape.color, _INK)
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
            if left < 0 or top < 0 or any(_overlap(rect, other) for other in self._occupied):
                continue
            self.canvas[top : top + height, left : left + width] = sign
            self._occupied.append(rect)
            return

    def _stroke(self, pixels: npt.NDArray[np.int32], color: Color, width: int, *, closed: bool) -> None:
        """An anti-aliased line with a dark edge, so that it shows on any ground."""
        for thickness, ink in ((width + self._px(1.5), _INK), (width, color)):
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

    def _text_px(self) -> int:
        return max(10, round(12 * self._unit))


def _overlap(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _trajectory(hit: Hit) -> list[Point]:
    """The way as the rule gives it in its facts, else the three moments' ground points."""
    given = hit.facts.get("trajectory")
    if isinstance(given, Sequence) and not isinstance(given, str):
        points = [(float(point[-2]), float(point[-1])) for point in given if _is_point(point)]
        if len(points) == len(given) > 1:
            return points
    return [hit.before.ground, hit.at.ground, hit.after.ground]


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, Sequence)
        and len(point) in (2, 3)
        and all(isinstance(part, Real) and np.isfinite(float(part)) for part in point)
    )


def caption_rows(
    hit: Hit, captured_at_s: float, camera: CameraSettings, event_id: str, worker_id: str
) -> list[tuple[str, str]]:
    """Left and right text of each row."""
    title_vi, title_en = rule_words(hit.rule)
    kind_vi, kind_en = KINDS[hit.kind]
    local = datetime.fromtimestamp(round(captured_at_s, 3), _VIETNAM)
    utc = local.astimezone(UTC)
    millis = f"{local.microsecond // 1000:03d}"
    place = " · ".join(part for part in (camera.name, camera.place) if part)
    return [
        (title_vi, f"{local:%d/%m/%Y %H:%M:%S}.{millis} UTC+7"),
        (
            title_en if title_en != title_vi else "",
            f"{utc:%Y-%m-%dT%H:%M:%S}.{millis}Z · ±{hit.time.uncertainty_ms:.0f} ms · "
            f"{TIME_SOURCES[hit.time.source]}",
        ),
        (f"{place} [{hit.camera_id}]" if place else hit.camera_id, f"{kind_vi} / {kind_en} #{hit.track_id}"),
        (_proof(hit.lamps, hit.facts), f"{worker_id} · {event_id}"),
    ]


def _proof(lamps: Mapping[str, tuple[Box, LampColor]], facts: Mapping[str, Any]) -> str:
    if lamps:
        age_s = facts.get("red_age_s")
        governing = {facts.get("lamp"): f" {age_s:.1f} s" if isinstance(age_s, int | float) else ""}
        states = (
            f"{lamp_id}: {' / '.join(LAMPS[color])}{governing.get(lamp_id, '')}"
            for lamp_id, (_, color) in lamps.items()
        )
        return "Đèn / lamp " + ", ".join(states)
    figures = (f"{name} {value:.4g}" for name, value in facts.items() if isinstance(value, int | float))
    return " · ".join(figures)


def _caption(width: int, unit: float, rows: Sequence[tuple[str, str]]) -> Picture:
    """Two columns under the picture; the right one keeps its room, the left one is cut where it must."""
    big, small = max(13, round(17 * unit)), max(9, round(11 * unit))
    pad = round(9 * unit)
    leading = round(small * 1.5)
    height = round(pad * 1.6 + big * 1.15 + leading * (len(rows) - 1))
    panel = Panel(width, height, _INK)
    panel.fill(0, 0, max(3, round(4 * unit)), height, _VEHICLE)
    baseline = pad + big * 0.8
    for number, (left, right) in enumerate(rows):
        is_title = number == 0
        face = font(big, bold=True) if is_title else font(small)
        right_face = font(round(big * 0.85), bold=True) if is_title else face
        room = width - 3 * pad
        right = fit(right, right_face, room * 0.7)
        left = fit(left, face, room - right_face.getlength(right) - pad)
        panel.write(2 * pad, baseline, left, face, _PAPER if is_title or number == 2 else _MUTED)
        right_x = width - pad - right_face.getlength(right)
        panel.write(right_x, baseline, right, right_face, _PAPER if is_title else _MUTED)
        baseline += leading
    return panel.picture()

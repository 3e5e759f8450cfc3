"""The annotated copy of the decisive still: what was judged, drawn so that an officer sees it at a glance.

The caption stands below the picture and signs stand beside what they name, so nothing written ever covers
the vehicle. OpenCV draws (it lets other threads run); Pillow only sets the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from numbers import Real
from typing import Any

import numpy as np

from pipeline.config import CameraSettings
from pipeline.evidence.drawing import INK, LAMP_COLORS, PAPER, VEHICLE, Drawing, Shape
from pipeline.evidence.text import Color, Panel, fit, font
from pipeline.evidence.words import KINDS, LAMPS, TIME_SOURCES, rule_words
from pipeline.types import Box, Hit, LampColor, Picture, Point

_VIETNAM = timezone(timedelta(hours=7), "UTC+7")

_MUTED: Color = (190, 184, 178)


def annotate(
    picture: Picture, hit: Hit, *, captured_at_s: float, camera: CameraSettings, event_id: str, worker_id: str
) -> Picture:
    """A copy of `picture` with the act drawn in, and a caption below it: (H + caption, W, 3).

    `captured_at_s` is the picture's own capture time. Raises OSError when the font is not installed.
    """
    height, width = picture.shape[:2]
    unit = max(0.75, min(width / 640, height / 480))
    drawing = Drawing(picture, unit)
    drawing.occupy(hit.at.box)
    for box, _ in hit.lamps.values():
        drawing.occupy(box)
    geometry = [Shape(name, points) for name, points in hit.geometry.items() if len(points) > 1]
    for shape in sorted(geometry, key=lambda shape: shape.is_open):
        drawing.shape(shape)
    drawing.path(trajectory(hit))
    drawing.clear_sight(hit.at.box)
    for box, color in hit.lamps.values():
        drawing.box(box, LAMP_COLORS[color], LAMPS[color][0])
    drawing.box(hit.at.box, VEHICLE, f"{KINDS[hit.kind][0]} #{hit.track_id}")
    drawing.dot(hit.at.ground)
    # Signs of what is drawn come last, on top, and where there is still room.
    for shape in geometry:
        drawing.name(shape)
    rows = caption_rows(hit, captured_at_s, camera, event_id, worker_id)
    return np.vstack([drawing.canvas, _caption(width, unit, rows)])


def trajectory(hit: Hit) -> list[Point]:
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
    panel = Panel(width, height, INK)
    panel.fill(0, 0, max(3, round(4 * unit)), height, VEHICLE)
    baseline = pad + big * 0.8
    for number, (left, right) in enumerate(rows):
        is_title = number == 0
        face = font(big, bold=True) if is_title else font(small)
        right_face = font(round(big * 0.85), bold=True) if is_title else face
        room = width - 3 * pad
        right = fit(right, right_face, room * 0.7)
        left = fit(left, face, room - right_face.getlength(right) - pad)
        panel.write(2 * pad, baseline, left, face, PAPER if is_title or number == 2 else _MUTED)
        right_x = width - pad - right_face.getlength(right)
        panel.write(right_x, baseline, right, right_face, PAPER if is_title else _MUTED)
        baseline += leading
    return panel.picture()

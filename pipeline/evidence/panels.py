"""The pictures of the composite: one view for all three moments, bystanders hidden, the act drawn in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.evidence.annotate import trajectory
from pipeline.evidence.blur import OWN, blur, share_inside
from pipeline.evidence.drawing import INK, LAMP_COLORS, VEHICLE, Drawing, Rect, Shape, overlap
from pipeline.evidence.record import Record
from pipeline.evidence.sheet import resized
from pipeline.types import Box, LampColor, Picture, Point, RoadUserKind, TrackPoint

ROLES = ("before", "at", "after")

_LEAST_SHARE = 0.42
"""Of the picture's width in view: the place must be known again."""
_AIR = 1.3
"""How much wider than what happened the view is."""
_LAMP_SHARE = 0.8
"""The view is stretched to hold the lamps as long as it is no wider than this."""
_LAMP_PX = 124
_LAMP_AIR = 0.35
_KEEP_AIR = 0.06
"""Of the judged vehicle's box, kept clear around it: a mirror, a wheel, a rider's head stick out."""
_LAMPS_SHOWN = 2
_SIGN_PX = 23
"""Names of lines are four fifths of it, see composite.LEAST_TEXT_PX."""


@dataclass(frozen=True, slots=True)
class View:
    """A part of the picture; may stick out of it where its shape differs."""

    left: float
    top: float
    width: float
    height: float

    def point(self, point: Point) -> Point:
        """A point of the picture (0..1) in the view (0..1)."""
        return ((point[0] - self.left) / self.width, (point[1] - self.top) / self.height)

    def box(self, box: Box) -> Box:
        """A box of the picture in the view."""
        return (*self.point((box[0], box[1])), *self.point((box[2], box[3])))


def view_of(record: Record, size: tuple[int, int], shape: tuple[int, int]) -> View:
    """Where the act is: of pictures of `size`, for panels of `shape` (width, height in pixels)."""
    hit = record.hit
    union = _union([hit.before.box, hit.at.box, hit.after.box])
    with_lamps = _union([union, *(box for box, _ in _lamps(record).values())])
    if (with_lamps[2] - with_lamps[0]) * _AIR <= _LAMP_SHARE:
        union = with_lamps
    left, top, right, bottom = np.clip(union, 0.0, 1.0)
    aspect = shape[0] / shape[1] * size[1] / size[0]
    """Width over height of the view, both as shares of the picture."""
    width = max((right - left) * _AIR, (bottom - top) * _AIR * aspect, _LEAST_SHARE)
    # Rather a smaller part in full than bars, unless something of the act would be left out.
    width = max(min(width, 1.0, aspect), min((right - left), 1.0), (bottom - top) * aspect)
    height = width / aspect
    return View(
        _inside((left + right - width) / 2, width),
        _inside((top + bottom - height) / 2, height),
        width,
        height,
    )


def clear_pictures(record: Record) -> dict[str, Picture]:
    """The shots with everybody hidden but the judged; the shots themselves stay as they are."""
    clear = {}
    lamps = [box for box, _ in record.hit.lamps.values()]
    for role, shot in record.shots.items():
        seen = record.seen.get(role)
        clear[role] = blur(shot.picture, [*_judged(record, role), *lamps], seen)
    return clear


def _judged(record: Record, role: str) -> list[Box]:
    """What is kept clear: the judged one with its riders, or each of a crowd, but not what stands between."""
    box, seen = moment(record, role).box, record.seen.get(role) or ()
    whole = _grown(_union([box, *(each.box for each in seen if each.judged)]), _KEEP_AIR)
    if record.hit.kind is RoadUserKind.PERSON:
        people = [each.box for each in seen if each.what == "person" and share_inside(each.box, whole) >= OWN]
        if len(people) > 1:
            return [_grown(each, _KEEP_AIR) for each in people]
    return [whole]


def moment(record: Record, role: str) -> TrackPoint:
    """The judged road user at the moment of a shot."""
    hit = record.hit
    return {"before": hit.before, "at": hit.at, "after": hit.after}[role]


def panel(record: Record, role: str, picture: Picture, view: View, shape: tuple[int, int]) -> Picture:
    """One picture of the act in `view`, (H, W, 3) of `shape`: lines, way, vehicle, lamps."""
    hit, point = record.hit, moment(record, role)
    drawing = Drawing(_cut(picture, view, shape), max(0.75, shape[0] / 640), _SIGN_PX)
    box = view.box(point.box)
    drawing.occupy(box)
    lamps = _lamps(record)
    for lamp_box, _ in lamps.values():
        drawing.occupy(view.box(lamp_box))
    shapes = [
        Shape(name, [view.point(each) for each in points])
        for name, points in hit.geometry.items()
        if len(points) > 1
    ]
    for each in sorted(shapes, key=lambda each: each.is_open):
        drawing.shape(each)
    way = record.way if len(record.way) > 1 else trajectory(hit)
    drawing.path([view.point(each) for each in way])
    drawing.clear_sight(box)
    drawing.box(box, VEHICLE, f"#{hit.track_id}")
    drawing.dot(view.point(point.ground))
    if role == "at":
        for each in shapes:
            drawing.name(each)
    canvas = drawing.canvas
    taken = [_rect(box, shape)]
    for lamp_id, (lamp_box, _) in lamps.items():
        color = lamp_color(record, role, lamp_id)
        taken.append(_lamp_inset(canvas, picture, lamp_box, LAMP_COLORS[color], taken))
    return canvas


def lamp_color(record: Record, role: str, lamp_id: str) -> LampColor:
    """What a lamp showed at the moment of a shot, as far as the rule tells."""
    facts, (_, color) = record.hit.facts, record.hit.lamps[lamp_id]
    if role == "at":
        return color
    told = facts.get(f"lamp_color_{role}") if facts.get("lamp") == lamp_id else None
    return LampColor(told) if told in set(LampColor) else LampColor.UNKNOWN


def close_up(picture: Picture, box: Box, air: float) -> Picture | None:
    """What is in `box` and around it; None when it lies outside of the picture."""
    height, width = picture.shape[:2]
    left, top, right, bottom = _rect(_grown(box, air), (width, height))
    return picture[top:bottom, left:right] if left < right and top < bottom else None


def _lamps(record: Record) -> Mapping[str, tuple[Box, LampColor]]:
    """Those that are shown, the one that decided first."""
    decided = record.hit.facts.get("lamp")
    ordered = sorted(record.hit.lamps.items(), key=lambda lamp: lamp[0] != decided)
    return dict(ordered[:_LAMPS_SHOWN])


def _lamp_inset(
    canvas: Picture, picture: Picture, box: Box, color: tuple[int, int, int], taken: list[Rect]
) -> Rect:
    """The lamp enlarged in a corner where it covers nothing that matters; where it came to lie."""
    cut = close_up(picture, box, _LAMP_AIR)
    if cut is None:
        return (0, 0, 0, 0)
    height, width = canvas.shape[:2]
    scale = _LAMP_PX / max(cut.shape[:2])
    lamp = resized(cut, (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))))
    edge = 4
    tall, wide = lamp.shape[0] + 2 * edge, lamp.shape[1] + 2 * edge
    corners = [
        (x, y)
        for y in (8, height - 8 - tall)
        for x in (width - 8 - wide, 8, width - 16 - 2 * wide, 16 + wide)
    ]
    left, top = next(
        (
            at
            for at in corners
            if not any(overlap((*at, at[0] + wide, at[1] + tall), other) for other in taken)
        ),
        corners[0],
    )
    canvas[top : top + tall, left : left + wide] = INK
    canvas[top + 1 : top + tall - 1, left + 1 : left + wide - 1] = color
    canvas[top + edge : top + tall - edge, left + edge : left + wide - edge] = lamp
    return left, top, left + wide, top + tall


def _cut(picture: Picture, view: View, shape: tuple[int, int]) -> Picture:
    """The view as a picture of `shape`, dark where the camera saw nothing."""
    height, width = picture.shape[:2]
    panel_picture: Picture = np.full((shape[1], shape[0], 3), INK, np.uint8)
    seen = (
        max(view.left, 0.0),
        max(view.top, 0.0),
        min(view.left + view.width, 1.0),
        min(view.top + view.height, 1.0),
    )
    left, top, right, bottom = _rect(seen, (width, height))
    x0, y0, x1, y1 = _rect(view.box(seen), shape)
    if left < right and top < bottom and x0 < x1 and y0 < y1:
        panel_picture[y0:y1, x0:x1] = resized(picture[top:bottom, left:right], (x1 - x0, y1 - y0))
    return panel_picture


def _rect(box: Box, size: tuple[int, int]) -> Rect:
    left, top, right, bottom = np.rint(np.clip(box, 0, 1) * np.tile(size, 2)).astype(int).tolist()
    return left, top, right, bottom


def _union(boxes: list[Box]) -> Box:
    edges = np.array(boxes)
    left, top = edges[:, :2].min(axis=0).tolist()
    right, bottom = edges[:, 2:].max(axis=0).tolist()
    return left, top, right, bottom


def _grown(box: Box, air: float) -> Box:
    left, top, right, bottom = box
    x, y = (right - left) * air, (bottom - top) * air
    return left - x, top - y, right + x, bottom + y


def _inside(start: float, length: float) -> float:
    """Moved so that it lies in 0..1, or around it where it is longer."""
    return (1 - length) / 2 if length >= 1 else min(max(start, 0.0), 1 - length)

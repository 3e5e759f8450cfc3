"""Plane geometry on points and polylines: plain floats, no units of its own, y down as in a picture.

Angles and distances are only true where both axes have the same unit: `in_proportion` turns points 0..1 of a
picture into picture heights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from pipeline.types import Box, Point

Polyline = Sequence[Point]
"""Two or more points, open."""

Polygon = Sequence[Point]
"""Three or more corners; the last joins the first."""


def in_proportion(points: Iterable[Point], aspect: float) -> tuple[Point, ...]:
    """Points 0..1 of a picture in picture heights; `aspect` is width / height."""
    return tuple((x * aspect, y) for x, y in points)


def minus(a: Point, b: Point) -> Point:
    """The vector from b to a."""
    return (a[0] - b[0], a[1] - b[1])


def dot(u: Point, v: Point) -> float:
    """Scalar product."""
    return u[0] * v[0] + u[1] * v[1]


def cross(u: Point, v: Point) -> float:
    """z of the cross product: positive where v lies clockwise of u as seen on the picture (y down)."""
    return u[0] * v[1] - u[1] * v[0]


def length(polyline: Polyline) -> float:
    """Summed length of its segments."""
    return sum(math.dist(a, b) for a, b in pairwise(polyline))


def unit(vector: Point) -> Point:
    """The vector at length 1. Raises ZeroDivisionError for a zero vector."""
    size = math.hypot(*vector)
    return (vector[0] / size, vector[1] / size)


def turn_deg(u: Point, v: Point) -> float:
    """Signed angle from u to v in degrees, -180..180; positive is a turn to the right on the picture."""
    return math.degrees(math.atan2(cross(u, v), dot(u, v)))


def signed_area(polygon: Polygon) -> float:
    """Shoelace formula; the sign tells the sense of rotation, zero means no area."""
    return sum(cross(a, b) for a, b in pairwise((*polygon, polygon[0]))) / 2


def overlap(one: Box, other: Box) -> tuple[float, float]:
    """Intersection over union of two boxes, and over the smaller of them; 0 and 0 where they do not meet."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0, 0.0
    first, second = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    common = width * height
    return common / (first + second - common), common / min(first, second)


def inside(point: Point, polygon: Polygon) -> bool:
    """Even-odd rule; a point exactly on an edge may fall on either side."""
    x, y = point
    odd = False
    for (ax, ay), (bx, by) in pairwise((*polygon, polygon[0])):
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            odd = not odd
    return odd


def depth(point: Point, polygon: Polygon) -> float:
    """Distance from the polygon's edge: positive inside, negative outside."""
    away = project(point, (*polygon, polygon[0]))[1]
    return away if inside(point, polygon) else -away


def meeting(a: Point, b: Point, c: Point, d: Point) -> tuple[float, float] | None:
    """Where segment a-b meets segment c-d: fractions of both, 0..1 from a and from c.

    None where they do not meet or are parallel.
    """
    u, v = minus(b, a), minus(d, c)
    area = cross(u, v)
    if area == 0:
        return None
    w = minus(c, a)
    along_ab, along_cd = cross(w, v) / area, cross(w, u) / area
    if 0 <= along_ab <= 1 and 0 <= along_cd <= 1:
        return along_ab, along_cd
    return None


def _on_segment(point: Point, a: Point, b: Point) -> bool:
    return (
        cross(minus(b, a), minus(point, a)) == 0
        and min(a[0], b[0]) <= point[0] <= max(a[0], b[0])
        and min(a[1], b[1]) <= point[1] <= max(a[1], b[1])
    )


def _touch(a: Point, b: Point, c: Point, d: Point) -> bool:
    if meeting(a, b, c, d) is not None:
        return True
    return any(_on_segment(p, c, d) for p in (a, b)) or any(_on_segment(p, a, b) for p in (c, d))


def self_crossing(points: Sequence[Point], *, closed: bool) -> tuple[int, int] | None:
    """The first pair of sides (numbered by their first corner) that cross or touch; None for a simple shape.

    Neighbouring sides share a corner and count only where one folds back over the other.
    """
    corners = (*points, points[0]) if closed else tuple(points)
    sides = list(pairwise(corners))
    for i, (a, b) in enumerate(sides):
        for j in range(i + 1, len(sides)):
            c, d = sides[j]
            if j == i + 1:
                folded = _on_segment(d, a, b) or _on_segment(a, c, d)
            elif closed and i == 0 and j == len(sides) - 1:
                folded = _on_segment(c, a, b) or _on_segment(b, c, d)
            else:
                folded = _touch(a, b, c, d)
            if folded:
                return i, j
    return None


def crossed(a: Point, b: Point, line: Polyline) -> float | None:
    """First fraction 0..1 of the way from a to b at which it meets `line`; None where it does not."""
    met = [m[0] for c, d in pairwise(line) if (m := meeting(a, b, c, d)) is not None]
    return min(met, default=None)


def project(point: Point, line: Polyline) -> tuple[float, float, Point]:
    """The nearest place on `line`: its distance along the line, its distance from `point`, and the unit
    direction of the line there.
    """
    best: tuple[float, float, Point] | None = None
    start = 0.0
    for a, b in pairwise(line):
        size = math.dist(a, b)
        direction = unit(minus(b, a))
        along = min(max(dot(minus(point, a), direction), 0.0), size)
        away = math.dist(point, (a[0] + along * direction[0], a[1] + along * direction[1]))
        if best is None or away < best[1]:
            best = (start + along, away, direction)
        start += size
    if best is None:
        raise ValueError("a line needs two points")
    return best


def signed_distance(point: Point, line: Polyline, towards: Point) -> float:
    """Distance from the straight continuation of the nearest segment: positive on the side that `towards`
    points to, negative on the other.
    """
    a, b = min(pairwise(line), key=lambda segment: project(point, segment)[1])
    along = unit(minus(b, a))
    normal = (-along[1], along[0])
    if dot(normal, towards) < 0:
        normal = (along[1], -along[0])
    return dot(minus(point, a), normal)

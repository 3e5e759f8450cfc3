"""A box as it was seen, and whether a trajectory can have led there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

from pipeline.rules.step import at_edge
from pipeline.types import FrameTime, Point, TrackPoint

HALF_WINDOW_S = 0.35
"""At 5 to 6 pictures a second this takes in two neighbours on either side."""

MAX_GAP_S = 2.0
"""A track unseen for longer is a new trajectory, or ended."""

LEAP_HEIGHTS = 1.0
"""A point further than this from where the trajectory led (in box heights, and as much again per second of
gap) belongs to another road user: a new trajectory."""

SWIFT_HEIGHTS_S, SWIFT_S = 15.0, 0.5
"""As fast (box heights a second, some 80 km/h) the second point of a trajectory may be away from the first,
if no later than this: how fast somebody is, only that tells. The third must be where these two lead."""

TOP_LEAP_HEIGHTS = 0.4
"""The same for the top of a box that the picture's edge cuts: there a track goes over from who leaves to who
comes, and the ground point, held by the edge, does not leap."""


class Spot(NamedTuple):
    """Where a point of the picture is on the ground, in metres."""

    ground: Point | None
    fall: Point
    """How far down the picture a metre of the ground's x and y leads."""
    rise: Point
    """How far on the ground one picture height up leads."""
    width_m: float
    """Of the whole picture, if all of it were as far away."""


NOWHERE = Spot(None, (0.0, 0.0), (0.0, 0.0), 0.0)


class Seen(NamedTuple):
    """A box as it was seen; lengths in picture heights."""

    time_s: float
    x: float
    y: float
    height: float
    raw: TrackPoint
    time: FrameTime
    there: Spot
    tall_m: float
    """What the height of its box would be on something upright there; 0 without calibration."""
    covered: bool = False
    """The foot of its box lies in that of somebody nearer."""
    hidden: bool = False


def fit(
    times: Sequence[float], weights: Sequence[float], *series: Sequence[float]
) -> list[tuple[float, float]]:
    """Weighted least squares line through each series of (t, v): its value at t = 0 and its slope."""
    total = sum(weights)
    mean_t = sum(map(mul, weights, times)) / total
    leverage = [w * (t - mean_t) for w, t in zip(weights, times, strict=True)]
    spread = sum(map(mul, leverage, times))
    lines = []
    for values in series:
        mean_v = sum(map(mul, weights, values)) / total
        slope = sum(map(mul, leverage, values)) / spread if spread > 0 else 0.0
        lines.append((mean_v - slope * mean_t, slope))
    return lines


def _leaps(last: Seen, seen: Seen) -> bool:
    """Whether a box is not where one that stands can be found again."""
    return math.dist((seen.x, seen.y), (last.x, last.y)) > LEAP_HEIGHTS * _reach(last, seen)


def _reach(last: Seen, seen: Seen) -> float:
    """By how much, in picture heights, a box may miss where it was led to."""
    return (1 + seen.time_s - last.time_s) * max(seen.height, last.height)


def is_no_start(first: Seen, second: Seen, seen: Seen) -> bool:
    """Whether the first two points of a trajectory are far apart, and the third does not go on from them:
    somebody who is swift has an even way, an identity that goes from one to another has none.
    """
    if not _leaps(first, second):
        return False
    share = (seen.time_s - second.time_s) / (second.time_s - first.time_s)
    led = (second.x + share * (second.x - first.x), second.y + share * (second.y - first.y))
    return math.dist((seen.x, seen.y), led) > LEAP_HEIGHTS * _reach(second, seen)


def is_away(points: Sequence[Seen], seen: Seen) -> bool:
    """Whether a second point is further from the first than anybody is so soon."""
    [first] = points
    gap_s = seen.time_s - first.time_s
    if gap_s > SWIFT_S:
        return breaks(points, seen)
    way = math.dist((seen.x, seen.y), (first.x, first.y))
    return way > (1 + SWIFT_HEIGHTS_S * gap_s) * max(seen.height, first.height)


def breaks(points: Sequence[Seen], seen: Seen) -> bool:
    """Whether a box is not where the trajectory so far can have led."""
    last = points[-1]
    gap_s = seen.time_s - last.time_s
    if gap_s > MAX_GAP_S:
        return True
    recent = [point for point in points if point.time_s >= last.time_s - HALF_WINDOW_S]
    times = [point.time_s - last.time_s for point in recent]
    xs, ys, tops = ([p.x for p in recent], [p.y for p in recent], [p.y - p.height for p in recent])
    (x, vx), (y, vy), (top, v_top) = fit(times, [1.0] * len(recent), xs, ys, tops)
    led_on = math.dist((seen.x, seen.y), (x + vx * gap_s, y + vy * gap_s))
    length = _reach(last, seen)
    if led_on > LEAP_HEIGHTS * length and _leaps(last, seen):
        return True
    now = seen.y - seen.height
    leap = min(abs(now - top - v_top * gap_s), abs(now - last.y + last.height))
    return at_edge(last.raw.box) and leap > TOP_LEAP_HEIGHTS * length

"""Lengths between steps, and from lines and places: in box heights, on the ground where that is known."""

from __future__ import annotations

import math
from typing import Protocol

from pipeline.rules.step import HEIGHT_M, Step
from pipeline.scene.geometry import dot, minus
from pipeline.types import Point

TOP_SHARE = 0.25
"""See moved_as_a_whole."""


def mean_height(one: Step, other: Step) -> float:
    """Of two boxes, in picture heights: what comes nearer grows."""
    return (one.height + other.height) / 2


def way_heights(before: Step, now: Step) -> float:
    """From one step to another in box heights: on the ground where that is known, else of their mean."""
    if before.centre_m is not None and now.centre_m is not None:
        return math.dist(before.centre_m, now.centre_m) / HEIGHT_M
    return math.dist(before.position, now.position) / mean_height(before, now)


GROWTH = 1.2
"""See unlike_hidden; less is jitter."""


class Line(Protocol):
    """What has a distance: a stop line, a solid line."""

    def distance(self, point: Point) -> float:
        """In picture heights."""

    def distance_m(self, point: Point) -> float | None:
        """In metres, of a place on the ground."""


class Place(Protocol):
    """What one can be in: a lane, a zone."""

    def depth(self, point: Point) -> float:
        """In picture heights."""

    def depth_m(self, point: Point) -> float | None:
        """In metres, of a place on the ground."""


def beyond_heights(line: Line, step: Step) -> float:
    """How far beyond a line a footprint's middle is, in box heights; on the ground where that is known."""
    metres = line.distance_m(step.centre_m) if step.centre_m is not None else None
    return line.distance(step.centre) / step.height if metres is None else metres / HEIGHT_M


def inside_heights(place: Place, step: Step) -> float:
    """How far inside a place it is, in the same way."""
    metres = place.depth_m(step.centre_m) if step.centre_m is not None else None
    return place.depth(step.centre) / step.height if metres is None else metres / HEIGHT_M


def unlike_hidden(before: Step, now: Step) -> bool:
    """Whether less of it could be seen at one of the two, by the heights of its box: of something that goes
    straight on, a camera sees more of the top the nearer it is, never less. False without calibration.
    """
    if before.tall_m <= 0 or now.tall_m <= 0:
        return False
    near, far = (before, now) if before.position[1] > now.position[1] else (now, before)
    return far.tall_m > GROWTH * near.tall_m


STAYS_HEIGHTS = 0.5
"""Within this (in box heights) of where it stopped, one that stands has not moved on."""


def is_elsewhere(stopped: Step, now: Step) -> bool:
    """Whether one that stopped is not there any more, by its ground point."""
    return math.dist(now.position, stopped.position) > STAYS_HEIGHTS * now.height


def moved_as_a_whole(before: Step, now: Step, way: Point, share: float = TOP_SHARE) -> bool:
    """Whether the top of the box went along with the ground point, at least by a share of its way.

    A box that is cut from below by something in front of it loses its lower edge only: nothing has moved.
    """
    along = minus(now.position, before.position)
    top = (along[0], along[1] - (now.height - before.height))
    return dot(top, way) >= share * dot(along, way)


def seems_hidden(stopped: Step, now: Step) -> bool:
    """Whether one that stopped only seems to be elsewhere: what passes in front of it hides its lower part.
    False where the scene is calibrated: there the step itself knows (Step.hidden).
    """
    way = minus(now.position, stopped.position)
    return now.tall_m <= 0 and not moved_as_a_whole(stopped, now, way)

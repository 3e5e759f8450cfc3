"""Crossing a solid line, in the direction in which it is forbidden.

See docs/rules/solid_line.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.lengths import beyond_heights, moved_as_a_whole
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.step import Step, Track, remember
from pipeline.scene import Scene, SceneSettings, SolidLine, geometry
from pipeline.types import VEHICLES, Hit, Point

CLASS_SHARE = 0.6
"""Where a line binds only some classes: below this share of the vote it is not known well enough."""

NEAR_HEIGHTS = 4.0
"""Who is farther from a line has nothing to do with it."""

SAME_SHAPE = 1.4
"""A box whose width to height changes by more than this factor was half hidden at one end: its middle moved,
the vehicle may not have."""


LEAP_HEIGHTS, LEAP_TIMES = 0.4, 3.0
"""Over the line by this much (in box heights) from one sighting to the next, and so many times as fast as
just before and after, goes an identity that two riders side by side exchange; no vehicle."""

BESIDE_HEIGHTS, SURELY_HEIGHTS, SWAP_S = 1.8, 0.2, 0.7
"""Two this near (in box heights) who within so many seconds leave their sides of the line, each by more than
this, for the other's have not crossed: the detector took both for one in some pictures, and their identities
were exchanged. Who really changes places so near collides."""

SIGHTINGS_S = 4.0
"""Sightings about the crossing are remembered for this long."""


class SolidLineParameters(base.Parameters):
    """Vehicles that go over a solid line."""

    clear_heights: Annotated[float, Field(gt=0, le=5)] = 0.35
    """Seen this far (in box heights, some 0.5 m) from the line on one side before, and on the other after."""
    within_s: Annotated[float, Field(gt=0, le=60)] = 6.0
    """From clear on one side to clear on the other; slower is creeping, or a box that drifts."""
    hold_s: Annotated[float, Field(ge=0, le=10)] = 0.4
    """It must be clear on the other side for this long."""


class _Sighting(NamedTuple):
    """A box as it was seen."""

    time_s: float
    beyond: float
    """How far beyond the line, in box heights."""
    place: Point
    """Its ground point, picture heights."""


@dataclass(slots=True)
class _Side:
    """What is known of one track beside one line."""

    last: Step
    before: Step | None = None
    """The last step clear of the line, on the side that it came from."""
    at: Step | None = None
    """The first step over the line, not yet clear of it."""
    clear: Step | None = None
    """The first step clear of it on the other side."""
    sightings: deque[_Sighting] = field(default_factory=deque)
    """Oldest first."""

    def see(self, line: SolidLine, step: Step, aspect: float) -> None:
        """Remember one more sighting."""
        x, y = step.raw.ground
        place = (x * aspect, y)
        sighting = _Sighting(step.time_s, line.distance(place) / step.height, place)
        remember(self.sightings, sighting, SIGHTINGS_S)

    def leapt(self) -> bool:
        """Whether its box went over the line in one leap."""
        ways = [
            (
                abs(b.beyond - a.beyond),
                abs(b.beyond - a.beyond) / (b.time_s - a.time_s),
                a.beyond * b.beyond <= 0,
            )
            for a, b in pairwise(self.sightings)
        ]
        for before, (way, pace, over), after in zip(ways, ways[1:], ways[2:], strict=False):
            if over and way > LEAP_HEIGHTS and pace > LEAP_TIMES * max(before[1], after[1]):
                return True
        return False

    def swapped(self, other: _Side) -> bool:
        """Whether it changed places with somebody beside it."""
        now, seen = self.sightings[-1], other.sightings[-1]
        left_s, other_left_s = self._left_s(), other._left_s()
        return (
            left_s is not None
            and other_left_s is not None
            and max(abs(other_left_s - left_s), abs(seen.time_s - now.time_s)) <= SWAP_S
            and (seen.beyond > 0) != (now.beyond > 0)
            and math.dist(seen.place, now.place) <= BESIDE_HEIGHTS * self.last.height
        )

    def _left_s(self) -> float | None:
        """When it was last surely seen on the other side than it surely is on now."""
        now = self.sightings[-1].beyond
        if abs(now) < SURELY_HEIGHTS:
            return None
        way = math.copysign(1.0, now)
        left = (seen for seen in reversed(self.sightings) if way * seen.beyond <= -SURELY_HEIGHTS)
        return next((seen.time_s for seen in left), None)


class SolidLineRule:
    """Follows on which side of each line every vehicle is."""

    name: ClassVar[str] = "solid_line"
    parameters: ClassVar[type[base.Parameters]] = SolidLineParameters

    def __init__(self, scene: Scene, parameters: SolidLineParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._sides: dict[tuple[int, int, str], _Side] = {}
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return None if scene.solid_lines else "a line (solid_lines) that must not be crossed"

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of vehicles that are clear of a line on the other side.

        Confidence, see report; sure of itself by how quickly it was over, as a share of `within_s`.
        """
        for track, step in moment.advances:
            if step is None:
                self._reported.discard(track.id)
                self._sides = {key: side for key, side in self._sides.items() if key[0] != track.id}
            elif not step.cut:
                yield from self._follow(moment, track, step)

    def _follow(self, moment: Moment, track: Track, step: Step) -> Iterator[Hit]:
        for line in self._scene.solid_lines(moment.aspect):
            key = (track.id, track.segment, line.id)
            if not line.near(step.centre, NEAR_HEIGHTS * step.height):
                self._sides.pop(key, None)
                continue
            side = self._sides.get(key)
            if side is None:
                side = self._sides[key] = _Side(step)
            side.see(line, step, moment.aspect)
            if track.id in self._reported:
                continue
            crossing = self._advance(line, side, step)
            if crossing is None or not self._binds(line, track):
                continue
            if any(side.swapped(other) for other in self._others(line, track)):
                continue
            self._reported.add(track.id)
            yield self._hit(moment, line, track, crossing, step)
            return

    def _others(self, line: SolidLine, track: Track) -> Iterator[_Side]:
        """Whoever else is near a line; those who were reported as well."""
        return (
            side for (number, _, name), side in self._sides.items() if name == line.id and number != track.id
        )

    @staticmethod
    def _binds(line: SolidLine, track: Track) -> bool:
        if track.kind not in (line.settings.classes or VEHICLES):
            return False
        return not line.settings.classes or track.kind_confidence >= CLASS_SHARE

    def _advance(self, line: SolidLine, side: _Side, step: Step) -> tuple[Step, Step] | None:
        """Take up a step: the last one before and the first one over, once it is certain that it crossed."""
        parameters = self._parameters
        last, side.last = side.last, step
        distance = beyond_heights(line, step)
        is_clear = abs(distance) >= parameters.clear_heights and not step.covered
        if side.before is None or side.at is None:
            crossed = line.crossed(last.centre, step.centre) is not None
            if crossed and side.before is not None:
                side.at = step
            elif is_clear:
                side.before = step
            return None
        came_from = beyond_heights(line, side.before)
        if (distance > 0) == (came_from > 0):  # back again
            side.at = side.clear = None
            side.before = step if is_clear else side.before
            return None
        if not is_clear:
            side.clear = None
            return None
        side.clear = side.clear or step
        if step.time_s - side.clear.time_s < parameters.hold_s:
            return None
        before, at, clear = side.before, side.at, side.clear
        side.before, side.at, side.clear = step, None, None
        if clear.time_s - before.time_s > parameters.within_s or not (line.both or distance > 0):
            return None
        return (before, at) if _moved(before, step) and not side.leapt() else None

    def _hit(
        self, moment: Moment, line: SolidLine, track: Track, crossing: tuple[Step, Step], step: Step
    ) -> Hit:
        before, at = crossing
        took_s = step.time_s - before.time_s - self._parameters.hold_s
        facts = {
            "line": line.id,
            "forbidden": "both ways" if line.both else "one way",
            "crossed_s": round(at.time_s, 3),
            "from_clear_to_clear_s": round(took_s, 2),
            "before_box_heights": round(abs(beyond_heights(line, before)), 2),
            "after_box_heights": round(abs(beyond_heights(line, step)), 2),
        }
        drawn = {f"solid_line {line.id}": line.settings.line}
        if line.settings.forbidden is not None:
            drawn[f"forbidden {line.id}"] = line.settings.forbidden
        sure = 1 - 0.5 * took_s / self._parameters.within_s
        return report(self.name, moment, track, (before, at, step), (sure,), facts, drawn)


def _moved(before: Step, now: Step) -> bool:
    """Whether the vehicle went over the line, and not only the middle of what could be seen of it."""
    shapes = []
    for step in (before, now):
        left, top, right, bottom = step.raw.box
        shapes.append((right - left) / (bottom - top))
    if max(shapes) > SAME_SHAPE * min(shapes):
        return False
    return moved_as_a_whole(before, now, geometry.minus(now.position, before.position))

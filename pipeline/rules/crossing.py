"""Who passes which stop line, when, and what the lamps showed: shared by red_light and stop_line."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.rules.lamps import LampHistory
from pipeline.rules.lengths import moved_as_a_whole
from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track, remember
from pipeline.scene import Scene, StopLine, geometry
from pipeline.types import LampColor, SignalState

BEFORE_HEIGHTS = 0.15
"""A vehicle is before the line only where its ground point is this far (in box heights) before it: a waiting
vehicle's box jitters by less."""

BEFORE_STEPS = 2
"""As often a vehicle must have been seen before the line: one that appears at the line proves nothing."""

MAX_ANGLE_DEG = 70.0
"""Between the way a vehicle crosses and the line's direction of travel; more is traffic along the line."""

PICTURES_S = 4.0
"""A picture from before the line is taken from no further back than this."""

ON_SHARE = 0.5
"""Of the way on from a standstill, by which the top of its box must come along: who stands for long is hidden
bit by bit by those who draw up behind."""

SETTLED_S = 1.0
"""Who has been beyond the line for this long is not back before it ..."""
BACK_S = 1.5
"""... unless it is clearly so for this long: where a car passes in front, a box leaps to it and back."""

GONE_ON_HEIGHTS = 1.0
"""Who stood beyond the line has gone on when it is this far (in box heights, in the picture) from there: what
passes in front of it pulls at its box."""

SURE_BOX = 0.6
"""Confidence of a box that is seen whole though somebody nearer is at its foot, as in a queue somebody is;
what only shows above a car's roof has less."""

STANDING_HEIGHTS_S = 0.25
"""Slower than this (box heights a second, some 0.4 m/s) is standing."""


@dataclass(slots=True)
class Passage:
    """One vehicle's passage of one stop line, followed up until it is void or the track ends."""

    line: StopLine
    before: Step
    """The last step clearly before the line."""
    last: Step
    """The last step before the line."""
    at: Step
    """The first step beyond it."""
    crossed_s: float
    """Moment of the crossing, between `last` and `at`."""
    crossed_at: tuple[float, float]
    lamps: dict[str, SignalState]
    """Lamps that showed one colour from `last` to `at`, and which."""
    released: bool = False
    """One of those lamps has been green since, if only while the vehicle was not seen."""
    stood: Step | None = None
    """The first step of its last standstill beyond the line."""
    entered: Step | None = None
    """The first step in the junction."""
    stood_since_s: float | None = None
    stood_s: float = 0.0
    """Longest standstill since the crossing."""
    rest: Step | None = None
    """The first step of that one."""

    def is_real(self, now: Step) -> bool:
        """False where only the lower edge of its box went over the line, or on from where it stood."""
        return moved_as_a_whole(self.before, now, self.line.travel) and (
            self.stood is None or moved_as_a_whole(self.stood, now, self.line.travel, ON_SHARE)
        )

    def is_over(self, now: Step, back_since_s: float | None) -> bool:
        """Whether a step before the line ends it; all steps since `back_since_s` were clearly before."""
        if now.time_s - self.at.time_s < SETTLED_S:
            return True
        return back_since_s is not None and now.time_s - back_since_s >= BACK_S

    def follow(self, step: Step, shown: LampHistory) -> None:
        """Take up a step after the crossing."""
        if not self.released:
            self.released = any(
                color is LampColor.GREEN and from_s <= step.time_s
                for lamp in self.lamps
                for from_s, _, color in shown.runs(lamp, self.at.time_s)
            )
        if step.speed < STANDING_HEIGHTS_S:
            if self.stood_since_s is None:
                self.stood_since_s, self.stood = step.time_s, step
            if step.time_s - self.stood_since_s > self.stood_s:
                self.stood_s, self.rest = step.time_s - self.stood_since_s, self.stood
        else:
            self.stood_since_s = None
        if self.entered is None and self._is_in_junction(step):
            self.entered = step

    def _is_in_junction(self, step: Step) -> bool:
        if self.rest is not None:
            gone_on = math.dist(step.position, self.rest.position) / self.rest.height
            if gone_on < GONE_ON_HEIGHTS:
                return False
        if step.covered and step.raw.confidence < SURE_BOX:
            return False
        return self.line.in_junction(step.centre, step.height) and self.is_real(step)


@dataclass(slots=True)
class _Approach:
    segment: int
    seen_before: int = 0
    before: Step | None = None
    waiting: deque[Step] = field(default_factory=deque)
    """The last seconds before the line."""
    last: Step | None = None
    passage: Passage | None = None
    back_since_s: float | None = None
    """Since when every step has been clearly before the line."""

    def shown_before(self, now_s: float) -> Step | None:
        """The step to show: the last one clearly before the line; for one that has long been waiting nearer
        to it, the earliest of which a picture is still to be had.
        """
        if self.before is None or now_s - self.before.time_s <= PICTURES_S or not self.waiting:
            return self.before
        return self.waiting[0]


class Crossings:
    """Follows every track over every stop line of a scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._approaches: dict[tuple[int, str], _Approach] = {}

    def observe(self, moment: Moment) -> Iterator[tuple[Track, Step | None, Passage | None]]:
        """Each new step of a track with the passage it belongs to, one by one.

        Step and passage are None where the track has ended. The passage is None where the track is not beyond
        a line that it was seen to cross.
        """
        for track, step in moment.advances:
            for line in self._scene.stop_lines(moment.aspect):
                key = (track.id, line.id)
                if step is not None and step.hidden:
                    continue
                if step is None:
                    self._approaches.pop(key, None)
                    yield track, None, None
                    continue
                approach = self._approaches.get(key)
                if approach is None or approach.segment != track.segment:
                    approach = self._approaches[key] = _Approach(track.segment)
                self._advance(approach, line, step, moment.lamps)
                yield track, step, approach.passage

    @staticmethod
    def _advance(approach: _Approach, line: StopLine, step: Step, shown: LampHistory) -> None:
        distance = line.distance(step.centre)
        last, approach.last = approach.last, step
        clearly_before = distance <= -BEFORE_HEIGHTS * step.height and _faces(line, step)
        if not clearly_before:
            approach.back_since_s = None
        elif approach.back_since_s is None:
            approach.back_since_s = step.time_s
        if distance <= 0:
            if approach.passage is not None and not approach.passage.is_over(step, approach.back_since_s):
                return
            approach.passage = None
            remember(approach.waiting, step, PICTURES_S)
            if clearly_before:
                approach.before = step
                approach.seen_before += 1
            return
        if approach.passage is not None:
            approach.passage.follow(step, shown)
            return
        if step.covered:
            # What hides its foot lets it seem further on than it is.
            approach.last = last
            return
        if last is None or approach.before is None or approach.seen_before < BEFORE_STEPS:
            return
        fraction = line.crossed(last.centre, step.centre)
        way = geometry.minus(step.centre, approach.before.centre)
        if fraction is None or abs(geometry.turn_deg(line.travel, way)) > MAX_ANGLE_DEG:
            # Came round the end of the line: what follows is no passage of it.
            approach.before, approach.seen_before = None, 0
            return
        governing = {m.lamp for m in line.movements.values() if m.lamp is not None}
        states = {lamp: shown.steady(lamp, last.time_s, step.time_s) for lamp in governing}
        approach.passage = Passage(
            line,
            before=approach.shown_before(step.time_s) or approach.before,
            last=last,
            at=step,
            crossed_s=last.time_s + fraction * (step.time_s - last.time_s),
            crossed_at=(
                last.centre[0] + fraction * (step.centre[0] - last.centre[0]),
                last.centre[1] + fraction * (step.centre[1] - last.centre[1]),
            ),
            lamps={lamp: state for lamp, state in states.items() if state is not None},
        )
        approach.passage.follow(step, shown)


def _faces(line: StopLine, step: Step) -> bool:
    """Whether its lane leads over the line: on the ground where that is known."""
    on_ground = line.faces_m(step.centre_m) if step.centre_m is not None else None
    return line.faces(step.centre) if on_ground is None else on_ground


def heading_deg(passage: Passage, step: Step) -> float:
    """Signed angle from the line's direction of travel to a step's motion; positive is to the right."""
    return geometry.turn_deg(passage.line.travel, step.velocity)


def way_heights(passage: Passage, step: Step) -> float:
    """Distance from the point of crossing, in box heights at that point."""
    return math.dist(step.centre, passage.crossed_at) / passage.at.height

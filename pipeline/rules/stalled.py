"""A vehicle that has come to a stand in a live lane: broken down, or left there.

See docs/rules/stalled.md for what it is, its look-alikes and what the scene must say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.lengths import mean_height
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.stands import Stand, Stands
from pipeline.rules.step import HEIGHT_M, Step, Track
from pipeline.rules.traffic import ALONG_DEG, stands
from pipeline.scene import Lane, Scene, SceneSettings, StopLine, geometry
from pipeline.types import VEHICLES, Hit, LampColor

AHEAD_HEIGHTS = 8.0
"""Who stands so near ahead of it in the lane (12 m on the ground) holds it up; so does a lamp so near."""
PAST_HEIGHTS = 2.0
"""Who was this far behind it and is this far ahead has got past."""
FRESH_S = 1.5
"""Others are where they were last seen for this long."""
GREENS, GREEN_S = 2, 5.0
"""It stood through so many greens, so long into each: nobody at the head of a queue does."""
FREE_SHARE = 0.3
"""Of its stand, nothing held it up."""


class StalledParameters(base.Parameters):
    """Vehicles that stand in a lane while nothing holds them up."""

    min_s: Annotated[float, Field(ge=10, le=3600)] = 60.0
    """It must have stood for this long ..."""
    passed_by: Annotated[int, Field(ge=1, le=100)] = 4
    """... while so many others went past it the same way, or its light turned green twice."""


@dataclass(slots=True)
class _Stall(Stand):
    behind: set[int] = field(default_factory=set)
    """Tracks that were seen behind it while it stood."""
    passed: set[int] = field(default_factory=set)
    free_s: float = 0.0
    greens: int = 0
    green: bool = True
    green_since_s: float | None = None
    """Of a green that has not been counted yet."""


class Stalled:
    """Follows each vehicle that stands, who stands ahead of it, who gets past it, and its light."""

    name: ClassVar[str] = "stalled"
    parameters: ClassVar[type[base.Parameters]] = StalledParameters

    def __init__(self, scene: Scene, parameters: StalledParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._stands = Stands(lambda track, step: _Stall(track.kind, step, step))

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return None if scene.lanes else "a lane (lanes) with its direction"

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of vehicles that have stood long enough with nothing before them.

        Confidence, see report; sure of itself by how far its proof goes beyond what is asked.
        """
        lanes = self._scene.lanes(moment.aspect)
        for track, step in moment.advances:
            self._stands.see(track, step)
            if step is not None and track.kind in VEHICLES and not step.cut:
                for lane in lanes:
                    yield from self._follow(moment, lane, track, step)

    def _follow(self, moment: Moment, lane: Lane, track: Track, step: Step) -> Iterator[Hit]:
        stand = self._stands.follow(lane.id, track, step, lane.holds(step.centre), stands(step))
        if stand is None:
            return
        self._look_around(moment, lane, track, stand, step)
        stood_s = step.time_s - stand.where.time_s
        proven = len(stand.passed) >= self._parameters.passed_by or stand.greens >= GREENS
        if proven and stood_s >= self._parameters.min_s and stand.free_s >= FREE_SHARE * stood_s:
            hit = self._hit(moment, lane, track, stand, stood_s)
            if self._parameters.tells(hit):
                self._stands.tell(track, stand)
                yield hit

    def _look_around(self, moment: Moment, lane: Lane, track: Track, stand: _Stall, step: Step) -> None:
        held = False
        for other_track, other in self._stands.newest.values():
            if other_track.id == track.id or other_track.kind not in VEHICLES:
                continue
            if step.time_s - other.time_s > FRESH_S:
                continue
            ahead = _ahead_heights(lane, step, other)
            if lane.holds(other.centre) and stands(other) and 0 < ahead <= AHEAD_HEIGHTS:
                held = True
            if ahead <= -PAST_HEIGHTS:
                stand.behind.add(other_track.id)
            elif ahead >= PAST_HEIGHTS and other_track.id in stand.behind and not stands(other):
                stand.passed.add(other_track.id)
        green = self._green(moment, lane, step)
        if green is False:
            stand.green_since_s = None
        elif green and not stand.green:
            stand.green_since_s = step.time_s
        if stand.green_since_s is not None and step.time_s - stand.green_since_s >= GREEN_S:
            stand.greens, stand.green_since_s = stand.greens + 1, None
        stand.green = green is not False
        if not held and stand.green and stand.gap_s <= FRESH_S:
            stand.free_s += stand.gap_s

    def _green(self, moment: Moment, lane: Lane, step: Step) -> bool | None:
        """Whether every lamp of the line right ahead is green; None where there is none."""
        line = self._line(moment, lane, step)
        lamps = {m.lamp for m in line.movements.values() if m.lamp is not None} if line is not None else set()
        if not lamps:
            return None
        return all(moment.lamps.color(lamp, step.time_s) is LampColor.GREEN for lamp in lamps)

    def _line(self, moment: Moment, lane: Lane, step: Step) -> StopLine | None:
        along = lane.direction_at(step.centre)
        for line in self._scene.stop_lines(moment.aspect):
            near = -AHEAD_HEIGHTS * step.height <= line.distance(step.position) <= 0
            if near and line.faces(step.position) and abs(geometry.turn_deg(along, line.travel)) <= ALONG_DEG:
                return line
        return None

    def _hit(self, moment: Moment, lane: Lane, track: Track, stand: _Stall, stood_s: float) -> Hit:
        facts = {
            "lane": lane.id,
            "stood_s": round(stood_s, 1),
            "standing_since_s": round(stand.where.time_s, 3),
            "held_up_by_nothing_s": round(stand.free_s, 1),
            "passed_by": len(stand.passed),
            "greens": stand.greens,
        }
        sure = max(
            1 - 0.5 ** (len(stand.passed) / self._parameters.passed_by), 1 - 0.5 ** (stand.greens / GREENS)
        )
        drawn = {f"lane {lane.id}": lane.settings.polygon, f"direction {lane.id}": lane.settings.direction}
        return report(self.name, moment, track, stand.shown, (math.sqrt(sure),), facts, drawn)


def _ahead_heights(lane: Lane, step: Step, other: Step) -> float:
    """How far ahead along the lane, in box heights, on the ground where that is known; negative behind."""
    along = lane.progress(other.centre) - lane.progress(step.centre)
    if step.position_m is not None and other.position_m is not None:
        return math.copysign(math.dist(step.position_m, other.position_m) / HEIGHT_M, along)
    return along / mean_height(step, other)

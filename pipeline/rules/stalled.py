"""A vehicle that has come to a stand in a live lane: broken down, or left there.

See docs/rules/stalled.md for what it is, its look-alikes and what the scene must say.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.lengths import is_elsewhere, mean_height, seems_hidden
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.step import HEIGHT_M, Step, Track, remember
from pipeline.rules.traffic import ALONG_DEG, stands
from pipeline.scene import Lane, Scene, SceneSettings, StopLine, geometry
from pipeline.types import VEHICLES, Hit, LampColor, RoadUserKind

AHEAD_HEIGHTS = 8.0
"""Who stands so near ahead of it in the lane (12 m on the ground) holds it up; so does a lamp so near."""
PAST_HEIGHTS = 2.0
"""Who was this far behind it and is this far ahead has got past."""
BACK_S = 15.0
"""Hidden for no longer, nor for longer than it stood before, whoever stands in the same place is the same."""
FRESH_S = 1.5
"""Others are where they were last seen for this long."""
PICTURES_S = 12.0
"""A picture from before is taken from no further back."""
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
class _Stand:
    kind: RoadUserKind
    where: Step
    last: Step
    behind: set[int] = field(default_factory=set)
    """Tracks that were seen behind it while it stood."""
    passed: set[int] = field(default_factory=set)
    free_s: float = 0.0
    greens: int = 0
    green: bool = True
    green_since_s: float | None = None
    """Of a green that has not been counted yet."""
    recent: deque[Step] = field(default_factory=deque)
    hidden: bool = False
    """Its lower part is, so it seems: its newest step is somewhere else."""
    reported: bool = False


class Stalled:
    """Follows each vehicle that stands, who stands ahead of it, who gets past it, and its light."""

    name: ClassVar[str] = "stalled"
    parameters: ClassVar[type[base.Parameters]] = StalledParameters

    def __init__(self, scene: Scene, parameters: StalledParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._stands: dict[tuple[int, str], _Stand] = {}
        self._lost: dict[tuple[int, str], _Stand] = {}
        """Stands whose track has ended."""
        self._newest: dict[int, tuple[Track, Step]] = {}

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
            if step is None:
                self._end(track)
                continue
            self._newest[track.id] = (track, step)
            if track.kind in VEHICLES and not step.cut:
                for lane in lanes:
                    yield from self._follow(moment, lane, track, step)

    def _end(self, track: Track) -> None:
        self._newest.pop(track.id, None)
        for key in [key for key in self._stands if key[0] == track.id]:
            stand = self._stands.pop(key)
            if not stand.hidden:  # it may as well have driven off
                self._lost[key] = stand

    def _follow(self, moment: Moment, lane: Lane, track: Track, step: Step) -> Iterator[Hit]:
        key = (track.id, lane.id)
        stand = self._stands.get(key)
        elsewhere = stand is not None and is_elsewhere(stand.where, step)
        if stand is not None and elsewhere and seems_hidden(stand.where, step):
            stand.hidden = True
            return
        inside = lane.holds(step.centre)
        if elsewhere or not inside:
            self._stands.pop(key, None)
            stand = None
        if not inside or (stand is None and not stands(step)):
            return
        if stand is None:
            stand = self._stands[key] = self._found_again(lane, track, step)
        self._look_around(moment, lane, track, stand, step)
        stand.last, stand.hidden = step, False
        remember(stand.recent, step, PICTURES_S)
        stood_s = step.time_s - stand.where.time_s
        proven = len(stand.passed) >= self._parameters.passed_by or stand.greens >= GREENS
        if (
            not stand.reported
            and proven
            and stood_s >= self._parameters.min_s
            and stand.free_s >= FREE_SHARE * stood_s
        ):
            stand.reported = True
            yield self._hit(moment, lane, track, stand, stood_s)

    def _found_again(self, lane: Lane, track: Track, step: Step) -> _Stand:
        """The stand of one that was lost here a moment ago, or a new one."""
        now_s = step.time_s
        self._lost = {key: lost for key, lost in self._lost.items() if now_s - lost.last.time_s <= BACK_S}
        for key, lost in self._lost.items():
            # Somebody else may pass where one that hardly stood was seen.
            proven = now_s - lost.last.time_s <= lost.last.time_s - lost.where.time_s
            alike = lost.kind is track.kind and proven
            if key[1] == lane.id and alike and not is_elsewhere(lost.where, step):
                del self._lost[key]
                return lost
        return _Stand(track.kind, step, step)

    def _look_around(self, moment: Moment, lane: Lane, track: Track, stand: _Stand, step: Step) -> None:
        held = False
        for other_track, other in self._newest.values():
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
        gap_s = step.time_s - stand.last.time_s
        if not held and stand.green and gap_s <= FRESH_S:
            stand.free_s += gap_s

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

    def _hit(self, moment: Moment, lane: Lane, track: Track, stand: _Stand, stood_s: float) -> Hit:
        facts = {
            "lane": lane.id,
            "stood_s": round(stood_s, 1),
            "standing_since_s": round(stand.where.time_s, 3),
            "held_up_by_nothing_s": round(stand.free_s, 1),
            "passed_by": len(stand.passed),
            "greens": stand.greens,
        }
        shown = (stand.recent[0], stand.recent[len(stand.recent) // 2], stand.last)
        sure = max(
            1 - 0.5 ** (len(stand.passed) / self._parameters.passed_by), 1 - 0.5 ** (stand.greens / GREENS)
        )
        drawn = {f"lane {lane.id}": lane.settings.polygon, f"direction {lane.id}": lane.settings.direction}
        return report(self.name, moment, track, shown, (math.sqrt(sure),), facts, drawn)


def _ahead_heights(lane: Lane, step: Step, other: Step) -> float:
    """How far ahead along the lane, in box heights, on the ground where that is known; negative behind."""
    along = lane.progress(other.centre) - lane.progress(step.centre)
    if step.position_m is not None and other.position_m is not None:
        return math.copysign(math.dist(step.position_m, other.position_m) / HEIGHT_M, along)
    return along / mean_height(step, other)

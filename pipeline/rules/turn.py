"""Forbidden ways through a junction: what banned_turn and u_turn share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.lengths import way_heights
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.step import HEIGHT_M, Step, Track
from pipeline.scene import Scene, SceneSettings, Turn, geometry
from pipeline.types import VEHICLES, Hit, Point

CLASS_SHARE = 0.6
"""Where a turn binds only some classes: below this share of the vote it is not known well enough."""

SPACING_HEIGHTS = 0.8
"""Directions are taken between places this far apart (in box heights, some 1.2 m): a box that jumps, or
hardly moves, has none."""

GAP_S = 1.5
"""A longer gap on the way: another road user may have taken over its track."""

ASIDE_HEIGHTS = 1.5
"""The way must lead as far aside (in box heights, some 2 m): no vehicle turns in less, a track that jumps to
one beside it does."""

CORNER_DEG = 100.0
"""Between two of those directions no vehicle turns by more: a jump of the box, or another vehicle's way."""

PICTURES_S = 20.0
"""A picture from before is taken from no further back: the ring holds 30 s, and a clip begins before it."""

MIN_S = 1.5
"""Nobody takes less from an entry to its exit."""

EXIT_STEPS = 2
"""As many of these places must lie where it leaves."""


class TurnParameters(base.Parameters):
    """Vehicles that take a forbidden way from an entry to its exit."""

    within_s: Annotated[float, Field(gt=1, le=120)] = 25.0
    """From the last moment in the entry to the exit."""
    min_turn_deg: Annotated[float, Field(ge=10, le=175)] = 40.0
    """Its motion must have turned by as much on the way; on the ground where the scene is calibrated."""


@dataclass(slots=True)
class _Way:
    entered: Step
    """The last step in the entry."""
    steps: list[Step]
    """SPACING_HEIGHTS apart: two of the entry, then all since."""
    last: Step
    out: int = 0
    """Steps in the exit."""

    def turned_deg(self) -> float:
        """Sum of all turns on the way; positive to the right as seen from above."""
        places = [_place(step) for step in self.steps]
        ways = [geometry.minus(b, a) for a, b in pairwise(places)]
        turned = sum(geometry.turn_deg(u, v) for u, v in pairwise(ways))
        # On the ground y lies to the left of x as seen from above, in the picture to the right.
        return -turned if self.entered.centre_m is not None else turned

    def jumps(self) -> bool:
        """Whether its newest corner is one that no vehicle takes."""
        a, b, c = (_place(step) for step in self.steps[-3:])
        return abs(geometry.turn_deg(geometry.minus(b, a), geometry.minus(c, b))) > CORNER_DEG

    def aside_heights(self) -> float:
        """How far to one side of its first direction the way has led, in box heights."""
        start, on, *others = [_place(step) for step in self.steps]
        unit_m = HEIGHT_M if self.entered.centre_m is not None else self.entered.height
        way = geometry.unit(geometry.minus(on, start))
        return max((abs(geometry.cross(way, geometry.minus(at, on))) for at in others), default=0) / unit_m


class TurnRule:
    """Follows each vehicle from the entry of a turn, adding up how its motion turns, to the exit.

    Adding up tells a vehicle that turned from one whose track was taken over by a vehicle coming the other
    way: that one would have to jump.
    """

    name: ClassVar[str]

    def __init__(self, scene: Scene, parameters: TurnParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._ways: dict[tuple[int, int, str], _Way] = {}
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        if any(turn.act == cls.name for turn in scene.turns):
            return None
        return f"a forbidden way (turns) with act {cls.name}"

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of vehicles that have come out where they may not.

        Confidence, see report; sure of itself by how far its motion turned, as a share of twice
        `min_turn_deg`.
        """
        turns = self._scene.turns(moment.aspect, self.name)
        for track, step in moment.advances:
            if step is None:
                self._reported.discard(track.id)
                self._ways = {key: way for key, way in self._ways.items() if key[0] != track.id}
            elif track.id not in self._reported and track.kind in VEHICLES:
                for turn in turns:
                    if self._binds(turn, track) and (way := self._follow(turn, track, step)) is not None:
                        self._reported.add(track.id)
                        yield self._hit(moment, turn, track, way)
                        break

    @staticmethod
    def _binds(turn: Turn, track: Track) -> bool:
        classes = turn.settings.classes
        return not classes or (track.kind in classes and track.kind_confidence >= CLASS_SHARE)

    def _follow(self, turn: Turn, track: Track, step: Step) -> _Way | None:
        """The way that this step completes; None while there is none."""
        key = (track.id, track.segment, turn.id)
        way = self._ways.get(key)
        if turn.enters(step.centre) and not step.cut:
            steps = way.steps if way is not None else [step]
            if way_heights(steps[-1], step) >= SPACING_HEIGHTS:
                steps = [steps[-1], step]
            self._ways[key] = _Way(step, steps, step)
            return None
        if way is None:
            return None
        late = step.time_s - way.entered.time_s > self._parameters.within_s
        if late or step.time_s - way.last.time_s > GAP_S:
            del self._ways[key]
            return None
        way.last = step
        if not step.cut and way_heights(way.steps[-1], step) >= SPACING_HEIGHTS:
            way.steps.append(step)
            way.out += turn.leaves(step.centre)
            if len(way.steps) > 2 and way.jumps():
                del self._ways[key]
                return None
        early = step.time_s - way.entered.time_s < MIN_S
        if early or way.out < EXIT_STEPS or len(way.steps) < 3 or way.aside_heights() < ASIDE_HEIGHTS:
            return None
        return way if abs(way.turned_deg()) >= self._parameters.min_turn_deg else None

    def _hit(self, moment: Moment, turn: Turn, track: Track, way: _Way) -> Hit:
        turned_deg = way.turned_deg()
        facts = {
            "turn": turn.id,
            "turned_deg": round(abs(turned_deg), 1),
            "to_the": "right" if turned_deg > 0 else "left",
            "duration_s": round(way.last.time_s - way.entered.time_s, 2),
        }
        drawn = {f"entry {turn.id}": turn.settings.entry, f"exit {turn.id}": turn.settings.exit}
        sure = abs(turned_deg) / (2 * self._parameters.min_turn_deg)
        steps = [step for step in way.steps if way.last.time_s - step.time_s <= PICTURES_S]
        before = way.entered if way.last.time_s - way.entered.time_s <= PICTURES_S else steps[0]
        shown = (before, steps[len(steps) // 2], way.last)
        return report(self.name, moment, track, shown, (sure,), facts, drawn)


def _place(step: Step) -> Point:
    return step.centre_m if step.centre_m is not None else step.centre

"""Being in a place where one must not be: what wrong_lane, restricted_hours, pavement and motorway_intruder
share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.feet import Feet
from pipeline.rules.lengths import inside_heights, moved_as_a_whole, unlike_hidden, way_heights
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.step import Step, Track, remember
from pipeline.scene import Lane, Scene, Zone, geometry, in_force
from pipeline.types import Hit, Point

OUTSIDE_S = 0.5
"""Off the place, or doing nothing wrong there, for no longer than this is a box that jitters."""

EDGE_HEIGHTS = 0.2
"""Only steps this far (in box heights, some 0.3 m) inside the edge count: no place is known better."""

PICTURES_S = 12.0
"""A picture from before is taken from no further back: who loads for long and drives on is shown driving."""

CLASS_SHARE = 0.6
"""Whom a rule binds is told by class: below this share of the vote it is not known well enough."""


class StayParameters(base.Parameters):
    """How long and how far."""

    min_s: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """It must have been there for this long ..."""
    min_heights: Annotated[float, Field(ge=0, le=50)] = 3.0
    """... and have made this much way there, in box heights (1.5 m each where the scene is calibrated)."""


@dataclass(slots=True)
class Stay:
    """One road user's stay in one place, from when it is well inside."""

    first: Step
    last: Step
    """The last one that counted."""
    middle: Step
    """The first one at half the time and way that make it an act."""
    halfway: bool = False
    entered: bool = False
    """Seen outside before."""
    recent: deque[Step] = field(default_factory=deque)
    """Those of the last PICTURES_S."""

    def take(self, step: Step) -> None:
        """One more step that counts."""
        self.last = step
        remember(self.recent, step, PICTURES_S)

    @property
    def shown(self) -> tuple[Step, Step, Step]:
        """Before, at the decisive moment, after: of these, pictures are still to be had."""
        before = self.recent[0]
        middle = self.middle if self.middle.time_s > before.time_s else self.recent[len(self.recent) // 2]
        return before, middle, self.last

    @property
    def duration_s(self) -> float:
        """From the first step on."""
        return self.last.time_s - self.first.time_s

    @property
    def way(self) -> Point:
        """From the first step on, picture heights."""
        return geometry.minus(self.last.centre, self.first.centre)

    @property
    def way_heights(self) -> float:
        """Its length, see trajectory.way_heights."""
        return way_heights(self.first, self.last)


class StayRule(ABC):
    """Follows who is where; a rule says which places count, and for whom.

    A stay ends with the track, its break, or OUTSIDE_S of steps of which none counts; so a vehicle on the
    edge whose box jitters out and in has one stay, and one that comes back later begins anew. While the rule
    does not bind no step counts: a class mistaken twice for a moment is not one long stay. In a zone that is
    in force at some hours only, a stay that began before them is none.
    """

    name: ClassVar[str]

    def __init__(self, scene: Scene, parameters: StayParameters) -> None:
        self._scene = scene
        self._limits = parameters
        self._stays: dict[tuple[int, int, str], Stay] = {}
        self._outside: dict[tuple[int, int, str], Step] = {}
        self._reported: set[int] = set()
        self._feet: Feet[tuple[int, int]] = Feet()

    @abstractmethod
    def places(self, moment: Moment) -> Iterable[Lane | Zone]:
        """Where it is forbidden to be, at this moment."""

    @abstractmethod
    def binds(self, place: Lane | Zone, track: Track) -> bool:
        """Whether this road user must not be there."""

    def counts(self, place: Lane | Zone, step: Step) -> bool:
        """Whether it does there what is forbidden; being there is, unless a rule says otherwise."""
        return True

    def is_act(self, place: Lane | Zone, stay: Stay) -> bool:
        """What else must be true of a stay that is long enough."""
        return True

    def facts(self, place: Lane | Zone, stay: Stay) -> Mapping[str, Any]:
        """What the rule has to say of its own."""
        return {}

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of stays that are long enough; confidence: see report."""
        places = tuple(self.places(moment))
        for track, step in moment.advances:
            if step is None:
                self._forget(track)
            elif track.id not in self._reported and not self._feet_hidden(track, step):
                yield from self._follow(moment, places, track, step)

    def _feet_hidden(self, track: Track, step: Step) -> bool:
        """See feet; where the scene is calibrated, the step itself knows better."""
        return step.tall_m <= 0 and self._feet.are_hidden((track.id, track.segment), step)

    def _forget(self, track: Track) -> None:
        self._reported.discard(track.id)
        self._stays = {key: stay for key, stay in self._stays.items() if key[0] != track.id}
        self._outside = {key: step for key, step in self._outside.items() if key[0] != track.id}
        self._feet.forget(lambda key: key[0] == track.id)

    def _follow(
        self, moment: Moment, places: Iterable[Lane | Zone], track: Track, step: Step
    ) -> Iterator[Hit]:
        for place in places:
            key = (track.id, track.segment, place.id)
            if not self.binds(place, track):
                self._end_after(key, step)
                continue
            stay = self._stay(key, place, step)
            if stay is None or track.kind_confidence < CLASS_SHARE:
                continue
            if unlike_hidden(stay.first, step):
                del self._stays[key]
                continue
            limits = self._limits
            shares = [stay.duration_s / limits.min_s]
            if limits.min_heights > 0:
                shares.append(stay.way_heights / limits.min_heights)
            if min(shares) >= 0.5 and not stay.halfway:
                stay.middle, stay.halfway = step, True
            whole = limits.min_heights == 0 or moved_as_a_whole(stay.first, step, stay.way)
            if min(shares) >= 1 and whole and self.is_act(place, stay) and self._is_in_force(place, stay):
                hit = self._hit(moment, place, track, stay)
                if limits.tells(hit):
                    self._reported.add(track.id)
                    yield hit
                    return

    def _stay(self, key: tuple[int, int, str], place: Lane | Zone, step: Step) -> Stay | None:
        """The stay that this step belongs to; None where it does not count."""
        stay = self._stays.get(key)
        inside = place.holds(step.centre)
        if not inside:
            self._outside[key] = step
        else:
            inside = inside_heights(place, step) >= EDGE_HEIGHTS
        if not (inside and not step.cut and self.counts(place, step)):
            self._end_after(key, step)
            return None
        if stay is None:
            before = self._outside.get(key)
            stay = self._stays[key] = Stay(step, step, step, entered=before is not None)
        stay.take(step)
        return stay

    def _end_after(self, key: tuple[int, int, str], step: Step) -> None:
        """End a stay, if there is one, of which no step has counted for OUTSIDE_S."""
        stay = self._stays.get(key)
        if stay is not None and step.time_s - stay.last.time_s > OUTSIDE_S:
            del self._stays[key]

    def _is_in_force(self, place: Lane | Zone, stay: Stay) -> bool:
        """All the while: who came before the hours began may leave."""
        if isinstance(place, Lane):
            return True
        hours, time_zone = place.settings.hours, self._scene.settings.time_zone
        return all(in_force(hours, step.time_s, time_zone) for step in (stay.first, stay.last))

    def _hit(self, moment: Moment, place: Lane | Zone, track: Track, stay: Stay) -> Hit:
        what = "lane" if isinstance(place, Lane) else "zone"
        drawn = {f"{what} {place.id}": place.settings.polygon}
        if isinstance(place, Lane):
            drawn[f"direction {place.id}"] = place.settings.direction
        facts = {
            what: place.id,
            "duration_s": round(stay.duration_s, 2),
            "way_box_heights": round(stay.way_heights, 2),
            "seen_entering": stay.entered,
            **self.facts(place, stay),
        }
        return report(self.name, moment, track, stay.shown, (), facts, drawn)

"""Stopping or parking where that is forbidden.

See docs/rules/illegal_stop.md for the act, its look-alikes and what the scene must say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.report import report
from pipeline.rules.stands import Stand, Stands
from pipeline.rules.step import HEIGHT_M, Step, Track
from pipeline.scene import Scene, SceneSettings, Zone, geometry, in_force
from pipeline.types import VEHICLES, Hit, LampColor, Point, RoadUserKind

PURPOSE = "no_stopping"

STANDING_HEIGHTS_S = 0.25
"""Slower than this (box heights a second, some 0.4 m/s) is standing."""

SLOW_HEIGHTS_S = 1.2
"""Whoever goes no faster ahead of it (some 1.8 m/s) holds it up."""

QUEUE_HEIGHTS = 6.0
"""Ahead of its middle, in box heights on the ground (9 m): nearer traffic holds it up, ..."""

QUEUE_PICTURE_HEIGHTS = 2.0
"""... or in box heights of the picture, where nothing is known in metres."""

QUEUE_WIDE_M = 1.6
"""To either side."""

HELD_S = 1.0
"""Held up for longer, it begins to stand anew."""

FRESH_S = 1.0
"""Others are where they were last seen for this long."""


class IllegalStopParameters(base.Parameters):
    """Vehicles that stand in a zone with purpose no_stopping."""

    min_s: Annotated[float, Field(ge=2, le=3600)] = 30.0
    """It must have stood there for this long, held up by nobody."""


@dataclass(slots=True)
class _Stop(Stand):
    since_s: float = 0.0
    """It has been held up by nobody."""
    held_since_s: float | None = None
    unseen_s: float = 0.0
    heading: Point | None = None
    """In which direction it came, in the picture; None where nobody saw that."""

    @property
    def seen_s(self) -> float:
        """See Stand; until it is reported, while nobody held it up."""
        since_s = self.where.time_s if self.reported else self.since_s + self.unseen_s
        return self.last.time_s - since_s

    def is_like(self, track: Track, step: Step) -> bool:
        """See Stand; of the same size as well."""
        return self.kind is track.kind and 0.8 <= self.last.height / step.height <= 1.25


class IllegalStop:
    """Measures how long each vehicle has stood, and leaves out those that traffic or a lamp holds up."""

    name: ClassVar[str] = "illegal_stop"
    parameters: ClassVar[type[base.Parameters]] = IllegalStopParameters

    def __init__(self, scene: Scene, parameters: IllegalStopParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._stands = Stands(lambda track, step: _Stop(track.kind, step, step, since_s=step.time_s))
        self._headings: dict[int, Point] = {}
        """In which direction each track last moved, in the picture."""

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_zone(scene, PURPOSE)

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of vehicles that have stood long enough.

        Confidence, see report; sure of itself by the share of its stand in which it was seen.
        """
        zones = self._scene.zones(moment.aspect, PURPOSE)
        for track, step in moment.advances:
            self._stands.see(track, step)
            if step is None:
                self._headings.pop(track.id, None)
                continue
            if step.speed >= 2 * STANDING_HEIGHTS_S:
                self._headings[track.id] = geometry.unit(step.velocity)
            if track.kind in VEHICLES and not step.cut:
                for zone in zones:
                    yield from self._follow(moment, zone, track, step)

    def _follow(self, moment: Moment, zone: Zone, track: Track, step: Step) -> Iterator[Hit]:
        inside = (
            track.kind in (zone.settings.classes or VEHICLES)
            and zone.holds(step.centre)
            and in_force(zone.settings.hours, step.time_s, self._scene.settings.time_zone)
        )
        stand = self._stands.follow(zone.id, track, step, inside, step.speed < STANDING_HEIGHTS_S)
        if stand is None:
            return
        stand.unseen_s += stand.gap_s if stand.gap_s > HELD_S else 0.0
        stand.heading = self._headings.get(track.id, stand.heading)
        self._hold(moment, track, stand, step)
        stood_s = step.time_s - stand.since_s
        if stand.held_since_s is not None or stood_s < self._parameters.min_s:
            return
        hit = self._hit(moment, zone, track, stand)
        if self._parameters.tells(hit):
            self._stands.tell(track, stand)
            yield hit

    def _hold(self, moment: Moment, track: Track, stand: _Stop, step: Step) -> None:
        """Begin anew after it was held up."""
        if self._held_up(moment, track, stand, step):
            if stand.held_since_s is None:
                stand.held_since_s = step.time_s
        elif stand.held_since_s is not None:
            if step.time_s - stand.held_since_s > HELD_S:
                stand.since_s, stand.unseen_s = step.time_s, 0.0
                stand.recent.clear()
                stand.recent.append(step)
            stand.held_since_s = None

    def _held_up(self, moment: Moment, track: Track, stand: _Stop, step: Step) -> bool:
        heading = self._heading(moment, stand, step)
        if any(
            self._ahead(moment, step, other, heading)
            for seen, other in self._stands.newest.values()
            if seen.id != track.id
            and seen.kind is not RoadUserKind.PERSON
            and step.time_s - other.time_s <= FRESH_S
            and other.pace <= SLOW_HEIGHTS_S
        ):
            return True
        return self._at_red(moment, step, heading)

    def _heading(self, moment: Moment, stand: _Stop, step: Step) -> Point | None:
        """Where it would go on: along its lane, or as it came; None where neither is known."""
        for lane in self._scene.lanes(moment.aspect):
            if lane.holds(step.centre):
                return lane.direction_at(step.centre)
        return stand.heading

    def _ahead(self, moment: Moment, step: Step, other: Step, heading: Point | None) -> bool:
        """Whether another one is right before it; on any side, where it is not known which one that is."""
        away = geometry.minus(other.centre, step.centre)
        if heading is None:
            if away == (0.0, 0.0):  # two boxes on one vehicle
                return False
            heading = geometry.unit(away)
        calibration = self._scene.calibration
        if calibration is not None and step.centre_m is not None and other.centre_m is not None:
            x, y = step.centre
            on = (x + 0.1 * step.height * heading[0], y + 0.1 * step.height * heading[1])
            here, further = calibration.to_ground([(x / moment.aspect, y), (on[0] / moment.aspect, on[1])])
            if math.dist(here, further) > 0:
                way = geometry.unit(tuple(further - here))
                away_m = geometry.minus(other.centre_m, step.centre_m)
                ahead, aside = geometry.dot(away_m, way), abs(geometry.cross(way, away_m))
                return 0 < ahead <= QUEUE_HEIGHTS * HEIGHT_M and aside <= QUEUE_WIDE_M
        ahead, aside = geometry.dot(away, heading), abs(geometry.cross(heading, away))
        return 0 < ahead <= QUEUE_PICTURE_HEIGHTS * step.height and aside <= 0.3 * (
            _width(step) + _width(other)
        )

    def _at_red(self, moment: Moment, step: Step, heading: Point | None) -> bool:
        """Whether it is the first one before a stop line with a lamp that is not green."""
        for line in self._scene.stop_lines(moment.aspect):
            distance = line.distance(step.position)
            if not (-QUEUE_PICTURE_HEIGHTS * step.height <= distance <= 0 and line.faces(step.position)):
                continue
            if heading is not None and abs(geometry.turn_deg(heading, line.travel)) > 60:
                continue
            lamps = {movement.lamp for movement in line.movements.values() if movement.lamp is not None}
            if any(moment.lamps.color(lamp, step.time_s) is not LampColor.GREEN for lamp in lamps):
                return True
        return False

    def _hit(self, moment: Moment, zone: Zone, track: Track, stand: _Stop) -> Hit:
        stood_s = stand.last.time_s - stand.since_s
        facts = {
            "zone": zone.id,
            "stood_s": round(stood_s, 1),
            "standing_since_s": round(stand.since_s, 3),
            "unseen_s": round(stand.unseen_s, 1),
        }
        sure = 1 - stand.unseen_s / stood_s
        drawn = {f"zone {zone.id}": zone.settings.polygon}
        return report(self.name, moment, track, stand.shown, (sure,), facts, drawn)


def _width(step: Step) -> float:
    left, _, right, _ = step.raw.box
    return (right - left) * step.height / (step.raw.box[3] - step.raw.box[1])

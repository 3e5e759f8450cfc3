"""Driving faster than the limit of a lane or zone.

See docs/rules/speeding.md for the act, what the scene must say, and how speed and uncertainty are measured.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pipeline.rules import base
from pipeline.rules.moments import Moment
from pipeline.rules.speed import COVERAGE, WINDOW_S, Speed, measure
from pipeline.rules.step import Step, Track
from pipeline.scene import Scene, SceneSettings, geometry, in_force
from pipeline.types import VEHICLES, FrameTime, Hit, TrackPoint

SETTLE_S = 1.0
"""After the first window that is over the limit, a better one is waited for, this long."""

AGREE_S = 0.3
"""One window over the limit may be chance; a second one must be, that ends this much later."""

NEAR = 0.8
"""Below this share of the limit a fit is not worth its time."""


class VerifiedDevice(base.Parameters):
    """The certificate by which this camera counts as a speed-measuring device."""

    certificate: Annotated[str, Field(min_length=1, max_length=120)]
    """Its number, as the metrology office wrote it."""
    valid_until: date
    """Its last day (UTC)."""


class SpeedingParameters(base.Parameters):
    """Vehicles faster than `limit_kmh` of their lane or zone."""

    over_kmh: Annotated[float, Field(ge=0, le=50)] = 0.0
    """Reported only when speed minus uncertainty is more than this over the limit."""
    verified: VerifiedDevice | None = None
    """Without it, or after its last day, each speed is marked advisory: an estimate from video."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    raw: TrackPoint
    time: FrameTime
    limit_kmh: float
    place: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A window over the limit."""

    speed: Speed
    limit_kmh: float
    window: tuple[_Sighting, ...]


@dataclass(slots=True)
class _Way:
    seen: deque[_Sighting] = field(default_factory=deque)
    first_s: float = 0.0
    """End of the first window over the limit."""
    agreed: bool = False
    best: _Found | None = None


class Speeding:
    """Fits the speed of each vehicle in a lane or zone with a limit, see `speed.measure`.

    The limit that counts is the highest of all places of the window; a zone's goes before a lane's.
    """

    name: ClassVar[str] = "speeding"
    parameters: ClassVar[type[base.Parameters]] = SpeedingParameters

    def __init__(self, scene: Scene, parameters: SpeedingParameters) -> None:
        self._scene = scene
        self._parameters = parameters
        self._ways: dict[tuple[int, int], _Way] = {}
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        if scene.calibration is None:
            return "a calibration (calibration): points with known metres; see `ngatu calibrate`"
        limits = [lane.limit_kmh for lane in scene.lanes] + [zone.limit_kmh for zone in scene.zones]
        return None if any(limits) else "a speed limit (limit_kmh) on any of its lanes or zones"

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits of vehicles whose speed minus uncertainty is over the limit.

        Confidence is the geometric mean of: the share of the vote for the vehicle's class; the mean
        confidence of its boxes in the window; and the probability that the speed is over the limit, taking
        its error for normal.
        """
        for track, step in moment.advances:
            if step is None:
                yield from self._end(moment, track)
            elif track.kind in VEHICLES and track.id not in self._reported:
                yield from self._follow(moment, track, step)

    def _follow(self, moment: Moment, track: Track, step: Step) -> Iterator[Hit]:
        key = (track.id, track.segment)
        if key not in self._ways:  # a trajectory that broke ends there
            yield from self._conclude(moment, track)
            if track.id in self._reported:
                return
        here = self._limit(track, step, moment.aspect)
        if here is None or step.velocity_mps is None:
            yield from self._decide(moment, track, self._ways.pop(key, None))
            return
        way = self._ways.setdefault(key, _Way())
        way.seen.append(_Sighting(step.raw, step.time, *here))
        while step.time_s - way.seen[0].raw.time_s > WINDOW_S:
            way.seen.popleft()
        if math.hypot(*step.velocity_mps) * 3.6 >= NEAR * here[0]:
            self._look(way, track, moment.aspect)
        if way.best is not None and step.time_s - way.first_s >= SETTLE_S:
            yield from self._decide(moment, track, self._ways.pop(key))

    def _end(self, moment: Moment, track: Track) -> Iterator[Hit]:
        yield from self._conclude(moment, track)
        self._reported.discard(track.id)

    def _conclude(self, moment: Moment, track: Track) -> Iterator[Hit]:
        for key in [key for key in self._ways if key[0] == track.id]:
            yield from self._decide(moment, track, self._ways.pop(key))

    def _look(self, way: _Way, track: Track, aspect: float) -> None:
        calibration = self._scene.calibration
        assert calibration is not None  # `lacks` has seen to it
        window = tuple(way.seen)
        points = [one.raw for one in window]
        speed = measure(calibration, points, track.kind, aspect, (window[0].time, window[-1].time))
        limit_kmh = max(one.limit_kmh for one in window)
        if speed is None or speed.kmh - speed.uncertainty_kmh <= limit_kmh + self._parameters.over_kmh:
            return
        end_s = points[-1].time_s
        if way.best is None:
            way.first_s = end_s
        way.agreed = way.agreed or end_s - way.first_s >= AGREE_S
        if way.best is None or speed.uncertainty_mps < way.best.speed.uncertainty_mps:
            way.best = _Found(speed, limit_kmh, window)

    def _limit(self, track: Track, step: Step, aspect: float) -> tuple[float, str] | None:
        """What holds here, now and for this class, in km/h, and which place says so."""
        x, y = position = step.position
        settings = self._scene.settings
        for zone in settings.zones:
            if (
                zone.limit_kmh is not None
                and track.kind in (zone.classes or VEHICLES)
                and geometry.inside((x / aspect, y), zone.polygon)
                and in_force(zone.hours, step.time_s, settings.time_zone)
            ):
                return zone.limit_kmh, f"zone {zone.id}"
        for lane in self._scene.lanes(aspect):
            if lane.settings.limit_kmh is not None and lane.holds(position):
                return lane.settings.limit_kmh, f"lane {lane.id}"
        return None

    def _decide(self, moment: Moment, track: Track, way: _Way | None) -> Iterator[Hit]:
        if way is None or way.best is None or not way.agreed or track.id in self._reported:
            return
        self._reported.add(track.id)
        yield self._hit(moment, track, way.best)

    def _hit(self, moment: Moment, track: Track, found: _Found) -> Hit:
        speed, window = found.speed, found.window
        at = min(window, key=lambda one: abs(one.raw.time_s - speed.at_s))
        over = (speed.kmh - found.limit_kmh) / (speed.uncertainty_kmh / COVERAGE)
        parts = (
            track.kind_confidence,
            sum(one.raw.confidence for one in window) / len(window),
            (1 + math.erf(over / math.sqrt(2))) / 2,
        )
        facts: dict[str, Any] = {
            "speed_kmh": round(speed.kmh, 1),
            "uncertainty_kmh": round(speed.uncertainty_kmh, 1),
            "limit_kmh": found.limit_kmh,
            "limit_of": at.place,
            "way_m": round(speed.way_m, 1),
            "duration_s": round(speed.duration_s, 2),
            "points": speed.points,
            "advisory": True,
        }
        device = self._parameters.verified
        if device is not None:
            day = datetime.fromtimestamp(speed.at_s, UTC).date()
            facts |= {"certificate": device.certificate, "certificate_valid_until": str(device.valid_until)}
            facts["advisory"] = day > device.valid_until
        places = {
            **{f"lane {lane.id}": lane.polygon for lane in self._scene.settings.lanes},
            **{f"zone {zone.id}": zone.polygon for zone in self._scene.settings.zones},
        }
        return Hit(
            rule=self.name,
            camera_id=moment.observation.camera_id,
            track_id=track.id,
            kind=track.kind,
            before=window[0].raw,
            at=at.raw,
            after=window[-1].raw,
            confidence=math.prod(parts) ** (1 / len(parts)),
            time=at.time,
            facts=facts,
            geometry={at.place: places[at.place]},
        )

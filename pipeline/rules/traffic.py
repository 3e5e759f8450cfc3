"""What goes on in each lane, by the minute: mean speed, occupancy, queue, level of service.

- mean speed: way made over time spent in the lane, of all vehicles together, in metres over capture time: the
  space-mean speed by Edie's definition (Discussion of traffic stream measurements and definitions, 1963).
  Way is each vehicle's net way along the lane in that minute, so that jitter does not add up. Who comes
  against the lane is in neither sum: it is no part of the stream whose speed this is.
- occupancy: share of time in which a vehicle covers the lane's middle, as it would a loop detector there.
- queue: vehicles that stand before the stop line (in a lane without one: that stand), the most at once. One
  that was lost and is followed under a new id is there once.
- level of service: mean speed against the limit as base free-flow speed, by the bounds that the Highway
  Capacity Manual (6th edition) has for urban streets: A above 80 %, B 67, C 50, D 40, E 30, F below.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.rules.flow import MINUTE_S, SETTLE_S, same_place
from pipeline.rules.moments import Moment
from pipeline.rules.sighting import MAX_GAP_S
from pipeline.rules.step import Step, Track
from pipeline.rules.trajectory import FOOTPRINT_M
from pipeline.scene import Lane, Scene, StopLine, geometry
from pipeline.types import VEHICLES, LaneState, LevelOfService, Point, RoadUserKind

STANDS_HEIGHTS_S, STANDS_PACE = 0.25, 0.9
"""Box heights a second in the picture, and on the ground (5 km/h): slower stands."""
QUEUE_GAP_M = 15.0
"""A queue has no larger gap."""
BEYOND_HEIGHTS, BEYOND_M = 0.25, 1.0
"""A vehicle that stands so little (in box heights, or metres) beyond the line still stands before it."""
FRESH_S = 1.0
"""Where a road user was last seen holds for this long."""
STALE_S = 0.6
"""Steps of who is seen come sooner: later than this, whoever is newer in the same place may be the same."""
AGAINST_M = 3.0
"""Who makes more way than this against the lane comes against it: jitter and making room are less."""
LEAST_S = 5.0
"""Time spent in the lane by all vehicles: from less no mean speed is made."""
ALONG_DEG = 60.0
"""A line and a lane belong together when they run no further apart."""

LEVELS: tuple[tuple[float, LevelOfService], ...] = (
    (0.80, "A"),
    (0.67, "B"),
    (0.50, "C"),
    (0.40, "D"),
    (0.30, "E"),
    (0.0, "F"),
)


@dataclass(slots=True)
class _Stay:
    """One vehicle's time in a lane: net way along it, and how long."""

    way_m: float = 0.0
    spent_s: float = 0.0


@dataclass(slots=True)
class _Minute:
    stays: defaultdict[tuple[int, int], _Stay] = field(default_factory=lambda: defaultdict(_Stay))
    """By track and segment."""
    covered: list[tuple[float, float]] = field(default_factory=list)
    """Spans in which the middle is covered; they may overlap."""
    queue: int = 0
    queue_m: float | None = None
    seen: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a vehicle was in a lane."""

    step: Step
    segment: int
    kind: RoadUserKind
    progress: float
    """Along the lane, picture heights."""
    progress_m: float | None

    @property
    def length_m(self) -> float:
        return FOOTPRINT_M[self.kind][0]


class Traffic:
    """Follows the lanes of one camera."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._places: dict[tuple[int, str], _Place] = {}
        """Newest of each track in each lane that it is in."""
        self._minutes: dict[tuple[float, str], _Minute] = {}
        self._ground: dict[str, tuple[Point, ...]] = {}
        self._begun_s = math.inf
        """The first moment: what a road user did before is not of the time that is told of."""
        calibration = scene.calibration
        for lane in scene.settings.lanes if calibration is not None else ():
            there = calibration.to_ground(lane.direction) if calibration is not None else ()
            self._ground[lane.id] = tuple((float(x), float(y)) for x, y in there)

    def observe(self, moment: Moment) -> Iterator[LaneState]:
        """Take up the next moment; the lanes' states in minutes (of capture time) that are over."""
        lanes = self._scene.lanes(moment.aspect)
        now_s = moment.observation.time.captured_at_s
        self._begun_s = min(self._begun_s, now_s)
        for track, step in moment.advances:
            if step is None:
                self._places = {key: place for key, place in self._places.items() if key[0] != track.id}
            elif track.kind in VEHICLES:
                for lane in lanes:
                    self._follow(track, step, lane)
        for lane in lanes:
            self._queue(lane, self._line(lane, moment.aspect), now_s)
        yield from self._close(now_s - SETTLE_S)

    def finish(self) -> Iterator[LaneState]:
        """The last moment has been: the minutes not yet handed out."""
        yield from self._close(math.inf)

    def _minute(self, time_s: float, lane_id: str) -> _Minute:
        return self._minutes.setdefault((math.floor(time_s / MINUTE_S) * MINUTE_S, lane_id), _Minute())

    def _follow(self, track: Track, step: Step, lane: Lane) -> None:
        key = (track.id, lane.id)
        before = self._places.pop(key, None)
        if not lane.holds(step.centre):
            return
        now = _Place(
            step, track.segment, track.kind, lane.progress(step.centre), self._progress_m(lane.id, step)
        )
        self._places[key] = now
        if before is None or before.segment != track.segment or before.step.time_s < self._begun_s:
            return
        spent_s = step.time_s - before.step.time_s
        if not 0 < spent_s <= MAX_GAP_S:
            return
        minute = self._minute(before.step.time_s, lane.id)
        if not (step.cut or before.step.cut) and now.progress_m is not None and before.progress_m is not None:
            stay = minute.stays[track.id, track.segment]
            stay.way_m += now.progress_m - before.progress_m
            stay.spent_s += spent_s
        if (span := self._covers(lane, before, now)) is not None:
            minute.covered.append(span)

    def _progress_m(self, lane_id: str, step: Step) -> float | None:
        line = self._ground.get(lane_id)
        return geometry.project(step.position_m, line)[0] if line and step.position_m is not None else None

    def _covers(self, lane: Lane, before: _Place, now: _Place) -> tuple[float, float] | None:
        """The part of the time between both in which the vehicle was over the lane's middle."""
        line = self._ground.get(lane.id)
        if line and before.progress_m is not None and now.progress_m is not None:
            start, end, half = before.progress_m, now.progress_m, now.length_m / 2
            middle = geometry.length(line) / 2
        else:
            start, end, half, middle = before.progress, now.progress, now.step.height / 2, lane.length / 2
        first_s, last_s = before.step.time_s, now.step.time_s
        if start == end:
            return (first_s, last_s) if abs(start - middle) <= half else None
        into, out_of = sorted(
            ((middle - half - start) / (end - start), (middle + half - start) / (end - start))
        )
        into, out_of = max(into, 0.0), min(out_of, 1.0)
        length_s = last_s - first_s
        return (first_s + into * length_s, first_s + out_of * length_s) if into < out_of else None

    def _queue(self, lane: Lane, line: StopLine | None, now_s: float) -> None:
        standing = [
            place
            for (track_id, lane_id), place in self._places.items()
            if lane_id == lane.id
            and now_s - place.step.time_s <= FRESH_S + SETTLE_S
            and stands(place.step)
            and (line is None or self._before(lane, line, place))
            and not (now_s - place.step.time_s > STALE_S and self._goes_on(track_id, place))
        ]
        minute = self._minute(now_s, lane.id)
        minute.seen = True
        minute.queue = max(minute.queue, len(standing))
        if lane.id in self._ground:
            minute.queue_m = max(minute.queue_m or 0.0, _length_m(standing))

    def _goes_on(self, track_id: int, place: _Place) -> bool:
        """Whether a newer track is where this one was last seen."""
        return any(
            other_id != track_id
            and other.step.time_s > place.step.time_s
            and same_place(place.step, other.step, place.kind)
            for (other_id, _), other in self._places.items()
        )

    def _before(self, lane: Lane, line: StopLine, place: _Place) -> bool:
        if place.progress_m is None or self._scene.calibration is None:
            return line.distance(place.step.position) <= BEYOND_HEIGHTS * place.step.height
        ends = self._scene.calibration.to_ground([line.settings.line[0], line.settings.line[-1]])
        x, y = ends.mean(axis=0)
        return place.progress_m <= geometry.project((x, y), self._ground[lane.id])[0] + BEYOND_M

    def _line(self, lane: Lane, aspect: float) -> StopLine | None:
        """The stop line at which the lane ends."""
        end = geometry.in_proportion(lane.settings.direction, aspect)[-1]
        along = lane.direction_at(end)
        lines = [
            line
            for line in self._scene.stop_lines(aspect)
            if line.faces(end) and abs(geometry.turn_deg(along, line.travel)) <= ALONG_DEG
        ]
        return min(lines, key=lambda line: abs(line.distance(end)), default=None)

    def _close(self, until_s: float) -> Iterator[LaneState]:
        limits = {lane.id: lane.limit_kmh for lane in self._scene.settings.lanes}
        for start_s, lane_id in sorted(key for key in self._minutes if key[0] + MINUTE_S <= until_s):
            minute = self._minutes.pop((start_s, lane_id))
            if not minute.seen:
                continue
            speed_kmh = _mean_speed_kmh(minute)
            yield LaneState(
                start_s, lane_id, speed_kmh, _covered_s(minute.covered), minute.queue, minute.queue_m,
                level_of_service(speed_kmh, limits[lane_id]),
            )  # fmt: skip


def stands(step: Step) -> bool:
    """Whether a road user stands, as far as a box can tell."""
    return step.speed < STANDS_HEIGHTS_S and step.pace < STANDS_PACE


def level_of_service(speed_kmh: float | None, limit_kmh: float | None) -> LevelOfService | None:
    """See the bounds at the head of this file; None where either is not known."""
    if speed_kmh is None or limit_kmh is None:
        return None
    return next((level for least, level in LEVELS if speed_kmh > least * limit_kmh), "F")


def _mean_speed_kmh(minute: _Minute) -> float | None:
    """0 or more; None where hardly anybody was."""
    stays = [stay for stay in minute.stays.values() if stay.way_m >= -AGAINST_M]
    spent_s = sum(stay.spent_s for stay in stays)
    # In a jam, jitter may leave a little less than nothing.
    return max(0.0, 3.6 * sum(stay.way_m for stay in stays) / spent_s) if spent_s >= LEAST_S else None


def _covered_s(spans: list[tuple[float, float]]) -> float:
    """Length of their union."""
    total, end_s = 0.0, -math.inf
    for first_s, last_s in sorted(spans):
        total += max(0.0, last_s - max(first_s, end_s))
        end_s = max(end_s, last_s)
    return total


def _length_m(standing: list[_Place]) -> float:
    """From the foremost to the end of the last one that follows without a large gap."""
    known = sorted(((p.progress_m, p.length_m) for p in standing if p.progress_m is not None), reverse=True)
    if not known:
        return 0.0
    last_m, long_m = known[0]
    for progress_m, length_m in known[1:]:
        if last_m - progress_m > QUEUE_GAP_M:
            break
        last_m, long_m = progress_m, length_m
    return known[0][0] - last_m + long_m

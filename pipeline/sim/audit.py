"""What really happened: every trajectory held against the definition of every act, in metres.

This knows nothing of the script and nothing of pipeline.rules. It sees where everybody was and what the
lamps showed; what it finds is the truth, asked for or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from pipeline.sim.layout import Lane, Route, Site, StopLine, Zone, pavements
from pipeline.sim.signals import Signals
from pipeline.sim.traffic.lights import group_of
from pipeline.sim.traffic.movers import Mover
from pipeline.sim.traffic.paths import Bools, Floats
from pipeline.sim.types import Act, ActKind, Ground, Paint
from pipeline.types import VEHICLES, LampColor, RoadUserKind

STANDS_MPS = 0.15
STAND_S = 3.0
"""Standing past a line for this long is an act of its own."""
AGAINST_S, AGAINST_M = 1.0, 3.0
LANE_S, LANE_M = 1.0, 5.0
STOP_S = 10.0
SPEED_S, SPEED_TOLERANCE_KMH = 1.0, 5.0
PAVEMENT_S, PAVEMENT_M = 1.0, 3.0
INTRUSION_S = 0.5
LOITER_S = 30.0
CROWD, CROWD_S = 6, 5.0
LEFT_M, LEFT_S = 4.0, 10.0
CRAWL_MPS, CRAWL_S = 1.6, 10.0
RIDERS = 2


class Track:
    """One trajectory: t, x, y, cos, sin, v, queued, each (N,)."""

    def __init__(self, mover: Mover, length_m: float, width_m: float) -> None:
        self.mover, self.length_m, self.width_m = mover, length_m, width_m
        rows = np.asarray(mover.trail, float).reshape(-1, 7)
        self.t, self.x, self.y, self.cos, self.sin, self.v = rows.T[:6]
        self.queued = rows[:, 6] > 0

    @property
    def front(self) -> tuple[Floats, Floats]:
        """Middle of the front bumper."""
        return self.x + self.cos * self.length_m / 2, self.y + self.sin * self.length_m / 2


class Auditor:
    """Takes trajectories one by one, and tells at the end what the groups did."""

    def __init__(self, site: Site, signals: Signals, *, trucks_banned: bool) -> None:
        self._site, self._signals, self._trucks_banned = site, signals, trucks_banned
        self._pavements = pavements(site)
        self._solid = [
            (mark.paint.value, a, b)
            for mark in site.layout.markings
            if mark.paint is Paint.SOLID
            for a, b in pairwise(mark.line)
        ]
        self._people: list[Track] = []
        self._pairs: dict[int, Track] = {}

    def judge(self, track: Track) -> Iterator[Act]:
        """All acts of one road user."""
        if len(track.t) < 2:
            return
        kind = track.mover.kind
        if kind is RoadUserKind.PERSON:
            self._people.append(track)
            yield from self._person(track)
        elif kind in VEHICLES:
            yield from self._vehicle(track)
        if track.mover.partner_id is not None or kind == "object" or track.mover.passed:
            self._pairs[track.mover.id] = track

    def finish(self) -> Iterator[Act]:
        """Acts of more than one: crowds, things left behind, overtaking."""
        yield from self._crowds()
        people = {track.mover.id: track for track in self._people}
        for track in self._pairs.values():
            partner = track.mover.partner_id
            if track.mover.kind == "object" and partner in people:
                yield from self._abandoned(track, people[partner])
            elif partner is not None and partner in self._pairs:
                yield from self._overtaking(track, self._pairs[partner])

    def _vehicle(self, track: Track) -> Iterator[Act]:
        for line in self._site.lines:
            yield from self._at_line(track, line)
        yield from self._lanes(track)
        yield from self._solid_lines(track)
        yield from self._stops(track)
        yield from self._speed(track)
        for zone in self._pavements:
            mask = _inside(track.x, track.y, zone.polygon) & (track.v > 0.5)
            yield from self._runs(track, mask, ActKind.PAVEMENT, zone.id, PAVEMENT_S, PAVEMENT_M)
        mover = track.mover
        whole = (mover.id, float(track.t[0]), float(track.t[len(track.t) // 2]), float(track.t[-1]), "")
        if mover.kind is RoadUserKind.MOTORBIKE:
            if not all(rider.helmet for rider in mover.riders):
                yield Act(ActKind.NO_HELMET, *whole)
            if len(mover.riders) > RIDERS:
                yield Act(ActKind.TOO_MANY_RIDERS, *whole)
        if mover.kind is RoadUserKind.TRUCK and self._trucks_banned:
            for zone in self._zones("restricted_hours"):
                mask = _inside(track.x, track.y, zone.polygon)
                yield from self._runs(track, mask, ActKind.RESTRICTED_HOURS, zone.id, 1.0, 5.0)
        if mover.act is ActKind.SLOW_IN_JAM:
            mask = (track.v < CRAWL_MPS) & (track.v > 0.3)
            yield from self._runs(track, mask, ActKind.SLOW_IN_JAM, "", CRAWL_S, 5.0)

    def _at_line(self, track: Track, line: StopLine) -> Iterator[Act]:
        fx, fy = track.front
        before = _beyond(fx, fy, line.line, line.heading)
        crossed = np.flatnonzero((before[:-1] < 0) & (before[1:] >= 0))
        share = _share(fx, fy, line.line)
        for k in crossed.tolist():
            if 0 <= share[k] <= 1:
                at_s = _when(track.t, before, k)
                yield from self._signal(track, line, k, at_s, before)
                yield from self._turn(track, line, k, at_s)

    def _signal(self, track: Track, line: StopLine, k: int, at_s: float, beyond: Floats) -> Iterator[Act]:
        route = track.mover.route
        group = group_of(route) if isinstance(route, Route) else None
        if group is None:
            return
        shown = self._signals.shown(group, at_s)
        red = shown.color is LampColor.RED
        depth = _beyond(
            np.array([line.clearance[0][0]]), np.array([line.clearance[0][1]]), line.line, line.heading
        )[0]
        later = np.arange(k + 1, len(track.t))
        through = later[beyond[later] >= depth]
        clear = int(through[0]) if len(through) else None
        end = clear if clear is not None else len(track.t) - 1
        red_until_s = self._red_until(group, at_s)
        stands = (track.v < STANDS_MPS) & (np.arange(len(track.t)) > k) & (np.arange(len(track.t)) < end)
        reds = np.array([self._signals.shown(group, t).color is LampColor.RED for t in track.t[k : end + 1]])
        stands[k : end + 1] &= reds
        stood = max((track.t[b] - track.t[a] for a, b in _spans(stands)), default=0.0)
        if stood >= STAND_S:
            kind = ActKind.STOP_LINE if red else ActKind.WAITS_PAST_LINE
            yield Act(kind, track.mover.id, at_s, at_s, float(track.t[end]), line.id)
        elif red and clear is not None and track.t[clear] <= red_until_s:
            yield Act(ActKind.RED_LIGHT, track.mover.id, at_s, at_s, float(track.t[clear]), line.id)
        elif (
            shown.color is LampColor.GREEN
            and group != (ball := line.groups["straight"])
            and self._signals.shown(ball, at_s).color is LampColor.RED
        ):
            yield Act(ActKind.RIGHT_ON_ARROW, track.mover.id, at_s, at_s, float(track.t[end]), line.id)

    def _red_until(self, group: str, time_s: float) -> float:
        shown = self._signals.shown(group, time_s)
        return shown.until_s if shown.color is LampColor.RED else time_s

    def _turn(self, track: Track, line: StopLine, k: int, at_s: float) -> Iterator[Act]:
        heading = np.unwrap(np.arctan2(track.sin[k:], track.cos[k:]))
        turned = np.degrees(heading - line.heading)
        turned -= 360 * np.round(turned[0] / 360)
        most = float(turned[np.abs(turned).argmax()])
        if most > 135:
            kind, mark = ActKind.U_TURN, 135.0
        elif most > 60 and "left" not in line.groups:
            kind, mark = ActKind.BANNED_TURN, 45.0
        else:
            return
        decisive = int(np.argmax(turned > mark))
        end = int(np.argmax(turned > most - 5))
        yield Act(kind, track.mover.id, at_s, float(track.t[k + decisive]), float(track.t[k + end]), line.id)

    def _lanes(self, track: Track) -> Iterator[Act]:
        for lane in self._site.lanes:
            inside = _inside(track.x, track.y, lane.polygon)
            if not inside.any():
                continue
            along = self._along(track, lane)
            yield from self._runs(
                track,
                inside & (along < -0.7) & (track.v > 0.3),
                ActKind.WRONG_WAY,
                lane.id,
                AGAINST_S,
                AGAINST_M,
            )
            if lane.classes and track.mover.kind not in lane.classes:
                yield from self._runs(
                    track, inside & (along > 0.7), ActKind.WRONG_LANE, lane.id, LANE_S, LANE_M
                )

    @staticmethod
    def _along(track: Track, lane: Lane) -> Floats:
        """Cosine of the angle between a heading and a (straight) lane."""
        (ax, ay), (bx, by) = lane.direction[0], lane.direction[-1]
        size = math.dist((ax, ay), (bx, by))
        return np.asarray((track.cos * (bx - ax) + track.sin * (by - ay)) / size)

    def _solid_lines(self, track: Track) -> Iterator[Act]:
        last_s = -math.inf
        for name, a, b in self._solid:
            heading = math.atan2(b[1] - a[1], b[0] - a[0]) + math.pi / 2
            off = _beyond(track.x, track.y, (a, b), heading)
            share = _share(track.x, track.y, (a, b))
            for k in np.flatnonzero(np.signbit(off[:-1]) != np.signbit(off[1:])).tolist():
                at_s = _when(track.t, off, k)
                if not 0 <= share[k] <= 1 or abs(at_s - last_s) < 2.0:
                    continue
                last_s = at_s
                on = np.abs(off) < track.width_m / 2
                start, end = k, k
                while start > 0 and on[start - 1]:
                    start -= 1
                while end + 1 < len(on) and on[end + 1]:
                    end += 1
                yield Act(
                    ActKind.SOLID_LINE, track.mover.id, float(track.t[start]), at_s, float(track.t[end]), name
                )

    def _stops(self, track: Track) -> Iterator[Act]:
        for zone in self._zones("no_stopping"):
            mask = _inside(track.x, track.y, zone.polygon) & (track.v < STANDS_MPS) & ~track.queued
            yield from self._runs(track, mask, ActKind.ILLEGAL_STOP, zone.id, STOP_S)

    def _speed(self, track: Track) -> Iterator[Act]:
        mask = track.v * 3.6 > self._site.limit_kmh + SPEED_TOLERANCE_KMH
        for act in self._runs(track, mask, ActKind.SPEEDING, "", SPEED_S):
            k = int(np.searchsorted(track.t, act.decisive_s))
            lane = next(
                (
                    lane.id
                    for lane in self._site.lanes
                    if _inside(track.x[k : k + 1], track.y[k : k + 1], lane.polygon)[0]
                ),
                "",
            )
            yield Act(act.kind, act.actor_id, act.start_s, act.decisive_s, act.end_s, lane)

    def _person(self, track: Track) -> Iterator[Act]:
        for purpose, kind, least_s in (
            ("restricted", ActKind.INTRUSION, INTRUSION_S),
            ("loitering", ActKind.LOITERING, LOITER_S),
        ):
            for zone in self._zones(purpose):
                yield from self._runs(track, _inside(track.x, track.y, zone.polygon), kind, zone.id, least_s)

    def _crowds(self) -> Iterator[Act]:
        for zone in self._zones("crowd"):
            changes: list[tuple[float, int, int]] = []
            for track in self._people:
                for a, b in _spans(_inside(track.x, track.y, zone.polygon)):
                    changes += [(track.t[a], 1, track.mover.id), (track.t[b], -1, track.mover.id)]
            count, since, who = 0, 0.0, 0
            for time_s, step, actor in sorted(changes):
                if step > 0 and count + 1 == CROWD:
                    since, who = time_s, actor
                if step < 0 and count == CROWD and time_s - since >= CROWD_S:
                    yield Act(
                        ActKind.CROWD, who, float(since), float(since) + CROWD_S, float(time_s), zone.id
                    )
                count += step

    def _abandoned(self, thing: Track, owner: Track) -> Iterator[Act]:
        away = np.hypot(owner.x - thing.x[0], owner.y - thing.y[0]) > LEFT_M
        gone = np.flatnonzero(away & (owner.t > thing.t[0]))
        if not len(gone):
            return
        start_s, end_s = float(owner.t[gone[0]]), float(thing.t[-1])
        if end_s - start_s >= LEFT_S:
            zone = next(
                (z.id for z in self._zones("abandoned_object") if _inside(thing.x, thing.y, z.polygon)[0]), ""
            )
            yield Act(ActKind.ABANDONED_OBJECT, thing.mover.id, start_s, start_s + LEFT_S, end_s, zone)

    def _overtaking(self, fast: Track, slow: Track) -> Iterator[Act]:
        start_s, end_s = max(fast.t[0], slow.t[0]), min(fast.t[-1], slow.t[-1])
        t = fast.t[(fast.t >= start_s) & (fast.t <= end_s)]
        if len(t) < 2:
            return
        x, y = (np.interp(t, fast.t, values) for values in (fast.x, fast.y))
        sx, sy = (np.interp(t, slow.t, values) for values in (slow.x, slow.y))
        cos, sin = (np.interp(t, slow.t, values) for values in (slow.cos, slow.sin))
        ahead = (x - sx) * cos + (y - sy) * sin
        passing = np.flatnonzero((ahead[:-1] < 0) & (ahead[1:] >= 0))
        for k in passing.tolist():
            for lane in self._site.lanes:
                both = _inside(np.array([x[k], sx[k]]), np.array([y[k], sy[k]]), lane.polygon)
                if both.all():
                    at_s = float(t[k])
                    yield Act(ActKind.OVERTAKES_IN_LANE, fast.mover.id, at_s - 1.0, at_s, at_s + 1.0, lane.id)

    def _zones(self, purpose: str) -> tuple[Zone, ...]:
        return tuple(zone for zone in self._site.zones if zone.purpose == purpose)

    @staticmethod
    def _runs(
        track: Track, mask: Bools, kind: ActKind, place: str, least_s: float, least_m: float = 0.0
    ) -> Iterator[Act]:
        """An act for each stretch of True that lasts and leads far enough; decisive once it has."""
        for a, b in _spans(mask):
            way = np.hypot(track.x[a : b + 1] - track.x[a], track.y[a : b + 1] - track.y[a])
            enough = (track.t[a : b + 1] - track.t[a] >= least_s) & (way >= least_m)
            if enough.any():
                decisive_s = float(track.t[a + int(enough.argmax())])
                yield Act(kind, track.mover.id, float(track.t[a]), decisive_s, float(track.t[b]), place)


def _spans(mask: Bools) -> list[tuple[int, int]]:
    """First and last index of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _inside(x: Floats, y: Floats, polygon: tuple[Ground, ...]) -> Bools:
    """Even-odd rule."""
    odd = np.zeros(len(x), bool)
    for (ax, ay), (bx, by) in pairwise((*polygon, polygon[0])):
        if ay != by:
            odd ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return odd


def _beyond(x: Floats, y: Floats, line: tuple[Ground, Ground], heading: float) -> Floats:
    """Distance beyond the line's continuation in the direction of `heading`."""
    (ax, ay), (bx, by) = line
    size = math.dist(*line)
    nx, ny = -(by - ay) / size, (bx - ax) / size
    if nx * math.cos(heading) + ny * math.sin(heading) < 0:
        nx, ny = -nx, -ny
    return (x - ax) * nx + (y - ay) * ny


def _share(x: Floats, y: Floats, line: tuple[Ground, Ground]) -> Floats:
    """Where along the line, 0 at its start and 1 at its end."""
    (ax, ay), (bx, by) = line
    return ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / math.dist(*line) ** 2


def _when(t: Floats, signed: Floats, k: int) -> float:
    """Time between samples k and k + 1 at which a signed distance is 0."""
    step = signed[k + 1] - signed[k]
    share = -signed[k] / step if step else 0.0
    return float(t[k] + share * (t[k + 1] - t[k]))

"""Observations to a block of bytes and back, with nothing of what a rule sees lost.

A trajectory is told once: a block holds only what is new of each. Shares and places are kept in steps of
1 / GRID, in which perception tells them; times to the last bit.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import numpy as np

from pipeline.tracks.columns import Ints, bits, differences, floats, pack, sums, unpack
from pipeline.types import (
    GRID,
    Box,
    FrameTime,
    Head,
    LampColor,
    Observation,
    RoadUser,
    RoadUserKind,
    SignalState,
    TimeSource,
    TrackPoint,
)

KINDS = tuple(RoadUserKind)
COLORS = tuple(LampColor)
SOURCES: tuple[TimeSource, ...] = get_args(TimeSource)
HEAD_STEPS = 8
"""Steps a pixel in which the heights of heads are told."""
FORGET_S = 60.0
"""A road user unseen for longer is forgotten: should it come back, its trajectory is told anew."""

_FRAMES = ("time", "source", "offset", "uncertainty", "width", "height", "connection", "users", "signals")
_USERS = ("track", "kind", "kind_confidence", "length", "new", "riders", "heads")
_POINTS = ("late", "left", "top", "right", "bottom", "confidence")
_RIDERS = ("rider_left", "rider_top", "rider_right", "rider_bottom")
_HEADS = ("head_left", "head_top", "head_right", "head_bottom", "helmet", "bare", "head_height")
_SIGNALS = ("lamp", "color", "since", "lamp_confidence")
NAMES = (*_FRAMES, *_USERS, *_POINTS, "late_time", *_RIDERS, *_HEADS, *_SIGNALS)
_EXACT = frozenset(("time", "offset", "uncertainty", "late_time", "since"))
"""Floats, kept with all their bits; the others are whole numbers."""

_HEADER = struct.Struct("<I")


class Memory:
    """What has been told of each trajectory so far; one for each camera and side."""

    def __init__(self) -> None:
        self.trajectories: dict[int, list[TrackPoint]] = {}
        self._connection: int | None = None

    def begin(self, connection: int, now_s: float) -> None:
        """Before an observation: a new connection has new identities, and who is long gone is forgotten."""
        if connection != self._connection:
            self._connection = connection
            self.trajectories.clear()
        self.trajectories = {
            track_id: points
            for track_id, points in self.trajectories.items()
            if now_s - points[-1].time_s <= FORGET_S
        }


class Block:
    """Takes observations of one camera, in order; bytes out."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._columns: defaultdict[str, list[float]] = defaultdict(list)
        self._lamps: dict[str, int] = {}
        self.frames = 0
        self.first_s = 0.0
        self.last_s = 0.0

    def add(self, observation: Observation) -> None:
        """Take up the next moment; quick, for it is called where rules are judged."""
        columns, time = self._columns, observation.time
        now_s = time.captured_at_s
        if not self.frames:
            self.first_s = now_s
        self.frames += 1
        self.last_s = now_s
        self._memory.begin(observation.connection, now_s)
        columns["time"].append(now_s)
        columns["source"].append(SOURCES.index(time.source))
        columns["offset"].append(time.offset_ms)
        columns["uncertainty"].append(time.uncertainty_ms)
        columns["width"].append(observation.picture_size[0])
        columns["height"].append(observation.picture_size[1])
        columns["connection"].append(observation.connection)
        columns["users"].append(len(observation.road_users))
        columns["signals"].append(len(observation.signals))
        for user in observation.road_users:
            self._add_user(user, now_s)
        for state in observation.signals.values():
            columns["lamp"].append(self._lamps.setdefault(state.lamp_id, len(self._lamps)))
            columns["color"].append(COLORS.index(state.color))
            columns["since"].append(state.since_s)
            columns["lamp_confidence"].append(round(state.confidence * GRID))

    def _add_user(self, user: RoadUser, now_s: float) -> None:
        columns = self._columns
        known = self._memory.trajectories.get(user.track_id)
        new = _new(user.trajectory, known[-1] if known else None)
        # The newest point alone tells what will be new next time.
        self._memory.trajectories[user.track_id] = [user.trajectory[-1]]
        columns["track"].append(user.track_id)
        columns["kind"].append(KINDS.index(user.kind))
        columns["kind_confidence"].append(round(user.kind_confidence * GRID))
        columns["length"].append(len(user.trajectory))
        columns["new"].append(len(new))
        columns["riders"].append(len(user.riders))
        columns["heads"].append(len(user.heads))
        for point in new:
            late = point.time_s != now_s
            columns["late"].append(late)
            if late:
                columns["late_time"].append(point.time_s)
            for name, edge in zip(_POINTS[1:5], point.box, strict=True):
                columns[name].append(round(edge * GRID))
            columns["confidence"].append(round(point.confidence * GRID))
        for box in user.riders:
            for name, edge in zip(_RIDERS, box, strict=True):
                columns[name].append(round(edge * GRID))
        for head in user.heads:
            for name, share in zip(_HEADS[:6], (*head.box, head.helmet, head.bare), strict=True):
                columns[name].append(round(share * GRID))
            columns["head_height"].append(round(head.height_px * HEAD_STEPS))

    def encode(self) -> bytes:
        """All of it as bytes; the memory goes on with the next block."""
        columns = {
            name: bits(self._columns[name]) if name in _EXACT else np.array(self._columns[name], np.int64)
            for name in NAMES
        }
        for name, group in _groups(columns).items():
            columns[name] = differences(columns[name], group)
        names = json.dumps(list(self._lamps), ensure_ascii=False).encode()
        return _HEADER.pack(len(names)) + names + pack(columns, NAMES)


def decode(data: bytes, camera_id: str, memory: Memory) -> Iterator[Observation]:
    """The observations of a block. `memory` holds what the blocks before it told.

    Raises ValueError for what no Block made.
    """
    if len(data) < _HEADER.size:
        raise ValueError("is cut off")
    start = _HEADER.size + _HEADER.unpack_from(data)[0]
    lamps = json.loads(data[_HEADER.size : start])
    columns = unpack(data[start:], NAMES)
    try:
        for name, group in _groups(columns).items():
            columns[name] = sums(columns[name], group)
        yield from _Reader(columns, lamps, camera_id, memory).observations()
    except (IndexError, StopIteration, RuntimeError, TypeError) as error:
        raise ValueError(f"holds what does not fit together ({error!r})") from None


class _Reader:
    """Takes the rows of a block's columns in turn."""

    def __init__(
        self, columns: Mapping[str, Ints], lamps: Sequence[str], camera_id: str, memory: Memory
    ) -> None:
        lists = {
            name: (floats(values) if name in _EXACT else values).tolist() for name, values in columns.items()
        }
        self._late_times = iter(lists["late_time"])
        self._frames, self._users, self._points, self._riders, self._heads, self._signals = (
            zip(*(lists[name] for name in names), strict=True)
            for names in (_FRAMES, _USERS, _POINTS, _RIDERS, _HEADS, _SIGNALS)
        )
        self._lamps, self._camera_id, self._memory = lamps, camera_id, memory

    def observations(self) -> Iterator[Observation]:
        for now_s, source, offset_ms, uncertainty_ms, *size, connection, users, signals in self._frames:
            self._memory.begin(connection, now_s)
            seen = [self._user(now_s) for _ in range(users)]
            states = [self._signal() for _ in range(signals)]
            yield Observation(
                self._camera_id,
                FrameTime(now_s, SOURCES[source], offset_ms, uncertainty_ms),
                tuple(user for user in seen if user.trajectory),
                {state.lamp_id: state for state in states},
                (size[0], size[1]),
                connection,
            )

    def _user(self, now_s: float) -> RoadUser:
        """Without a trajectory where all of it was told in a block that is not there."""
        track_id, kind, confidence, length, new, riders, heads = next(self._users)
        points = self._memory.trajectories.get(track_id, [])
        for point in [self._point(now_s) for _ in range(new)]:
            while points and points[-1].time_s >= point.time_s:
                points.pop()
            points.append(point)
        del points[: max(0, len(points) - length)]
        if points:
            self._memory.trajectories[track_id] = points
        boxes = tuple([_box(next(self._riders)) for _ in range(riders)])
        seen = tuple([self._head() for _ in range(heads)])
        return RoadUser(track_id, KINDS[kind], tuple(points), confidence / GRID, boxes, seen)

    def _head(self) -> Head:
        *edges, helmet, bare, height = next(self._heads)
        return Head(_box(edges), helmet / GRID, bare / GRID, height / HEAD_STEPS)

    def _point(self, now_s: float) -> TrackPoint:
        late, *edges, confidence = next(self._points)
        return TrackPoint(next(self._late_times) if late else now_s, _box(edges), confidence / GRID)

    def _signal(self) -> SignalState:
        lamp, color, since_s, confidence = next(self._signals)
        return SignalState(self._lamps[lamp], COLORS[color], since_s, confidence / GRID)


def _groups(columns: Mapping[str, Ints]) -> dict[str, Ints]:
    """Columns of which only differences are kept, and which rows of each differ little from one to the next:
    those of one track, of one lamp, or all.
    """
    if columns["new"].sum() != len(columns["left"]) or columns["new"].min(initial=0) < 0:
        raise ValueError("holds another number of points than it says")
    by_track = dict.fromkeys(("kind_confidence", "length"), columns["track"])
    by_point = dict.fromkeys(_POINTS[1:], np.repeat(columns["track"], columns["new"]))
    by_lamp = dict.fromkeys(("since", "lamp_confidence"), columns["lamp"])
    in_turn = {
        name: np.zeros(len(columns[name]), np.int64)
        for name in ("time", "offset", "uncertainty", "width", "height", "late_time")
    }
    return {**by_track, **by_point, **by_lamp, **in_turn}


def _new(trajectory: Sequence[TrackPoint], known: TrackPoint | None) -> list[TrackPoint]:
    """The points that are not known yet, oldest first; a newest one that was seen anew is told again."""
    new: list[TrackPoint] = []
    for point in reversed(trajectory):
        if known is not None and (point.time_s < known.time_s or point == known):
            break
        new.append(point)
    return new[::-1]


def _box(edges: Sequence[int]) -> Box:
    left, top, right, bottom = edges
    return (left / GRID, top / GRID, right / GRID, bottom / GRID)

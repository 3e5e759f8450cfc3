"""Who was in a camera's pictures lately: so that evidence can hide everybody but the judged one."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.evidence import Seen
from pipeline.perception.classes import KINDS, PARTS
from pipeline.types import Box, Hit, Observation, Point, TrackPoint

NEAR_S = 0.35
"""A road user seen this close to a moment was there: two pictures at 6 a second."""
MOST_SEEN = 200
"""In one picture; the surest."""
SPARE_S = 30.0
"""Kept longer than the ring, which evidence may still be made from."""

_NAMES = (*(kind.value for kind in KINDS), *PARTS)


@dataclass(frozen=True, slots=True)
class _Glimpse:
    """Everybody in one analysed picture."""

    time_s: float
    boxes: npt.NDArray[np.float32]
    """(N, 4) float32, 0..1."""
    classes: npt.NDArray[np.uint8]
    """(N,) uint8: places in _NAMES."""
    tracks: dict[int, tuple[str, Box]]
    """Those that are followed."""


class Surroundings:
    """One camera's last pictures, without the pictures: about 4 kB for each. Threads may share it."""

    def __init__(self, seconds: float) -> None:
        """`seconds` of its ring are kept, and some more."""
        self._seconds = seconds + SPARE_S
        self._glimpses: deque[_Glimpse] = deque()
        self._lock = threading.Lock()

    def add(self, observation: Observation, detections: sv.Detections, size: tuple[int, int]) -> None:
        """Keep who is in a picture of `size` (width, height); `detections` in its pixels, parts included."""
        ids = np.asarray([] if detections.class_id is None else detections.class_id, np.uint8)
        scores = np.asarray([] if detections.confidence is None else detections.confidence)
        surest = np.argsort(-scores, kind="stable")[:MOST_SEEN]
        boxes = (detections.xyxy[surest] / np.tile(size, 2)).astype(np.float32)
        tracks = {user.track_id: (user.kind.value, user.now.box) for user in observation.road_users}
        glimpse = _Glimpse(observation.time.captured_at_s, boxes, ids[surest], tracks)
        with self._lock:
            if self._glimpses and glimpse.time_s <= self._glimpses[-1].time_s:
                # The camera's clock was set back: what was seen before cannot be told apart any more.
                self._glimpses.clear()
            self._glimpses.append(glimpse)
            while self._glimpses[0].time_s < glimpse.time_s - self._seconds:
                self._glimpses.popleft()

    def of(self, hit: Hit) -> HitAround:
        """Who was there besides the one of a hit."""
        return HitAround(self, hit)

    def between(self, from_s: float, to_s: float) -> list[_Glimpse]:
        """What is kept of a span, both ends included."""
        with self._lock:
            glimpses = list(self._glimpses)
        times = [glimpse.time_s for glimpse in glimpses]
        return [each for each in glimpses[bisect_left(times, from_s) :] if each.time_s <= to_s]


class HitAround:
    """For one hit; see evidence.Around."""

    def __init__(self, surroundings: Surroundings, hit: Hit) -> None:
        self._surroundings = surroundings
        self._hit = hit

    def seen(self, time_s: float) -> Sequence[Seen] | None:
        """Everybody in the nearest analysed picture, and who was followed in those around it."""
        near = self._surroundings.between(time_s - NEAR_S, time_s + NEAR_S)
        if not near:
            return None
        judged = self._hit.track_id
        nearest = min(near, key=lambda glimpse: abs(glimpse.time_s - time_s))
        found = [
            Seen(_NAMES[number], (left, top, right, bottom))
            for number, (left, top, right, bottom) in zip(
                nearest.classes.tolist(), nearest.boxes.tolist(), strict=True
            )
        ]
        found += [Seen(what, box, track == judged) for track, (what, box) in nearest.tracks.items()]
        # A detector that misses somebody in one picture must not show them.
        for glimpse in near:
            if glimpse is not nearest:
                found += [
                    Seen(what, box)
                    for track, (what, box) in glimpse.tracks.items()
                    if track not in nearest.tracks and track != judged
                ]
        return found

    def way(self) -> Sequence[Point]:
        """Where it touched the ground from before to after."""
        boxes = (point.box for point in self.track())
        return [((left + right) / 2, bottom) for left, _, right, bottom in boxes]

    def track(self) -> list[TrackPoint]:
        """Where it was seen from before to after."""
        hit = self._hit
        return [
            TrackPoint(glimpse.time_s, glimpse.tracks[hit.track_id][1])
            for glimpse in self._surroundings.between(hit.before.time_s, hit.after.time_s)
            if hit.track_id in glimpse.tracks
        ]

"""What is known of one road user over time: its trajectory, its class, its proportions."""

from __future__ import annotations

from collections import deque
from math import exp, hypot
from statistics import median

import numpy as np
import numpy.typing as npt

from pipeline.perception.classes import BICYCLE, BUS, CAR, KINDS, MOTORBIKE, PERSON, TRUCK
from pipeline.perception.meetings import STANDS
from pipeline.scene import geometry
from pipeline.types import Box, Head, RoadUser, RoadUserKind, TrackPoint, on_grid

_KEEP_S = 20.0
"""Length of a trajectory."""

_TWO_WHEELER_SHARE = 0.2
"""Share of two-wheeler votes among those for two-wheelers and persons that makes a two-wheeler.

A rider is often seen as a person alone; a pedestrian is hardly ever seen as a machine.
"""

_VEHICLE_SPEED = 1.25
"""Box heights a second. A brisk walk is 2 m/s at 1.7 m, so 1.2; the fastest of the indoor clip's walkers
reached 0.6, half of the riders of junction-red 2.5 and more."""
_SPEED_SPAN_S = (0.6, 1.2)
_PROBABLE = 0.5
"""Confidence in `motorbike` where speed alone says so."""

_VOTES_LAST_S = 5.0
"""After so long a vote is worth 1/e: an identity that goes over to another road user after a minute at a red
light is told as that one within seconds."""
_NEWEST_WEIGHT = 0.3
_MOVED_S = 1.0


class Track:
    """One road user; `add` once for each moment it is seen."""

    def __init__(self, track_id: int, riders_in_box: bool = False) -> None:
        """`riders_in_box`: its detector sees a rider as part of the machine, so a person stays one."""
        self.track_id = track_id
        self._riders_in_box = riders_in_box
        self.points: deque[TrackPoint] = deque()
        self._votes = np.zeros(len(KINDS))
        self._recent: deque[tuple[float, float, float, float, float]] = deque()
        self._proportions: npt.NDArray[np.float64] | None = None
        self._was_fast = False

    @property
    def seen_s(self) -> float:
        """Capture time of the newest point."""
        return self.points[-1].time_s

    def add(
        self,
        time_s: float,
        box: npt.NDArray[np.float32],
        confidence: float,
        votes: npt.NDArray[np.float32],
        riders: npt.NDArray[np.float32],
        seat: npt.NDArray[np.float32],
        size: tuple[int, int],
    ) -> None:
        """Take one sighting in pixels of a picture of `size` (width, height); see `road_users.fuse`.

        Times rise strictly along the trajectory: a sighting that is not later replaces the last one.
        """
        if self.points and time_s <= self.seen_s:
            time_s = self.seen_s
            self.points.pop()
        elif self.points:
            self._votes *= exp((self.seen_s - time_s) / _VOTES_LAST_S)
        whole = self._whole(box.astype(np.float64), riders, seat, votes)
        self._votes += _one_vehicle(votes) * (whole[3] - whole[1]) / size[1]
        self._note_speed(time_s, whole)
        width, height = size
        scale = np.array((width, height, width, height))
        left, top, right, bottom = map(on_grid, np.clip(whole / scale, 0, 1).tolist())
        self.points.append(TrackPoint(time_s, (left, top, right, bottom), on_grid(confidence)))
        while self.points[0].time_s < time_s - _KEEP_S:
            self.points.popleft()

    def moved(self, box: Box, time_s: float) -> bool:
        """Whether `box` (0..1) lies elsewhere than its box of a second before."""
        past = self.points[-1]
        for point in reversed(self.points):
            if point.time_s < time_s - _MOVED_S:
                break
            past = point
        return geometry.overlap(box, past.box)[0] < STANDS

    def road_user(self, riders: tuple[Box, ...], heads: tuple[Head, ...]) -> RoadUser:
        """The road user as of its newest point, with its riders and their heads in this picture."""
        kind, confidence = self._kind()
        return RoadUser(self.track_id, kind, tuple(self.points), on_grid(confidence), riders, heads)

    def _kind(self) -> tuple[RoadUserKind, float]:
        """The voted class and the share of the vote that speaks for it."""
        votes = self._votes
        total = float(votes.sum()) or 1.0
        two_wheelers = votes[BICYCLE] + votes[MOTORBIKE]
        body = two_wheelers + votes[PERSON]
        best = int(votes.argmax())
        if best in (PERSON, BICYCLE, MOTORBIKE) or body > votes.max():
            share = 0.5 if self._riders_in_box else _TWO_WHEELER_SHARE
            if two_wheelers >= share * body:
                machine = BICYCLE if votes[BICYCLE] > votes[MOTORBIKE] else MOTORBIKE
                # Whoever sits on it spoke for `person`; that is no vote against the machine.
                return KINDS[machine], float((votes[machine] + votes[PERSON]) / total)
            if self._was_fast and not self._riders_in_box:
                return RoadUserKind.MOTORBIKE, _PROBABLE
            return RoadUserKind.PERSON, float(votes[PERSON] / total)
        return KINDS[best], float(votes[best] / total)

    def _whole(
        self,
        box: npt.NDArray[np.float64],
        riders: npt.NDArray[np.float32],
        seat: npt.NDArray[np.float32],
        votes: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float64]:
        """The box of rider and machine together, also where only one of them is seen.

        The ground point of a person's box lies a tenth of the whole's height too high, and jumps when the
        machine is seen again; so the proportions of this track's own whole sightings fill in.
        """
        machine_seen = not np.isnan(seat[0])
        if machine_seen and len(riders):
            person = (*riders[:, :2].min(axis=0), *riders[:, 2:].max(axis=0))
            below = (box[3] - person[3]) / max(person[3] - person[1], 1.0)
            tall = (box[3] - box[1]) / max(seat[2] - seat[0], 1.0)
            new = np.array((below, tall))
            old = new if self._proportions is None else self._proportions
            self._proportions = old + _NEWEST_WEIGHT * (new - old)
            return box
        if self._proportions is None:
            return box
        below, tall = self._proportions
        whole = box.copy()
        if machine_seen:
            whole[1] = min(box[1], box[3] - tall * (box[2] - box[0]))
        elif votes[PERSON] > 0:
            whole[3] = box[3] + below * (box[3] - box[1])
        return whole

    def _note_speed(self, time_s: float, box: npt.NDArray[np.float64]) -> None:
        """Remember whether it ever moved at a vehicle's speed for most of a second.

        Head and foot must both have moved: a box that only grows or flickers is no motion.
        """
        if self._was_fast:
            return
        shortest, longest = _SPEED_SPAN_S
        middle = (box[0] + box[2]) / 2
        self._recent.append((time_s, middle, box[1], box[3], box[3] - box[1]))
        while self._recent[0][0] < time_s - longest:
            self._recent.popleft()
        start_s, start_x, start_top, start_bottom, _ = self._recent[0]
        span_s = time_s - start_s
        if span_s < shortest:
            return
        across = middle - start_x
        moved = min(hypot(across, box[1] - start_top), hypot(across, box[3] - start_bottom))
        height = median(each[4] for each in self._recent)
        if moved > _VEHICLE_SPEED * span_s * max(height, 1.0):
            self._was_fast = True


def _one_vehicle(votes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The votes of one sighting, those for car, bus and truck that are not the surest squared down: a weak
    car's box on a truck says little against it, one nearly as sure as the truck's is doubt."""
    weighed = votes.copy()
    fleet = votes[[CAR, BUS, TRUCK]]
    best = float(fleet.max())
    if best > 0:
        weighed[[CAR, BUS, TRUCK]] = fleet * fleet / best
    return weighed

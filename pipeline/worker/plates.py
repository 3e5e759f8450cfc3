"""Beside the evidence of an act: the vehicle's plate, read on full-resolution pictures out of the ring.

Reading costs a core for a few tenths of a second. It takes one core at most, never more than `BUDGET_S` of
it for an act, and nothing when acts pile up: evidence does not wait for plates.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
import structlog

from pipeline.evidence import EvidenceError
from pipeline.evidence.store import StoredBundle
from pipeline.plates import PlateReader, Sighting
from pipeline.types import (
    Hit,
    PlateReading,
    RecordingError,
    RoadUserKind,
    Still,
    TrackPoint,
)

log = structlog.get_logger(__name__)

PLATED = frozenset({RoadUserKind.MOTORBIKE, RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK})
"""Road users that must carry a plate."""
BUDGET_S = 3.0
"""Of time for one act, waiting for another act's reading included."""
MOST_OVERDUE = 8
"""Acts that may wait for their proof while plates are read; with more, their turn comes first."""

OFF_S = 0.2
"""A picture further from where its vehicle was seen may show who rides behind in its place: at 30 km/h it has
moved 1.7 m, a motorbike's length. The pictures of a stream of 5 a second are closer, uneven ones too."""

_FIRST = 2
"""Pictures asked of the ring at first: mostly they are enough."""


class Stills(Protocol):
    """Where pictures of moments come from: a camera's ring, or a bundle."""

    def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
        """See pipeline.types.Recording."""
        ...


class KeptStills:
    """The stills of a bundle, for an act whose camera's ring is gone."""

    def __init__(self, stored: StoredBundle) -> None:
        self._stored = stored
        hit = stored.hit
        self._roles = {hit.before.time_s: "before", hit.after.time_s: "after", hit.at.time_s: "at"}

    def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
        """Only of the three moments that are kept."""
        return [self._still(self._roles.get(time_s, "")) for time_s in times_s]

    def _still(self, role: str) -> Still | RecordingError:
        try:
            return self._stored.still(role)
        except EvidenceError as error:
            return RecordingError(str(error))


class PlateDesk:
    """Reads the plates of one worker's acts; threads may share it."""

    def __init__(self, overdue: Callable[[], int], enabled: bool = True) -> None:
        """`overdue` counts acts whose proof could be made by now; not `enabled`: nothing is read."""
        self._overdue = overdue
        self._enabled = enabled
        self._reader: PlateReader | None = None
        self._turn = threading.Lock()

    def unread(self, hit: Hit, reason: str) -> PlateReading:
        """What is known of the plate where nobody has looked, for a reason or because there is none."""
        if hit.kind not in PLATED:
            return PlateReading.unread(f"a {hit.kind} carries no plate", "not_carried")
        if not self._enabled:
            return PlateReading.unread("this worker does not read plates (plates.enabled)", "reading_off")
        return PlateReading.unread(reason)

    def reads(self, hit: Hit) -> bool:
        """Whether there is anything to look for."""
        return hit.concern == "traffic" and self._enabled and hit.kind in PLATED

    def pressed(self) -> bool:
        """Whether so many acts wait that what can be done without is left out."""
        return self._overdue() > MOST_OVERDUE

    def read(self, hit: Hit, recording: Stills, track: Sequence[TrackPoint] = ()) -> PlateReading:
        """The plate of the vehicle that did it, or why it was not read. Never raises.

        `track`: where it was seen from before to after, as far as that is known.
        """
        if self.pressed():
            reason = f"{self._overdue()} acts wait for their proof: no time to read plates"
            return PlateReading.unread(reason, cause="acts_wait")
        until_s = time.monotonic() + BUDGET_S
        if not self._turn.acquire(timeout=BUDGET_S):
            return PlateReading.unread("the plates of other acts were being read", cause="reader_busy")
        try:
            if self._reader is None:
                self._reader = PlateReader()
            left_s = until_s - time.monotonic()
            return self._reader.read(_sightings(hit, recording, track), left_s, hit.kind)
        except Exception as error:
            log.exception("plate_reading_failed", camera=hit.camera_id, rule=hit.rule)
            return PlateReading.unread(f"reading failed: {type(error).__name__}", cause="failed")
        finally:
            self._turn.release()


def _sightings(hit: Hit, recording: Stills, track: Sequence[TrackPoint]) -> Iterator[Sighting]:
    """Pictures around the decisive moment, largest vehicle first; further ones only on demand.

    A ring of few pictures answers several moments with the same one: it is one witness, not two.
    """
    between = (_between(one, other, track) for one, other in ((hit.before, hit.at), (hit.at, hit.after)))
    points = (hit.at, *between, hit.before, hit.after)
    asked = sorted({point.time_s: point for point in points}.values(), key=_nearness)
    known: set[float] = set()
    for some in (asked[:_FIRST], asked[_FIRST:]):
        for still in recording.stills([point.time_s for point in some]):
            if isinstance(still, RecordingError) or still.captured_at_s in known:
                continue
            known.add(still.captured_at_s)
            point = _seen_at(still.captured_at_s, (*points, *track))
            if abs(point.time_s - still.captured_at_s) > OFF_S:
                continue
            picture = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_COLOR)
            if picture is not None:
                pixels = np.asarray(picture, np.uint8)
                yield Sighting(pixels, point.box, still.captured_at_s)


def _seen_at(time_s: float, points: Sequence[TrackPoint]) -> TrackPoint:
    """Where it was nearest to that moment: the ring's picture is seldom that of the very moment asked."""
    return min(points, key=lambda point: abs(point.time_s - time_s))


def _between(one: TrackPoint, other: TrackPoint, track: Sequence[TrackPoint]) -> TrackPoint:
    """Halfway in time: where it was seen nearest to that; where it was not, halfway between the boxes."""
    middle_s = (one.time_s + other.time_s) / 2
    seen = [point for point in track if one.time_s < point.time_s < other.time_s]
    if seen:
        return min(seen, key=lambda point: abs(point.time_s - middle_s))
    left, top, right, bottom = ((a + b) / 2 for a, b in zip(one.box, other.box, strict=True))
    return TrackPoint(middle_s, (left, top, right, bottom))


def _nearness(point: TrackPoint) -> float:
    """Sorts large boxes first."""
    left, top, right, bottom = point.box
    return -(right - left) * (bottom - top)

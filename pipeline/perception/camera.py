"""One camera's perception: frames and detections in, observations out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.perception.classes import PERSON
from pipeline.perception.closer import HeadFinder
from pipeline.perception.riders import told, with_heads
from pipeline.perception.road_users import fuse
from pipeline.perception.signals import SignalReader
from pipeline.perception.track import Track
from pipeline.perception.tracker import LOST_S, Algorithm, Tracker, bot_sort
from pipeline.types import Box, Frame, Lamp, Observation, Point, RoadUser, on_grid


class CameraPerception:
    """Keeps one camera's identities, trajectories and signal states. Not for several threads at once.

    >>> perception = CameraPerception("north-1", lamps=[Lamp("straight", (0.1, 0.2, 0.14, 0.3))])
    >>> observation = perception.observe(frame, detector.detect([frame.picture])[0])
    """

    def __init__(
        self,
        camera_id: str,
        lamps: Sequence[Lamp] = (),
        ignore: Sequence[Sequence[Point]] = (),
        confidence: float = 0.3,
        algorithm: Algorithm | None = None,
        closer: HeadFinder | None = None,
        riders_in_box: bool = False,
    ) -> None:
        """`ignore`: polygons in 0..1; who stands in one is not followed. `confidence`: the detector's own.
        `closer` looks at motorbikes again for heads; None: their heads are those of the detections.
        `riders_in_box`: the detector's own, see there; then persons and vehicles are followed apart, so that
        a passer-by never becomes the motorbike that is parked there, nor its rider."""
        self.camera_id = camera_id
        self._ignore = [np.array(polygon, np.float32) for polygon in ignore]
        # Where a rider is a person in one picture and a motorbike in the next, one tracker must follow both.
        families = 2 if riders_in_box else 1
        self._riders_in_box = riders_in_box
        self._trackers = [Tracker(algorithm or bot_sort(confidence)) for _ in range(families)]
        self._signals = SignalReader(lamps)
        self._tracks: dict[int, Track] = {}
        self._one_view: tuple[int, int, int] | None = None
        self._closer = closer

    def redraw(
        self, lamps: Sequence[Lamp], ignore: Sequence[Sequence[Point]], closer: HeadFinder | None
    ) -> None:
        """Other lamps, ignored areas and looks at heads from now on; whoever is followed stays so."""
        self._ignore = [np.array(polygon, np.float32) for polygon in ignore]
        self._signals = SignalReader(lamps)
        self._closer = closer

    def observe(self, frame: Frame, detections: sv.Detections) -> Observation:
        """What there is at this frame's moment: confirmed road users that are seen in it, and every lamp.

        `detections` are in pixels of `frame.picture`. A new connection starts with new identities; so does a
        picture of another size within one, where the same pixels are another place.
        """
        size = (frame.picture.shape[1], frame.picture.shape[0])
        if (frame.connection, *size) != self._one_view:
            self._one_view = (frame.connection, *size)
            for tracker in self._trackers:
                tracker.reset()
            self._tracks.clear()
            self._signals.reset()
        time_s = frame.time.captured_at_s
        users = with_heads(fuse(detections, self._riders_in_box), detections)
        users = self._outside_ignored(users, size)
        users = self._identified(users, time_s)
        if self._closer is not None:
            users = self._closer.look(frame.picture, users, self._moving(users, time_s, size))
        road_users = self._follow(users, time_s, size)
        return Observation(
            camera_id=self.camera_id,
            time=frame.time,
            road_users=road_users,
            signals=self._signals.update(frame.picture, time_s),
            picture_size=frame.source_size if all(frame.source_size) else size,
            connection=frame.connection,
        )

    def _identified(self, users: sv.Detections, time_s: float) -> sv.Detections:
        """Those that have an identity by now."""
        if not self._riders_in_box:
            return self._trackers[0].update(users, time_s)
        is_person = np.asarray(users.class_id) == PERSON
        known = [
            tracker.update(users.select(of_family), time_s)
            for tracker, of_family in zip(self._trackers, (is_person, ~is_person), strict=True)
        ]
        for number, family in enumerate(known):
            family.tracker_id = np.asarray(family.tracker_id, np.intp) * len(known) + number
        return (
            sv.Detections.merge([family for family in known if len(family)])
            if any(map(len, known))
            else known[0]
        )

    def _moving(self, users: sv.Detections, time_s: float, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """(M,): who is not known to stand."""
        tracks = [self._tracks.get(number) for number in np.asarray(users.tracker_id, np.intp).tolist()]
        boxes = _boxes(users.xyxy.astype(np.float32), size)
        return np.array(
            [track is None or track.moved(box, time_s) for track, box in zip(tracks, boxes, strict=True)],
            np.bool_,
        )

    def _follow(self, users: sv.Detections, time_s: float, size: tuple[int, int]) -> tuple[RoadUser, ...]:
        """Add this moment to the tracks that are seen, drop those that are gone."""
        seen: list[RoadUser] = []
        for row in range(len(users)):
            data: dict[str, Any] = users.data
            track_id = int(np.asarray(users.tracker_id)[row])
            track = self._tracks.setdefault(track_id, Track(track_id, self._riders_in_box))
            riders = data["riders"][row]
            track.add(
                time_s,
                users.xyxy[row],
                float(np.asarray(users.confidence)[row]),
                data["votes"][row],
                riders,
                data["seat"][row],
                size,
            )
            seen.append(track.road_user(_boxes(riders, size), told(data["heads"][row], size)))
        gone = [key for key, track in self._tracks.items() if abs(time_s - track.seen_s) > 2 * LOST_S]
        for key in gone:
            del self._tracks[key]
        return tuple(seen)

    def _outside_ignored(self, users: sv.Detections, size: tuple[int, int]) -> sv.Detections:
        """Those whose ground point lies in no ignored area."""
        if not self._ignore or not len(users):
            return users
        return users.select(np.array([not self._is_ignored(box, size) for box in users.xyxy]))

    def _is_ignored(self, box: npt.NDArray[np.float32], size: tuple[int, int]) -> bool:
        ground = (float(box[0] + box[2]) / 2 / size[0], float(box[3]) / size[1])
        return any(cv2.pointPolygonTest(polygon, ground, False) >= 0 for polygon in self._ignore)


def _boxes(xyxy: npt.NDArray[np.float32], size: tuple[int, int]) -> tuple[Box, ...]:
    """(R, 4) pixels as boxes in 0..1."""
    width, height = size
    return tuple(
        (on_grid(left / width), on_grid(top / height), on_grid(right / width), on_grid(bottom / height))
        for left, top, right, bottom in xyxy.tolist()
    )

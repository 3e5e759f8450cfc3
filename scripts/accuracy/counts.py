"""Vehicles counted per lane, against how many there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.events.event import Event
from pipeline.scene import Scene
from pipeline.sim.camera import project
from pipeline.sim.types import CameraPose
from pipeline.types import VEHICLES, Point, RoadUserKind
from scripts.accuracy.truth import CameraTruth


@dataclass(frozen=True, slots=True)
class LaneCount:
    """Vehicles that passed the middle of one lane while the film ran."""

    camera_id: str
    lane: str
    true: int
    counted: int


def told(camera_id: str, flow: Iterable[Event]) -> Iterable[tuple[str | None, str, int]]:
    """What the worker's traffic.flow events say of a camera: lane, kind of road user, how many."""
    for event in flow:
        for count in event.data["counts"] if event.key == camera_id else ():
            yield count["lane"], count["road_user"], count["count"]


def lane_counts(
    truth: CameraTruth, scene: Scene, pose: CameraPose, counts: Iterable[tuple[str | None, str, int]]
) -> list[LaneCount]:
    """Counts (lane, kind of road user, how many) of one camera, beside the truth.

    The truth is each vehicle's place on the ground, seen from the camera, passing the middle of the lane's
    direction line within the lane as drawn, while anything of it can be seen; once a vehicle and lane.
    """
    lanes = scene.lanes(pose.width_px / pose.height_px)
    true: Counter[str] = Counter()
    for way in _ways(truth, pose):
        for lane in lanes:
            before: float | None = None
            for point in way:
                progress = lane.progress(point) if lane.holds(point) else None
                if progress is not None and before is not None:
                    middle = lane.length / 2
                    if (before < middle) != (progress < middle):
                        true[lane.id] += 1
                        break
                before = progress
    counted: Counter[str] = Counter()
    for lane_id, kind, count in counts:
        if lane_id is not None and RoadUserKind(kind) in VEHICLES:
            counted[lane_id] += count
    return [LaneCount(truth.camera_id, lane.id, true[lane.id], counted[lane.id]) for lane in lanes]


def _ways(truth: CameraTruth, pose: CameraPose) -> Iterable[list[Point]]:
    """Every vehicle's way in the picture, in picture heights."""
    places: dict[int, list[tuple[float, float]]] = {}
    for frame in truth.frames:
        for actor in frame["actors"]:
            if actor["kind"] in VEHICLES:
                places.setdefault(actor["id"], []).append(actor["position_m"])
    for ground in places.values():
        table = np.array(ground, float)
        pixels, _ = project(pose, np.column_stack([table, np.zeros(len(table))]))
        yield [(x / pose.height_px, y / pose.height_px) for x, y in pixels.tolist()]

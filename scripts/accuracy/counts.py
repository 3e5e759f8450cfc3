"""Vehicles counted per lane and class, against how many there were."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.events.event import Event
from pipeline.rules.flow import ONE_PASSAGE_S
from pipeline.scene import Lane, Scene
from pipeline.sim.camera import project
from pipeline.sim.types import CameraPose
from pipeline.types import VEHICLES, Point, RoadUserKind
from scripts.accuracy.truth import CameraTruth


@dataclass(frozen=True, slots=True)
class LaneCount:
    """Vehicles of one class that passed the middle of one lane while the film ran."""

    camera_id: str
    lane: str
    kind: str
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
    """Counts (lane, kind of road user, how many) of one camera, beside the truth; lanes in the scene's order.

    The truth is each vehicle's place on the ground, seen from the camera, passing the middle of the lane's
    direction line within the lane as drawn, while anything of it can be seen; once a vehicle and lane, and
    once in ONE_PASSAGE_S.
    """
    lanes = scene.lanes(pose.width_px / pose.height_px)
    true: Counter[tuple[str, str]] = Counter()
    for kind, way in _ways(truth, pose):
        passed_s = -math.inf
        passages = ((time_s, lane.id) for lane in lanes if (time_s := _passed_s(way, lane)) is not None)
        for time_s, lane_id in sorted(passages):
            if time_s - passed_s > ONE_PASSAGE_S:
                true[lane_id, kind] += 1
                passed_s = time_s
    counted: Counter[tuple[str, str]] = Counter()
    for told_lane, kind, count in counts:
        if told_lane is not None and RoadUserKind(kind) in VEHICLES:
            counted[told_lane, kind] += count
    return [
        LaneCount(truth.camera_id, lane.id, kind, true[lane.id, kind], counted[lane.id, kind])
        for lane in lanes
        for kind in sorted(kind for lane_id, kind in {*true, *counted} if lane_id == lane.id)
    ]


def _passed_s(way: Iterable[tuple[float, Point]], lane: Lane) -> float | None:
    """When a way first passes the middle of a lane, within it."""
    before: float | None = None
    for time_s, point in way:
        progress = lane.progress(point) if lane.holds(point) else None
        if progress is not None and before is not None:
            middle = lane.length / 2
            if (before < middle) != (progress < middle):
                return time_s
        before = progress
    return None


def _ways(truth: CameraTruth, pose: CameraPose) -> Iterable[tuple[str, list[tuple[float, Point]]]]:
    """Every vehicle's class and way in the picture: seconds, and places in picture heights."""
    kinds: dict[int, str] = {}
    places: dict[int, list[tuple[float, float, float]]] = {}
    for frame in truth.frames:
        for actor in frame["actors"]:
            if actor["kind"] in VEHICLES:
                kinds[actor["id"]] = actor["kind"]
                places.setdefault(actor["id"], []).append((frame["time_s"], *actor["position_m"]))
    for actor_id, ground in places.items():
        table = np.array(ground, float)
        pixels, _ = project(pose, np.column_stack([table[:, 1:], np.zeros(len(table))]))
        points = [(x / pose.height_px, y / pose.height_px) for x, y in pixels.tolist()]
        yield kinds[actor_id], list(zip(table[:, 0].tolist(), points, strict=True))

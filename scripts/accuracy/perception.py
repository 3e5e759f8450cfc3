"""Detector and tracker alone, on the stream that the worker analyses: mAP, HOTA, IDF1 and errors of speeds.

What counts is seen as well as acts must be, see truth.py: at least VISIBLE unhidden, HEIGHT_PX high (plates
and heads PART_PX). What the model finds of the rest, or of things that are no road users, is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv
from supervision.metrics import MeanAveragePrecision
from trackers.eval import (
    aggregate_hota_metrics,
    aggregate_identity_metrics,
    compute_hota_metrics,
    compute_identity_metrics,
)

from pipeline.config.camera import AnalysisSettings
from pipeline.perception.camera import CameraPerception
from pipeline.perception.classes import KIND_ID, KINDS, PARTS
from pipeline.perception.detector import Detector
from pipeline.perception.windows import detect
from pipeline.rules.speed import Speed, best_of_tracks
from pipeline.scene import Scene, SceneSettings
from pipeline.types import VEHICLES, Frame, FrameTime, Observation, Picture, RoadUser, RoadUserKind
from scripts.accuracy.limits import ToldFaster, limit_figures, told_faster
from scripts.accuracy.truth import HEIGHT_PX, VISIBLE

PART_PX = 8.0
SAME = 0.5
"""IoU with something that does not count, above which a detection does not count either."""
SPAN_S = 60.0
"""Of each film: enough for tracks, and a matter of a minute."""
SPEEDS_KMH = (20.0, 100.0)
UNSURE_KMH, UNSURE_SHARE = 5.0, 0.1
"""A speed whose uncertainty is larger than this, and than this share of it, claims nothing: it is counted,
its error is not."""
PICTURE_EVERY = 6
"""Of the pictures that are tracked, the detector is scored on every sixth: one a second."""

Boxes = npt.NDArray[np.float32]
NAMES = (*(kind.value for kind in KINDS), *PARTS)
_PLATE, _HELMET, _HEAD = (len(KINDS) + PARTS.index(part) for part in ("license_plate", "helmet", "head"))


@dataclass(frozen=True, slots=True)
class SpeedError:
    """One track's speed, measured where that is surest."""

    off_kmh: float
    within: bool
    """Whether the true speed is within the uncertainty that was told."""


@dataclass(slots=True)
class Perception:
    """Adds up what several cameras saw."""

    map: MeanAveragePrecision = field(default_factory=MeanAveragePrecision)
    pictures: int = 0
    objects: dict[str, int] = field(default_factory=dict)
    hota: list[dict[str, Any]] = field(default_factory=list)
    identity: list[dict[str, Any]] = field(default_factory=list)
    speeds: list[SpeedError] = field(default_factory=list)
    unsure: int = 0
    """Tracks of no speed that is sure enough to be wrong."""
    slower_kmh: list[float] = field(default_factory=list)
    """Errors of sure speeds of SPEEDS_KMH told of vehicles that were truly slower."""
    nobodys: int = 0
    """Sure speeds of SPEEDS_KMH told of tracks that followed no one vehicle."""
    faster: list[ToldFaster] = field(default_factory=list)

    def figures(self, names: Collection[str]) -> dict[str, Any]:
        """mAP by class (of those that the model has), HOTA and IDF1; shares 0..1."""
        result = self.map.compute()
        rows = {
            int(class_id): row
            for class_id, row in zip(result.matched_classes, result.ap_per_class, strict=True)
        }
        classes = {
            name: {
                "objects": self.objects.get(name, 0),
                "map50": float(rows[k][0]),
                "map50_95": float(rows[k].mean()),
            }
            for k, name in enumerate(NAMES)
            if name in names and k in rows and self.objects.get(name)
        }
        hota, identity = aggregate_hota_metrics(self.hota), aggregate_identity_metrics(self.identity)
        return {
            "pictures": self.pictures,
            "classes": classes,
            "map50": _mean([one["map50"] for one in classes.values()]),
            "map50_95": _mean([one["map50_95"] for one in classes.values()]),
            "hota": float(hota["HOTA"]),
            "deta": float(hota["DetA"]),
            "assa": float(hota["AssA"]),
            "idf1": float(identity["IDF1"]),
            "speed": self.speed(),
        }

    def add_speeds(
        self,
        scene: SceneSettings,
        observations: Sequence[Observation],
        truths: Sequence[Mapping[str, Any]],
        size: tuple[int, int],
    ) -> None:
        """The surest speed of each track of one camera, of vehicles well seen over the speed's window.

        And those that the rule tells to be faster than borrowed limits.
        `truths` are those of the observations, in their time; `size` is the main stream's in pixels.
        """
        self.faster += told_faster(scene, observations, truths, size)
        whole = np.array((*size, *size), np.float32)
        for track_id, speed in best_of_tracks(Scene(scene), observations).items():
            window = [
                (user, truth)
                for observation, truth in zip(observations, truths, strict=True)
                if abs(observation.time.captured_at_s - speed.at_s) <= speed.duration_s / 2
                for user in observation.road_users
                if user.track_id == track_id
            ]
            actor_id, share = _followed(window, whole)
            sure = speed.uncertainty_kmh <= max(UNSURE_KMH, UNSURE_SHARE * speed.kmh)
            told = sure and speed.kmh >= SPEEDS_KMH[0]
            if share < SAME:
                self.nobodys += told
                continue
            true_kmh = _true_kmh(speed, truths, actor_id)
            off_kmh = speed.kmh - true_kmh
            if true_kmh < SPEEDS_KMH[0]:
                self.slower_kmh += [off_kmh] if told else []
            elif sure and true_kmh <= SPEEDS_KMH[1]:
                self.speeds.append(SpeedError(off_kmh, abs(off_kmh) <= speed.uncertainty_kmh))
            elif true_kmh <= SPEEDS_KMH[1]:
                self.unsure += 1

    def speed(self) -> dict[str, Any] | None:
        """Errors of speeds in km/h; None where no camera is calibrated."""
        if not self.speeds:
            return None
        off = np.abs([one.off_kmh for one in self.speeds])
        return {
            "tracks": len(self.speeds),
            "unsure": self.unsure,
            "mean_absolute_kmh": float(off.mean()),
            "p95_absolute_kmh": float(np.percentile(off, 95)),
            "within_3_kmh": float((off <= 3.0).mean()),
            "within_uncertainty": float(np.mean([one.within for one in self.speeds])),
            "truly_slower": {
                "tracks": len(self.slower_kmh),
                "mean_absolute_kmh": _mean([abs(off_kmh) for off_kmh in self.slower_kmh]),
            },
            "of_no_vehicle": self.nobodys,
            "at_borrowed_limits": limit_figures(self.faster),
        }


def measure(
    into: Perception,
    detector: Detector,
    film: Path,
    frames: tuple[Mapping[str, Any], ...],
    scene: SceneSettings,
    size: tuple[int, int],
    confidence: float,
) -> None:
    """Run detector and tracker over a film's first SPAN_S, as the worker would at its default rate.

    `frames` is the camera's truth, `size` the main stream's in pixels, of which its boxes are.
    """
    rate_hz = AnalysisSettings().rate_hz
    perception = CameraPerception(
        film.stem,
        scene.lamps_to_read(),
        scene.ignore,
        confidence,
        riders_in_box=detector.riders_in_box,
    )
    ids: list[npt.NDArray[np.intp]] = []
    tracked: list[npt.NDArray[np.intp]] = []
    shares: list[npt.NDArray[np.float32]] = []
    observations: list[Observation] = []
    truths: list[Mapping[str, Any]] = []
    for number, (frame, truth) in enumerate(_pictures(film, frames, rate_hz)):
        height, width = frame.picture.shape[:2]
        whole = np.array((width, height, width, height), np.float32)
        scale: Boxes = (whole / np.array((*size, *size))).astype(np.float32)
        [found] = detect(detector, [frame.picture], [scene.windows])
        things, ignored = _things(truth, scale)
        if number % PICTURE_EVERY == 0:
            into.map.update(_without(found, ignored, things.xyxy.astype(np.float32)), things)
            into.pictures += 1
            for class_id in np.asarray(things.class_id).tolist():
                into.objects[NAMES[class_id]] = into.objects.get(NAMES[class_id], 0) + 1
        observation = perception.observe(frame, found)
        observations.append(observation)
        truths.append(truth)
        users = observation.road_users
        boxes = np.array([user.now.box for user in users], np.float32).reshape(-1, 4) * whole
        is_user = np.asarray(things.class_id) < len(KINDS)
        there: Boxes = things.xyxy[is_user].astype(np.float32)
        keep = _kept(boxes, ignored, there)
        ids.append(np.asarray(things.data["actor"])[is_user])
        tracked.append(np.array([user.track_id for user in users], np.intp)[keep])
        shares.append(_shares(there, boxes[keep]))
    into.hota.append(compute_hota_metrics(ids, tracked, shares))
    into.identity.append(compute_identity_metrics(ids, tracked, shares))
    into.add_speeds(scene, observations, truths, size)


def _true_kmh(speed: Speed, truths: Sequence[Mapping[str, Any]], actor_id: int) -> float:
    """The mean of an actor's over the time that a speed was measured over."""
    return float(
        np.mean(
            [
                actor["speed_kmh"]
                for truth in truths
                if abs(truth["time_s"] - speed.at_s) <= speed.duration_s / 2
                for actor in truth["actors"]
                if actor["id"] == actor_id
            ]
        )
    )


def _followed(window: list[tuple[RoadUser, Mapping[str, Any]]], whole: Boxes) -> tuple[int, float]:
    """The vehicle whose boxes a track had over a window, by the mean of their IoU, and that mean."""
    shares: Counter[int] = Counter()
    for user, truth in window:
        actors = [
            actor for actor in truth["actors"] if actor["kind"] in VEHICLES and actor["visible"] >= VISIBLE
        ]
        if actors:
            box = np.array([user.now.box], np.float32) * whole
            overlaps = sv.box_iou_batch(np.array([actor["box"] for actor in actors], np.float32), box)[:, 0]
            for actor, overlap in zip(actors, overlaps.tolist(), strict=True):
                shares[actor["id"]] += overlap / len(window)
    return shares.most_common(1)[0] if shares else (-1, 0.0)


def _pictures(
    film: Path, frames: tuple[Mapping[str, Any], ...], rate_hz: float
) -> Iterator[tuple[Frame, Mapping[str, Any]]]:
    """The pictures that are analysed, with their truth."""
    video = cv2.VideoCapture(str(film))
    next_s = 0.0
    for truth in frames:
        ok, picture = video.read()
        if not ok or truth["time_s"] > SPAN_S:
            return
        if truth["time_s"] < next_s - 1e-6:
            continue
        next_s += 1 / rate_hz
        yield _frame(film.stem, picture, truth), truth


def _frame(camera_id: str, picture: Any, truth: Mapping[str, Any]) -> Frame:
    shown: Picture = picture
    size = (shown.shape[1], shown.shape[0])
    return Frame(camera_id, shown, FrameTime(truth["time_s"], "file"), truth["frame"], 0, size)


def _things(truth: Mapping[str, Any], scale: Boxes) -> tuple[sv.Detections, Boxes]:
    """What counts, in pixels of the analysed picture, and the boxes of what does not."""
    rows: list[tuple[int, int, list[float]]] = []
    ignored: list[list[float]] = []
    for actor in truth["actors"]:
        box = actor["box"]
        tall = (box[3] - box[1]) * scale[1] >= HEIGHT_PX
        well = tall and actor["visible"] >= VISIBLE and actor["kind"] in KINDS
        if well:
            rows.append((KIND_ID[RoadUserKind(actor["kind"])], actor["id"], box))
        else:
            ignored.append(box)
        plate = actor["plate"] and actor["plate"]["box"]
        parts = [(_HELMET if head[4] else _HEAD, head[:4]) for head in actor["heads"]]
        for class_id, part in [*parts, *([(_PLATE, plate)] if plate else [])]:
            if well and (part[3] - part[1]) * scale[1] >= PART_PX:
                rows.append((class_id, actor["id"], part))
            else:
                ignored.append(part)
    things = sv.Detections(
        xyxy=np.array([row[2] for row in rows], np.float32).reshape(-1, 4) * scale,
        class_id=np.array([row[0] for row in rows], np.intp),
        data={"actor": np.array([row[1] for row in rows], np.intp)},
    )
    return things, np.array(ignored, np.float32).reshape(-1, 4) * scale


def _without(found: sv.Detections, ignored: Boxes, there: Boxes) -> sv.Detections:
    kept: Any = _kept(found.xyxy.astype(np.float32), ignored, there)
    return found.select(kept)


def _kept(boxes: Boxes, ignored: Boxes, there: Boxes) -> npt.NDArray[np.bool_]:
    """(N,) False for boxes that are rather something that does not count than something that does."""
    if not len(boxes) or not len(ignored):
        return np.ones(len(boxes), bool)
    off = sv.box_iou_batch(ignored, boxes).max(axis=0)
    on = sv.box_iou_batch(there, boxes).max(axis=0) if len(there) else np.zeros(len(boxes))
    kept: npt.NDArray[np.bool_] = (off < SAME) | (on >= off)
    return kept


def _shares(there: Boxes, boxes: Boxes) -> Boxes:
    """(T, N) IoU; the library's own has no shape where one side is empty."""
    if not len(there) or not len(boxes):
        return np.empty((len(there), len(boxes)), np.float32)
    overlap: Boxes = sv.box_iou_batch(there, boxes)
    return overlap


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None

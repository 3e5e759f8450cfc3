"""Scores of a detector: mean average precision against truth, recall against labelled riders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
from supervision.metrics import MeanAveragePrecision

from pipeline.config import ModelSettings
from pipeline.perception.classes import BICYCLE, KINDS, MOTORBIKE, PERSON
from pipeline.perception.detector import Detector
from pipeline.types import Picture
from scripts.detector.pictures import NAMES
from scripts.detector.real import SCORED_SHARE, pictures, road_users

LabelledPictures = Iterable[tuple[Picture, sv.Detections]]

ROAD_USERS = len(KINDS)
"""Classes that a detector without parts can be asked for."""

LOWEST = 0.02
"""Confidence down to which average precision is taken."""


@dataclass(frozen=True, slots=True)
class Score:
    """Average precision over some pictures, 0..1."""

    pictures: int
    map50: float
    map50_95: float
    classes: dict[str, tuple[float, float, int]]
    """Class to AP50, AP50-95 and how many there were."""


def detector(model: Path, confidence: float = 2 * LOWEST) -> Detector:
    """The pipeline's own, down to the confidence that average precision wants."""
    return Detector(ModelSettings(path=model, confidence=confidence), threads_per_run=2)


def score(model: Detector, pictured: LabelledPictures, classes: int = len(NAMES)) -> Score:
    """Of the first `classes` classes of the project, boxes as the pipeline gets them."""
    metric = MeanAveragePrecision(max_detection_thresholds=(1, 10, 300))
    count = np.zeros(classes, int)
    seen = 0
    for picture, truth in pictured:
        found = model.detect([picture])[0]
        metric.update([found.select(np.asarray(found.class_id) < classes)], [truth])
        count += np.bincount(np.asarray(truth.class_id, int), minlength=classes)
        seen += 1
    result = metric.compute()
    rows = {int(number): row for number, row in zip(result.matched_classes, result.ap_per_class, strict=True)}
    return Score(
        seen,
        result.map50,
        result.map50_95,
        {
            NAMES[number]: (float(rows[number][0]), float(rows[number].mean()), int(count[number]))
            for number in range(classes)
            if count[number] and number in rows
        },
    )


def labelled(folder: Path) -> Iterator[tuple[Picture, sv.Detections]]:
    """Pictures saved with their labels, see pictures.save_all."""
    for path in sorted((folder / "images").glob("*.jpg")):
        picture = cv2.imread(str(path))
        lines = (folder / "labels" / f"{path.stem}.txt").read_text().splitlines()
        yield picture, read_labels(lines, picture.shape[1], picture.shape[0])


def real(clips: Iterable[Path], judge: Detector, each: int) -> Iterator[tuple[Picture, sv.Detections]]:
    """The last pictures of real clips, with what another detector sees in them as a stand-in for truth."""
    for clip in clips:
        for picture in pictures(clip, 1 - SCORED_SHARE, 1.0, each):
            users = road_users(judge, picture)
            yield picture, sv.Detections(xyxy=users.xyxy, class_id=users.class_id)


def riders(model: Detector, folder: Path, confidence: float) -> tuple[int, int]:
    """Labelled riders (YOLO text in labels/, pictures in images/) that have a box, and all of them."""
    found = total = 0
    for picture, truth in labelled(folder):
        boxes = model.detect([picture])[0]
        riding = np.isin(boxes.class_id, (PERSON, BICYCLE, MOTORBIKE)) & (boxes.confidence >= confidence)
        overlap = sv.box_iou_batch(truth.xyxy, boxes.xyxy[riding])
        found += int((overlap.max(axis=1, initial=0) >= 0.5).sum())
        total += len(truth)
    return found, total


def read_labels(lines: Iterable[str], wide: int, high: int) -> sv.Detections:
    """YOLO text ("class x y width height", centre, 0..1) as boxes in pixels of a wide x high picture."""
    rows = [[float(value) for value in line.split()] for line in lines if line.strip()]
    values = np.array(rows, np.float32).reshape(-1, 5)
    half = values[:, 3:] / 2
    corners = np.hstack((values[:, 1:3] - half, values[:, 1:3] + half)) * np.array(
        (wide, high, wide, high), np.float32
    )
    return sv.Detections(xyxy=corners.astype(np.float32), class_id=values[:, 0].astype(np.intp))

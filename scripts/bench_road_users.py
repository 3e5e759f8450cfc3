#!/usr/bin/env python3
"""What perception makes of real clips: road users by kind, riders recalled, ground points kept steady.

    scripts/bench_road_users.py ../shared/models/yolox_nano_416.onnx --clips ../shared/real/video/*.mp4 \
        --riders ../shared/real/riders
"""

from __future__ import annotations

import argparse
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import structlog
import supervision as sv
from scipy.optimize import linear_sum_assignment

from pipeline.config import ModelSettings
from pipeline.perception.classes import BICYCLE, MOTORBIKE, PERSON
from pipeline.perception.detector import Detector
from pipeline.perception.road_users import fuse
from pipeline.perception.track import Track
from pipeline.perception.tracker import Tracker, bot_sort

CONFIDENCE = 0.3


def recall(detector: Detector, folder: Path) -> None:
    """Share of labelled riders (YOLO text) that have a box of their own."""
    pictures = sorted((folder / "images").glob("*.jpg"))
    found: Counter[str] = Counter()
    total = 0
    for path in pictures:
        picture = cv2.imread(str(path))
        height, width = picture.shape[:2]
        lines = (folder / "labels" / f"{path.stem}.txt").read_text().splitlines()
        labels = np.array([[float(number) for number in line.split()[1:]] for line in lines if line.strip()])
        half = labels[:, 2:] / 2
        truth = np.hstack((labels[:, :2] - half, labels[:, :2] + half)) * (width, height, width, height)
        total += len(truth)
        detections = detector.detect([picture])[0]
        for name, boxes in {
            "detections": detections,
            "fused": fuse(detections, detector.riders_in_box),
        }.items():
            for lowest in (CONFIDENCE / 2, CONFIDENCE):
                kept = boxes.select(
                    np.isin(boxes.class_id, (PERSON, BICYCLE, MOTORBIKE)) & (boxes.confidence >= lowest)
                )
                for overlap in (0.3, 0.5):
                    hits = sv.box_iou_batch(truth, kept.xyxy) >= overlap
                    rows, columns = linear_sum_assignment(hits, maximize=True)
                    found[f"{name}, confidence {lowest:g}, IoU {overlap:g}"] += int(hits[rows, columns].sum())
    print(f"riders recalled, of {total} in {len(pictures)} pictures (persons and two-wheelers):")
    for name, count in found.items():
        print(f"- {name}: {count / total:.2f}")


def clip(detector: Detector, path: Path) -> None:
    """Road users by kind; how far off the ground point of a rider's box alone is, as seen and as completed.

    Wherever rider and machine are both seen, the machine is hidden from a copy of the track.
    """
    capture = cv2.VideoCapture(str(path))
    tracker = Tracker(bot_sort(CONFIDENCE))
    tracks: dict[int, Track] = {}
    whole_before: set[int] = set()
    seen_errors, completed_errors = [], []
    while True:
        ok, picture = capture.read()
        if not ok:
            break
        height, width = picture.shape[:2]
        time_s = 1e6 + capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        users = tracker.update(fuse(detector.detect([picture])[0], detector.riders_in_box), time_s)
        for row in range(len(users)):
            data: dict[str, Any] = users.data
            key, box = int(users.tracker_id[row]), users.xyxy[row]
            riders, seat, votes = data["riders"][row], data["seat"][row], data["votes"][row]
            track = tracks.setdefault(key, Track(key, detector.riders_in_box))
            whole = len(riders) > 0 and not np.isnan(seat[0])
            if whole and key in whole_before and box[3] < height - 4:
                person = np.array((*riders[:, :2].min(axis=0), *riders[:, 2:].max(axis=0)), np.float32)
                alone = deepcopy(track)
                only_person = np.where(np.arange(len(votes)) == PERSON, votes, 0).astype(np.float32)
                nothing = np.full(4, np.nan, np.float32)
                alone.add(time_s, person, 1.0, only_person, riders[:0], nothing, (width, height))
                tall = box[3] - box[1]
                seen_errors.append(abs(person[3] - box[3]) / tall)
                completed_errors.append(abs(alone.points[-1].ground[1] * height - box[3]) / tall)
            track.add(time_s, box, 1.0, votes, riders, seat, (width, height))
            if whole:
                whole_before.add(key)
    kinds = Counter(track.road_user((), ()).kind.value for track in tracks.values())
    line = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    print(f"| {path.stem} | {len(tracks)} | {line} | {len(seen_errors)} ", end="")
    for errors in (seen_errors, completed_errors):
        print(f"| {np.mean(errors):.3f} / {np.percentile(errors, 90):.3f} " if errors else "| - ", end="")
    print("|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the perception room makes of real clips.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--clips", type=Path, nargs="+", default=[])
    parser.add_argument("--riders", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    detector = Detector(ModelSettings(path=arguments.model, confidence=CONFIDENCE))
    if arguments.riders:
        recall(detector, arguments.riders)
    print("\n| clip | tracks | by kind | pairs | rider's box alone: mean / p90 | completed: mean / p90 |")
    print("|---|---|---|---|---|---|")
    for path in arguments.clips:
        clip(detector, path)


if __name__ == "__main__":
    main()

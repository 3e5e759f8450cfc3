"""Pictures of real clips, labelled by a detector that knows real streets: helps ours on real pictures.

The labels are another model's opinion, of road users only: `learn` asks nothing of plates, helmets and heads
in them. Neither pictures nor labels are part of the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import supervision as sv

from pipeline.config import ModelSettings
from pipeline.perception.detector import Detector
from pipeline.perception.road_users import fuse
from pipeline.types import Picture
from scripts.detector.pictures import SAVED, line

PREFIX = "real-"
"""Begins the names of these pictures: their parts are not labelled."""

TRAINED_SHARE = 0.6
"""Of each clip, from its start, to train on; the end is kept for scoring, with a gap between the two."""
SCORED_SHARE = 0.3
CONFIDENCE = 0.35


def pictures(clip: Path, first: float, last: float, count: int) -> Iterator[Picture]:
    """Up to `count` pictures of a clip, evenly between two shares 0..1 of its length."""
    video = cv2.VideoCapture(str(clip))
    total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(total * first, total * last - 1, count).astype(int).tolist())
    for number in range(max(wanted, default=-1) + 1):
        if not video.grab():
            break
        if number in wanted:
            there, picture = video.retrieve()
            if there:
                yield picture
    video.release()


def road_users(detector: Detector, picture: Picture) -> sv.Detections:
    """Road users that the detector is sure of, two-wheelers with their riders in one box.

    Looked for in the whole picture and in overlapping pieces of it: what is far is large enough there.
    """
    high, wide = picture.shape[:2]
    slicer = sv.InferenceSlicer(
        callback=lambda piece: detector.detect([piece])[0],
        slice_wh=(round(wide * 0.45), round(high * 0.6)),
        overlap_wh=(round(wide * 0.17), round(high * 0.2)),
        iou_threshold=0.5,
        overlap_metric=sv.OverlapMetric.IOS,
    )
    both = sv.Detections.merge([detector.detect([picture])[0], slicer(picture)])
    users = fuse(both.with_nms(0.55, overlap_metric=sv.OverlapMetric.IOS), detector.riders_in_box)
    return users.select(np.asarray(users.confidence) >= detector.settings.confidence)


def save_real(clips: list[Path], model: Path, folder: Path, each: int) -> int:
    """Put `each` pictures a clip into a training folder; how many there are."""
    detector = Detector(ModelSettings(path=model, confidence=CONFIDENCE), threads_per_run=2)
    saved = 0
    for clip in clips:
        for number, picture in enumerate(pictures(clip, 0.0, TRAINED_SHARE, each)):
            for part, shown in enumerate(_sixteen_to_nine(picture)):
                name = f"{PREFIX}{clip.stem[:24]}-{number:03d}-{part}"
                label = folder / "labels" / f"{name}.txt"
                saved += 1
                if label.exists():
                    continue
                cv2.imwrite(str(folder / "images" / f"{name}.jpg"), shown)
                users = road_users(detector, shown)
                found = zip(np.asarray(users.class_id).tolist(), users.xyxy.tolist(), strict=True)
                label.write_text("\n".join(line(kind, box, 1.0, SAVED) for kind, box in found))
    return saved


def _sixteen_to_nine(picture: Picture) -> Iterator[Picture]:
    """The whole picture within 640x360, and its lower part filling it: one shape trains together."""
    wide, high = SAVED
    whole = np.full((high, wide, 3), 114, np.uint8)
    scale = min(wide / picture.shape[1], high / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:high, :wide]
    top, left = (high - small.shape[0]) // 2, (wide - small.shape[1]) // 2
    whole[top : top + small.shape[0], left : left + small.shape[1]] = small
    yield whole
    strip = min(round(picture.shape[1] * high / wide), picture.shape[0])
    if strip < picture.shape[0] * 0.95:
        yield cv2.resize(picture[-strip:], SAVED, interpolation=cv2.INTER_AREA)

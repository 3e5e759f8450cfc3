#!/usr/bin/env python3
"""Compare tracking algorithms on real clips that have no track annotations, by honest proxies.

    scripts/bench_trackers.py ../shared/models/yolox_nano_416.onnx ../shared/real/video/*.mp4

For each clip, at its own rate and at 5 to 6 frames a second, and each algorithm, one line:

- tracks: identities given; fewer is better where cover is the same
- cover: share of confident detections (0.3 and more) that carry an identity
- broken: tracks that end away from the picture's border while another begins within 1.5 s and 0.8 box heights
  of where the first was heading
- leaps: steps that land a box size and more (0.8 of a rider's height) both from where the track was and
  from where it was heading, in each thousand steps
- changes: steps over which the colours of the box change more than they do between neighbouring road users
  of one frame on the median (Bhattacharyya distance of hue-saturation histograms), in each thousand steps
- life: median length of a track in seconds
- ms: time of the tracker itself, one thread

Thresholds are the same for all clips, and nearly so for all algorithms (ours asks for 0.07 of first overlap
instead of 0.05); a lower broken count is worth little where leaps rise,
because a leap gives one road user's past to another.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import structlog
import supervision as sv
import trackers

from pipeline.config import ModelSettings
from pipeline.perception.detector import Detector
from pipeline.perception.road_users import fuse
from pipeline.perception.tracker import LOST_S, bot_sort

CONFIDENCE = 0.3
EPOCH_S = 1_000_000.0


def algorithms(rate_hz: float) -> dict[str, Callable[[], Any]]:
    """Each algorithm of the library, given the same detections, patience and start."""
    start = {
        "lost_track_buffer": round(LOST_S * 30),
        "frame_rate": rate_hz,
        "minimum_consecutive_frames": 2,
    }
    cascade = {
        "track_activation_threshold": CONFIDENCE,
        "high_conf_det_threshold": CONFIDENCE,
        "minimum_iou_threshold_first_assoc": 0.05,
        "minimum_iou_threshold_second_assoc": 0.3,
        "minimum_iou_threshold_unconfirmed_assoc": 0.05,
        "instant_first_frame_activation": False,
    }
    return {
        "SORT": lambda: trackers.SORTTracker(
            **start, track_activation_threshold=CONFIDENCE, minimum_iou_threshold=0.2
        ),
        "ByteTrack": lambda: trackers.ByteTrackTracker(
            **start, track_activation_threshold=CONFIDENCE, high_conf_det_threshold=CONFIDENCE
        ),
        "OC-SORT": lambda: trackers.OCSORTTracker(
            **start, high_conf_det_threshold=CONFIDENCE, minimum_iou_threshold=0.2
        ),
        "C-BIoU 0.3/0.5": lambda: trackers.CBIoUTracker(**start, **cascade),
        "C-BIoU 0.1/0.3": lambda: trackers.CBIoUTracker(
            **start, **cascade, buffer_ratio_first=0.1, buffer_ratio_second=0.3
        ),
        "BoT-SORT, no CMC (ours)": lambda: bot_sort(CONFIDENCE),
    }


@dataclass
class Step:
    """One analysed frame."""

    number: int
    time_s: float
    users: sv.Detections
    colours: np.ndarray[Any, Any]


def steps(clip: Path, detector: Detector, every: int) -> tuple[tuple[int, int], list[Step]]:
    """Picture size and the fused detections of every n-th frame."""
    capture = cv2.VideoCapture(str(clip))
    size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    found = []
    for number, (time_s, picture) in enumerate(frames(capture)):
        if number % every == 0:
            users = fuse(detector.detect([picture])[0], detector.riders_in_box)
            found.append(Step(number, time_s, users, colours(picture, users)))
    return size, found


def frames(capture: cv2.VideoCapture) -> Iterator[tuple[float, Any]]:
    """Capture time in seconds, and picture."""
    while True:
        ok, picture = capture.read()
        if not ok:
            return
        yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, picture


def colours(picture: Any, users: sv.Detections) -> np.ndarray[Any, Any]:
    """(N, 128) hue-saturation histograms of the boxes, each of sum 1."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)
    rows = []
    for left, top, right, bottom in users.xyxy.astype(int):
        part = hsv[top : bottom + 1, left : right + 1]
        histogram = cv2.calcHist([part], [0, 1], None, [16, 8], [0, 180, 0, 256]).ravel()
        rows.append(histogram / max(histogram.sum(), 1))
    return np.array(rows).reshape(-1, 128)


def difference(one: Any, other: Any) -> float:
    """Bhattacharyya distance, 0..1."""
    return float(np.sqrt(max(0.0, 1 - np.sqrt(one * other).sum())))


def usual_difference(found: list[Step]) -> float:
    """Median distance between neighbours of one frame."""
    distances = [
        difference(step.colours[a], step.colours[a + 1])
        for step in found
        for a in range(len(step.colours) - 1)
    ]
    return float(np.median(distances)) if distances else 1.0


def follow(algorithm: Any, found: list[Step]) -> tuple[dict[int, Any], float, float]:
    """Tracks as rows of (number, time, left, top, right, bottom, histogram...), cover, and ms a frame."""
    tracks: dict[int, list[Any]] = {}
    spent_s, kept, confident = 0.0, 0, 0
    for step in found:
        users = sv.Detections(
            xyxy=step.users.xyxy,
            confidence=step.users.confidence,
            class_id=step.users.class_id,
            data={"row": np.arange(len(step.users))},
        )
        begin = time.perf_counter()
        result = algorithm.update(users, timestamp=EPOCH_S + step.time_s)
        spent_s += time.perf_counter() - begin
        confident += int((np.asarray(users.confidence) >= CONFIDENCE).sum())
        for index in range(len(result)):
            if result.tracker_id[index] >= 0:
                kept += bool(result.confidence[index] >= CONFIDENCE)
                row = [
                    step.number,
                    step.time_s,
                    *result.xyxy[index],
                    *step.colours[result.data["row"][index]],
                ]
                tracks.setdefault(int(result.tracker_id[index]), []).append(row)
    whole = {key: np.array(rows) for key, rows in tracks.items()}
    return whole, kept / max(confident, 1), spent_s / max(len(found), 1) * 1000


def broken(tracks: dict[int, Any], size: tuple[int, int], end_s: float) -> int:
    """Tracks that stop in the middle of the picture and seem to go on under another identity."""
    width, height = size
    starts = [(key, rows[0, 1], (rows[0, 2] + rows[0, 4]) / 2, rows[0, 5]) for key, rows in tracks.items()]
    count = 0
    for key, rows in tracks.items():
        last_s, box = rows[-1, 1], rows[-1, 2:6]
        near_border = (
            box[0] < 0.04 * width or box[2] > 0.96 * width or box[1] < 0.04 * height or box[3] > 0.96 * height
        )
        if last_s > end_s - 1 or near_border:
            continue
        x, y = (rows[:, 2] + rows[:, 4]) / 2, rows[:, 5]
        back = max(0, len(rows) - 4)
        span_s = last_s - rows[back, 1]
        speed = ((x[-1] - x[back]) / span_s, (y[-1] - y[back]) / span_s) if span_s > 0 else (0.0, 0.0)
        count += any(
            other != key
            and 0 < start_s - last_s <= 1.5
            and np.hypot(
                x[-1] + speed[0] * (start_s - last_s) - start_x,
                y[-1] + speed[1] * (start_s - last_s) - start_y,
            )
            < 0.8 * (box[3] - box[1])
            for other, start_s, start_x, start_y in starts
        )
    return count


def leaps_and_changes(tracks: dict[int, Any], usual: float) -> tuple[float, float]:
    """Of a thousand steps: those that land where they should not, and those that change colours."""
    leaps = changes = total = 0
    for rows in tracks.values():
        x, y = (rows[:, 2] + rows[:, 4]) / 2, (rows[:, 3] + rows[:, 5]) / 2
        size = 0.9 * np.sqrt((rows[:, 5] - rows[:, 3]) * (rows[:, 4] - rows[:, 2]))
        for now in range(2, len(rows)):
            total += 1
            share = (rows[now, 1] - rows[now - 1, 1]) / max(rows[now - 1, 1] - rows[now - 2, 1], 1e-3)
            moved = np.array((x[now] - x[now - 1], y[now] - y[now - 1]))
            expected = np.array((x[now - 1] - x[now - 2], y[now - 1] - y[now - 2])) * share
            leaps += min(np.hypot(*moved), np.hypot(*(moved - expected))) > max(size[now], size[now - 1])
            changes += difference(rows[now, 6:], rows[now - 1, 6:]) > usual
    return 1000 * leaps / max(total, 1), 1000 * changes / max(total, 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    detector = Detector(ModelSettings(path=arguments.model, confidence=CONFIDENCE))
    print("| clip | Hz | algorithm | tracks | cover | broken | leaps ‰ | changes ‰ | life s | ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for clip in arguments.clips:
        native_hz = cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FPS)
        for every in sorted({1, max(1, round(native_hz / 5.5))}):
            size, found = steps(clip, detector, every)
            rate_hz = native_hz / every
            usual = usual_difference(found)
            for name, make in algorithms(rate_hz).items():
                tracks, cover, spent_ms = follow(make(), found)
                leaps, changes = leaps_and_changes(tracks, usual)
                life_s = float(np.median([rows[-1, 1] - rows[0, 1] for rows in tracks.values()]))
                print(
                    f"| {clip.stem} | {rate_hz:.1f} | {name} | {len(tracks)} | {cover:.2f} "
                    f"| {broken(tracks, size, found[-1].time_s)} | {leaps:.1f} | {changes:.1f} "
                    f"| {life_s:.1f} | {spent_ms:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Milliseconds of each step of a detector, on one thread.

    scripts/bench_detector.py ../shared/models/yolox_nano_416.onnx PICTURE_OR_CLIP...

The first picture of each file is used, at its own size and scaled to 1280x720 and 640x480.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import structlog

from pipeline.config import ModelSettings
from pipeline.perception.detector import Detector
from pipeline.perception.letterbox import letterbox
from pipeline.perception.road_users import fuse


def milliseconds(step: Callable[[], object], rounds: int) -> float:
    """Median of `rounds`, after one to warm up."""
    step()
    spent = []
    for _ in range(rounds):
        begin = time.perf_counter()
        step()
        spent.append(time.perf_counter() - begin)
    return 1000 * median(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds of each step of a detector, on one thread.")
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    detector = Detector(ModelSettings(path=arguments.model), threads_per_run=1)
    model = detector.model
    print("| picture | size | candidates | boxes | preprocess | run | decode | suppress | fuse |")
    print("|---|---|---|---|---|---|---|---|---|")
    for file in arguments.files:
        ok, own = cv2.VideoCapture(str(file)).read()
        if not ok:
            parser.error(f"{file} holds no picture")
        for size in dict.fromkeys(((own.shape[1], own.shape[0]), (1280, 720), (640, 480))):
            picture = cv2.resize(own, size)
            tensor = np.empty((1, 3, model.size[1], model.size[0]), np.float32)
            placement = letterbox(picture, model.size, model.form, tensor[0])
            output = model.run(tensor)[0]
            candidates = model.layout.decode(output, model.size, detector.lowest)
            found = detector.finish(candidates, placement)
            steps: tuple[Callable[[], object], ...] = (
                lambda p=picture, t=tensor: letterbox(p, model.size, model.form, t[0]),
                lambda t=tensor: model.run(t),
                lambda o=output: model.layout.decode(o, model.size, detector.lowest),
                lambda c=candidates, p=placement: detector.finish(c, p),
                lambda f=found: fuse(f, detector.riders_in_box),
            )
            spent = " | ".join(f"{milliseconds(step, arguments.rounds):.2f}" for step in steps)
            print(
                f"| {file.stem} | {size[0]}x{size[1]} | {len(candidates.scores)} | {len(found)} | {spent} |"
            )


if __name__ == "__main__":
    main()

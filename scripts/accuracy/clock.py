"""When a served film began, in the worker's time: told by looking at its stream, as one more client."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from pipeline.cameras.camera import Camera
from pipeline.config.camera import AnalysisSettings, CameraSettings, StreamSettings
from pipeline.types import Frame

LOOKS = 5
WAIT_S = 20.0
SEARCH_S = 40.0
"""The film is searched from its beginning up to here for what the stream shows."""
AGREE_S = 0.1
"""The first seconds of a connection are timed while its clock is still being found."""


class ClockError(Exception):
    """The film's beginning cannot be told."""


def film_start_s(url: str, file: Path) -> float:
    """Capture time (UTC epoch seconds, as the camera's reports tell it) of the first picture of `file`.

    A few pictures of the running stream are found again in the file by their content: sensor noise makes
    each one unlike any other. Raises ClockError.
    """
    looks = _look(url)
    video = cv2.VideoCapture(str(file))
    rate_hz = video.get(cv2.CAP_PROP_FPS)
    best = [(np.inf, 0)] * len(looks)
    number = 0
    while number < SEARCH_S * rate_hz:
        ok, picture = video.read()
        if not ok:
            break
        for k, look in enumerate(looks):
            off = float(cv2.norm(picture, look.picture, cv2.NORM_L1)) / picture.size
            best[k] = min(best[k], (off, number))
        number += 1
    starts = [
        look.time.captured_at_s - number / rate_hz for look, (_, number) in zip(looks, best, strict=True)
    ]
    if max(starts) - min(starts) > AGREE_S:
        spread_ms = (max(starts) - min(starts)) * 1000
        raise ClockError(f"{file.name}: its pictures' times disagree by {spread_ms:.0f} ms")
    return median(starts)


def _look(url: str) -> list[Frame]:
    """Some pictures that carry the camera's own time."""
    ready = threading.Event()
    camera = Camera(
        CameraSettings(id="clock", detect=StreamSettings(url=url), analysis=AnalysisSettings(rate_hz=5)),
        lambda _: ready.set(),
        lambda _: None,
    )
    camera.start()
    looks: list[Frame] = []
    deadline = time.monotonic() + WAIT_S
    try:
        while len(looks) < LOOKS and time.monotonic() < deadline:
            ready.wait(1.0)
            ready.clear()
            frame = camera.take()
            if frame is not None and frame.time.source == "rtcp":
                looks.append(frame)
    finally:
        camera.stop(2.0)
    if len(looks) < LOOKS:
        raise ClockError(f"{url}: no pictures with the camera's own time within {WAIT_S:g} s")
    return looks

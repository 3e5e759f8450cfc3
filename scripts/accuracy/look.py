"""A picture of everything missed or false: the film at that moment, with the truth drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

from pipeline.sim.film import Film
from pipeline.types import Box
from scripts.accuracy.match import Outcome
from scripts.accuracy.truth import CameraTruth

WHITE, GREEN, RED = (255, 255, 255), (0, 220, 0), (0, 0, 255)


def draw(film: Film, truths: dict[str, CameraTruth], outcomes: list[Outcome], folder: Path) -> None:
    """Write KIND-CAMERA-TIME-missed-ACTOR.jpg and …-false-EVENT.jpg.

    White: everybody that the camera sees, by actor id; green: who did the act; red: the event's box.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mains = {camera.camera_id: camera.main for camera in film.cameras}
    for outcome in outcomes:
        truth, main = truths[outcome.camera_id], mains[outcome.camera_id]
        for missed in outcome.missed:
            act = missed.act
            name = f"{act.kind.value}-{outcome.camera_id}-{missed.moment_s:06.1f}-missed-{act.actor_id}.jpg"
            _picture(main, truth, missed.moment_s, act.actor_id, None, folder / name)
        for false in outcome.false:
            time_s, box = false.event.moments[1]
            name = f"{false.event.rule}-{outcome.camera_id}-{time_s:06.1f}-false-{false.event.id[:8]}.jpg"
            _picture(main, truth, time_s, None, box, folder / name)


def _picture(
    film: Path, truth: CameraTruth, time_s: float, actor_id: int | None, event: Box | None, path: Path
) -> None:
    video = cv2.VideoCapture(str(film))
    video.set(cv2.CAP_PROP_POS_FRAMES, round(time_s * truth.rate_hz))
    ok, picture = video.read()
    if not ok:
        return
    for seen in truth.sightings.values():
        box = seen.box_at(time_s)
        if box is not None:
            mine = seen.id == actor_id
            _box(picture, box, GREEN if mine else WHITE, f"{seen.kind} {seen.id}", 2 if mine else 1)
    if event is not None:
        _box(picture, event, RED, "event", 2)
    cv2.imwrite(str(path), picture)


def _box(picture: Any, box: Box, color: tuple[int, int, int], text: str, thickness: int) -> None:
    height, width = picture.shape[:2]
    left, top, right, bottom = (round(v * s) for v, s in zip(box, (width, height) * 2, strict=True))
    cv2.rectangle(picture, (left, top), (right, bottom), color, thickness)
    cv2.putText(picture, text, (left, top - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.35, color, 1, cv2.LINE_AA)

#!/usr/bin/env python3
"""Judge one video file with a scene, and look at what was found.

    .venv/bin/python scripts/judge.py CLIP SCENE [--model MODEL] [--out FOLDER] [--rate HZ] [--all]

Decodes the file at its own time line, runs perception and the scene's rules on it, prints every hit with its
frame numbers, and the frames' track boxes where asked. With --out, writes one picture per hit and moment
(before, at, after) with the box, the lines and the lamps; with --all, a picture of every analysed frame.
For developers: it keeps no evidence and sends nothing.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pipeline.config import ModelSettings
from pipeline.config.load import load_scene
from pipeline.perception.camera import CameraPerception
from pipeline.perception.detector import Detector
from pipeline.rules import Flow, Moments, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.types import FlowCount, Frame, FrameTime, Hit, LampColor, Observation, Picture, Point

BGR = {
    LampColor.RED: (0, 0, 255),
    LampColor.YELLOW: (0, 255, 255),
    LampColor.GREEN: (0, 255, 0),
    LampColor.OFF: (80, 80, 80),
    LampColor.UNKNOWN: (255, 255, 255),
}


def frames(clip: Path, rate_hz: float | None) -> Iterator[tuple[int, Frame]]:
    """Frame number in the file, and the frame, at most `rate_hz` a second."""
    video = cv2.VideoCapture(str(clip))
    if not video.isOpened():
        raise SystemExit(f"{clip} cannot be read as video")
    next_s = sequence = number = 0
    while True:
        ok, picture = video.read()
        if not ok:
            return
        time_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if rate_hz is None or time_s >= next_s - 1e-3:
            next_s = max(next_s + 1 / rate_hz, time_s) if rate_hz else 0
            size = (picture.shape[1], picture.shape[0])
            yield number, Frame(clip.stem, picture, FrameTime(time_s, "file"), sequence, 0, size)
            sequence += 1
        number += 1


def draw(
    picture: Picture, scene: SceneSettings, observation: Observation, track_id: int | None = None
) -> Picture:
    """A copy with the scene's lines, the lamps as they were read, and the boxes."""
    shown = picture.copy()
    height, width = shown.shape[:2]

    def line(points: tuple[Point, ...], color: tuple[int, int, int], closed: bool = False) -> None:
        corners = np.array([[x * width, y * height] for x, y in points], np.int32)
        cv2.polylines(shown, [corners], closed, color, 1, cv2.LINE_AA)

    def box(edges: tuple[float, ...], color: tuple[int, int, int], text: str, thickness: int = 1) -> None:
        left, top, right, bottom = (round(v * s) for v, s in zip(edges, (width, height) * 2, strict=True))
        cv2.rectangle(shown, (left, top), (right, bottom), color, thickness)
        cv2.putText(shown, text, (left, top - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, color, 1, cv2.LINE_AA)

    for stop in scene.stop_lines:
        line(stop.line, (0, 0, 255))
        for drawn in (stop.junction.area, stop.junction.clearance):
            if drawn is not None:
                line(drawn, (255, 0, 255), closed=drawn is stop.junction.area)
    for lane in scene.lanes:
        line(lane.polygon, (255, 128, 0), closed=True)
        line(lane.direction, (0, 255, 0))
    for lamp in scene.lamps:
        state = observation.signals.get(lamp.id)
        color = state.color if state is not None else LampColor.UNKNOWN
        box(lamp.box, BGR[color], color.value)
    for user in observation.road_users:
        chosen = user.track_id == track_id
        if track_id is None or chosen:
            text = f"{user.track_id} {user.kind.value} {user.now.confidence:.2f}"
            box(user.now.box, (0, 255, 255), text, 2 if chosen else 1)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge one video file with a scene.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--model", type=Path, default=Path("../shared/models/yolox_nano_416.onnx"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rate", type=float, help="analysed frames a second (all by default)")
    parser.add_argument("--all", action="store_true", help="a picture of every analysed frame")
    given = parser.parse_args()
    settings = load_scene(given.scene)
    scene = Scene(settings)
    moments, rules, flow = Moments(scene), build_rules(scene), Flow(scene)
    detector = Detector(ModelSettings(path=given.model))
    perception = CameraPerception(
        given.clip.stem, settings.lamps_to_read(), settings.ignore, riders_in_box=detector.riders_in_box
    )
    seen: dict[float, tuple[int, Picture, Observation]] = {}
    hits: list[Hit] = []
    counts: list[FlowCount] = []
    shown: dict[str, str] = {}
    for number, frame in frames(given.clip, given.rate):
        observation = perception.observe(frame, detector.detect([frame.picture])[0])
        seen[frame.time.captured_at_s] = (number, frame.picture, observation)
        for lamp_id, state in observation.signals.items():
            if shown.get(lamp_id) != state.color:
                print(f"frame {number}: lamp {lamp_id} {state.color.value}")
                shown[lamp_id] = state.color
        for moment in moments.observe(observation):
            hits += [hit for rule in rules for hit in rule.observe(moment)]
            counts += flow.observe(moment)
        if given.all and given.out:
            given.out.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(
                str(given.out / f"frame-{number:05d}.png"), draw(frame.picture, settings, observation)
            )
    for moment in moments.finish():
        hits += [hit for rule in rules for hit in rule.observe(moment)]
        counts += flow.observe(moment)
    for i, hit in enumerate(hits):
        moments = {"before": hit.before, "at": hit.at, "after": hit.after}
        numbers = {name: seen[point.time_s][0] for name, point in moments.items()}
        print(f"{hit.rule} track {hit.track_id} {hit.kind.value} {hit.confidence:.2f} frames {numbers}")
        print(f"  {json.dumps(dict(hit.facts))}")
        if given.out:
            given.out.mkdir(parents=True, exist_ok=True)
            for name, point in moments.items():
                number, picture, observation = seen[point.time_s]
                path = given.out / f"{i:02d}-{hit.rule}-track{hit.track_id}-{name}-frame{number}.png"
                cv2.imwrite(str(path), draw(picture, settings, observation, hit.track_id))
    for count in [*counts, *flow.finish()]:
        print(f"flow from {count.start_s:g} s: lane {count.lane}: {count.count} {count.kind.value}")
    print(f"{len(seen)} frames, {len(hits)} hits: {dict(Counter(hit.rule for hit in hits))}")


if __name__ == "__main__":
    main()

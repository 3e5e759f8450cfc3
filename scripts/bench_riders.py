#!/usr/bin/env python3
"""What no_helmet and too_many_riders find in the city, by how large heads are.

    scripts/bench_riders.py MODEL.onnx --seconds 75 --look main

The film (1280x720 and its sub stream of 640x360, at the pace of analysis) is drawn once and kept. The rules
see what perception makes of the sub stream; with `--look sub` or `--look main`, heads come from a closer look
at each motorbike, enlarged from that stream.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import structlog
import supervision as sv
import yaml

from pipeline.config import ModelSettings
from pipeline.perception.camera import CameraPerception
from pipeline.perception.closer import HeadFinder
from pipeline.perception.detector import Detector
from pipeline.perception.riders import told
from pipeline.rules import Moments
from pipeline.rules.no_helmet import NoHelmet
from pipeline.rules.too_many_riders import TooManyRiders
from pipeline.scene import Scene, SceneSettings
from pipeline.sim.film import cache_folder, film
from pipeline.sim.reel import SUB_SIZE, CameraFilm
from pipeline.sim.scenario import CATALOGUE, Scenario, scenario
from pipeline.sim.truth import read_frames
from pipeline.sim.types import ActKind
from pipeline.types import Frame, FrameTime, Hit, Observation, Picture, RoadUserKind

SIZE = (1280, 720)
RATE_HZ = 6.0
START_S = 1_700_000_000.0
ACTS = {ActKind.NO_HELMET: 14.0, ActKind.TOO_MANY_RIDERS: 10.0}
"""A minute."""
BANDS = (0, 3, 4, 5, 6, 8, 12, 100)
"""Head heights in pixels of the sub stream."""
LEAST_TALL = 16 / SUB_SIZE[1]
RULES: tuple[Any, ...] = (NoHelmet, TooManyRiders)

Truth = list[Any]


def asked(arguments: argparse.Namespace) -> Scenario:
    """The city with many riders to judge."""
    found = scenario("demo", arguments.family, arguments.seed, arguments.seconds)
    conditions = CATALOGUE[f"junction-{arguments.light}"].conditions
    name = f"riders-{arguments.light}"
    cameras = tuple(arguments.cameras.split(","))
    places = ("S", "E", "road")
    return replace(found, name=name, acts=ACTS, cameras=cameras, places=places, conditions=conditions)


def pictures(files: CameraFilm) -> Iterator[tuple[Picture, Picture]]:
    """Sub and main stream, picture by picture."""
    videos = [cv2.VideoCapture(str(path)) for path in (files.sub, files.main)]
    while True:
        (there, sub), (there_too, main) = (video.read() for video in videos)
        if not (there and there_too):
            return
        yield sub, main


def observe(detector: Detector, finder: HeadFinder, files: CameraFilm, look: str) -> Iterator[Observation]:
    """What perception makes of a camera's film."""
    perception = CameraPerception(
        files.camera_id,
        confidence=detector.settings.confidence,
        riders_in_box=detector.riders_in_box,
    )
    for number, (sub, main) in enumerate(pictures(files)):
        time_ = FrameTime(START_S + number / RATE_HZ, "rtcp")
        found = detector.detect([sub])[0]
        seen = perception.observe(Frame(files.camera_id, sub, time_, number, 0, SIZE), found)
        yield seen if look == "none" else looked(finder, seen, main if look == "main" else sub)


def looked(finder: HeadFinder, seen: Observation, picture: Picture) -> Observation:
    """The same with heads from a closer look at `picture`."""
    size = (picture.shape[1], picture.shape[0])
    users = list(seen.road_users)
    rows = [
        row
        for row, user in enumerate(users)
        if user.kind is RoadUserKind.MOTORBIKE and user.now.box[3] - user.now.box[1] >= LEAST_TALL
    ]
    boxes = np.array([users[row].now.box for row in rows], np.float32).reshape(-1, 4) * np.tile(size, 2)
    found = finder.heads(picture, boxes.astype(np.float32))
    for row, heads in zip(rows, found, strict=True):
        users[row] = replace(users[row], heads=told(heads, size))
    return replace(seen, road_users=tuple(users))


def judge(scene: Scene, seen: list[Observation], min_head_px: float) -> list[Hit]:
    """Hits of both rules."""
    rules = [rule(scene, rule.parameters(min_head_px=min_head_px)) for rule in RULES]
    every = Moments(scene).all_of(seen)
    return [hit for moment in every for rule in rules for hit in rule.observe(moment)]


def actors(seen: list[Observation], frames: Truth) -> dict[int, int]:
    """Track to the actor whose box it mostly has."""
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    for observation, frame in zip(seen, frames, strict=False):
        there = frame["actors"]
        truth = np.array([one["box"] for one in there], np.float32).reshape(-1, 4)
        for user in observation.road_users:
            box = np.array([user.now.box], np.float32) * np.tile(SIZE, 2)
            overlap = sv.box_iou_batch(box.astype(np.float32), truth)[0] if len(truth) else np.zeros(0)
            if overlap.max(initial=0) > 0.3:
                votes[user.track_id][there[int(overlap.argmax())]["id"]] += 1
    return {track: vote.most_common(1)[0][0] for track, vote in votes.items()}


def offenders(frames: Truth) -> dict[str, dict[int, float]]:
    """Rule to those who do it, and the height (sub stream) their offending heads have for a second in all."""
    heights: dict[str, dict[int, list[float]]] = {rule.name: defaultdict(list) for rule in RULES}
    for frame in frames:
        for one in frame["actors"]:
            if one["kind"] != "motorbike":
                continue
            heads = [((head[3] - head[1]) * SUB_SIZE[1] / SIZE[1], head[4]) for head in one["heads"]]
            if not all(one["helmets"]):
                bare = [height for height, helmet in heads if not helmet]
                heights[NoHelmet.name][one["id"]].append(max(bare, default=0.0))
            if len(one["helmets"]) > 2:
                third = sorted((height for height, _ in heads), reverse=True)[2:3]
                heights[TooManyRiders.name][one["id"]].append(max(third, default=0.0))
    second = round(RATE_HZ)
    return {
        rule: {
            who: sorted(seen, reverse=True)[second - 1] for who, seen in found.items() if len(seen) >= second
        }
        for rule, found in heights.items()
    }


def city(detector: Detector, finder: HeadFinder, arguments: argparse.Namespace) -> None:
    """Print what was found, missed and false."""
    filmed = film(asked(arguments), arguments.cache, size=SIZE, rate_hz=RATE_HZ)
    found: dict[str, Counter[int]] = defaultdict(Counter)
    there: dict[str, Counter[int]] = defaultdict(Counter)
    false: Counter[str] = Counter()
    hits_of: Counter[str] = Counter()
    for files in filmed.cameras:
        began, frames = time.thread_time(), list(read_frames(files.truth))
        seen = list(observe(detector, finder, files, arguments.look))
        per_picture_ms = (time.thread_time() - began) / max(len(seen), 1) * 1000
        scene = Scene(SceneSettings.model_validate(yaml.safe_load(files.scene.read_text())))
        guilty, who = offenders(frames), actors(seen, frames)
        told_of: dict[str, set[int]] = defaultdict(set)
        for hit in judge(scene, seen, arguments.min_head_px):
            hits_of[hit.rule] += 1
            actor = who.get(hit.track_id, -1)
            if actor in guilty[hit.rule]:
                told_of[hit.rule].add(actor)
            else:
                false[hit.rule] += 1
                print(
                    f"false {files.camera_id} {hit.rule} actor {actor} {hit.confidence:.2f} {dict(hit.facts)}"
                )
        for rule, those in guilty.items():
            for actor, height in those.items():
                band = max(low for low in BANDS if low <= height)
                there[rule][band] += 1
                found[rule][band] += actor in told_of[rule]
        print(f"{files.camera_id}: {len(seen)} pictures, {per_picture_ms:.0f} ms of CPU each")
    for rule in (one.name for one in RULES):
        hits, all_there = hits_of[rule], sum(there[rule].values())
        precision = f"{(hits - false[rule]) / hits:.2f}" if hits else "-"
        recall = f"{sum(found[rule].values()) / all_there:.2f}" if all_there else "-"
        print(
            f"{rule}: {hits} hits, {false[rule]} false, precision {precision}, recall {recall} of {all_there}"
        )
        for low, high in pairwise(BANDS):
            if there[rule][low]:
                print(f"  heads of {low} to {high} px: {found[rule][low]} of {there[rule][low]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--family", default="dev", choices=("train", "dev", "heldout"))
    parser.add_argument("--seed", type=int, default=510)
    parser.add_argument("--seconds", type=float, default=75.0)
    parser.add_argument("--cameras", default="road-east,corner")
    parser.add_argument("--light", default="day", choices=("day", "night", "rain", "dusk"))
    parser.add_argument("--look", default="none", choices=("none", "sub", "main"))
    parser.add_argument("--min-head-px", type=float, default=4.0)
    parser.add_argument("--cache", type=Path, default=cache_folder())
    parser.add_argument("--heads", type=Path, default=Path("models/ngatu_heads_int8.onnx"), help="for --look")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    detector = Detector(ModelSettings(path=arguments.model, confidence=0.3))
    city(detector, HeadFinder(arguments.heads), arguments)


if __name__ == "__main__":
    main()

"""A film through the worker's perception and rules in this process, at the worker's rate, without streams.

Picture by picture: none is dropped and nothing is timed, so a machine that is too slow for a worker gets the
same as a fast one. Detections are kept beside the film by model, and what perception makes of them by its
code: a second run with other rules takes seconds. No figure of this is one of the worker.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2

from pipeline.cameras.rate import RateLimiter
from pipeline.config import ModelSettings
from pipeline.config.camera import AnalysisSettings
from pipeline.config.load import load_scene
from pipeline.perception import camera as perception
from pipeline.perception.closer import HeadFinder, known_classes
from pipeline.perception.detector import Detector
from pipeline.perception.windows import detect
from pipeline.rules import Flow, Moments, asks_for_heads, blind, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.sim.film import Film
from pipeline.sim.reel import CameraFilm, main_size
from pipeline.types import FlowCount, Frame, FrameTime, Hit, Observation
from pipeline.worker.logs import configure_logs
from scripts.accuracy import plan
from scripts.accuracy.counts import lane_counts
from scripts.accuracy.look import draw
from scripts.accuracy.match import Reported, match
from scripts.accuracy.perception import Perception
from scripts.accuracy.report import Judged
from scripts.accuracy.run import watched_stream
from scripts.accuracy.truth import CameraTruth, film_truth

START_S = 1_700_000_000.0
"""Of each film, epoch seconds."""
RATE_HZ, WIDEST_PX = AnalysisSettings().rate_hz, AnalysisSettings().max_width_px
T = TypeVar("T")


def perceive(
    shot: Film, settings: ModelSettings, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Perceive a film's cameras, as many at a time as there are cores, for `judge_take` to find.

    `progress` is told how many of them are done.
    """
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_perceive, camera, settings) for camera in shot.cameras]
        for done, one in enumerate(running, 1):
            one.result()
            progress(done, len(running))


def _perceive(camera: CameraFilm, settings: ModelSettings) -> None:
    configure_logs("error")
    observations(camera, load_scene(camera.scene), settings, Detector(settings), _kept_in(camera))


def _kept_in(camera: CameraFilm) -> Path:
    return camera.main.parent / "perceived"


def judge_take(
    take: plan.Take, shot: Film, settings: ModelSettings, sums: dict[str, Perception], look: Path | None
) -> Judged:
    """Judge a film of `take`; the errors of speeds are added to those of its light in `sums`.

    Everything missed or false is drawn into the folder `look`.
    """
    detector = Detector(settings)
    poses = {pose.id: pose for pose in take.scenario.poses()}
    known = known_classes(settings, detector)
    truths: dict[str, CameraTruth] = {}
    outcomes, lanes, on = [], [], set[str]()
    for camera in shot.cameras:
        scene = load_scene(camera.scene)
        size = main_size(poses[camera.camera_id], plan.SIZE)
        rules = set(scene.rules) - set(blind(scene, known))
        on |= rules
        truth = film_truth(take.scenario, shot.acts, camera, scene, rules, size, plan.RATE_HZ)
        seen = observations(camera, scene, settings, detector, _kept_in(camera))
        hits, counts = judge(scene, seen)
        truths[camera.camera_id] = truth
        outcomes.append(match(truth, [_reported(camera.camera_id, n, hit) for n, hit in enumerate(hits)]))
        told = ((one.lane, one.kind.value, one.count) for one in counts)
        lanes += lane_counts(truth, Scene(scene), poses[camera.camera_id], told)
        sums.setdefault(take.light, Perception()).add_speeds(
            scene, seen, [_at(truth.frames, one.time.captured_at_s) for one in seen], size
        )
    if look is not None:
        draw(shot, truths, outcomes, look)
    seen_alike = Counter(act.kind.value for truth in truths.values() for act in truth.look_alikes)
    return Judged(take, outcomes, seen_alike, frozenset(on), lanes, ())


def observations(
    camera: CameraFilm, scene: SceneSettings, settings: ModelSettings, detector: Detector, kept: Path
) -> list[Observation]:
    """What the worker's perception makes of a camera's film; kept in the folder `kept`."""
    film_path = watched_stream(camera)
    lamps = scene.lamps_to_read()
    asked = repr((scene.windows, scene.ignore, lamps, asks_for_heads(scene), detector.riders_in_box))
    code = b"".join(path.read_bytes() for path in sorted(Path(perception.__file__).parent.glob("*.py")))
    heads = settings.heads.read_bytes() if settings.heads is not None else b""
    name = hashlib.sha256(code + heads + f"{detector.sha256} {asked} {film_path.name}".encode()).hexdigest()
    return _kept(
        kept / f"{camera.camera_id}-seen-{name[:16]}.pickle",
        lambda: _observe(camera, scene, settings, detector, kept),
    )


def _observe(
    camera: CameraFilm, scene: SceneSettings, settings: ModelSettings, detector: Detector, kept: Path
) -> list[Observation]:
    film_path = watched_stream(camera)
    name = hashlib.sha256(f"{detector.sha256} {scene.windows} {film_path.name}".encode()).hexdigest()
    found = _kept(
        kept / f"{camera.camera_id}-detections-{name[:16]}.pickle",
        lambda: [
            detect(detector, [frame.picture], [scene.windows])[0]
            for frame in _pictures(film_path, camera.camera_id)
        ],
    )
    follower = perception.CameraPerception(
        camera.camera_id,
        scene.lamps_to_read(),
        scene.ignore,
        settings.confidence,
        closer=HeadFinder(settings.heads) if settings.heads is not None and asks_for_heads(scene) else None,
        riders_in_box=detector.riders_in_box,
    )
    frames = _pictures(film_path, camera.camera_id)
    return [follower.observe(frame, one) for frame, one in zip(frames, found, strict=True)]


def _pictures(path: Path, camera_id: str) -> Iterator[Frame]:
    """The pictures that the worker would analyse."""
    video = cv2.VideoCapture(str(path))
    limiter = RateLimiter(RATE_HZ)
    number = 0
    while True:
        ok, picture = video.read()
        if not ok:
            return
        time_s = number / plan.RATE_HZ
        if limiter.passes(time_s):
            size = (picture.shape[1], picture.shape[0])
            if size[0] > WIDEST_PX:
                shrunk = (WIDEST_PX, round(size[1] * WIDEST_PX / size[0]))
                picture = cv2.resize(picture, shrunk, interpolation=cv2.INTER_LINEAR)
            yield Frame(camera_id, picture, FrameTime(START_S + time_s, "rtcp"), number, 0, size)
        number += 1


def judge(scene: SceneSettings, seen: list[Observation]) -> tuple[list[Hit], list[FlowCount]]:
    """All that rules and counts make of it."""
    drawn = Scene(scene)
    rules, flow = build_rules(drawn), Flow(drawn)
    hits: list[Hit] = []
    counts: list[FlowCount] = []
    for moment in Moments(drawn).all_of(seen):
        for rule in rules:
            hits.extend(rule.observe(moment))
        counts.extend(flow.observe(moment))
    return hits, [*counts, *flow.finish()]


def _kept(path: Path, make: Callable[[], T]) -> T:
    """Made once. The files are this program's own, in the films' folder."""
    if path.is_file():
        return pickle.loads(path.read_bytes())
    made = make()
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(made))
    part.rename(path)
    return made


def _at(frames: Sequence[Mapping[str, Any]], captured_at_s: float) -> Mapping[str, Any]:
    """The truth of a moment, in the observations' time."""
    frame = frames[round((captured_at_s - START_S) * plan.RATE_HZ)]
    return {**frame, "time_s": captured_at_s}


def _reported(camera_id: str, number: int, hit: Hit) -> Reported:
    before, at, after = ((point.time_s - START_S, point.box) for point in (hit.before, hit.at, hit.after))
    return Reported(f"{number:08d}", camera_id, hit.rule, hit.kind.value, hit.confidence, (before, at, after))

"""The ruler without streams, for whoever works on a rule: `.venv/bin/python -m scripts.accuracy.rehearse`.

Cities of the development family, never the held-out ones. Each film goes through the worker's own perception
and rules in this process, at the worker's rate, picture by picture: no picture is dropped, nothing is timed,
and a second run with other rules takes seconds, because detections are kept by model, and what perception
makes of them by its code. What it prints is no measurement of the worker; `make accuracy` is.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
from rich.console import Console

from pipeline.cameras.rate import RateLimiter
from pipeline.config import ModelSettings
from pipeline.config.camera import AnalysisSettings
from pipeline.config.load import load_scene
from pipeline.perception import camera as perception
from pipeline.perception.closer import HeadFinder, known_classes
from pipeline.perception.detector import Detector
from pipeline.perception.windows import detect
from pipeline.rules import Flow, Moment, Moments, asks_for_heads, blind, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.sim.film import cache_folder, film
from pipeline.sim.reel import CameraFilm, main_size
from pipeline.sim.scenario import FAMILIES
from pipeline.types import FlowCount, Frame, FrameTime, Hit, Observation
from pipeline.worker.logs import configure_logs
from scripts.accuracy import plan
from scripts.accuracy.counts import lane_counts
from scripts.accuracy.look import draw
from scripts.accuracy.match import Reported, match
from scripts.accuracy.perception import Perception
from scripts.accuracy.report import Judged, report, show_judged, speed_line
from scripts.accuracy.run import HEADS, watched_stream
from scripts.accuracy.truth import CameraTruth, film_truth

START_S = 1_700_000_000.0
"""Of each film, epoch seconds."""
RATE_HZ, WIDEST_PX = AnalysisSettings().rate_hz, AnalysisSettings().max_width_px
T = TypeVar("T")
LENSES = {"overview": plan.OVERVIEW, "close": plan.CLOSE}


def main() -> int:
    """Film, perceive, judge, print."""
    given = _arguments()
    configure_logs("error")
    takes = [
        _take(light, seed, lenses) for light in given.light for lenses in given.lenses for seed in given.seeds
    ]
    settings = ModelSettings(path=given.model.resolve(), heads=HEADS.resolve())
    judged: list[Judged] = []
    sums: dict[str, Perception] = {}
    for take in takes:
        print(f"{take.name}: filming, perceiving", file=sys.stderr)
        judged.append(_judge(take, settings, given.films, sums, given.look))
    result = report(judged, {}, {"model": given.model.name}, bars=False)
    console = Console(width=None if sys.stdout.isatty() else 140)
    show_judged(result, console)
    for light, one in sums.items():
        if (speed := one.speed()) is not None:
            console.print(speed_line(light, speed))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[500], help="development cities")
    parser.add_argument("--light", nargs="+", choices=("day", "night", "rain"), default=["day"])
    parser.add_argument("--lenses", nargs="+", choices=tuple(LENSES), default=["overview"])
    parser.add_argument("--model", type=Path, default=Path("models/ngatu_nano_int8.onnx"))
    parser.add_argument("--films", type=Path, default=cache_folder(), help="where films are kept")
    parser.add_argument("--look", type=Path, help="draw everything missed or false into this folder")
    return parser.parse_args()


def _take(light: plan.Light, seed: int, lenses: str) -> plan.Take:
    held_out = plan.town(light, seed, LENSES[lenses])
    scenario = replace(held_out.scenario, family="dev", seed=FAMILIES["dev"] + seed)
    return plan.Take(light, scenario)


def _judge(
    take: plan.Take,
    settings: ModelSettings,
    cache: Path,
    sums: dict[str, Perception],
    look: Path | None,
) -> Judged:
    shot = film(take.scenario, cache, size=plan.SIZE, rate_hz=plan.RATE_HZ)
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
        seen = observations(camera, scene, settings, detector, shot.folder / "perceived")
        hits, counts = judge(scene, seen)
        truths[camera.camera_id] = truth
        outcomes.append(match(truth, [_reported(camera.camera_id, n, hit) for n, hit in enumerate(hits)]))
        told = ((one.lane, one.kind.value, one.count) for one in counts)
        lanes += lane_counts(truth, Scene(scene), poses[camera.camera_id], told)
        sums.setdefault(take.light, Perception()).add_speeds(
            scene, seen, [_at(truth.frames, one.time.captured_at_s) for one in seen], size
        )
    if look is not None:
        draw(shot, truths, outcomes, look / take.name)
    seen_alike = Counter(act.kind.value for truth in truths.values() for act in truth.look_alikes)
    return Judged(take, outcomes, seen_alike, frozenset(on), lanes, ())


def observations(
    camera: CameraFilm, scene: SceneSettings, settings: ModelSettings, detector: Detector, kept: Path
) -> list[Observation]:
    """What the worker's perception makes of a camera's film; kept in the folder `kept`."""
    film_path = watched_stream(camera)
    asked = repr((scene.windows, scene.ignore, scene.lamps_to_read(), asks_for_heads(scene)))
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
        RATE_HZ,
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
    moments, rules, flow = Moments(drawn), build_rules(drawn), Flow(drawn)
    hits: list[Hit] = []
    counts: list[FlowCount] = []

    def take_up(found: Iterable[Moment]) -> None:
        for moment in found:
            for rule in rules:
                hits.extend(rule.observe(moment))
            counts.extend(flow.observe(moment))

    for observation in seen:
        take_up(moments.observe(observation))
    take_up(moments.finish())
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


if __name__ == "__main__":
    sys.exit(main())

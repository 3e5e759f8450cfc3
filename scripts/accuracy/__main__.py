"""Measure the worker against the synthetic city: `make accuracy`, or `python -m scripts.accuracy --help`.

Exit code: 0 when every bar is reached, 1 when one is missed, 3 when the machine could not keep up with the
cameras (then nothing was measured), 4 when a run failed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipeline.config import ModelSettings
from pipeline.config.load import load_scene
from pipeline.perception.closer import known_classes
from pipeline.perception.detector import Detector
from pipeline.rules import blind
from pipeline.scene import Scene
from pipeline.sim.errors import SimError
from pipeline.sim.film import Film, cache_folder, film
from pipeline.sim.reel import main_size
from pipeline.worker.logs import configure_logs
from scripts.accuracy import plan
from scripts.accuracy.clock import ClockError
from scripts.accuracy.counts import lane_counts, told
from scripts.accuracy.look import draw
from scripts.accuracy.match import match
from scripts.accuracy.offline import judge_take, perceive
from scripts.accuracy.perception import Perception, measure
from scripts.accuracy.plates import plate_reads
from scripts.accuracy.report import Judged, report
from scripts.accuracy.run import HEADS, RunError, run
from scripts.accuracy.show import show
from scripts.accuracy.truth import film_truth

MODEL = Path("models/ngatu_nano_int8.onnx")


def main() -> int:
    given = _arguments()
    # Leave no worker behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    err = Console(stderr=True)
    began = time.monotonic()
    configure_logs("error")
    takes = plan.quick() if given.quick else plan.full()
    if given.only:
        takes = [take for take in takes if any(part in take.name for part in given.only)]
    facts: dict[str, Any] = {"model": given.model.name, "quick": given.quick}
    perception: dict[str, dict[str, Any]] = {}
    speeds: dict[str, Any] | None = None
    with ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="accuracy-")))
        bars = stack.enter_context(
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeElapsedColumn(),
                console=err,
                transient=True,
            )
        )
        try:
            if given.offline:
                judged, speeds = _offline(takes, given.model, given.films, folder, bars)
            else:
                judged, perception = _measure(takes, given.model, given.films, folder, given.at_once, bars)
        except (RunError, ClockError, SimError) as error:
            err.print(f"[bold red]failed[/] {error}", highlight=False)
            return 4
    facts["took_s"] = round(time.monotonic() - began, 1)
    result = report(judged, perception, facts, bars=not (given.quick or given.only), speeds=speeds)
    text = json.dumps(result, indent=1)
    if given.keep:
        (given.keep / "report.json").write_text(text + "\n")
    if given.json:
        sys.stdout.write(text + "\n")
    else:
        show(result, Console(width=None if sys.stdout.isatty() else 140))
    if not result["kept_up"]:
        return 3
    return 1 if result["bars_missed"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make accuracy", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=MODEL, help="an ONNX detector (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="half a minute of city; judges no bars")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="PART",
        help="only films named like one of these; judges no bars",
    )
    parser.add_argument(
        "--at-once",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="cameras that a worker sees at a time (default: one a core, %(default)s here)",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        help="no worker and no streams: its perception and rules in this process, picture by picture, for a "
        "machine that cannot keep up; no plates, no detector and tracker",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--keep", type=Path, help="leave films, events, evidence and pictures in this folder")
    parser.add_argument(
        "--films", type=Path, default=cache_folder(), help="where films are kept (default: %(default)s)"
    )
    given = parser.parse_args()
    if given.at_once < 1:
        parser.error("--at-once is one camera or more")
    if not given.model.is_file():
        parser.error(f"there is no model {given.model}; give one with --model")
    return given


def _measure(
    takes: list[plan.Take], model: Path, cache: Path, folder: Path, at_once: int, bars: Progress
) -> tuple[list[Judged], dict[str, dict[str, Any]]]:
    films = [_film(take, cache, bars) for take in takes]
    judged: list[Judged] = []
    sums: dict[str, Perception] = {}
    settings = ModelSettings(path=model.resolve(), heads=HEADS.resolve())
    detector = Detector(settings)
    for number, (take, shot) in enumerate(zip(takes, films, strict=True), 1):
        seconds = take.scenario.duration_s
        task = bars.add_task(f"[{number}/{len(takes)}] the worker sees {take.name}", total=seconds)
        done = run(shot, model, folder / take.name, seconds, at_once, partial(_tick, bars, task))
        bars.remove_task(task)
        scenes = {camera.camera_id: load_scene(camera.scene) for camera in shot.cameras}
        rules = {
            name: set(scene.rules) - set(blind(scene, known_classes(settings, detector)))
            for name, scene in scenes.items()
        }
        poses = {pose.id: pose for pose in take.scenario.poses()}
        sizes = {name: main_size(pose, plan.SIZE) for name, pose in poses.items()}
        truths = {
            camera.camera_id: film_truth(
                take.scenario,
                shot.acts,
                camera,
                scenes[camera.camera_id],
                rules[camera.camera_id],
                sizes[camera.camera_id],
                plan.RATE_HZ,
            )
            for camera in shot.cameras
        }
        outcomes = [
            match(truth, [one for one in done.reported if one.camera_id == name])
            for name, truth in truths.items()
        ]
        judged.append(
            Judged(
                take,
                outcomes,
                Counter(act.kind.value for truth in truths.values() for act in truth.look_alikes),
                frozenset(rule for on in rules.values() for rule in on),
                [
                    count
                    for name, truth in truths.items()
                    for count in lane_counts(truth, Scene(scenes[name]), poses[name], told(name, done.flow))
                ],
                done.cameras,
                [read for outcome in outcomes for read in plate_reads(truths[outcome.camera_id], outcome)],
            )
        )
        (folder / take.name / "film").symlink_to(shot.folder)
        draw(shot, truths, judged[-1].outcomes, folder / take.name / "look")
        if take.perception:
            into = sums.setdefault(take.light, Perception())
            for camera in shot.cameras:
                task = bars.add_task(
                    f"[{number}/{len(takes)}] detector and tracker on {camera.camera_id}", total=None
                )
                measure(
                    into,
                    detector,
                    camera.sub,
                    truths[camera.camera_id].frames,
                    scenes[camera.camera_id],
                    sizes[camera.camera_id],
                    settings.confidence,
                )
                bars.remove_task(task)
    return judged, {light: one.figures(detector.classes) for light, one in sums.items()}


def _offline(
    takes: list[plan.Take], model: Path, cache: Path, folder: Path, bars: Progress
) -> tuple[list[Judged], dict[str, Any]]:
    """What the films' judges say without a worker, and the errors of speeds by light."""
    settings = ModelSettings(path=model.resolve(), heads=HEADS.resolve())
    judged: list[Judged] = []
    sums: dict[str, Perception] = {}
    for number, take in enumerate(takes, 1):
        shot = _film(take, cache, bars)
        task = bars.add_task(f"[{number}/{len(takes)}] looking at {take.name}", total=None)
        perceive(shot, settings, partial(_done, bars, task))
        judged.append(judge_take(take, shot, settings, sums, folder / take.name / "look"))
        bars.remove_task(task)
    return judged, {light: speed for light, one in sums.items() if (speed := one.speed()) is not None}


def _tick(bars: Progress, task: TaskID, seconds: float) -> None:
    bars.update(task, completed=seconds)


def _done(bars: Progress, task: TaskID, done: int, total: int) -> None:
    bars.update(task, completed=done, total=total)


def _film(take: plan.Take, cache: Path, bars: Progress) -> Film:
    task = bars.add_task(f"filming {take.name}", total=None)
    try:
        return film(
            take.scenario,
            cache,
            size=plan.SIZE,
            rate_hz=plan.RATE_HZ,
            progress=partial(_done, bars, task),
        )
    finally:
        bars.remove_task(task)


if __name__ == "__main__":
    sys.exit(main())

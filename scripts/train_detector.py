#!/usr/bin/env python3
"""Makes the project's detector from nothing: pictures of the city, training, ONNX, scores, card.

    make train                       # everything; about two hours on two cores, resumes where it was stopped
    make train ARGS=--quick          # the same steps in under two minutes, for a model that knows nothing yet
    make train ARGS="--real ../clips --labeller models/yolox_nano_416.onnx"

Everything made on the way lies in build/detector; models/ngatu_nano* are written at the end.
Needs the extra `train` (scripts/setup --train installs it apart, in .venv-train).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: E402

from pipeline.sim.errors import SimError  # noqa: E402
from scripts.detector.pictures import View, save_all, views  # noqa: E402

NAME = "ngatu_nano"
err = Console(stderr=True)


def main() -> int:
    """Run the steps asked for."""
    asked = _arguments()
    work: Path = asked.work
    clips = sorted(asked.real.glob("*.mp4")) if asked.real else []
    if asked.real and not clips:
        err.print(f"{asked.real}: no *.mp4 there; leave out --real to train on the city alone", markup=False)
        return 1
    clips = [clip for clip in clips if clip.stem not in asked.unseen]
    try:
        _draw(views("train", asked.pictures, each=min(40, asked.pictures)), work / "data" / "train")
        _draw(views("dev", asked.judged, each=min(15, asked.judged)), work / "data" / "dev")
        heldout = views("heldout", asked.scored, each=min(20, asked.scored), catalogue=True)
        _draw(heldout, work / "data" / "heldout")
    except SimError as error:
        err.print(f"pictures cannot be drawn: {error}", markup=False)
        return 1
    real_pictures = 0
    if clips:
        from scripts.detector.real import save_real

        real_pictures = save_real(clips, asked.labeller, work / "data" / "train", 60)
    try:
        from scripts.detector.learn import export, learn
    except ImportError as error:
        err.print(f"{error.name} is missing: run scripts/setup --train, then make train", markup=False)
        return 1
    runs = work / "runs"
    last = runs / NAME / "weights" / "last.pt"
    weights = learn(
        work / "data",
        runs,
        epochs=asked.epochs,
        batch=asked.batch,
        seed=asked.seed,
        threads=asked.threads,
        resume=last.exists() and not asked.quick,
    )
    model = asked.out / f"{NAME}.onnx"
    asked.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(export(weights), model)
    from scripts.detector import card
    from scripts.detector.quantize import quantize

    card.stamp(
        model,
        {
            "training_data": f"{asked.pictures} pictures of the city (family train), "
            f"{real_pictures} of real clips",
            "seed": str(asked.seed),
            "epochs": str(asked.epochs),
            "code_version": _version(),
        },
    )
    small = quantize(model, work / "data" / "train" / "images", asked.seed)
    err.print(f"{model}, {small}: scoring", markup=False)
    card.write(
        model,
        small,
        heldout=work / "data" / "heldout",
        clips=sorted(asked.real.glob("*.mp4")) if asked.real else [],
        unseen=asked.unseen,
        labeller=asked.labeller,
        riders_folder=asked.riders,
    )
    sys.stdout.write(f"{model}\n")
    return 0


def _draw(chosen: list[View], folder: Path) -> None:
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(f"drawing {folder.name} pictures", total=None)
        save_all(
            chosen,
            folder,
            lambda done, total: bars.update(task, completed=done, total=total),
            processes=os.cpu_count() or 1,
        )


def _version() -> str:
    """The commit that trains, as far as git knows one."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few pictures, one epoch: proves the script")
    parser.add_argument("--pictures", type=int, default=3320, help="of the city to train on (%(default)s)")
    parser.add_argument("--judged", type=int, default=120, help="of the city to choose weights by")
    parser.add_argument("--scored", type=int, default=400, help="of held-out cities for the card")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the CPU, to train with")
    parser.add_argument("--real", type=Path, help="folder of real clips (*.mp4) whose first part is added")
    parser.add_argument("--labeller", type=Path, help="ONNX detector that labels the real clips")
    parser.add_argument("--unseen", nargs="*", default=[], help="names of clips kept for scoring alone")
    parser.add_argument("--riders", type=Path, help="folder of pictures with labelled riders, for the card")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "detector")
    parser.add_argument("--out", type=Path, default=ROOT / "models")
    asked = parser.parse_args()
    if (asked.real is None) != (asked.labeller is None):
        parser.error("--real and --labeller go together")
    if asked.quick:
        asked.pictures, asked.judged, asked.scored, asked.epochs = 16, 4, 4, 1
        asked.work, asked.out = asked.work / "quick", asked.work / "quick" / "models"
    return asked


if __name__ == "__main__":
    sys.exit(main())

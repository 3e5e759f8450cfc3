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
from scripts.detector.pictures import Draw, View, draw_whole, save_all, views  # noqa: E402
from scripts.detector.sheets import draw_sheets  # noqa: E402
from scripts.detector.windows import draw_windows  # noqa: E402

NAME = "ngatu_nano"
FIRST_WINDOW, FIRST_SHEET = 1000, 2000
"""Seeds of the cities that windows and sheets are cut from: others than those of the whole pictures."""
EACH = 20
"""Pictures a camera, where the whole of them or windows are shown."""
err = Console(stderr=True)


def main() -> int:
    """Run the steps asked for."""
    asked = _arguments()
    work: Path = asked.work
    clips = sorted(asked.real.glob("*.mp4")) if asked.real else []
    if asked.real and not clips:
        err.print(f"{asked.real}: no *.mp4 there; leave out --real to train on the city alone", markup=False)
        return 1
    shown = [clip for clip in clips if clip.stem not in asked.unseen]
    trained = work / "data" / "train"
    try:
        whole = views("train", asked.pictures, each=min(EACH, asked.pictures), first_seed=asked.cities)
        _draw(whole, trained)
        first = asked.cities + FIRST_WINDOW
        windows = views("train", asked.windows, each=min(EACH, asked.windows), first_seed=first, scarce=True)
        _draw(windows, trained, draw_windows, "window-")
        # Two pictures hold enough two-wheelers for a sheet.
        first = asked.cities + FIRST_SHEET
        riders = views(
            "train", 2 * asked.sheets, each=min(40, 2 * asked.sheets), first_seed=first, scarce=True
        )
        _draw(riders, trained, draw_sheets, "sheet-")
        _draw(views("dev", asked.judged, each=min(15, asked.judged)), work / "data" / "dev")
        heldout = views("heldout", asked.scored, each=min(20, asked.scored), catalogue=True)
        _draw(heldout, work / "data" / "heldout")
    except SimError as error:
        err.print(f"pictures cannot be drawn: {error}", markup=False)
        return 1
    real_pictures = 0
    if shown:
        from scripts.detector.real import save_real

        real_pictures = save_real(shown, asked.labeller, trained, 60)
    try:
        from scripts.detector.begin import OtherModelError
        from scripts.detector.learn import export, learn
    except ImportError as error:
        err.print(f"{error.name} is missing: run scripts/setup --train, then make train", markup=False)
        return 1
    runs = work / "runs"
    last = runs / NAME / "weights" / "last.pt"
    try:
        weights = learn(
            work / "data",
            runs,
            epochs=asked.epochs,
            batch=asked.batch,
            seed=asked.seed,
            threads=asked.threads,
            rate=asked.rate,
            start=asked.start,
            resume=last.exists() and not asked.quick,
        )
    except OtherModelError as error:
        err.print(f"--start {asked.start}: {error}", markup=False)
        return 1
    model = asked.out / f"{NAME}.onnx"
    asked.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(export(weights), model)
    from scripts.detector import card
    from scripts.detector.quantize import quantize

    card.stamp(
        model,
        {
            "training_data": f"{asked.pictures} pictures of the city (family train), "
            f"{asked.windows} windows into larger ones, {_count(trained, 'sheet')} sheets of two-wheelers, "
            f"{real_pictures} of real clips",
            "seed": str(asked.seed),
            "epochs": str(asked.epochs),
            "code_version": _version(),
            **({"before": card.history(asked.start)} if asked.start else {}),
        },
    )
    small = quantize(model, work / "data" / "train" / "images", asked.seed)
    err.print(f"{model}, {small}: scoring", markup=False)
    card.write(
        model,
        small,
        heldout=work / "data" / "heldout",
        clips=clips,
        unseen=asked.unseen,
        labeller=asked.labeller,
        riders_folder=asked.riders,
    )
    sys.stdout.write(f"{model}\n")
    return 0


def _count(folder: Path, sort: str) -> int:
    return len(list((folder / "images").glob(f"*-{sort}-*.jpg")))


def _draw(chosen: list[View], folder: Path, draw: Draw = draw_whole, sort: str = "") -> None:
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(f"drawing {folder.name} {sort.rstrip('-')} pictures", total=None)
        save_all(
            chosen,
            folder,
            lambda done, total: bars.update(task, completed=done, total=total),
            processes=os.cpu_count() or 1,
            draw=draw,
            sort=sort,
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
    parser.add_argument("--windows", type=int, default=1600, help="into large pictures, likewise")
    parser.add_argument("--sheets", type=int, default=600, help="of two-wheelers, about so many")
    parser.add_argument("--judged", type=int, default=120, help="of the city to choose weights by")
    parser.add_argument("--scored", type=int, default=400, help="of held-out cities for the card")
    parser.add_argument(
        "--cities", type=int, default=0, help="seed of the first city to train on (%(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--start", type=Path, help="model (*.onnx, *.pt) of an earlier run to go on from")
    parser.add_argument("--rate", type=float, default=0.0012, help="first learning rate (%(default)s)")
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
    if asked.start is not None and not asked.start.is_file():
        parser.error(f"--start {asked.start} is not there")
    if asked.quick:
        asked.pictures, asked.windows, asked.sheets = 12, 4, 2
        asked.judged, asked.scored, asked.epochs = 4, 4, 1
        asked.work, asked.out = asked.work / "quick", asked.work / "quick" / "models"
    return asked


if __name__ == "__main__":
    sys.exit(main())

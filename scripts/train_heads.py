#!/usr/bin/env python3
"""Make the small model of riders' heads from nothing: tiles of the city, training, ONNX, card.

    make train-heads                        # an hour and a half on two cores; the tiles are kept
    make train-heads ARGS=--quick           # the same steps, for a model that knows nothing yet

Files go to models/ngatu_heads.onnx, its 8-bit copy ngatu_heads_int8.onnx, and .md; tiles to --work. Needs
what `scripts/setup --train` installs.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: E402

from scripts.detector.pictures import views  # noqa: E402
from scripts.heads.tiles import Tiles, draw_all  # noqa: E402

NAME = "ngatu_heads"
FIRST_SEED = 60_000
"""Of the views to train on, apart from the detector's."""
FIRST_HELDOUT = 50_000
"""Of those for the card."""
EACH = 40
"""Pictures a view."""
LEAST_VIEWS = 4
"""However few pictures: some views look at a yard, where nobody rides."""

err = Console(stderr=True)


def main() -> int:
    """Exit code: 0, or 1 with a sentence on stderr."""
    asked = _arguments()
    try:
        import torch

        from scripts.detector.begin import OtherModelError
        from scripts.heads.learn import export, learn
        from scripts.heads.quantize import quantize
    except ImportError as error:
        err.print(f"{error.name} is missing: run scripts/setup --train, then make train-heads", markup=False)
        return 1
    from scripts.heads.card import write

    train = _draw("train", asked.pictures, asked.work, asked.cities)
    heldout = _draw("heldout", asked.scored, asked.work, FIRST_HELDOUT)
    if len(train.pictures) < asked.batch or not len(heldout.pictures):
        err.print("too few machines were seen: ask for more --pictures", markup=False)
        return 1
    torch.set_num_threads(asked.threads)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(f"training on {len(train.pictures)} tiles", total=asked.epochs)
        try:
            net = learn(
                train,
                asked.epochs,
                asked.batch,
                asked.seed,
                lambda epoch, loss: bars.update(
                    task, completed=epoch, description=f"training, loss {loss:.3f}"
                ),
                rate=asked.rate,
                start=asked.start,
            )
        except OtherModelError as error:
            err.print(f"--start {asked.start}: {error}", markup=False)
            return 1
    asked.out.mkdir(parents=True, exist_ok=True)
    model = asked.out / f"{NAME}.onnx"
    export(net, model)
    told = f"{len(train.pictures)} tiles of {asked.pictures} pictures of the city (family train)"
    if asked.start is not None:
        told += f", on the weights of an earlier {asked.start.name}"
    small = quantize(model, train, asked.seed)
    write(
        model,
        small,
        heldout,
        told,
        asked.epochs,
        asked.seed,
        real_heads=asked.heads,
        real_riders=asked.riders,
    )
    sys.stdout.write(f"{model}\n")
    return 0


def _draw(family: str, pictures: int, work: Path, first_seed: int) -> Tiles:
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(f"drawing {family} pictures", total=None)
        return draw_all(
            views(
                family,
                pictures,
                each=min(EACH, math.ceil(pictures / LEAST_VIEWS)),
                first_seed=first_seed,
                scarce=family == "train",
            ),
            work,
            lambda done, total: bars.update(task, completed=done, total=total),
            os.cpu_count() or 1,
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few pictures, one epoch: proves the script")
    parser.add_argument("--pictures", type=int, default=4800, help="of the city to train on (%(default)s)")
    parser.add_argument("--scored", type=int, default=240, help="of held-out cities for the card")
    parser.add_argument(
        "--cities", type=int, default=FIRST_SEED, help="seed of the first city to train on (%(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--start", type=Path, help="model (*.onnx) of an earlier run to go on from")
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate (%(default)s)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--heads", type=Path, help="folder of real heads (labels.csv), for the card")
    parser.add_argument("--riders", type=Path, help="folder of pictures with labelled riders, for the card")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "heads")
    parser.add_argument("--out", type=Path, default=ROOT / "models")
    asked = parser.parse_args()
    if asked.start is not None and not asked.start.is_file():
        parser.error(f"--start {asked.start} is not there")
    if asked.quick:
        asked.pictures, asked.scored, asked.epochs, asked.batch = 16, 8, 1, 4
        asked.work = asked.out = asked.work / "quick"
    return asked


if __name__ == "__main__":
    sys.exit(main())

"""The ruler without streams, for whoever works on a rule: `.venv/bin/python -m scripts.accuracy.rehearse`.

Cities of the development family, never the held-out ones; see offline.py. What it prints is no measurement of
the worker; `make accuracy` is.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from pipeline.config import ModelSettings
from pipeline.sim.film import cache_folder, film
from pipeline.sim.scenario import FAMILIES
from pipeline.worker.logs import configure_logs
from scripts.accuracy import plan
from scripts.accuracy.offline import judge_take, perceive
from scripts.accuracy.perception import Perception
from scripts.accuracy.report import Judged, report
from scripts.accuracy.run import HEADS
from scripts.accuracy.show import show_judged, speed_line

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
        shot = film(take.scenario, given.films, size=plan.SIZE, rate_hz=plan.RATE_HZ)
        perceive(shot, settings)
        judged.append(judge_take(take, shot, settings, sums, given.look and given.look / take.name))
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


if __name__ == "__main__":
    sys.exit(main())

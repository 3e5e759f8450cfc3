"""What the head model is worth: on held-out tiles, and on real riders and heads."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from pipeline.perception.closer import TILE_PX, HeadFinder, cut, told
from scripts.detector.score import labelled
from scripts.heads.tiles import Tiles

NEAR = 0.6
"""A head is found where one is told within so many head heights of its middle."""


def write(
    model: Path,
    small: Path,
    heldout: Tiles,
    trained_on: str,
    epochs: int,
    seed: int,
    *,
    real_heads: Path | None,
    real_riders: Path | None,
) -> None:
    """Score the 8-bit copy `small` of `model` and write NAME.md beside it.

    `real_heads`: a folder with labels.csv; `real_riders`: one with images and labels as YOLO text.
    """
    finder = HeadFinder(small)
    score = _score(finder, heldout)
    heads, helmets = score["heads"], score["helmet"]
    text = [
        f"# {model.stem}",
        "",
        "Riders' heads on one motorbike, cut out and enlarged (`pipeline/perception/closer.py`). Written by "
        "scripts/train_heads.py; figures are measured, not typed.",
        "",
        f"- A small U-shaped network, from scratch; {TILE_PX}x{TILE_PX} RGB 0..1 "
        "in, maps of heads with a helmet, bare heads and their height out; "
        f"{model.stat().st_size / 1e6:.2f} MB.",
        f"- {small.name}: its 8-bit copy for CPUs, {small.stat().st_size / 1e6:.2f} MB; the figures are "
        "its own.",
        f"- Training data: {trained_on}. Seed {seed}; epochs: {epochs}.",
        "- No weights and no pictures of others.",
        "",
        "## On held-out cities",
        "",
        f"{len(heldout.pictures)} tiles of two-wheelers at least half of which can be seen, by day, dusk, "
        f"night and in rain, a third of them as coarse as a sub stream; {heads} heads, {heads - helmets} of "
        "them bare.",
        "",
        "| heads | found | told right, of those found |",
        "|---|---|---|",
        *(
            f"| {name} | {_share(score[f'{key} found'], score[key])} | "
            f"{_share(score[f'{key} right'], score[f'{key} found'])} |"
            for key, name in (("helmet", "with a helmet"), ("bare", "bare"))
        ),
        "",
        f"Told where there is none: {score['false']}, {score['false'] / len(heldout.pictures):.2f} a tile. "
        f"Number of heads right: {_share(score['count right'], len(heldout.pictures))} of the tiles.",
        "",
        f"Bicycles, of which no head is to be told: {_share(score['bicycles silent'], score['bicycles'])} of "
        "the tiles.",
        "",
    ]
    if real_riders is not None:
        text += ["## On real riders", "", *_riders(finder, real_riders), ""]
    if real_heads is not None:
        text += ["## On real heads", "", *_real(finder, real_heads), ""]
    model.with_suffix(".md").write_text("\n".join(text), encoding="utf-8")


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}, {part / whole:.2f}" if whole else "-"


def _score(finder: HeadFinder, tiles: Tiles) -> Counter[str]:
    score: Counter[str] = Counter()
    for start in range(0, len(tiles.pictures), 64):
        maps = finder.maps(tiles.pictures[start : start + 64])
        for one, labels in zip(maps, tiles.heads[start : start + 64], strict=True):
            found = [list(head) for head in told(one).tolist()]
            true = labels[~np.isnan(labels[:, 0])].tolist()
            score["count right"] += len(found) == len(true)
            score["bicycles"] += not true
            score["bicycles silent"] += not true and not found
            for x, y, high, helmet in true:
                kind = "helmet" if helmet else "bare"
                score["heads"] += 1
                score[kind] += 1
                near = min(found, key=lambda head: np.hypot(head[0] - x, head[1] - y), default=None)
                if near is None or np.hypot(near[0] - x, near[1] - y) > NEAR * high:
                    continue
                found.remove(near)
                score[f"{kind} found"] += 1
                score[f"{kind} right"] += (near[3] > near[4]) == bool(helmet)
            score["false"] += len(found)
    return score


def _riders(finder: HeadFinder, folder: Path) -> list[str]:
    """Real riders, each cut out by its labelled box as closer.cut cuts a machine out."""
    said: Counter[str] = Counter()
    for picture, truth in labelled(folder):
        if not len(truth):
            continue
        tiles = np.stack([cut(picture, box)[0] for box in truth.xyxy])
        for heads in map(told, finder.maps(tiles)):
            said[_called(heads.tolist())] += 1
    total = sum(said.values())
    return [
        f"{total} labelled riders: a head is told on {_share(total - said['nothing'], total)}; it is called "
        f"bare on {_share(said['bare'], total)}, though nearly all of them wear a helmet. It is the surest "
        "head of the tile, which may be a neighbour's."
    ]


def _called(heads: list[list[float]]) -> str:
    """What the surest head is said to be."""
    best = max(heads, key=lambda head: max(head[3:]), default=None)
    return "nothing" if best is None else "helmet" if best[3] > best[4] else "bare"


def _real(finder: HeadFinder, folder: Path) -> list[str]:
    """Crops of heads with some of the shoulders, each as the top of a grey tile: no machine is in it."""
    said: Counter[tuple[str, str]] = Counter()
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        crop = cv2.imread(str(folder / row["file"]))
        small = cv2.resize(crop, (24, 24), interpolation=cv2.INTER_AREA)
        tile = np.full((TILE_PX, TILE_PX, 3), 114, np.uint8)
        tile[8:32, 36:60] = small
        said[row["label"], _called(told(finder.maps(tile[None])[0]).tolist())] += 1
    lines = ["| labelled | called | crops |", "|---|---|---|"]
    lines += [f"| {label} | {called} | {count} |" for (label, called), count in sorted(said.items())]
    return [*lines, "", "Each crop alone on grey, without its machine: harder than what the model is for."]

"""Tiles to train on: motorbikes of the city, cut out as perception.closer cuts them, and their riders' heads.

In cities with many bare heads and full machines, which streets have few of. A tile's labels are the heads of
its own machine alone: whoever rides beside it is for another tile. Tiles of bicycles have none: a detector
takes one for a motorbike now and then, and cyclists need no helmet.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.perception.closer import LEAST_PX, cut
from pipeline.sim.errors import SimError
from pipeline.sim.types import ActKind, Seen
from pipeline.types import Picture, RoadUserKind
from scripts.detector.pictures import DRAWN, SAVED, View, render

ACTS = {ActKind.NO_HELMET: 20.0, ActKind.TOO_MANY_RIDERS: 14.0}
"""A minute."""
LEAST_VISIBLE = 0.5
BOX_ERROR = 0.05
"""Standard deviation of an edge, of the box's height: the closer look has the tracker's box, no true one."""
COARSE = 0.3
"""Share of pictures that are as coarse as a sub stream's, enlarged."""
MOST_HEADS = 5

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Tiles:
    """N tiles."""

    pictures: npt.NDArray[np.uint8]
    """(N, TILE_PX, TILE_PX, 3) BGR."""
    heads: npt.NDArray[np.float32]
    """(N, MOST_HEADS, 4): x and y of the middle, height in pixels of the tile, 1 with a helmet; NaN where
    there is none."""


def tiles_of(view: View) -> Tiles | None:
    """Every two-wheeler in the view's pictures that is large enough; None of a yard, where nobody rides."""
    chosen = view.scenario()
    if chosen.plan == "yard":
        return None
    chosen = replace(chosen, acts=ACTS)
    dice = random.Random(f"tiles {view.family} {view.seed}")
    pictures, heads = [], []
    for drawn in render(view, chosen):
        coarse = dice.random() < COARSE
        picture = _as_streamed(drawn.picture, coarse, dice)
        for one in drawn.seen:
            if _is_ridden(one, coarse):
                tile, told = _tile(picture, one, dice)
                pictures.append(tile)
                heads.append(told)
    if not pictures:
        return None
    return Tiles(np.stack(pictures), np.stack(heads))


def draw_all(chosen: Sequence[View], folder: Path, progress: Progress, processes: int) -> Tiles:
    """The tiles of all views, drawn side by side; those that were drawn before are read."""
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(view.pictures for view in chosen)
    done = 0
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(_save, view, folder): view for view in chosen}
        for future in as_completed(waiting):
            future.result()
            done += waiting[future].pictures
            progress(done, total)
    found = [np.load(_file(view, folder)) for view in chosen]
    return Tiles(*(np.concatenate([one[key] for one in found]) for key in ("pictures", "heads")))


def _file(view: View, folder: Path) -> Path:
    return folder / f"{view.family}-{view.seed:05d}-{view.pictures}.npz"


def _save(view: View, folder: Path) -> None:
    target = _file(view, folder)
    if target.exists():
        return
    try:
        made = tiles_of(view)
    except SimError:  # a camera that looks away from the city
        made = None
    if made is None:
        made = Tiles(*_nothing())
    partial = target.with_suffix(".partial.npz")
    np.savez_compressed(partial, pictures=made.pictures, heads=made.heads)
    partial.rename(target)


def _nothing() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    tile, _ = cut(np.zeros((*DRAWN[::-1], 3), np.uint8), np.array((0, 0, 50, 50), np.float32))
    return np.empty((0, *tile.shape), np.uint8), np.empty((0, MOST_HEADS, 4), np.float32)


def _as_streamed(picture: Picture, coarse: bool, dice: random.Random) -> Picture:
    """As rough as H.264 leaves it."""
    if coarse:
        picture = cv2.resize(picture, SAVED, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, dice.randint(45, 92)])
    picture = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.resize(picture, DRAWN), np.uint8) if coarse else picture


def _is_ridden(one: Seen, coarse: bool) -> bool:
    high = (one.box[3] - one.box[1]) * (SAVED[0] / DRAWN[0] if coarse else 1.0)
    two_wheels = one.kind in (RoadUserKind.MOTORBIKE, RoadUserKind.BICYCLE)
    return two_wheels and bool(one.heads) and one.visible >= LEAST_VISIBLE and high >= LEAST_PX


def _tile(
    picture: Picture, one: Seen, dice: random.Random
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    high = one.box[3] - one.box[1]
    box = np.array(one.box) + [dice.gauss(0, BOX_ERROR) * high for _ in range(4)]
    tile, place = cut(picture, box.astype(np.float32))
    told = np.full((MOST_HEADS, 4), np.nan, np.float32)
    heads = one.heads[:MOST_HEADS] if one.kind == RoadUserKind.MOTORBIKE else ()
    for row, (left, top, right, bottom, helmet) in enumerate(heads):
        x, y = place.to_tile(((left + right) / 2, (top + bottom) / 2))
        told[row] = (x, y, (bottom - top) * place.scale, helmet)
    return tile, told

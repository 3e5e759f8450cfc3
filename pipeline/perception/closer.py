"""A closer look at riders: each motorbike cut out, enlarged, and its heads told by a small model of its own.

A head of five pixels is at the limit of what a detector of the whole picture sees; the same head enlarged to
a dozen is not. The model (scripts/train_heads.py) gets one machine a tile and maps its riders' heads, with
and without a helmet, and how high they are; those of others in the tile are not its business.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import structlog
import supervision as sv

from pipeline.config import ModelSettings
from pipeline.perception.classes import MOTORBIKE
from pipeline.perception.detector import Detector
from pipeline.perception.errors import PerceptionError
from pipeline.perception.riders import Boxes, each_once
from pipeline.types import Picture, Point

log = structlog.get_logger(__name__)

TILE_PX = 96
"""Side of a tile."""
BODY_PX = 78
"""Longer side of the machine's box in it: its riders' heads are some 10 pixels high then."""
STRIDE = 2
"""Pixels of the tile a cell of the maps."""
LEAST_PX = 28.0
"""Height of a machine's box: heads of smaller ones have three pixels or less."""
MOST = 16
"""Machines a picture that are looked at: those that move first, and of them the largest."""
CLASSES = frozenset(("helmet", "head"))
"""What the rules get to know by it, in the words of `classes.PARTS`."""
LEAST_SURE = 0.3
"""Of a head, in the maps."""
HEIGHTS_PX = (3.0, 30.0)
"""Of a head in a tile; anything else is none."""
_GREY = 114
_APART = 0.6
"""Two heads of one machine are this far apart, in head heights."""
_WIDE = 0.85
"""Width of a head, of its height."""

Floats = npt.NDArray[np.float32]


def known_classes(settings: ModelSettings, detector: Detector) -> frozenset[str]:
    """The project's classes that a detector and the head model beside it, if any, know together."""
    return detector.classes | (CLASSES if settings.heads is not None else frozenset())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tile lies in the picture."""

    origin: Point
    """Left, top in the picture."""
    scale: float
    """Pixels of the tile a pixel of the picture."""

    def to_tile(self, point: Point) -> Point:
        """A place in the picture, in pixels of the tile."""
        return ((point[0] - self.origin[0]) * self.scale, (point[1] - self.origin[1]) * self.scale)

    def to_picture(self, point: Point) -> Point:
        """The other way."""
        return (point[0] / self.scale + self.origin[0], point[1] / self.scale + self.origin[1])


def cut(picture: Picture, box: Boxes) -> tuple[Picture, Place]:
    """The tile (TILE_PX, TILE_PX, 3) around `box` in pixels of `picture`; grey where the picture ends."""
    left, top, right, bottom = (float(edge) for edge in box)
    scale = BODY_PX / max(right - left, bottom - top, 1.0)
    side = TILE_PX / scale
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    matrix = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
    tile = cv2.warpAffine(
        picture, matrix, (TILE_PX, TILE_PX), flags=cv2.INTER_LINEAR, borderValue=(_GREY, _GREY, _GREY)
    )
    return np.asarray(tile, np.uint8), Place((x, y), scale)


def tensor(tiles: npt.NDArray[np.uint8]) -> Floats:
    """(N, TILE_PX, TILE_PX, 3) BGR as the model's input: (N, 3, TILE_PX, TILE_PX) RGB, 0..1."""
    return np.ascontiguousarray(tiles[..., ::-1].transpose(0, 3, 1, 2), np.float32) / np.float32(255)


class HeadFinder:
    """The small model. May be used from several threads at once."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load it; PerceptionError, in one sentence, when it is not there or is another model."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(path.read_bytes(), options, ["CPUExecutionProvider"])
            maps = self.maps(np.zeros((2, TILE_PX, TILE_PX, 3), np.uint8))
        except FileNotFoundError:
            raise PerceptionError(f"heads model {path} is not there: correct model.heads") from None
        except Exception as error:  # onnxruntime raises its own, without a common base
            raise PerceptionError(f"heads model {path} cannot be run: {str(error)[:200]}") from None
        cells = TILE_PX // STRIDE
        if maps.shape != (2, 3, cells, cells):
            raise PerceptionError(
                f"heads model {path} gives {maps.shape}, and not maps (2, 3, {cells}, {cells}): "
                "correct model.heads, or train one with scripts/train_heads.py"
            )
        log.info("heads model loaded", model=path.name)

    def look(self, picture: Picture, users: sv.Detections, moving: npt.NDArray[np.bool_]) -> sv.Detections:
        """`users` (M) of riders.with_heads, with the heads of their motorbikes that this model sees instead.

        `moving`: (M,), who does not stand. In a crowd they come first: no rule asks for heads of who waits.
        """
        tall = users.xyxy[:, 3] - users.xyxy[:, 1]
        rows = np.flatnonzero((np.asarray(users.class_id) == MOTORBIKE) & (tall >= LEAST_PX))
        rows = rows[np.lexsort((-tall[rows], ~moving[rows]))][:MOST]
        data: dict[str, Any] = users.data
        boxes = users.xyxy[rows].astype(np.float32)
        for row, found in zip(rows, each_once(self.heads(picture, boxes), boxes), strict=True):
            data["heads"][row] = found
        return users

    def heads(self, picture: Picture, boxes: Boxes) -> list[Boxes]:
        """(H, 6) as of riders.with_heads of the riders in each of `boxes` (M, 4), pixels of `picture`."""
        if not len(boxes):
            return []
        tiles, places = zip(*(cut(picture, box) for box in boxes), strict=True)
        maps = self.maps(np.stack(tiles))
        return [_in_picture(told(one), place) for one, place in zip(maps, places, strict=True)]

    def maps(self, tiles: npt.NDArray[np.uint8]) -> Floats:
        """(N, TILE_PX, TILE_PX, 3) BGR in, (N, 3, cells, cells) out: see `told`."""
        feed = {self._session.get_inputs()[0].name: tensor(tiles)}
        return np.asarray(self._session.run(None, feed)[0], np.float32)


def told(maps: Floats) -> Floats:
    """Heads (H, 5) out of one tile's maps (3, cells, cells): x, y, height in its pixels, helmet, bare.

    Maps are: a head with a helmet has its middle here, a bare one has, 0..1; the height of a head here.
    """
    heat = maps[:2].max(axis=0)
    peak = (heat >= LEAST_SURE) & (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8)))
    rows, columns = np.nonzero(peak)
    found: list[tuple[float, ...]] = []
    for row, column in sorted(zip(rows, columns, strict=True), key=lambda at: -heat[at]):
        helmet, bare, high = (float(value) for value in maps[:, row, column])
        x, y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
        near = any(np.hypot(x - one[0], y - one[1]) < _APART * max(high, one[2]) for one in found)
        if HEIGHTS_PX[0] <= high <= HEIGHTS_PX[1] and not near:
            found.append((x, y, high, helmet, bare))
    return np.array(found, np.float32).reshape(-1, 5)


def _in_picture(found: Floats, place: Place) -> Boxes:
    heads = []
    for x, y, high, helmet, bare in found.tolist():
        (left, top), (right, bottom) = (
            place.to_picture((x + side * _WIDE * high / 2, y + side * high / 2)) for side in (-1, 1)
        )
        heads.append((left, top, right, bottom, helmet, bare))
    return np.array(heads, np.float32).reshape(-1, 6)

"""Reads off the drawn picture who can be seen in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.sim.camera import focal_px
from pipeline.sim.render import plates
from pipeline.sim.render.cast import CELL_PX, Player, placed
from pipeline.sim.render.view import pinhole
from pipeline.sim.types import CameraPose, Seen

PLATE = 7
"""Part number of plates; heads are 1 to 4, everything else 0."""
_LEAST_PX = 5.0
_HEAD_SHARE = 0.35
_PLATE_SHARE = 0.6
Box = tuple[float, float, float, float]


def seen(
    players: list[Player], owners: npt.NDArray[np.uint16], alone: npt.NDArray[np.int64], camera: CameraPose
) -> tuple[Seen, ...]:
    """Truth from `owners` (2H, 2W), which holds 8 * (number + 1) + part, first row at the top, and from the
    filled pixels of each player's cell."""
    out = []
    for number, player in enumerate(players):
        x0, y0, x1, y1 = player.rect
        left, top = max(0, int(2 * x0) - 2), max(0, int(2 * y0) - 2)
        region = owners[top : max(top, int(2 * y1) + 3), left : max(left, int(2 * x1) + 3)]
        mine = (region >> 3) == number + 1
        count = int(np.count_nonzero(mine)) / 4
        if count < _LEAST_PX:
            continue
        own = float(alone[number]) / CELL_PX**2 * (x1 - x0) * (y1 - y0)
        parts = np.where(mine, region & 7, 0)
        plate_box, char_px, plate_visible = _plate(player, parts, (left, top), camera)
        out.append(
            Seen(
                actor_id=player.actor.id,
                kind=str(player.actor.kind),
                box=_box(mine, (left, top)),
                visible=float(min(1.0, count / max(own, 1e-9))),
                plate_box=plate_box,
                plate_char_px=char_px,
                plate_visible=plate_visible,
                heads=_heads(player, parts, (left, top), camera),
            )
        )
    return tuple(out)


def _box(mine: npt.NDArray[np.bool_], corner: tuple[int, int]) -> Box:
    rows, columns = np.flatnonzero(mine.any(1)), np.flatnonzero(mine.any(0))
    left, top = corner
    return (
        (left + int(columns[0])) / 2,
        (top + int(rows[0])) / 2,
        (left + int(columns[-1]) + 1) / 2,
        (top + int(rows[-1]) + 1) / 2,
    )


def _heads(
    player: Player, parts: npt.NDArray[np.uint16], corner: tuple[int, int], camera: CameraPose
) -> tuple[tuple[float, float, float, float, bool], ...]:
    out = []
    for piece in player.look.pieces:
        if not piece.head:
            continue
        mine = parts == piece.head
        count = int(np.count_nonzero(mine)) / 4
        _, depth = pinhole(camera, placed(player.actor, [piece.head_at]))
        radius = focal_px(camera) * piece.head_radius / max(float(depth[0]), 1e-9)
        if count >= max(2.0, _HEAD_SHARE * np.pi * radius**2):
            out.append((*_box(mine, corner), piece.helmet))
    return tuple(out)


def _plate(
    player: Player, parts: npt.NDArray[np.uint16], corner: tuple[int, int], camera: CameraPose
) -> tuple[Box | None, float, float]:
    """Around what can be seen of it, its characters' height in pixels, and the share that can be seen."""
    plate = player.actor.plate
    if plate is None:
        return None, 0.0, 0.0
    mine = parts == PLATE
    count = int(np.count_nonzero(mine)) / 4
    if count < _LEAST_PX:
        return None, 0.0, 0.0
    kind = plates.shape(plate, player.actor.kind == "motorbike")
    wide, high = (v / 2000 for v in plates.SIZES_MM[kind])
    for middle, right, up, front in player.plates():
        if front @ (np.asarray(camera.position) - middle) <= 0:
            continue
        r, u = right * wide, up * high
        pixels, _ = pinhole(
            camera, np.array([middle - r - u, middle + r - u, middle + r + u, middle - r + u])
        )
        area = 0.5 * abs(
            float(np.sum(pixels[:, 0] * np.roll(pixels[:, 1], -1) - np.roll(pixels[:, 0], -1) * pixels[:, 1]))
        )
        if count < _PLATE_SHARE * area:
            return None, 0.0, 0.0
        tall = float(np.linalg.norm(pixels[3] - pixels[0]) + np.linalg.norm(pixels[2] - pixels[1])) / 2
        return _box(mine, corner), tall * plates.CHARACTER_SHARE[kind], min(1.0, count / max(area, 1e-9))
    return None, 0.0, 0.0

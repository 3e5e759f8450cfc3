"""The actors of one moment as rows of instances: which model where, in which colours, under which light."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.sim.render.light import Light
from pipeline.sim.render.mesh import MATERIALS, Material, Mesh
from pipeline.sim.render.paints import Palette
from pipeline.sim.render.view import pinhole
from pipeline.sim.render.wardrobe import Look, Piece, look
from pipeline.sim.types import Actor, CameraPose, Conditions

Floats = npt.NDArray[np.float64]
M = Material
CELL_PX = 64
"""Side of the cell in which each actor is drawn alone."""
CELLS = 16
"""Cells along each side of their sheet."""
_COARSE_PX = 100
"""Below this height in the picture the coarse models do."""


@dataclass(slots=True)
class Player:
    """One actor in front of the camera."""

    actor: Actor
    look: Look
    rect: tuple[float, float, float, float]
    """Left, top, right, bottom of its bounding box in pixels; may reach beyond the picture."""
    small: bool
    """Small in the picture: drawn with the coarse models."""

    def plates(self) -> list[tuple[Floats, Floats, Floats, Floats]]:
        """Of each plate in the world: middle and unit vectors right, up and towards its reader."""
        out = []
        for (x, y, z), facing in self.look.plates:
            ends = [(x, y, z), (x, y + facing, z), (x, y, z + 1.0), (x + facing, y, z)]
            middle, right, up, front = placed(self.actor, ends)
            out.append((middle, right - middle, up - middle, front - middle))
        return out


@dataclass(slots=True)
class Cast:
    """Everything that the device needs to draw one moment."""

    players: list[Player] = field(default_factory=list)
    rows: dict[int, tuple[Mesh, list[list[float]]]] = field(default_factory=dict)
    """By model: rows of origin, size, pose, extra and cell."""
    coarse: dict[int, tuple[Mesh, list[list[float]]]] = field(default_factory=dict)
    """The same with coarse models only: for shadows and cells."""
    palettes: list[Palette] = field(default_factory=list)
    contacts: list[list[float]] = field(default_factory=list)
    beams: list[list[float]] = field(default_factory=list)
    sprites: list[list[float]] = field(default_factory=list)


@lru_cache(maxsize=8192)
def bounds(found: Look) -> tuple[Floats, Floats]:
    """Lowest and highest corner of a look, in the actor's coordinates."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for piece in found.pieces:
        a, b = _mesh_bounds(piece.mesh)
        low = np.minimum(low, a * piece.scale + piece.offset)
        high = np.maximum(high, b * piece.scale + piece.offset)
    return low, high


@lru_cache(maxsize=1024)
def _mesh_bounds(mesh: Mesh) -> tuple[Floats, Floats]:
    places = mesh.vertices[:, :3].astype(float)
    return places.min(0), places.max(0)


@lru_cache(maxsize=1024)
def anchors(mesh: Mesh, material: Material) -> tuple[tuple[float, float, float], ...]:
    """Where a model's lamps of a material are: the middle of each cluster, told apart by end and side."""
    places = mesh.vertices[mesh.vertices[:, 6] == material, :3].astype(float)
    found = []
    for ends in (places[:, 0] > 0, places[:, 0] <= 0):
        group = places[ends]
        if not len(group):
            continue
        wide = np.abs(group[:, 1]).max() > 0.3
        sides = (group[:, 1] > 0.15, group[:, 1] < -0.15) if wide else (np.ones(len(group), bool),)
        found += [tuple(map(float, group[s].mean(0))) for s in sides if s.any()]
    return tuple((x, y, z) for x, y, z in found)


def placed(actor: Actor, points: npt.ArrayLike) -> Floats:
    """Points (N, 3) of an actor's own coordinates in the world."""
    p = np.asarray(points, float).reshape(-1, 3)
    cl, sl = math.cos(-actor.lean), math.sin(-actor.lean)
    y, z = cl * p[:, 1] - sl * p[:, 2], sl * p[:, 1] + cl * p[:, 2]
    c, s = math.cos(actor.heading), math.sin(actor.heading)
    return np.column_stack(
        [actor.position[0] + c * p[:, 0] - s * y, actor.position[1] + s * p[:, 0] + c * y, z]
    )


def cast(
    actors: tuple[Actor, ...],
    camera: CameraPose,
    light: Light,
    conditions: Conditions,
    time_s: float,
    shade: npt.NDArray[np.float32],
    corner: tuple[float, float],
    lamps: list[tuple[float, float, float]],
) -> Cast:
    """Finds who is in front of the camera and writes their instances."""
    out = Cast()
    for actor in actors:
        found = look(actor)
        low, high = bounds(found)
        box = np.array(
            [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
        )
        pixels, depth = pinhole(camera, placed(actor, box))
        if depth.min() < 1.0 or depth.min() > 260:
            continue
        (x0, y0), (x1, y1) = pixels.min(0), pixels.max(0)
        if x1 < -60 or x0 > camera.width_px + 60 or y1 < -60 or y0 > camera.height_px + 60:
            continue
        out.players.append(Player(actor, found, (x0, y0, x1, y1), y1 - y0 < _COARSE_PX))
    lamps_on = light.dark > 0.2 or conditions.rain > 0.35
    rows: dict[int, list[list[float]]] = defaultdict(list)
    coarse: dict[int, list[list[float]]] = defaultdict(list)
    meshes: dict[int, Mesh] = {}
    for number, player in enumerate(out.players):
        actor = player.actor
        sun = _sunlight(actor, shade, corner)
        c, s = math.cos(actor.heading), math.sin(actor.heading)
        cl, sl = math.cos(-actor.lean), math.sin(-actor.lean)
        cell = _cell(number, player.rect, camera)
        origins = placed(actor, [piece.offset for piece in player.look.pieces])
        for piece, origin in zip(player.look.pieces, origins, strict=True):
            row = [
                *origin,
                *piece.scale,
                c,
                s,
                cl,
                sl,
                float(number + 1),
                float(len(out.palettes)),
                sun,
                float(piece.head),
                *cell,
            ]
            out.palettes.append(_lit(piece.colors, actor, lamps_on, time_s))
            mesh = piece.coarse if player.small else piece.mesh
            meshes[id(mesh)], meshes[id(piece.coarse)] = mesh, piece.coarse
            rows[id(mesh)].append(row)
            coarse[id(piece.coarse)].append(row)
        _contact(out, actor)
        _glow(out, player, player.look.pieces[0], camera, lamps_on, light, time_s)
    if light.dark > 0.2:
        for place in lamps:
            out.sprites.append(
                [*place[:2], place[2] - 0.1, 0.9, 0.01, 0.0, 0.0, *(0.8 * v for v in light.lamp_color), 0.8]
            )
    out.rows = {k: (meshes[k], r) for k, r in rows.items()}
    out.coarse = {k: (meshes[k], r) for k, r in coarse.items()}
    return out


def _sunlight(actor: Actor, shade: npt.NDArray[np.float32], corner: tuple[float, float]) -> float:
    x, y = actor.position[0] - corner[0], actor.position[1] - corner[1]
    rows, columns = shade.shape
    if not (1 <= y < rows - 1 and 1 <= x < columns - 1):
        return 1.0
    return float(shade[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].mean())


def cell_rect(number: int) -> tuple[int, int]:
    """Column and row of an actor's cell."""
    return number % CELLS, number // CELLS % CELLS


def _cell(number: int, rect: tuple[float, float, float, float], camera: CameraPose) -> list[float]:
    """Scale and shift from the camera's normalized coordinates to those of the sheet of cells."""
    x0, y0, x1, y1 = rect
    nx0, nx1 = x0 / camera.width_px * 2 - 1, x1 / camera.width_px * 2 - 1
    ny0, ny1 = y0 / camera.height_px * 2 - 1, y1 / camera.height_px * 2 - 1
    column, row = cell_rect(number)
    size = 2.0 / CELLS
    sx, sy = size / max(nx1 - nx0, 1e-6), size / max(ny1 - ny0, 1e-6)
    return [sx, sy, -1 + column * size - nx0 * sx, -1 + row * size - ny0 * sy]


def blinking(time_s: float, seed: int) -> bool:
    """Whether an indicator is in its bright half; each vehicle has its own beat."""
    return (time_s * (1.3 + seed % 7 * 0.05) + seed % 13 / 13) % 1.0 < 0.5


def _lit(colors: Palette, actor: Actor, lamps_on: bool, time_s: float) -> Palette:
    blink = actor.indicator != "" and blinking(time_s, actor.seed)
    if not (lamps_on or actor.braking or blink):
        return colors
    out = colors.copy()
    if lamps_on:
        out[M.HEADLAMP] = (255, 250, 235, 255)
        out[M.BRAKE] = (200, 22, 16, 190)
    if actor.braking:
        out[M.BRAKE] = (255, 36, 24, 255)
    if blink:
        out[M.LEFT if actor.indicator == "left" else M.RIGHT] = (255, 170, 40, 255)
    return out


def _contact(out: Cast, actor: Actor) -> None:
    if actor.kind in ("person", "object"):
        half, strong = (actor.length_m * 0.5 + 0.16, actor.width_m * 0.5 + 0.16), 0.75
    elif actor.kind in ("motorbike", "bicycle"):
        half, strong = (actor.length_m * 0.5 + 0.15, 0.42), 0.85
    else:
        half, strong = (actor.length_m * 0.5 + 0.35, actor.width_m * 0.5 + 0.38), 1.0
    out.contacts.append(
        [
            *actor.position,
            0.0,
            *half,
            math.cos(actor.heading),
            math.sin(actor.heading),
            strong,
            0.0,
            0.0,
            0.0,
        ]
    )


def _glow(
    out: Cast, player: Player, piece: Piece, camera: CameraPose, lamps_on: bool, light: Light, time_s: float
) -> None:
    """Light on the road ahead, and the glare of lamps that look at the camera."""
    actor = player.actor
    if actor.kind in ("person", "object", "bicycle"):
        return
    c, s = math.cos(actor.heading), math.sin(actor.heading)
    small = actor.kind == "motorbike"
    if lamps_on and light.dark > 0.2:
        reach, wide = (7.0, 2.2) if small else (11.0, 4.2)
        ahead = actor.length_m / 2 + reach * 0.96
        strength = (0.55 if small else 0.85) * light.dark
        warm = 0.82 + 0.18 * (actor.seed % 5) / 4
        out.beams.append(
            [
                actor.position[0] + c * ahead,
                actor.position[1] + s * ahead,
                0.0,
                reach,
                wide,
                c,
                s,
                strength,
                strength * (0.85 + 0.15 * warm),
                strength * (0.60 + 0.4 * warm),
                1.0,
            ]
        )
    way = np.array(
        [camera.position[0] - actor.position[0], camera.position[1] - actor.position[1], camera.position[2]]
    )
    facing = float((way[0] * c + way[1] * s) / max(np.linalg.norm(way), 1e-9))
    lamps: list[tuple[Material, tuple[float, float, float], float, float]] = []
    gain = 0.25 + 0.75 * light.dark
    if lamps_on and facing > 0.05:
        lamps.append(
            (M.HEADLAMP, (1.0, 0.95, 0.82), (0.55 if small else 0.75) * (0.4 + 0.6 * facing), gain * facing)
        )
    if facing < -0.05 and (actor.braking or (lamps_on and light.dark > 0.2)):
        strong = 1.0 if actor.braking else 0.45
        lamps.append((M.BRAKE, (1.0, 0.12, 0.06), 0.32 * (0.6 + strong), strong * gain * 0.8))
    if actor.indicator and blinking(time_s, actor.seed):
        lamps.append((M.LEFT if actor.indicator == "left" else M.RIGHT, (1.0, 0.55, 0.10), 0.28, gain * 0.8))
    for material, color, radius, strength in lamps:
        for x, y, z in anchors(piece.mesh, material):
            if (x > 0) != (facing > 0):
                continue
            nudge = 0.14 if x > 0 else -0.12
            place = placed(actor, [[x * piece.scale[0] + nudge, y * piece.scale[1], z * piece.scale[2]]])[0]
            out.sprites.append([*place, radius, 0.16, 0.0, 0.0, *(v * strength for v in color), 0.55])


def palette_rows(palettes: list[Palette]) -> npt.NDArray[np.uint8]:
    """(n, MATERIALS, 4)."""
    return np.stack(palettes) if palettes else np.zeros((0, MATERIALS, 4), np.uint8)

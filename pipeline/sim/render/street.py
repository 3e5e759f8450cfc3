"""What stands along the streets: tube houses, trees, poles with wires, street lamps and signal masts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.sim.camera import project
from pipeline.sim.render.ground import GroundMap
from pipeline.sim.render.mesh import Builder
from pipeline.sim.render.signals import lenses
from pipeline.sim.render.textures import FLOORS, SHOPS
from pipeline.sim.render.view import head_size
from pipeline.sim.types import CameraPose, Layout, SignalHead, Surface

Floats = npt.NDArray[np.float64]
Color = tuple[float, float, float]
_STOREY_M = 3.4
_SPOTS = 4000
"""Most places tried for trees and posts."""
_FACADES: tuple[Color, ...] = (
    (0.95, 0.87, 0.62),
    (0.90, 0.88, 0.80),
    (0.70, 0.82, 0.86),
    (0.93, 0.74, 0.60),
    (0.76, 0.86, 0.70),
    (0.97, 0.95, 0.90),
    (0.86, 0.66, 0.55),
    (0.66, 0.74, 0.88),
    (0.94, 0.80, 0.82),
    (0.80, 0.78, 0.74),
)
_CONCRETE, _STEEL, _DARK = (0.62, 0.61, 0.58), (0.55, 0.57, 0.59), (0.10, 0.10, 0.11)


@dataclass
class Street:
    """Vertices (N, 13): position, normal, colour and glow, texture place and layer; and the lamps."""

    parts: list[npt.NDArray[np.float32]] = field(default_factory=list)
    lamps: list[tuple[float, float, float]] = field(default_factory=list)

    def add(self, builder: Builder, color: Color, *, glow: float = 0.0, layer: float = -1.0) -> None:
        """Takes a builder's triangles in one colour."""
        v = builder.loose()
        rest = np.broadcast_to(np.array([*color, glow, 0, 0, layer], np.float32), (len(v), 7))
        self.parts.append(np.hstack([v, rest]))

    def panel(
        self, corners: Floats, color: Color, layer: float, *, spot: tuple[float, float] = (1, 1)
    ) -> None:
        """A quad, counter-clockwise from its lower left; the texture is laid `spot` times over it."""
        n = np.cross(corners[1] - corners[0], corners[3] - corners[0])
        n = n / max(np.linalg.norm(n), 1e-9)
        u, v = spot
        places = np.array([[0, v], [u, v], [u, 0], [0, 0]])
        rows = [[*corners[k], *n, *color, 0.0, *places[k], layer] for k in (0, 1, 2, 0, 2, 3)]
        self.parts.append(np.array(rows, np.float32))

    def vertices(self) -> npt.NDArray[np.float32]:
        """All of it."""
        return np.concatenate(self.parts) if self.parts else np.zeros((0, 13), np.float32)


def street(layout: Layout, ground: GroundMap, camera: CameraPose) -> Street:
    """Everything that stands still in the map's part of the layout."""
    out = Street()
    rng = np.random.default_rng([layout.seed, 43])
    _houses(out, layout, ground, camera, rng)
    _roadside(out, layout, ground, camera, rng)
    for head in layout.heads:
        if ground.cell(*head.position[:2]) is not None:
            signal(out, head, layout)
    return out


def _hides(camera: CameraPose, layout: Layout, place: Floats, radius: float, top: float) -> bool:
    """Whether a thing at `place` stands between the camera and what it is there to see."""
    eye = np.asarray(camera.position, float)
    if np.hypot(*(place - eye[:2])) < radius + 5.0:
        return True
    for aim in (camera.look_at, *(h.position for h in layout.heads)):
        way = np.asarray(aim, float) - eye
        flat = float(way[:2] @ way[:2])
        t = float(np.clip((place - eye[:2]) @ way[:2] / max(flat, 1e-9), 0, 1))
        if (
            t < 0.97
            and np.hypot(*(eye[:2] + t * way[:2] - place)) < radius + 0.7
            and eye[2] + t * way[2] < top + 0.5
        ):
            return True
    return False


def _houses(
    out: Street, layout: Layout, ground: GroundMap, camera: CameraPose, rng: np.random.Generator
) -> None:
    taken: list[tuple[Floats, float]] = []
    for area in layout.areas:
        if area.surface is not Surface.PLOT:
            continue
        corners = np.asarray(area.corners, float)
        turn = np.sum(corners[:, 0] * np.roll(corners[:, 1], -1) - np.roll(corners[:, 0], -1) * corners[:, 1])
        if turn < 0:
            corners = corners[::-1]
        for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
            long = float(np.linalg.norm(b - a))
            if long < 4:
                continue
            along = (b - a) / long
            outward = np.array([along[1], -along[0]])
            walked = 0.3
            while walked + 4 < long:
                wide = min(float(rng.uniform(4.0, 6.2)), long - walked)
                storeys, look = int(rng.choice([2, 3, 3, 4, 4, 5])), rng.integers(1 << 30)
                middle = a + along * (walked + wide / 2)
                walked += wide
                if ground.at(*(middle + outward * 1.5)) not in (Surface.PAVEMENT, Surface.ROAD):
                    continue
                deep = 12.0
                while deep > 5 and ground.at(*(middle - outward * deep)) is not Surface.PLOT:
                    deep -= 1.5
                centre = middle - outward * deep / 2
                if any(np.linalg.norm(centre - c) < (wide + w) * 0.42 for c, w in taken):
                    continue
                if _hides(camera, layout, centre, max(wide, deep) / 2 + 5.0, storeys * _STOREY_M):
                    continue
                taken.append((centre, wide))
                _house(out, middle, along, outward, wide - 0.06, deep, storeys, np.random.default_rng(look))


def _house(
    out: Street,
    middle: Floats,
    along: Floats,
    outward: Floats,
    wide: float,
    deep: float,
    storeys: int,
    rng: np.random.Generator,
) -> None:
    color = _FACADES[rng.integers(len(_FACADES))]
    shade = float(rng.uniform(0.85, 1.0))
    color = (color[0] * shade, color[1] * shade, color[2] * shade)
    top = storeys * _STOREY_M + float(rng.uniform(0.0, 0.6))

    def at(x: float, y: float, z: float) -> Floats:
        """x along the front, y out of it."""
        flat = middle + along * x + outward * y
        return np.array([flat[0], flat[1], z])

    h = wide / 2
    layer = float(rng.integers(SHOPS))
    floor = float(SHOPS + rng.integers(FLOORS))
    out.panel(
        np.array([at(-h, 0, 0), at(h, 0, 0), at(h, 0, _STOREY_M), at(-h, 0, _STOREY_M)]), (1, 1, 1), layer
    )
    for k in range(1, storeys):
        z0, z1 = k * _STOREY_M, (k + 1) * _STOREY_M if k < storeys - 1 else top
        which = floor if rng.random() < 0.8 else float(SHOPS + rng.integers(FLOORS))
        out.panel(np.array([at(-h, 0, z0), at(h, 0, z0), at(h, 0, z1), at(-h, 0, z1)]), color, which)
    blank = (color[0] * 0.85, color[1] * 0.85, color[2] * 0.85) if rng.random() < 0.5 else _CONCRETE
    for side in (1, -1):
        ends = (at(side * h, 0, 0), at(side * h, -deep, 0)) if side > 0 else (at(-h, -deep, 0), at(-h, 0, 0))
        lift = np.array([0, 0, top])
        out.panel(np.array([ends[0], ends[1], ends[1] + lift, ends[0] + lift]), blank, -1.0)
    out.panel(
        np.array([at(h, -deep, 0), at(-h, -deep, 0), at(-h, -deep, top), at(h, -deep, top)]), blank, -1.0
    )
    out.panel(
        np.array([at(-h, 0, top), at(h, 0, top), at(h, -deep, top), at(-h, -deep, top)]), _CONCRETE, -1.0
    )

    def block(
        x: float, y: float, z: float, size: tuple[float, float, float], paint: Color, glow: float = 0.0
    ) -> None:
        b = Builder()
        heading = math.atan2(along[1], along[0])
        c, s = math.cos(heading), math.sin(heading)
        b.box(at(x, y, z), size, 0, turned=np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]))
        out.add(b, paint, glow=glow)

    block(0, 0.45, _STOREY_M * 0.72, (wide * 0.94, 0.9, 0.05), _FACADES[rng.integers(len(_FACADES))])
    for k in range(1, storeys):
        if rng.random() < 0.75:
            block(
                0,
                0.40,
                k * _STOREY_M + 0.08,
                (wide * 0.96, 0.8, 0.16),
                (color[0] * 0.9, color[1] * 0.9, color[2] * 0.9),
            )
            if rng.random() < 0.6:
                block(0, 0.78, k * _STOREY_M + 0.9, (wide * 0.94, 0.04, 0.05), _DARK)
                block(0, 0.78, k * _STOREY_M + 0.5, (wide * 0.94, 0.03, 0.03), _DARK)
        if rng.random() < 0.35:
            block(
                float(rng.uniform(-0.3, 0.3)) * wide,
                0.95,
                k * _STOREY_M + 0.45,
                (0.7, 0.25, 0.35),
                (0.25, 0.45, 0.2),
            )
    if rng.random() < 0.45:
        b = Builder()
        tank = at(float(rng.uniform(-0.2, 0.2)) * wide, -deep * 0.4, top + 1.0)
        half = np.array([*(along * 0.8), 0.0])
        b.limb(tank - half, tank + half, 0.55, 0.55, 0, n=10)
        out.add(b, (0.78, 0.80, 0.82))
    if rng.random() < 0.5:
        block(0, -2.2, top + 1.2, (wide * 0.6, 3.0, 2.4), color)
    if rng.random() < 0.35:
        signs: tuple[Color, ...] = ((0.8, 0.15, 0.12), (0.1, 0.3, 0.7), (0.95, 0.8, 0.1), (0.1, 0.5, 0.25))
        block(h * 0.85, 0.65, _STOREY_M * 1.6, (0.12, 1.0, 2.2), signs[rng.integers(4)], glow=0.05)


def _roadside(
    out: Street, layout: Layout, ground: GroundMap, camera: CameraPose, rng: np.random.Generator
) -> None:
    """Trees, lamps and poles on the pavement, a metre or so from the kerb."""
    band = (ground.kinds == 1) & (ground.distance > 0.7) & (ground.distance < 1.3)
    spots = rng.permutation(np.argwhere(band))[:_SPOTS]
    slope = np.array(np.gradient(ground.distance))
    kept: dict[str, list[Floats]] = {"lamp": [], "pole": [], "tree": []}
    heads = np.array([h.position[:2] for h in layout.heads]).reshape(-1, 2)
    poles: list[Floats] = []
    spacing = {"lamp": 24.0, "pole": 32.0, "tree": 9.5}
    for what in ("lamp", "pole", "tree"):
        for row, column in spots:
            place = np.array([column, row]) / 4 + ground.corner
            if _near(place, heads, 6.0) or any(
                _near(place, others, spacing[what] if w == what else 3.0) for w, others in kept.items()
            ):
                continue
            to_road = -slope[::-1, row, column].astype(float)
            to_road = to_road / max(np.hypot(*to_road), 1e-9)
            radius, top = {"lamp": (0.3, 8.5), "pole": (0.4, 8.5), "tree": (2.4, 7.5)}[what]
            if _hides(camera, layout, place, radius, top) or _before(camera, place):
                continue
            if what == "tree" and (rng.random() < 0.25 or _over_road(camera, ground, place)):
                kept[what].append(place)
                continue
            kept[what].append(place)
            if what == "lamp":
                _lamp(out, place, to_road)
            elif what == "pole":
                _pole(out, place)
                poles.append(place)
            else:
                _tree(out, place, rng)
    for k, a in enumerate(poles):
        near = sorted(poles[:k] + poles[k + 1 :], key=lambda b: float(np.hypot(*(a - b))))[:2]
        for b in near:
            middle = (a + b) / 2
            over_road = ground.at(*middle) is Surface.ROAD
            if (
                15 < np.hypot(*(a - b)) < 60
                and not over_road
                and not _hides(camera, layout, middle, 6.0, 0.0)
            ):
                _wires(out, a, b, rng)


def _near(place: Floats, others: Floats | list[Floats], reach: float) -> bool:
    if not len(others):
        return False
    return bool((np.hypot(*(np.asarray(others) - place).T) < reach).any())


def _before(camera: CameraPose, place: Floats) -> bool:
    """Whether a post there would stand in the middle of the view, near the camera."""
    pixels, depth = project(camera, [[*place, 3.0]])
    return bool(0 < depth[0] < 45 and 0.16 < pixels[0, 0] / camera.width_px < 0.84)


def _over_road(camera: CameraPose, ground: GroundMap, place: Floats) -> bool:
    """Whether a crown there would hide road within 70 m of the camera."""
    eye = np.asarray(camera.position, float)
    for z in (3.2, 4.6):
        point = np.array([*place, z])
        if eye[2] <= z:
            return False
        hit = eye + (point - eye) * (eye[2] / (eye[2] - z))
        if np.hypot(*(hit[:2] - eye[:2])) < 70 and ground.at(hit[0], hit[1]) is Surface.ROAD:
            pixels, depth = project(camera, point[None])
            if depth[0] > 0 and 0 < pixels[0, 0] < camera.width_px:
                return True
    return False


def _lamp(out: Street, place: Floats, to_road: Floats) -> None:
    b = Builder()
    foot, arm = [*place, 0.0], place + to_road * 2.2
    b.limb(foot, [*place, 7.6], 0.11, 0.07, 0)
    b.limb([*place, 7.5], [*arm, 8.3], 0.05, 0.04, 0, n=5)
    out.add(b, _STEEL)
    b = Builder()
    b.box([*(arm + to_road * 0.2), 8.3], (0.5, 0.5, 0.12), 0)
    out.add(b, (0.9, 0.88, 0.8), layer=-3.0)
    out.lamps.append((float(arm[0] + to_road[0] * 0.2), float(arm[1] + to_road[1] * 0.2), 8.2))


def _pole(out: Street, place: Floats) -> None:
    b = Builder()
    b.limb([*place, 0.0], [*place, 8.6], 0.17, 0.11, 0)
    b.box([*place, 8.0], (1.4, 0.12, 0.12), 0)
    b.box([*place, 7.4], (0.12, 1.2, 0.12), 0)
    out.add(b, _CONCRETE)
    b = Builder()
    b.box([place[0] + 0.2, place[1], 4.2], (0.35, 0.3, 0.6), 0)
    out.add(b, (0.45, 0.47, 0.48))


def _wires(out: Street, a: Floats, b: Floats, rng: np.random.Generator) -> None:
    for _ in range(5):
        height, sag = float(rng.uniform(6.4, 8.1)), float(rng.uniform(0.3, 1.1))
        off = rng.uniform(-0.5, 0.5, 2)
        points = []
        for t in np.linspace(0, 1, 9):
            flat = a + (b - a) * t + off
            points.append([flat[0], flat[1], height - sag * 4 * t * (1 - t)])
        builder = Builder(0.5)
        for p, q in pairwise(points):
            builder.limb(p, q, 0.014, 0.014, 0, n=4)
        out.add(builder, _DARK)


def _tree(out: Street, place: Floats, rng: np.random.Generator) -> None:
    tall = float(rng.uniform(3.0, 4.0))
    b = Builder()
    lean = rng.normal(0, 0.15, 2)
    b.limb([*place, 0.0], [*(place + lean), tall], 0.16, 0.10, 0)
    for _ in range(3):
        b.limb(
            [*(place + lean), tall - 0.3],
            [*(place + lean + rng.normal(0, 0.7, 2)), tall + 1.2],
            0.07,
            0.04,
            0,
            n=5,
        )
    out.add(b, (0.40, 0.33, 0.26))
    b = Builder()
    b.box([*place, 0.06], (1.1, 1.1, 0.12), 0)
    out.add(b, (0.45, 0.36, 0.28))
    green: Color = (
        float(rng.uniform(0.22, 0.40)),
        float(rng.uniform(0.40, 0.52)),
        float(rng.uniform(0.14, 0.22)),
    )
    for _ in range(9):
        b = Builder()
        offset = rng.normal(0, 1, 3) * [0.95, 0.95, 0.65]
        size = rng.uniform(0.9, 1.5)
        b.ball(
            [place[0] + lean[0] + offset[0], place[1] + lean[1] + offset[1], tall + 1.3 + offset[2]],
            (size, size, size * 0.75),
            0,
            n=12,
        )
        shade = float(rng.uniform(0.8, 1.15))
        out.add(b, (green[0] * shade, green[1] * shade, green[2] * shade), layer=-2.0)


def signal(out: Street, head: SignalHead, layout: Layout) -> None:
    """Housing, visors, dark lenses, and the mast with its arm."""
    x, y, z = head.position
    front = np.array([math.cos(head.facing), math.sin(head.facing), 0.0])
    across = np.array([-front[1], front[0], 0.0])
    turned = np.column_stack([front, across, [0, 0, 1.0]])
    wide, high = head_size(head)
    b = Builder()
    b.box((x, y, z), (0.22, wide, high), 0, turned=turned)
    out.add(b, (0.10, 0.11, 0.11))
    for centre in lenses(head):
        b = Builder()
        angles = np.linspace(0, np.pi, 9)
        rings = [
            [
                centre + front * d + across * 0.125 * math.cos(t) + np.array([0, 0, 0.125 * math.sin(t)])
                for t in angles
            ]
            for d in (0.0, 0.20)
        ]
        b.grid(np.array(rings), 0, crease=0.3)
        out.add(b, (0.06, 0.06, 0.07))
    if head.pole is not None:
        px, py = head.pole
        b = Builder()
        reach = math.hypot(px - x, py - y)
        b.limb((px, py, 0), (px, py, max(z + 0.6, 3.0)), 0.11, 0.08, 0)
        if reach > 0.4:
            b.limb((px, py, z + 0.3), (x - front[0] * 0.16, y - front[1] * 0.16, z + 0.3), 0.07, 0.05, 0, n=6)
        b.box((px, py, 0.1), (0.45, 0.45, 0.2), 0)
        out.add(b, _STEEL)

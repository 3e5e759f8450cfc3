"""Triangles of low-polygon models, built once from a few primitives.

Models look along +x, with +y to their left and the ground at z = 0; lengths are metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Vector = Sequence[float] | Floats


class Material(IntEnum):
    """Column of an actor's palette that a triangle takes its colour from."""

    PAINT = 0
    TRIM = 1
    GLASS = 2
    RUBBER = 3
    METAL = 4
    HEADLAMP = 5
    BRAKE = 6
    LEFT = 7
    RIGHT = 8
    SKIN = 9
    SHIRT = 10
    TROUSERS = 11
    HAT = 12
    """Helmet or hair."""
    VISOR = 13
    DARK = 14
    CARGO = 15
    SIGN = 16
    SHOES = 17
    MASK = 18


MATERIALS = len(Material)
HEAD = 1
"""Part of a model that is somebody's head; 0: everything else."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Vertices (N, 8) float32: position, normal, material, part; and triangles (T, 3) int32 into them."""

    vertices: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.int32]
    size: tuple[float, float, float]
    """Length, width, height that it was modelled at."""


def turn(axis: int, angle: float) -> Floats:
    """(3, 3) rotation about x, y or z (0, 1, 2) by radians."""
    c, s = np.cos(angle), np.sin(angle)
    out = np.eye(3)
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    out[i, i], out[i, j], out[j, i], out[j, j] = c, -s, s, c
    return out


class Builder:
    """Collects triangles; `detail` 0..1 scales how many a round thing gets."""

    def __init__(self, detail: float = 1.0) -> None:
        self.detail = detail
        self._corners: list[Floats] = []
        self._normals: list[Floats] = []
        self._tags: list[npt.NDArray[np.float32]] = []

    def _round(self, n: int, least: int = 4) -> int:
        return max(least, round(n * self.detail))

    def add(
        self,
        corners: Floats,
        material: npt.ArrayLike,
        *,
        part: int = 0,
        crease: float = 0.7,
        normals: Floats | None = None,
    ) -> None:
        """Triangles (T, 3, 3); without normals, faces meet smoothly where the cosine between them is over
        `crease`, which is never where that is over 1."""
        area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        size = np.linalg.norm(area, axis=1)
        keep = size > 1e-9
        corners, area, size = corners[keep], area[keep], size[keep]
        if crease > 1.0:
            normals = np.repeat((area / size[:, None])[:, None], 3, axis=1)
        elif normals is None:
            normals = _smooth(corners, area / size[:, None], crease)
        else:
            normals = normals[keep]
        tags = np.empty((len(corners), 2), np.float32)
        tags[:, 0] = np.broadcast_to(np.asarray(material, np.float32), keep.shape)[keep]
        tags[:, 1] = part
        self._corners.append(corners)
        self._normals.append(normals)
        self._tags.append(tags)

    def grid(
        self,
        points: Floats,
        material: npt.ArrayLike,
        *,
        closed: bool = False,
        part: int = 0,
        crease: float = 0.7,
        caps: tuple[int, int] | None = None,
    ) -> None:
        """A surface through (S, K, 3) points: rings of K along S, counter-clockwise seen from where S grows
        to. `material` may be (S - 1, K - 1 or K). `caps` are the materials of the closed ends."""
        rows, columns = points.shape[:2]
        last = columns if closed else columns - 1
        i = np.arange(rows - 1)[:, None]
        j = np.arange(last)[None, :]
        k = (j + 1) % columns
        a, b, c, d = points[i, j], points[i, k], points[i + 1, k], points[i + 1, j]
        kinds = np.broadcast_to(np.asarray(material, np.float32), (rows - 1, last)).reshape(-1)
        quads = np.stack([np.stack([a, b, c], 2), np.stack([a, c, d], 2)], 2).reshape(-1, 3, 3)
        corners, materials = [quads], [np.repeat(kinds, 2)]
        if caps is not None:
            for ring, kind, back in ((points[0], caps[0], True), (points[-1], caps[1], False)):
                middle = np.broadcast_to(ring.mean(0), ring.shape)
                fan = np.stack([middle, ring, np.roll(ring, -1, 0)], 1)
                corners.append(fan[:, ::-1] if back else fan)
                materials.append(np.full(len(fan), kind, np.float32))
        self.add(np.concatenate(corners), np.concatenate(materials), part=part, crease=crease)

    def box(
        self,
        centre: Vector,
        size: Vector,
        material: int,
        *,
        turned: Floats | None = None,
        part: int = 0,
        top: float = 1.0,
    ) -> None:
        """A box; `top` scales its upper face."""
        x, y, z = np.asarray(size, float) / 2
        ring = np.array([[x, -y], [x, y], [-x, y], [-x, -y]])
        low = np.column_stack([ring, np.full(4, -z)])
        high = np.column_stack([ring * top, np.full(4, z)])
        points = np.stack([low, high])
        if turned is not None:
            points = points @ turned.T
        self.grid(
            points + np.asarray(centre),
            material,
            closed=True,
            part=part,
            crease=2.0,
            caps=(material, material),
        )

    def ball(
        self,
        centre: Vector,
        radii: Vector,
        material: int,
        *,
        n: int = 10,
        part: int = 0,
        turned: Floats | None = None,
        low: float = -0.5,
        high: float = 0.5,
    ) -> None:
        """An ellipsoid between latitudes `low` and `high` (in units of pi)."""
        around, up = self._round(n), self._round(int(n * 0.7), 3)
        t = np.linspace(low, high, up + 1)[:, None] * np.pi
        a = np.arange(around)[None, :] * 2 * np.pi / around
        unit = np.stack([np.cos(t) * np.cos(a), np.cos(t) * np.sin(a), np.sin(t) + 0 * a], 2)
        points = unit * np.asarray(radii, float)
        if turned is not None:
            points = points @ turned.T
        self.grid(points + np.asarray(centre), material, closed=True, part=part, crease=0.1)

    def limb(
        self,
        a: Vector,
        b: Vector,
        ra: float,
        rb: float,
        material: int,
        *,
        n: int = 7,
        part: int = 0,
        flat: float = 1.0,
    ) -> None:
        """A round bar with domed ends; `flat` < 1 squeezes it across (y)."""
        start, end = np.asarray(a, float), np.asarray(b, float)
        along = (end - start) / max(np.linalg.norm(end - start), 1e-9)
        side = np.cross(along, [0.0, 1.0, 0.0] if abs(along[1]) < 0.9 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        other = np.cross(along, side)
        around = self._round(n)
        angle = np.arange(around) * 2 * np.pi / around
        ring = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other
        ring[:, 1] *= flat
        rings = [
            start - along * ra * 0.6 + ring * ra * 0.5,
            start + ring * ra,
            end + ring * rb,
            end + along * rb * 0.6 + ring * rb * 0.5,
        ]
        self.grid(np.stack(rings), material, closed=True, part=part, crease=0.2, caps=(material, material))

    def disc(self, centre: Vector, radius: float, normal_y: float, material: int, *, n: int = 14) -> None:
        """A flat disc that looks to +y or -y."""
        around = self._round(n, 6)
        angle = np.arange(around) * 2 * np.pi / around * (-1 if normal_y > 0 else 1)
        ring = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1) * radius + np.asarray(centre)
        middle = np.broadcast_to(np.asarray(centre, float), ring.shape)
        self.add(np.stack([middle, ring, np.roll(ring, -1, 0)], 1), material)

    def ring(
        self, centre: Vector, radius: float, thick: float, width: float, material: int, *, n: int = 16
    ) -> None:
        """A tyre about the y axis: outer radius, thickness inwards, width across."""
        around = self._round(n, 8)
        angle = np.arange(around + 1) * 2 * np.pi / around
        profile = np.array(
            [
                [0, -width / 2],
                [-thick * 0.3, width / 2],
                [-thick, width / 2],
                [-thick, -width / 2],
                [0, -width / 2],
            ]
        )
        profile[0] = [-thick * 0.3, -width / 2]
        profile = np.vstack([profile[0], [0, -width * 0.2], [0, width * 0.2], profile[1:4], profile[0]])
        r = radius + profile[:, 0]
        points = np.stack(
            [
                np.cos(angle)[:, None] * r,
                np.broadcast_to(profile[:, 1], (len(angle), len(r))),
                np.sin(angle)[:, None] * r,
            ],
            2,
        )
        self.grid(points + np.asarray(centre), material, crease=0.5)

    def wheel(self, centre: Vector, radius: float, width: float) -> None:
        """A car's wheel: a solid tyre with a bright hub on its outer side."""
        x, y, z = centre
        side = 1.0 if y > 0 else -1.0
        around = self._round(16, 8)
        angle = -np.arange(around) * 2 * np.pi / around
        ring = np.stack([np.cos(angle) * radius, 0 * angle, np.sin(angle) * radius], 1)
        ends = [np.add(ring, (x, y + k * width / 2, z)) for k in (-1, 1)]
        self.grid(np.stack(ends), Material.RUBBER, closed=True, caps=(Material.RUBBER, Material.RUBBER))
        face = y + side * (width / 2 + 0.006)
        self.disc((x, face, z), radius * 0.64, side, Material.METAL)
        for k in range(5):
            a = k * 2 * np.pi / 5
            self.disc(
                (x + radius * 0.4 * np.cos(a), face + side * 0.004, z + radius * 0.4 * np.sin(a)),
                radius * 0.13,
                side,
                Material.DARK,
                n=6,
            )

    def quad(self, corners: npt.ArrayLike, material: int) -> None:
        """Four corners, counter-clockwise from outside."""
        a, b, c, d = np.asarray(corners, float)
        self.add(np.array([[a, b, c], [a, c, d]]), material)

    def loose(self) -> npt.NDArray[np.float32]:
        """Vertices (3 T, 6) of the triangles so far, one after the other: position and normal."""
        corners, normals = np.concatenate(self._corners), np.concatenate(self._normals)
        return np.concatenate([corners, normals], axis=2).reshape(-1, 6).astype(np.float32)

    def build(self, size: tuple[float, float, float]) -> Mesh:
        """The model so far, with vertices that faces share stored once."""
        corners = np.concatenate(self._corners).reshape(-1, 3)
        normals = np.concatenate(self._normals).reshape(-1, 3)
        tags = np.repeat(np.concatenate(self._tags), 3, axis=0)
        rows = np.hstack([np.round(corners, 4), np.round(normals, 3), tags]).astype(np.float32)
        vertices, index = np.unique(rows, axis=0, return_inverse=True)
        return Mesh(np.ascontiguousarray(vertices), index.reshape(-1, 3).astype(np.int32), size)


def _smooth(corners: Floats, faces: Floats, crease: float) -> Floats:
    """Normals (T, 3, 3): the mean of the faces that meet at a corner within the crease."""
    keys = np.round(corners.reshape(-1, 3), 4)
    _, index = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(index.reshape(-1), kind="stable")
    owner = np.repeat(np.arange(len(faces)), 3)
    out = np.empty((len(faces) * 3, 3))
    for group in np.split(order, np.flatnonzero(np.diff(index.reshape(-1)[order])) + 1):
        around = faces[owner[group]]
        total = (around @ around.T > crease).astype(float) @ around
        out[group] = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)
    return out.reshape(-1, 3, 3)

"""Framebuffers and instance buffers that frames are drawn with, shared by all cameras of one size."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np

from pipeline.sim.render import plates
from pipeline.sim.render.cast import CELL_PX, CELLS
from pipeline.sim.render.device import Device
from pipeline.sim.render.mesh import MATERIALS, Mesh
from pipeline.sim.render.signals import lens_pictures
from pipeline.sim.types import Plate

_INSTANCE = "3f 3f 4f 4f"
_NAMES = ("origin", "size", "pose", "extra")
PALETTES = 4096
"""Most models in one picture."""


class Batch:
    """Instances of one model, and how each program reads them."""

    def __init__(self, d: Device, mesh: Mesh) -> None:
        self.size = 16
        self._device, self._mesh = d, mesh
        self._make()

    def _make(self) -> None:
        d = self._device
        vertices, triangles = d.buffers(self._mesh)
        self.buffer = d.gl.buffer(reserve=self.size * 18 * 4, dynamic=True)

        def array(
            program: str, model: str, model_names: tuple[str, ...], row: str, names: tuple[str, ...]
        ) -> Any:
            return d.gl.vertex_array(
                d.programs[program].raw,
                [(vertices, model, *model_names), (self.buffer, row + "/i", *names)],
                triangles,
            )

        self.actor = array("actor", "3f 3f 2f", ("position", "normal", "tag"), _INSTANCE + " 16x", _NAMES)
        where = ("origin", "size", "pose")
        self.shadow = array("shadow", "3f 20x", ("position",), "3f 3f 4f 32x", where)
        self.own = array("own", "3f 20x", ("position",), "3f 3f 4f 16x 4f", (*where, "cell"))

    def write(self, rows: list[list[float]]) -> None:
        """Replaces the instances."""
        if len(rows) > self.size:
            self.size = 2 * len(rows)
            self._make()
        self.buffer.write(np.asarray(rows, np.float32).tobytes())


class Targets:
    """Framebuffers for pictures of one size, and textures that change with the frame."""

    def __init__(self, d: Device, size: tuple[int, int]) -> None:
        gl = d.gl
        wide, high = size
        self._device = d
        actors = gl.texture((2 * wide, 2 * high), 4)
        owners = gl.texture((2 * wide, 2 * high), 1, dtype="u2")
        owners.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.actors = gl.framebuffer([actors, owners], gl.depth_texture((2 * wide, 2 * high)))
        self._zeros = (gl.texture((2 * wide, 2 * high), 4), gl.texture((2 * wide, 2 * high), 1, dtype="u2"))
        gl.framebuffer(self._zeros).clear()
        half = (wide // 2, high // 2)
        self.mask = gl.framebuffer([gl.texture(half, 4)])
        self.beams = gl.framebuffer([gl.texture(half, 4)])
        mirrored = gl.texture(half, 4)
        self.mirror = gl.framebuffer([mirrored], gl.depth_renderbuffer(half))
        for texture in (actors, mirrored, *self.mask.color_attachments, *self.beams.color_attachments):
            texture.repeat_x = texture.repeat_y = False
        self.cells = gl.framebuffer([gl.texture((CELLS * CELL_PX,) * 2, 1)])
        self.palette = gl.texture((MATERIALS, PALETTES), 4)
        self.palette.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.lenses = {name: d.texture(p) for name, p in lens_pictures().items()}
        corners = np.array([[-1, -1, 0, 1], [1, -1, 1, 1], [-1, 1, 0, 0], [1, 1, 1, 0]], np.float32)
        sheet = gl.buffer(corners.tobytes())
        self.sheet = gl.vertex_array(d.programs["plate"].raw, [(sheet, "2f 2f", "corner", "spot")])
        self._plates: dict[tuple[Any, bool], Any] = {}

    def blank(self, d: Device, depth: Any) -> Any:
        """A framebuffer to copy over `actors` in place of clearing it: with the backdrop's depth, what it
        hides is not drawn at all."""
        return d.gl.framebuffer(list(self._zeros), depth)

    def batch(self, mesh: Mesh, rows: list[list[float]]) -> Batch:
        """The model's instances, replaced by these."""
        batches = self._device.batches
        if id(mesh) not in batches:
            batches[id(mesh)] = Batch(self._device, mesh)
        found: Batch = batches[id(mesh)]
        found.write(rows)
        return found

    def plate(self, d: Device, plate: Plate, motorbike: bool) -> Any:
        """The texture of a plate."""
        key = (plate, motorbike)
        if key not in self._plates:
            if len(self._plates) > 256:
                self._plates.clear()
            self._plates[key] = d.texture(plates.picture(plate, motorbike))
        return self._plates[key]


def patches(d: Device, program: str, rows: list[list[float]]) -> None:
    """Draws squares: on the ground, or turned to the camera, as the program does."""
    if not rows:
        return
    stock = d.gl.buffer(np.asarray(rows, np.float32).tobytes())
    d.gl.vertex_array(
        d.programs[program].raw,
        [(d.square, "2f", "corner"), (stock, "3f 4f 4f/i", "centre", "shape", "tint")],
    ).render(moderngl.TRIANGLE_STRIP, instances=len(rows))

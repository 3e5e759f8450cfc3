"""The OpenGL context, headless through EGL, and what all renderers of a thread share in it."""

from __future__ import annotations

import threading
from importlib import resources
from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt

from pipeline.sim.errors import SimError
from pipeline.sim.render.mesh import Mesh

Pixels = npt.NDArray[np.uint8]
_local = threading.local()
_FILES = resources.files("pipeline.sim.render") / "shaders"
# Shader name to the files that it is made of.
_PROGRAMS = {
    "actor": (("actor_common.glsl", "actor.vert"), ("light.glsl", "actor.frag")),
    "own": (("actor_common.glsl", "own.vert"), ("own.frag",)),
    "shadow": (("actor_common.glsl", "shadow.vert"), ("shadow.frag",)),
    "patch": (("patch.vert",), ("patch.frag",)),
    "sprite": (("sprite.vert",), ("sprite.frag",)),
    "plate": (("plate.vert",), ("plate.frag",)),
    "street": (("street.vert",), ("light.glsl", "backdrop_common.glsl", "street.frag")),
    "ground": (("street.vert",), ("light.glsl", "backdrop_common.glsl", "ground.frag")),
    "sky": (("sky.vert",), ("light.glsl", "backdrop_common.glsl", "sky.frag")),
    "depth": (("depth.vert",), ("depth.frag",)),
}


class Program:
    """A shader whose unused uniforms may be set without harm: compilers drop what adds nothing."""

    def __init__(self, program: Any) -> None:
        self.raw = program

    def set(self, **values: Any) -> None:
        """Sets uniforms by name; arrays are taken as column-major float32."""
        for name, value in values.items():
            member = self.raw.get(name, None)
            if member is None:
                continue
            if isinstance(value, np.ndarray):
                member.write(np.ascontiguousarray(value, np.float32).tobytes())
            else:
                member.value = value


class Device:
    """One thread's context, its shaders and the models' vertices."""

    def __init__(self) -> None:
        try:
            # Without version numbers these names exist only where development packages are installed.
            names: dict[str, Any] = {"backend": "egl", "libgl": "libGL.so.1", "libegl": "libEGL.so.1"}
            self.gl: Any = moderngl.create_context(require=330, standalone=True, **names)
        except Exception as error:
            raise SimError(
                f"no OpenGL 3.3 context through EGL ({error}): install libegl1, libgl1 and libgl1-mesa-dri "
                "(scripts/setup does), or a GPU's driver with EGL"
            ) from error
        self.gl.gc_mode = "auto"
        self.programs = {name: Program(self._compile(*files)) for name, files in _PROGRAMS.items()}
        corners = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
        self.square = self.gl.buffer(corners.tobytes())
        self._meshes: dict[int, tuple[Any, Any]] = {}
        self.batches: dict[int, Any] = {}
        """Instances of each model, by its identity."""
        self.targets: dict[tuple[int, int], Any] = {}
        """What frames of a size are drawn into."""
        self.shared: dict[str, Any] = {}
        """Textures that every backdrop uses."""

    def _compile(self, vertex: tuple[str, ...], fragment: tuple[str, ...]) -> Any:
        def source(names: tuple[str, ...]) -> str:
            return "#version 330\n" + "".join((_FILES / n).read_text(encoding="utf-8") for n in names)

        return self.gl.program(vertex_shader=source(vertex), fragment_shader=source(fragment))

    def buffers(self, mesh: Mesh) -> tuple[Any, Any]:
        """Vertices and triangles of a model on the device; kept for as long as the device."""
        key = id(mesh)
        if key not in self._meshes:
            self._meshes[key] = (
                self.gl.buffer(mesh.vertices.tobytes()),
                self.gl.buffer(mesh.triangles.tobytes()),
            )
        return self._meshes[key]

    def texture(
        self, pixels: Pixels, *, mipmaps: bool = True, repeat: bool = False, sharp: float = 8.0
    ) -> Any:
        """A texture from (H, W, C) uint8, first row at v = 0; `sharp` is the anisotropy."""
        height, width, channels = pixels.shape
        out = self.gl.texture((width, height), channels, np.ascontiguousarray(pixels).tobytes())
        out.repeat_x = out.repeat_y = repeat
        if mipmaps:
            out.build_mipmaps()
            out.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
            out.anisotropy = sharp
        return out


def device() -> Device:
    """This thread's device. Raises SimError where no context can be had."""
    if not hasattr(_local, "device"):
        _local.device = Device()
    found: Device = _local.device
    return found

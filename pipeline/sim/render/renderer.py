"""Draws moments of the city as a camera sees them, with the truth of what can be seen."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt

from pipeline.sim.camera import axes
from pipeline.sim.errors import SimError
from pipeline.sim.render import plates
from pipeline.sim.render.backdrop import bake, lamp_uniforms, uniforms
from pipeline.sim.render.cast import CELL_PX, CELLS, Cast, cast, palette_rows
from pipeline.sim.render.compose import Composer
from pipeline.sim.render.device import device
from pipeline.sim.render.light import light_of
from pipeline.sim.render.mesh import MATERIALS
from pipeline.sim.render.signals import Lens, lenses_of
from pipeline.sim.render.targets import PALETTES, Targets, patches
from pipeline.sim.render.truth import PLATE, seen
from pipeline.sim.render.view import matrix
from pipeline.sim.types import CameraPose, Conditions, Layout, Moment, Seen
from pipeline.types import Picture


@dataclass(frozen=True, slots=True)
class Rendered:
    """One picture and its truth."""

    picture: Picture
    seen: tuple[Seen, ...]


class Renderer:
    """One camera's pictures under fixed conditions.

    Draws what stands still once, at construction (a second or so), and each moment over it. Belongs to the
    thread that made it. Raises SimError where OpenGL is missing or the layout cannot be drawn.
    """

    def __init__(self, layout: Layout, camera: CameraPose, conditions: Conditions | None = None) -> None:
        self.camera = camera
        self.conditions = conditions or Conditions()
        try:
            axes(camera)
        except ValueError as error:
            raise SimError(str(error)) from error
        self._device = device()
        self._light = light_of(self.conditions)
        self._heads = {head.id: head for head in layout.heads}
        self._layout = layout
        self._backdrop = bake(self._device, layout, camera, self.conditions, self._light)
        self._composer = Composer(self._backdrop, camera, self.conditions, self._light)
        size = (camera.width_px, camera.height_px)
        if size not in self._device.targets:
            self._device.targets[size] = Targets(self._device, size)
        self._targets: Targets = self._device.targets[size]
        self._blank = self._targets.blank(self._device, self._backdrop.depth)
        self._seed = zlib.crc32(f"{layout.seed} {camera.id}".encode())

    def draw(self, moment: Moment) -> Rendered:
        """The picture (H, W, 3) of a moment, and who can be seen in it. Raises SimError for a plate's text
        that is none, and for a lamp of a head that the layout lacks."""
        t, light = self._targets, self._light
        team = cast(
            moment.actors,
            self.camera,
            light,
            self.conditions,
            moment.time_s,
            self._backdrop.shade,
            self._backdrop.ground.corner,
            self._backdrop.lamps,
        )
        lenses = lenses_of(self._layout.heads, moment.lamps, self.camera, light)
        for lens in lenses:
            if lens.glow is not None:
                team.sprites.append(lens.glow)
        if len(team.palettes) > PALETTES:
            raise SimError(f"{len(team.players)} actors in one picture: more than can be drawn at once")
        if team.palettes:
            t.palette.write(
                palette_rows(team.palettes).tobytes(), viewport=(0, 0, MATERIALS, len(team.palettes))
            )
        self._ground_effects(team)
        wet = self.conditions.rain > 0
        if wet:
            self._actors(team, t.mirror, flip=-1.0, lenses=[])
        self._actors(team, t.actors, flip=1.0, lenses=lenses)
        wide, high = self.camera.width_px, self.camera.height_px
        owners = np.frombuffer(t.actors.read(components=1, attachment=1, dtype="u2"), np.uint16)
        rng = np.random.default_rng([self._seed, round(moment.time_s * 1000) & 0xFFFFFFFF])
        picture = self._composer.compose(
            _pixels(t.actors),
            _pixels(t.mask),
            _pixels(t.beams) if team.beams else None,
            _pixels(t.mirror) if wet else None,
            rng,
        )
        found = seen(team.players, owners.reshape(2 * high, 2 * wide), self._alone(team), self.camera)
        return Rendered(picture, found)

    def _uniforms(self) -> dict[str, Any]:
        return {
            **uniforms(self._light, self.camera),
            **lamp_uniforms(self._backdrop.lamps, self._light),
            "camera": matrix(self.camera).T,
            "palette": 6,
            "backdrop_depth": 5,
        }

    def _ground_effects(self, team: Cast) -> None:
        """Shadows, and light of headlamps on the road, at half the picture's size."""
        d, t, gl = self._device, self._targets, self._device.gl
        gl.disable(moderngl.CULL_FACE | moderngl.DEPTH_TEST)
        gl.enable(moderngl.BLEND)
        gl.blend_equation = moderngl.MAX
        self._backdrop.depth.use(5)
        t.mask.use()
        t.mask.clear()
        values = {**self._uniforms(), "viewport": t.mask.size}
        d.programs["patch"].set(**values)
        patches(d, "patch", team.contacts)
        if self._light.shadow:
            d.programs["shadow"].set(**values)
            for mesh, rows in team.coarse.values():
                t.batch(mesh, rows).shadow.render(instances=len(rows))
        if team.beams:
            gl.blend_equation = moderngl.FUNC_ADD
            gl.blend_func = moderngl.ONE, moderngl.ONE
            t.beams.use()
            t.beams.clear()
            patches(d, "patch", team.beams)
        gl.blend_equation = moderngl.FUNC_ADD
        gl.disable(moderngl.BLEND)

    def _actors(self, team: Cast, target: Any, *, flip: float, lenses: list[Lens]) -> None:
        d, t, gl = self._device, self._targets, self._device.gl
        if flip > 0:
            gl.copy_framebuffer(target, self._blank)
        else:
            target.clear(depth=1.0)
        target.use()
        gl.enable(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        gl.front_face = "cw" if flip > 0 else "ccw"
        t.palette.use(6)
        d.programs["actor"].set(**self._uniforms(), flip=flip)
        for mesh, rows in (team.coarse if flip < 0 else team.rows).values():
            t.batch(mesh, rows).actor.render(instances=len(rows))
        gl.disable(moderngl.CULL_FACE)
        if flip > 0:
            self._plates(team)
            self._lenses(lenses)
        if team.sprites:
            gl.enable(moderngl.BLEND)
            gl.blend_func = moderngl.ONE, moderngl.ONE
            target.color_mask = ((True,) * 4, (False,) * 4) if flip > 0 else (True,) * 4
            aspect = matrix(self.camera)
            x, y = (float(np.linalg.norm(aspect[k, :3])) for k in (0, 1))
            d.programs["sprite"].set(camera=aspect.T, aspect=(x, y), flip=flip)
            target.depth_mask = False
            patches(d, "sprite", team.sprites)
            target.depth_mask = True
            target.color_mask = ((True,) * 4, (True,) * 4) if flip > 0 else (True,) * 4
            gl.disable(moderngl.BLEND)

    def _plates(self, team: Cast) -> None:
        light = self._light
        program = self._device.programs["plate"]
        program.set(camera=matrix(self.camera).T, picture=7)
        sky, sun = np.asarray(light.sky_color), np.asarray(light.sun_color)
        lamp = np.asarray(light.lamp_color) * 0.16
        for number, player in enumerate(team.players):
            plate = player.actor.plate
            if plate is None:
                continue
            motorbike = player.actor.kind == "motorbike"
            wide, high = plates.SIZES_MM[plates.shape(plate, motorbike)]
            for middle, right, up, normal in player.plates():
                if normal @ (np.asarray(self.camera.position) - middle) <= 0:
                    continue
                shine = sky * 0.85 + sun * max(float(normal @ np.asarray(light.sun)), 0.0) + lamp
                if light.dark > 0.2:
                    shine = shine + 0.20 * light.dark
                far = float(np.linalg.norm(middle - np.asarray(self.camera.position)))
                clear = math.exp(-light.haze * far)
                veil = np.asarray(light.haze_color) * (1 - clear)
                self._targets.plate(self._device, plate, motorbike).use(7)
                program.set(
                    middle=tuple(middle),
                    right=tuple(right * wide / 2000),
                    up=tuple(up * high / 2000),
                    light=tuple(shine),
                    veil=tuple(veil),
                    clear=clear,
                    identity=(number + 1) * 8 + PLATE,
                )
                self._targets.sheet.render(moderngl.TRIANGLE_STRIP)

    def _lenses(self, lenses: list[Lens]) -> None:
        program = self._device.programs["plate"]
        program.set(camera=matrix(self.camera).T, picture=7, identity=0)
        for lens in lenses:
            self._targets.lenses[lens.picture].use(7)
            far = float(np.linalg.norm(np.subtract(lens.middle, self.camera.position)))
            clear = math.exp(-self._light.haze * far)
            program.set(
                middle=lens.middle,
                right=lens.right,
                up=lens.up,
                light=lens.light,
                clear=clear,
                veil=tuple(np.asarray(self._light.haze_color) * (1 - clear)),
            )
            self._targets.sheet.render(moderngl.TRIANGLE_STRIP)

    def _alone(self, team: Cast) -> npt.NDArray[np.int64]:
        """Pixels of its cell that each player fills when nothing hides it."""
        d, t, gl = self._device, self._targets, self._device.gl
        counts = []
        gl.disable(moderngl.DEPTH_TEST)
        gl.enable(moderngl.CULL_FACE)
        gl.front_face = "cw"
        d.programs["own"].set(camera=matrix(self.camera).T)
        per_sheet = CELLS * CELLS
        for sheet in range(0, len(team.players), per_sheet):
            t.cells.use()
            t.cells.clear()
            for mesh, rows in team.coarse.values():
                mine = [r for r in rows if sheet <= r[10] - 1 < sheet + per_sheet]
                if mine:
                    t.batch(mesh, mine).own.render(instances=len(mine))
            pixels = np.frombuffer(t.cells.read(components=1), np.uint8).reshape(
                CELLS, CELL_PX, CELLS, CELL_PX
            )
            counts.append((pixels > 0).sum(axis=(1, 3)).reshape(-1))
        gl.disable(moderngl.CULL_FACE)
        return np.concatenate(counts) if counts else np.zeros(0, np.int64)


def _pixels(target: Any) -> npt.NDArray[np.uint8]:
    wide, high = target.size
    return np.frombuffer(target.read(components=4), np.uint8).reshape(high, wide, 4)

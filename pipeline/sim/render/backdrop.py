"""All that stands still, drawn once for a camera: what each frame is then painted over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import moderngl
import numpy as np
import numpy.typing as npt

from pipeline.sim.camera import axes, focal_px
from pipeline.sim.render.device import Device
from pipeline.sim.render.ground import GroundMap, ground_map
from pipeline.sim.render.light import Light
from pipeline.sim.render.street import street
from pipeline.sim.render.textures import clouds, facades
from pipeline.sim.render.view import matrix, rays
from pipeline.sim.types import CameraPose, Conditions, Layout

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
_REACH_M = 170.0
_SHADOW_PX = 2048
_LAMPS = 16


@dataclass(slots=True)
class Backdrop:
    """Pictures (H, W, 3) uint8 BGR, square roots of linear light."""

    lit: Pixels
    """What can be seen."""
    sun: Pixels
    """How much darker it is where something moving keeps the sun off."""
    albedo: Pixels
    """Colour of the surfaces."""
    wet: Pixels
    """How much they mirror, the same in each channel; 0 where dry."""
    depth: Any
    """(2W, 2H) depth in the device, as the actors are drawn."""
    lamps: list[tuple[float, float, float]]
    """Street lamps, those near the camera's view first."""
    ground: GroundMap
    shade: npt.NDArray[np.float32]
    """(h, w) share of the sun that reaches the ground, a metre a pixel from the map's corner."""


def visible_ground(camera: CameraPose) -> tuple[tuple[float, float], tuple[float, float]]:
    """Corner and size of the upright rectangle of ground that a camera sees within _REACH_M."""
    right, down, forward = axes(camera)
    f = focal_px(camera)
    eye = np.asarray(camera.position, float)
    points = [eye[:2]]
    for x in np.linspace(-camera.width_px / 2, camera.width_px / 2, 9):
        for y in np.linspace(-camera.height_px / 2, camera.height_px / 2, 9):
            way = right * x / f + down * y / f + forward
            flat = max(float(np.hypot(way[0], way[1])), 1e-9)
            reach = _REACH_M if way[2] >= 0 else min(_REACH_M, eye[2] / -way[2] * flat)
            points.append(eye[:2] + way[:2] / flat * reach)
    box = np.array(points)
    low, high = box.min(0) - 15, box.max(0) + 15
    return (float(low[0]), float(low[1])), (float(high[0] - low[0]), float(high[1] - low[1]))


def uniforms(light: Light, camera: CameraPose) -> dict[str, Any]:
    """Light of the hour as the shaders name it."""
    return {
        "eye": camera.position,
        "sun": light.sun,
        "sun_color": light.sun_color,
        "sky_color": light.sky_color,
        "bounce_color": light.bounce_color,
        "haze_color": light.haze_color,
        "haze": light.haze,
    }


def lamp_uniforms(lamps: list[tuple[float, float, float]], light: Light) -> dict[str, Any]:
    """Street lamps as the shaders name them; none by day."""
    table = np.zeros((_LAMPS, 4), np.float32)
    for k, lamp in enumerate(lamps[:_LAMPS]):
        table[k] = (*lamp, 85.0)
    count = min(len(lamps), _LAMPS) if light.dark else 0
    return {"lamps": count, "lamp": table, "lamp_color": light.lamp_color}


def bake(
    device: Device, layout: Layout, camera: CameraPose, conditions: Conditions, light: Light
) -> Backdrop:
    """Draws houses, trees and ground. Takes seconds, once a camera."""
    gl = device.gl
    corner, size = visible_ground(camera)
    ground = ground_map(layout, corner, size)
    scene = street(layout, ground, camera)
    vertices = scene.vertices()
    noise, walls = _shared(device)
    stock = gl.buffer(vertices.tobytes()) if len(vertices) else None

    sun_camera, shadows = _sun_shadows(device, stock, light, camera, noise)
    shade = (
        _shade_of_ground(shadows, sun_camera, corner, size) if light.shadow else np.ones((1, 1), np.float32)
    )
    eye = np.asarray(camera.position[:2])
    aim = np.asarray(camera.look_at[:2])
    near = sorted(scene.lamps, key=lambda p: float(np.hypot(*(0.5 * (eye + aim) - p[:2]))))

    common = {
        **uniforms(light, camera),
        **lamp_uniforms(near, light),
        "sun_camera": sun_camera.T,
        "zenith": light.zenith,
        "overcast": light.overcast,
        "lit_windows": 0.55 * light.dark,
        "rays": rays(camera).T,
        "flip": 1.0,
        "shadow_map": 0,
        "clouds": 1,
        "cloths": 2,
        "surfaces": 3,
        "details": 4,
        "wetness": min(1.0, conditions.rain * 2.5),
        "extent": (*corner, 1 / size[0], 1 / size[1]),
        "jitter": (0.0, 0.0),
        "camera": matrix(camera).T,
    }
    shadows.use(0)
    noise.use(1)
    walls.use(2)
    # Held until the pictures are read: the device drops what nobody refers to.
    maps = device.texture(ground.surfaces), device.texture(ground.details)
    for unit, texture in enumerate(maps, start=3):
        texture.use(unit)
    for name in ("street", "ground", "sky"):
        device.programs[name].set(**common)
    plane = gl.buffer(_plane(camera).tobytes())
    layout_ = "3f 3f 4f 3f"
    names = ("position", "normal", "paint", "spot")
    floor = gl.vertex_array(device.programs["ground"].raw, [(plane, "3f 40x", "position")])
    sky = gl.vertex_array(device.programs["sky"].raw, [(device.square, "2f", "corner")])
    things = None
    if stock is not None:
        things = gl.vertex_array(device.programs["street"].raw, [(stock, layout_, *names)])
    wide, high = camera.width_px, camera.height_px
    depth = gl.depth_texture((2 * wide, 2 * high))
    depth.compare_func = ""
    depth.filter = (moderngl.NEAREST, moderngl.NEAREST)
    depth.repeat_x = depth.repeat_y = False
    target = gl.framebuffer([gl.texture((2 * wide, 2 * high), 4) for _ in range(3)], depth)

    def shoot(to: Any, *, with_floor: bool) -> list[Pixels]:
        to.use()
        to.clear(depth=1.0)
        gl.disable(moderngl.CULL_FACE | moderngl.BLEND | moderngl.DEPTH_TEST)
        sky.render(moderngl.TRIANGLE_STRIP)
        gl.enable(moderngl.DEPTH_TEST)
        if with_floor:
            floor.render(moderngl.TRIANGLE_STRIP)
        if things is not None:
            things.render()
        x, y = to.size
        return [np.frombuffer(t.read(), np.uint8).reshape(y, x, 4) for t in to.color_attachments]

    lit: Any
    shaded: Any
    albedo: Any
    lit, shaded, albedo = (
        cv2.resize(p, (wide, high), interpolation=cv2.INTER_AREA) for p in shoot(target, with_floor=True)
    )
    wet: Any = cv2.merge([np.ascontiguousarray(albedo[..., 3])] * 3)
    lit, shaded, albedo = (cv2.cvtColor(p, cv2.COLOR_RGBA2BGR) for p in (lit, shaded, albedo))
    if conditions.rain > 0:
        half = (wide // 2, high // 2)
        device.programs["street"].set(flip=-1.0)
        device.programs["sky"].set(rays=(rays(camera) * [[1], [1], [-1], [1]]).T)
        small = gl.framebuffer([gl.texture(half, 4) for _ in range(3)], gl.depth_renderbuffer(half))
        image = cv2.cvtColor(shoot(small, with_floor=False)[0], cv2.COLOR_RGBA2BGR)
        image = cv2.resize(cv2.blur(image, (3, max(3, high // 60))), (wide, high))
        keep = cv2.multiply(wet, image, scale=1 / 255)
        lit = cv2.add(cv2.multiply(lit, 255 - wet, scale=1 / 255), keep)
        shaded = cv2.add(cv2.multiply(shaded, 255 - wet, scale=1 / 255), keep)
    return Backdrop(lit, cv2.subtract(lit, shaded), albedo, wet, depth, near, ground, shade)


def _shared(device: Device) -> tuple[Any, Any]:
    if not device.shared:
        walls = device.gl.texture_array((256, 256, len(facades())), 4, facades().tobytes())
        walls.build_mipmaps()
        walls.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        walls.anisotropy = 8.0
        device.shared = {"noise": device.texture(clouds(), repeat=True, sharp=1.0), "walls": walls}
    return device.shared["noise"], device.shared["walls"]


def _plane(camera: CameraPose) -> npt.NDArray[np.float32]:
    """The ground to the horizon around the camera, as a strip of two triangles."""
    x, y, _ = camera.position
    out = np.zeros((4, 13), np.float32)
    out[:, 0] = x + 800 * np.array([-1, 1, -1, 1])
    out[:, 1] = y + 800 * np.array([-1, -1, 1, 1])
    out[:, 5] = 1.0
    return out


def _sun_shadows(
    device: Device, stock: Any, light: Light, camera: CameraPose, noise: Any
) -> tuple[Floats, Any]:
    """Clip matrix of the sun's view and depth of what stands still as it sees it."""
    gl = device.gl
    eye, aim = np.asarray(camera.position, float), np.asarray(camera.look_at, float)
    middle = eye + (aim - eye) * min(1.0, 55.0 / max(float(np.linalg.norm(aim - eye)), 1e-9))
    middle[2] = 0
    reach = 75.0
    sun = np.asarray(light.sun)
    side = np.cross([0, 0, 1.0], sun)
    side /= np.linalg.norm(side)
    up = np.cross(sun, side)
    out = np.eye(4)
    out[:3, :3] = np.stack([side / reach, up / reach, -sun / 200.0])
    out[:3, 3] = -out[:3, :3] @ middle
    depth = gl.depth_texture((_SHADOW_PX, _SHADOW_PX))
    depth.compare_func = ""
    depth.filter = (moderngl.NEAREST, moderngl.NEAREST)
    depth.repeat_x = depth.repeat_y = False
    target = gl.framebuffer([], depth)
    target.use()
    target.clear(depth=1.0)
    if stock is not None and light.shadow:
        noise.use(1)
        device.programs["depth"].set(camera=out.T, clouds=1)
        gl.enable(moderngl.DEPTH_TEST)
        gl.vertex_array(device.programs["depth"].raw, [(stock, "3f 28x 3f", "position", "spot")]).render()
    return out, depth


def _shade_of_ground(
    shadows: Any, sun_camera: Floats, corner: tuple[float, float], size: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Share of the sun at a metre above the ground, once a metre."""
    stored = np.frombuffer(shadows.read(), np.float32).reshape(_SHADOW_PX, _SHADOW_PX)
    x, y = np.meshgrid(np.arange(int(size[0])) + corner[0] + 0.5, np.arange(int(size[1])) + corner[1] + 0.5)
    points = np.stack([x, y, np.full_like(x, 1.0), np.ones_like(x)], -1) @ sun_camera.T
    place = points[..., :3] * 0.5 + 0.5
    column, row = ((place[..., k] * _SHADOW_PX).astype(int) for k in (0, 1))
    ok = (column >= 0) & (column < _SHADOW_PX) & (row >= 0) & (row < _SHADOW_PX)
    out = np.ones(x.shape, np.float32)
    out[ok] = (stored[row[ok], column[ok]] > place[..., 2][ok] - 0.002).astype(np.float32)
    return out

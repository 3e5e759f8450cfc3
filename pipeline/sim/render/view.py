"""Matrices of a camera for OpenGL, and where the signal heads are in its picture."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.sim.camera import axes, focal_px, homography, project
from pipeline.sim.types import CameraPose, Layout, SignalHead
from pipeline.types import Box

Floats = npt.NDArray[np.float64]
NEAR_M, FAR_M = 0.6, 900.0
HEAD_SIZE = (0.34, 1.02)
"""Width and height of a vertical three-light housing, metres; an arrow's is as high as wide."""


@lru_cache(maxsize=64)
def matrix(camera: CameraPose) -> Floats:
    """(4, 4) from the world to clip coordinates, multiplied from the left. Their y grows downwards: what is
    drawn with it has its first row at the top, as pictures have."""
    right, down, forward = axes(camera)
    f = focal_px(camera)
    view = np.eye(4)
    view[:3, :3] = [right, down, -forward]
    view[:3, 3] = -view[:3, :3] @ np.asarray(camera.position, float)
    lens = np.zeros((4, 4))
    lens[0, 0] = 2 * f / camera.width_px
    lens[1, 1] = 2 * f / camera.height_px
    lens[2, 2] = -(FAR_M + NEAR_M) / (FAR_M - NEAR_M)
    lens[2, 3] = -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
    lens[3, 2] = -1.0
    return np.asarray(lens @ view)


@lru_cache(maxsize=64)
def _pinhole(camera: CameraPose) -> Floats:
    flat = homography(camera)
    f, rotation = focal_px(camera), axes(camera)
    intrinsic = np.array([[f, 0, camera.width_px / 2], [0, f, camera.height_px / 2], [0, 0, 1.0]])
    return np.column_stack([intrinsic @ rotation, flat[:, 2]])


def pinhole(camera: CameraPose, points: Floats) -> tuple[Floats, Floats]:
    """`project` of (N, 3) points with what depends on the camera alone kept: it is asked hundreds of times a
    frame."""
    p = _pinhole(camera)
    image = points @ p[:, :3].T + p[:, 3]
    depth = image[:, 2]
    return image[:, :2] / np.where(depth > 1e-6, depth, 1.0)[:, None], depth


def rays(camera: CameraPose) -> Floats:
    """(4, 4) from the clip coordinates of `matrix` (x, y, 1, 1) to directions in the world."""
    right, down, forward = axes(camera)
    f = focal_px(camera)
    out = np.zeros((4, 4))
    out[:3, 0] = right * camera.width_px / 2 / f
    out[:3, 1] = down * camera.height_px / 2 / f
    out[:3, 2] = forward
    return out


def head_size(head: SignalHead) -> tuple[float, float]:
    """Width and height of a head's housing, metres."""
    wide, high = HEAD_SIZE
    if head.layout == "vertical":
        return wide, high
    return (high, wide) if head.layout == "horizontal" else (wide, wide)


def lamp_boxes(layout: Layout, camera: CameraPose) -> dict[str, Box]:
    """Head id to its box in the picture, 0..1, of the heads whose front lies whole in it."""
    out: dict[str, Box] = {}
    for head in layout.heads:
        wide, high = head_size(head)
        across = np.array([-np.sin(head.facing), np.cos(head.facing), 0.0]) * wide / 2
        up = np.array([0.0, 0.0, high / 2])
        front = np.array([np.cos(head.facing), np.sin(head.facing), 0.0])
        centre = np.asarray(head.position, float) + front * 0.13
        if front @ (np.asarray(camera.position) - centre) <= 0:
            continue
        pixels, depth = project(camera, [centre + a * across + b * up for a in (-1, 1) for b in (-1, 1)])
        share = pixels / [camera.width_px, camera.height_px]
        if depth.min() > NEAR_M and share.min() >= 0 and share.max() <= 1:
            (x0, y0), (x1, y1) = share.min(0), share.max(0)
            out[head.id] = (float(x0), float(y0), float(x1), float(y1))
    return out

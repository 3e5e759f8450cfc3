"""Where the world lies in a camera's picture: a pinhole camera without distortion, square pixels, no roll."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.sim.types import CameraPose

Floats = npt.NDArray[np.float64]


def axes(camera: CameraPose) -> Floats:
    """(3, 3): the camera's right, down and forward as rows of unit vectors in world coordinates.

    Raises ValueError for a camera that looks straight up or down, or at itself: it has no upright picture.
    """
    forward = np.subtract(camera.look_at, camera.position)
    flat = math.hypot(forward[0], forward[1])
    if flat < 1e-6:
        raise ValueError(
            f"camera {camera.id!r}: look_at must lie aside of the camera, not above, below or in it"
        )
    forward = forward / np.linalg.norm(forward)
    right = np.array([forward[1], -forward[0], 0.0]) / math.hypot(forward[0], forward[1])
    return np.stack([right, np.cross(forward, right), forward])


def focal_px(camera: CameraPose) -> float:
    """Focal length in pixels, the same across and down."""
    return camera.width_px / 2 / math.tan(math.radians(camera.fov_deg) / 2)


def project(camera: CameraPose, points: npt.ArrayLike) -> tuple[Floats, Floats]:
    """World points (N, 3) in metres to pixels (N, 2), x right and y down from the top left, and depth (N,).

    Depth is along the line of sight, metres; a point at or behind the camera has depth <= 0 and pixels that
    mean nothing.
    """
    seen = (np.asarray(points, dtype=np.float64).reshape(-1, 3) - camera.position) @ axes(camera).T
    depth = seen[:, 2]
    safe = np.where(depth > 1e-6, depth, 1.0)
    centre = np.array([camera.width_px / 2, camera.height_px / 2])
    return seen[:, :2] * (focal_px(camera) / safe)[:, None] + centre, depth


def homography(camera: CameraPose) -> Floats:
    """(3, 3) from the ground (x, y, 1), z = 0, in metres to homogeneous pixels; its inverse goes back."""
    rotation = axes(camera)
    f = focal_px(camera)
    intrinsic = np.array([[f, 0, camera.width_px / 2], [0, f, camera.height_px / 2], [0, 0, 1.0]])
    flat = np.column_stack([rotation[:, 0], rotation[:, 1], -rotation @ np.asarray(camera.position)])
    return np.asarray(intrinsic @ flat)

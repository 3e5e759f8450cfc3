"""Boxes of road users as the camera would see them alone: from their models' corners, without drawing."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.sim.camera import project
from pipeline.sim.render.cast import placed
from pipeline.sim.render.mesh import Mesh
from pipeline.sim.render.wardrobe import Look, look
from pipeline.sim.types import Actor, CameraPose
from pipeline.types import Box

NEAREST_M = 1.0
"""What comes nearer to the camera has no box."""


def box(actor: Actor, camera: CameraPose) -> Box | None:
    """Left, top, right, bottom, 0..1 of the picture, hidden by nothing; cut by the picture's edges.

    None where nothing of it is in the picture.
    """
    pixels, depth = project(camera, placed(actor, _corners(look(actor))))
    if depth.min() < NEAREST_M:
        return None
    share = pixels / [camera.width_px, camera.height_px]
    (left, top), (right, bottom) = np.clip(share.min(0), 0, 1), np.clip(share.max(0), 0, 1)
    if right <= left or bottom <= top:
        return None
    return float(left), float(top), float(right), float(bottom)


@lru_cache(maxsize=4096)
def _corners(found: Look) -> npt.NDArray[np.float64]:
    """(N, 3) in the actor's coordinates."""
    return np.concatenate([_places(piece.coarse) * piece.scale + piece.offset for piece in found.pieces])


@lru_cache(maxsize=1024)
def _places(mesh: Mesh) -> npt.NDArray[np.float64]:
    return np.unique(mesh.vertices[:, :3].astype(np.float64), axis=0)

"""Renderers that tests share: each takes seconds to make."""

from __future__ import annotations

import pytest

from pipeline.sim.render import Renderer
from pipeline.sim.types import Conditions
from tests.sim.pictures import make_camera, make_layout


@pytest.fixture(scope="session")
def clear() -> Renderer:
    """By day, without noise: what changes in the picture was changed by actors."""
    return Renderer(make_layout(), make_camera(), Conditions(noise=0.0))


@pytest.fixture(scope="session")
def plain() -> Renderer:
    """A small picture by day, as cameras give it."""
    return Renderer(make_layout(), make_camera(width_px=640, height_px=360))

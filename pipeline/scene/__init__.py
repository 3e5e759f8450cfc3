"""What a camera's picture means: lamps, stop lines, lanes, zones, and the geometry to judge by."""

from pipeline.scene.lines import Lane, StopLine
from pipeline.scene.scene import Scene
from pipeline.scene.settings import (
    JunctionSettings,
    LampSettings,
    LaneSettings,
    MovementSettings,
    SceneProblemsError,
    SceneSettings,
    StopLineSettings,
    ZoneSettings,
)

__all__ = [
    "JunctionSettings",
    "LampSettings",
    "Lane",
    "LaneSettings",
    "MovementSettings",
    "Scene",
    "SceneProblemsError",
    "SceneSettings",
    "StopLine",
    "StopLineSettings",
    "ZoneSettings",
]

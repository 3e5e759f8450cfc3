"""What a camera's picture means: lamps, stop lines, lanes, zones, and the geometry to judge by."""

from pipeline.scene.calibration import Calibration, CalibrationError
from pipeline.scene.lines import Lane, StopLine
from pipeline.scene.scene import Scene
from pipeline.scene.settings import (
    CalibrationSettings,
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
    "Calibration",
    "CalibrationError",
    "CalibrationSettings",
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

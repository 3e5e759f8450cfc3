"""What a camera's picture means: lamps, stop lines, lanes, zones, and the geometry to judge by."""

from pipeline.scene.calibration import Calibration, CalibrationError
from pipeline.scene.hours import HoursSettings, in_force
from pipeline.scene.lines import Lane, SolidLine, StopLine, Turn, Zone
from pipeline.scene.scene import Scene
from pipeline.scene.settings import (
    CalibrationSettings,
    JunctionSettings,
    LampSettings,
    LaneSettings,
    MovementSettings,
    SceneProblemsError,
    SceneSettings,
    SolidLineSettings,
    StopLineSettings,
    TurnSettings,
    ZoneSettings,
)

__all__ = [
    "Calibration",
    "CalibrationError",
    "CalibrationSettings",
    "HoursSettings",
    "JunctionSettings",
    "LampSettings",
    "Lane",
    "LaneSettings",
    "MovementSettings",
    "Scene",
    "SceneProblemsError",
    "SceneSettings",
    "SolidLine",
    "SolidLineSettings",
    "StopLine",
    "StopLineSettings",
    "Turn",
    "TurnSettings",
    "Zone",
    "ZoneSettings",
    "in_force",
]

"""The scene at run time: settings, and their geometry in true proportions."""

from __future__ import annotations

from pipeline.scene.calibration import Calibration
from pipeline.scene.lines import Lane, StopLine
from pipeline.scene.settings import SceneSettings
from pipeline.types import Observation

DEFAULT_ASPECT = 16 / 9
"""Assumed while a camera's picture size is not known."""


def aspect_of(observation: Observation) -> float:
    """Width / height of the camera's picture."""
    width, height = observation.picture_size
    return width / height if width > 0 and height > 0 else DEFAULT_ASPECT


class Scene:
    """What one camera's picture means."""

    def __init__(self, settings: SceneSettings) -> None:
        self.settings = settings
        self.calibration: Calibration | None = settings.calibration.fitted() if settings.calibration else None
        """Picture to metres; None where the scene gives no points for it."""
        self._aspect = 0.0
        self._stop_lines: tuple[StopLine, ...] = ()
        self._lanes: tuple[Lane, ...] = ()

    def stop_lines(self, aspect: float) -> tuple[StopLine, ...]:
        """Stop lines for a picture of this width / height."""
        self._draw(aspect)
        return self._stop_lines

    def lanes(self, aspect: float) -> tuple[Lane, ...]:
        """Lanes for a picture of this width / height."""
        self._draw(aspect)
        return self._lanes

    def _draw(self, aspect: float) -> None:
        if aspect != self._aspect:
            self._stop_lines = tuple(StopLine(line, aspect) for line in self.settings.stop_lines)
            self._lanes = tuple(Lane(lane, aspect) for lane in self.settings.lanes)
            self._aspect = aspect

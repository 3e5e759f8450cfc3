"""The scene at run time: settings, and their geometry in true proportions."""

from __future__ import annotations

from pipeline.scene.calibration import Calibration
from pipeline.scene.lines import Lane, SolidLine, StopLine, Turn, Zone
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
        self._zones: tuple[Zone, ...] = ()
        self._solid_lines: tuple[SolidLine, ...] = ()
        self._turns: tuple[Turn, ...] = ()

    def stop_lines(self, aspect: float) -> tuple[StopLine, ...]:
        """Stop lines for a picture of this width / height."""
        self._draw(aspect)
        return self._stop_lines

    def lanes(self, aspect: float) -> tuple[Lane, ...]:
        """Lanes for a picture of this width / height."""
        self._draw(aspect)
        return self._lanes

    def zones(self, aspect: float, purpose: str) -> tuple[Zone, ...]:
        """Zones with a purpose, for a picture of this width / height."""
        self._draw(aspect)
        return tuple(zone for zone in self._zones if zone.settings.purpose == purpose)

    def solid_lines(self, aspect: float) -> tuple[SolidLine, ...]:
        """Lines not to be crossed, for a picture of this width / height."""
        self._draw(aspect)
        return self._solid_lines

    def turns(self, aspect: float, act: str) -> tuple[Turn, ...]:
        """Forbidden turns of one kind, for a picture of this width / height."""
        self._draw(aspect)
        return tuple(turn for turn in self._turns if turn.settings.act == act)

    def _draw(self, aspect: float) -> None:
        if aspect == self._aspect:
            return
        drawn, calibration = self.settings, self.calibration
        self._stop_lines = tuple(StopLine(line, aspect, calibration) for line in drawn.stop_lines)
        self._lanes = tuple(Lane(lane, aspect, calibration) for lane in drawn.lanes)
        self._zones = tuple(Zone(zone, aspect, calibration) for zone in drawn.zones)
        self._solid_lines = tuple(SolidLine(line, aspect, calibration) for line in drawn.solid_lines)
        self._turns = tuple(Turn(turn, aspect) for turn in drawn.turns)
        self._aspect = aspect

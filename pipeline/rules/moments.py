"""One moment of one camera, made ready once for all that judge it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.rules.lamps import LampHistory
from pipeline.rules.step import Advance
from pipeline.rules.trajectory import Tracks
from pipeline.scene import Scene
from pipeline.types import Observation


@dataclass(frozen=True, slots=True)
class Moment:
    """What a rule sees."""

    observation: Observation
    """The newest; steps come later than it, see `trajectory`."""
    advances: tuple[Advance, ...]
    """New steps, in order of time per track, and the ends of tracks."""
    aspect: float
    """Width / height of the picture that the steps refer to."""
    lamps: LampHistory
    """What the lamps showed over the last seconds."""


class Moments:
    """Turns one camera's observations into moments: trajectories are smoothed here and nowhere else."""

    def __init__(self, scene: Scene) -> None:
        self._tracks = Tracks(scene.calibration)
        self._lamps = LampHistory()
        self._newest: Observation | None = None

    def all_of(self, observations: Iterable[Observation]) -> Iterator[Moment]:
        """The moments of a video's observations, in order of capture, to its end."""
        for observation in observations:
            yield from self.observe(observation)
        yield from self.finish()

    def observe(self, observation: Observation) -> Iterator[Moment]:
        """Take up the next observation, in order of capture.

        Usually one moment; before that of a new connection, one in which all tracks of the old one end.
        """
        if self._tracks.ended_by(observation):
            yield from self.finish()
        self._lamps.observe(observation)
        self._newest = observation
        yield self._moment(observation, self._tracks.observe(observation))

    def finish(self) -> Iterator[Moment]:
        """The video has ended: the steps still held back, and the end of every track."""
        if self._newest is not None:
            yield self._moment(self._newest, self._tracks.finish())

    def _moment(self, observation: Observation, advances: Iterator[Advance]) -> Moment:
        return Moment(observation, tuple(advances), self._tracks.aspect, self._lamps)

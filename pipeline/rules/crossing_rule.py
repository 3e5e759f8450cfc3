"""What rules about crossing a stop line on red share: passages in, at most one hit a track out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pipeline.rules import base
from pipeline.rules.crossing import Crossings, Passage
from pipeline.rules.crossing_hit import crossing_hit
from pipeline.rules.lamps import LampHistory
from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track
from pipeline.scene import Scene, SceneSettings
from pipeline.types import VEHICLES, Hit, SignalState

Decision = tuple[SignalState, Mapping[str, Any]]
"""The red lamp that was passed, and what the rule has to say of its own."""


class CrossingRule(ABC):
    """Follows every passage of a stop line; a rule says in `decide` whether one is its act."""

    name: ClassVar[str]

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._crossings = Crossings(scene)
        self._reported: set[int] = set()

    @classmethod
    def lacks(cls, scene: SceneSettings) -> str | None:
        """See base.Rule."""
        return base.lacks_signalled_line(scene)

    def observe(self, moment: Moment) -> Iterator[Hit]:
        """Hits that are decided by now; confidence: see crossing_hit."""
        for track, step, passage in self._crossings.observe(moment):
            yield from self._judge(moment, track, step, passage)

    @abstractmethod
    def decide(self, passage: Passage, step: Step, lamps: LampHistory) -> Decision | None:
        """Whether the passage of a vehicle, now at `step`, is the act; None while that is open, or if not."""

    def _judge(
        self, moment: Moment, track: Track, step: Step | None, passage: Passage | None
    ) -> Iterator[Hit]:
        if step is None:
            self._reported.discard(track.id)
            return
        if passage is None or track.id in self._reported or track.kind not in VEHICLES:
            return
        if not passage.is_real(step) or (decision := self.decide(passage, step, moment.lamps)) is None:
            return
        lamp, facts = decision
        self._reported.add(track.id)
        yield crossing_hit(self.name, self._scene, moment, track, passage, step, lamp, facts)

"""Who stands where, and since when: shared by illegal_stop and stalled.

A stand outlives what interrupts a track but not the vehicle: what passes in front of it and hides its lower
part, or all of it for a while, after which it may have another id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pipeline.rules.lengths import is_elsewhere, seems_hidden
from pipeline.rules.step import Step, Track, at_edge, remember
from pipeline.scene import geometry
from pipeline.types import RoadUserKind

BACK_S = 15.0
"""Who was lost for no longer, nor longer than it had been seen to stand, and stands in the same place, is the
same."""

HIDDEN_BACK_S = 6.0
"""The same for one that was half hidden when it was lost, and is not reported yet: behind a bus it may have
driven off unseen."""

LEFT_IOU = 0.7
"""Cut by the picture's edge, a box that overlaps less with the one that came to a stand was leaving."""

PICTURES_S = 12.0
"""A picture from before is taken from no further back."""


@dataclass(slots=True)
class Stand:
    """A vehicle that stands in one place, whatever ids it had."""

    kind: RoadUserKind
    where: Step
    """When it came to a stand."""
    last: Step
    recent: deque[Step] = field(default_factory=deque)
    """Steps over the last PICTURES_S, oldest first."""
    gap_s: float = 0.0
    """Between its two newest steps."""
    hidden: bool = False
    """Its lower part is, so it seems: its newest step is somewhere else."""
    reported: bool = False

    @property
    def seen_s(self) -> float:
        """For how long it was seen to stand: somebody else may pass where one that hardly stood was seen."""
        return self.last.time_s - self.where.time_s

    @property
    def shown(self) -> tuple[Step, Step, Step]:
        """Before, at the decisive moment, after: of these, pictures are still to be had."""
        return (self.recent[0], self.recent[len(self.recent) // 2], self.last)

    def is_like(self, track: Track, step: Step) -> bool:
        """Whether one that stands where this one was lost may be the same."""
        return self.kind is track.kind


S = TypeVar("S", bound=Stand)


class Stands(Generic[S]):
    """Follows everybody who stands, in each of a rule's places."""

    def __init__(self, begin: Callable[[Track, Step], S]) -> None:
        """`begin` makes the stand of one that has just stopped."""
        self.newest: dict[int, tuple[Track, Step]] = {}
        """Everybody's newest step, of those who do not stand too."""
        self._begin = begin
        self._stands: dict[tuple[int, str], S] = {}
        self._lost: list[tuple[str, S]] = []
        """Places, and stands there whose track has ended."""
        self._told: dict[int, int] = {}
        """Tracks whose act was told, and in which segment."""

    def see(self, track: Track, step: Step | None) -> None:
        """A track's newest step, before `follow`, or its end: it may be found again."""
        if step is not None:
            self.newest[track.id] = (track, step)
            return
        self._told.pop(track.id, None)
        _, newest = self.newest.pop(track.id, (track, None))
        for key in [key for key in self._stands if key[0] == track.id]:
            stand = self._stands.pop(key)
            if newest is None or not _has_left(stand, newest):
                stand.hidden |= newest is not None and newest.hidden
                self._lost.append((key[1], stand))

    def follow(self, place: str, track: Track, step: Step, inside: bool, stands: bool) -> S | None:
        """The stand in a place that a step belongs to; None where it belongs to none, or one that was told.

        `inside` says whether the step counts there, `stands` whether it is slow enough to begin a stand.
        """
        key = (track.id, place)
        stand = self._stands.get(key)
        elsewhere = stand is not None and is_elsewhere(stand.where, step)
        if stand is not None and elsewhere and seems_hidden(stand.where, step):
            stand.hidden = True
            return None
        if elsewhere or not inside:
            self._stands.pop(key, None)
            stand = None
        if not inside or (stand is None and not stands):
            return None
        if stand is None:
            stand = self._stands[key] = self._found_again(place, track, step) or self._begin(track, step)
        stand.gap_s = step.time_s - stand.last.time_s
        stand.last, stand.hidden = step, False
        remember(stand.recent, step, PICTURES_S)
        if stand.reported:
            self._told[track.id] = track.segment
        stand.reported = self._told.get(track.id) == track.segment
        return None if stand.reported else stand

    def tell(self, track: Track, stand: S) -> None:
        """Its act is told: who stands in two places at once, or moves up a little, does no other."""
        stand.reported = True
        self._told[track.id] = track.segment

    def _found_again(self, place: str, track: Track, step: Step) -> S | None:
        """The stand of one that was lost here a moment ago."""
        now_s = step.time_s
        # Earlier than what it saw: the clock was put back.
        self._lost = [(at, lost) for at, lost in self._lost if 0 <= now_s - lost.last.time_s <= BACK_S]
        for number, (at, lost) in enumerate(self._lost):
            back_s = min(lost.seen_s, HIDDEN_BACK_S if lost.hidden and not lost.reported else BACK_S)
            alike = lost.is_like(track, step) and now_s - lost.last.time_s <= back_s
            if at == place and alike and not is_elsewhere(lost.where, step):
                del self._lost[number]
                return lost
        return None


def _has_left(stand: Stand, newest: Step) -> bool:
    """Whether it was on its way out of the picture: the steps of that are cut, and belong to no stand."""
    box = newest.raw.box
    return at_edge(box) and geometry.overlap(box, stand.where.raw.box)[0] < LEFT_IOU

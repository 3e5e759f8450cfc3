"""Whose feet are hidden, told by the box alone: without calibration, nothing else tells (see Step.hidden)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from pipeline.rules.lengths import moved_as_a_whole
from pipeline.rules.step import Step
from pipeline.types import Point

HIDDEN = 0.7
"""A box lower than this share of what it was in the last HIDDEN_S seconds shows no feet, ..."""
HIDDEN_S = 3.0
FOOT_SHARE = 0.25
"""... if its lower edge rose by this share of what it lost (else it is somebody who bends down), and its top
did not go along: who moves away from the camera is lower as well, with feet on the ground. ..."""
AS_TALL = 0.9
"""... With calibration, who is that much as tall on the ground as before is whole, however the edges went."""
UP: Point = (0.0, -1.0)

K = TypeVar("K", bound=Hashable)


class Feet(Generic[K]):
    """Follows each trajectory, whatever its key."""

    def __init__(self) -> None:
        self._whole: dict[K, deque[Step]] = {}
        """Steps with feet over the last HIDDEN_S, oldest first."""
        self._hidden: dict[K, Step] = {}
        """Of those whose feet are hidden: what they were before."""

    def are_hidden(self, key: K, step: Step) -> bool:
        """Whether something came in front of its feet; to be asked of each step, in order."""
        whole = self._whole.setdefault(key, deque())
        while whole and whole[0].time_s < step.time_s - HIDDEN_S:
            whole.popleft()
        before = self._hidden.pop(key, None)
        if before is None and step.height >= HIDDEN * max((one.height for one in whole), default=0.0):
            whole.append(step)
            return False
        # What came in front of it stays there until the box is as high again, or for HIDDEN_S: meanwhile the
        # top moves on.
        if before is None or step.time_s - before.time_s > HIDDEN_S or not _is_lower(before, step):
            before = next((one for one in reversed(whole) if _lost_its_foot(one, step)), None)
        if before is None:
            whole.append(step)
            return False
        self._hidden[key] = before
        return True

    def forget(self, ended: Callable[[K], bool]) -> None:
        """Trajectories that have ended."""
        for key in [key for key in self._whole if ended(key)]:
            del self._whole[key]
            self._hidden.pop(key, None)


def _is_lower(before: Step, now: Step) -> bool:
    """Whether it may be that less can be seen of somebody than before."""
    return now.height < HIDDEN * before.height and not now.tall_m > AS_TALL * before.tall_m > 0


def _lost_its_foot(before: Step, now: Step) -> bool:
    """Whether something in between came in front of its feet."""
    rose, lost = before.position[1] - now.position[1], before.height - now.height
    return _is_lower(before, now) and rose > FOOT_SHARE * lost and not moved_as_a_whole(before, now, UP)

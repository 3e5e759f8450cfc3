"""Acts on a picture that looks unlike the scene's are held until some more pictures have had their say.

That a camera was moved is sure after half a minute, that it shows another place after five: until then its
rules would accuse whoever passes where no lane is any more. One picture alone nearly always tells, but a bus
before the camera or rain may make one strange: then the pictures of the next seconds are taken together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pipeline.perception.moved import Complex, Fit
from pipeline.types import Frame
from pipeline.worker.act import Act
from pipeline.worker.view import View

LOOK_S = 1.0
"""A camera's pictures are compared this often at most: some fifteen milliseconds each."""
LOOKS = 8
"""Pictures that an act waits for at most: its own pictures must still be in the ring."""


class SecondLook:
    """One camera's acts that judge by places. Not for several threads at once."""

    def __init__(self, dropped: Callable[[Act], None]) -> None:
        """`dropped` is told of each act that is not told because the picture does not fit the scene."""
        self._dropped = dropped
        self._held: list[Act] = []
        self._seen: list[Complex] = []
        """What the look that is going on has seen; nothing where none is."""
        self._looked_s = -math.inf
        """When a picture was compared last; what one that fitted said holds until the next."""

    def pass_on(self, acts: Sequence[Act], frame: Frame, view: View) -> list[Act]:
        """Of the acts that `frame` led to, and of those held, the ones to be told now."""
        if not acts and not self._held:
            return []
        self._held += acts
        now_s = frame.time.captured_at_s
        if 0 <= now_s - self._looked_s < LOOK_S:
            return [] if self._seen else self._release()
        self._looked_s = now_s
        look = view.look(frame)
        if look is None:
            return self._release()
        self._seen.append(look)
        fit = view.fit_of(self._seen)
        last = len(self._seen) == LOOKS
        # Of fog and darkness, one look says as much as eight.
        if fit is Fit.FITS or (fit is Fit.UNKNOWN and (last or len(self._seen) == 1)):
            return self._release()
        if last:
            self.drop()
        return []

    def drop(self) -> None:
        """What is held is not told."""
        for act in self._release():
            self._dropped(act)
        self._looked_s = -math.inf

    def _release(self) -> list[Act]:
        held, self._held, self._seen = self._held, [], []
        return held

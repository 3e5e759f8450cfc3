"""Identities that were exchanged where one road user passed in front of another that stands, put right.

While two boxes lie over each other a detector often sees one of them only, and a tracker may give it to the
wrong one: who stands at the line is then said to ride on, and who rode by to stand there. What tells is the
place: whoever comes to stand in the very box in which the other stood, just when that one is said to have
left, is the other. Appearance does not: ten motorbikes at a line are grey blots of forty pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.scene import geometry
from pipeline.types import Box

STANDS = 0.75
"""Overlap (IoU) with its box from before: it has not moved."""
STOOD_S = 1.0
"""Who has stood for this long has a place."""
COMES_S = 0.3
"""Who stands in another's place for this long did not ride through it."""
SAME_PLACE = 0.8
"""Overlap of the two places."""
AWAY = 0.3
"""Overlap of who is said to have left with the place, at most."""
MET = 0.3
"""Share of the smaller of two boxes that the other covers, from which they have met."""
RECENT_S = 3.0
"""The meeting, and the leaving, are no longer ago."""
AT_ONCE_S = 0.5
"""So shortly before, who left was still over the place: whoever moves up in a queue lets it be empty for
longer."""
LEAP = 0.4
"""Overlap with its box of the picture before, at most: it was not led there."""
BREAK_S = 0.5
"""So near to the coming the tracker lost one of them. Where both were led all along, as where a queue moves
up by one length, nobody was exchanged."""

Boxes = npt.NDArray[np.float32]


@dataclass(slots=True)
class _Place:
    """Where somebody stands, or stood."""

    box: Box
    since_s: float
    until_s: float
    vacated_s: float
    """When its box was last over the place."""

    @property
    def stood_s(self) -> float:
        return self.until_s - self.since_s


@dataclass(slots=True)
class _Way:
    now: _Place
    box: Box
    """Where it was last seen."""
    broke_s: float
    """When it last began, was seen again, or leapt."""
    left: _Place | None = None
    """The last place in which it stood for STOOD_S."""

    def add(self, box: Box, time_s: float, last_s: float) -> None:
        """`last_s`: when the picture before was taken."""
        if self.now.until_s < last_s or geometry.overlap(box, self.box)[0] <= LEAP:
            self.broke_s = time_s
        self.box = box
        if geometry.overlap(box, self.now.box)[0] >= STANDS:
            self.now.until_s = self.now.vacated_s = time_s
        else:
            if self.now.stood_s >= STOOD_S:
                self.left = self.now
            self.now = _Place(box, time_s, time_s, time_s)
        if self.left is not None and geometry.overlap(box, self.left.box)[0] > AWAY:
            self.left.vacated_s = time_s


class Meetings:
    """Turns a tracker's ids into identities, picture by picture."""

    def __init__(self) -> None:
        self._identity: dict[int, int] = {}
        """Of tracker's ids that were exchanged."""
        self._ways: dict[int, _Way] = {}
        """By identity."""
        self._met_s: dict[tuple[int, int], float] = {}
        """When two last lay over each other, the smaller id first."""
        self._last_s = 0.0

    def reset(self) -> None:
        """Forget everybody."""
        self._identity.clear()
        self._ways.clear()
        self._met_s.clear()

    def identify(self, ids: npt.NDArray[np.intp], boxes: Boxes, time_s: float) -> npt.NDArray[np.intp]:
        """(N,) identities of the tracker's `ids` with `boxes` (N, 4) in pixels; times must rise."""
        who = [self._identity.get(number, number) for number in ids.tolist()]
        self._forget(time_s)
        places: list[Box] = [(left, top, right, bottom) for left, top, right, bottom in boxes.tolist()]
        for identity, box in zip(who, places, strict=True):
            if identity in self._ways:
                self._ways[identity].add(box, time_s, self._last_s)
            else:
                self._ways[identity] = _Way(_Place(box, time_s, time_s, time_s), box, time_s)
        self._last_s = time_s
        self._note_meetings(who, boxes, time_s)
        rows = {identity: row for row, identity in enumerate(who)}
        for one, other in list(self._met_s):
            if not self._exchanged((one, other), rows, places, time_s):
                continue
            first, second = rows[one], rows[other]
            who[first], who[second] = other, one
            self._identity[int(ids[first])], self._identity[int(ids[second])] = other, one
            self._ways[one], self._ways[other] = self._ways[other], self._ways[one]
            self._ways[one].left = self._ways[other].left = None
            del self._met_s[one, other]
            rows[one], rows[other] = second, first
        return np.array(who, np.intp)

    def _note_meetings(self, who: list[int], boxes: Boxes, time_s: float) -> None:
        covered = sv.box_iou_batch(boxes, boxes, overlap_metric=sv.OverlapMetric.IOS)
        for row, column in zip(*np.nonzero(np.triu(covered, 1) >= MET), strict=True):
            one, other = sorted((who[row], who[column]))
            self._met_s[one, other] = time_s

    def _exchanged(
        self, pair: tuple[int, int], rows: dict[int, int], boxes: list[Box], time_s: float
    ) -> bool:
        return all(identity in rows for identity in pair) and any(
            self._took_over(self._ways[one], self._ways[other], boxes[rows[other]], time_s)
            for one, other in (pair, pair[::-1])
        )

    @staticmethod
    def _took_over(comer: _Way, leaver: _Way, leaver_box: Box, time_s: float) -> bool:
        """Whether one came to stand in the place that the other, now at `leaver_box`, left at that moment."""
        left = leaver.left
        if left is None or time_s - left.until_s > RECENT_S or comer.now.stood_s < COMES_S:
            return False
        return (
            geometry.overlap(comer.now.box, left.box)[0] >= SAME_PLACE
            and geometry.overlap(leaver_box, left.box)[0] <= AWAY
            and left.since_s < comer.now.since_s <= left.vacated_s + AT_ONCE_S
            and any(abs(way.broke_s - comer.now.since_s) <= BREAK_S for way in (comer, leaver))
        )

    def _forget(self, time_s: float) -> None:
        self._met_s = {pair: at_s for pair, at_s in self._met_s.items() if time_s - at_s <= RECENT_S}
        self._ways = {
            identity: way for identity, way in self._ways.items() if time_s - way.now.until_s <= RECENT_S
        }
        # A tracker forgets sooner who is not seen.
        self._identity = {key: own for key, own in self._identity.items() if own in self._ways}

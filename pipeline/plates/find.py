"""Plates in a picture of a vehicle: rows of text, alone or one over the other, that could be a plate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipeline.plates.color import ground_color
from pipeline.plates.grammar import Correction, correct, lost_a_digit
from pipeline.plates.rows import Row, find_rows, joined, rows_of
from pipeline.plates.text import Line, Quad, TextReader
from pipeline.types import Picture, PlateColor

PixelBox = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

SEARCH_PX = (320, 640)
"""Longer side at which a vehicle is searched for text: twice its own, within this span."""
CLOSE_PX = 1280
"""The same at most, for one who is larger than that and in whom no plate was found."""

_SURE = 0.9
"""A plate that fits the grammar at this confidence is not looked at more closely."""
_CLOSER = 2
"""Candidates that are looked at more closely."""
_MOST_ROWS = 12
"""Rows that are read: a bus is full of adverts."""
_ASPECT = (0.7, 10.0)
"""Width to height of a row."""
_CHARACTERS = (6, 10)
"""Least and most characters of a plate's text."""
_REGION_MARGIN = 0.35
"""Of a row's height, around a candidate when looked at closely."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a plate, and what it says. Places are pixels of the picture that was searched."""

    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    color: PlateColor | None
    correction: Correction
    """Of this reading alone."""

    @property
    def confidence(self) -> float:
        """Product of the probabilities of all characters."""
        return float(
            np.prod([line.likely.max(axis=1).prod() if len(line.likely) else 0.0 for line in self.lines])
        )

    @property
    def whole(self) -> bool:
        """Whether it is written like a plate, and like one of which nothing is hidden."""
        return self.correction.form is not None and not lost_a_digit(self.lines[-1].text)

    @property
    def char_px(self) -> float:
        """Height of the characters, estimated."""
        return float(np.mean([row.char_px for row in self.rows]))

    @property
    def box(self) -> PixelBox:
        """Around its rows."""
        corners = np.concatenate([row.quad for row in self.rows])
        left, top = corners.min(axis=0)
        right, bottom = corners.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    @property
    def middle(self) -> tuple[float, float]:
        """x, y."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def moved(self, x: float, y: float) -> Candidate:
        """The same, in a picture of which this one begins at (x, y)."""
        shift = np.array((x, y), np.float32)
        return replace(self, rows=tuple(Row(row.quad + shift) for row in self.rows))

    @property
    def rank(self) -> tuple[bool, int, float]:
        """Sorts the likelier plate after the less likely."""
        return self.whole, -self.correction.changes, self.confidence


def by_text(
    picture: Picture, reader: TextReader, within: PixelBox | None = None, side_px: int | None = None
) -> list[Candidate]:
    """Candidates in `picture`, best first, where nobody knows where a plate is.

    What has its middle outside of `within` is not looked at. Without `side_px`, the longer side at which
    text is searched for, that follows from the picture's size, and not more rows are read than a vehicle may
    bear; with it, everything is read, as closely as can be.
    """
    if side_px is not None:
        return _search(picture, reader, within, side_px, everything=True)
    longer = max(picture.shape[:2])
    found = _search(picture, reader, within, min(max(2 * longer, SEARCH_PX[0]), SEARCH_PX[1]))
    if not found and longer > SEARCH_PX[1]:
        found = _search(picture, reader, within, min(longer, CLOSE_PX))
    return found


def _search(
    picture: Picture, reader: TextReader, within: PixelBox | None, side: int, *, everything: bool = False
) -> list[Candidate]:
    quads = [quad for quad in reader.quads(picture, side) if within is None or _inside(quad, within)]
    whole = rows_of(quads)
    # Words that were put together may belong to two plates side by side: alone they have a chance as well.
    words = [Row(quad) for quad in quads if not any(row.quad is quad for row in whole)]
    rows = [
        row
        for row in (*whole, *words)
        if _ASPECT[0] * row.height_px < row.width_px < _ASPECT[1] * row.height_px
    ]
    if not everything:
        rows = sorted(rows, key=lambda row: -row.height_px)[:_MOST_ROWS]
    found = candidates(picture, rows, reader)
    doubted = [
        each
        for each in _apart(found)[: None if everything else _CLOSER]
        if everything or not each.whole or each.confidence <= _SURE
    ]
    closer = [each for candidate in doubted for each in _look(picture, candidate, reader)]
    return sorted((*found, *closer), key=lambda each: each.rank, reverse=True)


def _inside(quad: Quad, box: PixelBox) -> bool:
    x, y = quad.mean(axis=0)
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def in_box(picture: Picture, box: PixelBox, reader: TextReader) -> list[Candidate]:
    """Candidates within `box`, which a detector drew around a plate, best first."""
    left, top, right, bottom = box
    height, width = picture.shape[:2]
    air = 0.12 * (bottom - top) + 2
    x0, y0 = max(0, int(left - air)), max(0, int(top - air))
    x1, y1 = min(width, int(right + air) + 1), min(height, int(bottom + air) + 1)
    if x1 - x0 < 8 or y1 - y0 < 6:
        return []
    region = picture[y0:y1, x0:x1]
    shift = np.array((x0, y0), np.float32)
    rows = [Row(row.quad + shift) for row in find_rows(region, reader)]
    return candidates(picture, rows, reader)


def candidates(picture: Picture, rows: Sequence[Row], reader: TextReader) -> list[Candidate]:
    """What rows alone and rows over each other say, best first; what can be no plate is left out."""
    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: row.middle[1])
    read = dict(zip(range(len(ordered)), reader.lines([row.cut(picture) for row in ordered]), strict=True))
    found = []
    for group in _groups(ordered):
        lines = tuple(read[index] for index in group)
        plain = "".join(line.plain for line in lines)
        if not _CHARACTERS[0] <= len(plain) <= _CHARACTERS[1] or sum(map(str.isdigit, plain)) < 3:
            continue
        chosen = tuple(ordered[index] for index in group)
        color = ground_color(chosen[-1].cut(picture, tight=True))
        correction = correct([line.plain for line in lines], color, [line.likely for line in lines])
        found.append(Candidate(chosen, lines, color, correction))
    return sorted(found, key=lambda each: each.rank, reverse=True)


def _groups(rows: Sequence[Row]) -> Iterator[tuple[int, ...]]:
    for upper, row in enumerate(rows):
        yield (upper,)
        for lower in range(upper + 1, len(rows)):
            if _over(row, rows[lower]):
                yield upper, lower


def _over(upper: Row, lower: Row) -> bool:
    """Whether two rows can be the two lines of one plate."""
    heights = sorted((upper.height_px, lower.height_px))
    if heights[0] < 0.5 * heights[1]:
        return False
    right = (lower.quad[1] - lower.quad[0]) / max(lower.width_px, 1e-6)
    down = np.array((-right[1], right[0]))
    apart = float((np.subtract(lower.middle, upper.middle)) @ down)
    aside = abs(float((np.subtract(lower.middle, upper.middle)) @ right))
    return 0.38 * heights[1] < apart < 1.7 * heights[1] and aside < 0.35 * max(upper.width_px, lower.width_px)


def _apart(found: Sequence[Candidate]) -> list[Candidate]:
    """One candidate for each place."""
    kept: list[Candidate] = []
    for candidate in sorted(found, key=lambda each: (len(each.rows), *each.rank), reverse=True):
        if not any(touches(candidate.box, other.box) for other in kept):
            kept.append(candidate)
    return sorted(kept, key=lambda each: each.rank, reverse=True)


def touches(one: PixelBox, other: PixelBox) -> bool:
    """Whether two boxes overlap."""
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(one[3], other[3])


def _look(picture: Picture, candidate: Candidate, reader: TextReader) -> list[Candidate]:
    """The candidate again, straightened and searched for its lines at the size of a plate."""
    around = Row(joined([row.quad for row in candidate.rows]))
    air = _REGION_MARGIN * float(np.mean([row.height_px for row in candidate.rows]))
    wide, high = max(8, round(around.width_px + 2 * air)), max(8, round(around.height_px + 2 * air))
    inner = np.array([(air, air), (wide - air, air), (wide - air, high - air), (air, high - air)], np.float32)
    matrix = cv2.getPerspectiveTransform(around.quad, inner)
    straight = np.asarray(
        cv2.warpPerspective(
            picture, matrix, (wide, high), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )
    back = np.linalg.inv(matrix)
    rows = [
        Row(np.asarray(cv2.perspectiveTransform(row.quad[None], back)[0], np.float32))
        for row in find_rows(straight, reader)
    ]
    return candidates(picture, rows, reader)

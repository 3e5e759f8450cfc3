"""A plate's one or two lines, straightened: the text detector's finds put together to rows, rows cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.plates.text import Quad, TextReader
from pipeline.types import Picture

PLATE_SIDE_PX = 320
"""Longer side at which a plate is searched for its lines."""

_SAME_ROW = 0.35
"""Two finds are of one row when one's middle is lower by no more than this share of the taller one's height:
the finds of two lines overlap, being taller than their characters, and their middles are 0.6 apart."""
_SQUARE = 2.6
"""A plate narrower than this, relative to its height, has two lines: between 2.0 and 4.7 of the standards."""
_MARGIN = (0.10, 0.02)
"""Air around a row that is cut out, as shares of its height: at its ends, above and below."""
_TIGHT = (-0.25, -0.16)
"""The same around its characters alone."""
_UNCLIPPED = 1.45
"""The text detector's finds are this much taller than the characters in them (its `unclip_ratio`)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a plate in a picture."""

    quad: Quad

    @property
    def height_px(self) -> float:
        """Of the quadrangle."""
        return (
            float(np.linalg.norm(self.quad[3] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[1]))
            / 2
        )

    @property
    def width_px(self) -> float:
        """Of the quadrangle."""
        return (
            float(np.linalg.norm(self.quad[1] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[3]))
            / 2
        )

    @property
    def char_px(self) -> float:
        """Height of the characters, estimated."""
        return self.height_px / _UNCLIPPED

    @property
    def middle(self) -> tuple[float, float]:
        """x, y in pixels."""
        x, y = self.quad.mean(axis=0)
        return float(x), float(y)

    def cut(self, picture: Picture, tight: bool = False) -> Picture:
        """The row alone, upright, at its own scale; `tight`: without what is around its characters."""
        ends, edges = (share * self.height_px for share in (_TIGHT if tight else _MARGIN))
        wide, high = round(self.width_px + 2 * ends), round(self.height_px + 2 * edges)
        right = (self.quad[1] - self.quad[0] + self.quad[2] - self.quad[3]) / 2
        down = (self.quad[3] - self.quad[0] + self.quad[2] - self.quad[1]) / 2
        right, down = right / max(np.linalg.norm(right), 1e-6), down / max(np.linalg.norm(down), 1e-6)
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32)
        source = self.quad + signs[:, :1] * right * ends + signs[:, 1:] * down * edges
        target = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
        matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target)
        return np.asarray(
            cv2.warpPerspective(
                picture,
                matrix,
                (max(wide, 4), max(high, 4)),
                flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )


def rows_of(quads: Sequence[Quad]) -> list[Row]:
    """Finds put together to rows, from top to bottom: a row's words stand side by side.

    Two finds belong together when they are level with each other and the gap between them is no more than
    their height.
    """
    groups: list[list[Quad]] = []
    for quad in sorted(quads, key=lambda q: float(q[:, 0].min())):
        for group in groups:
            if _beside(joined(group), quad):
                group.append(quad)
                break
        else:
            groups.append([quad])
    return sorted((Row(joined(group)) for group in groups), key=lambda row: row.middle[1])


def halves(row: Row) -> tuple[Row, Row]:
    """The upper and the lower half of what was found as one row but is as tall as two."""
    top_left, top_right, bottom_right, bottom_left = row.quad
    left, right = (top_left + bottom_left) / 2, (top_right + bottom_right) / 2
    return Row(np.stack([top_left, top_right, right, left])), Row(
        np.stack([left, right, bottom_right, bottom_left])
    )


def whole(picture: Picture) -> Row:
    """All of a picture as one row."""
    height, width = picture.shape[:2]
    return Row(np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32))


def find_rows(picture: Picture, reader: TextReader) -> list[Row]:
    """The lines of the plate that fills `picture` more or less, top to bottom; never none."""
    rows = rows_of(reader.quads(picture, PLATE_SIDE_PX))
    if rows:
        tallest = max(row.height_px for row in rows)
        rows = [row for row in rows if row.height_px > tallest / 2.5]
    if len(rows) < 2:
        only = rows[0] if rows and rows[0].width_px > picture.shape[1] / 2 else whole(picture)
        if only.width_px < _SQUARE * only.height_px:
            return list(halves(only))
        return [only]
    return rows


def _beside(row: Quad, word: Quad) -> bool:
    one, other = Row(row), Row(word)
    longer = row if one.width_px > other.width_px else word
    right = longer[1] - longer[0]
    right = right / max(float(np.linalg.norm(right)), 1e-6)
    down = np.array([-right[1], right[0]], np.float32)
    tall = max(one.height_px, other.height_px)
    lower = abs(float(np.subtract(one.middle, other.middle) @ down))
    gap = max(
        float((word @ right).min() - (row @ right).max()), float((row @ right).min() - (word @ right).max())
    )
    return lower < _SAME_ROW * tall and gap < tall


def joined(quads: Sequence[Quad]) -> Quad:
    """The smallest rectangle around several finds."""
    if len(quads) == 1:
        return quads[0]
    corners = cv2.boxPoints(cv2.minAreaRect(np.concatenate(quads).astype(np.float32)))
    return _upright(np.asarray(corners, np.float32))


def _upright(corners: Quad) -> Quad:
    """Corners of a rectangle in the order of `Quad`, for text within 45 degrees of level."""
    order = np.argsort(np.arctan2(*(corners - corners.mean(axis=0)).T[::-1]))
    ring = corners[order]
    first = int(np.argmin(ring.sum(axis=1)))
    return np.asarray(np.roll(ring, -first, axis=0), np.float32)

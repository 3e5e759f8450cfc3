"""One text out of several readings of the same plate, character by character.

Readings are aligned to each other (Needleman and Wunsch 1970, on the probabilities that two characters are
the same), so that one which lost or gained a character still has its say on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.plates.grammar import ALPHABET

Floats = npt.NDArray[np.float64]

_BREAK = len(ALPHABET)
"""Column of the break between two lines."""
_GAP = _BREAK + 1
"""Column of "no character here"."""
_GAP_COST = 0.6
"""What a character without a partner costs; a pair that disagrees costs nothing, one that agrees earns 1."""


@dataclass(frozen=True, slots=True)
class Voted:
    """What the readings together say."""

    lines: tuple[str, ...]
    likely: tuple[Floats, ...]
    """For each line (N, 36): mean probability of each of ALPHABET over the readings."""
    no_more: float = 1.0
    """Probability that nothing stands where some readings saw something, and was outvoted."""

    @property
    def confidence(self) -> float:
        """Product of the mean probabilities of all characters: that all are right, were they independent,
        and none is lacking."""
        peaks = [float(each) for line in self.likely for each in line.max(axis=1)]
        return float(np.prod(peaks)) * self.no_more if peaks else 0.0


def vote(readings: Sequence[tuple[Sequence[Floats], float]]) -> Voted:
    """Vote over `readings`, each the (N, 36) probabilities of its lines and a weight above 0.

    An empty sequence gives no lines.
    """
    ordered = sorted(((_flat(lines), weight) for lines, weight in readings), key=lambda pair: -pair[1])
    if not ordered:
        return Voted((), ())
    first, weight = ordered[0]
    total, sums = weight, first * weight
    for reading, weight in ordered[1:]:
        sums = _add(sums, total, reading, weight)
        total += weight
    return _spelt(sums / total)


def _flat(lines: Sequence[Floats]) -> Floats:
    """(N, 38): the lines one behind the other with breaks between."""
    parts = []
    for number, line in enumerate(lines):
        if number:
            parts.append(np.eye(1, _GAP + 1, _BREAK))
        parts.append(np.pad(np.asarray(line, np.float64), ((0, 0), (0, 2))))
    return np.concatenate(parts) if parts else np.zeros((0, _GAP + 1))


def _add(sums: Floats, total: float, reading: Floats, weight: float) -> Floats:
    """The sums with one more reading in them."""
    gap = np.eye(1, _GAP + 1, _GAP)[0]
    added = []
    for mine, its in _aligned(sums / total, reading):
        so_far = sums[mine] if mine is not None else gap * total
        new = reading[its] if its is not None else gap
        added.append(so_far + new * weight)
    return np.array(added).reshape(-1, _GAP + 1)


def _aligned(one: Floats, other: Floats) -> list[tuple[int | None, int | None]]:
    """Pairs of places, None where the other has no partner."""
    score = np.zeros((len(one) + 1, len(other) + 1))
    score[:, 0] = -_GAP_COST * np.arange(len(one) + 1)
    score[0, :] = -_GAP_COST * np.arange(len(other) + 1)
    same = one @ other.T
    # A break pairs with breaks alone.
    broken = one[:, _BREAK, None] + other[None, :, _BREAK] - 2 * one[:, _BREAK, None] * other[None, :, _BREAK]
    same = same - 2 * broken
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            score[i, j] = max(
                score[i - 1, j - 1] + same[i - 1, j - 1],
                score[i - 1, j] - _GAP_COST,
                score[i, j - 1] - _GAP_COST,
            )
    pairs: list[tuple[int | None, int | None]] = []
    i, j = len(one), len(other)
    while i or j:
        if i and j and np.isclose(score[i, j], score[i - 1, j - 1] + same[i - 1, j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and np.isclose(score[i, j], score[i - 1, j] - _GAP_COST):
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return pairs[::-1]


def _spelt(means: Floats) -> Voted:
    lines, likely = [""], [[]]  # type: tuple[list[str], list[list[Floats]]]
    no_more = 1.0
    for place in means:
        if place[_GAP] >= 0.5:
            no_more *= float(place[_GAP])
            continue
        if place[_BREAK] >= 0.5:
            lines.append("")
            likely.append([])
        else:
            lines[-1] += ALPHABET[int(place[:_BREAK].argmax())]
            likely[-1].append(place[:_BREAK])
    return Voted(tuple(lines), tuple(np.array(line).reshape(-1, _BREAK) for line in likely), no_more)

"""A metric grid over a calibrated picture: what shows best whether a calibration is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.scene.calibration import Calibration, Floats

SPACINGS_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
MOST_LINES = 16
BEYOND = 0.3
"""The grid reaches beyond the surveyed points by this share of their extent: there a bad fit shows best."""
HEAVY_EVERY = 5


@dataclass(frozen=True, slots=True)
class Grid:
    """Lines every `spacing_m` metres, from `first` to `last` (2,) of them in x and y, counted from 0 m."""

    spacing_m: float
    first: npt.NDArray[np.int_]
    last: npt.NDArray[np.int_]

    @classmethod
    def of(cls, calibration: Calibration) -> Grid:
        """Around the surveyed points."""
        low, high = calibration.ground_m.min(axis=0), calibration.ground_m.max(axis=0)
        reach = BEYOND * (high - low)
        low, high = low - reach, high + reach
        longest = (high - low).max()
        spacing_m = next((s for s in SPACINGS_M if longest / s <= MOST_LINES * 2), SPACINGS_M[-1])
        return cls(spacing_m, np.ceil(low / spacing_m).astype(int), np.floor(high / spacing_m).astype(int))

    def lines(self, calibration: Calibration) -> Iterator[tuple[int, Floats]]:
        """Each line's number and (N, 2) points along it in the picture, 0..1; a line that leaves the
        picture's surroundings comes in pieces.
        """
        for axis in (0, 1):
            other = 1 - axis
            along = np.linspace(self.first[other], self.last[other], 200) * self.spacing_m
            for number in range(self.first[axis], self.last[axis] + 1):
                ground = np.empty((len(along), 2))
                ground[:, axis], ground[:, other] = number * self.spacing_m, along
                there = calibration.to_picture(ground)
                # Beyond the surroundings lines only run off, or back from behind the camera.
                near = np.asarray((np.abs(there - 0.5) < 1.5).all(axis=1))
                for start, end in _runs(near):
                    yield number, there[start:end]


def _runs(good: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)

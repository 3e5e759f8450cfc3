"""How well speeds were measured, against the truth of the city."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

NEAR_KMH = 3.0
LEAST_KMH, MOST_KMH = 20.0, 100.0
"""Speeds beyond are not scored."""


@dataclass(frozen=True, slots=True)
class SpeedScore:
    """Errors are measured minus true."""

    count: int
    mae_kmh: float
    bias_kmh: float
    near_share: float
    """Of those within NEAR_KMH."""
    worst_kmh: float
    """The largest error, by its amount."""


def true_speeds(frames: Iterable[Mapping[str, Any]]) -> dict[int, tuple[list[float], list[float]]]:
    """By actor id: seconds of the film, and speeds in km/h there; `frames` are of truth.read_frames."""
    out: dict[int, tuple[list[float], list[float]]] = {}
    for frame in frames:
        for actor in frame["actors"]:
            times_s, speeds_kmh = out.setdefault(actor["id"], ([], []))
            times_s.append(frame["time_s"])
            speeds_kmh.append(actor["speed_kmh"])
    return out


def score(
    measured: Iterable[tuple[int, float, float]], truth: Mapping[int, tuple[list[float], list[float]]]
) -> SpeedScore:
    """Compare (actor id, second of the film, km/h) with `true_speeds`; unknown actors are left out."""
    errors = []
    for actor_id, at_s, kmh in measured:
        if actor_id not in truth:
            continue
        true_kmh = float(np.interp(at_s, *truth[actor_id]))
        if LEAST_KMH <= true_kmh <= MOST_KMH:
            errors.append(kmh - true_kmh)
    if not errors:
        return SpeedScore(0, 0.0, 0.0, 0.0, 0.0)
    off = np.array(errors)
    return SpeedScore(
        len(off),
        float(np.abs(off).mean()),
        float(off.mean()),
        float((np.abs(off) <= NEAR_KMH).mean()),
        float(off[np.argmax(np.abs(off))]),
    )

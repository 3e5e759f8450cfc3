"""Plates that the worker read of those who did it, held against the city's, by their characters' height."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scripts.accuracy.match import Outcome
from scripts.accuracy.truth import CameraTruth

BANDS_PX = (0.0, 8.0, 14.0, 20.0)
"""Lower ends of the bands: characters below 8 px are not tried, from 20 px on the bar is 99 %."""
AROUND_S = 2.0
"""The worker looks for a plate in pictures this near to the act."""


@dataclass(frozen=True, slots=True)
class PlateRead:
    """One violator's plate."""

    true: str
    char_px: float
    """Height of its characters in the main stream, at most, around the act; 0 where it faces away."""
    read: str
    legible: bool
    """The event says that its reading can be relied on."""
    whole: bool
    """A candidate, not an incomplete record."""


def plate_reads(truth: CameraTruth, outcome: Outcome) -> list[PlateRead]:
    """Of every true act that was reported, whether it counts or not; who carries no plate is left out."""
    sizes: dict[int, list[tuple[float, float]]] = {}
    texts: dict[int, str] = {}
    for frame in truth.frames:
        for actor in frame["actors"]:
            if plate := actor["plate"]:
                texts[actor["id"]] = plate["text"]
                if plate["box"] is not None:
                    sizes.setdefault(actor["id"], []).append((frame["time_s"], plate["char_px"]))
    out = []
    for found in (*outcome.found, *outcome.also):
        actor_id, event = found.true.act.actor_id, found.event
        if event.plate is None or actor_id not in texts:
            continue
        near = [
            char_px
            for time_s, char_px in sizes.get(actor_id, ())
            if event.moments[0][0] - AROUND_S <= time_s <= event.moments[2][0] + AROUND_S
        ]
        out.append(PlateRead(texts[actor_id], max(near, default=0.0), *event.plate, whole=event.whole))
    return out


def plate_figures(reads: Iterable[PlateRead]) -> dict[str, Any]:
    """By band of character height: acts, plates read exactly, and those read wrongly but called legible."""
    reads = list(reads)
    ends = (*BANDS_PX[1:], float("inf"))
    bands = {
        f"{low:g}-{high:g} px" if high < float("inf") else f"{low:g} px and up": [
            one for one in reads if low <= one.char_px < high
        ]
        for low, high in zip(BANDS_PX, ends, strict=True)
    }
    return {
        name: {
            "acts": len(some),
            "exact": sum(one.read == one.true for one in some),
            "legible": sum(one.legible for one in some),
            "legible_and_wrong": sum(one.legible and one.read != one.true for one in some),
            "candidates": sum(one.whole for one in some),
        }
        for name, some in (*bands.items(), ("all", reads))
    }

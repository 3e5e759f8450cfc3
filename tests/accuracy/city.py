"""A hand-made city for one camera: actors that drive to the right at a steady pace, and events of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pipeline.sim.types import Act, ActKind
from pipeline.types import Box, Observation
from scripts.accuracy.match import Reported
from scripts.accuracy.truth import CameraTruth, Sighting, judge
from tests.rules.metres import SIZE as SIZE_PX

RATE_HZ = 10.0
DURATION_S = 60.0
RULES = frozenset(kind.value for kind in ActKind)
DRAWN = {"S.line", "S.in1"}
SIZE = 0.1
"""Of a box: 36 pixels of the analysed stream."""


def box_of(actor_id: int, time_s: float, size: float = SIZE) -> Box:
    """Actors drive in rows, one row each."""
    left, top = 0.01 * time_s, 0.15 * actor_id
    return left, top, left + size, top + size


def sighting(
    actor_id: int,
    start_s: float = 0.0,
    end_s: float = DURATION_S,
    *,
    kind: str = "motorbike",
    visible: float = 1.0,
    size: float = SIZE,
) -> Sighting:
    times = np.arange(round(start_s * RATE_HZ), round(end_s * RATE_HZ)) / RATE_HZ
    boxes = np.array([box_of(actor_id, float(time_s), size) for time_s in times])
    return Sighting(actor_id, kind, times, boxes.reshape(-1, 4), np.full(len(times), visible))


def act(
    kind: str,
    actor_id: int,
    decisive_s: float,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    place: str = "S.line",
) -> Act:
    start = decisive_s if start_s is None else start_s
    return Act(
        ActKind(kind), actor_id, start, decisive_s, decisive_s + 1.5 if end_s is None else end_s, place
    )


def truth(seen: Iterable[Sighting], acts: Iterable[Act]) -> CameraTruth:
    sightings = {one.id: one for one in seen}
    every = tuple(acts)
    judged = [
        judge(one, sightings[one.actor_id], RULES, DRAWN, one.place or None, DURATION_S)
        for one in every
        if not one.kind.value.startswith("legal.")
    ]
    legal = tuple(one for one in every if one.kind.value.startswith("legal."))
    return CameraTruth("south", DURATION_S, RATE_HZ, sightings, tuple(judged), legal)


def event(rule: str, actor_id: int, time_s: float, *, row: float | None = None) -> Reported:
    """An event whose boxes are the actor's own, or those of a row in which nobody drives."""
    moments = tuple(
        (at_s, box_of(actor_id, at_s) if row is None else box_of(0, at_s, 0.05))
        for at_s in (time_s - 1.0, time_s, time_s + 1.0)
    )
    before, at, after = moments
    return Reported(f"{rule}-{actor_id}-{time_s}", "south", rule, "motorbike", 0.9, (before, at, after))


def watched(observations: Iterable[Observation], kmh: float, shift_px: float = 0.0) -> list[dict[str, Any]]:
    """Truths of observations: a car that truly goes `kmh`, with the boxes told, or so much further left."""
    truths = []
    for one in observations:
        boxes = [np.multiply(user.now.box, (*SIZE_PX, *SIZE_PX)) for user in one.road_users]
        actors = [
            {"id": 7, "kind": "car", "box": (box - [shift_px, 0, shift_px, 0]).tolist(), "visible": 1.0}
            | {"heads": [], "speed_kmh": kmh}
            for box in boxes
        ]
        truths.append({"time_s": one.time.captured_at_s, "actors": actors})
    return truths

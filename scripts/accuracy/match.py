"""Who did it: events held against the truth, by kind, by the boxes' overlap with an actor's, and by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.scene import geometry
from pipeline.sim.types import ActKind as K
from pipeline.types import Box
from scripts.accuracy.truth import AT_A_MOMENT, EDGE_S, CameraTruth, Sighting, TrueAct

OVERLAP = 0.25
"""Least mean IoU of an event's boxes (before, at, after) with the actor's at the same times. Boxes are some
20 pixels high: a pixel each way is a third of the IoU."""
SURE, CLEARLY = 0.5, 1.5
"""An event is of another actor whose mean IoU is this high, and this many times that of the act's own: the
boxes of two who ride side by side overlap by OVERLAP and more."""
WITHIN_S = 3.0
"""An event lies no further outside the act's span than this."""
EARLY_S = 1.0
"""And before one that happens at a moment no further than this: it had not begun."""
OF_MANY = frozenset({K.CROWD.value, K.ABANDONED_OBJECT.value})
"""What no one actor does alone: told by kind and time."""


@dataclass(frozen=True, slots=True)
class Reported:
    """An event, in the film's time."""

    id: str
    camera_id: str
    rule: str
    road_user: str
    confidence: float
    moments: tuple[tuple[float, Box], tuple[float, Box], tuple[float, Box]]
    """Before, at and after: seconds since the film's first picture, and the box 0..1."""
    plate: tuple[str, bool] | None = None
    """Text, and whether the event calls it legible; None where none was looked for."""
    whole: bool = True
    """Nothing is missing from the record."""

    @property
    def time_s(self) -> float:
        return self.moments[1][0]

    @property
    def end_s(self) -> float:
        """When it was complete."""
        return self.moments[2][0]


@dataclass(frozen=True, slots=True)
class Found:
    """An act and its event."""

    true: TrueAct
    event: Reported
    overlap: float

    @property
    def late_s(self) -> float:
        return self.event.time_s - self.true.moment_s


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """An event of what nobody did."""

    event: Reported
    why: str
    """What the city says of it."""
    look_alike: str = ""
    """The legal act that was taken for one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One camera, judged."""

    camera_id: str
    found: tuple[Found, ...]
    """Acts that count."""
    also: tuple[Found, ...]
    """Acts that do not count and were found all the same."""
    missed: tuple[TrueAct, ...]
    false: tuple[FalseAlarm, ...]
    out: tuple[Reported, ...]
    """Events of the film's very start or end that fit no act: not judged. Who stops past a line as the film
    ends has done nothing yet by the city's account."""


def match(truth: CameraTruth, events: Sequence[Reported]) -> Outcome:
    """Give each event at most one act and the other way round: acts that count and best overlaps first."""
    overlaps = [overlap(truth.sightings, event.moments) for event in events]
    pairs = [
        (not true.counts, -share, row, column)
        for row, event in enumerate(events)
        for column, true in enumerate(truth.acts)
        if (share := _fits(event, true, overlaps[row])) is not None
    ]
    taken: dict[int, int] = {}
    """Act to event."""
    used: dict[int, float] = {}
    for _, share, row, column in sorted(pairs):
        if column not in taken and row not in used:
            taken[column] = row
            used[row] = -share
    hits = [Found(truth.acts[column], events[row], used[row]) for column, row in sorted(taken.items())]
    told = {(hit.true.act.kind, hit.true.act.actor_id) for hit in hits}
    # A rule reports a road user once: what else it did of the same kind is not missed then.
    missed = tuple(
        true
        for column, true in enumerate(truth.acts)
        if true.counts and column not in taken and (true.act.kind, true.act.actor_id) not in told
    )
    false, out = [], []
    for row, event in enumerate(events):
        if row in used:
            continue
        if event.time_s >= EDGE_S and event.end_s <= truth.duration_s - EDGE_S:
            again = any(pair[2] == row for pair in pairs)
            false.append(_false(truth, event, overlaps[row], again=again))
        else:
            out.append(event)
    return Outcome(
        truth.camera_id,
        tuple(hit for hit in hits if hit.true.counts),
        tuple(hit for hit in hits if not hit.true.counts),
        missed,
        tuple(false),
        tuple(out),
    )


def overlap(sightings: Mapping[int, Sighting], moments: Sequence[tuple[float, Box]]) -> dict[int, float]:
    """Mean IoU of an event's boxes, at their times, with each actor that any of them touches."""
    totals: dict[int, float] = {}
    for time_s, box in moments:
        for actor_id, seen in sightings.items():
            where = seen.box_at(time_s)
            if where is not None and (share := geometry.overlap(box, where)[0]) > 0:
                totals[actor_id] = totals.get(actor_id, 0.0) + share / len(moments)
    return totals


def _fits(event: Reported, true: TrueAct, shares: dict[int, float]) -> float | None:
    act = true.act
    early_s = EARLY_S if act.kind in AT_A_MOMENT else WITHIN_S
    if event.rule != act.kind.value or not act.start_s - early_s <= event.time_s <= act.end_s + WITHIN_S:
        return None
    share = shares.get(act.actor_id, 0.0)
    if act.kind.value in OF_MANY:
        return share
    another = max(shares.values(), default=0.0)
    return None if share < OVERLAP or another >= max(SURE, CLEARLY * share) else share


def _false(truth: CameraTruth, event: Reported, shares: dict[int, float], *, again: bool) -> FalseAlarm:
    likely = max(shares, key=lambda actor_id: shares[actor_id], default=None)
    if likely is None or shares[likely] < OVERLAP:
        return FalseAlarm(event, "nobody is there")
    who = f"{truth.sightings[likely].kind} {likely}"
    if again:
        return FalseAlarm(event, f"{who} was reported before")
    near = [
        act
        for act in (*(true.act for true in truth.acts), *truth.look_alikes)
        if act.actor_id == likely and act.start_s - WITHIN_S <= event.time_s <= act.end_s + WITHIN_S
    ]
    legal = next((act.kind.value for act in near if act.kind.value.startswith("legal.")), "")
    did = ", ".join(sorted({act.kind.value for act in near})) or "nothing of note"
    return FalseAlarm(event, f"{who} did {did}", legal)


def percentile(values: Sequence[float], share: float) -> float | None:
    """None of nothing."""
    return float(np.percentile(values, share)) if len(values) else None

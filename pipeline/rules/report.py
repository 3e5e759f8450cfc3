"""The hit as most rules report it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track
from pipeline.types import Hit, Point


def report(
    rule: str,
    moment: Moment,
    track: Track,
    shown: tuple[Step, Step, Step],
    sure: Sequence[float],
    facts: Mapping[str, Any],
    geometry: Mapping[str, Sequence[Point]],
) -> Hit:
    """A hit with the boxes of `shown`: before, at the decisive moment, after.

    Confidence is the geometric mean of the share of the vote for the track's class, the mean confidence of
    the three boxes, and what the rule itself knows of how `sure` it is, each 0..1.
    """
    before, at, after = shown
    boxes = sum(step.raw.confidence for step in shown) / len(shown)
    parts = [min(max(part, 0.0), 1.0) for part in (track.kind_confidence, boxes, *sure)]
    return Hit(
        rule=rule,
        camera_id=moment.observation.camera_id,
        track_id=track.id,
        kind=track.kind,
        before=before.raw,
        at=at.raw,
        after=after.raw,
        confidence=math.prod(parts) ** (1 / len(parts)),
        time=at.time,
        facts=facts,
        geometry=geometry,
    )

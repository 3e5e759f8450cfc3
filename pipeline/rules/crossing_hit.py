"""The hit of a crossing on red, as red_light and stop_line both report it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.rules.crossing import Passage
from pipeline.rules.lengths import beyond_heights
from pipeline.rules.moments import Moment
from pipeline.rules.step import Step, Track
from pipeline.scene import Scene
from pipeline.types import Hit, LampColor, SignalState

CLEAR_RED_S = 2.0
"""Red for this long leaves no doubt about the moment of change."""

SHOWN_S = 10.0
"""What the lamps showed is told from this long before the hit on, or from before the crossing."""


def red_movements(passage: Passage, grace_s: float) -> dict[str, SignalState]:
    """Movements whose lamp was steadily red, for `grace_s` at least, when the line was crossed."""
    red = {}
    for name, movement in passage.line.movements.items():
        state = passage.lamps.get(movement.lamp) if movement.lamp is not None else None
        if (
            state is not None
            and state.color is LampColor.RED
            and passage.crossed_s - state.since_s >= grace_s
        ):
            red[name] = state
    return red


def crossing_hit(
    rule: str,
    scene: Scene,
    moment: Moment,
    track: Track,
    passage: Passage,
    after: Step,
    lamp: SignalState,
    facts: Mapping[str, Any],
) -> Hit:
    """The hit, with the facts every crossing has and those of the rule itself.

    Confidence is the geometric mean of: the lamp's own confidence; the share of the vote for the vehicle's
    class; the mean confidence of its boxes before, at and after the line; and how long the lamp had been red,
    as a share of CLEAR_RED_S.
    """
    line = passage.line
    boxes = (passage.before.raw, passage.at.raw, after.raw)
    red_age_s = passage.crossed_s - lamp.since_s
    parts = (
        lamp.confidence,
        track.kind_confidence,
        sum(box.confidence for box in boxes) / len(boxes),
        red_age_s / CLEAR_RED_S,
    )
    product = 1.0
    for part in parts:
        product *= min(max(part, 0.0), 1.0)
    drawn = {f"stop_line {line.id}": line.settings.line}
    if line.settings.junction.area is not None:
        drawn[f"junction {line.id}"] = line.settings.junction.area
    if line.settings.junction.clearance is not None:
        drawn[f"clearance {line.id}"] = line.settings.junction.clearance
    return Hit(
        rule=rule,
        camera_id=moment.observation.camera_id,
        track_id=track.id,
        kind=track.kind,
        before=boxes[0],
        at=boxes[1],
        after=boxes[2],
        confidence=product ** (1 / len(parts)),
        time=passage.at.time,
        facts={
            "stop_line": line.id,
            "lamp": lamp.lamp_id,
            "lamp_color": lamp.color.value,
            "lamp_color_before": moment.lamps.color(lamp.lamp_id, passage.before.time_s).value,
            "lamp_color_after": moment.lamps.color(lamp.lamp_id, after.time_s).value,
            "lamp_shown": _shown(moment, passage),
            "red_since_s": round(lamp.since_s, 3),
            "red_age_s": round(red_age_s, 3),
            "crossed_s": round(passage.crossed_s, 3),
            "speed_at_line_box_heights_s": round(passage.at.speed, 2),
            "beyond_line_box_heights": round(beyond_heights(line, after), 2),
            "stood_s": round(passage.stood_s, 2),
            **facts,
        },
        geometry=drawn,
        lamps={
            head.id: (head.box, passage.lamps[head.id].color)
            for head in scene.settings.lamps
            if head.id in passage.lamps
        },
    )


def _shown(moment: Moment, passage: Passage) -> dict[str, list[list[Any]]]:
    """What each lamp of the stop line showed up to now, as [from, until, colour] in epoch s."""
    from_s = min(moment.observation.time.captured_at_s - SHOWN_S, passage.before.time_s)
    lamps = {m.lamp for m in passage.line.movements.values() if m.lamp is not None}
    return {
        lamp: [[round(a, 3), round(b, 3), color.value] for a, b, color in moment.lamps.runs(lamp, from_s)]
        for lamp in sorted(lamps)
    }

"""The truth as JSON lines: one file a camera for what every picture shows, one a run for what happened.

Frames, one line each, times in seconds since the scenario's start:

    {"time_s": 1.04, "frame": 26,
     "actors": [{"id": 7, "kind": "motorbike", "box": [l, t, r, b], "visible": 0.93,
                 "position_m": [x, y], "heading_rad": 1.57, "speed_kmh": 31.2,
                 "plate": {"text": "70A112345", "lines": 2, "color": "white", "box": [...],
                           "char_px": 9.5},
                 "helmets": [true, false], "heads": [[l, t, r, b, true], ...]}],
     "lamps": [{"id": "S.ball", "color": "red", "lit": true}]}

Boxes are pixels of the main stream, left, top, right, bottom, around what can be seen; `visible` is the share
0..1 of its own pixels that nothing hides. `plate` is null for those without; its box and the height of its
characters are null and 0 where it cannot be seen. `helmets` has one entry a rider, the driver first; `heads`
are those that can be seen.

Acts, one line each, in order of their decisive moments:

    {"kind": "red_light", "actor_id": 7, "start_s": 12.1, "decisive_s": 12.1, "end_s": 13.0,
     "place": "S.line"}

Kinds are those of pipeline.sim.types.ActKind; those that begin with "legal." are no violations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.sim.errors import SimError
from pipeline.sim.types import Act, ActKind, Actor, Moment, Seen


class TruthError(SimError):
    """A truth file that cannot be read; the message names file and line."""


def frame_line(moment: Moment, seen: Iterable[Seen], frame: int) -> str:
    """One picture's truth as a line of JSON, without its line break."""
    actors = {actor.id: actor for actor in moment.actors}
    line = {
        "time_s": round(moment.time_s, 4),
        "frame": frame,
        "actors": [_actor(actors[one.actor_id], one) for one in seen],
        "lamps": [{"id": lamp.head_id, "color": lamp.color.value, "lit": lamp.lit} for lamp in moment.lamps],
    }
    return json.dumps(line, separators=(",", ":"))


def _actor(actor: Actor, seen: Seen) -> dict[str, Any]:
    plate = None
    if actor.plate is not None:
        plate = asdict(actor.plate) | {
            "box": _round(seen.plate_box) if seen.plate_box else None,
            "char_px": round(seen.plate_char_px, 1),
        }
    return {
        "id": actor.id,
        "kind": str(actor.kind),
        "box": _round(seen.box),
        "visible": round(seen.visible, 3),
        "position_m": _round(actor.position, 3),
        "heading_rad": round(actor.heading, 4),
        "speed_kmh": round(actor.speed_mps * 3.6, 2),
        "plate": plate,
        "helmets": [rider.helmet for rider in actor.riders],
        "heads": [[*_round(head[:4]), head[4]] for head in seen.heads],
    }


def _round(values: Iterable[float], digits: int = 1) -> list[float]:
    return [round(float(value), digits) for value in values]


def write_acts(path: Path, acts: Iterable[Act]) -> None:
    """All acts of a run."""
    lines = (json.dumps(asdict(act), separators=(",", ":")) for act in acts)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_acts(path: Path) -> tuple[Act, ...]:
    """What write_acts wrote. Raises TruthError."""
    return tuple(_act(path, number, data) for number, data in _lines(path))


def read_frames(path: Path) -> Iterator[Mapping[str, Any]]:
    """The frames of one camera as written by frame_line, one at a time. Raises TruthError."""
    for _, data in _lines(path):
        yield data


def _act(path: Path, number: int, data: Mapping[str, Any]) -> Act:
    try:
        return Act(**{**data, "kind": ActKind(data["kind"])})
    except (KeyError, TypeError, ValueError) as error:
        raise TruthError(
            f"{path}:{number}: not an act of the city ({error}); render the scenario anew"
        ) from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                data = json.loads(line)
                if not isinstance(data, dict):
                    raise TruthError(f"{path}:{number}: not a mapping; render the scenario anew")
                yield number, data
    except (OSError, json.JSONDecodeError) as error:
        raise TruthError(f"{path}: cannot be read ({error}); render the scenario anew") from error

"""A back-test for the scene editor, in a process of its own: `python -m pipeline.worker.trial`.

Reads what to try from standard input and writes what came of it, both JSON: the worker's flow must not wait
for it, and one that takes too long is ended.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.config.load import ConfigError, load_scene
from pipeline.rules import RuleError
from pipeline.tracks.errors import TracksError
from pipeline.tracks.store import StoredTracks
from pipeline.worker.backtest import Change, caveats, compare, counted, on_trial, replay

MOST_LISTED = 200
AROUND_S = 5.0
"""Of a road user's way is told what lies no further before and after the act."""
AHEAD_S = 60.0
"""A camera's clock may be ahead of the box's by some seconds."""
NICE = 10


def main() -> None:
    """Try once."""
    os.nice(NICE)
    asked = json.load(sys.stdin)
    try:
        found = tried(**asked)
    except (ConfigError, RuleError, TracksError) as error:
        found = {"refused": str(error)}
    json.dump(found, sys.stdout)


def tried(*, tracks: str, camera: str, scene: str, against: str, hours: float) -> dict[str, Any]:
    """What two scenes, as text, make of a camera's newest hours of stored tracks.

    Raises ConfigError, RuleError or TracksError.
    """
    stored = StoredTracks(Path(tracks))
    runs = stored.places(camera)
    if not runs:
        raise TracksError(f"no tracks of camera {camera} are stored yet")
    ends_s = [place.last_s for run in runs for place in run]
    # What was stored while the box's clock was ahead is not the newest; unless all of it lies ahead of now.
    latest_s = time.time() + AHEAD_S
    newest_s = max((end_s for end_s in ends_s if end_s < latest_s), default=max(ends_s))
    settings, other = load_scene(Path("scene"), scene), load_scene(Path("scene in force"), against)
    until_s = math.nextafter(newest_s, math.inf)
    replayed = replay(stored, camera, [settings, other], from_s=newest_s - hours * 3600, to_s=until_s)
    changes = compare(replayed.found[1], replayed.found[0])
    told = [change for change in changes if change.outcome != "same"]
    return {
        "frames": replayed.frames,
        "from_s": replayed.from_s if replayed.frames else None,
        "to_s": replayed.to_s if replayed.frames else None,
        "rules": {rule: dict(outcomes) for rule, outcomes in counted(changes).items()},
        "changes": [_told(change) for change in told[-MOST_LISTED:]],
        "changes_in_all": len(told),
        "caveats": [
            *caveats(settings, other, replayed),
            *(f"{rule}: {said}" for rule, said in on_trial(settings, other).items()),
        ],
    }


def _told(change: Change) -> dict[str, Any]:
    hit = change.found.hit
    at_s = hit.at.time_s
    return {
        "outcome": change.outcome,
        "rule": hit.rule,
        "track": hit.track_id,
        "road_user": hit.kind.value,
        "at_s": at_s,
        "moved_s": round(change.moved_s, 3),
        "at": [round(v, 4) for v in hit.at.ground],
        "way": [
            [round(x, 4), round(y, 4)]
            for time_s, (x, y) in change.found.way
            if abs(time_s - at_s) <= AROUND_S and math.isfinite(x) and math.isfinite(y)
        ],
    }


if __name__ == "__main__":
    main()

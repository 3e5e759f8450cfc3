"""`ngatu backtest`: try a changed scene on stored traffic before it goes live."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from pydantic_core import to_jsonable_python
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.cli.common import AsJson, ConfigFile, err, fail, load, out, print_json

if TYPE_CHECKING:
    from pipeline.scene import SceneSettings
    from pipeline.types import Picture
    from pipeline.worker.backtest import Change, Found, Replayed

LISTED = 20
"""Changed hits of one camera that are listed one by one."""


def backtest(
    config_file: ConfigFile,
    tracks: Annotated[Path, typer.Option(help="Stored tracks: a worker's data_dir/tracks.", metavar="DIR")],
    against: Annotated[
        Path | None, typer.Option(help="Configuration to hold it against, usually the one in force.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Only this camera.")] = None,
    from_time: Annotated[
        str | None, typer.Option("--from", help="Not before: 2026-01-31T06:00, this machine's local time.")
    ] = None,
    to_time: Annotated[str | None, typer.Option("--to", help="Before: the same.")] = None,
    pictures: Annotated[Path, typer.Option(help="Folder for one picture a camera.", metavar="DIR")] = Path(
        "backtest"
    ),
    stills: Annotated[
        Path | None,
        typer.Option(
            help="Folder with pictures to draw on, CAMERA.jpg or CAMERA.png; the references that the worker "
            "keeps in its data_dir unless given.",
            metavar="DIR",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run CONFIG's rules over stored tracks; with --against, tell and draw what changes from another's.

    Tracks are stored where the worker's configuration says `tracks: enabled: true`.
    """
    from pipeline.rules import RuleError
    from pipeline.tracks.errors import TracksError
    from pipeline.tracks.store import StoredTracks
    from pipeline.worker import backtest as testing

    span = _span(from_time, to_time)
    if stills is not None and not stills.is_dir():
        fail(f"--stills {stills}: is no folder")
    config, scenes = load(config_file)
    other_config, others = load(against) if against else (None, None)
    stills = stills or config.worker.data_dir / "references"
    done: list[_Tested] = []
    try:
        stored = StoredTracks(tracks)
        for camera_id in _cameras(stored.cameras, scenes, others, camera):
            scene, other = scenes[camera_id], others[camera_id] if others else None
            still = _still(stills, camera_id)
            with _progress(camera_id) as tell:
                replayed = testing.replay(
                    stored,
                    camera_id,
                    [scene] if other is None else [scene, other],
                    from_s=span[0],
                    to_s=span[1],
                    progress=tell,
                )
            tested = _Tested(
                camera_id,
                scene,
                other,
                replayed,
                testing.compare(replayed.found[1] if other is not None else [], replayed.found[0]),
            )
            if not replayed.frames:
                tested.caveats += _elsewhere(stored.span(camera_id))
            else:
                if other_config is not None:
                    tested.caveats += _differing(testing.differing(config, other_config, camera_id))
                tested.caveats += testing.caveats(scene, other, replayed)
                if still is None:
                    err.print(f"no still of {camera_id} in {stills}: drawn on a plain ground", markup=False)
                tested.picture = _draw(pictures, still, tested)
            for caveat in tested.caveats:
                err.print(f"{camera_id}: {caveat}", markup=False)
            done.append(tested)
            if not as_json:
                _print(tested)
    except (RuleError, TracksError) as error:
        fail(str(error))
    if as_json:
        print_json({"cameras": [_json(tested) for tested in done]})


@dataclass(slots=True)
class _Tested:
    """One camera's back-test."""

    camera_id: str
    scene: SceneSettings
    other: SceneSettings | None
    replayed: Replayed
    changes: list[Change]
    caveats: list[str] = field(default_factory=list)
    picture: Path | None = None
    """None where there was nothing to draw."""


def _span(from_time: str | None, to_time: str | None) -> tuple[float | None, float | None]:
    from_s, to_s = _moment("--from", from_time), _moment("--to", to_time)
    if from_s is not None and to_s is not None and from_s >= to_s:
        fail(f"--from {from_time} is not before --to {to_time}")
    return from_s, to_s


def _moment(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        fail(f"{option} {text}: must be a time such as 2026-01-31T06:00 or 2026-01-31T06:00+07:00")


def _elsewhere(span: tuple[float, float] | None) -> Iterator[str]:
    if span is not None:
        yield f"tracks are stored from {_clock(span[0])} to {_clock(span[1])}"


def _differing(keys: Sequence[str]) -> Iterator[str]:
    if keys:
        verb = "differs" if len(keys) == 1 else "differ"
        yield f"{', '.join(keys)} {verb}: tracks are those that were followed live, with the settings of then"


def _cameras(
    stored: Sequence[str],
    scenes: dict[str, SceneSettings],
    others: dict[str, SceneSettings] | None,
    only: str | None,
) -> list[str]:
    """Those that have tracks and a scene in every configuration; says which are left out."""
    if only is not None and only not in scenes:
        fail(f"the configuration has no camera {only}; known: {', '.join(scenes)}")
    wanted = [only] if only is not None else list(scenes)
    found = []
    for camera_id in wanted:
        if camera_id not in stored:
            err.print(f"{camera_id}: no stored tracks", markup=False)
        elif others is not None and camera_id not in others:
            err.print(f"{camera_id}: not in the configuration to hold it against", markup=False)
        else:
            found.append(camera_id)
    if not found:
        fail(f"nothing to test; tracks are there of {', '.join(stored)}")
    return found


@contextmanager
def _progress(camera_id: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while a camera's tracks are read."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(camera_id, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _draw(folder: Path, still: Picture | None, tested: _Tested) -> Path:
    import cv2

    from pipeline.worker.backtest_picture import draw

    replayed = tested.replayed
    picture = draw(
        tested.scene,
        tested.other,
        tested.changes,
        title=f"{tested.camera_id}: {_clock(replayed.from_s)} to {_clock(replayed.to_s)}",
        size=replayed.picture_size,
        background=still,
    )
    path = folder / f"{tested.camera_id}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror or error}; choose another folder with --pictures")
    return path


def _still(folder: Path, camera_id: str) -> Picture | None:
    """The newest of CAMERA.jpg, CAMERA.png, and the references that a worker keeps."""
    import cv2

    named = re.compile(rf"{re.escape(camera_id)}(-[0-9a-f]{{12}})?\.(jpg|png)")
    try:
        known = [path for path in folder.glob(f"{camera_id}*") if named.fullmatch(path.name)]
    except PermissionError:
        return None  # another user's: the tracks may be a copy
    if not known:
        return None
    newest = max(known, key=lambda path: path.stat().st_mtime)
    picture = cv2.imread(str(newest), cv2.IMREAD_COLOR)
    if picture is None:
        fail(f"{newest}: is no picture")
    return np.asarray(picture, np.uint8)


def _clock(time_s: float) -> str:
    return datetime.fromtimestamp(time_s).astimezone().isoformat(sep=" ", timespec="seconds")


def _print(tested: _Tested) -> None:
    from pipeline.worker.backtest import counted, on_trial

    camera_id, replayed, compared = tested.camera_id, tested.replayed, tested.other is not None
    if not replayed.frames:
        out.print(f"{camera_id}: no tracks in this span of time", markup=False)
        return
    out.print(
        f"{camera_id}: {replayed.frames} frames, {_clock(replayed.from_s)} to {_clock(replayed.to_s)}",
        markup=False,
    )
    outcomes = ("new", "gone", "moved", "same") if compared else ("new",)
    table = Table("rule", *(outcomes if compared else ("hits",)), "", box=None, pad_edge=False)
    found, trials = counted(tested.changes), on_trial(tested.scene, tested.other)
    for rule in sorted(found.keys() | trials.keys()):
        counts = found.get(rule, Counter())
        table.add_row(rule, *(str(counts[outcome]) for outcome in outcomes), trials.get(rule, ""))
    out.print(table)
    told = [change for change in tested.changes if compared and change.outcome != "same"]
    for change in told[:LISTED]:
        hit, later = change.found.hit, f"{change.moved_s:+.2f} s" if change.outcome == "moved" else ""
        who = f"{hit.kind.value} #{hit.track_id}"
        out.print(
            f"  {change.outcome:<6} {_clock(hit.at.time_s)}  {hit.rule:<16} {who}  {later}", markup=False
        )
    if len(told) > LISTED:
        out.print(f"  and {len(told) - LISTED} more (--json lists all)")
    out.print(f"  drawn: {tested.picture}", markup=False)


def _json(tested: _Tested) -> dict[str, Any]:
    """See docs/backtest.md."""
    from pipeline.worker.backtest import counted

    replayed, compared = tested.replayed, tested.other is not None
    return {
        "camera": tested.camera_id,
        "frames": replayed.frames,
        "from_s": replayed.from_s if replayed.frames else None,
        "to_s": replayed.to_s if replayed.frames else None,
        "rules": {
            rule: dict(counts) if compared else {"hits": counts.total()}
            for rule, counts in counted(tested.changes).items()
        },
        "shadow": {"now": _shadow(tested.scene), "before": _shadow(tested.other)},
        "caveats": tested.caveats,
        "hits": [
            {
                "outcome": change.outcome if compared else None,
                "moved_s": round(change.moved_s, 3),
                **_hit(change.found),
            }
            for change in tested.changes
        ],
        "picture": str(tested.picture) if tested.picture is not None else None,
    }


def _shadow(scene: SceneSettings | None) -> list[str] | None:
    """Rules on trial."""
    from pipeline.worker.backtest import shadows

    return None if scene is None else [rule for rule, shadow in shadows(scene).items() if shadow]


def _hit(found: Found) -> dict[str, Any]:
    hit = found.hit
    return {
        "rule": hit.rule,
        "track": hit.track_id,
        "road_user": hit.kind.value,
        "at_s": hit.at.time_s,
        "confidence": round(hit.confidence, 3),
        "shadow": hit.shadow,
        "facts": to_jsonable_python(dict(hit.facts), inf_nan_mode="null", fallback=str),
    }

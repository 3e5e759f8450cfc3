"""`ngatu backtest`: try a changed scene on stored traffic before it goes live."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
            help="Folder with pictures named CAMERA*.jpg or .png to draw on; the references that the worker "
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

    span = (_moment("--from", from_time), _moment("--to", to_time))
    config, scenes = load(config_file)
    others = load(against)[1] if against else None
    stills = stills or config.worker.data_dir / "references"
    try:
        stored = StoredTracks(tracks)
        for camera_id in _cameras(stored.cameras, scenes, others, camera):
            scene, other = scenes[camera_id], others[camera_id] if others else None
            with _progress(camera_id) as tell:
                replayed = testing.replay(
                    stored,
                    camera_id,
                    [scene] if other is None else [scene, other],
                    from_s=span[0],
                    to_s=span[1],
                    progress=tell,
                )
            before = replayed.found[1] if other is not None else []
            changes = testing.compare(before, replayed.found[0])
            for caveat in testing.caveats(scene, other, replayed):
                err.print(f"{camera_id}: {caveat}", markup=False)
            picture = _draw(pictures, stills, camera_id, (scene, other), changes, replayed)
            if as_json:
                print_json(_json(camera_id, replayed, changes, picture, compared=other is not None))
            else:
                _print(camera_id, replayed, changes, picture, compared=other is not None)
    except (RuleError, TracksError) as error:
        fail(str(error))


def _moment(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        fail(f"{option} {text}: must be a time such as 2026-01-31T06:00 or 2026-01-31T06:00+07:00")


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


def _draw(
    folder: Path,
    stills: Path,
    camera_id: str,
    scenes: tuple[SceneSettings, SceneSettings | None],
    changes: Sequence[Change],
    replayed: Replayed,
) -> Path:
    import cv2

    from pipeline.worker.backtest_picture import draw

    span = f"{_clock(replayed.from_s)} to {_clock(replayed.to_s)}" if replayed.frames else "no tracks"
    picture = draw(
        *scenes,
        changes,
        title=f"{camera_id}: {span}",
        size=replayed.picture_size,
        background=_still(stills, camera_id),
    )
    path = folder / f"{camera_id}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror or error}; choose another folder with --pictures")
    return path


def _still(folder: Path, camera_id: str) -> Picture | None:
    import cv2

    named = re.compile(rf"{re.escape(camera_id)}(-[0-9a-f]{{12}})?\.(jpg|png)")
    known = [path for path in folder.glob(f"{camera_id}*") if named.fullmatch(path.name)]
    if not known:
        return None
    newest = max(known, key=lambda path: path.stat().st_mtime)
    picture = cv2.imread(str(newest), cv2.IMREAD_COLOR)
    if picture is None:
        fail(f"{newest}: is no picture")
    return np.asarray(picture, np.uint8)


def _clock(time_s: float) -> str:
    return datetime.fromtimestamp(time_s).astimezone().isoformat(sep=" ", timespec="seconds")


def _counted(changes: Sequence[Change]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for change in changes:
        counts.setdefault(change.found.hit.rule, Counter())[change.outcome] += 1
    return dict(sorted(counts.items()))


def _print(
    camera_id: str, replayed: Replayed, changes: Sequence[Change], picture: Path, *, compared: bool
) -> None:
    if replayed.frames:
        out.print(
            f"{camera_id}: {replayed.frames} frames, {_clock(replayed.from_s)} to {_clock(replayed.to_s)}",
            markup=False,
        )
    else:
        out.print(f"{camera_id}: no tracks in this span of time", markup=False)
    outcomes = ("new", "gone", "moved", "same") if compared else ("new",)
    table = Table("rule", *(outcomes if compared else ("hits",)), box=None, pad_edge=False)
    for rule, counts in _counted(changes).items():
        table.add_row(rule, *(str(counts[outcome]) for outcome in outcomes))
    out.print(table)
    told = [change for change in changes if compared and change.outcome != "same"]
    for change in told[:LISTED]:
        hit, later = change.found.hit, f"{change.moved_s:+.2f} s" if change.outcome == "moved" else ""
        who = f"{hit.kind.value} #{hit.track_id}"
        out.print(
            f"  {change.outcome:<6} {_clock(hit.at.time_s)}  {hit.rule:<16} {who}  {later}", markup=False
        )
    if len(told) > LISTED:
        out.print(f"  and {len(told) - LISTED} more (--json lists all)")
    out.print(f"  drawn: {picture}", markup=False)


def _json(
    camera_id: str, replayed: Replayed, changes: Sequence[Change], picture: Path, *, compared: bool
) -> dict[str, Any]:
    return {
        "camera": camera_id,
        "frames": replayed.frames,
        "from_s": replayed.from_s if replayed.frames else None,
        "to_s": replayed.to_s if replayed.frames else None,
        "rules": {
            rule: dict(counts) if compared else {"hits": counts.total()}
            for rule, counts in _counted(changes).items()
        },
        "hits": [
            {
                "outcome": change.outcome if compared else None,
                "moved_s": round(change.moved_s, 3),
                **_hit(change.found),
            }
            for change in changes
        ],
        "picture": str(picture),
    }


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

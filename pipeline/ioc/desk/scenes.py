"""Scenes of cameras: drawn in the console, checked as `ngatu check` does, tried on stored tracks, saved as
the worker's own YAML, every version kept.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pipeline.config.amend import AmendError, amend
from pipeline.config.document import ConfigError, read
from pipeline.config.load import load_scene
from pipeline.ioc.desk.cameras import Boxes, CameraError
from pipeline.ioc.people import Person
from pipeline.ioc.store import Database, audit, clock
from pipeline.ioc.store.models import SceneVersion
from pipeline.rules import RULES
from pipeline.scene import Calibration, SceneSettings
from pipeline.scene.grid import HEAVY_EVERY, Grid
from pipeline.scene.settings import NAMED

LISTED = 100
"""Versions of one camera that are listed; all are kept."""
DIFF_LINES = 2000
_FILE = Path("scene")
_PROBLEM = re.compile(
    r"(?s)scene(?::(?P<line>\d+))?: (?:(?P<where>[a-z_]+(?:\.[A-Za-z0-9_.-]+|\[\d+\])*): )?(?P<text>.*)"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody has drawn, and what they started from."""

    data: dict[str, Any]
    version: int
    """Whose text it is written back into: comments of unchanged parts stay."""


class SceneDesk:
    """Threads may share it."""

    def __init__(self, database: Database, boxes: Boxes) -> None:
        self._database, self._boxes = database, boxes

    def scene(self, person: Person, camera_id: str) -> dict[str, Any]:
        """The scene file as it is on the worker, and its versions. Raises CameraError.

        A file that was changed by hand becomes a version without an author.
        """
        told = self._boxes.told(person, camera_id)
        text = self._boxes.scene(person, camera_id)
        sha256 = _sha256(text)
        number = self._number_of(camera_id, text, sha256)
        data, unreadable = _data(text)
        return {
            "camera": {
                name: told.get(name) for name in ("id", "name", "place", "state", "fits_scene", "notice")
            },
            "data": data,
            "unreadable": unreadable,
            "etag": sha256,
            "in_force": told.get("scene_sha256"),
            "version": number,
            "versions": self.versions(camera_id),
            "rules": {name: rule.parameters.model_json_schema() for name, rule in RULES.items()},
        }

    def versions(self, camera_id: str) -> list[dict[str, Any]]:
        """Newest first."""
        wanted = (
            select(SceneVersion)
            .where(SceneVersion.camera == camera_id)
            .order_by(SceneVersion.number.desc())
            .limit(LISTED)
        )
        with self._database.read() as session:
            names = ("number", "at_ms", "author", "note", "sha256")
            return [{name: getattr(one, name) for name in names} for one in session.scalars(wanted)]

    def version(self, person: Person, camera_id: str, number: int) -> dict[str, Any]:
        """One version whole, and how it differs from the one before. Raises CameraError."""
        self._boxes.told(person, camera_id)
        one = self._version(camera_id, number)
        before = self._version(camera_id, number - 1).text if number > 1 else ""
        return {
            "number": number,
            "data": _data(one.text)[0],
            "text": one.text,
            "diff": _diff(before, one.text) if number > 1 else [],
        }

    def check(self, person: Person, camera_id: str, draft: Draft) -> dict[str, Any]:
        """What `ngatu check` says of it, here and with the worker's model and stream; its YAML and how that
        differs; its calibration. Raises CameraError.
        """
        self._boxes.told(person, camera_id)
        before = self._version(camera_id, draft.version).text
        text = _written(before, draft.data)
        found: dict[str, Any] = {
            "text": text,
            "diff": _diff(self._boxes.scene(person, camera_id), text),
            "problems": [],
            "findings": [],
            "calibration": None,
        }
        try:
            scene = load_scene(_FILE, text)
        except ConfigError as error:
            found["problems"] = [_problem(problem, draft.data) for problem in error.problems]
            found["calibration"] = _calibration_alone(draft.data)
            return found
        if scene.calibration is not None:
            found["calibration"] = _fit(scene.calibration.fitted())
        found["findings"] = self._boxes.findings(person, camera_id, text)
        return found

    def tried(self, person: Person, camera_id: str, draft: Draft, hours: float) -> dict[str, Any]:
        """What it would change on the worker's stored tracks. Raises CameraError."""
        return self._boxes.tried(person, camera_id, self._sound(camera_id, draft), hours)

    def save(self, person: Person, camera_id: str, draft: Draft, etag: str, note: str) -> dict[str, Any]:
        """Keep it as the next version and put it on the worker, which takes it up within seconds.

        `etag`: SHA-256 of the file that was looked at. Raises CameraError; then the worker goes on with the
        scene that it has, and the version is kept all the same.
        """
        self._boxes.told(person, camera_id)
        text = self._sound(camera_id, draft)
        if _sha256(self._boxes.scene(person, camera_id)) != etag:
            raise CameraError(412, "changed", "the scene was changed meanwhile: look at it anew")
        sha256 = _sha256(text)
        if sha256 == etag:
            raise CameraError(422, "same", "nothing has been changed")
        detail = {"sha256": sha256, "from": draft.version, "note": note}
        try:
            with self._database.write() as session:
                number = _next(session, camera_id)
                session.add(
                    SceneVersion(
                        camera=camera_id,
                        number=number,
                        at_ms=clock.now_ms(),
                        author=person.name,
                        note=note,
                        text=text,
                        sha256=sha256,
                    )
                )
                audit.append(session, person.name, "scene.save", camera_id, {"version": number, **detail})
        except IntegrityError:
            raise CameraError(412, "changed", "the scene was changed meanwhile: look at it anew") from None
        try:
            self._boxes.put(person, camera_id, text, etag)
        except CameraError as error:
            with self._database.write() as session:
                told = {"version": number, "reason": str(error)[:300]}
                audit.append(session, person.name, "scene.refused", camera_id, told)
            raise
        return {"version": number, "etag": sha256}

    def _sound(self, camera_id: str, draft: Draft) -> str:
        text = _written(self._version(camera_id, draft.version).text, draft.data)
        try:
            load_scene(_FILE, text)
        except ConfigError as error:
            first = _problem(error.problems[0], draft.data)
            told = f"{first['item'] or first['where']}: {first['text']}"
            raise CameraError(422, "problems", f"this scene cannot be: {told}") from None
        return text

    def _version(self, camera_id: str, number: int) -> SceneVersion:
        with self._database.read() as session:
            found = session.get(SceneVersion, (camera_id, number))
        if found is None:
            raise CameraError(404, "no_version", f"there is no version {number} of this scene")
        return found

    def _number_of(self, camera_id: str, text: str, sha256: str) -> int:
        """The newest version of this content; one is made where there is none."""
        known = select(func.max(SceneVersion.number)).where(
            SceneVersion.camera == camera_id, SceneVersion.sha256 == sha256
        )
        with self._database.read() as session:
            number = session.scalar(known)
        if number is not None:
            return int(number)
        try:
            with self._database.write() as session:
                made = _next(session, camera_id)
                session.add(
                    SceneVersion(
                        camera=camera_id,
                        number=made,
                        at_ms=clock.now_ms(),
                        author="",
                        note="",
                        # PostgreSQL keeps no NUL; a file that holds one is no scene anyway.
                        text=text.replace("\x00", "\ufffd"),
                        sha256=sha256,
                    )
                )
                return made
        except IntegrityError:
            # Somebody else looked at the same moment.
            return self._number_of(camera_id, text, sha256)


def _next(session: Session, camera_id: str) -> int:
    newest = session.scalar(select(func.max(SceneVersion.number)).where(SceneVersion.camera == camera_id))
    return int(newest or 0) + 1


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _data(text: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What a scene file holds; or nothing, and the problem for which nothing of it can be drawn."""
    try:
        found: dict[str, Any] = read(_FILE, text).data
        if not _drawable(found):
            load_scene(_FILE, text)
    except ConfigError as error:
        return {}, _problem(error.problems[0], {})
    except yaml.YAMLError as error:
        return {}, _problem(str(error), {})
    return found, None


def _drawable(data: dict[str, Any]) -> bool:
    """Whether lists are lists and items are items: all that the editor relies on to show what is wrong."""
    calibration = data.get("calibration") or {}
    if not isinstance(calibration, dict) or not isinstance(data.get("rules") or {}, dict):
        return False
    items = [one for name in NAMED for one in _list(data.get(name))] + _list(calibration.get("points"))
    corners = _list(data.get("ignore")) + _list(data.get("windows"))
    return all(isinstance(one, dict) for one in items) and all(isinstance(one, list) for one in corners)


def _list(value: Any) -> list[Any]:
    """What stands in its place; where that is no list, an item that is none."""
    return value if isinstance(value, list) else [] if value is None else [None]


def _written(before: str, data: dict[str, Any]) -> str:
    try:
        return amend(before, data)
    except AmendError as error:
        raise CameraError(422, "problems", f"this is no scene: {error}") from None


def _diff(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++"))][:DIFF_LINES]


def _problem(problem: str, data: dict[str, Any]) -> dict[str, Any]:
    """A line of ConfigError: where it is, the item's own name, and what is wrong."""
    found = _PROBLEM.fullmatch(problem)
    if found is None:
        return {"line": None, "where": "", "item": "", "text": problem}
    where = found["where"] or ""
    line = int(found["line"]) if found["line"] else None
    return {"line": line, "where": where, "item": _item(where, data), "text": found["text"]}


def _item(where: str, data: dict[str, Any]) -> str:
    place = re.match(r"([a-z_]+)\[(\d+)\]", where)
    if place is None:
        return ""
    items = data.get(place[1])
    item = items[int(place[2])] if isinstance(items, list) and int(place[2]) < len(items) else None
    return str(item.get("id", "")) if isinstance(item, dict) else ""


def _calibration_alone(data: dict[str, Any]) -> dict[str, Any] | None:
    """Its fit, where all else may still be wrong."""
    try:
        scene = SceneSettings.model_validate({"calibration": data.get("calibration")})
    except ValueError:
        return None
    return _fit(scene.calibration.fitted()) if scene.calibration is not None else None


def _fit(calibration: Calibration) -> dict[str, Any]:
    """Errors in metres, where the fit has the points, and a metric grid; all in 0..1 of the picture."""
    grid = Grid.of(calibration)
    left_out = calibration.leave_one_out_m()
    fitted = calibration.to_picture(calibration.ground_m)
    return {
        "rms_m": round(calibration.rms_m, 3),
        "points": [
            {
                "error_m": round(float(calibration.residuals_m[i]), 3),
                "left_out_m": None
                if left_out is None or math.isnan(left_out[i])
                else round(float(left_out[i]), 3),
                "fitted": [round(float(v), 4) for v in fitted[i]],
            }
            for i in range(len(fitted))
        ],
        "spacing_m": grid.spacing_m,
        "grid": [
            {
                "heavy": number % HEAVY_EVERY == 0,
                "points": [[round(float(x), 4), round(float(y), 4)] for x, y in points[::8]],
            }
            for number, points in grid.lines(calibration)
        ],
    }

"""For `ngatu calibrate`: surveyed points from a file, a still, and the metric grid drawn on it."""

from __future__ import annotations

import csv
import math
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from pipeline.cameras.camera import Camera
from pipeline.config import CameraSettings, StreamSettings
from pipeline.config.camera import AnalysisSettings
from pipeline.config.load import load_scene
from pipeline.scene import Calibration, CalibrationSettings
from pipeline.scene.grid import HEAVY_EVERY, Grid
from pipeline.types import CameraHealth, Picture

Floats = npt.NDArray[np.float64]
Color = tuple[int, int, int]

STILL_TIMEOUT_S = 20.0
PICTURES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp"))
COLUMNS = ("x", "y", "x_m", "y_m")
COLUMNS_PX = ("x_px", "y_px", "x_m", "y_m")

_LINE: Color = (255, 220, 60)
_HEAVY: Color = (60, 230, 255)
_GIVEN: Color = (60, 60, 255)
_FITTED: Color = (80, 255, 80)
_SHIFT = 4


class SurveyError(Exception):
    """Points or a still that cannot be used; the message names which, and what to do."""


def read_survey(path: Path, size: tuple[int, int] | None = None) -> CalibrationSettings:
    """The points of a scene file, of a file that holds nothing but its `calibration`, or of a CSV file.

    CSV columns: x_px, y_px, x_m, y_m (pixels of a picture of `size`, width and height), or x, y, x_m, y_m
    (0..1). Raises SurveyError, or ConfigError for a file that is no scene.
    """
    if path.suffix.lower() == ".csv":
        return _from_csv(path, size)
    calibration = load_scene(path).calibration
    if calibration is None:
        raise SurveyError(
            f"{path}: has no `calibration`; add its points or rectangle, see docs/calibration.md"
        )
    return calibration


def _from_csv(path: Path, size: tuple[int, int] | None) -> CalibrationSettings:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            columns = tuple(name.strip() for name in rows.fieldnames or ())
            rows.fieldnames = columns
            if columns not in (COLUMNS, COLUMNS_PX):
                raise SurveyError(
                    f"{path}:1: the columns must be {','.join(COLUMNS_PX)} or {','.join(COLUMNS)}"
                )
            if columns == COLUMNS_PX and size is None:
                raise SurveyError(f"{path}: pixels need the picture they were read from: add --still PICTURE")
            width, height = size if columns == COLUMNS_PX and size else (1, 1)
            points = []
            for row in rows:
                try:
                    x, y, x_m, y_m = (float(row[name]) for name in columns)
                except (TypeError, ValueError):
                    raise SurveyError(f"{path}:{rows.line_num}: must be four numbers") from None
                points.append({"picture": [x / width, y / height], "ground_m": [x_m, y_m]})
        return CalibrationSettings.model_validate({"points": points})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SurveyError(f"{path}: cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = first["loc"][1] + 1 if len(first["loc"]) > 1 and isinstance(first["loc"][1], int) else None
        where = f"point {place}: " if place else ""
        raise SurveyError(f"{path}: {where}{first['msg'].removeprefix('Value error, ')}") from None


def take_still(source: str | StreamSettings) -> Picture:
    """A picture file, or the first picture of a video file or stream. Raises SurveyError."""
    if isinstance(source, str) and Path(source).suffix.lower() in PICTURES:
        picture = cv2.imread(source, cv2.IMREAD_COLOR)
        if picture is None:
            raise SurveyError(f"{source}: is not there, or no picture")
        return np.asarray(picture, dtype=np.uint8)
    try:
        stream = source if isinstance(source, StreamSettings) else StreamSettings(url=_address(source))
    except ValidationError as error:
        # The address is not repeated: it may hold a password.
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise SurveyError(f"the still's address: {reason}; or take it with --config and --camera") from None
    return _first_picture(stream)


def _address(source: str) -> str:
    if "://" in source:
        return source
    path = Path(source)
    if not path.is_file():
        raise SurveyError(f"{source}: no such file")
    return path.absolute().as_uri()


def _first_picture(stream: StreamSettings) -> Picture:
    settings = CameraSettings(id="still", detect=stream, analysis=AnalysisSettings(max_width_px=7680))
    come = threading.Event()
    reasons: list[str] = []

    def on_health(health: CameraHealth) -> None:
        if health.state in ("down", "stalled"):
            reasons.append(health.reason)
            come.set()

    camera = Camera(settings, lambda _camera_id: come.set(), on_health)
    camera.start()
    try:
        come.wait(STILL_TIMEOUT_S)
        frame = camera.take()
        if frame is None:
            raise SurveyError(reasons[0] if reasons else f"{stream.public_url()} sent no picture")
        return frame.picture
    finally:
        camera.stop(2.0)


def suspect(calibration: Calibration) -> int | None:
    """The point (from 0) without which all others fit at least three times better than with it.

    None where all fit as well as they were measured, or there are too few to tell: of five, any four fit.
    """
    count = len(calibration.picture)
    if count < 6 or calibration.rms_m < 2 * calibration.ground_error_m:
        return None
    without = [calibration.without(i) for i in range(count)]
    rms = [other.rms_m if other is not None else math.inf for other in without]
    best = min(range(count), key=lambda i: rms[i])
    return best if rms[best] * 3 < calibration.rms_m else None


def draw_grid(picture: Picture, calibration: Calibration) -> tuple[Picture, float]:
    """A copy with a metric grid, the surveyed points (crosses) and where the fit has them (circles); and the
    grid's spacing in metres. Every fifth line is heavier.
    """
    canvas = picture.copy()
    height, width = picture.shape[:2]
    unit = max(1.0, height / 720)
    grid = Grid.of(calibration)
    spacing, first, last = grid.spacing_m, grid.first, grid.last
    layer = canvas.copy()
    lines = list(grid.lines(calibration))
    for heavy in (False, True):
        for number, points in lines:
            if (number % HEAVY_EVERY == 0) is heavy:
                thick, color = (2, _HEAVY) if heavy else (1, _LINE)
                ends = np.round(points * [width, height] * 2**_SHIFT).astype(np.int32)
                cv2.polylines(layer, [ends], False, color, max(1, round(unit * thick)), cv2.LINE_AA, _SHIFT)
    cv2.addWeighted(layer, 0.65, canvas, 0.35, 0, dst=canvas)
    _numbers(canvas, calibration, first, last, spacing, unit)
    fitted = calibration.to_picture(calibration.ground_m)
    for k, (given, there) in enumerate(zip(calibration.picture, fitted, strict=True)):
        a, b = _px(given, width, height), _px(there, width, height)
        cv2.line(canvas, a, b, _FITTED, round(unit), cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, b, round(7 * unit * 2**_SHIFT), _FITTED, round(unit * 1.5), cv2.LINE_AA, _SHIFT)
        at = (a[0] >> _SHIFT, a[1] >> _SHIFT)
        cv2.drawMarker(
            canvas, at, _GIVEN, cv2.MARKER_TILTED_CROSS, round(10 * unit), round(unit * 2), cv2.LINE_AA
        )
        _text(canvas, str(k + 1), (at[0] + round(9 * unit), at[1] - round(9 * unit)), unit, _GIVEN)
    _text(canvas, f"{spacing:g} m", (round(12 * unit), height - round(14 * unit)), unit * 1.4, _HEAVY)
    return canvas, spacing


def _numbers(
    canvas: Picture,
    calibration: Calibration,
    first: npt.NDArray[np.int_],
    last: npt.NDArray[np.int_],
    spacing: float,
    unit: float,
) -> None:
    """Metres at every fifth line, along the grid's two sides that are nearest to the camera's feet."""
    height, width = canvas.shape[:2]
    for axis in (0, 1):
        sides = []
        for edge in (first[1 - axis], last[1 - axis]):
            numbers = [n for n in range(first[axis], last[axis] + 1) if n % HEAVY_EVERY == 0]
            ground = np.empty((len(numbers), 2))
            ground[:, axis], ground[:, 1 - axis] = np.array(numbers) * spacing, edge * spacing
            there = calibration.to_picture(ground)
            inside = [bool(0.01 < x < 0.97 and 0.01 < y < 0.97) for x, y in there]
            sides.append(
                (sum(inside), [(n, p) for n, p, ok in zip(numbers, there, inside, strict=True) if ok])
            )
        for number, place in max(sides, key=lambda side: side[0])[1]:
            x, y = (round(v) for v in place * [width, height])
            _text(canvas, f"{number * spacing:g}", (x, y), unit, _HEAVY)


def _text(canvas: Picture, text: str, at: tuple[int, int], unit: float, color: Color) -> None:
    for ink, thick in (((0, 0, 0), 4), (color, 1)):
        cv2.putText(
            canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * unit, ink, round(thick * unit), cv2.LINE_AA
        )


def _px(place: Sequence[float] | Floats, width: int, height: int) -> tuple[int, int]:
    return round(place[0] * width * 2**_SHIFT), round(place[1] * height * 2**_SHIFT)

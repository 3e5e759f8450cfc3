"""For `ngatu calibrate`: surveyed points from a file, a still, and the metric grid drawn on it."""

from __future__ import annotations

import csv
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from pipeline.cameras.camera import Camera
from pipeline.config import CameraSettings, StreamSettings
from pipeline.config.camera import AnalysisSettings
from pipeline.config.load import load_scene
from pipeline.scene import Calibration, CalibrationSettings
from pipeline.scene.calibration import LEAST_POINTS
from pipeline.scene.grid import HEAVY_EVERY, Grid
from pipeline.scene.settings import MOST_POINTS
from pipeline.types import CameraHealth, Picture

Floats = npt.NDArray[np.float64]
Color = tuple[int, int, int]

STILL_TIMEOUT_S = 20.0
PICTURES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
COLUMNS = ("x", "y", "x_m", "y_m")
COLUMNS_PX = ("x_px", "y_px", "x_m", "y_m")

_LINE: Color = (255, 220, 60)
_HEAVY: Color = (60, 230, 255)
_GIVEN: Color = (60, 60, 255)
_FITTED: Color = (80, 255, 80)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
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
            points = [_point(f"{path}:{rows.line_num}", row, columns, size) for row in rows]
        if not LEAST_POINTS <= len(points) <= MOST_POINTS:
            raise SurveyError(
                f"{path}: needs {LEAST_POINTS} to {MOST_POINTS} points, there are {len(points)}"
            )
        return CalibrationSettings.model_validate({"points": points})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SurveyError(f"{path}: cannot be read: {error}") from None
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise SurveyError(f"{path}: {reason}") from None


def _point(
    where: str, row: dict[str | Any, str | Any], columns: tuple[str, ...], size: tuple[int, int] | None
) -> dict[str, list[float]]:
    """A row as scene files have a point. Raises SurveyError for what is no number or outside the picture."""
    try:
        values = [float(row[name]) for name in columns]
    except (TypeError, ValueError):
        values = []
    # Under None the reader puts what is beyond the columns: decimal commas make twice as many.
    if not values or not all(map(math.isfinite, values)) or any(map(str.strip, row.get(None) or ())):
        raise SurveyError(f"{where}: must be four numbers, with a point for decimals")
    x, y, x_m, y_m = values
    pixels = size if columns == COLUMNS_PX else None
    width, height = pixels or (1, 1)
    for name, value, most in ((columns[0], x, width), (columns[1], y, height)):
        if not 0 <= value <= most:
            raise SurveyError(
                f"{where}: {name} {value:g} lies outside the still ({width}x{height}): "
                "was it read in another size, or are x and y swapped?"
                if pixels
                else f"{where}: {name} {value:g} lies outside 0..1; "
                f"if it is pixels, call the columns {','.join(COLUMNS_PX)}"
            )
    return {"picture": [x / width, y / height], "ground_m": [x_m, y_m]}


def take_still(source: str | StreamSettings) -> Picture:
    """A picture file, or the first picture of a video file or stream. Raises SurveyError."""
    if isinstance(source, str) and "://" not in source:
        path = Path(source)
        if not path.is_file():
            raise SurveyError(f"{source}: no such file")
        # By what it holds: pictures come without a suffix too, or with one that is not listed here.
        picture = cv2.imread(source, cv2.IMREAD_COLOR)
        if picture is not None:
            return np.asarray(picture, dtype=np.uint8)
        if path.suffix.lower() in PICTURES:
            raise SurveyError(f"{source}: is no picture, or a damaged one")
        source = path.absolute().as_uri()
    try:
        stream = source if isinstance(source, StreamSettings) else StreamSettings(url=source)
    except ValidationError as error:
        # The address is not repeated: it may hold a password.
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise SurveyError(f"the still's address: {reason}; or take it with --config and --camera") from None
    return _first_picture(stream)


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
    grid's spacing in metres. Every fifth line is heavier and tells its x or y.
    """
    canvas = picture.copy()
    height, width = picture.shape[:2]
    unit = max(1.0, height / 720)
    grid = Grid.of(calibration)
    layer = canvas.copy()
    lines = list(grid.lines(calibration))
    for heavy in (False, True):
        for number, points in lines:
            if (number % HEAVY_EVERY == 0) is heavy:
                thick, color = (2, _HEAVY) if heavy else (1, _LINE)
                ends = np.round(points * [width, height] * 2**_SHIFT).astype(np.int32)
                cv2.polylines(layer, [ends], False, color, max(1, round(unit * thick)), cv2.LINE_AA, _SHIFT)
    cv2.addWeighted(layer, 0.65, canvas, 0.35, 0, dst=canvas)
    labels = _Labels(canvas, unit)
    fitted = calibration.to_picture(calibration.ground_m)
    for k, (given, there) in enumerate(zip(calibration.picture, fitted, strict=True)):
        a, b = _px(given, width, height), _px(there, width, height)
        cv2.line(canvas, a, b, _FITTED, round(unit), cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, b, round(7 * unit * 2**_SHIFT), _FITTED, round(unit * 1.5), cv2.LINE_AA, _SHIFT)
        at = (a[0] >> _SHIFT, a[1] >> _SHIFT)
        cv2.drawMarker(
            canvas, at, _GIVEN, cv2.MARKER_TILTED_CROSS, round(10 * unit), round(unit * 2), cv2.LINE_AA
        )
        labels.keep_clear(at, round(9 * unit))
        labels.write(str(k + 1), (at[0] + round(9 * unit), at[1] - round(9 * unit)), _GIVEN)
    labels.write(f"{grid.spacing_m:g} m", (round(12 * unit), height - round(14 * unit)), _HEAVY, 1.4)
    for axis in (0, 1):
        _numbers(labels, calibration, grid, axis, (width, height))
    return canvas, grid.spacing_m


def _numbers(labels: _Labels, calibration: Calibration, grid: Grid, axis: int, size: tuple[int, int]) -> None:
    """Metres on every fifth line across an axis; on every line where a long lens shows no fifth."""
    for step, color in ((HEAVY_EVERY, _HEAVY), (1, _LINE)):
        written = False
        for number in range(int(grid.first[axis]), int(grid.last[axis]) + 1):
            if number % step == 0:
                # Not :g, which has six digits: a national grid counts millions of metres.
                metres = f"{number * grid.spacing_m:.1f}".removesuffix(".0")
                places = _along(calibration, grid, axis, number, size)
                written |= labels.write_on(f"{'xy'[axis]} {metres}", places, color)
        if written:
            return


def _along(calibration: Calibration, grid: Grid, axis: int, number: int, size: tuple[int, int]) -> Floats:
    """(N, 2) pixels along a line of the grid, as far as it is in the picture: from its lower end, or, of one
    that is nearly level, from the right.
    """
    ground = np.empty((400, 2))
    ground[:, axis] = number * grid.spacing_m
    ground[:, 1 - axis] = np.linspace(grid.first[1 - axis], grid.last[1 - axis], len(ground)) * grid.spacing_m
    there = calibration.to_picture(ground) * size
    there = there[((there >= 0) & (there <= size)).all(axis=1)]
    low = there @ [0.1, 1.0]
    return there[::-1] if len(low) and low[-1] > low[0] else there


class _Labels:
    """Texts on a picture. Those on lines keep clear of its edges and of all that was written before."""

    def __init__(self, canvas: Picture, unit: float) -> None:
        self._canvas, self._unit = canvas, unit
        self._taken: list[tuple[int, int, int, int]] = []

    def keep_clear(self, middle: tuple[int, int], radius: int) -> None:
        """Of something drawn there, in pixels."""
        x, y = middle
        self._taken.append((x - radius, y - radius, x + radius, y + radius))

    def write(self, text: str, at: tuple[int, int], color: Color, size: float = 1.0) -> None:
        """With its lower left corner at a pixel, whatever is there."""
        scale = 0.5 * self._unit * size
        for ink, thick in (((0, 0, 0), 4), (color, 1)):
            bold = round(thick * self._unit * size)
            cv2.putText(self._canvas, text, at, _FONT, scale, ink, bold, cv2.LINE_AA)
        (wide, high), _ = cv2.getTextSize(text, _FONT, scale, 1)
        self._taken.append((at[0], at[1] - high, at[0] + wide, at[1]))

    def write_on(self, text: str, places: Floats, color: Color) -> bool:
        """Over the first of the places (N, 2), in pixels, where there is room; False where none has any."""
        (wide, high), _ = cv2.getTextSize(text, _FONT, 0.5 * self._unit, 1)
        for x, y in places:
            left, low = round(x - wide / 2), round(y + high / 2)
            if self._free(left, low - high, left + wide, low):
                self.write(text, (left, low), color)
                return True
        return False

    def _free(self, left: int, top: int, right: int, low: int) -> bool:
        gap = round(8 * self._unit)
        height, width = self._canvas.shape[:2]
        return min(left, top, width - right, height - low) >= gap and not any(
            left < c + gap and right > a - gap and top < d + gap and low > b - gap
            for a, b, c, d in self._taken
        )


def _px(place: Sequence[float] | Floats, width: int, height: int) -> tuple[int, int]:
    return round(place[0] * width * 2**_SHIFT), round(place[1] * height * 2**_SHIFT)

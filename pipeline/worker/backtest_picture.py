"""One picture of a back-test: what was drawn then and now, and where those went who are reported anew or not
any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.evidence.text import Color, Panel, fit, font, label
from pipeline.scene import SceneSettings
from pipeline.types import Picture, Point
from pipeline.worker.backtest import Change, Found, counted, on_trial

WIDTH_PX = 1280
DIM = 0.45
"""How much of the background's light is left."""
ROW_PX = 30
MOST_WAYS = 200
"""More trajectories than this are a carpet: the newest are drawn."""

_GROUND: Color = (44, 40, 36)
_PAPER: Color = (24, 20, 18)
_INK: Color = (235, 232, 228)
_UNCHANGED: Color = (165, 165, 165)
_NOW: Color = (255, 190, 60)
_THEN: Color = (60, 140, 255)
_DASH_PX = 10
AROUND_S = 5.0
"""Of a road user's way is drawn what lies no further before and after the act."""
LEAP_PX = 120
_SHIFT = 4

Pixels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A line or an area of a scene."""

    name: str
    points: tuple[Point, ...]
    closed: bool


def draw(
    scene: SceneSettings,
    other: SceneSettings | None,
    changes: Sequence[Change],
    *,
    title: str,
    size: tuple[int, int],
    background: Picture | None = None,
) -> Picture:
    """(H, 1280, 3): the scene and what it reports; with `other`, which it is held against, in two colours.

    `size` is the camera's picture in pixels, for its shape; `background` a picture of it, any size.
    """
    wide, high = size if all(size) else (16, 9)
    canvas = _ground(background, (WIDTH_PX, round(WIDTH_PX * high / wide)))
    now, then = set(_shapes(scene)), set(_shapes(other)) if other is not None else None
    kept = now if then is None else now & then
    for shape in sorted(kept, key=lambda shape: shape.name):
        _shape(canvas, shape, _UNCHANGED, dashed=False, thick=1)
    for shape in sorted((then or set()) - kept, key=lambda shape: shape.name):
        _shape(canvas, shape, _THEN, dashed=True, thick=3)
    for shape in sorted(now - kept, key=lambda shape: shape.name):
        _shape(canvas, shape, _NOW, dashed=False, thick=3)
    told = [change for change in changes if change.outcome in ("new", "gone")][-MOST_WAYS:]
    # Dots above all ways: where it happened matters more than where others went.
    for mark in (_way, _dot):
        for change in told:
            mark(canvas, change.found, _NOW if change.outcome == "new" else _THEN)
    signs: list[tuple[int, int, int, int]] = []
    if then is not None:
        for shapes, color in ((then - kept, _THEN), (now - kept, _NOW)):
            for shape in sorted(shapes, key=lambda shape: shape.name):
                _sign(canvas, shape, color, signs)
    return np.vstack([canvas, _legend(title, changes, on_trial(scene, other), compared=then is not None)])


def _ground(background: Picture | None, size: tuple[int, int]) -> Picture:
    if background is None:
        return np.full((size[1], size[0], 3), _GROUND, np.uint8)
    fitted = cv2.resize(background, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(cv2.cvtColor(fitted, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(grey * DIM, np.uint8)


def _shapes(scene: SceneSettings) -> Iterator[_Shape]:
    for line in scene.stop_lines:
        yield _Shape(f"stop_line {line.id}", line.line, False)
        junction = line.junction
        if junction.clearance is not None:
            yield _Shape(f"clearance {line.id}", junction.clearance, False)
        if junction.area is not None:
            yield _Shape(f"junction {line.id}", junction.area, True)
        for name, movement in line.movements.present().items():
            if movement.exit is not None:
                yield _Shape(f"{name} exit {line.id}", movement.exit, True)
    for lane in scene.lanes:
        yield _Shape(f"lane {lane.id}", lane.polygon, True)
        yield _Shape(f"direction {lane.id}", lane.direction, False)
    for zone in scene.zones:
        yield _Shape(f"{zone.purpose} {zone.id}", zone.polygon, True)
    for solid in scene.solid_lines:
        yield _Shape(f"solid_line {solid.id}", solid.line, False)
    for turn in scene.turns:
        yield _Shape(f"{turn.act} {turn.id}: entry", turn.entry, True)
        yield _Shape(f"{turn.act} {turn.id}: exit", turn.exit, True)


def _pixels(canvas: Picture, points: Sequence[Point]) -> npt.NDArray[np.float64]:
    height, width = canvas.shape[:2]
    return np.asarray(points, np.float64) * (width, height)


def _stroke(canvas: Picture, pixels: npt.NDArray[np.float64], color: Color, thick: int) -> None:
    fixed: Pixels = np.round(pixels * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, color, thick, cv2.LINE_AA, _SHIFT)


def _shape(canvas: Picture, shape: _Shape, color: Color, *, dashed: bool, thick: int) -> None:
    pixels = _pixels(canvas, (*shape.points, shape.points[0]) if shape.closed else shape.points)
    if shape.name.startswith("direction"):
        _arrow_head(canvas, pixels[-2], pixels[-1], color)
    if shape.closed and color is not _UNCHANGED:
        tinted = canvas.copy()
        cv2.fillPoly(tinted, [np.round(pixels).astype(np.int32)], color, cv2.LINE_AA)
        cv2.addWeighted(tinted, 0.16, canvas, 0.84, 0, canvas)
    if not dashed:
        _stroke(canvas, pixels, color, thick)
        return
    for a, b in pairwise(pixels):
        count = max(1, int(np.hypot(*(b - a)) // _DASH_PX))
        for k in range(0, count, 2):
            _stroke(canvas, np.array([a + (b - a) * k / count, a + (b - a) * (k + 1) / count]), color, thick)


def _way(canvas: Picture, found: Found, color: Color) -> None:
    """The ground points of a road user around the act, with an arrow head where it went."""
    hit = found.hit
    around = (hit.before.time_s - AROUND_S, hit.after.time_s + AROUND_S)
    way = [point for time_s, point in found.way if around[0] <= time_s <= around[1]]
    if len(way) < 2:
        way = [point.ground for point in (hit.before, hit.at, hit.after)]
    pieces = _pieces(_pixels(canvas, way))
    for piece in pieces:
        _stroke(canvas, piece, _PAPER, 3)
        _stroke(canvas, piece, color, 1)
    if pieces:
        last = pieces[-1]
        _arrow_head(canvas, last[-min(3, len(last))], last[-1], color)


def _dot(canvas: Picture, found: Found, color: Color) -> None:
    """Where a road user was at the decisive moment."""
    x, y = (round(value) for value in _pixels(canvas, [found.hit.at.ground])[0])
    cv2.circle(canvas, (x, y), 6, _INK, -1, cv2.LINE_AA)
    cv2.circle(canvas, (x, y), 4, color, -1, cv2.LINE_AA)


def _pieces(pixels: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """The way where it was followed: a leap is the tracker's, nobody went there."""
    leaps = np.flatnonzero(np.hypot(*np.diff(pixels, axis=0).T) > LEAP_PX) + 1
    return [_evened(piece) for piece in np.split(pixels, leaps) if len(piece) > 1]


def _evened(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each point the mean of itself and its neighbours; the ends stay."""
    inner = (pixels[:-2] + pixels[1:-1] + pixels[2:]) / 3
    return np.concatenate((pixels[:1], inner, pixels[-1:]))


def _arrow_head(
    canvas: Picture, tail: npt.NDArray[np.float64], tip: npt.NDArray[np.float64], color: Color
) -> None:
    ahead = tip - tail
    size = float(np.hypot(*ahead))
    if size > 1:
        back, side = -ahead / size * 9, np.array([-ahead[1], ahead[0]]) / size * 4.5
        _stroke(canvas, np.array([tip + back + side, tip, tip + back - side]), color, 2)


def _sign(canvas: Picture, shape: _Shape, color: Color, taken: list[tuple[int, int, int, int]]) -> None:
    """The shape's name beside it, where no other sign is."""
    sign = label(shape.name, 13, _PAPER, color)
    high, wide = sign.shape[:2]
    height, width = canvas.shape[:2]
    for point in _pixels(canvas, shape.points):
        left = min(max(0, round(point[0]) + 6), width - wide)
        top = min(max(0, round(point[1]) - high - 6), height - high)
        place = (left, top, left + wide, top + high)
        if wide <= width and not any(
            a < place[2] and place[0] < c and b < place[3] and place[1] < d for a, b, c, d in taken
        ):
            taken.append(place)
            canvas[top : top + high, left : left + wide] = sign
            return


def _legend(title: str, changes: Sequence[Change], trials: dict[str, str], *, compared: bool) -> Picture:
    counts = counted(changes)
    plain, bold = font(14), font(14, bold=True)
    rows: list[tuple[str, ...]] = (
        [("rule", "new", "gone", "moved", "same")] if compared else [("rule", "hits")]
    )
    for rule in sorted(counts.keys() | trials.keys()):
        count = counts.get(rule, Counter())
        numbers = [count[outcome] for outcome in ("new", "gone", "moved", "same")]
        cells = map(str, numbers) if compared else [str(sum(numbers))]
        rows.append((rule, *cells, trials.get(rule, "")))
    panel = Panel(WIDTH_PX, ROW_PX * (len(rows) + 2) + 12, _PAPER)
    panel.write(16, ROW_PX - 6, fit(title, bold, WIDTH_PX - 32), bold, _INK)
    x = 16
    keys = [
        (_NOW, "drawn or reported now only"),
        (_THEN, "before only"),
        (_UNCHANGED, "drawn as before"),
    ]
    for color, text in keys if compared else [(_NOW, "reported"), (_UNCHANGED, "the scene")]:
        panel.fill(x, 2 * ROW_PX - 17, x + 22, 2 * ROW_PX - 5, color)
        panel.write(x + 30, 2 * ROW_PX - 6, text, plain, _INK)
        x += 30 + int(plain.getlength(text)) + 28
    for number, row in enumerate(rows):
        baseline = ROW_PX * (number + 3) - 4
        for column, text in enumerate(row):
            ink = {1: _NOW, 2: _THEN}.get(column, _INK) if compared and number else _INK
            place = 16 if column == 0 else 160 + 80 * column
            panel.write(place, baseline, text, bold if number == 0 else plain, ink)
    return panel.picture()

"""The picture of a back-test: what it must show whatever lies over what."""

from __future__ import annotations

import numpy as np

from pipeline.scene import SceneSettings
from pipeline.types import FrameTime, Hit, Picture, Point, RoadUserKind, TrackPoint
from pipeline.worker.backtest import Change, Found
from pipeline.worker.backtest_picture import _NOW, _THEN, LEAP_PX, WIDTH_PX, draw
from tests.rules.drive import junction

SIZE = (1280, 720)
DOT = 9
"""Half of a square in pixels that holds a dot."""


def found(*way: Point, at: int) -> Found:
    """Somebody who went this way, a point every third of a second, and was reported at one of them."""
    points = [TrackPoint(n / 3, (x - 0.01, y - 0.1, x + 0.01, y)) for n, (x, y) in enumerate(way)]
    hit = Hit(
        "red_light",
        "cam",
        1,
        RoadUserKind.CAR,
        points[0],
        points[at],
        points[-1],
        0.9,
        FrameTime(points[at].time_s, "rtcp"),
    )
    return Found(1, hit, [(point.time_s, point.ground) for point in points])


def drawn(*changes: Change, scene: SceneSettings | None = None) -> Picture:
    return draw(scene or SceneSettings(), SceneSettings(), changes, title="cam", size=SIZE)


def pixels(picture: Picture, where: Point, half: int, color: tuple[int, int, int]) -> int:
    """How many pixels around a point have about this colour."""
    x, y = round(where[0] * SIZE[0]), round(where[1] * SIZE[1])
    around = picture[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1].astype(int)
    return int((np.abs(around - color).max(axis=2) < 40).sum())


def test_no_way_covers_a_dot() -> None:
    first = Change("gone", found((0.5, 0.45), (0.5, 0.5), (0.5, 0.55), at=1), None)
    later = Change("new", None, found(*[(0.3 + n * 0.05, 0.5) for n in range(9)], at=0))
    alone, both = (pixels(drawn(*changes), (0.5, 0.5), 4, _THEN) for changes in ([first], [first, later]))
    assert alone > 40
    assert both == alone


def test_who_goes_fast_has_an_arrow_head() -> None:
    """As far in one step as may be: two together are longer than a leap."""
    step = LEAP_PX / WIDTH_PX * 0.9
    ways = [[(0.3 + n * stride, 0.5) for n in range(4)] for stride in (0.02, step)]
    slow, fast = (pixels(drawn(Change("new", None, found(*w, at=0))), w[-1], DOT, _NOW) for w in ways)
    assert min(slow, fast) > 40, "a line alone has a dozen"


def test_a_leap_is_not_drawn_and_the_arrow_head_stands_before_it() -> None:
    way = [(0.2, 0.5), (0.25, 0.5), (0.3, 0.5), (0.8, 0.5)]
    picture = drawn(Change("new", None, found(*way, at=0)))
    assert pixels(picture, (0.3, 0.5), DOT, _NOW) > 20
    assert pixels(picture, (0.55, 0.5), DOT, _NOW) == 0


def test_rules_on_trial_are_named_below() -> None:
    plain = SceneSettings.model_validate(junction())
    trial = SceneSettings.model_validate({**junction(), "rules": {"red_light": {"shadow": True}}})
    without, with_note = drawn(scene=plain), drawn(scene=trial)
    assert with_note.shape[0] > without.shape[0], "a row, though nothing was reported"

"""Lamps, night, sun and weather in pictures of the synthetic city."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Literal

import cv2
import numpy as np
import pytest

from pipeline.sim.render import Renderer, lamp_boxes
from pipeline.sim.types import Conditions, Lamp
from pipeline.types import LampColor
from tests.sim.pictures import NORTH, SOUTH, K, make_actor, make_camera, make_layout, moment


@pytest.mark.parametrize("light", ["day", "night"])
@pytest.mark.parametrize(
    ("color", "channel", "third"), [(LampColor.RED, 2, 0), (LampColor.YELLOW, 2, 1), (LampColor.GREEN, 1, 2)]
)
def test_lamp_box_holds_the_lamps_colour(
    light: Literal["day", "night"], color: LampColor, channel: int, third: int
) -> None:
    renderer = lit(light)
    camera = renderer.camera
    boxes = lamp_boxes(make_layout(), camera)
    assert set(boxes) == {"ball", "arrow"}
    dark = renderer.draw(moment(lamps=(Lamp("ball", color, lit=False),))).picture.astype(int)
    bright = renderer.draw(moment(lamps=(Lamp("ball", color),))).picture.astype(int)
    x0, y0, x1, y1 = (
        round(v * s) for v, s in zip(boxes["ball"], (camera.width_px, camera.height_px) * 2, strict=True)
    )
    gain = (bright - dark)[y0:y1, x0:x1]
    rows, columns = np.nonzero(gain.max(axis=2) > 60)
    assert len(rows) >= 12
    # It is the right third of the housing that shines, and in its own colour.
    assert np.median(rows) / (y1 - y0) == pytest.approx((third + 0.5) / 3, abs=0.12)
    shine = np.median(bright[y0:y1, x0:x1][rows, columns], axis=0)
    assert shine.argmax() == channel
    if color is LampColor.YELLOW:
        assert shine[1] > 1.5 * shine[0]
    assert x1 - x0 < 40
    arrow = boxes["arrow"]
    assert arrow[0] > boxes["ball"][2]  # it hangs to the right of the ball


@cache
def lit(light: Literal["day", "night"]) -> Renderer:
    """Close to the signal heads."""
    camera = make_camera(fov_deg=35.0, look_at=(2.0, 26.0, 2.0))
    return Renderer(make_layout(), camera, Conditions(light=light, noise=0.05))


def test_head_that_looks_away_has_no_box() -> None:
    layout = make_layout()
    away = dataclasses.replace(layout, heads=(dataclasses.replace(layout.heads[0], facing=NORTH),))
    assert lamp_boxes(away, make_camera()) == {}


def test_night_is_dark_and_lit_by_lamps() -> None:
    day, night = lit("day").draw(moment()).picture, lit("night").draw(moment()).picture
    assert night.mean() < 0.6 * day.mean()
    car = make_actor(1, K.CAR, -2.0, 24.0, SOUTH)
    by_car = lit("night").draw(moment(car))
    (seen,) = by_car.seen
    left, _, right, bottom = (round(v) for v in seen.box)
    ahead = (slice(bottom + 5, bottom + 60), slice(left, right))
    assert by_car.picture[ahead].mean() > 1.3 * night[ahead].mean()  # its headlamps light the road


def test_sun_casts_shadows_by_day(clear: Renderer) -> None:
    car = make_actor(1, K.CAR, 2.0, 12.0)
    empty, full = clear.draw(moment()), clear.draw(moment(car))
    left, top, right, bottom = (round(v) for v in full.seen[0].box)
    darker = empty.picture.astype(int).sum(axis=2) - full.picture.astype(int).sum(axis=2) > 60
    darker[top:bottom, left:right] = False
    assert darker.sum() > 400


def test_rain_and_haze_take_contrast_away(plain: Renderer) -> None:
    bus = moment(make_actor(1, K.BUS, 3, 30))
    contrasts = []
    for conditions in (None, Conditions(haze=0.7), Conditions(rain=0.7)):
        renderer = Renderer(make_layout(), plain.camera, conditions) if conditions else plain
        picture = renderer.draw(bus).picture
        far = cv2.cvtColor(picture[:150], cv2.COLOR_BGR2GRAY)
        contrasts.append(float(far.std()))
    assert contrasts[1] < 0.8 * contrasts[0]
    assert contrasts[2] < 0.9 * contrasts[0]

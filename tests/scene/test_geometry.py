"""Plane geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.scene import geometry as g

SQUARE = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
BOW_TIE = [(0.2, 0.2), (0.8, 0.8), (0.8, 0.2), (0.2, 0.8)]
U_SHAPE = [(0.1, 0.1), (0.3, 0.1), (0.3, 0.7), (0.6, 0.7), (0.6, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]


def test_points_get_the_pictures_true_proportions() -> None:
    assert g.in_proportion([(0.5, 0.5), (1.0, 0.25)], 16 / 9) == ((0.5 * 16 / 9, 0.5), (16 / 9, 0.25))


def test_a_right_turn_on_the_picture_is_positive() -> None:
    up, right, left = (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0)
    assert g.turn_deg(up, right) == pytest.approx(90)
    assert g.turn_deg(up, left) == pytest.approx(-90)
    assert abs(g.turn_deg(up, (0.0, 1.0))) == pytest.approx(180)


@pytest.mark.parametrize(
    ("point", "expected"),
    [((0.2, 0.5), True), ((0.45, 0.5), False), ((0.45, 0.8), True), ((0.95, 0.5), False)],
)
def test_inside_a_hollow_polygon(point: g.Point, expected: bool) -> None:
    assert g.inside(point, U_SHAPE) is expected


def test_inside_agrees_with_the_winding_of_random_points() -> None:
    """Against an independent method: the angles to the corners sum to a full turn only from inside."""
    rng = np.random.default_rng(1)
    for x, y in rng.random((300, 2)):
        total = 0.0
        for a, b in zip(U_SHAPE, [*U_SHAPE[1:], U_SHAPE[0]], strict=True):
            total += g.turn_deg((a[0] - x, a[1] - y), (b[0] - x, b[1] - y))
        assert g.inside((x, y), U_SHAPE) is (abs(total) > 180)


@pytest.mark.parametrize(
    ("shape", "closed", "simple"),
    [
        (SQUARE, True, True),
        (BOW_TIE, True, False),
        (U_SHAPE, True, True),
        (BOW_TIE[:3], False, True),
        (BOW_TIE, False, False),
        ([(0, 0), (1, 0), (0.5, 0)], False, False),
        ([(0, 0), (1, 0), (0.5, 0), (0.5, 1)], True, False),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0)], True, False),
        ([(0, 0), (1, 0), (1, 1)], True, True),
    ],
)
def test_self_crossing(shape: list[g.Point], closed: bool, simple: bool) -> None:
    assert (g.self_crossing(shape, closed=closed) is None) is simple


def test_area_and_length() -> None:
    assert abs(g.signed_area(SQUARE)) == pytest.approx(0.36)
    assert g.signed_area(SQUARE) == -g.signed_area(SQUARE[::-1])
    assert g.length([(0, 0), (3, 4), (3, 5)]) == pytest.approx(6)


def test_the_moment_of_crossing_is_interpolated() -> None:
    line = [(0.0, 0.5), (0.5, 0.5), (1.0, 0.4)]
    assert g.crossed((0.2, 0.8), (0.2, 0.4), line) == pytest.approx(0.75)
    assert g.crossed((0.2, 0.8), (0.2, 0.6), line) is None
    assert g.crossed((1.2, 0.8), (1.2, 0.2), line) is None


def test_the_signed_distance_is_positive_on_the_side_of_travel() -> None:
    line = [(0.0, 0.5), (1.0, 0.5)]
    assert g.signed_distance((0.3, 0.4), line, towards=(0.0, -1.0)) == pytest.approx(0.1)
    assert g.signed_distance((0.3, 0.4), line, towards=(0.0, 1.0)) == pytest.approx(-0.1)
    assert g.signed_distance((0.3, 0.4), line[::-1], towards=(0.0, -1.0)) == pytest.approx(0.1)


def test_projection_on_a_bent_line() -> None:
    bent = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]
    along, away, direction = g.project((1.2, 0.5), bent)
    assert (along, away) == (pytest.approx(1.5), pytest.approx(0.2))
    assert direction == (0.0, 1.0)
    assert g.project((-1.0, 1.0), bent)[:2] == (0.0, pytest.approx(math.sqrt(2)))

"""Where a picture's points lie on the ground, in metres: a homography fitted to surveyed points.

The road is taken for a plane and the lens for free of distortion: both are true near the points only, so
`Calibration` also says how far off it may be (`covariance`). Ground coordinates are the operator's own:
metres, right-handed as seen from above (x to the right, y ahead; or east, north), from any origin: a national
grid's may lie a thousand kilometres away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.types import Point

Floats = npt.NDArray[np.float64]

PICTURE_ERROR = 0.001
"""Standard deviation of a point clicked in a picture, of its width and height: 1 px of 1080, 2 px of 1920."""
GROUND_ERROR_M = 0.05
"""Standard deviation of a point measured on the road by tape or from an aerial picture."""

LEAST_POINTS = 4
"""Fewer pairs of points tell no homography."""

ON_LINE_ERRORS = 5.0
"""Points nearer to a common line than this many of their errors say nothing about what lies beside it."""

HORIZON_SHARE = 1e-3
"""Of the depth scale at the surveyed points: what is less deep lies at the horizon, or beyond."""

MIN_FLAT = 1e-4
"""One over the square of a focal length in picture heights: 100 of them is no lens of a traffic camera."""

_ROUNDS = 8


class CalibrationError(ValueError):
    """Surveyed points that no camera can have seen so; the message says which and why."""


class Calibration:
    """The map between a picture (0..1, y down) and the ground (metres), and how good it is.

    A normalised DLT (Hartley and Zisserman, Multiple View Geometry, algorithm 4.2) starts a Gauss-Newton fit
    that weighs each point by its error in the picture, carried to the ground, and its error on the ground.
    All is reckoned from the middle of the surveyed points, so that a distant origin costs no digits.
    """

    def __init__(
        self,
        picture: Sequence[Point] | Floats,
        ground_m: Sequence[Point] | Floats,
        *,
        picture_error: float = PICTURE_ERROR,
        ground_error_m: float = GROUND_ERROR_M,
    ) -> None:
        """Fit to N >= 4 pairs of points.

        Raises CalibrationError for fewer, for all (or all but one) on a line, for a mirrored ground, and for
        points that would lie beyond the horizon.
        """
        self.picture: Floats = np.asarray(picture, dtype=np.float64).reshape(-1, 2)
        self.ground_m: Floats = np.asarray(ground_m, dtype=np.float64).reshape(-1, 2)
        self.picture_error, self.ground_error_m = picture_error, ground_error_m
        if len(self.picture) != len(self.ground_m) or len(self.picture) < LEAST_POINTS:
            raise CalibrationError(
                f"needs at least four points, each in the picture and on the ground; "
                f"there are {len(self.picture)}"
            )
        _refuse_on_line(self.picture, picture_error * ON_LINE_ERRORS, "in the picture")
        _refuse_on_line(self.ground_m, ground_error_m * ON_LINE_ERRORS, "on the ground")
        self._middle_m: Floats = self.ground_m.mean(axis=0)
        near = self.ground_m - self._middle_m
        self._from_picture = _normaliser(self.picture)
        self._from_ground = _normaliser(near)
        u, g = _apply(self._from_picture, self.picture), _apply(self._from_ground, near)
        self._h, self._spread = self._fit(u, g)
        self._matrix = np.linalg.inv(self._from_ground) @ _square(self._h) @ self._from_picture
        self._inverse: Floats = np.asarray(np.linalg.inv(self._matrix))
        if np.linalg.det(self.jacobian(self.picture).mean(axis=0)) > 0:
            raise CalibrationError(
                "the ground is mirrored: seen from above, y must lie to the left of x, as north lies to the "
                "left of east; swap x and y, or turn the sign of one of them, in all points"
            )

    def to_ground(self, points: npt.ArrayLike) -> Floats:
        """Picture points (N, 2), 0..1, to metres (N, 2); NaN at and beyond the horizon."""
        return self._to_near(points) + self._middle_m

    def to_picture(self, ground_m: npt.ArrayLike) -> Floats:
        """Ground points (N, 2) in metres to picture points (N, 2), 0..1 and beyond the edges; NaN for what
        lies behind the camera.
        """
        points = np.asarray(ground_m, dtype=np.float64).reshape(-1, 2) - self._middle_m
        # The inverse's third coordinate is 1 / depth but for its sign, which the surveyed points tell.
        third = _homogeneous(points) @ self._inverse[2]
        known = (_homogeneous(self.ground_m - self._middle_m) @ self._inverse[2]).mean()
        return self._mapped(self._inverse, points, third * np.sign(known) > 0)

    def jacobian(self, points: npt.ArrayLike) -> Floats:
        """(N, 2, 2) at picture points (N, 2): metres of x, y (rows) per whole picture of x, y (columns).

        Multiplied with a box's jitter (0..1) it gives the jitter in metres. NaN beyond the horizon.
        """
        picture = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        near = self._to_near(picture)
        depth = _homogeneous(picture) @ self._matrix[2]
        return np.asarray(
            (self._matrix[None, :2, :2] - near[:, :, None] * self._matrix[None, 2:, :2])
            / depth[:, None, None]
        )

    def covariance(self, points: npt.ArrayLike) -> Floats:
        """(2N, 2N) in square metres: how wrong `to_ground` may be at these points (x0, y0, x1, ...) together.

        From the points' errors, carried through the fit (delta method); where there are more than four
        points and they fit worse than their errors allow, as much larger.
        """
        picture = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        scale = np.linalg.inv(self._from_ground)[:2, :2]
        slopes = scale @ _slopes(self._h, _apply(self._from_picture, picture))
        flat = slopes.reshape(-1, 8)
        return np.asarray(flat @ self._spread @ flat.T)

    def camera_m(self, aspect: float) -> tuple[float, float, float] | None:
        """Where the camera is: x, y, and its height over the road, metres; `aspect` is width over height.

        For square pixels and a lens whose middle is the picture's: both axes of the ground are as long and at
        right angles, which settles the focal length (Zhang 2000, 3.1). None where they settle none, as of a
        camera that looks straight down.
        """
        to_heights = np.array([[aspect, 0.0, -aspect / 2], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])
        seen = to_heights @ self._inverse
        seen = seen / np.linalg.norm(seen)
        (a, b), (c, d) = seen[:2, :2]
        e, f = seen[2, :2]
        across, along = a * b + c * d, a * a + c * c - b * b - d * d
        square = across**2 + along**2
        flat = -(across * e * f + along * (e * e - f * f)) / square if square > 0 else 0.0
        if flat <= MIN_FLAT:
            return None
        axes = np.diag([math.sqrt(flat), math.sqrt(flat), 1.0]) @ seen
        scale = math.sqrt(float(np.linalg.norm(axes[:, 0]) * np.linalg.norm(axes[:, 1])))
        one, two, away = (axes / scale).T
        # Of measured points the axes come out a little askew: solved for as they are, not as if at right
        # angles, the camera stays where it is, wherever the metres are counted from.
        x, y, z = np.linalg.solve(np.column_stack([one, two, np.cross(one, two)]), -away)
        return float(x + self._middle_m[0]), float(y + self._middle_m[1]), abs(float(z))

    def nearness(self, points: npt.ArrayLike, foot_m: Point, sight: Floats) -> Floats:
        """(N,) one over the metres from the camera's foot along `sight` (N, 2) to the road at points (N, 2).

        Zero at the horizon, and below zero over it: no point is too high to have one.
        """
        mapped = _homogeneous(np.asarray(points, dtype=np.float64).reshape(-1, 2)) @ self._matrix.T
        way = mapped[:, :2] - mapped[:, 2:] * (np.asarray(foot_m) - self._middle_m)
        return np.asarray(mapped[:, 2] / (way * sight).sum(axis=1))

    @property
    def residuals_m(self) -> Floats:
        """(N,) metres from each surveyed point to where its picture point is mapped."""
        return np.asarray(np.linalg.norm(self.to_ground(self.picture) - self.ground_m, axis=1))

    @property
    def rms_m(self) -> float:
        """Reprojection error: root mean square of the residuals, metres. Zero by nature with four points."""
        return float(np.sqrt(np.mean(self.residuals_m**2)))

    def without(self, i: int) -> Calibration | None:
        """Fitted to all surveyed points but one (counted from 0); None where the others say too little."""
        rest = np.arange(len(self.picture)) != i
        try:
            return Calibration(
                self.picture[rest],
                self.ground_m[rest],
                picture_error=self.picture_error,
                ground_error_m=self.ground_error_m,
            )
        except CalibrationError:
            return None

    def leave_one_out_m(self) -> Floats | None:
        """(N,) how far each point lies from where a fit to all others puts it, metres; NaN where the others
        alone say nothing. None with four points only.
        """
        if len(self.picture) <= 4:
            return None
        others = [self.without(i) for i in range(len(self.picture))]
        return np.array(
            [
                np.nan if other is None else math.dist(other.to_ground(point)[0], ground_m)
                for other, point, ground_m in zip(others, self.picture, self.ground_m, strict=True)
            ]
        )

    def _fit(self, u: Floats, g: Floats) -> tuple[Floats, Floats]:
        """Parameters (8,) in normalised coordinates, and their covariance (8, 8)."""
        h = _dlt(u, g)
        to_u = self.picture_error * np.diag(self._from_picture)[:2]
        to_g = self.ground_error_m * np.diag(self._from_ground)[:2]
        normal: Floats = np.eye(8)
        for _ in range(_ROUNDS):
            self._refuse_beyond(h, u)
            slopes = _slopes(h, u)
            moved = _moved(h, u)
            noise = moved @ np.diag(to_u**2) @ moved.transpose(0, 2, 1) + np.diag(to_g**2)
            weight = np.linalg.inv(noise)
            left = slopes.transpose(0, 2, 1) @ weight
            normal = (left @ slopes).sum(axis=0)
            off = g - _map(h, u)
            h = h + _solve(normal, (left @ off[:, :, None]).sum(axis=0)[:, 0])
        self._refuse_beyond(h, u)
        off = g - _map(h, u)
        freedom = 2 * len(u) - 8
        misfit = float((off[:, None, :] @ weight @ off[:, :, None]).sum())
        worse = max(1.0, misfit / freedom) if freedom else 1.0
        return h, np.asarray(np.linalg.inv(normal) * worse)

    @staticmethod
    def _refuse_beyond(h: Floats, u: Floats) -> None:
        depth = 1 + u @ h[6:]
        if (beyond := np.flatnonzero(depth <= HORIZON_SHARE)).size:
            raise CalibrationError(
                f"point {beyond[0] + 1} would lie beyond the horizon that the others make: "
                "its place in the picture and its metres do not belong together, or points are swapped"
            )

    def _to_near(self, points: npt.ArrayLike) -> Floats:
        """As `to_ground`, from the middle of the surveyed points."""
        return self._mapped(self._matrix, points, self._depth(points) > HORIZON_SHARE)

    def _depth(self, points: npt.ArrayLike) -> Floats:
        """(N,) relative to the middle of the surveyed points: 1 there, 0 at the horizon."""
        u = _apply(self._from_picture, np.asarray(points, dtype=np.float64).reshape(-1, 2))
        return np.asarray(1 + u @ self._h[6:])

    @staticmethod
    def _mapped(matrix: Floats, points: npt.ArrayLike, good: npt.NDArray[np.bool_]) -> Floats:
        out = _homogeneous(np.asarray(points, dtype=np.float64).reshape(-1, 2)) @ matrix.T
        mapped = np.full((len(out), 2), np.nan)
        mapped[good] = out[good, :2] / out[good, 2:]
        return mapped


def _solve(normal: Floats, right: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(normal, right))
    except np.linalg.LinAlgError:
        raise CalibrationError(
            "the points do not settle a map to the ground: spread them over the road's width and length"
        ) from None


def _homogeneous(points: Floats) -> Floats:
    return np.column_stack([points, np.ones(len(points))])


def _apply(matrix: Floats, points: Floats) -> Floats:
    """An affine matrix (3, 3) on points (N, 2)."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])


def _normaliser(points: Floats) -> Floats:
    """(3, 3): moves the points' middle to 0 and scales both axes so that they spread by 1."""
    middle, spread = points.mean(axis=0), points.std(axis=0)
    sx, sy = 1 / spread
    return np.array([[sx, 0, -sx * middle[0]], [0, sy, -sy * middle[1]], [0, 0, 1.0]])


def _square(h: Floats) -> Floats:
    return np.append(h, 1.0).reshape(3, 3)


def _map(h: Floats, u: Floats) -> Floats:
    out = _homogeneous(u) @ _square(h).T
    return np.asarray(out[:, :2] / out[:, 2:])


def _moved(h: Floats, u: Floats) -> Floats:
    """(N, 2, 2): how the mapped point moves with u."""
    depth = 1 + u @ h[6:]
    flat = _square(h)
    return np.asarray(
        (flat[None, :2, :2] - _map(h, u)[:, :, None] * h[None, None, 6:]) / depth[:, None, None]
    )


def _slopes(h: Floats, u: Floats) -> Floats:
    """(N, 2, 8): how the mapped point moves with each parameter."""
    depth = (1 + u @ h[6:])[:, None]
    g = _map(h, u)
    one, zero = _homogeneous(u) / depth, np.zeros((len(u), 3))
    x = np.concatenate([one, zero, -g[:, :1] * u / depth], axis=1)
    y = np.concatenate([zero, one, -g[:, 1:] * u / depth], axis=1)
    return np.stack([x, y], axis=1)


def _dlt(u: Floats, g: Floats) -> Floats:
    one, zero = _homogeneous(u), np.zeros((len(u), 3))
    rows = np.concatenate(
        [
            np.concatenate([one, zero, -g[:, :1] * one], axis=1),
            np.concatenate([zero, one, -g[:, 1:] * one], axis=1),
        ]
    )
    h: Any = np.linalg.svd(rows)[2][-1]
    if abs(h[8]) < 1e-9:
        raise CalibrationError(
            "the points' middle would lie on the horizon: their metres do not fit the picture"
        )
    return np.asarray(h[:8] / h[8])


def _refuse_on_line(points: Floats, near: float, where: str) -> None:
    """Raises CalibrationError where a line holds all points but one (or two are the same)."""
    pairs = [(i, j, points[j] - points[i]) for i, j in combinations(range(len(points)), 2)]
    for i, j, along in pairs:
        if np.hypot(*along) < near:
            raise CalibrationError(f"points {i + 1} and {j + 1} are the same {where}")
    for i, _, along in pairs:
        away = np.abs((points - points[i]) @ np.array([-along[1], along[0]])) / np.hypot(*along)
        on_line = np.flatnonzero(away < near)
        if len(on_line) >= len(points) - 1:
            names = ", ".join(str(k + 1) for k in on_line)
            raise CalibrationError(
                f"points {names} lie on one line {where}: no three of four may (nor all but one of more); "
                "spread them over the road's width and length"
            )

"""How fast a road user went, in metres over capture time, and how far off that may be.

The middle of a box's lower edge is the nearest part of a vehicle: its rear, its front, its side. It slides
along a vehicle that turns or passes by, so half of a usual footprint's reach towards the camera, by class and
heading, is added: that is the vehicle's middle. With the middles p_i(t_i), a straight and even motion
p0 + v t is fitted by generalised least squares, each point weighing by its own error: the box's jitter
through the calibration's Jacobian J at that point, and the frame's timing. What bends by the angle b within
the window is longer than the line by b^2/40 of it (of a circle, to the fourth order).

    S_i = J_i diag(sx_i^2, sy_i^2) J_i' + (v s_frame)^2 u u'
    u^2(speed) = u' C_fit u      box jitter and frame timing, widened where the fit is worse than its errors
               + u^2(length)/T^2 calibration: covariance of both ends together, along the way u
               + (k v)^2         the point's height over the ground, by class
               + (q r/T)^2       what was added to make middles changed by r, of sizes known to a share q
               + (v b^2/40)^2    the bend
               + (v dt/T)^2      what the clock was slewed within the window
               + (e h')^2        an edge hidden or uncovered bit by bit: heights change by h', see _hiding_mps

(law of propagation of uncertainty, JCGM 100:2008, 5.1.2; expanded with k = 2, some 95 %, 6.2.1).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.rules.moments import Moments
from pipeline.rules.step import remember
from pipeline.rules.trajectory import FOOTPRINT_M
from pipeline.scene import Calibration, Scene
from pipeline.types import FrameTime, Observation, RoadUserKind, TrackPoint

Floats = npt.NDArray[np.float64]

COVERAGE = 2.0
"""The uncertainty told is this many standard uncertainties: some 95 %."""

BOX_JITTER = 0.02
"""Standard deviation of a box's edge, of the box's own size; where boxes jump more, the fit shows it."""
PICTURE_JITTER = 0.0005
"""And of the picture: half a pixel of 1280, 720."""
FRAME_JITTER_S = 0.004
"""Of a frame's stamp against the frames beside it: cameras stamp by a clock of 90 kHz, but not at once."""
ALIKE = 3.0
"""Boxes in a row err alike: the variance of a fit is as much larger than with independent ones. Such that
95 % of a development city's speeds are within their uncertainty, see docs/rules/speeding.md."""
OUTLIER = 2.5
"""A point farther off than this many of its errors weighs less (Huber)."""

POINT_SHARE = {
    RoadUserKind.CAR: 0.01,
    RoadUserKind.BUS: 0.03,
    RoadUserKind.TRUCK: 0.03,
}
"""Standard uncertainty by what the tracked point is, of the speed: a bumper's lower edge z over the ground is
seen H / (H - z) too fast by a camera H high (0.3 m at 7 m: 4 %). Read off models of the synthetic city, see
docs/rules/speeding.md."""
POINT_SHARE_SMALL = 0.005
"""Of two-wheelers and persons, which stand on the ground just where their box ends."""

SIZE_SHARE = 0.15
"""Standard uncertainty of a vehicle's length and width, of those usual for its class."""
SHRUNK, WHOLE_SHARE = 0.88, 0.75
"""A box that makes a vehicle lower than this share of what most others make it has lost its lower edge: to
something in front of it, or because a detector takes large vehicles too small. It does not count; where less
than that share of the boxes is left, they are no measurement."""

LOWEST = 0.1
"""What ends nearer to the camera's own height than this share of it is seen against the horizon."""

LEAP_ERRORS, LEAP_M = 5.0, 1.0
"""A step of this many of its errors and metres within the window, beyond what speeding up and braking make,
is a box that passed to another vehicle: no motion."""
GROWTH, GROWTH_ERRORS = 0.05, 3.0
"""A vehicle does not grow: one that seems wider the farther away it is has its lower edge hidden ever more.
That share of its speed, when as sure as this many errors, makes the window worthless."""

WINDOW_S = 2.0
"""Speed is measured over this long at most."""
MIN_POINTS = 5
MIN_S = 0.7
"""Of a window: less says nothing."""
TURNING_MPS = 1.0
"""Slower, a heading is that of the whole window."""
MOST_BEND = 0.1
"""Share of the way: more is no bend, but a track that jumps."""
EDGE = 0.004
"""A box this near to the picture's side or bottom is cut by it: its lower middle is not the vehicle's."""
MIN_MPS, MAX_MPS = 0.1, 70.0
"""Slower stands, faster is an error of tracking."""
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Speed:
    """A measured speed."""

    mps: float
    uncertainty_mps: float
    """Expanded (k = 2): some 95 % of true speeds are within it."""
    at_s: float
    """Capture time that it stands for: the middle of the points by weight."""
    way_m: float
    """Between the window's ends."""
    duration_s: float
    points: int

    @property
    def kmh(self) -> float:
        """In km/h."""
        return self.mps * 3.6

    @property
    def uncertainty_kmh(self) -> float:
        """In km/h, k = 2."""
        return self.uncertainty_mps * 3.6


def measure(
    calibration: Calibration,
    points: Iterable[TrackPoint],
    kind: RoadUserKind,
    aspect: float,
    times: tuple[FrameTime, FrameTime] | None = None,
) -> Speed | None:
    """The speed over points of one trajectory, oldest first; None where they do not make one.

    `aspect` is the picture's width over its height. `times` are the first and last point's stamps: what their
    error bounds differ by was slewed in between.
    """
    points = _usable(points)
    time = np.array([point.time_s for point in points])
    if not _enough(time):
        return None
    boxes = np.array([point.box for point in points])
    places = _places(calibration, time, boxes, kind)
    if places is None:
        return None
    camera_m = calibration.camera_m(aspect)
    foot_m = None if camera_m is None else np.array(camera_m[:2])
    high = _heights(calibration, places, boxes, foot_m)
    whole = _whole(boxes, high)
    if whole.mean() < WHOLE_SHARE or not _enough(time[whole]):
        return None
    time, boxes, places, high = time[whole], boxes[whole], places.only(whole), high[whole]
    ground, noise = places.middles, _noise(places.slopes, boxes)
    start_s, end_s = time[0], time[-1]
    position, velocity, spread, at_s = _fit(time, ground, noise)
    line_mps, duration_s = float(np.hypot(*velocity)), float(end_s - start_s)
    if not MIN_MPS < line_mps <= MAX_MPS or _leaps(time, ground, noise, velocity / line_mps):
        return None
    if _grows(calibration, boxes):
        return None
    way = velocity / line_mps
    ends = calibration.to_picture([position + velocity * (t - at_s) for t in (start_s, end_s)])
    along = np.concatenate([-way, way])
    length = float(along @ calibration.covariance(ends) @ along) if np.isfinite(ends).all() else math.inf
    slewed_s = abs(times[1].uncertainty_ms - times[0].uncertainty_ms) / 1e3 if times else 0.0
    longer = _bend_share(time, ground, places.slopes, way, line_mps)
    mps = line_mps * (1 + longer)
    variance = (
        float(way @ spread @ way)
        + length / duration_s**2
        + (mps * POINT_SHARE.get(kind, POINT_SHARE_SMALL)) ** 2
        + (SIZE_SHARE * float(np.ptp(places.reach_m)) / duration_s) ** 2
        + (mps * longer) ** 2
        + (mps * slewed_s / duration_s) ** 2
        + _hiding_mps(foot_m, time, places, high, velocity) ** 2
    )
    return Speed(mps, COVERAGE * math.sqrt(variance), float(at_s), mps * duration_s, duration_s, len(time))


def best_of_tracks(scene: Scene, observations: Iterable[Observation]) -> dict[int, Speed]:
    """By track id, the speed over the window that is surest; for measuring how well speeds are measured.

    Empty where the scene is not calibrated.
    """
    found: dict[int, Speed] = {}
    windows: dict[tuple[int, int], deque[TrackPoint]] = {}
    for moment in Moments(scene).all_of(observations):
        for track, step in moment.advances:
            if step is None or scene.calibration is None:
                continue
            window = windows.setdefault((track.id, track.segment), deque())
            remember(window, step.raw, WINDOW_S)
            speed = measure(scene.calibration, window, track.kind, moment.aspect)
            known = found.get(track.id)
            if speed is not None and (known is None or speed.uncertainty_mps < known.uncertainty_mps):
                found[track.id] = speed
    return found


@dataclass(frozen=True, slots=True)
class _Places:
    """Of boxes on the ground, in metres."""

    middles: Floats
    """(N, 2) of the vehicle."""
    reach_m: Floats
    """(N,) from its nearest part to its middle, along the line of sight."""
    slopes: Floats
    """(N, 2, 2): the calibration's Jacobian at the boxes' lower middles."""

    def only(self, which: npt.NDArray[np.bool_]) -> _Places:
        return _Places(self.middles[which], self.reach_m[which], self.slopes[which])


def _enough(time: Floats) -> bool:
    return len(time) >= MIN_POINTS and bool(time[-1] - time[0] >= MIN_S)


def _places(calibration: Calibration, time: Floats, boxes: Floats, kind: RoadUserKind) -> _Places | None:
    """None for what lies beyond the horizon."""
    picture = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    ground, slopes = calibration.to_ground(picture), calibration.jacobian(picture)
    if not np.isfinite(ground).all():
        return None
    sight = -slopes[:, :, 1] / np.linalg.norm(slopes[:, :, 1], axis=1)[:, None]
    velocity, _ = _curve(time, ground, slopes)
    speed = np.linalg.norm(velocity, axis=1)[:, None]
    line = ground[-1] - ground[0]
    heading = np.where(speed > TURNING_MPS, velocity / np.maximum(speed, 1e-9), _unit(line))
    ahead = np.abs((sight * heading).sum(axis=1))
    length_m, width_m = FOOTPRINT_M[kind]
    reach_m = (length_m * ahead + width_m * np.sqrt(np.maximum(0, 1 - ahead**2))) / 2
    return _Places(ground + sight * reach_m[:, None], reach_m, slopes)


def _heights(calibration: Calibration, places: _Places, boxes: Floats, foot_m: Floats | None) -> Floats:
    """(N,) how high boxes make the vehicle, of the camera's height; nan where the picture's top cuts them.

    A box ends where the vehicle's far upper edge is seen, h over the road and d away from the camera's foot.
    Behind it the road begins at e: h is 1 - d / e of the camera's height. All nan where that is not known.
    """
    if foot_m is None:
        return np.full(len(boxes), np.nan)
    away = places.middles - foot_m
    far_m = np.linalg.norm(away, axis=1)
    tops = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1]])
    nearness = calibration.nearness(tops, (foot_m[0], foot_m[1]), away / far_m[:, None])
    return np.where(boxes[:, 1] <= EDGE, np.nan, 1 - (far_m + places.reach_m) * nearness)


def _whole(boxes: Floats, high: Floats) -> npt.NDArray[np.bool_]:
    """(N,) whether a box shows a vehicle as high as most others do; also where the picture's top cuts it."""
    known = np.isfinite(high)
    if known.sum() < 3:
        return np.ones(len(boxes), np.bool_)
    return np.asarray(~known | (high > SHRUNK * np.quantile(high[known], 0.75)))


def _hiding_mps(
    foot_m: Floats | None, time: Floats, places: _Places, high: Floats, velocity: Floats
) -> float:
    """How much of a velocity an edge may have added that is hidden or uncovered bit by bit; 0 where none is.

    A vehicle keeps its height h. Boxes that make it lower by some share of the camera's height put it farther
    away by as much of e. Of the square of what that adds, its own error's is taken off.
    """
    known = np.isfinite(high)
    if foot_m is None or known.sum() < MIN_POINTS:
        return 0.0
    later, high = time[known] - time[known].mean(), high[known]
    away = places.middles[known] - foot_m
    far_m = np.linalg.norm(away, axis=1)
    behind_m = float(((far_m + places.reach_m[known]) / np.maximum(np.abs(1 - high), LOWEST)).mean())
    spread = float((later**2).sum())
    slope = float(later @ high) / spread
    if slope * float(away.sum(axis=0) @ velocity) >= 0:
        return 0.0
    rest = high - high.mean() - slope * later
    error = float((rest**2).sum()) / (len(rest) - 2) / spread
    return behind_m * math.sqrt(max(0.0, slope**2 - error))


def _curve(time: Floats, ground: Floats, slopes: Floats) -> tuple[Floats, Floats]:
    """Velocities (N, 2) and acceleration (2,) of an evenly accelerated motion; what is nearer weighs more."""
    root = 1 / np.linalg.norm(slopes, axis=(1, 2))
    later = time - time.mean()
    powers = np.column_stack([later**0, later, later**2])
    fitted = np.linalg.lstsq(powers * root[:, None], ground * root[:, None], rcond=None)[0]
    return fitted[1] + 2 * later[:, None] * fitted[2], np.asarray(2 * fitted[2])


def _bend_share(time: Floats, ground: Floats, slopes: Floats, way: Floats, mps: float) -> float:
    """By which share a bent way is longer than the line fitted to it."""
    _, acceleration = _curve(time, ground, slopes)
    aside = abs(float(acceleration[0] * way[1] - acceleration[1] * way[0]))
    return min((aside * float(time[-1] - time[0]) / mps) ** 2 / 40, MOST_BEND)


def _unit(vector: Floats) -> Floats:
    return vector / max(float(np.hypot(*vector)), 1e-9)


def _leaps(time: Floats, ground: Floats, noise: Floats, way: Floats) -> bool:
    """Whether the way made holds a step, of two points on either side at least.

    Each step is estimated together with an evenly accelerated motion (Frisch-Waugh: from what that motion
    leaves of the step and of the way).
    """
    count, along = len(time), ground @ way
    root = 1 / np.sqrt(np.einsum("i,nij,j->n", way, noise, way))
    later = time - time.mean()
    motion = np.linalg.qr(np.column_stack([later**0, later, later**2]) * root[:, None])[0]
    steps = (np.arange(count)[:, None] >= np.arange(2, count - 1)[None]) * root[:, None]
    steps = steps - motion @ (motion.T @ steps)
    left = along * root - motion @ (motion.T @ (along * root))
    sizes = (steps**2).sum(axis=0)
    step_m = np.divide(left @ steps, sizes, out=np.zeros(len(sizes)), where=sizes > 1e-9)
    return bool(np.any((np.abs(step_m) > LEAP_M) & (np.abs(step_m) * np.sqrt(sizes) > LEAP_ERRORS)))


def _grows(calibration: Calibration, boxes: Floats) -> bool:
    """Whether the width on the ground grows with the distance.

    A hidden lower edge puts a vehicle too far away by some share, and its width grows by the same share. So
    the slope of log width over log scale (metres per picture, which goes with the distance) is the share of
    the way that was never made.
    """
    left, right = (calibration.to_ground(boxes[:, [side, 3]]) for side in (0, 2))
    wide_m = np.linalg.norm(right - left, axis=1)
    wide, scale = np.log(wide_m), np.log(wide_m / (boxes[:, 2] - boxes[:, 0]))
    away = scale - scale.mean()
    spread = float((away**2).sum())
    if not np.isfinite(wide).all() or spread < 1e-9:
        return False
    slope = float(away @ wide) / spread
    rest = wide - wide.mean() - slope * away
    error = math.sqrt(ALIKE * float((rest**2).sum()) / max(len(rest) - 2, 1) / spread)
    return slope > max(GROWTH, GROWTH_ERRORS * error)


def _usable(points: Iterable[TrackPoint]) -> list[TrackPoint]:
    """Whole boxes, each later than the one before: a moment told twice has no length."""
    out: list[TrackPoint] = []
    for point in points:
        left, top, right, bottom = point.box
        whole = left > EDGE and right < 1 - EDGE and bottom < 1 - EDGE and top < bottom
        if whole and (not out or point.time_s > out[-1].time_s):
            out.append(point)
    return out


def _noise(jacobian: Floats, boxes: Floats) -> Floats:
    """(N, 2, 2) in square metres: the boxes' jitter on the ground."""
    size = np.column_stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]])
    # The middle of two edges that jump by themselves jumps less than either.
    jump = (BOX_JITTER * size) ** 2 * [0.5, 1.0] + PICTURE_JITTER**2
    return np.asarray((jacobian * jump[:, None, :]) @ jacobian.transpose(0, 2, 1))


def _fit(time: Floats, ground: Floats, noise: Floats) -> tuple[Floats, Floats, Floats, float]:
    """Position at the middle moment, velocity, its covariance (2, 2), and that moment.

    Normal equations of generalised least squares; points that lie far off weigh less, by Huber's weights.
    """
    even, at_s = np.ones(len(time)), float(time.mean())
    velocity = (ground[-1] - ground[0]) / (time[-1] - time[0])
    for _ in range(_ROUNDS):
        errors = noise + FRAME_JITTER_S**2 * velocity[:, None] * velocity[None, :]
        weight = np.linalg.inv(errors)
        trust = even[:, None, None] * weight
        # By how much each point counts along the way: there the moment is looked for that speed stands for.
        along = np.einsum("i,nij,j->n", velocity, trust, velocity)
        at_s = float(time @ along / along.sum()) if along.sum() > 0 else at_s
        later = (time - at_s)[:, None, None]
        sums = [trust.sum(0), (trust * later).sum(0), (trust * later**2).sum(0)]
        normal = np.block([[sums[0], sums[1]], [sums[1], sums[2]]])
        pull = np.einsum("nij,nj->ni", trust, ground)
        right = np.concatenate([pull.sum(0), (pull * later[:, :, 0]).sum(0)])
        solved = np.linalg.solve(normal, right)
        position, velocity = solved[:2], solved[2:]
        off = ground - position - (time - at_s)[:, None] * velocity
        distance = np.sqrt(np.einsum("ni,nij,nj->n", off, weight, off))
        even = np.minimum(1.0, OUTLIER / np.maximum(distance, 1e-9))
    misfit = float((even * distance**2).sum()) / max(2 * len(time) - 4, 1)
    spread = np.linalg.inv(normal)[2:, 2:] * max(1.0, misfit) * ALIKE
    return position, velocity, np.asarray(spread), at_s

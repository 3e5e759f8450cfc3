"""Smoothed trajectories."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pipeline.rules.sighting import HALF_WINDOW_S, MAX_GAP_S
from pipeline.rules.step import Step
from pipeline.rules.trajectory import Tracks
from pipeline.scene import Calibration, Scene, SceneSettings
from pipeline.types import Observation, RoadUser, RoadUserKind, TrackPoint
from tests.rules.drive import HEIGHT, SIZE, START_S, Driver, moments, observe

ASPECT = SIZE[0] / SIZE[1]
UP = [(0.0, 0.5, 0.9), (10.0, 0.5, 0.4)]


def follow(observations: Iterable[Observation]) -> list[Step]:
    tracks = Tracks()
    steps = [step for o in observations for _, step in tracks.observe(o) if step is not None]
    return steps + [step for _, step in tracks.finish() if step is not None]


def moved(observations: Iterable[Observation], frame: int, dy: float) -> Iterator[Observation]:
    """The same, with the box of one frame elsewhere."""
    trajectory: list[TrackPoint] = []
    for i, observation in enumerate(observations):
        for user in observation.road_users:
            left, top, right, bottom = user.now.box
            shift = dy if i == frame else 0.0
            trajectory.append(replace(user.now, box=(left, top + shift, right, bottom + shift)))
            user = RoadUser(user.track_id, user.kind, tuple(trajectory))
            yield replace(observation, road_users=(user,))


@pytest.mark.parametrize("rate_hz", [1.0, 2.0, 2.8, 5.0, 25.0])
def test_a_straight_even_drive_is_given_back_as_it_is(rate_hz: float) -> None:
    steps = follow(observe([Driver(UP)], until_s=10, rate_hz=rate_hz))
    assert len(steps) == int(10 * rate_hz)
    for step in steps:
        assert step.position == pytest.approx((0.5 * ASPECT, 0.9 - 0.05 * (step.time_s - START_S)), abs=1e-6)
        assert step.velocity == pytest.approx((0.0, -0.05), abs=1e-6)
        assert step.speed == pytest.approx(0.05 / HEIGHT, abs=1e-4)


def test_steps_come_no_later_than_half_the_window() -> None:
    tracks = Tracks()
    for observation in observe([Driver(UP)], until_s=8, rate_hz=10):
        now = observation.time.captured_at_s
        for _, step in tracks.observe(observation):
            assert step is not None
            assert HALF_WINDOW_S <= now - step.time_s < HALF_WINDOW_S + 0.11


def test_smoothing_takes_most_of_the_jitter() -> None:
    raw, smooth = [], []
    for seed in range(20):
        for step in follow(observe([Driver(UP, jitter=0.1, seed=seed)], until_s=10)):
            true = 0.9 - 0.05 * (step.time_s - START_S)
            raw.append(step.raw.ground[1] - true)
            smooth.append(step.position[1] - true)
    assert float(np.std(smooth)) < 0.7 * float(np.std(raw))


def test_one_wild_box_leaves_the_trajectory_where_it_was() -> None:
    steps = follow(moved(observe([Driver(UP)], until_s=10), frame=20, dy=-0.6 * HEIGHT))
    off = [abs(step.position[1] - (0.9 - 0.05 * (step.time_s - START_S))) for step in steps]
    assert max(off) < 0.1 * HEIGHT


def test_the_same_moment_twice_is_one_step() -> None:
    once = list(observe([Driver(UP)], until_s=5))
    assert len(follow(o for observation in once for o in (observation, observation))) == len(once)


def test_boxes_from_before_the_track_was_confirmed_are_taken_up() -> None:
    assert len(follow(list(observe([Driver(UP)], until_s=3))[5:])) == 18


def test_a_leap_and_a_long_gap_begin_a_new_segment() -> None:
    way = [(0.0, 0.5, 0.9), (3.0, 0.5, 0.8), (3.01, 0.5, 0.5), (6.0, 0.5, 0.4), (20.0, 0.5, 0.4)]
    driver = Driver(way, unseen=((7.0, 7.5 + MAX_GAP_S),))
    tracks = Tracks()
    segments: dict[int, int] = {}
    for observation in observe([driver], until_s=12):
        for track, step in tracks.observe(observation):
            if step is not None:
                segments[math.floor(step.time_s - START_S)] = track.segment
    assert segments[2] == 0
    assert segments[4] == 1
    # Unseen for longer than the gap, the track had ended: it begins again.
    assert segments[10] == 0


def test_a_track_ends_once() -> None:
    tracks = Tracks()
    ended = [
        track.id
        for observation in observe([Driver([(0.0, 0.5, 0.9), (2.0, 0.5, 0.8)])], until_s=8)
        for track, step in tracks.observe(observation)
        if step is None
    ]
    assert ended == [1]
    assert list(tracks.finish()) == []


def test_where_the_scene_is_calibrated_an_even_drive_on_the_road_is_even_in_metres() -> None:
    # A road 10 m wide that narrows with distance; 15 m/s ahead is slower and slower in the picture.
    corners = [((0.1, 0.9), (0, 0)), ((0.9, 0.9), (10, 0)), ((0.7, 0.5), (10, 30)), ((0.3, 0.5), (0, 30))]
    calibration = Calibration([picture for picture, _ in corners], [ground for _, ground in corners])
    ways = calibration.to_picture([(5, 15 * i / 100) for i in range(300)]).tolist()
    driver = Driver([(i / 100, x, y) for i, (x, y) in enumerate(ways)])
    tracks = Tracks(calibration)
    steps = [step for o in observe([driver], until_s=3, rate_hz=8) for _, step in tracks.observe(o)]
    assert len(steps) > 15
    for step in steps:
        assert step is not None
        assert step.position_m == pytest.approx((5, 15 * (step.time_s - START_S)), abs=0.02)
        assert step.velocity_mps == pytest.approx((0, 15), abs=0.02)


def test_a_new_connection_ends_all_tracks_of_the_old_one_in_a_moment_of_its_own() -> None:
    seen = observe([Driver(UP)], until_s=6, connection=lambda time_s: int(time_s >= 3))
    shared = list(moments(Scene(SceneSettings()), seen))
    ends = [i for i, moment in enumerate(shared) if any(step is None for _, step in moment.advances)]
    assert ends == [18, len(shared) - 1]
    closing = shared[ends[0]]
    assert closing.observation.connection == 0
    assert [step.time_s < START_S + 3 for _, step in closing.advances if step is not None] == [True] * 3
    assert sum(step is not None for moment in shared for _, step in moment.advances) == 36


def calibration(wide_m: float = 10.0) -> Calibration:
    corners = [
        ((0.1, 0.9), (0, 0)),
        ((0.9, 0.9), (wide_m, 0)),
        ((0.7, 0.5), (wide_m, 30)),
        ((0.3, 0.5), (0, 30)),
    ]
    return Calibration([picture for picture, _ in corners], [ground for _, ground in corners])


STANDS = [(0.0, 0.5, 0.7), (9.0, 0.5, 0.7)]


def test_a_box_cut_from_below_is_known_for_hidden_where_the_scene_is_calibrated() -> None:
    driver = Driver(STANDS, jitter=0.03, cut=lambda time_s: 0.45 if 3 < time_s < 6 else 0.0)
    tracks = Tracks(calibration())
    steps = [step for o in observe([driver], until_s=9) for _, step in tracks.observe(o) if step is not None]
    assert {step.hidden for step in steps if 3 < step.time_s - START_S < 6} == {True}
    open_ = [step for step in steps if not step.hidden]
    assert all(not 3 < step.time_s - START_S < 6 for step in open_)
    # Nor does what is hidden pull on the steps beside it.
    assert all(abs(step.position[1] - 0.7) < 0.05 * HEIGHT for step in open_)


def segments(driver: Driver) -> list[int]:
    tracks = Tracks()
    seen = [track.segment for o in observe([driver]) for track, step in tracks.observe(o) if step is not None]
    return sorted(set(seen))


def test_at_the_edge_a_track_that_goes_over_to_one_who_comes_begins_anew() -> None:
    """Who leaves is cut to a third; the box of who comes has the same foot, and is whole."""
    leaves = [(0.0, 0.5, 0.85), (1.0, 0.5, 1.0), (1.4, 0.5, 1.06)]
    comes = [(1.5, 0.5, 1.0), (2.5, 0.5, 0.85)]
    assert segments(in_picture(leaves)) == segments(in_picture(comes)) == [0]
    assert segments(in_picture([*leaves, *comes])) == [0, 1]


def in_picture(waypoints: list[tuple[float, float, float]]) -> Driver:
    """A driver whose box ends at the picture's lower edge."""

    def beyond(time_s: float) -> float:
        for (t0, _, y0), (t1, _, y1) in pairwise(waypoints):
            if t0 <= time_s <= t1:
                return max(0.0, y0 + (time_s - t0) / (t1 - t0) * (y1 - y0) - 1.0) / HEIGHT
        return 0.0

    return Driver(waypoints, cut=beyond)


def test_who_stands_at_the_edge_stays_the_same() -> None:
    assert segments(Driver([(0.0, 0.5, 0.993), (12.0, 0.5, 0.993)], jitter=0.05)) == [0]


@pytest.mark.parametrize("covered", [True, False])
def test_a_little_less_of_a_box_is_hidden_where_a_nearer_one_covers_its_foot(covered: bool) -> None:
    """A quarter less of its height: no more than jitter where nobody is before it."""
    behind = Driver(STANDS, cut=lambda time_s: 0.25 if 3 < time_s < 6 else 0.0, track_id=1)
    before = Driver([(3.0, 0.5, 0.74), (6.0, 0.5, 0.74)], track_id=2)
    drivers = [behind, before] if covered else [behind]
    tracks = Tracks(calibration())
    seen = [pair for o in observe(drivers, until_s=9) for pair in tracks.observe(o)]
    hidden = {step.hidden for track, step in seen if step is not None and track.id == 1
              if 3 < step.time_s - START_S < 6}  # fmt: skip
    assert hidden == {covered}


@pytest.mark.parametrize(
    ("told", "wide_m", "kind"),
    [
        # The box is as high as 1/8 of the road is wide.
        (RoadUserKind.TRUCK, 14.0, RoadUserKind.CAR),
        (RoadUserKind.TRUCK, 24.0, RoadUserKind.TRUCK),
        (RoadUserKind.BUS, 14.0, RoadUserKind.CAR),
        (RoadUserKind.MOTORBIKE, 14.0, RoadUserKind.MOTORBIKE),
    ],
)
def test_who_is_no_higher_than_a_car_is_not_surely_a_lorry(
    told: RoadUserKind, wide_m: float, kind: RoadUserKind
) -> None:
    tracks = Tracks(calibration(wide_m))
    driver = Driver(STANDS, told, jitter=0.02)
    seen = [pair for o in observe([driver], until_s=6) for pair in tracks.observe(o)]
    later = [track for track, step in seen if step is not None and step.time_s > START_S + 1]
    assert {track.kind for track in later} == {kind}
    assert all((track.kind_confidence <= 0.5) == (kind is not told) for track in later)


def test_without_a_calibration_a_lorry_is_what_the_detector_says() -> None:
    tracks = Tracks()
    seen = [
        pair for o in observe([Driver(STANDS, RoadUserKind.TRUCK)], until_s=6) for pair in tracks.observe(o)
    ]
    assert {track.kind for track, _ in seen} == {RoadUserKind.TRUCK}


@pytest.mark.parametrize("rate_hz", [3.0, 5.0, 6.0, 12.0])
@pytest.mark.parametrize("heights_s", [4, 8, 10, 14])
def test_somebody_swift_who_crosses_the_view_is_one_trajectory(rate_hz: float, heights_s: float) -> None:
    """8 box heights a second are 43 km/h: at 6 Hz more than a box from one picture to the next."""
    until_s = 0.9 * ASPECT / (heights_s * HEIGHT)
    across = Driver([(0.0, 0.05, 0.6), (until_s, 0.95, 0.6)], RoadUserKind.CAR, width=2.0, jitter=0.02)
    scene = Scene(SceneSettings.model_validate({}))
    seen = list(observe([across], until_s=until_s, rate_hz=rate_hz))
    segments = {track.segment for moment in moments(scene, seen) for track, step in moment.advances if step}
    assert segments == {0}


def test_an_identity_that_goes_to_and_fro_between_two_others_makes_no_way() -> None:
    """Each leap alone could be the beginning of a swift way; no third point is where it leads."""
    tracks, steps = Tracks(), []
    points: list[TrackPoint] = []
    for number, observation in enumerate(observe([Driver(UP)], until_s=4)):
        y = 0.4 if number % 2 else 0.7
        box = (0.5 - HEIGHT / 4, y - HEIGHT, 0.5 + HEIGHT / 4, y)
        points.append(TrackPoint(observation.time.captured_at_s, box, 0.8))
        users = (RoadUser(1, RoadUserKind.CAR, tuple(points)),)
        steps += tracks.observe(replace(observation, road_users=users))
    assert len(steps) > 15
    assert {round(step.position[1], 6) for _, step in steps if step is not None} == {0.4, 0.7}
    assert all(step is not None and step.velocity == (0.0, 0.0) for _, step in steps)

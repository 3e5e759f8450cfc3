"""Following road users over time: made scenes with known answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, cycle, islice, pairwise
from typing import cast

import numpy as np
import pytest
import supervision as sv

from pipeline.perception.camera import CameraPerception
from pipeline.perception.classes import KIND_ID
from pipeline.perception.closer import HeadFinder
from pipeline.perception.riders import BARE, HELMET
from pipeline.types import GRID, Frame, FrameTime, Lamp, LampColor, Observation, Picture, RoadUserKind

PERSON, BICYCLE, MOTORBIKE, CAR, BUS, TRUCK = (KIND_ID[kind] for kind in RoadUserKind)
WIDTH, HEIGHT = 640, 480
START_S = 1_800_000_000.0

Seen = tuple[int, tuple[float, float, float, float], float]
"""Class, box in pixels, confidence."""


def frame(time_s: float, sequence: int = 0, connection: int = 0) -> Frame:
    picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    return Frame("test", picture, FrameTime(START_S + time_s, "file"), sequence, connection, (1920, 1440))


def detections(seen: Sequence[Seen]) -> sv.Detections:
    return sv.Detections(
        xyxy=np.array([box for _, box, _ in seen], np.float32).reshape(-1, 4),
        confidence=np.array([confidence for *_, confidence in seen], np.float32),
        class_id=np.array([kind for kind, *_ in seen], np.intp),
    )


def watch(
    moments: Iterable[tuple[float, Sequence[Seen]]], perception: CameraPerception | None = None
) -> list[Observation]:
    perception = perception or CameraPerception("test")
    return [perception.observe(frame(time_s), detections(seen)) for time_s, seen in moments]


def walker(time_s: float, speed_px_s: float, height: float = 80) -> tuple[float, float, float, float]:
    left = 20 + speed_px_s * time_s
    return (left, 200, left + 0.4 * height, 200 + height)


def test_a_confirmed_road_user_is_told_in_picture_coordinates() -> None:
    last = watch((n / 6, [(CAR, (64, 240, 128, 288), 0.8)]) for n in range(6))[-1]
    [user] = last.road_users
    assert user.now.box == pytest.approx((0.1, 0.5, 0.2, 0.6), abs=0.5 / GRID)
    assert user.now.ground == pytest.approx((0.15, 0.6), abs=0.5 / GRID)
    assert all((edge * GRID).is_integer() for edge in (*user.now.box, user.now.confidence))
    assert (user.kind, user.kind_confidence) == (RoadUserKind.CAR, 1.0)
    assert last.picture_size == (1920, 1440)
    assert last.time.captured_at_s == START_S + 5 / 6


def test_a_single_sighting_is_nobody() -> None:
    seen = [[], [(CAR, (64, 240, 128, 288), 0.8)], [], []]
    assert all(not each.road_users for each in watch((n / 6, boxes) for n, boxes in enumerate(seen)))


def test_identity_survives_uneven_gaps_and_repeated_times() -> None:
    times = [0.0, 0.16, 0.32, 0.56, 0.56, 0.72, 0.96, 1.12, 1.36, 1.36, 1.6]
    seen = watch((time_s, [(MOTORBIKE, walker(time_s, 150), 0.7)]) for time_s in times)
    users = [user for each in seen for user in each.road_users]
    assert len({user.track_id for user in users}) == 1
    moments = [point.time_s for point in users[-1].trajectory]
    assert all(later > earlier for earlier, later in pairwise(moments))
    assert len(users[-1].trajectory) >= 8


@pytest.mark.parametrize("steps_s", [(1 / 6,), (0.2, 0.1, 0.2), (0.16, 0.16, 0.2)])
@pytest.mark.parametrize("confidence", [0.4, 0.7])
def test_who_comes_fast_across_the_view_is_one_from_the_second_picture_on(
    steps_s: tuple[float, ...], confidence: float
) -> None:
    """A box of 32 px that moves on by its width between two pictures: they do not overlap."""
    times = [0.0, *accumulate(islice(cycle(steps_s), 12))]
    seen = watch((time_s, [(MOTORBIKE, walker(time_s, 32 / max(steps_s)), confidence)]) for time_s in times)
    users = [user for each in seen for user in each.road_users]
    assert len({user.track_id for user in users}) == 1
    assert len(users[-1].trajectory) >= 12


@pytest.mark.parametrize("rate_hz", [6, 25])
def test_a_road_user_is_lost_after_seconds_not_frames(rate_hz: int) -> None:
    def identities(hidden_s: float) -> set[int]:
        perception = CameraPerception("test")
        times = [n / rate_hz for n in range(rate_hz * 6)]
        car: Seen = (CAR, (200, 200, 300, 260), 0.8)
        seen = watch(((time_s, [] if 2 < time_s < 2 + hidden_s else [car]) for time_s in times), perception)
        return {user.track_id for each in seen for user in each.road_users}

    assert len(identities(1.0)) == 1
    assert len(identities(2.5)) == 2


def test_a_weak_detection_keeps_a_track_but_starts_none() -> None:
    strong, weak = (CAR, (64, 240, 128, 288), 0.6), (CAR, (64, 240, 128, 288), 0.16)
    kept = watch((n / 6, [strong if n < 4 else weak]) for n in range(10))
    assert len(kept[-1].road_users) == 1
    assert not watch((n / 6, [weak]) for n in range(10))[-1].road_users
    # The tracker has a bound of its own, whatever the detector's: half of 0.1 is too little.
    for lowest, stays in ((0.12, 1), (0.09, 0)):
        weakest = (CAR, (64, 240, 128, 288), lowest)
        perception = CameraPerception("test", confidence=0.15)
        kept = watch(((n / 6, [strong if n < 4 else weakest]) for n in range(10)), perception)
        assert len(kept[-1].road_users) == stays


def test_a_new_connection_gives_new_identities_and_never_an_old_number() -> None:
    perception = CameraPerception("test")
    car = detections([(CAR, (64, 240, 128, 288), 0.8)])
    numbers = []
    for connection in range(3):
        for n in range(4):
            seen = perception.observe(frame(connection + n / 6, connection=connection), car)
        numbers.append(seen.road_users[0].track_id)
        assert len(seen.road_users[0].trajectory) <= 4
        assert seen.connection == connection
    assert len(set(numbers)) == 3


def test_a_clock_that_jumps_back_starts_anew() -> None:
    perception = CameraPerception("test")
    car = detections([(CAR, (64, 240, 128, 288), 0.8)])
    before = [perception.observe(frame(100 + n / 6), car) for n in range(4)][-1]
    after = [perception.observe(frame(n / 6), car) for n in range(4)][-1]
    assert before.road_users[0].track_id != after.road_users[0].track_id
    assert after.road_users[0].trajectory[0].time_s < START_S + 1


def test_a_trajectory_is_bounded_in_seconds() -> None:
    last = watch((n / 2, [(CAR, (64, 240, 128, 288), 0.8)]) for n in range(100))[-1]
    [user] = last.road_users
    assert 19 <= user.now.time_s - user.trajectory[0].time_s <= 20


def test_who_stands_in_an_ignored_area_is_not_followed() -> None:
    perception = CameraPerception("test", ignore=[[(0.0, 0.5), (0.4, 0.5), (0.4, 1.0), (0.0, 1.0)]])
    inside, outside = (CAR, (64, 240, 128, 288), 0.8), (CAR, (400, 240, 464, 288), 0.8)
    last = watch(((n / 6, [inside, outside]) for n in range(6)), perception)[-1]
    assert [user.now.ground[0] for user in last.road_users] == [pytest.approx(432 / WIDTH, abs=0.5 / GRID)]


def test_a_walking_pedestrian_stays_a_person_even_when_brisk() -> None:
    # 1.1 box heights a second is 1.9 m/s.
    last = watch((n / 6, [(PERSON, walker(n / 6, 88), 0.7)]) for n in range(30))[-1]
    assert [user.kind for user in last.road_users] == [RoadUserKind.PERSON]


def test_a_rider_alone_at_a_vehicles_speed_is_a_probable_motorbike() -> None:
    # 2 box heights a second is 12 km/h.
    last = watch((n / 6, [(PERSON, walker(n / 6, 160), 0.7)]) for n in range(18))[-1]
    [user] = last.road_users
    assert user.kind is RoadUserKind.MOTORBIKE
    assert user.kind_confidence == 0.5


def test_a_box_that_flickers_in_height_is_no_speed() -> None:
    seen = watch((n / 6, [(PERSON, (100, 100, 140, 200 if n // 3 % 2 else 330), 0.7)]) for n in range(30))
    assert {user.kind for each in seen for user in each.road_users} == {RoadUserKind.PERSON}


def test_a_motorbike_that_flickers_between_its_parts_is_one_with_a_steady_ground_point() -> None:
    """Every third frame shows the rider alone, the machine alone, or both."""

    def parts(n: int) -> list[Seen]:
        y = 100 + 6 * n
        rider: Seen = (PERSON, (200, y, 240, y + 80), 0.6)
        machine: Seen = (MOTORBIKE, (202, y + 50, 238, y + 105), 0.6)
        return [[rider, machine], [rider], [machine]][n % 3]

    seen = watch((n / 6, parts(n)) for n in range(30))
    users = [user for each in seen for user in each.road_users]
    assert len({user.track_id for user in users}) == 1
    assert users[-1].kind is RoadUserKind.MOTORBIKE
    grounds = np.array([point.ground[1] * HEIGHT for point in users[-1].trajectory])
    expected = np.array([100 + 6 * n + 105 for n in range(30)][-len(grounds) :])
    # A rider's own box ends 25 pixels higher, a quarter of the whole; the first points of the trajectory come
    # before it was seen whole.
    assert np.abs(grounds - expected)[3:].max() < 5
    assert len(users[-1].riders) == 0, "the last frame shows the machine alone"
    assert len(users[-3].riders) == 1


def test_lamps_are_read_in_every_frame() -> None:
    perception = CameraPerception("test", lamps=[Lamp("north", (0.9, 0.1, 0.95, 0.3))])
    last = watch(((n / 6, []) for n in range(12)), perception)[-1]
    assert last.signals["north"].color is LampColor.OFF
    assert last.signals["north"].lamp_id == "north"


@pytest.mark.parametrize(("car", "share"), [(0.35, 0.8), (0.7, 0.5)])
def test_a_weak_car_box_on_a_lorry_is_less_than_a_vote_and_a_sure_one_is_doubt(
    car: float, share: float
) -> None:
    lorry = [(CAR, (102, 202, 200, 298), car), (TRUCK, (100, 200, 200, 300), 0.7)]
    [user] = watch((n / 6, lorry) for n in range(8))[-1].road_users
    assert user.kind_confidence == pytest.approx(share, abs=0.01)
    assert car == 0.7 or user.kind == RoadUserKind.TRUCK


def test_what_it_looks_like_from_near_outvotes_what_it_looked_like_from_afar() -> None:
    """A lorry at the far end is a car for as long, but there it is a fifth as high."""
    far: list[Seen] = [(CAR, (300, 200, 330, 220), 0.8)]
    moments = [(n / 6, far) for n in range(8)]
    for n in range(8):
        grown = 20 + 10 * (n + 1)
        moments.append(((8 + n) / 6, [(TRUCK, (300 - grown / 2, 200, 330 + grown / 2, 200 + grown), 0.8)]))
    [user] = watch(moments)[-1].road_users
    assert user.kind == RoadUserKind.TRUCK
    assert user.kind_confidence > 0.7


def test_who_moves_is_told_to_the_closer_look_apart_from_who_stands() -> None:
    told: list[list[bool]] = []

    class Closer:
        def look(self, picture: Picture, users: sv.Detections, moving: np.ndarray) -> sv.Detections:
            told.append([bool(moving[row]) for row in np.argsort(users.xyxy[:, 0])])
            return users

    stands, goes_off = (100.0, 200.0, 124.0, 250.0), (400.0, 200.0, 424.0, 250.0)
    perception = CameraPerception("test", closer=cast(HeadFinder, Closer()), riders_in_box=True)
    moments: list[tuple[float, list[Seen]]] = []
    for n in range(24):
        y = -2.0 * max(0, n - 12)  # away from the camera
        off = (goes_off[0], goes_off[1] + y, goes_off[2], goes_off[3] + y)
        moments.append((n / 6, [(MOTORBIKE, stands, 0.8), (MOTORBIKE, off, 0.8)]))
    watch(moments, perception)
    assert told[1] == [True, True], "not known yet"
    assert told[12] == [False, False]
    assert told[-1] == [False, True]


@pytest.mark.parametrize("waits_s", [10, 60])
@pytest.mark.parametrize("hz", [2, 6, 15])
def test_a_car_that_takes_over_a_motorbikes_identity_is_told_as_a_car_within_seconds(
    waits_s: int, hz: int
) -> None:
    bike, car = (MOTORBIKE, (312, 260, 330, 300), 0.8), (CAR, (300, 256, 345, 302), 0.8)
    *waited, last = [
        seen.road_users
        for seen in watch((n / hz, [bike if n < waits_s * hz else car]) for n in range((waits_s + 6) * hz))
    ]
    [before], [after] = waited[waits_s * hz - 1], last
    assert (before.kind, before.kind_confidence) == (RoadUserKind.MOTORBIKE, 1.0)
    assert after.track_id == before.track_id
    assert after.kind is RoadUserKind.CAR


def test_a_lorry_that_a_bus_half_hides_for_seconds_stays_a_lorry() -> None:
    """Seen whole for 4 s, not at all for 1 s, and its cab alone, as a car, for 2."""
    whole, cab = (TRUCK, (200, 200, 320, 320), 0.8), (CAR, (200, 205, 310, 318), 0.7)
    moments: list[tuple[float, list[Seen]]] = [
        (n / 6, [whole] if n < 24 else [] if n < 30 else [cab]) for n in range(42)
    ]
    [user] = watch(moments)[-1].road_users
    assert user.kind is RoadUserKind.TRUCK


def test_a_passer_by_does_not_become_the_motorbike_that_stands_there() -> None:
    [before], [after] = (seen.road_users for seen in walked(riders_in_box=True))
    assert after.kind == RoadUserKind.MOTORBIKE
    assert after.track_id != before.track_id
    # Where a rider may be seen as a person, the two are one.
    [before], [after] = (seen.road_users for seen in walked(riders_in_box=False))
    assert after.track_id == before.track_id


def walked(riders_in_box: bool) -> tuple[Observation, Observation]:
    """A person walks up to where a motorbike stands and is not seen any more, but that is."""
    perception = CameraPerception("test", riders_in_box=riders_in_box)
    parked = (MOTORBIKE, (82, 204, 118, 284), 0.8)
    seen = watch(
        ((n / 6, [(PERSON, walker(n / 6, 30), 0.7)] if n < 12 else [parked]) for n in range(20)), perception
    )
    return seen[11], seen[-1]


def test_a_pedestrian_seen_as_a_machine_now_and_then_is_a_person_to_a_model_that_boxes_riders() -> None:
    kinds = [MOTORBIKE if n % 3 == 0 else PERSON for n in range(18)]
    moments = [(n / 6, [(kind, walker(n / 6, 30), 0.7)]) for n, kind in enumerate(kinds)]
    told = watch(moments, CameraPerception("test", riders_in_box=True))
    assert {user.kind for seen in told for user in seen.road_users if len(user.trajectory) > 3} == {
        RoadUserKind.PERSON
    }


def test_a_bareheaded_passer_by_lends_a_rider_neither_body_nor_head() -> None:
    """A helmeted rider overtakes somebody on the near pavement, slowly: for a second they overlap."""
    told = watch(
        (
            (
                n / 6,
                [
                    (MOTORBIKE, (16 * n, 250, 16 * n + 55, 360), 0.8),
                    (PERSON, (100 + 11 * n, 252, 132 + 11 * n, 348), 0.8),
                    (HELMET, (16 * n + 20, 252, 16 * n + 32, 266), 0.7),
                    (BARE, (110 + 11 * n, 253, 122 + 11 * n, 267), 0.7),
                ],
            )
            for n in range(36)
        ),
        CameraPerception("test", riders_in_box=True),
    )
    users = [user for seen in told for user in seen.road_users]
    assert len({user.track_id for user in users}) == 2
    riders = [user for user in users if user.kind is RoadUserKind.MOTORBIKE]
    assert len(riders) >= 30
    assert all(len(user.heads) <= 1 and not user.riders for user in riders)
    assert not any(head.bare for user in riders for head in user.heads)
    assert {round((user.now.box[2] - user.now.box[0]) * WIDTH) for user in riders} == {55}


def test_a_picture_of_another_size_gives_new_identities_and_never_an_old_number() -> None:
    """Within one connection: a place in pixels is another place on the road then."""
    perception = CameraPerception("test", lamps=[Lamp("north", (0.9, 0.1, 0.95, 0.3))], riders_in_box=True)
    near, far = (0.5, 0.5, 0.7, 0.8), (0.25, 0.25, 0.35, 0.4)
    numbers: list[set[int]] = []
    for part, scale in enumerate((1.0, 0.5, 1.0)):
        size = np.array((WIDTH, HEIGHT)) * scale
        picture = np.full((int(size[1]), int(size[0]), 3), 60, np.uint8)
        found = detections([(CAR, tuple(box * np.tile(size, 2)), 0.8) for box in np.array((near, far))])
        for n in range(8):
            time = FrameTime(START_S + part * 8 / 6 + n / 6, "file")
            seen = perception.observe(Frame("test", picture, time, n, 0, (1920, 1440)), found)
            assert n or seen.signals["north"].color is LampColor.UNKNOWN
        assert [user.now.box for user in seen.road_users] == [
            pytest.approx(box, abs=0.01) for box in (near, far)
        ]
        numbers.append({user.track_id for user in seen.road_users})
        assert all(len(user.trajectory) <= 8 for user in seen.road_users)
    assert len(set.union(*numbers)) == 6

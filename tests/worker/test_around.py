"""Who else was there is told for moments that were looked at, and for no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import supervision as sv

from pipeline.evidence import Seen
from pipeline.types import Box, FrameTime, Hit, Observation, RoadUser, RoadUserKind, TrackPoint
from pipeline.worker.around import MOST_SEEN, SPARE_S, Surroundings
from tests.evidence.conftest import make_hit

OWN: Box = (0.25, 0.25, 0.5, 0.5)
OTHER: Box = (0.5, 0.5, 0.75, 1.0)
PLATE: Box = (0.5, 0.875, 0.625, 1.0)
NOW_S = 1_000_000.0


def look(around: Surroundings, time_s: float, *users: tuple[int, Box], plates: int = 1) -> None:
    """A picture of 640x320 with followed cars, and plates that a detector saw."""
    observation = Observation(
        "giang-vo-1",
        FrameTime(time_s, "rtcp"),
        tuple(RoadUser(track, RoadUserKind.CAR, (TrackPoint(time_s, box),)) for track, box in users),
        {},
    )
    detections = sv.Detections(
        xyxy=np.tile(np.array([PLATE], np.float32) * (640, 320, 640, 320), (plates, 1)),
        confidence=np.full(plates, 0.5, np.float32),
        class_id=np.full(plates, 6),
    )
    around.add(observation, detections, (640, 320))


def hit(at_s: float = NOW_S) -> Hit:
    return replace(make_hit(at_s), track_id=7)


def test_tells_who_is_in_the_nearest_picture() -> None:
    around = Surroundings(10.0)
    look(around, NOW_S - 0.2, (7, OWN))
    look(around, NOW_S, (7, OWN), (8, OTHER))
    assert around.of(hit()).seen(NOW_S + 0.02) == [
        Seen("license_plate", PLATE),
        Seen("car", OWN, judged=True),
        Seen("car", OTHER),
    ]


def test_who_is_missed_in_one_picture_is_taken_from_its_neighbours() -> None:
    around = Surroundings(10.0)
    for number, users in enumerate([[(8, OTHER)], [], [(8, OTHER)]]):
        look(around, NOW_S + 0.16 * number, (7, OWN), *users)
    seen = around.of(hit()).seen(NOW_S + 0.16)
    assert seen is not None
    assert Seen("car", OTHER) in seen


def test_nobody_knows_who_was_there_when_nobody_looked() -> None:
    around = Surroundings(10.0)
    assert around.of(hit()).seen(NOW_S) is None
    look(around, NOW_S)
    assert around.of(hit()).seen(NOW_S + 1) is None
    look(around, NOW_S + 10 + SPARE_S + 1)
    assert around.of(hit()).seen(NOW_S) is None, "forgotten: the ring has let go of it too"
    look(around, NOW_S)
    assert around.of(hit()).seen(NOW_S + 10 + SPARE_S + 1) is None, "the clock was set back"


def test_keeps_no_more_than_the_surest() -> None:
    around = Surroundings(10.0)
    look(around, NOW_S, plates=5000)
    seen = around.of(hit()).seen(NOW_S)
    assert seen is not None
    assert len(seen) == MOST_SEEN


def test_tells_the_way_of_the_judged() -> None:
    around = Surroundings(10.0)
    for number in range(-3, 4):
        look(around, NOW_S + number, (7, (0.0, 0.0, 0.5, 0.5 + number / 8)), (8, OTHER))
    assert around.of(hit()).way() == [(0.25, 0.375), (0.25, 0.5), (0.25, 0.625)]


def test_a_track_is_where_it_was_seen_from_before_to_after() -> None:
    around = Surroundings(10.0)
    act = hit()
    for time_s in (act.before.time_s - 0.5, act.before.time_s, NOW_S, act.after.time_s + 0.5):
        look(around, time_s, (7, OWN), (8, OTHER))
    look(around, act.after.time_s + 1.0, (8, OTHER))
    assert around.of(act).track() == [TrackPoint(act.before.time_s, OWN), TrackPoint(NOW_S, OWN)]

"""Identities that a tracker exchanges where one rides past another that stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from pipeline.perception.meetings import Meetings

STAND = (400.0, 200.0, 430.0, 250.0)
"""Where one waits at the line."""
HZ = 6.0
WAITS, RIDES = 1, 2


def rider(left: float, bottom: float = 252.0) -> tuple[float, float, float, float]:
    return (left, bottom - 50, left + 30, bottom)


def identities(moments: Sequence[Mapping[int, Sequence[float]]], hz: float = HZ) -> list[dict[int, float]]:
    """What each picture's tracker ids with their boxes become: left edges by identity."""
    meetings = Meetings()
    told = []
    for number, seen in enumerate(moments):
        ids = np.array(list(seen), np.intp)
        boxes = np.array(list(seen.values()), np.float32).reshape(-1, 4)
        who = meetings.identify(ids, boxes, number / hz)
        told.append({identity: float(box[0]) for identity, box in zip(who.tolist(), boxes, strict=True)})
    return told


def ride_past(exchange: bool, waits: float = 3.0) -> list[dict[int, Sequence[float]]]:
    """One waits; another comes from the right, rides past in front, and away to the left, 12 px a picture."""
    moments = []
    start = 470.0 + 12 * HZ * (waits - 1)
    for number in range(round((waits + 4) * HZ)):
        at = start - 12 * number
        passed = at < STAND[0] - 15
        first, second = (RIDES, WAITS) if passed and exchange else (WAITS, RIDES)
        moments.append({first: STAND, second: rider(at)})
    return moments


def test_who_waits_is_not_said_to_ride_on() -> None:
    told = identities(ride_past(exchange=True))
    assert all(seen[WAITS] == STAND[0] for seen in told[-12:])
    assert all(seen[RIDES] < STAND[0] for seen in told[-12:])


def test_identities_that_were_right_stay() -> None:
    moments = ride_past(exchange=False)
    assert identities(moments) == [{who: box[0] for who, box in seen.items()} for seen in moments]


def test_the_next_in_the_queue_is_not_who_has_left() -> None:
    """The first goes on, the second comes up behind it and stands where it stood: nobody was mistaken."""
    moments: list[dict[int, Sequence[float]]] = []
    for number in range(60):
        gone = max(0, number - 24)
        comes = max(0, 12 - max(0, number - 30))
        moments.append({WAITS: rider(400 - 8 * gone), RIDES: rider(400 + 4 * comes)})
    assert identities(moments) == [{who: box[0] for who, box in seen.items()} for seen in moments]


@pytest.mark.parametrize("hz", [6.0, 15.0, 25.0])
@pytest.mark.parametrize("length", [8.0, 13.0, 26.0])
@pytest.mark.parametrize("lengths_s", [0.7, 1.5, 2.5])
def test_who_moves_up_by_one_length_when_the_first_goes_is_not_the_first(
    hz: float, length: float, lengths_s: float
) -> None:
    """Away from the camera, where a length is far less than a box's height: they lie over each other."""
    moments: list[dict[int, Sequence[float]]] = []
    for number in range(round(10 * hz)):
        way = lengths_s * max(0.0, number / hz - 4)
        moments.append(
            {
                WAITS: (400, 200 - way * length, 430, 250 - way * length),
                RIDES: (400, 200 + length * (1 - min(way, 1)), 430, 250 + length * (1 - min(way, 1))),
            }
        )
    meetings = Meetings()
    for number, seen in enumerate(moments):
        who = meetings.identify(
            np.array([WAITS, RIDES]), np.array(list(seen.values()), np.float32), number / hz
        )
        assert who.tolist() == [WAITS, RIDES], number / hz


def test_who_only_rides_through_the_place_is_nobody_else() -> None:
    """Both set off, one behind the other, over the place where the first one stood."""
    moments: list[dict[int, Sequence[float]]] = []
    for number in range(48):
        gone = max(0, number - 24)
        moments.append({WAITS: rider(400 - 10 * gone), RIDES: rider(416 - 10 * max(0, gone - 1))})
    assert identities(moments) == [{who: box[0] for who, box in seen.items()} for seen in moments]


def test_who_has_not_stood_has_no_place() -> None:
    moments = ride_past(exchange=True, waits=0.3)
    told = identities(moments)
    assert told[-1][RIDES] == STAND[0]


def test_the_next_in_the_queue_moves_up_to_the_very_place() -> None:
    """The first leaves, the second, half hidden behind it until then, stands there a second later."""
    moments: list[dict[int, Sequence[float]]] = []
    for number in range(60):
        gone = max(0, number - 24)
        comes = min(max(0, number - 28), 4)
        moments.append({WAITS: rider(400 - 9 * gone), RIDES: rider(416 - 4 * comes)})
    assert identities(moments) == [{who: box[0] for who, box in seen.items()} for seen in moments]


def test_an_exchange_holds_and_can_follow_another() -> None:
    """Who waits is taken for the second rider as well: by then the tracker calls it by the first one's id."""
    renamed = {WAITS: RIDES, RIDES: 3}
    again = [{renamed[who]: box for who, box in seen.items()} for seen in ride_past(exchange=True)]
    told = identities([*ride_past(exchange=True), *again])
    assert all(seen[WAITS] == STAND[0] for seen in told[-12:])
    assert all(seen[3] < STAND[0] for seen in told[-12:])


@pytest.mark.parametrize("seen", [{}, {WAITS: STAND}])
def test_nobody_and_somebody_alone_are_told_as_they_are(seen: dict[int, Sequence[float]]) -> None:
    assert identities([seen] * 3) == [{who: box[0] for who, box in seen.items()}] * 3


def test_a_new_time_line_knows_nobody() -> None:
    meetings = Meetings()
    for number, seen in enumerate(ride_past(exchange=True)):
        boxes = np.array(list(seen.values()), np.float32)
        meetings.identify(np.array(list(seen), np.intp), boxes, number / HZ)
    meetings.reset()
    ids = np.array([WAITS, RIDES], np.intp)
    assert meetings.identify(ids, np.array([STAND, rider(300)], np.float32), 0.0).tolist() == ids.tolist()

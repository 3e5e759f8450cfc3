"""Plates are read beside evidence: out of the ring, softly, and not while acts pile up."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import jsonschema
import pytest

from pipeline.events import schema
from pipeline.events.build import with_plate
from pipeline.events.event import EventType
from pipeline.sim.types import Plate
from pipeline.types import (
    Clip,
    FrameTime,
    Hit,
    Picture,
    PlateReading,
    RecordingError,
    RoadUserKind,
    Still,
    TrackPoint,
)
from pipeline.worker import plates
from pipeline.worker.plates import MOST_OVERDUE, PlateDesk
from tests.events.examples import act
from tests.plates.test_reader import vehicle

PLATE = Plate("59P231316", 2, "white")
BOX = (0.02, 0.02, 0.98, 0.98)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(plates, "BUDGET_S", 120.0)


def jpeg_of(picture: Picture) -> bytes:
    return cv2.imencode(".jpg", picture)[1].tobytes()


class Ring:
    """A recording that shows one picture at all times but `lost`."""

    def __init__(self, lost: Sequence[float] = (), broken: bool = False) -> None:
        self._jpeg = jpeg_of(vehicle((PLATE, True, (0.5, 0.7))))
        self._lost = lost
        self._broken = broken
        self.asked: list[float] = []

    def wait_until(self, time_s: float, timeout_s: float) -> bool:
        return True

    def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
        if self._broken:
            raise RuntimeError("the camera's process died")
        self.asked += times_s
        return [
            RecordingError("the ring let go of it")
            if time_s in self._lost
            else Still(self._jpeg, time_s, 560, 420)
            for time_s in times_s
        ]

    def clip(self, start_s: float, end_s: float, path: Path) -> Clip:
        raise NotImplementedError


class FewPictures(Ring):
    """A recording of those pictures, by their time: as in a ring the nearest within a second answers."""

    def __init__(self, pictures: Mapping[float, Picture]) -> None:
        super().__init__()
        self._pictures = pictures

    def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
        self.asked += times_s
        return [self._nearest(time_s) for time_s in times_s]

    def _nearest(self, time_s: float) -> Still | RecordingError:
        at_s = min(self._pictures, key=lambda each: abs(each - time_s))
        if abs(at_s - time_s) > 1.0:
            return RecordingError("the recording holds nothing near")
        return Still(jpeg_of(self._pictures[at_s]), at_s, 560, 420)


def hit(kind: RoadUserKind = RoadUserKind.MOTORBIKE) -> Hit:
    before, at, after = (TrackPoint(time_s, BOX) for time_s in (99.0, 100.0, 101.0))
    return Hit("red_light", "cam-1", 17, kind, before, at, after, 0.9, FrameTime(100.0, "file"))


def test_the_plate_of_an_act_is_in_its_event() -> None:
    ring = Ring()
    reading = PlateDesk(lambda: 0).read(hit(), ring)
    assert reading.text == PLATE.text
    assert reading.legible
    assert len(ring.asked) == 2  # two that agree are enough
    event = with_plate(act(hit()), reading)
    jsonschema.validate(event.data, schema.json_schema(EventType.INCOMPLETE))
    told = event.data["plate"]
    assert (told["text"], told["lines"], told["province"]) == (PLATE.text, ["59P2", "31316"], "59")
    assert (told["form"], told["color"], told["legible"]) == ("motorbike", "white", True)
    assert len(told["sights"]) == 2
    assert told["sights"][0]["captured_at"].endswith("Z")


def test_without_a_plate_the_event_says_why() -> None:
    told = with_plate(act(hit()), PlateReading.unread("no time")).data
    jsonschema.validate(told, schema.json_schema(EventType.INCOMPLETE))
    plate = told["plate"]
    assert (plate["text"], plate["legible"], plate["outcome"]) == ("", False, "not_read")
    assert {"code": "plate_not_read", "reason": "no time"} in told["missing"]


def test_pictures_that_are_gone_are_done_without() -> None:
    assert PlateDesk(lambda: 0).read(hit(), Ring(lost=(100.0, 99.5))).text == PLATE.text
    gone = PlateDesk(lambda: 0).read(hit(), Ring(lost=(99.0, 99.5, 100.0, 100.5, 101.0)))
    assert (gone.reason, gone.cause) == ("no picture of the vehicle could be had", "no_picture")


def test_trouble_is_told_and_not_raised() -> None:
    reading = PlateDesk(lambda: 0).read(hit(), Ring(broken=True))
    assert not reading.legible
    assert "RuntimeError" in reading.reason


def test_acts_that_pile_up_get_their_proof_first() -> None:
    ring = Ring()
    reading = PlateDesk(lambda: MOST_OVERDUE + 1).read(hit(), ring)
    assert reading.text == ""
    assert f"{MOST_OVERDUE + 1} acts wait" in reading.reason
    assert ring.asked == []


def test_one_plate_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plates, "BUDGET_S", 0.2)
    held, let_go = threading.Event(), threading.Event()

    class Slow(Ring):
        def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
            held.set()
            let_go.wait(20)
            return super().stills(times_s)

    desk = PlateDesk(lambda: 0)
    thread = threading.Thread(target=desk.read, args=(hit(), Slow()))
    thread.start()
    assert held.wait(30)
    assert desk.read(hit(), Ring()).reason == "the plates of other acts were being read"
    let_go.set()
    thread.join(60)
    assert not thread.is_alive()


def test_a_vehicle_is_looked_for_where_it_was_seen() -> None:
    """One that turned was never halfway between where it began and where it ended."""
    begun, ended = (0.0, 0.0, 0.2, 0.2), (0.6, 0.0, 0.8, 0.2)
    turning = replace(hit(), before=TrackPoint(99.0, begun), at=TrackPoint(100.0, ended))
    ring = Ring(lost=(99.0, 100.0, 100.5, 101.0))
    assert PlateDesk(lambda: 0).read(turning, ring).outcome != "legible"
    track = [TrackPoint(99.0, begun), TrackPoint(99.45, BOX), TrackPoint(100.0, ended)]
    ring = Ring(lost=(99.0, 100.0, 100.5, 101.0))
    assert PlateDesk(lambda: 0).read(turning, ring, track).text == PLATE.text
    assert 99.45 in ring.asked
    assert 99.5 not in ring.asked


def test_one_picture_is_one_witness_however_often_the_ring_answers_with_it() -> None:
    """An old plate, or five digits of which something hides one: two pictures must agree."""
    old, bare = vehicle((Plate("54S85452", 2, "white"), True, (0.5, 0.7))), vehicle()
    points = [TrackPoint(time_s, BOX) for time_s in (99.8, 100.0, 100.2)]
    act_of = replace(hit(), before=points[0], at=points[1], after=points[2])
    reading = PlateDesk(lambda: 0).read(act_of, FewPictures({99.8: bare, 100.0: old, 100.2: bare}))
    assert len(reading.sights) == 1
    assert (reading.legible, reading.cause) == (False, "unsure")
    reading = PlateDesk(lambda: 0).read(act_of, FewPictures({99.8: bare, 100.0: old, 100.2: old}))
    assert {sight.captured_at_s for sight in reading.sights} == {100.0, 100.2}
    assert reading.legible


def test_a_picture_of_another_moment_shows_perhaps_another_vehicle() -> None:
    """The recording lacks 1.8 s around the act; 0.9 s after it, somebody else is where the vehicle was."""
    behind, bare = vehicle((Plate("62LX51648", 2, "white"), True, (0.5, 0.7))), vehicle()
    gone = replace(hit(), before=TrackPoint(99.0, BOX), after=TrackPoint(101.1, (0.0, 0.0, 0.1, 0.1)))
    ring = FewPictures({98.9: bare, 99.0: bare, 99.1: bare, 100.9: behind, 101.0: behind, 101.1: bare})
    for track in ([], [TrackPoint(99.5, BOX), TrackPoint(100.4, BOX)]):
        reading = PlateDesk(lambda: 0).read(gone, ring, track)
        assert (reading.text, reading.outcome) == ("", "not_found")


@pytest.mark.parametrize("off_s", [-0.19, 0.13, 0.19])
def test_a_few_uneven_pictures_a_second_are_enough(off_s: float) -> None:
    """5 a second with a gap of two: none is nearer to the moments asked."""
    picture = vehicle((PLATE, True, (0.5, 0.7)))
    ring = FewPictures({time_s + off_s: picture for time_s in (99.0, 99.5, 100.0, 100.5, 101.0)})
    assert PlateDesk(lambda: 0).read(hit(), ring).text == PLATE.text


def test_a_vehicle_is_looked_for_where_it_was_when_the_picture_was_taken() -> None:
    passing = replace(
        hit(),
        at=TrackPoint(100.0, (0.0, 0.0, 0.2, 0.2)),
        before=TrackPoint(90.0, BOX),
        after=TrackPoint(110.0, BOX),
    )
    ring = FewPictures({100.35: vehicle((PLATE, True, (0.5, 0.7)))})
    assert PlateDesk(lambda: 0).read(passing, ring, [TrackPoint(100.3, BOX)]).legible
    assert PlateDesk(lambda: 0).read(passing, ring).cause == "no_picture"

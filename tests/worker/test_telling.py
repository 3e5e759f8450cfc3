"""From a hit to its event: whole where everything could be had, and honest about what could not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import jsonschema
import pytest

from pipeline.config import Config, OutboxSettings
from pipeline.events.event import Event, EventType
from pipeline.events.outbox import Outbox
from pipeline.events.schema import json_schema
from pipeline.evidence import EvidenceMaker, SigningKey
from pipeline.plates import PlateReader
from pipeline.scene import Scene, SceneSettings
from pipeline.sim.types import Plate
from pipeline.types import Hit, PlateReading, RecordingError, RoadUserKind, Still
from pipeline.worker import plates, telling
from pipeline.worker.act import Act
from pipeline.worker.around import Surroundings
from pipeline.worker.metrics import Metrics
from pipeline.worker.telling import Observer, Teller
from tests.events.examples import ORIGIN
from tests.evidence.conftest import MODEL, make_hit
from tests.evidence.film import START_S, Film, FilmRecording, shoot
from tests.plates.test_reader import vehicle
from tests.waiting import wait_for

PLATE = Plate("59P231316", 2, "white")
AT_S = START_S + 10.0
SCENE = Scene(SceneSettings())


@pytest.fixture(scope="module")
def film() -> Film:
    return shoot()


@dataclass
class Street(FilmRecording):
    """A film whose stills show a motorbike's tail with its plate."""

    def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
        _, jpeg = cv2.imencode(".jpg", vehicle((PLATE, True, (0.5, 0.7))))
        return [
            replace(still, jpeg=jpeg.tobytes(), width=560, height=420) if isinstance(still, Still) else still
            for still in super().stills(times_s)
        ]


class Box:
    """What a worker has around its teller, on a real disk."""

    judged = True

    def __init__(self, folder: Path, recording: FilmRecording, **settings: Any) -> None:
        self.folder, self.recording, self.settings = folder, recording, settings
        self.start()

    def start(self) -> None:
        """Anew, as after a crash: nothing but the disk is left."""
        camera = {"id": "giang-vo-1", "detect": {"url": "rtsp://192.0.2.1/a"}}
        config = Config.model_validate(
            {
                "worker": {"data_dir": str(self.folder)},
                "model": {"path": "none.onnx"},
                "cameras": [camera],
                "evidence": {"before_s": 2, "after_s": 1},
                **self.settings,
            }
        )
        self.metrics = Metrics()
        self.outbox = Outbox(self.folder / "outbox.db")
        self.evidence = EvidenceMaker(
            self.folder / "evidence",
            config.evidence,
            SigningKey.load_or_create(self.folder),
            MODEL,
            "edge-01",
        )
        watch: Any = SimpleNamespace(
            camera=self.recording,
            settings=config.cameras[0],
            scene=SCENE,
            judged=self.judged,
            around=Surroundings(30.0),
        )
        self.teller = Teller(
            config, {"giang-vo-1": watch}, self.evidence, self.outbox, ORIGIN, self.metrics, Observer()
        )

    def tell(self, *hits: Hit) -> list[Event]:
        """Their events, once they are on the disk."""
        self.teller.proofs.start()
        for hit in hits:
            self.teller.take_act(Act(hit, SCENE), AT_S + 10)
        assert wait_for(lambda: self.outbox.count() == len(hits), 60)
        return self.stored()

    def stored(self) -> list[Event]:
        events = self.outbox.batch(1000)
        for event in events:
            jsonschema.validate(event.data, json_schema(event.type))
        return events

    def counted(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def hit(kind: RoadUserKind = RoadUserKind.MOTORBIKE, track_id: int = 17) -> Hit:
    whole = (0.02, 0.02, 0.98, 0.98)
    seen = make_hit(AT_S, track_id)
    points = {name: replace(getattr(seen, name), box=whole) for name in ("before", "at", "after")}
    return replace(seen, kind=kind, **points)


def codes(event: Event) -> list[str]:
    return [part["code"] for part in event.data["missing"]]


def test_a_whole_record_is_a_candidate_with_plate_and_law(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plates, "BUDGET_S", 120.0)
    box = Box(tmp_path, Street(film))
    [event] = box.tell(hit())
    assert (event.type, codes(event)) == (EventType.VIOLATION, [])
    assert event.data["plate"]["text"] == PLATE.text
    [entry] = event.data["law"]["entries"]
    assert (entry["citation"], entry["verified"]) == ("điểm c khoản 7 Điều 7 Nghị định 168/2024/NĐ-CP", False)
    assert box.counted("ngatu_acts_total", rule="red_light", type="violation.candidate") == 1
    assert box.counted("ngatu_plates_total", outcome="legible") == 1


def test_an_act_keeps_the_law_of_the_scene_that_it_was_judged_by(tmp_path: Path, film: Film) -> None:
    """Another is in force when its proof is made."""
    everywhere = [[0, 0], [1, 0], [1, 1], [0, 1]]
    zone = {"id": "m", "purpose": "motorway", "polygon": everywhere}
    motorway = Scene(SceneSettings.model_validate({"zones": [zone]}))
    box = Box(tmp_path, FilmRecording(film))
    driven = replace(hit(RoadUserKind.CAR), rule="wrong_way")
    box.teller.proofs.start()
    for scene, track_id in ((SCENE, 1), (motorway, 2)):
        box.teller.take_act(Act(replace(driven, track_id=track_id), scene), AT_S + 10)
    assert wait_for(lambda: box.outbox.count() == 2, 60)
    street, road = sorted(box.stored(), key=lambda event: event.data["track"])
    assert [entry["citation"][:16] for entry in street.data["law"]["entries"]] == ["điểm d khoản 9 Đ"]
    assert [entry["citation"][:17] for entry in road.data["law"]["entries"]] == ["điểm đ khoản 11 Đ"]


def test_with_plate_reading_off_every_violation_is_incomplete_and_no_model_is_loaded(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("plates are not to be read")

    monkeypatch.setattr(plates, "PlateReader", never)
    box = Box(tmp_path, Street(film), plates={"enabled": False})
    [event] = box.tell(hit())
    assert (event.type, codes(event)) == (EventType.INCOMPLETE, ["plate_reading_off"])
    assert event.data["evidence"]["missing"] == []
    assert box.counted("ngatu_acts_total", rule="red_light", type="violation.incomplete") == 1
    assert box.counted("ngatu_acts_missing_total", rule="red_light", part="plate_reading_off") == 1
    assert box.teller.told == {EventType.INCOMPLETE: 1}


def test_who_carries_no_plate_is_told_so(tmp_path: Path, film: Film) -> None:
    [event] = Box(tmp_path, FilmRecording(film)).tell(hit(RoadUserKind.BICYCLE))
    assert codes(event) == ["plate_not_carried"]
    assert event.data["missing"][0]["reason"] == "a bicycle carries no plate"
    assert event.data["law"]["reason"] == "the catalogue has no entry for red_light by a bicycle"


def test_an_incident_needs_no_plate(tmp_path: Path, film: Film) -> None:
    [event] = Box(tmp_path, FilmRecording(film)).tell(replace(hit(), rule="intrusion", concern="security"))
    assert (event.type, codes(event)) == (EventType.SECURITY, [])
    assert "law" not in event.data


def test_a_full_queue_tells_at_once_what_could_not_be_made(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "PROOFS_WAITING", 1)
    box = Box(tmp_path, FilmRecording(film))
    for track_id in (1, 2):
        box.teller.take_act(Act(hit(track_id=track_id), SCENE), AT_S)
    [event] = box.stored()
    assert event.type is EventType.INCOMPLETE
    assert codes(event) == ["plate_not_read", "still_before", "still_at", "still_after", "clip"]
    assert {part["reason"] for part in event.data["missing"]} == {
        "too many acts at once: the evidence queue was full"
    }


def test_when_the_worker_stops_evidence_goes_before_plates(tmp_path: Path, film: Film) -> None:
    box = Box(tmp_path, Street(film))
    box.teller.take_act(Act(hit(), SCENE), AT_S)
    box.evidence.hurry()
    box.teller.proofs.start()
    assert box.teller.proofs.drain(30) == 0
    [event] = box.stored()
    assert event.data["missing"] == [{"code": "plate_not_read", "reason": "the worker was stopping"}]


def test_what_a_crash_interrupted_is_told_as_incomplete(tmp_path: Path, film: Film) -> None:
    """One hit's bundle was made and its event was not; another's bundle was not."""
    box = Box(tmp_path, Street(film))
    made, begun = hit(track_id=1), hit(track_id=2)
    for each in (made, begun):
        box.teller.take_act(Act(each, SCENE), AT_S)
    [told, _] = box.outbox.leftover_hits()
    box.evidence.make(made, told.id, box.recording, box.teller._watches["giang-vo-1"].settings)
    box.outbox.close()
    box.start()
    box.teller.recover()
    first, second = sorted(box.stored(), key=lambda event: event.data["track"])
    assert (first.type, codes(first)) == (EventType.VIOLATION, [])
    assert first.data["evidence"]["bundle"] is not None
    assert first.data["plate"]["legible"], "read from the stills of its bundle"
    assert second.type is EventType.INCOMPLETE
    assert codes(second) == ["plate_not_read", "still_before", "still_at", "still_after", "clip"]
    assert {part["reason"] for part in second.data["missing"]} == {telling.STOPPED}
    for event in (first, second):
        assert len(event.data["law"]["entries"]) == 1
    assert box.outbox.leftover_hits() == []


def test_a_crash_and_a_broken_scene_leave_open_what_the_scene_would_have_decided(
    tmp_path: Path, film: Film
) -> None:
    """Wrong way on a motorway, or elsewhere: the scene that said so is not there any more."""
    box = Box(tmp_path, FilmRecording(film))
    made = replace(hit(), rule="wrong_way", kind=RoadUserKind.CAR)
    box.teller.take_act(Act(made, SCENE), AT_S)
    [told] = box.outbox.leftover_hits()
    assert len(told.data["law"]["entries"]) == 1
    box.evidence.make(made, told.id, box.recording, box.teller._watches["giang-vo-1"].settings)
    box.outbox.close()
    box.judged = False
    box.start()
    box.teller.recover()
    [event] = box.stored()
    assert len(event.data["law"]["entries"]) == 2


def test_acts_that_neither_disk_nor_memory_holds_are_told_of(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "UNSTORED", 2)
    box = Box(tmp_path, FilmRecording(film))
    full = Outbox(tmp_path / "full.db", OutboxSettings(max_megabytes=1), extra_bytes=lambda: 1_000_000)
    box.teller._outbox = full
    acts = [box.teller._bare_act(Act(hit(track_id=number), SCENE), "") for number in range(5)]
    for number, event in enumerate(acts, start=1):
        box.teller.put(event)
        box.teller.store_again()
        assert (box.counted("ngatu_errors_total", stage="unstored") or 0) == max(0, number - 2)
    box.teller._outbox = box.outbox
    box.teller.store_again()
    assert [event.data["track"] for event in box.stored()] == [3, 4]


@pytest.mark.serial
def test_at_ten_acts_a_second_events_go_out_in_time_without_plates(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading takes half a second here, evidence is real: acts pile up; plates and composites give way."""

    def slow(self: PlateReader, sightings: object, budget_s: float, kind: object) -> PlateReading:
        time.sleep(0.5)
        return PlateReading.unread("nothing to be read", "not_found")

    monkeypatch.setattr(PlateReader, "read", slow)
    box = Box(tmp_path, FilmRecording(film))
    box.teller.proofs.start()
    most, acts, began = 0, 40, time.monotonic()
    for number in range(acts):
        time.sleep(max(0.0, began + number / 10 - time.monotonic()))
        box.teller.take_act(Act(hit(track_id=number), SCENE), AT_S + 10)
        most = max(most, box.teller.proofs.waiting())
    sent_s = time.monotonic() - began
    assert wait_for(lambda: box.outbox.count() == acts, 60)
    over_s = time.monotonic() - began - sent_s
    told = box.outbox.batch(acts)
    reasons = [event.data["plate"]["outcome"] for event in told]
    roles = [{item["role"] for item in event.data["evidence"]["items"]} for event in told]
    drawn = sum("composite" in each for each in roles)
    print(
        f"\n{acts} acts in {sent_s:.1f} s: all told {over_s:.1f} s after the last, most waiting {most}, "
        f"looked for {reasons.count('not_found')}, not read for lack of time {reasons.count('not_read')}, "
        f"composites {drawn}"
    )
    assert all(each >= {"before", "at", "after", "clip"} for each in roles), "evidence does not wait"
    assert reasons.count("not_found") + reasons.count("not_read") == acts
    assert reasons.count("not_read") > acts / 3
    assert reasons.count("not_found") >= 3
    assert 1 <= drawn <= acts * 2 / 3
    assert most < telling.PROOFS_WAITING / 4
    assert over_s < 25

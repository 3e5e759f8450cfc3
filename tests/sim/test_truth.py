"""Truth on disk, and plates."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from pipeline.sim.traffic import fleet
from pipeline.sim.truth import TruthError, frame_line, read_acts, read_frames, write_acts
from pipeline.sim.types import Act, ActKind, Seen
from pipeline.types import RoadUserKind
from tests.sim.runs import run


def test_acts_come_back_as_they_were(tmp_path: Path) -> None:
    acts = (
        Act(ActKind.RED_LIGHT, 7, 1.0, 1.0, 2.5, "S.line"),
        Act(ActKind.WAITS_PAST_LINE, 9, 3.0, 3.25, 9.5, "N.line"),
    )
    write_acts(tmp_path / "acts.jsonl", acts)
    assert read_acts(tmp_path / "acts.jsonl") == acts


@pytest.mark.parametrize("line", ["{", "[]", '{"kind": "red_light"}', '{"kind": "nonsense", "actor_id": 1}'])
def test_a_damaged_truth_is_refused_by_file(tmp_path: Path, line: str) -> None:
    (tmp_path / "acts.jsonl").write_text(line + "\n")
    with pytest.raises(TruthError, match=r"acts\.jsonl"):
        read_acts(tmp_path / "acts.jsonl")


def test_a_frame_tells_of_everybody_seen_and_every_lamp(tmp_path: Path) -> None:
    moment = run("junction-day", 1, 2.0, 1.0).moments[-1]
    rider = next(actor for actor in moment.actors if actor.kind == "motorbike" and actor.riders)
    seen = [Seen(rider.id, "motorbike", (10.0, 20.0, 40.0, 80.0), 0.9, (20.0, 60.0, 30.0, 68.0), 7.5)]
    (tmp_path / "south.jsonl").write_text(frame_line(moment, seen, 25) + "\n")
    (frame,) = read_frames(tmp_path / "south.jsonl")
    assert frame["frame"] == 25
    assert frame["time_s"] == pytest.approx(moment.time_s)
    (actor,) = frame["actors"]
    assert actor["id"] == rider.id
    assert actor["speed_kmh"] == pytest.approx(rider.speed_mps * 3.6, abs=0.01)
    assert actor["helmets"] == [r.helmet for r in rider.riders]
    assert rider.plate is not None
    assert actor["plate"]["text"] == rider.plate.text
    assert {lamp["id"] for lamp in frame["lamps"]} == {lamp.head_id for lamp in moment.lamps}
    assert json.loads(json.dumps(frame)) == frame


CAR = r"\d\d[A-HK-NPS-VX-Z]\d{5}"
MOTORBIKE = r"\d\d[A-HK-NPS-VX-Z]([A-FHK-NPR-VX-Z]\d{5}|\d\d{4,5})"


def test_plates_keep_to_the_grammar() -> None:
    rng = random.Random(5)
    bad = {"13", "42", "44", "45", "46", "87", "91", "96"}
    for kind, grammar in (
        (RoadUserKind.CAR, CAR),
        (RoadUserKind.TRUCK, CAR),
        (RoadUserKind.MOTORBIKE, MOTORBIKE),
    ):
        colors = set()
        for _ in range(500):
            plate = fleet.plate(kind, rng)
            assert plate is not None
            assert re.fullmatch(grammar, plate.text), plate
            assert plate.text[:2] not in bad
            assert 11 <= int(plate.text[:2]) <= 99
            assert plate.lines == 2 or kind is not RoadUserKind.MOTORBIKE
            colors.add(plate.color)
        assert "white" in colors
    assert fleet.plate(RoadUserKind.BICYCLE, rng) is None
    assert len(fleet.PROVINCES) == 81

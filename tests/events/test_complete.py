"""An act is a candidate only with everything a record must hold; what it lacks is named."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from pipeline.events.build import reviewed, with_evidence, with_plate
from pipeline.events.event import Event, EventType, to_kafka
from pipeline.events.schema import Part, json_schema
from pipeline.types import EvidenceBundle, MissingItem, PlateOutcome, PlateReading
from tests.events.examples import PLATE, act, candidate, hit, incident, incomplete, whole_bundle

ROOT = Path("evidence")
DOCS = Path(__file__).resolve().parents[2] / "docs"


def codes(event: Event) -> list[str]:
    return [part["code"] for part in event.data["missing"]]


def without(bundle: EvidenceBundle, role: str, reason: str) -> EvidenceBundle:
    items = tuple(item for item in bundle.items if item.role != role)
    return replace(bundle, items=items, missing=(*bundle.missing, MissingItem(role, reason)))


def told(bundle: EvidenceBundle, plate: PlateReading = PLATE) -> Event:
    return with_plate(with_evidence(incomplete(), bundle, ROOT), plate)


def test_with_every_part_it_is_a_candidate() -> None:
    event = candidate()
    assert event.type is EventType.VIOLATION
    assert event.data["missing"] == []
    assert event.data["schema_version"] == 2
    assert to_kafka(event).headers["ce_dataschema"] == b"urn:ngatu:schema:violation.candidate:v2"


def test_before_anything_is_done_all_that_must_follow_is_missing() -> None:
    event = incomplete()
    assert event.type is EventType.INCOMPLETE
    assert codes(event) == ["plate_not_read", "still_before", "still_at", "still_after", "clip"]
    assert event.id == candidate().id, "whole or not, it is the same act"


def test_the_order_of_plate_and_evidence_is_all_the_same() -> None:
    plate_first = with_evidence(with_plate(incomplete(), PLATE), whole_bundle(ROOT), ROOT)
    assert plate_first == candidate()


@pytest.mark.parametrize(
    ("role", "code"),
    [("before", "still_before"), ("at", "still_at"), ("after", "still_after"), ("clip", "clip")],
)
def test_a_lost_part_is_named_with_its_reason(role: str, code: str) -> None:
    event = told(without(whole_bundle(ROOT), role, "the ring let go of it"))
    assert event.type is EventType.INCOMPLETE
    assert event.data["missing"] == [{"code": code, "reason": "the ring let go of it"}]


def test_a_clip_that_lacks_an_end_shows_no_before_or_no_after() -> None:
    short = replace(whole_bundle(ROOT), missing=(MissingItem("clip.after", "it ends 2.10 s early"),))
    assert codes(told(short)) == ["clip_after"]
    lost = without(short, "clip", "it could not be written")
    assert codes(told(lost)) == ["clip"], "of a clip that is not there no end is named"


def test_what_is_made_of_the_originals_is_not_asked_for() -> None:
    bundle = replace(whole_bundle(ROOT), missing=(MissingItem("annotated", "it cannot be drawn"),))
    assert told(bundle).type is EventType.VIOLATION


@pytest.mark.parametrize("outcome", ["not_legible", "not_found", "not_read", "reading_off", "not_carried"])
def test_without_a_legible_plate_it_is_no_candidate(outcome: PlateOutcome) -> None:
    event = told(whole_bundle(ROOT), PlateReading.unread("why", outcome))
    assert event.type is EventType.INCOMPLETE
    assert event.data["missing"] == [{"code": f"plate_{outcome}", "reason": "why"}]


def test_without_what_it_was_judged_by_it_is_no_candidate() -> None:
    bare = act(replace(hit(), geometry={"stop_line": ()}), plate=PLATE)
    assert codes(with_evidence(bare, whole_bundle(ROOT), ROOT)) == ["geometry"]


def test_an_incident_needs_no_plate_and_is_told_whatever_it_lacks() -> None:
    whole = with_evidence(incident(), whole_bundle(ROOT), ROOT)
    assert (whole.type, codes(whole)) == (EventType.SECURITY, [])
    assert incident().type is EventType.SECURITY
    assert codes(incident()) == ["still_before", "still_at", "still_after", "clip"]
    assert "plate" not in incident().data


def test_neither_type_passes_for_the_other() -> None:
    """A consumer that checks what it reads cannot take an incomplete record for a whole one."""
    for event, other in ((candidate(), EventType.INCOMPLETE), (incomplete(), EventType.VIOLATION)):
        jsonschema.validate(event.data, json_schema(event.type))
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(event.data, json_schema(other))


def test_a_journal_of_an_earlier_version_is_told_as_what_it_is() -> None:
    data = {key: value for key, value in incomplete().data.items() if key not in ("missing", "law")}
    old = replace(incomplete(), type=EventType.VIOLATION, data={**data, "schema_version": 1, "plate": None})
    event = reviewed(Event.from_json(old.to_json()))
    assert (event.type, event.id) == (EventType.INCOMPLETE, old.id)
    assert codes(event)[0] == "plate_not_read"
    assert event.data["law"] is None
    jsonschema.validate(event.data, json_schema(event.type))


def test_an_event_of_an_earlier_version_that_waits_is_sent_as_that_version() -> None:
    old = replace(candidate(), data={**candidate().data, "schema_version": 1})
    assert to_kafka(old).headers["ce_dataschema"] == b"urn:ngatu:schema:violation.candidate:v1"


def test_the_law_in_force_is_stamped() -> None:
    law = candidate().data["law"]
    [entry] = law["entries"]
    assert (entry["article"], entry["clause"], entry["point"]) == (7, 7, "c")
    assert entry["fine_vnd"] == [4_000_000, 6_000_000]
    assert (law["on"], law["verified"], law["reason"]) == ("2026-05-29", False, "")


def test_every_code_is_documented_and_nothing_else() -> None:
    table = (DOCS / "events.md").read_text().partition("## Whole, or incomplete")[2].partition("## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == set(get_args(Part))

"""The published contract: events fit their schemas, ids tell repeats, the envelope is CloudEvents 1.0."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from pipeline.events.build import act_id, build_flow, with_evidence
from pipeline.events.errors import EventsError
from pipeline.events.event import Event, EventType, to_kafka, to_structured_json
from pipeline.events.schema import json_schema
from pipeline.types import TrackPoint
from tests.events.examples import (
    NOT_FINISHED,
    ORIGIN,
    START_S,
    act,
    bundle,
    camera,
    candidate,
    flow,
    health,
    hit,
    incident,
    incomplete,
)


def validate(event: Event) -> None:
    schema = json_schema(event.type)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    # As a consumer sees it: after a trip through JSON.
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(
        json.loads(json.dumps(event.data))
    )


def with_bundle(tmp_path: Path) -> Event:
    return with_evidence(incomplete(), bundle(tmp_path), tmp_path)


@pytest.mark.parametrize("event_type", EventType)
def test_schema_is_published_whole(event_type: EventType) -> None:
    schema = json_schema(event_type)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    version = 2 if event_type is EventType.VIOLATION else 1
    assert schema["$id"] == f"urn:ngatu:schema:{event_type}:v{version}"
    assert schema["title"] == event_type
    assert all(part.get("description") for part in [schema, *schema["$defs"].values()])


def test_every_example_fits_its_schema(tmp_path: Path) -> None:
    for event in (
        candidate(),
        incomplete(),
        incident(),
        with_bundle(tmp_path),
        flow(),
        build_flow([], camera(), ORIGIN, start_s=START_S, end_s=START_S + 60, observed_s=0.0),
        health(),
        health(state="down", reason="camera cam-1 refuses the connection", time=None, codec="", size=(0, 0)),
    ):
        validate(event)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("moments", "at", "captured_at"), "2026-05-28 20:26:40"),
        (("time", "source"), "ntp"),
        (("road_user",), "car-ish"),
        (("confidence",), 1.5),
        (("evidence", "manifest_sha256"), "nope"),
        (("camera",), None),
    ],
)
def test_schema_refuses_what_is_wrong(path: tuple[str, ...], value: Any) -> None:
    event = candidate()
    data = json.loads(json.dumps(event.data))
    part = data
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(replace(event, data=data))


def test_same_act_has_same_id_and_another_has_another() -> None:
    ids = {
        act_id(seen)
        for seen in (
            hit(),
            hit(at_s=START_S + 0.0001),
            hit(at_s=START_S + 0.001),
            hit(track_id=18),
            hit(camera_id="cam-2"),
            replace(hit(), rule="stop_line"),
        )
    }
    assert len(ids) == 5
    # Pinned: consumers have stored ids of earlier versions.
    assert act_id(hit()) == "062fc2a8-d5c6-5108-a12e-a10c60537b0e"


def test_a_security_incident_is_no_violation() -> None:
    assert (incident().type, candidate().type) == (EventType.SECURITY, EventType.VIOLATION)
    assert incident().subject == "intrusion/17"
    assert to_kafka(incident()).headers["ce_type"] == b"security.incident"
    assert incident().id != candidate().id


def test_evidence_keeps_the_id_and_names_its_place(tmp_path: Path) -> None:
    event = with_bundle(tmp_path)
    evidence = event.data["evidence"]
    assert event.id == candidate().id
    assert evidence["bundle"] == "cam-1/20260528/b1"
    assert evidence["items"][0]["captured_at"] == "2026-05-28T20:26:40.000Z"
    assert evidence["missing"] == [{"role": "after", "reason": "camera cam-1 was lost 0.3 s after the act"}]
    assert incomplete().data["evidence"]["missing"][0]["reason"] == NOT_FINISHED.reason
    with pytest.raises(EventsError, match="not below the evidence root"):
        with_evidence(candidate(), bundle(tmp_path), tmp_path / "elsewhere")


def test_odd_facts_do_not_lose_a_candidate() -> None:
    facts = {
        "speed": np.float32(1.5),
        "angles_deg": np.array([1, 2]),
        "gap_s": float("nan"),
        "where": Path("lane"),
        "lanes": {"left"},
    }
    event = act(replace(hit(), facts=facts))
    validate(event)
    assert event.data["facts"] == {
        "speed": 1.5,
        "angles_deg": [1, 2],
        "gap_s": None,
        "where": "lane",
        "lanes": ["left"],
    }


def test_impossible_hit_is_named() -> None:
    odd = replace(hit(), at=TrackPoint(START_S, (0.0, 0.0, float("nan"), 1.0)))
    with pytest.raises(EventsError, match="red_light of camera cam-1 cannot become an event"):
        act(odd)


@pytest.mark.parametrize(
    "event", [candidate(), incomplete(), incident(), flow(), health()], ids=lambda event: event.type
)
def test_event_survives_the_outbox_text_and_the_wire(event: Event) -> None:
    assert Event.from_json(event.to_json()) == event
    message = to_kafka(event)
    assert message.headers["ce_specversion"] == b"1.0"
    assert message.headers["ce_dataschema"] == json_schema(event.type)["$id"].encode()
    assert message.headers["ce_source"] == b"/workers/edge-7/cameras/cam-1"
    assert message.headers["content-type"] == b"application/json"
    assert message.key == "cam-1"
    back = from_binary_event(KafkaMessage(dict(message.headers), message.key, message.value))
    assert (back.get_id(), back.get_time(), back.get_data()) == (event.id, event.time, event.data)
    assert json.loads(to_structured_json(event))["data"] == event.data


def test_no_credentials_of_the_camera_leave() -> None:
    text = "".join(event.to_json() for event in (candidate(), flow(), health()))
    assert "rtsp" not in text
    assert "admin" not in text

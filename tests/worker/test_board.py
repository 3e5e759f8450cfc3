"""What arrived is shown, whole or not, and each kind is counted with what it lacks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.events.event import Event
from pipeline.events.outbox import Outbox
from pipeline.worker.board import Board
from tests.events.examples import candidate, flow, health, incident, incomplete


def stored() -> list[Event]:
    shadow = replace(candidate(track_id=9), data={**candidate(track_id=9).data, "shadow": True})
    return [candidate(), incomplete(track_id=2), incomplete(track_id=3), incident(), flow(), health(), shadow]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a worker whose outbox holds one candidate, two incomplete ones, an incident and more."""
    outbox = Outbox(tmp_path / "data" / "outbox.db")
    for event in stored():
        outbox.put(event)
    outbox.close()
    path = tmp_path / "worker.yaml"
    camera = {"id": "cam-1", "detect": {"url": "rtsp://192.0.2.1/a"}}
    path.write_text(yaml.safe_dump({"model": {"path": "m.onnx"}, "cameras": [camera]}))
    return path


def test_the_board_counts_kinds_whatever_their_records_lack() -> None:
    board = Board()
    for event in stored():
        board.event_stored(event, 0.0)
    assert dict(board.kinds()) == {"red_light": 3, "intrusion": 1}
    assert board.summary() == (
        "4 acts of 2 kinds: intrusion 1, red_light 3; candidates 1, incomplete 2, incidents 1"
    )
    console = Console(width=160)
    with console.capture() as drawn:
        console.print(board.render(["wrong_way"]))
    assert "incomplete: plate_not_read, still_before" in drawn.get()
    assert "wrong_way 0" in drawn.get()


def test_a_tally_of_an_outbox(config: Path) -> None:
    tally = json.loads(CliRunner().invoke(app, ["events", str(config), "--tally", "--json"]).output)
    assert tally["red_light"] == {
        "violation.candidate": 1,
        "violation.incomplete": 2,
        "missing": {"plate_not_read": 2, "still_before": 2, "still_at": 2, "still_after": 2, "clip": 2},
    }
    assert tally["intrusion"]["security.incident"] == 1
    table = CliRunner().invoke(app, ["events", str(config), "--tally"]).output
    assert "plate_not_read 2" in table


def test_a_tally_has_an_end(config: Path) -> None:
    refused = CliRunner().invoke(app, ["events", str(config), "--tally", "--follow"])
    assert refused.exit_code == 1
    assert "leave out --follow" in refused.output


def test_each_type_can_be_asked_for_alone(config: Path) -> None:
    told = CliRunner().invoke(app, ["events", str(config), "--type", "violation.candidate", "--json"])
    events = [json.loads(line) for line in told.output.splitlines()]
    assert [event["type"] for event in events] == ["violation.candidate"] * 2
    assert [event["data"]["shadow"] for event in events] == [False, True]

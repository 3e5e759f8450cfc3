"""`ngatu law`: the catalogue on a terminal and for machines."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from pipeline.cli import app

RUNNER = CliRunner()


def test_list_says_how_much_is_in_force_and_how_far_it_can_be_relied_on() -> None:
    told = RUNNER.invoke(app, ["law", "list", "--at", "2026-09-01"])
    assert told.exit_code == 0, told.output
    assert "6.9.b*" in told.output
    assert "42 entries in force, 42 not verified; 42 amended by 238/2026/NĐ-CP" in told.output
    none = json.loads(RUNNER.invoke(app, ["law", "list", "--at", "2020-01-01", "--json"]).output)
    assert none == {"on": "2020-01-01", "entries": []}


def test_show_tells_what_an_event_would_carry() -> None:
    arguments = ["law", "show", "speeding", "--vehicle", "car", "--over", "15", "--at", "2026-09-01"]
    law = json.loads(RUNNER.invoke(app, [*arguments, "--json"]).output)["law"]
    [entry] = law["entries"]
    assert (entry["article"], entry["clause"], entry["point"]) == (6, 5, "đ")
    assert entry["amended_by"][0]["figures"] == "not_seen"
    told = RUNNER.invoke(app, arguments).output
    assert "NOT VERIFIED" in told
    assert "4 000 000-6 000 000 VND, 2 licence points" in told


def test_what_cannot_be_asked_is_told(tmp_path: Path) -> None:
    for arguments, said in (
        (["show", "jaywalking"], "no act 'jaywalking'"),
        (["show", "red_light", "--vehicle", "tram"], "no vehicle 'tram'"),
        (["list", "--at", "tomorrow"], "--at tomorrow"),
        (["list", "--folder", str(tmp_path)], "holds no .yaml file"),
    ):
        result = RUNNER.invoke(app, ["law", *arguments])
        assert result.exit_code == 1
        assert said in result.output

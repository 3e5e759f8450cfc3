"""What `ngatu check` prints, and what all commands say of configurations that cannot be used."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.events.event import Event
from pipeline.events.outbox import Outbox
from pipeline.worker import check
from pipeline.worker.check import Finding
from tests.conftest import ROOT
from tests.events.examples import candidate


def config(folder: Path, *scenes: str) -> Path:
    """A worker's configuration, with a camera without a scene and one for each."""
    cameras: list[dict[str, Any]] = [{"id": "plain", "detect": {"url": "rtsp://192.0.2.1/"}}]
    for number, scene in enumerate(scenes):
        (folder / f"{scene}.yaml").write_text(f"rules: {{{scene}: }}\n")
        cameras.append({"id": f"c{number}", "detect": {"url": "rtsp://192.0.2.1/"}, "scene": f"{scene}.yaml"})
    path = folder / "worker.yaml"
    path.write_text(yaml.safe_dump({"model": {"path": "detector.onnx"}, "cameras": cameras}))
    return path


def test_brackets_in_what_was_found_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [("disk", "d[/x]: 7 GB free"), ("a [red] detect", "rtsp://[fd00::7]:554/x")]
    monkeypatch.setattr(check, "findings", lambda *_, **__: [Finding(what, True, it) for what, it in told])
    result = CliRunner().invoke(app, ["check", str(config(tmp_path)), "--offline"])
    assert result.exit_code == 0, result.output
    for what, it in told:
        assert what in result.stdout
        assert it in result.stdout


def test_problems_of_all_scenes_are_told_at_once_and_each_once(tmp_path: Path) -> None:
    path = config(tmp_path, "crowd", "intrusion", "crowd")
    result = CliRunner().invoke(app, ["check", str(path), "--offline"])
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if line]
    assert len(told) == 2, told
    assert "crowd.yaml:1: rules.crowd: is on, but the scene lacks" in told[0]
    assert "intrusion.yaml:1: rules.intrusion: is on, but the scene lacks" in told[1]


def test_a_worker_none_of_whose_scenes_can_be_used_does_not_start_and_names_each(tmp_path: Path) -> None:
    path = config(tmp_path, "crowd", "intrusion", "crowd")
    settings = yaml.safe_load(path.read_text())
    del settings["cameras"][0]  # has no scene, so that it could be watched
    path.write_text(yaml.safe_dump(settings))
    result = CliRunner().invoke(app, ["run", str(path)])
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if line]
    assert len(told) == 2, told
    assert "crowd.yaml:1: rules.crowd: is on, but the scene lacks" in told[0]
    assert "intrusion.yaml:1: rules.intrusion: is on, but the scene lacks" in told[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [({}, "detector.onnx"), ({"kafka": {"brokers": []}}, "kafka"), ({"outbox": {"x": 1}}, "outbox.x")],
)
def test_what_belongs_to_the_whole_box_stops_it_whatever_its_scenes_are_like(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = config(tmp_path, "crowd")
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    result = CliRunner().invoke(app, ["run", str(path)])
    assert result.exit_code == 1
    assert told in result.stderr


def test_events_are_read_whatever_the_scenes_are_like(tmp_path: Path) -> None:
    """They say why a camera is not judged."""
    path = config(tmp_path, "crowd")
    outbox = Outbox(tmp_path / "data" / "outbox.db")
    outbox.put(candidate())
    outbox.close()
    result = CliRunner().invoke(app, ["events", str(path), "--json"])
    assert result.exit_code == 0, result.output
    assert candidate().id in result.stdout


def test_a_check_that_fails_does_not_keep_a_box_from_working() -> None:
    """A nearly full disk, or a clock that is not set yet: the worker runs, and makes room."""
    unit = (ROOT / "deploy" / "systemd" / "ngatu-worker.service").read_text()
    (before,) = [line for line in unit.splitlines() if line.startswith("ExecStartPre=")]
    assert before.startswith("ExecStartPre=-/")
    assert "ngatu check --offline" in before


def test_what_the_service_writes_lies_where_it_may() -> None:
    """ProtectSystem=strict: everything else is read-only for it."""
    unit = (ROOT / "deploy" / "systemd" / "ngatu-worker.service").read_text()
    assert "ProtectSystem=strict" in unit
    assert "StateDirectory=ngatu\n" in unit
    written = re.findall(r"^#   (?:worker\.data_dir|cameras\[\]\.scene): (\S+)$", unit, re.MULTILINE)
    assert len(written) == 2
    assert all(Path(path).is_relative_to("/var/lib/ngatu") for path in written)


@pytest.mark.parametrize("command", [["run"], ["ioc", "serve"]])
def test_a_log_level_that_there_is_not_is_refused_with_those_that_there_are(
    command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "empty.yaml").write_text("")
    arguments = [*command, str(tmp_path / "empty.yaml"), "--log-level"]
    refused = CliRunner().invoke(app, [*arguments, "loud"])
    assert refused.exit_code == 2, refused.output
    for level in ("debug", "info", "warning", "error"):
        assert level in refused.stderr
    taken = CliRunner().invoke(app, [*arguments, "ERROR"])
    assert taken.exit_code == 1
    assert "the file is empty" in taken.stderr


def test_what_was_set_aside_is_shown_with_its_reason_and_sent_again(tmp_path: Path) -> None:
    path = config(tmp_path)
    outbox = Outbox(tmp_path / "data" / "outbox.db")
    outbox.put(candidate())
    outbox.set_aside(candidate().id, "topic [x] does not take this event of 9 bytes")
    shown = CliRunner().invoke(app, ["events", str(path), "--set-aside"])
    assert shown.exit_code == 0, shown.output
    assert f"{candidate().id}  topic [x] does not take this event of 9 bytes" in shown.stdout
    told = CliRunner().invoke(app, ["events", str(path), "--set-aside", "--json"])
    assert Event.from_json(json.loads(told.stdout)["body"]) == candidate()
    again = CliRunner().invoke(app, ["events", str(path), "--set-aside", "--retry"])
    assert again.exit_code == 0, again.output
    assert (again.stdout, again.stderr) == ("", "1 are sent again\n")
    assert outbox.batch(9) == [candidate()]
    outbox.close()
    assert CliRunner().invoke(app, ["events", str(path), "--retry"]).exit_code == 1

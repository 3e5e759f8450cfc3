"""The ruler, whole: a held-out stretch of the city is filmed, served, worked on, and judged."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.accuracy.plan import quick

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]


def run(command: list[str]) -> tuple[int, str, str]:
    """Its exit code and what it wrote; nothing of it is left when this returns."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=420)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, err


def test_quick_yields_a_report(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    command = [sys.executable, "-m", "scripts.accuracy", "--quick", "--json"]
    command += ["--films", str(tmp_path / "films"), "--keep", str(kept)]
    code, out, err = run(command)
    assert code in (0, 3), err[-3000:]
    result = json.loads(out)
    assert result["kept_up"] is (code == 0)
    assert result == json.loads((kept / "report.json").read_text())

    acts = {row["kind"]: row for row in result["acts"]}
    assert acts["red_light"]["true"] >= 1
    assert acts["wrong_way"]["true"] >= 1
    for row in acts.values():
        assert row["found"] + row["missed"] == row["true"]
    listed = [one["what"] for one in result["details"]]
    assert listed.count("missed") == sum(row["missed"] for row in acts.values())
    assert listed.count("false") == sum(row["false"] for row in acts.values())
    assert result["bars_missed"] is None

    [take] = quick()
    [film] = result["films"]
    [camera] = film["cameras"].values()
    assert film["seed"] >= 2_000_000
    assert camera["expected"] == take.scenario.duration_s * 6
    assert 0 < camera["analysed"] <= camera["expected"] + 2
    assert result["perception"]["day"]["pictures"] == take.scenario.duration_s
    assert result["perception"]["day"]["classes"]["car"]["objects"] > 0
    assert result["lanes"]["day"]["true"] > 0

    folder = kept / take.name
    assert (folder / "film" / "south-main.mp4").is_file()
    assert (folder / "from-0" / "events.jsonl").read_text()
    assert len(list((folder / "look").glob("*.jpg"))) == len(listed)

    # The same film without a worker: the same acts are to be found.
    code, out, err = run([*command[: command.index("--keep")], "--offline"])
    assert code == 0, err[-3000:]
    offline = json.loads(out)
    assert offline["offline"]
    assert not offline["films"][0]["cameras"]
    assert {row["kind"]: row["true"] for row in offline["acts"]} == {
        kind: row["true"] for kind, row in acts.items()
    }
    assert offline["lanes"]["day"]["true"] == result["lanes"]["day"]["true"]
    assert offline["speeds"]["day"]["tracks"] > 0

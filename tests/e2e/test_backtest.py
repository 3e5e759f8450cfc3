"""A worker stores tracks as it works on real footage; the back-test finds what it reported, and no more."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.harness import NGATU, box

CLIP = "pickup-runs-red-854x480-25fps"
SCENE = Path(__file__).parent / "scenes" / f"{CLIP}.yaml"


def ngatu(*arguments: str) -> str:
    return subprocess.run([*NGATU, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_back_test_finds_what_was_reported_live(tmp_path: Path, video_dir: Path, yolox_path: Path) -> None:
    camera = {"id": "pickup", "detect": {"url": f"file://{video_dir / CLIP}.mp4"}, "scene": str(SCENE)}
    worker = box(tmp_path, yolox_path, [camera], tracks={"enabled": True})
    with worker.running() as process:
        process.popen.wait(120)
    assert process.popen.returncode == 0, process.err[-5:]
    reported = [
        (event["data"]["rule"], event["data"]["track"], event["data"]["moments"]["at"]["captured_at"])
        for event in map(json.loads, ngatu("events", str(worker.path), "--json").splitlines())
        if event["type"].startswith("violation.")
    ]
    tracks, pictures = str(tmp_path / "data" / "tracks"), str(tmp_path / "pictures")
    tested = ngatu("backtest", str(worker.path), "--tracks", tracks, "--pictures", pictures, "--json")
    (answer,) = json.loads(tested)["cameras"]
    found = [(hit["rule"], hit["track"], hit["at_s"]) for hit in answer["hits"]]
    print(f"\nlive {reported}\nback-test {found}, {answer['frames']} frames")
    assert len(reported) >= 1
    assert [one[:2] for one in found] == [one[:2] for one in reported]
    for (_, _, at_s), (_, _, captured_at) in zip(found, reported, strict=True):
        assert at_s == pytest.approx(datetime.fromisoformat(captured_at).timestamp(), abs=0.001)

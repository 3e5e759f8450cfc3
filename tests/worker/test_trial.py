"""What the scene editor's back-test takes for the newest hours."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.tracks import log as tracks_log
from pipeline.types import FrameTime, Observation
from pipeline.worker.trial import tried
from tests.worker.test_backtest import store

SCENE = "time_zone: Asia/Ho_Chi_Minh\n"


def quiet(start_s: float, seconds: int) -> list[Observation]:
    return [Observation("cam", FrameTime(start_s + n, "arrival"), (), {}) for n in range(seconds)]


@pytest.mark.parametrize("now_ahead_s", [0.0, -86400.0], ids=["clock right now", "clock not set now"])
def test_the_newest_hour_is_not_what_was_stored_while_the_clock_was_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now_ahead_s: float
) -> None:
    monkeypatch.setattr(tracks_log, "WAITING", 10_000)
    now_s = time.time()
    monkeypatch.setattr("time.time", lambda: now_s + now_ahead_s)
    store(tmp_path, "cam", [*quiet(now_s + 7 * 3600 - 1000, 120), *quiet(now_s - 600, 600)])
    found = tried(tracks=str(tmp_path), camera="cam", scene=SCENE, against=SCENE, hours=1.0)
    if now_ahead_s:
        assert found["frames"] == 120, "of several hours to come nobody knows which is right"
    else:
        assert found["frames"] == 600
        assert found["to_s"] == pytest.approx(now_s - 1)

"""What the bound of outbox and evidence makes a box say and do."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Config
from pipeline.events.errors import OutboxFull
from pipeline.scene import Scene, SceneSettings
from pipeline.types import CameraHealth
from pipeline.worker.box import Worker
from tests.events.examples import RTCP, START_S, flow
from tests.perception.onnx_models import CELLS, constant_model, names


class Clock:
    """Monotonic time that is set forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        real = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: real() + self.ahead_s)


def test_a_box_says_that_it_is_full_only_while_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    model = constant_model(tmp_path / "model.onnx", np.zeros((4 + 1, CELLS)), metadata=names("person"))
    config = Config.model_validate(
        {
            "worker": {"data_dir": tmp_path / "data", "metrics_port": 0},
            "model": {"path": model},
            "cameras": [{"id": "cam-1", "detect": {"url": "file:///nowhere.mp4"}}],
            "outbox": {"max_megabytes": 2, "max_disk_share": 1},
            "plates": {"enabled": False},
        }
    )
    worker = Worker(config, {"cam-1": Scene(SceneSettings())})
    watch = worker.watches["cam-1"]
    watch.health = CameraHealth("cam-1", "up", START_S, time=RTCP)
    worker._tell_health(watch)
    used = 0
    monkeypatch.setattr(worker.outbox, "_extra_bytes", lambda: used)

    def told() -> list[list[str]]:
        worker._tell_notices()
        return [event.data["notices"] for event in worker.outbox.batch(9) if event.type == "camera.health"]

    used = 1_700_000
    for minute in range(3):
        with pytest.raises(OutboxFull):
            worker.outbox.put(flow(start_s=START_S + 60 * minute))
        assert told() == [[], ["outbox full: traffic.flow is refused"]], "told once"
        clock.ahead_s += 60
    used = 0
    worker.outbox.put(flow())
    assert len(told()) == 2, "a moment's room is no end of it"
    clock.ahead_s += 600
    assert told()[2:] == [[]]
    worker.stop(2.0)

"""What the bound of outbox and evidence makes a box say and do."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import CameraSettings, Config, OutboxSettings
from pipeline.events.build import build_act, with_evidence
from pipeline.events.errors import OutboxFull
from pipeline.events.outbox import Outbox
from pipeline.evidence import SigningKey
from pipeline.scene import Scene, SceneSettings
from pipeline.types import CameraHealth
from pipeline.worker.box import Worker
from pipeline.worker.keeping import EARLY_NOTICE, Keeping
from pipeline.worker.metrics import Metrics
from tests.events.examples import LAW, NOT_FINISHED, ORIGIN, PLATE, RTCP, START_S, flow
from tests.evidence.conftest import make_hit, make_maker
from tests.evidence.film import Film, FilmRecording, shoot
from tests.perception.onnx_models import CELLS, constant_model, names


@pytest.fixture(scope="module")
def film() -> Film:
    return shoot()


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
    worker.outbox.close()


@pytest.mark.parametrize(
    ("acknowledged", "days"),
    [(True, 8.0), (True, 1.0), (False, 8.0)],
    ids=["sent", "sent lately", "not sent"],
)
def test_sent_evidence_gives_way_before_anything_is_refused_and_no_other_does(
    tmp_path: Path, film: Film, acknowledged: bool, days: float
) -> None:
    """Acts of 9 MB and a bound of 6 MB, all of them younger than retention_days."""
    camera = CameraSettings.model_validate({"id": "giang-vo-1", "detect": {"url": "rtsp://192.0.2.1/a"}})
    key = SigningKey.load_or_create(tmp_path / "data")
    maker = make_maker(tmp_path / "evidence", key, retention_days=30)
    settings = OutboxSettings(max_megabytes=6, max_disk_share=1)
    outbox = Outbox(tmp_path / "outbox.db", settings, extra_bytes=maker.store.bytes)
    metrics = Metrics()
    keeping = Keeping(outbox, maker.store, metrics)
    refused: list[str] = []
    told = []
    for number in range(12):
        seen = make_hit(track_id=number)
        event = build_act(seen, camera, ORIGIN, missing=[NOT_FINISHED], law=LAW, plate=PLATE)
        bundle = maker.make(seen, event.id, FilmRecording(film), camera)
        os.utime(bundle.path, (START_S + number, time.time() - 86400 * days + number))
        told.append(event.id)
        try:
            outbox.put(with_evidence(event, bundle, maker.store.root))
        except OutboxFull:
            refused.append(event.id)
        else:
            if acknowledged:
                outbox.acknowledge([event.id])
        for _ in range(2):
            keeping.keep(60.0 * number)
    kept = {path.name for path in maker.store.root.glob("2*/*/*")}
    removed = metrics.registry.get_sample_value("ngatu_evidence_removed_total", {"reason": "room"})
    if acknowledged and days > 7:
        assert refused == []
        assert 0 < len(kept) < 12
        assert kept == set(told[-len(kept) :]), "the oldest go"
        assert removed == 12 - len(kept)
        assert maker.store.bytes() + outbox.bytes() < 0.8 * 6e6
        assert keeping.notices(12 * 60.0) == (EARLY_NOTICE,)
        assert keeping.notices(3 * 86400.0) == ()
    else:
        assert len(refused) > 2
        assert kept == set(told)
        assert removed is None
        assert "outbox full: violation.candidate is refused" in keeping.notices(12 * 60.0)
    outbox.close()

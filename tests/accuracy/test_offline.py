"""Rules judged over a film without streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.config import ModelSettings
from pipeline.config.load import load_scene
from pipeline.perception.detector import Detector
from pipeline.scene import SceneSettings
from pipeline.sim.reel import CameraFilm
from scripts.accuracy import offline
from scripts.accuracy.plan import RATE_HZ
from tests.rules.drive import START_S, Driver, junction, observe

MODEL = Path(__file__).resolve().parents[2] / "models" / "ngatu_nano_int8.onnx"
RUN = [(0.0, 0.5, 0.95), (3.0, 0.5, 0.65), (4.0, 0.5, 0.55), (6.0, 0.5, 0.3)]


@pytest.fixture
def camera(tmp_path: Path) -> CameraFilm:
    """Two seconds of an empty grey street, wider than the worker analyses."""
    made = CameraFilm.of(tmp_path, "south")
    for path, size in ((made.main, (1920, 1080)), (made.sub, (640, 360))):
        video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE_HZ, size)
        for _ in range(20):
            video.write(np.full((size[1], size[0], 3), 120, np.uint8))
        video.release()
    made.scene.write_text("windows: [[0.2, 0.2, 0.7, 0.7]]\n")
    return made


def test_pictures_are_seen_at_the_workers_rate_and_perceived_once(
    camera: CameraFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, settings = load_scene(camera.scene), ModelSettings(path=MODEL)
    detector = Detector(settings)
    kept = camera.main.parent / "kept"
    seen = offline.observations(camera, scene, settings, detector, kept)
    times_s = [one.time.captured_at_s - offline.START_S for one in seen]
    assert len(seen) == pytest.approx(2 * offline.RATE_HZ, abs=1)
    assert times_s[0] == 0.0
    assert times_s == pytest.approx([round(time_s * RATE_HZ) / RATE_HZ for time_s in times_s], abs=1e-5)
    assert {one.picture_size for one in seen} == {(1920, 1080)}

    def again(*asked: Any) -> Any:
        raise AssertionError("it was perceived already")

    monkeypatch.setattr(offline, "_observe", again)
    assert offline.observations(camera, scene, settings, detector, kept) == seen
    # Another scene asks for other windows: nothing that was kept serves it.
    with pytest.raises(AssertionError):
        offline.observations(camera, SceneSettings(), settings, detector, kept)


def test_rules_and_counts_judge_what_was_seen() -> None:
    drawn = SceneSettings.model_validate(junction())
    hits, counts = offline.judge(drawn, list(observe([Driver(RUN)])))
    assert [hit.rule for hit in hits] == ["red_light"]
    assert offline.START_S == START_S
    assert sum(one.count for one in counts) == 1

"""A worker's key, a film, and an act in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import CameraSettings, EvidenceSettings, StreamSettings
from pipeline.evidence import EvidenceMaker, SigningKey
from pipeline.types import FrameTime, Hit, LampColor, RoadUserKind, TrackPoint
from tests.evidence.film import START_S, Film, FilmRecording, shoot

MODEL = ("yolox_nano_416", "ab" * 32)
EVENT_ID = "5b0c9a62-8f1e-5d55-9f37-3a8a6a5b7c10"


def make_hit(at_s: float = START_S + 10.0, track_id: int = 17) -> Hit:
    box = (0.40, 0.30, 0.52, 0.62)
    return Hit(
        rule="red_light",
        camera_id="giang-vo-1",
        track_id=track_id,
        kind=RoadUserKind.MOTORBIKE,
        before=TrackPoint(at_s - 1.5, (0.38, 0.5, 0.5, 0.82), 0.7),
        at=TrackPoint(at_s, box, 0.8),
        after=TrackPoint(at_s + 1.0, (0.42, 0.1, 0.52, 0.4), 0.75),
        confidence=0.87,
        time=FrameTime(at_s, "rtcp", offset_ms=3.25, uncertainty_ms=12.0),
        facts={"lamp": "main", "red_age_s": 4.5, "stop_line": "south"},
        geometry={"stop_line south": [(0.1, 0.6), (0.9, 0.65)]},
        lamps={"main": ((0.9, 0.2, 0.95, 0.35), LampColor.RED)},
    )


def make_maker(root: Path, key: SigningKey, **settings: float) -> EvidenceMaker:
    return EvidenceMaker(root, EvidenceSettings(**settings), key, MODEL, "edge-01")


@pytest.fixture(scope="session")
def film() -> Film:
    return shoot()


@pytest.fixture
def recording(film: Film) -> FilmRecording:
    return FilmRecording(film)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.load_or_create(tmp_path / "data")


@pytest.fixture
def camera() -> CameraSettings:
    return CameraSettings(
        id="giang-vo-1",
        name="Giảng Võ – Láng Hạ",
        place="Hà Nội",
        detect=StreamSettings(url="rtsp://10.0.0.5/main"),
    )


@pytest.fixture
def maker(tmp_path: Path, key: SigningKey) -> EvidenceMaker:
    return make_maker(tmp_path / "evidence", key)


@pytest.fixture
def hit() -> Hit:
    return make_hit()

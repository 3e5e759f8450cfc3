"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import onnxruntime  # noqa: F401 - see below
import pytest

from tests.kafka_fixture import kafka_broker, own_broker

__all__ = ["kafka_broker", "own_broker"]

# onnxruntime is loaded before GStreamer and OpenCV, see pipeline/worker/__init__.py.

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real footage and a real detector; not part of the project."""
    if not (SHARED / "real").is_dir():
        pytest.skip(f"no real footage: {SHARED / 'real'} is missing")
    return SHARED


@pytest.fixture(scope="session")
def video_dir(shared_dir: Path) -> Path:
    """The real clips."""
    return shared_dir / "real" / "video"


@pytest.fixture(scope="session")
def yolox_path(shared_dir: Path) -> Path:
    """YOLOX-nano at 416, COCO-80."""
    return shared_dir / "models" / "yolox_nano_416.onnx"

"""What Prometheus and probes see."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from pipeline.worker.http import MonitorServer
from pipeline.worker.metrics import Metrics


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_verdicts() -> None:
    metrics = Metrics()
    metrics.camera_up.labels("gate").set(1)
    server = MonitorServer(
        "127.0.0.1",
        0,
        metrics.registry,
        healthy=lambda: (True, {"cameras": 1}),
        ready=lambda: (False, {"why": "no camera is up"}),
    )
    server.start()
    try:
        status, text = get(server.port, "/metrics")
        assert status == 200
        assert 'ngatu_camera_up{camera="gate"} 1.0' in text
        assert get(server.port, "/healthz")[0] == 200
        status, text = get(server.port, "/readyz")
        assert status == 503
        assert json.loads(text) == {"ok": False, "why": "no camera is up"}
        assert get(server.port, "/../etc/passwd")[0] == 404
    finally:
        server.stop()

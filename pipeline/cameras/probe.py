"""Opens a stream once and says what it is: for `ngatu check`."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from pipeline.cameras.camera import Camera
from pipeline.cameras.errors import CameraError
from pipeline.config.camera import CameraSettings, ReconnectSettings, StreamSettings
from pipeline.types import CameraHealth, TimeSource

_RATE_S = 1.0
_REPORT_S = 3.0
"""A camera's first RTCP sender report may take this long."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a stream turned out to be."""

    codec: str
    width: int
    height: int
    fps: float
    """As measured; 0 when too few pictures came."""
    time_source: TimeSource
    offset_ms: float
    """Camera's clock minus host's clock; 0 where the camera sends no time."""


def probe(stream: StreamSettings, timeout_s: float = 15.0) -> StreamInfo:
    """Connect, decode a picture, watch for up to three seconds more, and leave.

    Raises CameraError with one sentence, without secrets, when no picture came within `timeout_s`.
    """
    settings = CameraSettings(
        id="probe", detect=stream, reconnect=ReconnectSettings(connect_s=timeout_s, max_delay_s=1.0)
    )
    told = threading.Event()
    reasons: list[str] = []

    def on_health(health: CameraHealth) -> None:
        if health.state in ("down", "stalled"):
            reasons.append(health.reason)
            told.set()
        elif health.state in ("up", "stopped"):
            told.set()

    camera = Camera(settings, lambda _camera_id: None, on_health)
    camera.start()
    try:
        if not told.wait(timeout_s) or reasons:
            raise CameraError(
                reasons[0] if reasons else f"{stream.public_url()} sent no picture in {timeout_s:g} s"
            )
        began_s = time.monotonic()
        while time.monotonic() < began_s + _REPORT_S and not reasons:
            time.sleep(0.1)
            info = _info(camera)
            measured = info is not None and info.fps > 0 and time.monotonic() > began_s + _RATE_S
            if measured and info is not None and info.time_source != "arrival":
                break
        info = _info(camera)
        if info is None:
            raise CameraError(reasons[0] if reasons else f"{stream.public_url()} sent no picture")
        return info
    finally:
        camera.stop(2.0)


def _info(camera: Camera) -> StreamInfo | None:
    health = camera.health
    if health.time is None:
        return None
    fps = round(camera.stats().fps, 2)
    return StreamInfo(health.codec, *health.size, fps, health.time.source, health.time.offset_ms)

"""The parent's end of a camera's own process: starting it, speaking to it, ending it."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.cameras import wire
from pipeline.cameras.errors import CameraError
from pipeline.config.camera import CameraSettings, StreamSettings

Answer = tuple[dict[str, Any], bytes]


def child_config(settings: CameraSettings, connection: int) -> dict[str, Any]:
    """What the process needs to know, passwords included; raises ValueError when one cannot be read."""
    return {
        **stream_specs(settings),
        "rate_hz": settings.analysis.rate_hz,
        "max_width_px": settings.analysis.max_width_px,
        "ring_seconds": settings.ring.seconds,
        "ring_bytes": int(settings.ring.megabytes * 1e6),
        "connection": connection,
        "timing": {
            **settings.reconnect.model_dump(),
            "max_offset_s": settings.clock.max_offset_s,
            "arrival_latency_ms": settings.clock.arrival_latency_ms,
        },
    }


def stream_specs(settings: CameraSettings) -> dict[str, Any]:
    """The streams with their passwords as they are now; raises ValueError when one cannot be read."""
    record = settings.record
    return {"detect": _spec(settings.detect), "record": _spec(record) if record is not None else None}


def _spec(stream: StreamSettings) -> dict[str, Any]:
    username = stream.username if stream.username is not None else urlsplit(stream.url).username
    return {
        "url": stream.url,
        "public_url": stream.public_url(),
        "transport": stream.transport,
        "fast": stream.pace == "fast",
        "loop": stream.loop,
        "username": unquote(username) if username is not None else None,
        "password": stream.password(),
    }


class CameraProcess:
    """A running child. One thread receives; any thread may request; `kill` ends it from anywhere."""

    def __init__(self, settings: CameraSettings, connection: int) -> None:
        config = child_config(settings, connection)
        self.control, child_control = socket.socketpair()
        self.frames, child_frames = socket.socketpair()
        streams = (settings.detect, settings.record)
        secret = {stream.password_env for stream in streams if stream is not None}
        fds = (child_control.fileno(), child_frames.fileno())
        with child_control, child_frames:
            # A session of its own: Ctrl-C in a terminal is the parent's to handle.
            self._popen = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "pipeline.cameras.child", *map(str, fds), str(os.getpid())],
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if name not in secret},
            )
        self._send_lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Answer]] = {}
        self._gone = False
        self.send(config)

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._popen.pid

    def send(self, message: dict[str, Any]) -> None:
        """Send one message; a child that is gone is noticed by `receive`."""
        with self._send_lock, contextlib.suppress(OSError):
            wire.send(self.control, message)

    def request(self, message: dict[str, Any], timeout_s: float) -> Answer:
        """Ask and wait for the answer; raises CameraError when it says no, is late, or the child is gone."""
        number = next(self._numbers)
        future: Future[Answer] = Future()
        self._waiting[number] = future
        if self._gone:
            raise CameraError("the camera's process is gone, and its recording with it")
        self.send({**message, "id": number})
        try:
            header, payload = future.result(timeout_s)
        except TimeoutError:
            raise CameraError(f"the camera's process did not answer within {timeout_s:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in header:
            raise CameraError(header["error"])
        return header, payload

    def receive(self, silence_s: float) -> dict[str, Any]:
        """The next condition or status; answers go to whoever waits for them.

        Raises EOFError when the child is gone, TimeoutError after `silence_s` without a word.
        """
        while True:
            if not select.select([self.control], [], [], silence_s)[0]:
                raise TimeoutError
            header, payload = wire.receive(self.control)
            if header["kind"] != "answer":
                return header
            waiting = self._waiting.get(header["id"])
            if waiting is not None:
                waiting.set_result((header, payload))

    def leave(self, timeout_s: float) -> None:
        """Ask the child to take leave of its camera and end; kill it when it does not in time."""
        self.send({"op": "stop"})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout_s)
        self.kill()

    def kill(self, grace_s: float = 0.0) -> str:
        """End the child, unless it ends itself in time, fail what waits for it, and say how it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_s)
        killed = self._popen.returncode is None
        self._popen.kill()
        code = self._popen.wait()
        self._gone = True
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(CameraError("the camera's process ended, and its recording with it"))
        for sock in (self.control, self.frames):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        if killed:
            return "it was ended"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

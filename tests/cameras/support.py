"""A camera under watch, and a hostile network to put in front of it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from pipeline.cameras.camera import Camera
from pipeline.config.camera import AnalysisSettings, CameraSettings, ReconnectSettings, StreamSettings
from pipeline.types import CameraHealth, Frame
from tests.waiting import wait_for

QUICK = ReconnectSettings(first_delay_s=0.2, max_delay_s=0.5, stall_s=1.0, connect_s=5.0)
NTP_TO_UNIX_S = 2_208_988_800


def settings(url: str, camera_id: str = "c1", rate_hz: float = 60, **more: Any) -> CameraSettings:
    stream = {name: more.pop(name) for name in list(more) if name in StreamSettings.model_fields}
    more.setdefault("reconnect", QUICK)
    return CameraSettings(
        id=camera_id,
        detect=StreamSettings(url=url, **stream),
        analysis=more.pop("analysis", AnalysisSettings(rate_hz=rate_hz)),
        **more,
    )


class Watched:
    """Runs a camera, takes every frame at once, keeps what `keep` makes of it, its moment and its health."""

    def __init__(self, config: CameraSettings, keep: Callable[[Frame], Any] = lambda frame: frame) -> None:
        self.frames: list[Any] = []
        self.came_s: list[float] = []
        self.health: list[CameraHealth] = []
        self._keep = keep
        self._wake = threading.Event()
        self._over = threading.Event()
        self.camera = Camera(config, lambda _camera_id: self._wake.set(), self.health.append)
        self._thread = threading.Thread(target=self._take, daemon=True)

    def __enter__(self) -> Self:
        self.camera.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.camera.stop(3)
        self._over.set()
        self._wake.set()
        self._thread.join(5)

    def _take(self) -> None:
        while not self._over.is_set():
            self._wake.wait()
            self._wake.clear()
            frame = self.camera.take()
            if frame is not None:
                self.frames.append(self._keep(frame))
                self.came_s.append(time.time())

    def until(self, condition: Callable[[], bool], timeout_s: float = 15) -> None:
        assert wait_for(condition, timeout_s), f"health: {self.health[-3:]}, {self.camera.stats()}"

    def until_frames(self, count: int, timeout_s: float = 15) -> None:
        """Wait for `count` more frames."""
        goal = len(self.frames) + count
        self.until(lambda: len(self.frames) >= goal, timeout_s)

    def states(self) -> list[str]:
        return [health.state for health in self.health]

    def rate_hz(self, start_s: float, end_s: float) -> float:
        """Frames a second that came in a span of host time."""
        return sum(start_s <= came_s < end_s for came_s in self.came_s) / (end_s - start_s)


class Relay:
    """A TCP relay in front of an RTSP server that can corrupt, delay, cut, and change a camera's clock."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.clock_ahead_s = 0.0
        self.corrupt = False
        self.frozen = False
        self.reports = 0
        """Sender reports that went through."""
        self._open: list[socket.socket] = []
        self._refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def url(self, name: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{name}"

    def cut(self, refuse: bool = False) -> None:
        """Break every connection; with `refuse`, new ones too, until `mend`."""
        self._refusing = refuse
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def mend(self) -> None:
        self._refusing = self.frozen = self.corrupt = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._refusing:
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                self._open += [client, server]
                threading.Thread(target=self._upward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._downward, args=(server, client), daemon=True).start()

    def _upward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _downward(self, server: socket.socket, client: socket.socket) -> None:
        """Server to client, message by message: interleaved packets start with a dollar sign."""
        data = bytearray()
        with contextlib.suppress(OSError):
            while chunk := server.recv(65536):
                data += chunk
                while data:
                    if data[0] != 0x24:
                        end = data.find(b"$")
                        end = len(data) if end < 0 else end
                        self._pass(client, bytes(data[:end]))
                        del data[:end]
                        continue
                    if len(data) < 4:
                        break
                    size = 4 + struct.unpack_from("!H", data, 2)[0]
                    if len(data) < size:
                        break
                    self._pass(client, self._tamper(data[:size]))
                    del data[:size]
            client.shutdown(socket.SHUT_RDWR)

    def _pass(self, client: socket.socket, data: bytes) -> None:
        while self.frozen:
            time.sleep(0.05)
        client.sendall(data)

    def _tamper(self, packet: bytearray) -> bytes:
        is_rtcp = packet[1] % 2 == 1
        if is_rtcp and len(packet) >= 20 and packet[5] == 200:
            self.reports += 1
            seconds = struct.unpack_from("!I", packet, 12)[0]
            struct.pack_into("!I", packet, 12, int(seconds + self.clock_ahead_s) % 2**32)
        if not is_rtcp and self.corrupt:
            for index in range(20, len(packet), 7):
                packet[index] ^= 0xA5
        return bytes(packet)

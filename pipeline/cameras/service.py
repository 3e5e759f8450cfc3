"""What a camera's own process does: frames by credit, conditions and status, stills and clips on request."""

from __future__ import annotations

import os
import queue
import select
import socket
import threading
from pathlib import Path
from typing import Any

from pipeline.cameras import wire
from pipeline.cameras.connection import Condition, Connection, Timing
from pipeline.cameras.gst import Gst
from pipeline.cameras.recording import StillPicture, clip, stills
from pipeline.cameras.ring import Ring, RingError
from pipeline.cameras.source import Picture, StreamSpec

_STATUS_S = 0.2
_PULL_S = 0.1
_LEAVE_S = 1.0


class Service:
    """One camera, over two sockets.

    Frames: the parent asks with one byte, and gets the newest picture, or the next when none is new.
    Control: the parent sends the configuration, then requests; this side sends conditions, status, answers.
    """

    def __init__(self, control: socket.socket, frames: socket.socket, config: dict[str, Any]) -> None:
        self._control, self._frames = control, frames
        self._send_lock = threading.Lock()
        self._requests: queue.Queue[dict[str, Any]] = queue.Queue()
        self._ring = Ring(config["ring_seconds"], config["ring_bytes"])
        timing = Timing(**config["timing"])
        detect, record = StreamSpec(**config["detect"]), config["record"]
        self._detect = Connection(
            detect,
            timing,
            self._changed,
            self._ring if record is None else None,
            config["connection"],
            config["rate_hz"],
            config["max_width_px"],
        )
        self._record: Connection | None = None
        if record is not None:
            self._record = Connection(StreamSpec(**record), timing, self._changed, self._ring, 0)

    def run(self) -> None:
        """Until the parent closes the control socket or says stop."""
        threading.Thread(target=self._serve_frames, name="frames", daemon=True).start()
        threading.Thread(target=self._serve_requests, name="recording", daemon=True).start()
        for connection in self._connections():
            connection.start()
        try:
            while self._serve_control():
                pass
        finally:
            for connection in self._connections():
                connection.begin_stop()
            for connection in self._connections():
                connection.wait_stopped(_LEAVE_S)

    def _connections(self) -> list[Connection]:
        return [self._detect, *([self._record] if self._record else [])]

    def _serve_control(self) -> bool:
        ready, _, _ = select.select([self._control], [], [], _STATUS_S)
        if not ready:
            self._send(self._status())
            return True
        message, _ = wire.receive(self._control)
        if message["op"] == "stop":
            return False
        if message["op"] == "streams":
            for connection, name in zip(self._connections(), ("detect", "record"), strict=False):
                connection.spec = StreamSpec(**message[name])
        else:
            self._requests.put(message)
        return True

    def _send(self, header: dict[str, Any], payload: bytes = b"") -> None:
        with self._send_lock:
            wire.send(self._control, header, payload)

    def _changed(self, _condition: Condition) -> None:
        """Tell the parent how the camera is: as well as the worse of its streams."""
        worst, prefix = self._detect.condition, ""
        if self._record is not None and worst.state in ("up", "stopped"):
            record = self._record.condition
            if record.state not in ("up", "stopped"):
                worst, prefix = record, "recording: "
        detect = self._detect.condition
        self._send(
            {
                "kind": "condition",
                "state": worst.state,
                "reason": prefix + worst.reason if worst.reason else "",
                "reconnects": sum(connection.condition.reconnects for connection in self._connections()),
                "codec": detect.codec,
                "size": detect.size,
                "time": _time_fields(detect.stamp) if detect.stamp else None,
            }
        )

    def _status(self) -> dict[str, Any]:
        return {
            "kind": "status",
            "units": self._detect.units,
            "fps": self._detect.fps,
            "decoded": self._detect.pictures_decoded,
            # In this order: a stream that ended has all it will ever have in the ring.
            "ended": all(connection.ended for connection in self._connections()),
            "ring": self._ring.span_s,
            "ring_bytes": self._ring.size_bytes,
            "rss_bytes": _rss_bytes(),
        }

    def _serve_frames(self) -> None:
        """One picture for each byte the parent sends."""
        try:
            while self._frames.recv(1):
                picture = None
                while picture is None:
                    picture = self._detect.pull(_PULL_S)
                    if picture is None and self._detect.ended:
                        wire.send(self._frames, {"ended": True})
                        return
                self._send_picture(picture)
        except OSError:
            pass  # The parent is gone: the control socket says so as well.

    def _send_picture(self, picture: Picture) -> None:
        structure = picture.sample.get_caps().get_structure(0)
        width, height = (structure.get_int(name)[1] for name in ("width", "height"))
        buffer = picture.sample.get_buffer()
        header = {
            "width": width,
            "height": height,
            "row_bytes": (width * 3 + 3) // 4 * 4,
            "time": _time_fields(picture.stamp),
            "source_size": picture.source_size,
            "connection": picture.connection,
        }
        mapped, info = buffer.map(Gst.MapFlags.READ)
        if mapped:
            try:
                wire.send(self._frames, header, info.data)
            finally:
                buffer.unmap(info)

    def _serve_requests(self) -> None:
        while True:
            request = self._requests.get()
            answer: dict[str, Any] = {"kind": "answer", "id": request["id"]}
            payload = b""
            try:
                if request["op"] == "stills":
                    answer["stills"], payload = self._stills(request["times_s"])
                else:
                    answer["clip"] = self._clip(request)
            except RingError as error:
                answer["error"] = str(error)
            except Exception as error:  # A surprise is this request's failure, not the camera's.
                answer["error"] = f"{type(error).__name__} while serving {request['op']}"
            self._send(answer, payload)

    def _stills(self, times_s: list[float]) -> tuple[list[dict[str, Any]], bytes]:
        headers: list[dict[str, Any]] = []
        jpegs: list[bytes] = []
        for still in stills(self._ring, times_s):
            if isinstance(still, StillPicture):
                fields = {"time_s": still.captured_at_s, "width": still.width, "height": still.height}
                headers.append(fields | {"bytes": len(still.jpeg)})
                jpegs.append(still.jpeg)
            else:
                headers.append({"error": str(still)})
        return headers, b"".join(jpegs)

    def _clip(self, request: dict[str, Any]) -> dict[str, Any]:
        made = clip(self._ring, request["start_s"], request["end_s"], Path(request["path"]))
        return {"start_s": made.start_s, "end_s": made.end_s, "codec": made.codec, "frames": made.frames}


def _time_fields(stamp: Any) -> list[Any]:
    return [stamp.time_s, stamp.source, stamp.offset_ms, stamp.uncertainty_ms]


def _rss_bytes() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")

"""One camera as the worker sees it: newest frames, health, and a recording to take evidence from."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from pipeline.cameras import wire
from pipeline.cameras.errors import CameraError
from pipeline.cameras.process import CameraProcess, stream_specs
from pipeline.config.camera import CameraSettings
from pipeline.types import CameraHealth, CameraState, Clip, Frame, FrameTime, RecordingError, Still

log = structlog.get_logger(__name__)

_SILENCE_S = 20.0
"""A child reports five times a second; silent for this long, it hangs."""
_ROOM_BYTES = 1 << 30
"""Memory a child may take beside its ring before it counts as leaking."""
_STILLS_S = 45.0
_CLIP_S = 75.0
_SETTLED_S = 10.0
_FLICKER_S = 600.0
_MOST_CHANGES = 4
"""Told within `_FLICKER_S` while the state stays; more are held back: what flickers must not flood."""


@dataclass(frozen=True, slots=True)
class CameraStats:
    """Counts since the start, and what the camera's process holds now."""

    units_received: int = 0
    """Encoded pictures of the analysed stream."""
    frames_decoded: int = 0
    frames_received: int = 0
    """Frames at analysis rate that reached this process."""
    frames_handed: int = 0
    frames_dropped: int = 0
    """Replaced by a newer one before they were taken."""
    fps: float = 0.0
    """Of the analysed stream, as the camera sends it."""
    ring_seconds: float = 0.0
    ring_bytes: int = 0
    pid: int | None = None
    rss_bytes: int = 0
    restarts: int = 0
    """How often the camera's process had to be started again."""


class Camera:
    """Runs one camera in a process of its own, for ever, until `stop`.

    A live camera's frame that nobody took is replaced by the next one. A file with pace "fast" waits for
    `take`. `on_frame` (camera id) and `on_health` are called from the camera's threads and must be quick.
    Implements pipeline.types.Recording.
    """

    def __init__(
        self,
        settings: CameraSettings,
        on_frame: Callable[[str], None],
        on_health: Callable[[CameraHealth], None],
    ) -> None:
        self.settings = settings
        self._on_frame = on_frame
        self._on_health = on_health
        self._fast = settings.detect.url.startswith("file:") and settings.detect.pace == "fast"
        self._log = log.bind(camera=settings.id)
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        """Guards all below."""
        self._process: CameraProcess | None = None
        self._newest: Frame | None = None
        self._connection = 0
        self._ended = False
        self._ring_s: tuple[float, float] | None = None
        self._status: dict[str, Any] = {}
        self._before = {"units": 0, "decoded": 0}
        """Counts of processes that are gone."""
        self._received = self._handed = self._dropped = self._restarts = 0
        self._health = CameraHealth(settings.id, "connecting", time.time())
        self._told: CameraHealth | None = None
        self._changes: deque[float] = deque(maxlen=_MOST_CHANGES)
        """When (monotonic) the newest were told that left the state as it was."""
        self._supervisor = threading.Thread(target=self._supervise, name=f"camera-{settings.id}", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._supervisor.start()

    def stop(self, timeout_s: float) -> None:
        """Take leave of the camera and end its process, by force after `timeout_s`."""
        self._stopping.set()
        with self._changed:
            process = self._process
            self._changed.notify_all()
        if process is not None:
            process.leave(timeout_s)
        self._supervisor.join(timeout_s)

    @property
    def health(self) -> CameraHealth:
        """As last reported."""
        return self._health

    @property
    def ended(self) -> bool:
        """Whether a file without loop is over and its last frame taken."""
        with self._changed:
            return self._ended and self._newest is None

    def take(self) -> Frame | None:
        """The newest frame that was not taken yet, or None. Its picture belongs to the caller."""
        with self._changed:
            frame, self._newest = self._newest, None
            if frame is not None:
                self._handed += 1
                self._changed.notify_all()
            return frame

    def stats(self) -> CameraStats:
        """Counts and sizes as of now (those of the process: a fifth of a second ago)."""
        with self._changed:
            status, span = self._status, self._ring_s
            return CameraStats(
                units_received=self._before["units"] + status.get("units", 0),
                frames_decoded=self._before["decoded"] + status.get("decoded", 0),
                frames_received=self._received,
                frames_handed=self._handed,
                frames_dropped=self._dropped,
                fps=status.get("fps", 0.0),
                ring_seconds=span[1] - span[0] if span else 0.0,
                ring_bytes=status.get("ring_bytes", 0),
                pid=self._process.pid if self._process else None,
                rss_bytes=status.get("rss_bytes", 0),
                restarts=self._restarts,
            )

    def wait_until(self, time_s: float, timeout_s: float) -> bool:
        """See Recording. Returns at once when the camera was stopped or its file is over."""

        def settled() -> bool:
            over = self._status.get("ended", False) or self._stopping.is_set()
            return self._holds(time_s) or over

        with self._changed:
            self._changed.wait_for(settled, timeout_s)
            return self._holds(time_s)

    def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
        """See Recording. A picture more than a second from its moment counts as missing."""
        try:
            answer, payload = self._ask({"op": "stills", "times_s": list(times_s)}, _STILLS_S)
        except CameraError as error:
            return [RecordingError(f"camera {self.settings.id}: {error}") for _ in times_s]
        found: list[Still | RecordingError] = []
        for fields in answer["stills"]:
            if "error" in fields:
                found.append(RecordingError(f"camera {self.settings.id}: {fields['error']}"))
                continue
            jpeg, payload = payload[: fields["bytes"]], payload[fields["bytes"] :]
            found.append(Still(jpeg, fields["time_s"], fields["width"], fields["height"]))
        return found

    def clip(self, start_s: float, end_s: float, path: Path) -> Clip:
        """See Recording. No file is left behind when it raises."""
        request = {"op": "clip", "start_s": start_s, "end_s": end_s, "path": str(path.absolute())}
        try:
            answer, _ = self._ask(request, _CLIP_S)
        except CameraError as error:
            raise RecordingError(f"camera {self.settings.id}: {error}") from None
        return Clip(path=path, **answer["clip"])

    def _holds(self, time_s: float) -> bool:
        return self._ring_s is not None and self._ring_s[1] >= time_s

    def _ask(self, message: dict[str, Any], timeout_s: float) -> tuple[dict[str, Any], bytes]:
        process = self._process
        if process is None:
            raise CameraError("not connected, so there is no recording")
        return process.request(message, timeout_s)

    def _supervise(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                reason = self._one_process()
            except (ValueError, OSError) as error:
                reason = str(error)
            except Exception as error:
                reason = self._unforeseen(error)
            if self._stopping.is_set():
                break
            self._restarts += 1
            failures = 1 if time.monotonic() - began_s > _SETTLED_S else failures + 1
            self._tell("down", reason)
            reconnect = self.settings.reconnect
            longest_s = min(reconnect.max_delay_s, reconnect.first_delay_s * 2 ** min(failures - 1, 20))
            self._stopping.wait(longest_s * random.uniform(0.5, 1.0))  # noqa: S311
        if self._health.state != "stopped":
            self._tell("stopped", "")

    def _one_process(self) -> str:
        """Start a process and listen to it until it ends; why it did."""
        process = CameraProcess(self.settings, self._connection)
        with self._changed:
            self._process = process
        reader = threading.Thread(
            target=self._read_frames, args=(process,), name=f"frames-{self.settings.id}", daemon=True
        )
        reason = ""
        try:
            reader.start()
            while True:
                reason = self._handle(process, process.receive(_SILENCE_S)) or reason
                if self._leaks():
                    reason = "the camera's process took too much memory and is started again"
                    break
        except TimeoutError:
            reason = f"the camera's process did not answer for {_SILENCE_S:g} s and is started again"
        except (EOFError, OSError):
            pass
        except Exception as error:
            reason = self._unforeseen(error)
        with self._changed:
            self._process = None
        if not self._stopping.is_set() or reason:
            how = process.kill(0.0 if reason else 1.0)
            reason = reason or f"the camera's process ended unexpectedly ({how}) and is started again"
        if reader.ident is not None:
            reader.join()
        with self._changed:
            for name in self._before:
                self._before[name] += self._status.get(name, 0)
            self._status, self._ring_s = {}, None
            self._connection += 1
        return reason

    def _unforeseen(self, error: Exception) -> str:
        """Log what must not end the supervision, such as a host out of threads; the reason to tell."""
        self._log.exception("camera_failed")
        return f"this host could not run the camera's process, which is started again: {error}"

    def _handle(self, process: CameraProcess, message: dict[str, Any]) -> str:
        """Take in one message; the reason when it says that the process gives up."""
        if message["kind"] == "status":
            with self._changed:
                self._status = message
                self._ring_s = tuple(message["ring"]) if message["ring"] else None
                self._changed.notify_all()
            self._tell_news()
        elif message["kind"] == "condition":
            self._tell_condition(message)
            if message["state"] in ("down", "stalled"):
                self._renew_passwords(process)
        else:
            return f"the camera's process cannot work: {message['reason']}"
        return ""

    def _leaks(self) -> bool:
        limit = _ROOM_BYTES + 2e6 * self.settings.ring.megabytes
        return bool(self._status.get("rss_bytes", 0) > limit)

    def _renew_passwords(self, process: CameraProcess) -> None:
        """So that a password changed meanwhile is tried at the next connection."""
        try:
            process.send({"op": "streams", **stream_specs(self.settings)})
        except ValueError as error:
            self._log.warning("password_unreadable", reason=str(error))

    def _read_frames(self, process: CameraProcess) -> None:
        try:
            while self._wait_for_room():
                process.frames.sendall(b"+")
                header, size = wire.receive_header(process.frames)
                if header.get("ended"):
                    with self._changed:
                        self._ended = True
                        self._changed.notify_all()
                    self._on_frame(self.settings.id)
                    return
                width, height, row = header["width"], header["height"], header["row_bytes"]
                rows: np.ndarray[Any, np.dtype[np.uint8]] = np.empty((size // row, row), np.uint8)
                wire.receive_into(process.frames, rows.data.cast("B"))
                self._put(rows[:height, : width * 3].reshape(height, width, 3), header)
                self._on_frame(self.settings.id)
        except (EOFError, OSError):
            pass  # The process is gone: the supervisor sees to it.

    def _wait_for_room(self) -> bool:
        """A live camera's next frame is always welcome; a fast file's once the last one was taken."""
        with self._changed:
            if self._fast:
                self._changed.wait_for(lambda: self._newest is None or self._stopping.is_set())
            return not self._stopping.is_set()

    def _put(self, picture: np.ndarray[Any, np.dtype[np.uint8]], header: dict[str, Any]) -> None:
        source_width, source_height = header["source_size"]
        with self._changed:
            self._received += 1
            self._dropped += self._newest is not None
            self._connection = max(self._connection, header["connection"])
            self._newest = Frame(
                camera_id=self.settings.id,
                picture=picture,
                time=FrameTime(*header["time"]),
                sequence=self._handed,
                connection=header["connection"],
                source_size=(source_width, source_height),
            )

    def _tell_condition(self, message: dict[str, Any]) -> None:
        time_fields = message["time"]
        self._tell(
            message["state"],
            message["reason"],
            reconnects=message["reconnects"] + self._restarts,
            time_=FrameTime(*time_fields) if time_fields else None,
            codec=message["codec"],
            size=(message["size"][0], message["size"][1]),
        )

    def _tell(
        self,
        state: CameraState,
        reason: str,
        reconnects: int | None = None,
        time_: FrameTime | None = None,
        codec: str = "",
        size: tuple[int, int] = (0, 0),
    ) -> None:
        before = self._health
        since_s = before.since_s if before.state == state else time.time()
        reconnects = before.reconnects if reconnects is None else reconnects
        self._health = CameraHealth(self.settings.id, state, since_s, reason, reconnects, time_, codec, size)
        self._tell_news()

    def _tell_news(self) -> None:
        """Tell the health if it is news; what is held back is looked at again with the next status."""
        health, told, now_s = self._health, self._told, time.monotonic()
        # A change of state is always told, but frees no other: what comes with each reconnect flickers too.
        if told is not None and told.state == health.state:
            many = len(self._changes) == _MOST_CHANGES and now_s - self._changes[0] < _FLICKER_S
            if many or _gist(told) == _gist(health):
                return
            self._changes.append(now_s)
        self._told = health
        self._log.info(
            "camera_health", state=health.state, reason=health.reason, reconnects=health.reconnects
        )
        try:
            self._on_health(health)
        except Exception:
            self._log.exception("health_callback_failed")


def _gist(health: CameraHealth) -> object:
    """What makes a health worth telling: one that differs in nothing but numbers is not."""
    return health.state, health.reason, health.codec, health.size, health.time and health.time.source

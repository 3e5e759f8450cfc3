"""One camera's part of a film: its pictures drawn and encoded, its truth written; in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402 - the version must be chosen first

from pipeline.sim.city import City  # noqa: E402
from pipeline.sim.errors import SimError  # noqa: E402
from pipeline.sim.render import Renderer  # noqa: E402
from pipeline.sim.scenario import Scenario  # noqa: E402
from pipeline.sim.truth import frame_line, write_acts  # noqa: E402
from pipeline.sim.types import CameraPose  # noqa: E402
from pipeline.types import Picture  # noqa: E402

SUB_SIZE = (640, 360)
MAIN_KBPS, SUB_KBPS = 4000, 500


@dataclass(frozen=True, slots=True)
class CameraFilm:
    """One camera's files."""

    camera_id: str
    main: Path
    sub: Path
    truth: Path
    scene: Path

    @classmethod
    def of(cls, folder: Path, camera_id: str) -> CameraFilm:
        """The files of a camera in a film's folder."""
        return cls(
            camera_id,
            folder / f"{camera_id}-main.mp4",
            folder / f"{camera_id}-sub.mp4",
            folder / f"{camera_id}.jsonl",
            folder / f"{camera_id}.yaml",
        )


@dataclass(frozen=True, slots=True)
class Reel:
    """What a camera's process is asked for."""

    scenario: Scenario
    camera_id: str
    folder: Path
    size: tuple[int, int]
    """The film's; see main_size."""
    rate_hz: float
    acts: Path | None
    """One of the cameras also writes what happened: the city runs the same in every process."""


def main_size(pose: CameraPose, size: tuple[int, int]) -> tuple[int, int]:
    """Width and height in pixels of a camera's main stream, in a film of this size."""
    own = (pose.width_px, pose.height_px)
    return max(size, own) if pose.reads_plates else size


def shoot(reel: Reel, told: Connection) -> None:
    """Entry of a camera's process. Sends None for every picture drawn, or a sentence that says what is wrong.

    Ends with its parent.
    """
    # Ctrl-C in a terminal is the parent's to handle: it ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        for _ in _drawn(reel):
            told.send(None)
    except (SimError, OSError) as error:
        told.send(str(error))
        sys.exit(1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    # Without Python's and GStreamer's clearing up, which takes its time.
    os._exit(1)


def _drawn(reel: Reel) -> Iterator[None]:
    """Yields after every picture."""
    scenario, files = reel.scenario, CameraFilm.of(reel.folder, reel.camera_id)
    pose = next(pose for pose in scenario.poses() if pose.id == reel.camera_id)
    size = main_size(pose, reel.size)
    pose = replace(pose, width_px=size[0], height_px=size[1])
    city = City(scenario)
    renderer = Renderer(city.site.layout, pose, scenario.conditions)
    with (
        files.truth.open("w", encoding="utf-8") as truth,
        _Encoder(files, size, reel.rate_hz) as encoder,
    ):
        for frame, moment in enumerate(city.moments(reel.rate_hz)):
            drawn = renderer.draw(moment)
            encoder.write(drawn.picture)
            truth.write(frame_line(moment, drawn.seen, frame) + "\n")
            yield
    if reel.acts is not None:
        write_acts(reel.acts, city.acts)


class _Encoder:
    """Pictures in, two MP4 files out."""

    def __init__(self, files: CameraFilm, size: tuple[int, int], rate_hz: float) -> None:
        Gst.init(None)
        self._gap_ns = round(Gst.SECOND / rate_hz)
        self._written = 0
        key = round(2 * rate_hz)
        encode = f"speed-preset=veryfast tune=zerolatency key-int-max={key} bitrate="
        tail = "! video/x-h264,profile=high ! h264parse ! mp4mux ! filesink"
        self._pipeline: Any = Gst.parse_launch(
            f"appsrc name=feed format=time block=true max-buffers=4 ! videoconvert ! tee name=split "
            f"split. ! queue max-size-buffers=4 ! x264enc {encode}{MAIN_KBPS} {tail} name=main "
            f"split. ! queue max-size-buffers=4 ! videoscale ! video/x-raw,width={SUB_SIZE[0]},"
            f"height={SUB_SIZE[1]} ! x264enc {encode}{SUB_KBPS} {tail} name=sub"
        )
        self._pipeline.get_by_name("main").set_property("location", str(files.main))
        self._pipeline.get_by_name("sub").set_property("location", str(files.sub))
        self._feed = self._pipeline.get_by_name("feed")
        rate = f"{round(rate_hz * 1000)}/1000"
        self._feed.set_property(
            "caps",
            Gst.Caps.from_string(f"video/x-raw,format=BGR,width={size[0]},height={size[1]},framerate={rate}"),
        )

    def __enter__(self) -> Self:
        self._pipeline.set_state(Gst.State.PLAYING)
        return self

    def write(self, picture: Picture) -> None:
        """Append a picture."""
        buffer = Gst.Buffer.new_wrapped(picture.tobytes())
        buffer.pts, buffer.duration = self._written * self._gap_ns, self._gap_ns
        self._written += 1
        if self._feed.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
            raise SimError(f"the film cannot be written: {self._trouble()}")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        try:
            if kind is None:
                self._feed.emit("end-of-stream")
                wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
                message = self._pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, wanted)
                if message is None or message.type == Gst.MessageType.ERROR:
                    told = message.parse_error()[0].message if message else "the encoder does not end"
                    raise SimError(f"the film cannot be written: {told}")
        finally:
            self._pipeline.set_state(Gst.State.NULL)

    def _trouble(self) -> str:
        message = self._pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        return str(message.parse_error()[0].message) if message else "the encoder has stopped"

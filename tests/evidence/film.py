"""A recording over a real video: encoded once by GStreamer, kept as access units as a camera's ring does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402, F401

from pipeline.types import Clip, RecordingError, Still  # noqa: E402

Gst.init(None)

START_S = 1_758_791_720.25
"""Capture time of the film's first frame: 2025-09-25T09:15:20.250Z."""
RATE_HZ = 10
SECONDS = 20


@dataclass(frozen=True)
class Unit:
    """One encoded picture."""

    data: bytes
    time_s: float
    key: bool


@dataclass(frozen=True)
class Film:
    """A video as access units; `jpegs` are its pictures."""

    caps: str
    units: tuple[Unit, ...]
    jpegs: tuple[bytes, ...]
    width: int
    height: int


def shoot(width: int = 640, height: int = 360) -> Film:
    """Film a moving ball for SECONDS at RATE_HZ, H.264 with a key frame every two seconds."""
    pipeline: Any = Gst.parse_launch(
        f"videotestsrc num-buffers={SECONDS * RATE_HZ} pattern=ball "
        f"! video/x-raw,width={width},height={height},framerate={RATE_HZ}/1 ! timeoverlay font-desc=40 "
        f"! tee name=t t. ! queue "
        f"! x264enc key-int-max={2 * RATE_HZ} bframes=0 speed-preset=ultrafast threads=1 ! h264parse "
        "! video/x-h264,stream-format=avc,alignment=au ! appsink name=encoded sync=false "
        "t. ! queue ! jpegenc ! appsink name=jpegs sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    units, jpegs, caps = [], [], ""
    try:
        while (sample := pipeline.get_by_name("encoded").emit("pull-sample")) is not None:
            buffer = sample.get_buffer()
            caps = sample.get_caps().to_string()
            jpegs.append(_bytes(pipeline.get_by_name("jpegs").emit("pull-sample").get_buffer()))
            key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
            units.append(Unit(_bytes(buffer), len(units) / RATE_HZ, key))
    finally:
        pipeline.set_state(Gst.State.NULL)
    assert len(units) == SECONDS * RATE_HZ
    return Film(caps, tuple(units), tuple(jpegs), width, height)


@dataclass
class FilmRecording:
    """What evidence asks of a camera, over the part of a film that its ring holds."""

    film: Film
    first_s: float = START_S
    last_s: float = START_S + SECONDS
    """Moments held, on the capture clock; `last_s` is where filming has come to."""
    live: bool = False
    """Filming goes on while we watch, from `last_s`."""
    over: bool = False
    """The film has ended: nothing more will come."""
    opened_s: float = field(default_factory=time.monotonic)

    def wait_until(self, time_s: float, timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        while self._newest_s() < time_s:
            if self.over or time.monotonic() >= until:
                return False
            time.sleep(0.01)
        return True

    def stills(self, times_s: Sequence[float]) -> list[Still | RecordingError]:
        return [self._still(time_s) for time_s in times_s]

    def clip(self, start_s: float, end_s: float, path: Path) -> Clip:
        held = [number for number, _ in self._held()]
        units = self.film.units
        keys = [n for n in held if units[n].key]
        if not keys:
            raise RecordingError("the ring holds nothing of the clip")
        first = max((n for n in keys if START_S + units[n].time_s <= start_s), default=keys[0])
        chosen = [units[n] for n in held if n >= first and START_S + units[n].time_s <= end_s]
        if not chosen:
            raise RecordingError("the ring holds nothing of the clip")
        mux(self.film, chosen, path)
        return Clip(path, START_S + chosen[0].time_s, START_S + chosen[-1].time_s, "h264", len(chosen))

    def _still(self, time_s: float) -> Still | RecordingError:
        held = self._held()
        if not held:
            return RecordingError("the ring is empty")
        number, at_s = min(held, key=lambda entry: abs(entry[1] - time_s))
        return Still(self.film.jpegs[number], at_s, self.film.width, self.film.height)

    def _held(self) -> list[tuple[int, float]]:
        times = ((number, START_S + unit.time_s) for number, unit in enumerate(self.film.units))
        return [(number, at) for number, at in times if self.first_s <= at <= self._newest_s()]

    def _newest_s(self) -> float:
        return self.last_s + (time.monotonic() - self.opened_s if self.live else 0.0)


def mux(film: Film, units: Sequence[Unit], path: Path) -> None:
    """Write access units to MP4 without re-encoding. Raises RecordingError when the disk does not take it."""
    pipeline: Any = Gst.parse_launch("appsrc name=in format=time ! h264parse ! mp4mux ! filesink name=out")
    pipeline.get_by_name("out").set_property("location", str(path))
    source = pipeline.get_by_name("in")
    source.set_property("caps", Gst.Caps.from_string(film.caps))
    pipeline.set_state(Gst.State.PLAYING)
    try:
        for unit in units:
            buffer = Gst.Buffer.new_wrapped(unit.data)
            buffer.pts = buffer.dts = round((unit.time_s - units[0].time_s) * Gst.SECOND)
            buffer.duration = Gst.SECOND // RATE_HZ
            if not unit.key:
                buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
            source.emit("push-buffer", buffer)
        source.emit("end-of-stream")
        kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR
        message = pipeline.get_bus().timed_pop_filtered(10 * Gst.SECOND, kinds)
        if message is None or message.type == Gst.MessageType.ERROR:
            reason = "it took too long" if message is None else message.parse_error().gerror.message
            raise RecordingError(f"the clip cannot be written: {reason}")
    finally:
        pipeline.set_state(Gst.State.NULL)


def frames_of(path: Path) -> int:
    """How many pictures of a clip can be decoded."""
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    return count


def _bytes(buffer: Any) -> bytes:
    return bytes(buffer.extract_dup(0, buffer.get_size()))

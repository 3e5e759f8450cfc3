"""Pictures and clips out of the ring: decoded or muxed in short pipelines beside the live one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cameras.gst import Gst, error_text, format_of, make, make_decoder
from pipeline.cameras.ring import AccessUnit, Ring, RingError

_JPEG_QUALITY = 95
_DECODE_S = 20.0
_MUX_S = 60.0
_JOINT_S = 0.04


@dataclass(frozen=True, slots=True)
class StillPicture:
    """A JPEG of the stream's full size."""

    jpeg: bytes
    captured_at_s: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ClipFile:
    """What was written."""

    start_s: float
    end_s: float
    codec: str
    frames: int


def stills(ring: Ring, times_s: Sequence[float]) -> list[StillPicture | RingError]:
    """The picture nearest to each moment, or why there is none. The moments are of one connection.

    Moments of one group of pictures are decoded together, and no group further than its last one asked.
    """
    found: dict[int, StillPicture | RingError] = {}
    jobs: dict[int, list[tuple[int, list[AccessUnit]]]] = {}
    for number, time_s in enumerate(times_s):
        try:
            units = ring.nearest(time_s, times_s)
            jobs.setdefault(id(units[0]), []).append((number, units))
        except RingError as error:
            found[number] = error
    for job in jobs.values():
        longest = max((units for _, units in job), key=len)
        wanted = {id(units[-1]): units[-1] for _, units in job}
        pictures = _decode(longest, list(wanted.values()))
        for number, units in job:
            found[number] = pictures[id(units[-1])]
    return [found[number] for number in range(len(times_s))]


def clip(ring: Ring, start_s: float, end_s: float, path: Path) -> ClipFile:
    """Mux [start_s, end_s] into an MP4 at `path`, index first, nothing re-encoded.

    The clip's time line is capture time: second 0 is its first picture's `captured_at`. Raises RingError
    and leaves no file when there is nothing to mux or it cannot be written.
    """
    units = ring.between(start_s, end_s)
    caps = Gst.Caps.from_string(units[0].caps)
    video = format_of(caps)
    if video is None or not video.muxed:
        raise RingError(f"{caps.get_structure(0).get_name()} cannot go into a clip: use H.264 or H.265")
    spool = path.with_name(path.name + ".spool")
    pipeline = Gst.Pipeline.new(None)
    feed = _feed(caps)
    parse = make(video.parser.split()[0])
    shape = make("capsfilter", caps=Gst.Caps.from_string(video.muxed))
    mux = make("mp4mux", faststart=True, faststart_file=str(spool))
    sink = make("filesink", location=str(path))
    _chain(pipeline, feed, parse, shape, mux, sink)
    try:
        pipeline.set_state(Gst.State.PLAYING)
        for unit, pts, dts in _timed(units):
            feed.emit("push-buffer", _buffer(unit, pts, dts))
        feed.emit("end-of-stream")
        kinds = Gst.MessageType.ERROR | Gst.MessageType.EOS
        message = pipeline.get_bus().timed_pop_filtered(int(_MUX_S * Gst.SECOND), kinds)
    finally:
        pipeline.set_state(Gst.State.NULL)
        spool.unlink(missing_ok=True)
    if message is None or message.type == Gst.MessageType.ERROR:
        path.unlink(missing_ok=True)
        reason = f"took longer than {_MUX_S:g} s" if message is None else error_text(message)
        raise RingError(f"the clip {path.name} could not be written: {reason}")
    times = [unit.captured_at_s for unit in units]
    return ClipFile(min(times), max(times), video.codec, len(units))


def _timed(units: Sequence[AccessUnit]) -> list[tuple[AccessUnit, int, int]]:
    """Each unit with PTS and DTS in ns: PTS is capture time, DTS the same times in order of decoding.

    Sorted PTS, moved back until none is later than its picture's PTS, are the latest valid DTS
    (ISO/IEC 14496-12, 8.6.1.3: composition time is never before decoding time).
    """
    pts = [round(time_s * Gst.SECOND) for time_s in _never_back(units)]
    origin, ordered = min(pts), sorted(pts)
    delay = max(due - shown for due, shown in zip(ordered, pts, strict=True))
    # Moved forward as a whole rather than back: a muxer takes no negative times.
    return [
        (unit, shown - origin + delay, due - origin)
        for unit, shown, due in zip(units, pts, ordered, strict=True)
    ]


def _never_back(units: Sequence[AccessUnit]) -> list[float]:
    """Capture times, where they jumped back between connections moved on to follow what came before."""
    times: list[float] = []
    moved_s = 0.0
    for before, unit in zip([units[0], *units], units, strict=False):
        if before.connection != unit.connection:
            moved_s = max(0.0, max(times) + _JOINT_S - unit.captured_at_s)
        times.append(unit.captured_at_s + moved_s)
    return times


def _decode(units: Sequence[AccessUnit], wanted: Sequence[AccessUnit]) -> dict[int, StillPicture | RingError]:
    """JPEGs of the wanted units by their id, decoding all of `units`."""
    pipeline = Gst.Pipeline.new(None)
    caps = Gst.Caps.from_string(units[0].caps)
    feed, decoder = _feed(caps), make_decoder(caps)
    sink = make("appsink", sync=False)
    _chain(pipeline, feed, decoder, make("videoconvert"), make("jpegenc", quality=_JPEG_QUALITY), sink)
    # Numbers in order of showing serve as time stamps: no two units can be taken for each other.
    shown = sorted(units, key=lambda unit: (unit.connection, unit.captured_at_s))
    ranks = {id(unit): rank for rank, unit in enumerate(shown)}
    by_pts = {ranks[id(unit)] * Gst.MSECOND: unit for unit in wanted}

    def decoded(_pad: Any, info: Any) -> Any:
        return Gst.PadProbeReturn.OK if info.get_buffer().pts in by_pts else Gst.PadProbeReturn.DROP

    decoder.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, decoded)
    found: dict[int, StillPicture | RingError] = {}
    deadline_s = time.monotonic() + _DECODE_S
    try:
        pipeline.set_state(Gst.State.PLAYING)
        for unit in units:
            feed.emit("push-buffer", _buffer(unit, ranks[id(unit)] * Gst.MSECOND, Gst.CLOCK_TIME_NONE))
        feed.emit("end-of-stream")
        while len(found) < len(wanted) and time.monotonic() < deadline_s:
            sample = sink.emit("try-pull-sample", Gst.SECOND // 10)
            if sample is not None:
                unit = by_pts[sample.get_buffer().pts]
                found[id(unit)] = _still(sample, unit)
            elif sink.get_property("eos") or pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR):
                break
    finally:
        pipeline.set_state(Gst.State.NULL)
    for unit in wanted:
        lost = RingError(
            f"the picture at {unit.captured_at_s:.2f} could not be decoded: the stream is damaged"
        )
        found.setdefault(id(unit), lost)
    return found


def _still(sample: Any, unit: AccessUnit) -> StillPicture:
    buffer, structure = sample.get_buffer(), sample.get_caps().get_structure(0)
    width, height = (structure.get_int(name)[1] for name in ("width", "height"))
    return StillPicture(buffer.extract_dup(0, buffer.get_size()), unit.captured_at_s, width, height)


def _feed(caps: Any) -> Any:
    # Unbounded, as the ring bounds what goes in: a push that waits would wait for ever behind an error.
    return make("appsrc", caps=caps, format=Gst.Format.TIME, max_bytes=0)


def _buffer(unit: AccessUnit, pts: int, dts: int) -> Any:
    buffer = Gst.Buffer.new_wrapped(unit.data)
    buffer.pts, buffer.dts = pts, dts
    if not unit.key:
        buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
    return buffer


def _chain(pipeline: Any, *elements: Any) -> None:
    for element in elements:
        pipeline.add(element)
    for left, right in itertools.pairwise(elements):
        left.link(right)

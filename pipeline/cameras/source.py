"""One connection to one stream: GStreamer from the address to access units and, if asked, pictures.

    rtspsrc ! depay ┐                  ┌ probe: stamp, ring      ┌ probe: analysis rate
    filesrc ! parsebin ┴ parse (! clocksync) ┴ queue ! decoder ┴ scale, BGR ! appsink (newest one)

Nothing here waits for a consumer, except a file read as fast as it is analysed.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from pipeline.address import HIDDEN
from pipeline.cameras.clock import CaptureClock, FileClock, Stamp, ntp_to_unix_s
from pipeline.cameras.gst import NTP_CAPS, GLib, Gst, avoid_decoder, bin_of, format_of, make, make_decoder
from pipeline.cameras.rate import RateLimiter

_DEPAYLOADERS = {
    "H264": "rtph264depay",
    "H265": "rtph265depay",
    "MP4V-ES": "rtpmp4vdepay",
    "JPEG": "rtpjpegdepay",
}
_JITTER_MS = 200
_BACKLOG = 50
"""Encoded pictures a slow decoder may fall behind before it is sent on to the next key frame."""
_STAMPS = 512
_AT_ONCE = {"sync": False, "async": False}
"""Sinks neither pace nor hold up the start: clocksync waits for the pipeline to play."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream as its process gets it; holds the password."""

    url: str
    public_url: str
    transport: str
    fast: bool
    loop: bool
    username: str | None
    password: str | None

    @property
    def is_file(self) -> bool:
        """Whether it is read from disk."""
        return urlsplit(self.url).scheme == "file"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        parts = urlsplit(self.url)
        hidden = parts.path.removeprefix(urlsplit(self.public_url).path.removesuffix(HIDDEN))
        return tuple(filter(None, (self.password, parts.password, hidden, parts.query, parts.fragment)))


@dataclass(frozen=True, slots=True)
class Unit:
    """An access unit as it leaves the parser."""

    data: bytes
    stamp: Stamp
    key: bool
    caps: str
    codec: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: a Gst.Sample of BGR, and what its access unit said."""

    sample: Any
    stamp: Stamp
    source_size: tuple[int, int]
    connection: int


class Source:
    """A running pipeline. Callbacks come from its streaming threads and must be quick.

    on_unit gets every access unit in decode order and says which connection it belongs to. Pictures, at
    most `rate_hz` and `max_width_px` wide, are pulled from `pull`; without `rate_hz` nothing is decoded.
    """

    def __init__(
        self,
        spec: StreamSpec,
        clock: CaptureClock | FileClock,
        on_unit: Callable[[Unit], int],
        connect_s: float,
        rate_hz: float | None = None,
        max_width_px: int = 0,
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._on_unit = on_unit
        self._limiter = RateLimiter(rate_hz) if rate_hz is not None else None
        self._max_width_px = max_width_px
        self._codec = ""
        self._stamps: OrderedDict[int, tuple[Stamp, tuple[int, int], int]] = OrderedDict()
        self._stamps_lock = threading.Lock()
        self._caps: tuple[Any, str, tuple[int, int]] = (None, "", (0, 0))
        self._newest_pts: int | None = None
        self._skipping = False
        self._queue: Any = None
        self._sink: Any = None
        self._decoder_name = ""
        self._linked = False
        self.refusal = ""
        """Why the stream cannot be used, where GStreamer itself saw nothing wrong."""
        self.last_unit_s = self.last_picture_s = 0.0
        """Monotonic time of the newest access unit and decoded picture; 0 before the first."""
        self.pictures_decoded = 0
        self._pipeline: Any = Gst.Pipeline.new(None)
        self._open_file() if spec.is_file else self._open_rtsp(connect_s)

    def start(self) -> None:
        """Begin to connect; what happens is seen on the bus."""
        self._pipeline.set_state(Gst.State.PLAYING)

    def stop(self, timeout_s: float) -> bool:
        """Tear down; False when GStreamer hangs in it, and the process is best given up."""
        done = threading.Event()

        def tear_down() -> None:
            self._pipeline.set_state(Gst.State.NULL)
            # Its callbacks refer to this object, which no garbage collector sees: cut the circle here.
            self._pipeline = self._sink = self._queue = None
            done.set()

        threading.Thread(target=tear_down, name="teardown", daemon=True).start()
        return done.wait(timeout_s)

    def blame_decoder(self, message: Any = None) -> None:
        """After a failure (an ERROR message, or silence): try another decoder next time, if it may be that.

        A hardware decoder can open and then turn out not to know the stream's profile.
        """
        if message is not None:
            by_decoder = message.parse_error()[0].domain == GLib.quark_to_string(Gst.StreamError.quark())
        else:
            by_decoder = self.last_unit_s > 0
        if self._decoder_name and by_decoder and not self.last_picture_s:
            avoid_decoder(self._decoder_name)

    def next_message(self, timeout_s: float) -> Any:
        """The next ERROR, EOS or refusal (APPLICATION) on the bus, or None."""
        kinds = Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.APPLICATION
        return self._pipeline.get_bus().timed_pop_filtered(int(timeout_s * Gst.SECOND), kinds)

    def pull(self, timeout_s: float) -> Picture | None:
        """The newest picture, waiting for one if need be."""
        sink = self._sink
        if sink is None or sink.get_property("eos"):
            time.sleep(timeout_s)
            return None
        sample = sink.emit("try-pull-sample", int(timeout_s * Gst.SECOND))
        if sample is None:
            return None
        with self._stamps_lock:
            found = self._stamps.get(sample.get_buffer().pts)
            if found is None and self._stamps:
                # A decoder that makes up time stamps: the newest known is the best there is.
                found = next(reversed(self._stamps.values()))
        return Picture(sample, *found) if found is not None else None

    def _open_rtsp(self, connect_s: float) -> None:
        spec = self._spec
        parts = urlsplit(spec.url)
        host = parts.netloc.rpartition("@")[2]
        source = make(
            "rtspsrc",
            # The login goes in by properties: addresses end up in GStreamer's messages.
            location=urlunsplit((parts.scheme, host, parts.path, parts.query, "")),
            latency=_JITTER_MS,
            add_reference_timestamp_meta=True,
            tcp_timeout=int(connect_s * 1e6),
            timeout=int(connect_s * 1e6),
        )
        Gst.util_set_object_arg(source, "protocols", spec.transport)
        # The camera's own time stamps, evenly spaced; CaptureClock does the smoothing and sees the drift.
        Gst.util_set_object_arg(source, "buffer-mode", "none")
        if spec.username:
            source.set_property("user-id", spec.username)
            source.set_property("user-pw", spec.password or "")
        chosen: list[int] = []

        def select(_source: Any, number: int, caps: Any) -> bool:
            is_video = caps.get_structure(0).get_string("media") == "video"
            if is_video and not chosen:
                chosen.append(number)
            return number in chosen

        def pad_added(_source: Any, pad: Any) -> None:
            encoding = pad.get_current_caps().get_structure(0).get_string("encoding-name") or "?"
            if encoding not in _DEPAYLOADERS:
                self._refuse(f"its codec {encoding} is not supported: set the camera to H.264 or H.265")
                return
            depay = make(_DEPAYLOADERS[encoding])
            self._pipeline.add(depay)
            caps = depay.get_static_pad("src").query_caps(None)
            depay.sync_state_with_parent()
            self._attach(depay.get_static_pad("src"), caps)
            pad.link(depay.get_static_pad("sink"))

        def no_more_pads(_source: Any) -> None:
            if not self._linked and not self.refusal:
                self._refuse("it offers no video stream")

        source.connect("select-stream", select)
        source.connect("pad-added", pad_added)
        source.connect("no-more-pads", no_more_pads)
        self._pipeline.add(source)

    def _open_file(self) -> None:
        source = make("filesrc", location=unquote(urlsplit(self._spec.url).path))
        parse = make("parsebin")
        self._pipeline.add(source)
        self._pipeline.add(parse)
        source.link(parse)

        def pad_added(_parse: Any, pad: Any) -> None:
            caps = pad.get_current_caps() or pad.query_caps(None)
            name = caps.get_structure(0).get_name()
            if not self._linked and (name.startswith("video/") or name.startswith("image/")):
                self._attach(pad, caps)
                return
            unused = make("fakesink", **_AT_ONCE)
            self._pipeline.add(unused)
            unused.sync_state_with_parent()
            pad.link(unused.get_static_pad("sink"))

        parse.connect("pad-added", pad_added)

    def _attach(self, pad: Any, caps: Any) -> None:
        """Everything behind a pad of compressed video."""
        video = format_of(caps)
        if video is None:
            name = caps.get_structure(0).get_name()
            self._refuse(f"its video ({name}) is not supported: use H.264 or H.265")
            return
        self._linked = True
        self._codec = video.codec
        paced = self._spec.is_file and not self._spec.fast
        head = bin_of(video.parse_line + (" ! clocksync" if paced else ""))
        if self._limiter is not None:
            tail = self._decoder(Gst.Caps.from_string(video.parsed))
        else:
            tail = [make("fakesink", **_AT_ONCE)]
        elements = [head, *tail]
        for element in elements:
            self._pipeline.add(element)
        for left, right in itertools.pairwise(elements):
            left.link(right)
        head.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self._encoded)
        for element in reversed(elements):
            element.sync_state_with_parent()
        pad.link(head.get_static_pad("sink"))

    def _decoder(self, caps: Any) -> list[Any]:
        fast = self._spec.is_file and self._spec.fast
        self._queue = make("queue", max_size_buffers=8 if fast else 0, max_size_bytes=0, max_size_time=0)
        decoder = make_decoder(caps)
        self._decoder_name = decoder.get_factory().get_name()
        decoder.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self._decoded)
        shape = f"video/x-raw,format=BGR,width=[1,{self._max_width_px}],pixel-aspect-ratio=1/1"
        self._sink = make("appsink", max_buffers=1, drop=not fast, **_AT_ONCE)
        return [
            self._queue,
            decoder,
            make("videoconvertscale"),
            make("capsfilter", caps=Gst.Caps.from_string(shape)),
            self._sink,
        ]

    def _encoded(self, pad: Any, info: Any) -> Any:
        """Stamp and hand on one access unit; hold back what a decoder that lags cannot use."""
        buffer = info.get_buffer()
        now_s = time.time()
        if buffer.pts != Gst.CLOCK_TIME_NONE:
            self._newest_pts = buffer.pts
        elif self._newest_pts is None:
            self._refuse(f"its pictures carry no times{': put it into an .mp4' * self._spec.is_file}")
            return Gst.PadProbeReturn.DROP
        # A picture without a time of its own is kept for the sake of those that build on it.
        pts = self._newest_pts
        meta = buffer.get_reference_timestamp_meta(NTP_CAPS)
        ntp_s = ntp_to_unix_s(meta.timestamp, now_s) if meta is not None else None
        stamp = self._clock.observe(pts / Gst.SECOND, now_s, ntp_s)
        caps, size = self._describe(pad.get_current_caps())
        key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        data = buffer.extract_dup(0, buffer.get_size())
        connection = self._on_unit(Unit(data, stamp, key, caps, self._codec, size))
        with self._stamps_lock:
            self._stamps.pop(pts, None)
            self._stamps[pts] = (stamp, size, connection)
            if len(self._stamps) > _STAMPS:
                self._stamps.popitem(last=False)
        self.last_unit_s = time.monotonic()
        return Gst.PadProbeReturn.DROP if self._lags(key) else Gst.PadProbeReturn.OK

    def _lags(self, key: bool) -> bool:
        if self._queue is None or (self._spec.is_file and self._spec.fast):
            return False
        level = self._queue.get_property("current-level-buffers")
        if level > _BACKLOG:
            self._skipping = True
        elif key and level < _BACKLOG // 2:
            self._skipping = False
        return self._skipping

    def _describe(self, caps: Any) -> tuple[str, tuple[int, int]]:
        """Caps without the (guessed, wandering) frame rate, and the picture size."""
        if caps is not self._caps[0] and not (self._caps[0] and caps.is_equal(self._caps[0])):
            bare = caps.copy()
            bare.get_structure(0).remove_field("framerate")
            structure = caps.get_structure(0)
            size = tuple(structure.get_int(name)[1] for name in ("width", "height"))
            self._caps = (caps, bare.to_string(), size)
        return self._caps[1:]

    def _decoded(self, _pad: Any, info: Any) -> Any:
        """Count a picture; let it on to conversion if its turn has come."""
        assert self._limiter is not None
        self.last_picture_s = time.monotonic()
        self.pictures_decoded += 1
        pts = info.get_buffer().pts
        passes = pts != Gst.CLOCK_TIME_NONE and self._limiter.passes(pts / Gst.SECOND)
        return Gst.PadProbeReturn.OK if passes else Gst.PadProbeReturn.DROP

    def _refuse(self, reason: str) -> None:
        self.refusal = f"{self._spec.public_url} cannot be used: {reason}"
        message = Gst.Message.new_application(self._pipeline, Gst.Structure.new_empty("refused"))
        self._pipeline.get_bus().post(message)

"""Any video file as a looping RTSP camera with RTCP sender reports, for trials and tests.

Compressed pictures go out as they are, at their own pace; after the end of the file the time stamps keep
rising. The sender reports carry this host's time (NTP), so that a frame's capture time is when it was due.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from pipeline.cameras.errors import CameraError
from pipeline.cameras.gst import Format, GLib, Gst, bin_of, error_text, format_of, gi, make

gi.require_version("GstRtspServer", "1.0")
from gi.repository import GstRtspServer  # noqa: E402

_PAYLOADERS = {
    "h264": "rtph264pay",
    "h265": "rtph265pay",
    "mpeg4": "rtpmp4vpay config-interval=1 max-ptime=1",
}
"""The parsers put parameter sets before every key picture; these would put them between its slices."""
_LEAD_NS = Gst.SECOND // 5
"""The first picture is due this long after a client begins: room for connecting."""
_REPORT_NS = Gst.SECOND
_ROLE = "viewer"


class ReplayError(CameraError):
    """A file cannot be served; the message names it and says why."""


class ReplayServer:
    """Serves files as rtsp://host:port/STEM (percent-encoded) until `stop`. Usable as a context manager.

    All clients of a file share one playback, which starts with the first and ends with the last of them.
    """

    def __init__(
        self,
        files: Sequence[Path],
        port: int = 0,
        host: str = "127.0.0.1",
        username: str | None = None,
        password: str | None = None,
        *,
        once: bool = False,
        together: bool = False,
    ) -> None:
        """Port 0 takes a free one. With a user name, clients must log in (digest or basic).

        `once`: the stream ends with the file, and whoever connects anew gets it from its beginning.
        `together`: all files, of one length and beginning at 0, run on one clock that starts now, like a
        camera's main and sub stream: whoever connects joins where it stands, at the key picture before.

        Raises ReplayError for a file that cannot be served, two files of one name, or a port in use.
        """
        self._host = host
        self._paths = {path.stem: path for path in files}
        if len(self._paths) < len(files):
            raise ReplayError("two of the files have the same name: their addresses would be equal")
        formats = {name: _format_of(path) for name, path in self._paths.items()}
        self._context = GLib.MainContext.new()
        self._loop = GLib.MainLoop.new(self._context, False)
        self._server = GstRtspServer.RTSPServer()
        self._server.set_address(host)
        self._server.set_service(str(port))
        if username is not None:
            self._server.set_auth(_login(username, password or ""))
        began_ns = Gst.SystemClock.obtain().get_time() if together else None
        for name, video in formats.items():
            factory = _factory(
                self._paths[name], video, locked=username is not None, once=once, began_ns=began_ns
            )
            self._server.get_mount_points().add_factory(f"/{quote(name)}", factory)
        try:
            self._source = self._server.create_source(None)
        except GLib.Error as error:
            raise ReplayError(f"cannot listen on {host}:{port}: {error.message}") from None
        self._source.attach(self._context)
        self.port: int = self._server.get_bound_port()
        self._thread = threading.Thread(target=self._loop.run, name="replay", daemon=True)
        self._thread.start()

    @property
    def urls(self) -> dict[str, str]:
        """Address of each file, by its stem."""
        return {name: f"rtsp://{self._host}:{self.port}/{quote(name)}" for name in self._paths}

    def stop(self) -> None:
        """Drop every client and close the port."""

        def drop(_server: Any, _client: Any) -> Any:
            return GstRtspServer.RTSPFilterResult.REMOVE

        self._source.destroy()
        self._server.client_filter(drop)
        self._loop.quit()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve_forever(
    files: Sequence[Path],
    host: str,
    port: int,
    on_ready: Callable[[dict[str, str]], None],
    *,
    once: bool = False,
    together: bool = False,
) -> None:
    """Serve until interrupted; `on_ready` gets the address of each file by its stem. Raises ReplayError."""
    with ReplayServer(files, port, host, once=once, together=together) as server:
        on_ready(server.urls)
        threading.Event().wait()


@dataclass(frozen=True, slots=True)
class Served:
    """A server in a process of its own."""

    urls: dict[str, str]
    """Address of each file, by its stem."""
    pid: int


@contextmanager
def served(files: Sequence[Path], port: int = 0, *, together: bool = False) -> Iterator[Served]:
    """Serve on 127.0.0.1 from a process of its own, which ends with the context or with this process.

    Arguments are those of ReplayServer. Raises ReplayError.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(files, port, together, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        try:
            answer = ours.recv() if ours.poll(60) else None
        except EOFError:
            answer = None
        if answer is None:
            raise ReplayError(f"{', '.join(path.name for path in files)}: cannot be served: no answer")
        if isinstance(answer, str):
            raise ReplayError(answer)
        yield Served(answer, process.pid or 0)
    finally:
        process.kill()
        process.join()


def _serve(files: Sequence[Path], port: int, together: bool, parent: Connection) -> None:
    # Ctrl-C in a terminal is the parent's to handle: cameras run until it has ended its work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ReplayServer(files, port, together=together) as server:
            parent.send(server.urls)
            parent.poll(None)
    except ReplayError as error:
        parent.send(str(error))


class _Media(GstRtspServer.RTSPMedia):  # type: ignore[misc]
    """Reports the time of capture, like a camera, where the default is the time of sending."""

    def do_setup_rtpbin(self, rtpbin: Any) -> bool:
        rtpbin.set_property("rtcp-sync-send-time", False)
        return True


class _Feeder:
    """Demuxes a file over and over into an appsrc, with time stamps that only rise."""

    def __init__(self, path: Path, appsrc: Any, pace: Any, *, once: bool, began_ns: int | None) -> None:
        self._appsrc = appsrc
        self._once = once
        self._began_ns = began_ns
        self._pace = pace
        self._reorder = 0
        self._pipeline, self._sink, _ = _demuxer(path)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"feed-{path.stem}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Unblock and end the thread."""
        self._stopped.set()

    def _run(self) -> None:
        self._pipeline.set_state(Gst.State.PLAYING)
        base, length = _LEAD_NS, 0
        try:
            if self._began_ns is not None:
                base, length = self._join(self._began_ns)
            while not self._stopped.is_set():
                span = self._one_pass(base)
                if not span or self._once:
                    self._appsrc.emit("end-of-stream")
                    break
                base += length or span
                self._pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH, 0)
        finally:
            self._pipeline.set_state(Gst.State.NULL)

    def _join(self, began_ns: int) -> tuple[int, int]:
        """Go to where the common clock stands; the time of the current pass's beginning, and its length."""
        self._pipeline.get_state(5 * Gst.SECOND)
        length = self._pipeline.query_duration(Gst.Format.TIME)[1]
        now = max(0, Gst.SystemClock.obtain().get_time() - began_ns - _LEAD_NS)
        passes, position = divmod(now, length)
        at_key = Gst.SeekFlags.FLUSH | Gst.SeekFlags.KEY_UNIT | Gst.SeekFlags.SNAP_BEFORE
        self._pipeline.seek_simple(Gst.Format.TIME, at_key, position)
        return _LEAD_NS + passes * length, length

    def _one_pass(self, base: int) -> int:
        """Push the file to its end; return its length, or 0 when the client side is gone or nothing came."""
        first = None if self._began_ns is None else 0
        capped = False
        newest = shown = pictures = 0
        while not self._stopped.is_set():
            sample = self._sink.emit("try-pull-sample", Gst.SECOND)
            if sample is None:
                if self._sink.get_property("eos"):
                    break
                continue
            buffer = sample.get_buffer().copy()
            if buffer.pts == Gst.CLOCK_TIME_NONE:
                buffer.pts = shown
            shown = buffer.pts
            if not capped:
                capped = True
                self._appsrc.set_property("caps", sample.get_caps())
            if first is None:
                first = shown
            if buffer.dts == Gst.CLOCK_TIME_NONE:
                buffer.dts = buffer.pts
            if buffer.pts - buffer.dts > self._reorder:
                # Like a camera: a picture leaves after it was taken, so reordering delays its sending.
                self._reorder = buffer.pts - buffer.dts
                self._pace.set_property("ts-offset", self._reorder)
            buffer.pts, buffer.dts = base + buffer.pts - first, base + buffer.dts - first
            newest = max(newest, buffer.pts)
            pictures += 1
            if self._appsrc.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return 0
        # The first picture of the next pass follows the last of this one after an average gap.
        return (newest - base) * pictures // (pictures - 1) if pictures > 1 else 0


def _demuxer(path: Path) -> tuple[Any, Any, threading.Event]:
    """A pipeline, its appsink of the file's first video, and an event set when that cannot be served."""
    useless = threading.Event()
    pipeline = Gst.Pipeline.new(None)
    source, parse = make("filesrc", location=str(path)), make("parsebin")
    sink = make("appsink", name="out", sync=False, max_buffers=4)
    for element in (source, parse, sink):
        pipeline.add(element)
    source.link(parse)

    def pad_added(parse: Any, pad: Any) -> None:
        # Looked up, not captured: a pipeline whose callback holds it is never freed.
        pipeline = parse.get_parent()
        sink = pipeline.get_by_name("out")
        caps = pad.get_current_caps() or pad.query_caps(None)
        video = format_of(caps)
        if video is None and not caps.get_structure(0).get_name().startswith("audio/"):
            useless.set()
        if sink.get_static_pad("sink").is_linked() or video is None:
            tail = make("fakesink", sync=False, **{"async": False})
            pipeline.add(tail)
        else:
            tail = bin_of(video.parse_line)
            pipeline.add(tail)
            tail.link(sink)
        tail.sync_state_with_parent()
        pad.link(tail.get_static_pad("sink"))

    parse.connect("pad-added", pad_added)
    return pipeline, sink, useless


def _format_of(path: Path) -> Format:
    pipeline, sink, useless = _demuxer(path)
    try:
        pipeline.set_state(Gst.State.PLAYING)
        message = None
        sample = None
        for _ in range(100):
            sample = sink.emit("try-pull-sample", Gst.SECOND // 10)
            message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
            if sample is not None or message is not None or useless.is_set():
                break
        if sample is None:
            reason = error_text(message) if message else "no supported video in it"
            raise ReplayError(f"{path} cannot be served: {reason}")
        video = format_of(sample.get_caps())
        if video is None or video.codec not in _PAYLOADERS:
            known = ", ".join(_PAYLOADERS)
            raise ReplayError(f"{path} cannot be served: its codec is not one of {known}")
        if sample.get_buffer().pts == Gst.CLOCK_TIME_NONE:
            raise ReplayError(f"{path} cannot be served: its pictures carry no times: put it into an .mp4")
        return video
    finally:
        pipeline.set_state(Gst.State.NULL)


def _factory(path: Path, video: Format, *, locked: bool, once: bool, began_ns: int | None) -> Any:
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( appsrc name=feed format=time block=true max-bytes=262144 ! {video.parse_line}"
        f" ! clocksync name=pace ! {_PAYLOADERS[video.codec]} name=pay0 pt=96 )"
    )
    factory.set_shared(True)
    factory.set_media_gtype(_Media.__gtype__)
    if locked:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role(_ROLE, "media.factory.access", True)
        permissions.add_permission_for_role(_ROLE, "media.factory.construct", True)
        factory.set_permissions(permissions)

    def configure(_factory: Any, media: Any) -> None:
        element = media.get_element()
        if began_ns is not None:
            pipeline = element.get_parent()
            pipeline.use_clock(Gst.SystemClock.obtain())
            pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
            pipeline.set_base_time(began_ns)
        feed, pace = element.get_by_name("feed"), element.get_by_name("pace")
        feeder = _Feeder(path, feed, pace, once=once, began_ns=began_ns)
        media.connect("unprepared", lambda _media: feeder.stop())
        media.connect("prepared", _report_often)

    factory.connect("media-configure", configure)
    return factory


def _report_often(media: Any) -> None:
    for number in range(media.n_streams()):
        media.get_stream(number).get_rtpsession().set_property("rtcp-min-interval", _REPORT_NS)


def _login(username: str, password: str) -> Any:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", _ROLE)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(username, password), token)
    auth.add_digest(username, password, token)
    return auth

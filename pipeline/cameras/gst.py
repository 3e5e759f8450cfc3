"""GStreamer, loaded once: imported by a camera's own process and the replay server, never by the worker."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

from pipeline.address import shown_path  # noqa: E402

__all__ = ["GLib", "Gst", "gi"]

Gst.init(None)

NTP_CAPS: Any = Gst.Caps.from_string("timestamp/x-ntp")
_SECRET_IN_URL = re.compile(r"(?i)\b([a-z]+://)[^\s/@]*@")
_QUERY_IN_URL = re.compile(r"(?i)\b([a-z]+://[^\s?]*)\?\S*")
_PATH_IN_URL = re.compile(r"(?i)\b(rtsp[a-z]*://[^\s/?]+)(/[^\s?]*)")


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of compressed video that cameras send."""

    codec: str
    parser: str
    """Brings it to whole pictures, each key frame with its parameter sets in-band."""
    parsed: str
    """Caps behind the parser."""
    muxed: str
    """Caps that go into an MP4; empty where none do."""

    @property
    def parse_line(self) -> str:
        """Launch line of the parser and its caps."""
        return f"{self.parser} ! capsfilter caps={self.parsed}"


_FORMATS = {
    "video/x-h264": Format(
        "h264",
        "h264parse config-interval=-1",
        "video/x-h264,stream-format=byte-stream,alignment=au",
        "video/x-h264,stream-format=avc,alignment=au",
    ),
    "video/x-h265": Format(
        "h265",
        "h265parse config-interval=-1",
        "video/x-h265,stream-format=byte-stream,alignment=au",
        "video/x-h265,stream-format=hvc1,alignment=au",
    ),
    "video/mpeg": Format(
        "mpeg4",
        "mpeg4videoparse config-interval=-1",
        "video/mpeg,mpegversion=4,systemstream=false",
        "video/mpeg,mpegversion=4,systemstream=false",
    ),
    "image/jpeg": Format("jpeg", "jpegparse", "image/jpeg", ""),
}


def format_of(caps: Any) -> Format | None:
    """What the compressed video of `caps` is; None when it is not supported."""
    structure = caps.get_structure(0)
    name = structure.get_name()
    if name == "video/mpeg" and structure.get_value("mpegversion") != 4:
        return None
    return _FORMATS.get(name)


def make(factory: str, **properties: Any) -> Any:
    """An element; raises RuntimeError naming the missing plugin."""
    element = Gst.ElementFactory.make(factory)
    if element is None:
        raise RuntimeError(f"GStreamer has no element {factory}: run scripts/setup")
    for name, value in properties.items():
        element.set_property(name.replace("_", "-"), value)
    return element


def bin_of(description: str) -> Any:
    """A bin with ghost pads out of a launch line."""
    return Gst.parse_bin_from_description(description, True)


_avoided: set[str] = set()


def avoid_decoder(name: str) -> None:
    """Take the next one in rank from now on in this process, until every one has failed."""
    _avoided.add(name)


def make_decoder(caps: Any) -> Any:
    """The decoder GStreamer ranks highest for `caps` among those that open on this machine.

    Ranked as in decodebin, so hardware comes first; not decodebin itself, which holds the start back until
    it has seen pictures. Software decoders run on one thread: no added delay, little memory. Pictures that
    are known to be broken are not shown. Raises RuntimeError when there is none.
    """
    factories = Gst.ElementFactory.list_get_elements(Gst.ELEMENT_FACTORY_TYPE_DECODER, Gst.Rank.MARGINAL)
    fitting = Gst.ElementFactory.list_filter(factories, caps, Gst.PadDirection.SINK, False)
    ranked = sorted(fitting, key=lambda factory: -factory.get_rank())
    if all(factory.get_name() in _avoided for factory in ranked):
        _avoided.clear()
    for factory in ranked:
        if factory.get_name() in _avoided:
            continue
        decoder = factory.create(None)
        if decoder is None:
            continue
        if decoder.set_state(Gst.State.READY) != Gst.StateChangeReturn.FAILURE:
            for name, value in (("max-threads", 1), ("output-corrupt", False)):
                if decoder.find_property(name) is not None:
                    decoder.set_property(name, value)
            return decoder
        decoder.set_state(Gst.State.NULL)
    raise RuntimeError(f"GStreamer has no decoder for {caps.get_structure(0).get_name()}: run scripts/setup")


def explain(message: Any, where: str, secrets: tuple[str, ...]) -> str:
    """One sentence without secrets for an ERROR message of a pipeline on `where` (a public address)."""
    error, _ = message.parse_error()
    what = scrub(error_text(message), secrets)
    if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_AUTHORIZED):
        return f"{where} refuses the user name or password (401): check username and password"
    if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_FOUND):
        return f"{where} does not exist: check the path of the address"
    if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.OPEN_READ_WRITE):
        return f"{where} cannot be reached: check host, port and network"
    if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.OPEN_READ):
        return f"{where} cannot be opened: {what}"
    return f"{where} failed: {what}"


def error_text(message: Any) -> str:
    """What an ERROR message says, without the place in GStreamer's source where it was said."""
    error, debug = message.parse_error()
    details = [line.strip() for line in (debug or "").splitlines()[1:] if line.strip()]
    return f"{error.message.rstrip('.')} ({details[-1]})" if details else str(error.message)


def scrub(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the given secrets, and without logins and queries in any address it quotes."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***").replace(GLib.uri_escape_string(secret, None, True), "***")
    text = _QUERY_IN_URL.sub(r"\1", _SECRET_IN_URL.sub(r"\1", text))
    return _PATH_IN_URL.sub(lambda found: found[1] + shown_path(found[2]), text)

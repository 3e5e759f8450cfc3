"""One camera: its streams, their secrets, and how it is analysed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from pydantic import Field, field_validator

from pipeline.address import shown_path
from pipeline.config.base import Settings
from pipeline.config.limits import LONGEST_NAME
from pipeline.config.secrets import Login

CameraId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
ShownName = Annotated[str, Field(max_length=LONGEST_NAME)]

_BROKEN_LOGIN = re.compile(r"(?i)rtsps?://(?!\d+\.\d+\.\d+\.\d+:)[^@/?#\[]*:[^@/?#]*[/?#][^@=]*@")
"""USER:PASSWORD@ whose password holds / ? or #: read as an address, it is a host, a port and a path."""


class StreamSettings(Login):
    """One stream of a camera."""

    url: str
    """rtsp://, rtsps:// or file:// address, without a password."""
    transport: Literal["tcp", "udp"] = "tcp"
    pace: Literal["own", "fast"] = "own"
    """file:// only: at the file's own pace like a camera, or as fast as it is analysed."""
    loop: bool = False
    """file:// only: start again at the end."""

    @field_validator("url")
    @classmethod
    def _known_scheme_without_password(cls, url: str) -> str:
        if _BROKEN_LOGIN.match(url):
            raise ValueError(
                "an @ stands after the host: a password does not belong in an address, use password_env or "
                "password_file; an @ of the path itself is written %40"
            )
        parts = urlsplit(url)
        if parts.scheme not in ("rtsp", "rtsps", "file"):
            raise ValueError(f"scheme {parts.scheme!r} is not one of rtsp, rtsps, file")
        if parts.scheme == "file" and not parts.path:
            raise ValueError("a file:// address needs a path")
        if parts.scheme != "file" and not parts.hostname:
            raise ValueError("the address has no host")
        try:
            _host(parts)
        except ValueError:
            # Python's sentence shows what stands there, which may be half a password.
            raise ValueError("the port is no number from 0 to 65535") from None
        if parts.password is not None:
            raise ValueError("a password does not belong in an address: use password_env or password_file")
        return url

    def public_url(self) -> str:
        """The address as it may be shown: no user, no password, no query (it may carry a token).

        Many cameras take their login in the path only (/user=admin&password=...): that part is shown as "…".
        """
        parts = urlsplit(self.url)
        path = parts.path if parts.scheme == "file" else shown_path(parts.path)
        return urlunsplit((parts.scheme, _host(parts), path, "", ""))

    def secret_url(self) -> str:
        """The address with its credentials, for the camera's connection only."""
        parts = urlsplit(self.url)
        user = self.username or parts.username
        if parts.scheme == "file" or user is None:
            return self.url
        password = self.password()
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
        return urlunsplit((parts.scheme, f"{login}@{_host(parts)}", parts.path, parts.query, parts.fragment))


def _host(parts: SplitResult) -> str:
    """Host and port as they stand in an address: an IPv6 host in brackets."""
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{parts.port}" if parts.port else host


class ReconnectSettings(Settings):
    """How a lost camera is won back."""

    first_delay_s: Annotated[float, Field(gt=0, le=60)] = 0.5
    max_delay_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    stall_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    """No frame for this long: the connection counts as dead and is made anew."""
    connect_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """No first frame for this long after connecting: tried anew."""


class RingSettings(Settings):
    """The encoded video kept in memory for evidence."""

    seconds: Annotated[float, Field(ge=2, le=600)] = 30.0
    megabytes: Annotated[float, Field(ge=1, le=4096)] = 64.0


class AnalysisSettings(Settings):
    """How many pictures are analysed, and how large."""

    rate_hz: Annotated[float, Field(gt=0, le=60)] = 6.0
    max_width_px: Annotated[int, Field(ge=64, le=7680)] = 1280
    """Wider pictures are scaled down, keeping their shape, before they leave the decoder's process."""


class ClockSettings(Settings):
    """Which clock is trusted."""

    max_offset_s: Annotated[float, Field(gt=0)] = 5.0
    """A camera whose clock is further from the host's is timed by arrival instead, and says so."""
    arrival_latency_ms: Annotated[float, Field(ge=0)] = 300.0
    """Assumed delay between capture and arrival where the camera sends no time; part of the uncertainty."""


class CameraSettings(Settings):
    """One camera."""

    id: CameraId
    name: ShownName = ""
    place: ShownName = ""
    detect: StreamSettings
    """The stream that is decoded and analysed (a sub stream where the camera has one)."""
    record: StreamSettings | None = None
    """The main stream: kept encoded, decoded only when a picture of it is needed."""
    scene: Path | None = None
    """Scene file (stop lines, lamps, lanes); without one the camera is only counted."""
    watch_view: bool = True
    """Compare the picture with the one that its scene was first run on: that a camera was moved is told, and
    its rules are suspended until it fits again. Off for a camera that turns by itself."""
    analysis: AnalysisSettings = AnalysisSettings()
    ring: RingSettings = RingSettings()
    reconnect: ReconnectSettings = ReconnectSettings()
    clock: ClockSettings = ClockSettings()

"""What of a stream's address may be shown; without anything heavy, for the cameras' processes."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "…"
"""Stands for the rest of a path that may hold a login."""


def shown_path(path: str) -> str:
    """An RTSP address's path up to the first segment that may hold a login, as in /user=admin&password=..."""
    segments = path.split("/")
    for number, segment in enumerate(segments):
        if re.search("[=@]", unquote(segment)):
            return "/".join([*segments[:number], HIDDEN])
    return path

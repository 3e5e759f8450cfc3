"""Bytes in answer to a request, or the one range of them that it asks for (RFC 9110, 14)."""

from __future__ import annotations

import re

from starlette.responses import Response

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def ranged(content: bytes, media_type: str, etag: str, asked: str | None) -> Response:
    """200 with all, 206 with a part, or 416. Several ranges in one request are answered with all."""
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{etag}"', "Cache-Control": "private, no-cache"}
    match = _RANGE.fullmatch(asked.strip()) if asked else None
    if match is None or match[0] == "bytes=-":
        return Response(content, media_type=media_type, headers=headers)
    size = len(content)
    if match[1]:
        start, end = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    else:
        start, end = max(0, size - int(match[2])), size - 1
    if start > end or start >= size:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    part = {"Content-Range": f"bytes {start}-{end}/{size}"}
    return Response(content[start : end + 1], 206, media_type=media_type, headers={**headers, **part})

"""What a camera's process and its parent say to each other: a JSON header and, at times, raw bytes.

A message is two big-endian lengths (4 bytes each: header, payload), the header as JSON, the payload.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

_LENGTHS = struct.Struct("!II")


def send(sock: socket.socket, header: Mapping[str, Any], payload: bytes | memoryview = b"") -> None:
    """Send one message; a caller that shares the socket holds a lock. Raises OSError when it is closed."""
    text = json.dumps(header, separators=(",", ":")).encode()
    size = payload.nbytes if isinstance(payload, memoryview) else len(payload)
    sock.sendall(_LENGTHS.pack(len(text), size) + text)
    if size:
        sock.sendall(payload)


def receive_header(sock: socket.socket) -> tuple[dict[str, Any], int]:
    """The next header and the size of the payload that follows. Raises EOFError when the peer is gone."""
    text_size, payload_size = _LENGTHS.unpack(_exactly(sock, _LENGTHS.size))
    return json.loads(_exactly(sock, text_size)), payload_size


def receive_into(sock: socket.socket, view: memoryview) -> None:
    """Fill `view` from the socket. Raises EOFError when the peer is gone."""
    while view.nbytes:
        try:
            count = sock.recv_into(view)
        except ConnectionError as error:
            raise EOFError from error
        if not count:
            raise EOFError
        view = view[count:]


def receive(sock: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next message, whole. Raises EOFError when the peer is gone."""
    header, size = receive_header(sock)
    return header, _exactly(sock, size)


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    receive_into(sock, memoryview(data))
    return bytes(data)

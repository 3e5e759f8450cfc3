"""/metrics for Prometheus, /healthz and /readyz for whoever restarts or routes, /v1 for the scene editor."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Verdict = Callable[[], tuple[bool, dict[str, Any]]]
"""Well or not, and the JSON-able reasons."""

MAX_BODY = 600_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: str
    token: str
    """What it brings as `Authorization: Bearer`; "" for none."""
    if_match: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What it is answered."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Desk(Protocol):
    """Answers what is below /v1/."""

    def answer(self, asked: Asked) -> Answer:
        """Answer; refuses by status, never raises."""
        ...


class MonitorServer:
    """A small HTTP server on a thread of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        healthy: Verdict,
        ready: Verdict,
        desk: Desk | None = None,
    ) -> None:
        """Bind `host`:`port` (0 takes a free port). Raises OSError when the port is taken."""
        verdicts = {"/healthz": healthy, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            server_version = "ngatu"
            sys_version = ""
            timeout = 5

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if desk is not None and path.startswith("/v1/"):
                    self._pass_on(desk)
                elif path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                elif path in verdicts:
                    well, reasons = verdicts[path]()
                    body = json.dumps({"ok": well, **reasons}, ensure_ascii=False).encode()
                    self._answer(200 if well else 503, "application/json", body)
                else:
                    self._answer(404, "text/plain", b"try /metrics, /healthz or /readyz\n")

            def do_POST(self) -> None:
                if desk is not None and self.path.startswith("/v1/"):
                    self._pass_on(desk)
                else:
                    self._answer(404, "text/plain", b"nothing is taken here\n")

            do_PUT = do_POST  # noqa: N815 - the name that the base class looks for

            def _pass_on(self, desk: Desk) -> None:
                length = self.headers.get("Content-Length", "0")
                if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY:
                    self._answer(413, "text/plain", b"too long\n")
                    return
                path, _, query = self.path.partition("?")
                scheme, _, token = self.headers.get("Authorization", "").partition(" ")
                asked = Asked(
                    self.command,
                    path,
                    query,
                    token.strip() if scheme.lower() == "bearer" else "",
                    self.headers.get("If-Match", "").strip('"'),
                    self.rfile.read(int(length)),
                )
                found = desk.answer(asked)
                self._answer(found.status, found.content_type, found.body, found.headers)

            def _answer(
                self, status: int, content_type: str, body: bytes, headers: tuple[tuple[str, str], ...] = ()
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: a probe every few seconds is no news."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="monitor", daemon=True)

    @property
    def port(self) -> int:
        """The port really bound."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

"""/metrics for Prometheus, /healthz and /readyz for whoever restarts or routes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Verdict = Callable[[], tuple[bool, dict[str, Any]]]
"""Well or not, and the JSON-able reasons."""


class MonitorServer:
    """A small HTTP server on a thread of its own."""

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, healthy: Verdict, ready: Verdict
    ) -> None:
        """Bind `host`:`port` (0 takes a free port). Raises OSError when the port is taken."""
        verdicts = {"/healthz": healthy, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            server_version = "ngatu"
            sys_version = ""
            timeout = 5

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                elif path in verdicts:
                    well, reasons = verdicts[path]()
                    body = json.dumps({"ok": well, **reasons}, ensure_ascii=False).encode()
                    self._answer(200 if well else 503, "application/json", body)
                else:
                    self._answer(404, "text/plain", b"try /metrics, /healthz or /readyz\n")

            def _answer(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
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

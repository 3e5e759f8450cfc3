"""`ngatu ioc serve`: one process with ingest, API and console, until SIGTERM or SIGINT."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from pipeline.ioc.api import create_api
from pipeline.ioc.config import IocConfig
from pipeline.ioc.console import mount_console
from pipeline.ioc.services import build


def serve(config: IocConfig, tell: Callable[[str], None]) -> None:
    """Run until told to stop. Raises StoreError and OSError when it cannot start.

    `tell` is given the address, and at the very first start the one-time password of `admin`.
    """
    services = build(config)
    host, port = config.server.host, config.server.port
    with socket.create_server((host, port), backlog=512, family=_family(host)) as listening:
        port = listening.getsockname()[1]
        password = services.accounts.begin()
        if password is not None:
            tell(f"first start: log in as admin with the one-time password {password}")
        app = create_api(services)
        mount_console(app, services)
        shown = "localhost" if host in ("127.0.0.1", "::1") else host
        tell(f"open http://{shown}:{port}")
        settings = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            # Headers of a proxy are for its logs alone: nothing here is decided by them.
            proxy_headers=False,
        )
        uvicorn.Server(settings).run(sockets=[listening])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET

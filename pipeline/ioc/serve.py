"""`ngatu ioc serve`: API and console in this process, ingest from a broker in another, until told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from pipeline.ioc.api import create_api
from pipeline.ioc.config import IocConfig
from pipeline.ioc.console import mount_console
from pipeline.ioc.ingest.run import collect_rarely
from pipeline.ioc.services import Services, build


def serve(config: IocConfig, tell: Callable[[str], None], prepare: Callable[[], None]) -> None:
    """Run until told to stop. Raises StoreError and OSError when it cannot start.

    `prepare` sets up the log of any further process. `tell` is given the address, and at the very first start
    the one-time password of `admin`.
    """
    services = build(config, prepare)
    with listen(config.server.host, config.server.port) as listening:
        password = services.accounts.begin()
        if password is not None:
            tell(f"first start: log in as admin with the one-time password {password}")
        run(services, listening, lambda url: tell(f"open {url}"))


def listen(host: str, port: int) -> socket.socket:
    """The port, held from now on. Raises OSError where somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), backlog=512, family=family)


def run(services: Services, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve the socket until SIGTERM or SIGINT; `ready` is told the address just before."""
    app = create_api(services)
    mount_console(app, services)
    host, port = listening.getsockname()[:2]
    if host in ("127.0.0.1", "::1"):
        host = "localhost"
    ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    collect_rarely()
    proxies = [str(proxy) for proxy in services.config.server.trusted_proxies]
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        # Only whom logins come from is told by them.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
    )
    uvicorn.Server(settings).run(sockets=[listening])

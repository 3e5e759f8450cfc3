"""The demo's console: an IOC beside the worker, in a process of its own that ends with the demo."""

from __future__ import annotations

import errno
import http.client
import json
import multiprocessing
import os
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import socket

    from pipeline.ioc.config import IocConfig
    from pipeline.ioc.config.settings import ServerSettings

OFFICER = "officer"
NEXT_PORTS = 20
"""So many are tried after one that is taken."""
START_S = 120.0
END_S = 10.0


class ConsoleError(Exception):
    """The console cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Console:
    """A console that runs."""

    url: str
    admin_password: str
    """One-time: must be changed at the first login."""
    officer_password: str
    pid: int


@contextmanager
def console(config: IocConfig) -> Iterator[Console]:
    """Serve from a process of its own, which ends with the context or with this process.

    Raises ConsoleError.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(config, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        try:
            answer = ours.recv() if ours.poll(START_S) else "no answer"
        except EOFError:
            answer = "no answer"
        if isinstance(answer, str):
            raise ConsoleError(answer)
        url, admin, officer = answer
        yield Console(url, admin, officer, process.pid or 0)
    finally:
        ours.close()
        process.join(END_S)
        process.kill()
        process.join()


def cases(console: Console) -> Counter[str]:
    """How many cases of each kind its API shows to an officer. Raises OSError."""
    address = urlsplit(console.url)
    client = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        login = json.dumps({"name": OFFICER, "password": console.officer_password})
        client.request("POST", "/api/v1/login", login, {"content-type": "application/json"})
        answer = client.getresponse()
        answer.read()
        cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
        found: Counter[str] = Counter()
        cursor: str | None = ""
        while cursor is not None:
            client.request(
                "GET",
                f"/api/v1/cases?state=all&cursor={cursor}".removesuffix("&cursor="),
                None,
                {"cookie": cookie},
            )
            answer = client.getresponse()
            page = json.loads(answer.read())
            if answer.status != 200:
                raise OSError(f"the API answers {answer.status}: {str(page)[:200]}")
            found.update(row["rule"] for row in page["rows"])
            cursor = page["next"]
        return found
    except (http.client.HTTPException, ValueError, KeyError) as error:
        raise OSError(f"the API answers with nonsense: {error!r}") from error
    finally:
        client.close()


def wait_for_cases(console: Console, expected: Counter[str], patience_s: float) -> Counter[str]:
    """The API's counts, once they are `expected` or patience ends: what was told last is on its way."""
    deadline = time.monotonic() + patience_s
    while (found := cases(console)) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def _serve(config: IocConfig, parent: Connection) -> None:
    # A session of its own: Ctrl-C in the terminal is the demo's, which tells us by closing its end.
    os.setsid()
    from pipeline.ioc.serve import run
    from pipeline.ioc.services import build
    from pipeline.ioc.store import StoreError
    from pipeline.worker.logs import configure_logs

    configure_logs("error")
    try:
        services = build(config)
        listening = _listen(config.server)
    except (StoreError, OSError) as error:
        parent.send(str(error))
        return
    admin = services.accounts.begin() or ""
    officer = secrets.token_urlsafe(9)
    services.accounts.create(
        OFFICER, "Demo officer", "supervisor", [services.areas.root], officer, by="ngatu", must_change=False
    )
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    run(services, listening, lambda url: parent.send((url, admin, officer)))


def _listen(server: ServerSettings) -> socket.socket:
    from pipeline.ioc.serve import listen

    for port in range(server.port, server.port + NEXT_PORTS if server.port else 1):
        try:
            return listen(server.host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(f"ports {server.port} to {port} are taken; --console-port 0 takes any free one")


def _end_with(parent: Connection) -> None:
    """Wait until the demo has closed its end, or is gone."""
    with suppress(EOFError, OSError):
        parent.recv()
    os.kill(os.getpid(), signal.SIGTERM)

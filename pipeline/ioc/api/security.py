"""What protects every answer: headers, and that a state is changed only by our own pages.

ASGI alone, so that websockets of the console are covered too.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "ngatu_session"
CSRF_HEADER = "x-csrf-token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 2_000_000
OPEN = ("/api/", "/login", "/logout", "/password", "/_nicegui/", "/favicon.ico")
"""What asks for a session itself, or needs none. Everything else is for people who are logged in: nobody else
gets so far as to make the console's framework keep anything."""

# The console's framework compiles its templates in the browser: hence unsafe-eval and unsafe-inline there,
# and there alone. Nothing comes from elsewhere, and nothing goes there.
CONSOLE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
LOGIN_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class Shield:
    """Wraps the whole application."""

    def __init__(
        self, app: ASGIApp, alive: Callable[[str], bool], *, https: bool, pictures: str = ""
    ) -> None:
        """`alive`: whether a token is somebody's open session. `https`: browsers come by HTTPS alone.

        `pictures`: origin of a tile server that pages may show pictures of, besides ours.
        """
        self._app = app
        self._alive = alive
        self._https = https
        self._policy = CONSOLE_POLICY.replace("img-src 'self'", f"img-src 'self' {pictures}".rstrip())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what comes from other sites; add headers to what goes out."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _harden(MutableHeaders(scope=message), scope["path"], self._policy, https=self._https)
            await send(message)

        refusal = await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, shielded)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, shielded)

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["type"] == "websocket" or scope["method"] not in SAFE:
            if not same_origin(headers):
                return JSONResponse({"detail": "this comes from another site"}, status_code=403)
            if "transfer-encoding" in headers:
                return JSONResponse({"detail": "the length must be told beforehand"}, status_code=411)
            length = headers.get("content-length", "0")
            if not length.isdecimal() or len(length) > 12 or int(length) > MAX_BODY:
                return JSONResponse({"detail": f"a body has at most {MAX_BODY} bytes"}, status_code=413)
        if scope["path"].startswith(OPEN):
            return None
        token = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        try:
            known = await run_in_threadpool(self._alive, token)
        except SQLAlchemyError:
            return PlainTextResponse("the database does not answer; try again", status_code=503)
        return None if known else RedirectResponse("/login", 303)


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that our own page asks; programs that are no browser send no Origin."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    try:
        return urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False


def _harden(headers: MutableHeaders, path: str, console_policy: str, *, https: bool) -> None:
    if path.startswith("/api/"):
        policy = API_POLICY
    elif path.startswith(("/login", "/password")):
        policy = LOGIN_POLICY
    else:
        policy = console_policy
    headers.setdefault("Content-Security-Policy", policy)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if not path.startswith("/_nicegui/"):
        headers.setdefault("Cache-Control", "no-store")

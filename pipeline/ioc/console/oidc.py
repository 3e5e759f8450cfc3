"""Logging in through the OIDC provider: to it, and back."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.ioc.api.accounts import set_cookie
from pipeline.ioc.api.security import COOKIE
from pipeline.ioc.console.login import login_page
from pipeline.ioc.people import LoginFailedError
from pipeline.ioc.people.oidc import Attempt, OidcError, Provider
from pipeline.ioc.services import Services

log = structlog.get_logger(__name__)

ATTEMPT = "ngatu_attempt"
PATH = "/login/oidc"
MINUTES = 10
# The session's cookie goes with nothing that another site began, not even a redirect at the end of it: the
# browser goes on from a page of ours.
THERE = '<!doctype html><meta charset="utf-8"><title>…</title><meta http-equiv="refresh" content="0;url=/">'


def oidc_router(services: Services, provider: Provider) -> APIRouter:
    """/login/oidc and /login/oidc/callback."""
    router = APIRouter(include_in_schema=False)
    secure = services.config.server.secure_cookies

    def refused(error: Exception) -> Response:
        log.warning("oidc_login_refused", reason=str(error)[:300])
        answer = login_page("oidc_failed", 401, provider.settings.label)
        answer.delete_cookie(ATTEMPT, path=PATH)
        return answer

    @router.get(PATH)
    def begin(request: Request) -> Response:
        try:
            url, attempt = provider.begin()
        except OidcError as error:
            return refused(error)
        answer = RedirectResponse(url, 303)
        # Lax, as the provider sends the browser back with a link; for the way back alone, and for minutes.
        answer.set_cookie(
            ATTEMPT,
            f"{attempt.state}.{attempt.nonce}.{attempt.verifier}",
            max_age=MINUTES * 60,
            path=PATH,
            secure=secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    @router.get(f"{PATH}/callback")
    async def finish(request: Request) -> Response:
        parts = request.cookies.get(ATTEMPT, "").split(".")
        if len(parts) != 3 or not all(parts):
            return refused(OidcError("this browser has begun no login, or too long ago"))
        answers = {name: value[:4096] for name, value in request.query_params.items()}
        try:
            who = await run_in_threadpool(provider.finish, Attempt(*parts), answers)
            token = await run_in_threadpool(services.accounts.log_in_as, who)
        except (OidcError, LoginFailedError) as error:
            return refused(error)
        if old := request.cookies.get(COOKIE):
            await run_in_threadpool(services.accounts.log_out, old)
        answer = HTMLResponse(THERE)
        set_cookie(answer, token, secure=secure)
        answer.delete_cookie(ATTEMPT, path=PATH)
        return answer

    return router

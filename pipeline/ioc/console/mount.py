"""Puts the pages onto the API's application."""

from __future__ import annotations

from fastapi import FastAPI, Request
from nicegui import app as pages
from nicegui import ui
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import PlainTextResponse, Response

from pipeline.ioc.console.accounts_page import accounts_page
from pipeline.ioc.console.audit_page import audit_page
from pipeline.ioc.console.case_page import case_page
from pipeline.ioc.console.letters_page import letters_page
from pipeline.ioc.console.login import login_router
from pipeline.ioc.console.me_page import me_page
from pipeline.ioc.console.oidc import oidc_router
from pipeline.ioc.console.queue_page import queue_page
from pipeline.ioc.console.scene_page import scene_page
from pipeline.ioc.console.watch_pages import watch_pages
from pipeline.ioc.people.oidc import Provider
from pipeline.ioc.services import Services

RECONNECT_S = 30.0
"""Links drop: a page whose connection comes back within this time goes on, and is not loaded anew."""


def mount_console(app: FastAPI, services: Services) -> None:
    """Once in a process: the framework keeps its pages globally."""
    app.include_router(login_router(services))
    if services.config.oidc is not None:
        app.include_router(oidc_router(services, Provider(services.config.oidc)))
    queue_page(services)
    case_page(services)
    watch_pages(services)
    scene_page(services)
    accounts_page(services)
    audit_page(services)
    letters_page(services)
    me_page(services)

    @pages.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        """The framework's own page shows the error's text: statements and values, of a database."""
        away = isinstance(error, SQLAlchemyError)
        text = "the database does not answer; try again" if away else "something went wrong"
        return PlainTextResponse(text, 503 if away else 500)

    ui.run_with(
        app, title="Ngã Tư IOC", language="vi", show_welcome_message=False, reconnect_timeout=RECONNECT_S
    )

"""Puts the pages onto the API's application."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import ui

from pipeline.ioc.console.case_page import case_page
from pipeline.ioc.console.login import login_router
from pipeline.ioc.console.queue_page import queue_page
from pipeline.ioc.services import Services


def mount_console(app: FastAPI, services: Services) -> None:
    """Once in a process: the framework keeps its pages globally."""
    app.include_router(login_router(services))
    queue_page(services)
    case_page(services)
    ui.run_with(app, title="Ngã Tư IOC", language="vi", show_welcome_message=False)

"""The application: routes behind one guard, behind one shield."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from pipeline import __version__
from pipeline.ioc.api import accounts, cases, citizens, display, exports, live, scenes, system
from pipeline.ioc.api.access import guard
from pipeline.ioc.api.security import Shield
from pipeline.ioc.desk import NotFoundError
from pipeline.ioc.desk.cameras import CameraError
from pipeline.ioc.desk.files import FileChangedError, FileError
from pipeline.ioc.review import (
    AlreadyDecidedError,
    ChangedError,
    ClaimedError,
    ReviewError,
    SameOfficerError,
)
from pipeline.ioc.services import Services


def create_api(services: Services) -> FastAPI:
    """API and shield; `serve` mounts the console onto it. Starts and stops the services with itself."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.start()
        yield
        services.stop()

    app = FastAPI(
        title="Ngã Tư IOC",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = services
    routers = (system.router, accounts.router, cases.router, exports.router, live.router)
    for router in (*routers, display.router, scenes.router, citizens.router):
        app.include_router(router, dependencies=[Depends(guard)])
    _errors(app)
    app.add_middleware(
        Shield,
        alive=lambda token: services.accounts.person(token, acting=False) is not None,
        https=services.config.server.secure_cookies,
        pictures=services.config.map.tiles_origin,
    )
    return app


def _errors(app: FastAPI) -> None:
    """What the rooms raise, as answers."""

    def answer(status: int, kind: str, detail: str) -> JSONResponse:
        return JSONResponse({"detail": detail, "kind": kind}, status_code=status)

    @app.exception_handler(NotFoundError)
    async def not_found(request: Request, error: Exception) -> JSONResponse:
        return answer(404, "not_found", "there is no such case")

    @app.exception_handler(ReviewError)
    async def review(request: Request, error: Exception) -> JSONResponse:
        kinds: dict[type[Exception], str] = {
            ClaimedError: "claimed",
            AlreadyDecidedError: "already_decided",
            ChangedError: "changed",
            SameOfficerError: "same_officer",
        }
        kind = kinds.get(type(error))
        return answer(409 if kind else 422, kind or "invalid", str(error))

    @app.exception_handler(FileError)
    async def file(request: Request, error: Exception) -> JSONResponse:
        status = 409 if isinstance(error, FileChangedError) else 404
        return JSONResponse({"detail": str(error)}, status_code=status)

    @app.exception_handler(CameraError)
    async def camera(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, CameraError)
        return answer(error.status, error.kind, str(error))

    @app.exception_handler(SQLAlchemyError)
    async def database(request: Request, error: Exception) -> JSONResponse:
        return answer(503, "database", "the database does not answer; try again")

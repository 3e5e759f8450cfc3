"""Who asks, and whether they may: one dependency for every route, answered from the table of permissions."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from pipeline.ioc.api.security import COOKIE, CSRF_HEADER, SAFE
from pipeline.ioc.people import PERMISSIONS, UNDIVIDED, Person, may
from pipeline.ioc.services import Services

BEFORE_PASSWORD = frozenset({"/api/v1/me", "/api/v1/me/password", "/api/v1/logout"})
"""What somebody may call who has to choose a password first."""
POLLED = frozenset(
    {
        "/api/v1/wall",
        "/api/v1/live",
        "/api/v1/cameras",
        "/api/v1/cameras/{camera_id}",
        "/api/v1/cameras/{camera_id}/still",
        "/api/v1/cases/{case_id}/thumbnail",
        "/api/v1/cases/{case_id}/files/{file}",
    }
)
"""Asked for by pages that stay open, again and again and for each new case: no sign that anybody sits before
them."""


def services(request: Request) -> Services:
    """What the application was made with."""
    found: Services = request.app.state.services
    return found


def guard(request: Request) -> None:
    """Let the request pass, or raise 401 or 403. Stands before every route of the API."""
    path = request.scope["route"].path
    if PERMISSIONS.get((request.method, path), frozenset()) is None:
        return
    acting = path not in POLLED
    person = services(request).accounts.person(request.cookies.get(COOKIE), acting=acting)
    if person is None:
        raise HTTPException(401, "log in first")
    if not may(person.role, request.method, path):
        raise HTTPException(403, f"a {person.role} may not do this")
    if (request.method, path) in UNDIVIDED and services(request).areas.root not in person.areas:
        raise HTTPException(403, "this is for accounts of the whole area")
    if person.must_change and path not in BEFORE_PASSWORD:
        raise HTTPException(403, "choose a password of your own first")
    if request.method not in SAFE and not hmac.compare_digest(
        request.headers.get(CSRF_HEADER, "").encode(), person.csrf_token.encode()
    ):
        raise HTTPException(403, f"the header {CSRF_HEADER} is missing or wrong; GET /api/v1/me tells it")
    request.state.person = person


def person(request: Request) -> Person:
    """Whoever asks."""
    found: Person = request.state.person
    return found


Asking = Annotated[Person, Depends(person)]
With = Annotated[Services, Depends(services)]

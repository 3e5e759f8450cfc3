"""Who may do what, as data: the API and the console ask here, and a test holds every route against it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

Role = Literal["viewer", "reviewer", "supervisor", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

_WATCH: frozenset[Role] = frozenset({"viewer", "reviewer", "supervisor"})
_DECIDE: frozenset[Role] = frozenset({"reviewer", "supervisor"})
_DRAW: frozenset[Role] = frozenset({"operator", "admin"})
_ALL: frozenset[Role] = frozenset(ROLES)

PERMISSIONS: dict[tuple[str, str], frozenset[Role] | None] = {
    # None: nobody need be logged in.
    ("GET", "/api/v1/health"): None,
    ("POST", "/api/v1/login"): None,
    ("POST", "/api/v1/logout"): _ALL,
    ("GET", "/api/v1/me"): _ALL,
    ("PATCH", "/api/v1/me"): _ALL,
    ("POST", "/api/v1/me/password"): _ALL,
    ("GET", "/api/v1/me/sessions"): _ALL,
    ("DELETE", "/api/v1/me/sessions"): _ALL,
    ("GET", "/api/v1/cases"): _WATCH,
    ("GET", "/api/v1/cases/{case_id}"): _WATCH,
    ("GET", "/api/v1/cases/{case_id}/files/{file}"): _WATCH,
    ("GET", "/api/v1/cases/{case_id}/thumbnail"): _WATCH,
    ("GET", "/api/v1/cases/{case_id}/verification"): _WATCH,
    ("POST", "/api/v1/cases/{case_id}/claim"): _DECIDE,
    ("DELETE", "/api/v1/cases/{case_id}/claim"): _DECIDE,
    ("POST", "/api/v1/cases/{case_id}/decisions"): _DECIDE,
    ("PUT", "/api/v1/cases/{case_id}/hold"): frozenset({"supervisor", "admin"}),
    ("GET", "/api/v1/cases/{case_id}/notice"): _DECIDE,
    ("GET", "/api/v1/cases/{case_id}/evidence"): _DECIDE,
    ("GET", "/api/v1/exports/cases"): _DECIDE,
    ("GET", "/api/v1/live"): _WATCH,
    ("GET", "/api/v1/counts"): _ALL,
    ("GET", "/api/v1/areas"): _ALL,
    ("GET", "/api/v1/cameras"): _ALL,
    ("GET", "/api/v1/cameras/{camera_id}"): _ALL,
    ("GET", "/api/v1/cameras/{camera_id}/still"): _ALL,
    ("GET", "/api/v1/scenes/{camera_id}"): _DRAW,
    ("PUT", "/api/v1/scenes/{camera_id}"): _DRAW,
    ("POST", "/api/v1/scenes/{camera_id}/check"): _DRAW,
    ("POST", "/api/v1/scenes/{camera_id}/backtest"): _DRAW,
    ("GET", "/api/v1/scenes/{camera_id}/versions/{number}"): _DRAW,
    ("GET", "/api/v1/wall"): _ALL,
    ("GET", "/api/v1/indicators"): _ALL,
    ("GET", "/api/v1/ngsi-ld/entities"): _WATCH,
    # For portals; answers 404 unless it is switched on.
    ("GET", "/api/v1/citizens/cases"): None,
    ("GET", "/api/v1/sources"): frozenset({"operator", "admin"}),
    ("GET", "/api/v1/dead-letters"): frozenset({"operator", "admin"}),
    ("POST", "/api/v1/dead-letters/retry"): frozenset({"operator", "admin"}),
    ("POST", "/api/v1/dead-letters/{letter_id}/retry"): frozenset({"operator", "admin"}),
    ("GET", "/api/v1/audit"): frozenset({"supervisor", "admin"}),
    ("GET", "/api/v1/audit/chain"): frozenset({"supervisor", "admin"}),
    ("GET", "/api/v1/users"): frozenset({"admin"}),
    ("POST", "/api/v1/users"): frozenset({"admin"}),
    ("PATCH", "/api/v1/users/{user_id}"): frozenset({"admin"}),
    ("DELETE", "/api/v1/users/{user_id}/sessions"): frozenset({"admin"}),
}

UNDIVIDED = frozenset(
    {
        ("GET", "/api/v1/dead-letters"),
        ("POST", "/api/v1/dead-letters/retry"),
        ("POST", "/api/v1/dead-letters/{letter_id}/retry"),
        ("GET", "/api/v1/audit/chain"),
    }
)
"""What cannot be told apart by area: for accounts of the whole area alone."""


def permitted(role: Role, areas: Collection[str], root: str, method: str, path: str) -> bool:
    """Whether somebody of this role and these areas may call this route; `root`: path of the whole area."""
    return may(role, method, path) and ((method, path) not in UNDIVIDED or root in areas)


def may(role: Role, method: str, path: str) -> bool:
    """Whether somebody of this role may call this route; a route that is not in the table is nobody's."""
    roles = PERMISSIONS.get((method, path), frozenset())
    return roles is None or role in roles

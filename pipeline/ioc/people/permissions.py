"""Who may do what, as data: the API and the console ask here, and a test holds every route against it."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["viewer", "reviewer", "supervisor", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

_WATCH: frozenset[Role] = frozenset({"viewer", "reviewer", "supervisor"})
_DECIDE: frozenset[Role] = frozenset({"reviewer", "supervisor"})
_ALL: frozenset[Role] = frozenset(ROLES)

PERMISSIONS: dict[tuple[str, str], frozenset[Role] | None] = {
    # None: nobody need be logged in.
    ("GET", "/api/v1/health"): None,
    ("POST", "/api/v1/login"): None,
    ("POST", "/api/v1/logout"): _ALL,
    ("GET", "/api/v1/me"): _ALL,
    ("PATCH", "/api/v1/me"): _ALL,
    ("POST", "/api/v1/me/password"): _ALL,
    ("GET", "/api/v1/cases"): _WATCH,
    ("GET", "/api/v1/cases/{case_id}"): _WATCH,
    ("GET", "/api/v1/cases/{case_id}/files/{file}"): _WATCH,
    ("GET", "/api/v1/cases/{case_id}/thumbnail"): _WATCH,
    ("GET", "/api/v1/cases/{case_id}/verification"): _WATCH,
    ("POST", "/api/v1/cases/{case_id}/claim"): _DECIDE,
    ("DELETE", "/api/v1/cases/{case_id}/claim"): _DECIDE,
    ("POST", "/api/v1/cases/{case_id}/decisions"): _DECIDE,
    ("GET", "/api/v1/live"): _WATCH,
    ("GET", "/api/v1/counts"): _ALL,
    ("GET", "/api/v1/areas"): _ALL,
    ("GET", "/api/v1/cameras"): _ALL,
    ("GET", "/api/v1/sources"): frozenset({"operator", "admin"}),
    ("GET", "/api/v1/dead-letters"): frozenset({"operator", "admin"}),
    ("GET", "/api/v1/audit"): frozenset({"supervisor", "admin"}),
    ("GET", "/api/v1/users"): frozenset({"admin"}),
    ("POST", "/api/v1/users"): frozenset({"admin"}),
    ("PATCH", "/api/v1/users/{user_id}"): frozenset({"admin"}),
}


def may(role: Role, method: str, path: str) -> bool:
    """Whether somebody of this role may call this route; a route that is not in the table is nobody's."""
    roles = PERMISSIONS.get((method, path), frozenset())
    return roles is None or role in roles

"""Logging in and out, one's own account, and everybody's for an admin."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.ioc.api.access import Asking, With
from pipeline.ioc.api.security import COOKIE
from pipeline.ioc.people import AccountError, LoginFailedError, Role, TooManyLoginsError

router = APIRouter(prefix="/api/v1", tags=["accounts"])

Text = Annotated[str, Field(max_length=200)]
UserId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class Body(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Login(Body):
    """Name and password."""

    name: Text
    password: Text


class PasswordChange(Body):
    """The present password and the new one."""

    old: Text
    new: Text


class Preferences(Body):
    """How the console looks."""

    language: Annotated[str | None, Field(max_length=5)] = None
    dark: bool | None = None


class NewUser(Body):
    """A new account."""

    name: Text
    shown_name: Text
    role: Role
    areas: Annotated[list[Text], Field(max_length=100)]
    password: Text


class UserChange(Body):
    """What is not given stays."""

    role: Role | None = None
    areas: Annotated[list[Text] | None, Field(max_length=100)] = None
    disabled: bool | None = None
    password: Text | None = None


def set_cookie(response: Response, token: str, *, secure: bool) -> None:
    """The session's cookie: for our pages alone, out of scripts' reach."""
    response.set_cookie(COOKIE, token, httponly=True, secure=secure, samesite="strict", path="/")


def address_of(request: Request) -> str:
    """Where it comes from: the other end, or what a trusted proxy says."""
    return request.client.host if request.client is not None else ""


@router.post("/login")
def log_in(body: Login, request: Request, response: Response, the: With) -> dict[str, bool]:
    """Begin a session. A session that the caller brought along ends: tokens are never taken over."""
    if old := request.cookies.get(COOKIE):
        the.accounts.log_out(old)
    try:
        token = the.accounts.log_in(body.name, body.password, address_of(request))
    except TooManyLoginsError:
        raise HTTPException(429, "too many failed logins from this address; wait some minutes") from None
    except LoginFailedError:
        raise HTTPException(401, "name or password is wrong, or the account is locked") from None
    set_cookie(response, token, secure=the.config.server.secure_cookies)
    return {"ok": True}


@router.post("/logout")
def log_out(request: Request, response: Response, the: With) -> dict[str, bool]:
    """End the session."""
    the.accounts.log_out(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE)
    return {"ok": True}


@router.get("/me")
def me(person: Asking) -> dict[str, Any]:
    """Who the caller is, with the token that changes need in the header x-csrf-token."""
    return {
        "name": person.name,
        "shown_name": person.shown_name,
        "role": person.role,
        "areas": list(person.areas),
        "language": person.language,
        "dark": person.dark,
        "must_change": person.must_change,
        "csrf_token": person.csrf_token,
    }


@router.patch("/me")
def prefer(body: Preferences, person: Asking, the: With) -> dict[str, bool]:
    """Choose language and colours."""
    with _refusals():
        the.accounts.prefer(person, language=body.language, dark=body.dark)
    return {"ok": True}


@router.post("/me/password")
def change_password(body: PasswordChange, person: Asking, the: With) -> dict[str, bool]:
    """Choose another password; log in anew afterwards."""
    with _refusals():
        the.accounts.change_password(person, body.old, body.new)
    return {"ok": True}


@router.get("/me/sessions")
def my_sessions(request: Request, person: Asking, the: With) -> list[dict[str, Any]]:
    """The caller's open sessions, the newest first."""
    return [asdict(one) for one in the.accounts.sessions.of(person.id, request.cookies.get(COOKIE, ""))]


@router.delete("/me/sessions")
def end_my_others(request: Request, person: Asking, the: With) -> dict[str, int]:
    """End all of the caller's sessions but this one."""
    return {"ended": the.accounts.end_others(person, request.cookies.get(COOKIE, ""))}


@router.get("/users")
def users(person: Asking, the: With) -> list[dict[str, Any]]:
    """Accounts of the caller's areas."""
    logins = the.accounts.sessions.open_ones()
    return [
        {
            "id": user.id,
            "name": user.name,
            "shown_name": user.shown_name,
            "role": user.role,
            "areas": user.areas,
            "disabled": user.disabled,
            "locked_until_ms": user.locked_until_ms,
            "local": user.subject is None,
            "sessions": logins[user.id].count if user.id in logins else 0,
        }
        for user in the.accounts.everybody(person.areas)
    ]


@router.post("/users", status_code=201)
def create_user(body: NewUser, person: Asking, the: With) -> dict[str, int]:
    """A new account; its owner has to change the password first."""
    with _refusals():
        made = the.accounts.create(
            body.name,
            body.shown_name,
            body.role,
            body.areas,
            body.password,
            by=person.name,
            scope=person.areas,
        )
    return {"id": made}


@router.patch("/users/{user_id}")
def change_user(user_id: UserId, body: UserChange, person: Asking, the: With) -> dict[str, bool]:
    """Change an account; its sessions end. `disabled: false` unlocks it, too."""
    with _refusals():
        the.accounts.change(
            user_id,
            by=person.name,
            role=body.role,
            areas=body.areas,
            disabled=body.disabled,
            password=body.password,
            scope=person.areas,
        )
    return {"ok": True}


@router.delete("/users/{user_id}/sessions")
def end_sessions(user_id: UserId, person: Asking, the: With) -> dict[str, int]:
    """Log an account out everywhere."""
    with _refusals():
        ended = the.accounts.end_sessions(user_id, by=person.name, scope=person.areas)
    return {"ended": ended}


class _refusals:  # noqa: N801 - reads as a statement
    """What accounts refuse, as answers."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, AccountError):
            raise HTTPException(422, str(error)) from None
        if isinstance(error, KeyError):
            raise HTTPException(404, "there is no such account") from None

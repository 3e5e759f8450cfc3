"""Open sessions: whose they are, and when they end. Of their tokens only the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import cast

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session as Db

from pipeline.ioc.config.settings import SessionSettings
from pipeline.ioc.people.permissions import Role
from pipeline.ioc.store import Database, audit, clock
from pipeline.ioc.store.models import Session, User

_SEEN_EVERY_MS = 30_000
"""How exactly idleness is told: a write for every request would cost more than it tells."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is logged in."""

    id: int
    name: str
    shown_name: str
    role: Role
    areas: tuple[str, ...]
    """Paths; each with all below."""
    language: str
    dark: bool
    must_change: bool
    """Has a password from somebody else, and may do nothing before choosing one."""
    csrf_token: str
    local: bool = True
    """Has a password here; others log in through the OIDC provider."""


@dataclass(frozen=True, slots=True)
class Logins:
    """The open sessions of one account."""

    count: int
    seen_ms: int
    """When one of them was last used."""


@dataclass(frozen=True, slots=True)
class Login:
    """One open session, to show to whom it belongs."""

    created_ms: int
    seen_ms: int
    here: bool
    """Is the one that asks."""


class Sessions:
    """Threads may share it."""

    def __init__(self, database: Database, settings: SessionSettings) -> None:
        self._database = database
        self._idle_ms = round(settings.idle_minutes * 60_000)
        self._max_ms = round(settings.max_hours * 3_600_000)

    def open(self, session: Db, user: User, way: str) -> str:
        """A session for somebody who has shown who they are; returns its token, made here and now."""
        now_ms = clock.now_ms()
        user.failures = 0
        token = secrets.token_urlsafe(32)
        session.execute(delete(Session).where(Session.created_ms < now_ms - self._max_ms))
        session.add(Session(token_sha256=_hash(token), user_id=user.id, created_ms=now_ms, seen_ms=now_ms))
        audit.append(session, user.name, "login", "", {"by": way})
        return token

    def person(self, token: str | None, *, acting: bool = True) -> Person | None:
        """Whose session this is; None when it is nobody's, or has expired.

        `acting`: a sign of life; an open page that only listens keeps no session alive.
        """
        if not token or len(token) > 100:
            return None
        now_ms = clock.now_ms()
        key = _hash(token)
        with self._database.read() as session:
            row = session.execute(
                select(User, Session)
                .join(Session, Session.user_id == User.id)
                .where(Session.token_sha256 == key, User.disabled.is_(False))
            ).first()
        if row is None:
            return None
        user, login = row
        if now_ms - login.seen_ms > self._idle_ms or now_ms - login.created_ms > self._max_ms:
            self.end(token)
            return None
        if acting and now_ms - login.seen_ms > _SEEN_EVERY_MS:
            with self._database.write() as session:
                session.execute(update(Session).where(Session.token_sha256 == key).values(seen_ms=now_ms))
        return Person(
            id=user.id,
            name=user.name,
            shown_name=user.shown_name,
            role=cast("Role", user.role),
            areas=tuple(user.areas),
            language=user.language,
            dark=user.dark,
            must_change=user.must_change,
            csrf_token=hmac.new(token.encode(), b"csrf", "sha256").hexdigest(),
            local=user.subject is None,
        )

    def end(self, token: str) -> None:
        """End the session."""
        with self._database.write() as session:
            session.execute(delete(Session).where(Session.token_sha256 == _hash(token)))

    def end_all(self, session: Db, user_id: int, keep: str = "") -> int:
        """End an account's sessions, here and now, but the one of the token `keep`; returns how many."""
        mine = delete(Session).where(Session.user_id == user_id, Session.token_sha256 != _hash(keep))
        return len(session.execute(mine.returning(Session.token_sha256)).all())

    def of(self, user_id: int, token: str) -> list[Login]:
        """An account's open sessions, the newest first; `token` is of the one that asks."""
        query = select(Session).where(Session.user_id == user_id, *self._alive(clock.now_ms()))
        with self._database.read() as session:
            found = session.scalars(query.order_by(Session.created_ms.desc())).all()
        return [Login(x.created_ms, x.seen_ms, x.token_sha256 == _hash(token)) for x in found]

    def open_ones(self) -> dict[int, Logins]:
        """Open sessions by account; those that ended by time do not count."""
        query = (
            select(Session.user_id, func.count(), func.max(Session.seen_ms))
            .where(*self._alive(clock.now_ms()))
            .group_by(Session.user_id)
        )
        with self._database.read() as session:
            return {user: Logins(count, seen_ms) for user, count, seen_ms in session.execute(query)}

    def _alive(self, now_ms: int) -> tuple[ColumnElement[bool], ...]:
        return Session.seen_ms >= now_ms - self._idle_ms, Session.created_ms >= now_ms - self._max_ms


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()

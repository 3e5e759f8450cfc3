"""Accounts and logins. Passwords are kept as argon2id, session tokens as SHA-256."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.ioc.config import AreaTree
from pipeline.ioc.config.settings import SessionSettings
from pipeline.ioc.people.permissions import ROLES, Role
from pipeline.ioc.store import Database, audit, clock
from pipeline.ioc.store.models import Session, User

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SEEN_EVERY_MS = 30_000
"""How exactly idleness is told: a write for every request would cost more than it tells."""


class AccountError(Exception):
    """An account cannot be made or changed so; the message says why."""


class LoginFailedError(Exception):
    """Name or password is wrong, or the account is locked or disabled: one answer for all of them."""


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


class Accounts:
    """Threads may share it."""

    def __init__(
        self,
        database: Database,
        settings: SessionSettings,
        areas: AreaTree,
        hasher: PasswordHasher | None = None,
    ) -> None:
        """`hasher`: argon2id with the library's parameters (RFC 9106, low memory) unless given."""
        self._database = database
        self._settings = settings
        self._areas = areas
        self._hasher = hasher or PasswordHasher()
        # Each check takes 64 MB and a core: a flood of logins waits in line.
        self._in_turn = threading.BoundedSemaphore(2)
        # Checked where there is no such name, so that it takes as long as where there is one.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def begin(self) -> str | None:
        """At the very first start, make the account `admin`; returns its one-time password."""
        with self._database.read() as session:
            if session.scalar(select(User.id).limit(1)) is not None:
                return None
        password = secrets.token_urlsafe(15)
        try:
            self.create("admin", "Administrator", "admin", [self._areas.root], password, by="ngatu")
        except AccountError:
            return None  # another service that starts at this moment was quicker
        return password

    def create(
        self,
        name: str,
        shown_name: str,
        role: str,
        areas: Collection[str],
        password: str,
        *,
        by: str,
        must_change: bool = True,
    ) -> int:
        """A new account, whose first password its owner must change unless told so. Raises AccountError."""
        if not _NAME.fullmatch(name):
            raise AccountError("a name has letters a-z, digits and . _ -")
        if not 1 <= len(shown_name.strip()) <= 100:
            raise AccountError("a shown name has 1 to 100 characters")
        self._check(role, areas)
        self._check_password(password, name)
        user = User(
            name=name,
            shown_name=shown_name.strip(),
            role=role,
            areas=sorted(set(areas)),
            password_hash=self._hasher.hash(password),
            must_change=must_change,
            language="vi",
            dark=False,
            disabled=False,
            failures=0,
            locked_until_ms=0,
        )
        try:
            with self._database.write() as session:
                session.add(user)
                session.flush()
                audit.append(session, by, "user.create", name, {"role": role, "areas": user.areas})
        except IntegrityError:
            raise AccountError(f"there is a user {name} already") from None
        return user.id

    def change(
        self,
        user_id: int,
        *,
        by: str,
        role: str | None = None,
        areas: Collection[str] | None = None,
        disabled: bool | None = None,
        password: str | None = None,
    ) -> None:
        """Change an account and end its logins. Raises AccountError; KeyError where there is none."""
        with self._database.write() as session:
            user = session.get(User, user_id, with_for_update=True)
            if user is None:
                raise KeyError(user_id)
            self._check(role or user.role, user.areas if areas is None else areas)
            if password is not None:
                self._check_password(password, user.name)
                user.password_hash, user.must_change = self._hasher.hash(password), True
                user.failures = user.locked_until_ms = 0
            was_admin = user.role == "admin" and not user.disabled
            user.role = role or user.role
            user.areas = user.areas if areas is None else sorted(set(areas))
            user.disabled = user.disabled if disabled is None else disabled
            admins = session.scalars(select(User.id).where(User.role == "admin", User.disabled.is_(False)))
            if was_admin and not admins.all():
                raise AccountError("somebody must remain who is admin")
            session.execute(delete(Session).where(Session.user_id == user_id))
            detail = {"role": user.role, "areas": list(user.areas), "disabled": user.disabled}
            audit.append(session, by, "user.change", user.name, {**detail, "password": password is not None})

    def log_in(self, name: str, password: str) -> str:
        """A new session's token. Raises LoginFailedError, after the same time whatever is wrong."""
        now_ms = clock.now_ms()
        known = _NAME.fullmatch(name) is not None
        with self._database.read() as session:
            user = session.scalar(select(User).where(User.name == name)) if known else None
        right = self._matches(user.password_hash if user else self._nobody, password)
        if user is None:
            raise LoginFailedError
        with self._database.write() as session:
            user = session.get_one(User, user.id, with_for_update=True)
            if user.locked_until_ms > now_ms or user.disabled:
                audit.append(session, user.name, "login.refused")
                failed = True
            elif not right:
                user.failures += 1
                if user.failures >= self._settings.lock_after:
                    user.failures = 0
                    user.locked_until_ms = now_ms + round(self._settings.lock_minutes * 60_000)
                audit.append(
                    session, user.name, "login.failed", "", {"locked": user.locked_until_ms > now_ms}
                )
                failed = True
            else:
                failed = False
                user.failures = 0
                if self._hasher.check_needs_rehash(user.password_hash):
                    user.password_hash = self._hasher.hash(password)
                token = secrets.token_urlsafe(32)
                old_ms = now_ms - round(self._settings.max_hours * 3_600_000)
                session.execute(delete(Session).where(Session.created_ms < old_ms))
                session.add(
                    Session(token_sha256=_hash(token), user_id=user.id, created_ms=now_ms, seen_ms=now_ms)
                )
                audit.append(session, user.name, "login")
        if failed:
            raise LoginFailedError
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
        if (
            now_ms - login.seen_ms > self._settings.idle_minutes * 60_000
            or now_ms - login.created_ms > self._settings.max_hours * 3_600_000
        ):
            self.log_out(token)
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
        )

    def log_out(self, token: str) -> None:
        """End the session."""
        with self._database.write() as session:
            session.execute(delete(Session).where(Session.token_sha256 == _hash(token)))

    def change_password(self, person: Person, old: str, new: str) -> None:
        """Choose another password; every session of the account ends. Raises AccountError."""
        self._check_password(new, person.name)
        with self._database.read() as session:
            known = session.get_one(User, person.id).password_hash
        if not self._matches(known, old):
            raise AccountError("the present password is another")
        if old == new:
            raise AccountError("the new password is the old one")
        with self._database.write() as session:
            user = session.get_one(User, person.id, with_for_update=True)
            user.password_hash, user.must_change = self._hasher.hash(new), False
            session.execute(delete(Session).where(Session.user_id == person.id))
            audit.append(session, person.name, "password.change")

    def prefer(self, person: Person, *, language: str | None = None, dark: bool | None = None) -> None:
        """Keep how somebody likes the console."""
        if language not in (None, "vi", "en"):
            raise AccountError("languages are vi and en")
        with self._database.write() as session:
            user = session.get_one(User, person.id)
            user.language = language or user.language
            user.dark = user.dark if dark is None else dark

    def everybody(self) -> list[User]:
        """All accounts, by name."""
        with self._database.read() as session:
            return list(session.scalars(select(User).order_by(User.name)))

    def _matches(self, known: str, password: str) -> bool:
        try:
            with self._in_turn:
                return self._hasher.verify(known, password[: LONGEST_PASSWORD + 1])
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def _check(self, role: str, areas: Collection[str]) -> None:
        if role not in ROLES:
            raise AccountError(f"roles are {', '.join(ROLES)}")
        if not areas:
            raise AccountError("an account needs an area")
        if unknown := [area for area in areas if area not in self._areas.names]:
            raise AccountError(
                f"there is no area {unknown[0][:100]!r}; there are {', '.join(self._areas.names)}"
            )

    def _check_password(self, password: str, name: str) -> None:
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise AccountError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
        if name in password.lower() or len(set(password)) < 5:
            raise AccountError("this password is too easy to guess")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()

"""Accounts, and logging in to them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Db

from pipeline.ioc.config import AreaTree
from pipeline.ioc.config.areas import within
from pipeline.ioc.config.settings import SessionSettings
from pipeline.ioc.people.passwords import (
    NONE,
    PasswordError,
    Passwords,
    check_password,
    one_time_password,
)
from pipeline.ioc.people.permissions import ROLES, Role
from pipeline.ioc.people.sessions import Person, Sessions
from pipeline.ioc.people.throttle import Throttle
from pipeline.ioc.store import Database, audit, clock
from pipeline.ioc.store.models import Session, User

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class AccountError(Exception):
    """An account cannot be made or changed so; the message says why, the code names it for translation."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class LoginFailedError(Exception):
    """Name or password is wrong, or the account is locked or disabled: one answer for all of them."""


class TooManyLoginsError(LoginFailedError):
    """This address has failed too often; says nothing of any account."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whom the OIDC provider vouches for, and what they may do here."""

    subject: str
    """Hash of issuer and subject."""
    name: str
    """As the provider writes it."""
    shown_name: str
    role: Role
    areas: tuple[str, ...]


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
        self.sessions = Sessions(database, settings)
        self._passwords = Passwords(hasher)
        self._addresses = Throttle(settings.address_failures, round(settings.address_minutes * 60_000))

    def begin(self) -> str | None:
        """At the very first start, make the account `admin`; returns its one-time password."""
        with self._database.read() as session:
            if session.scalar(select(User.id).limit(1)) is not None:
                return None
        password = one_time_password()
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
        scope: Collection[str] | None = None,
    ) -> int:
        """A new account, whose first password its owner must change unless told so. Raises AccountError.

        `scope`: areas of whoever makes it, beyond which nobody gives rights; None: all.
        """
        if not _NAME.fullmatch(name):
            raise AccountError("a name has letters a-z, digits and . _ -", "name")
        if not 1 <= len(shown_name.strip()) <= 100 or not shown_name.isprintable():
            raise AccountError("a shown name has 1 to 100 characters", "shown_name")
        self._check(role, areas, scope)
        _good(password, name)
        user = _fresh(
            name=name,
            shown_name=shown_name.strip(),
            role=role,
            areas=sorted(set(areas)),
            password_hash=self._passwords.hash(password),
            must_change=must_change,
        )
        try:
            with self._database.write() as session:
                session.add(user)
                session.flush()
                audit.append(session, by, "user.create", name, {"role": role, "areas": user.areas})
        except IntegrityError:
            raise AccountError(f"there is a user {name} already", "taken") from None
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
        scope: Collection[str] | None = None,
    ) -> None:
        """Change an account and end its logins; `disabled=False` unlocks it, too.

        `scope` as in `create`. Raises AccountError; KeyError where there is none in the scope.
        """
        with self._database.write() as session:
            # All of them in one order: two who demote each other wait for one another.
            admins = session.scalars(
                select(User).where(User.role == "admin").order_by(User.id).with_for_update()
            ).all()
            user = self._account(session, user_id, scope)
            if user.subject is not None and (role or areas is not None or password is not None):
                raise AccountError(
                    "role, areas and password of this account come from the login provider", "oidc"
                )
            self._check(role or user.role, user.areas if areas is None else areas, scope)
            if password is not None:
                _good(password, user.name)
                user.password_hash, user.must_change = self._passwords.hash(password), True
                user.failures = user.locked_until_ms = 0
            governed = self._is_governed(admins)
            user.role = role or user.role
            user.areas = user.areas if areas is None else sorted(set(areas))
            if disabled is not None:
                user.disabled = disabled
                if not disabled:
                    user.failures = user.locked_until_ms = 0
            if governed and not self._is_governed(admins):
                raise AccountError("somebody must remain who is admin of everything", "last_admin")
            session.execute(delete(Session).where(Session.user_id == user_id))
            detail = {"role": user.role, "areas": list(user.areas), "disabled": user.disabled}
            audit.append(session, by, "user.change", user.name, {**detail, "password": password is not None})

    def end_sessions(self, user_id: int, *, by: str, scope: Collection[str] | None = None) -> int:
        """End an account's logins; returns how many. KeyError where there is none in the scope."""
        with self._database.write() as session:
            user = self._account(session, user_id, scope)
            ended = self.sessions.end_all(session, user_id)
            audit.append(session, by, "user.sessions_end", user.name, {"sessions": ended})
        return ended

    def end_others(self, person: Person, token: str) -> int:
        """End all logins of one's own but this one; returns how many."""
        with self._database.write() as session:
            ended = self.sessions.end_all(session, person.id, keep=token)
            audit.append(session, person.name, "user.sessions_end", person.name, {"sessions": ended})
        return ended

    def log_in(self, name: str, password: str, address: str = "") -> str:
        """A new session's token. Raises LoginFailedError, after the same time whatever is wrong."""
        now_ms = clock.now_ms()
        if not self._addresses.take(address, now_ms):
            raise TooManyLoginsError
        name = name.strip().lower()
        known = _NAME.fullmatch(name) is not None
        with self._database.read() as session:
            user = session.scalar(select(User).where(User.name == name)) if known else None
        checked = user.password_hash if user else None
        right = self._passwords.fits(checked, password)
        token = None
        with self._database.write() as session:
            if user is None:
                # Not the name: people type their password there. Kept so that it takes as long, too.
                audit.append(session, "?", "login.failed", "", {"known": False})
            else:
                user = session.get_one(User, user.id, with_for_update=True)
                if user.password_hash != checked:
                    # Changed since it was read; or but hashed anew, by another login at the same moment.
                    right = self._passwords.fits(user.password_hash, password)
                if user.locked_until_ms > now_ms or user.disabled:
                    audit.append(session, user.name, "login.refused")
                elif not right:
                    self._fail(session, user, now_ms)
                else:
                    if self._passwords.is_old(user.password_hash):
                        user.password_hash = self._passwords.hash(password)
                    token = self.sessions.open(session, user, "password")
        if token is None:
            raise LoginFailedError
        self._addresses.give_back(address)
        return token

    def log_in_as(self, who: Identity) -> str:
        """A new session's token for somebody whom the provider vouches for.

        The first login makes the account, each later one gives it what the provider says now. It is never one
        that has a password here, whatever it is called. Raises LoginFailedError where it is disabled.
        """
        with self._database.write() as session:
            user = session.scalar(select(User).where(User.subject == who.subject).with_for_update())
            areas = sorted(set(who.areas))
            if user is None:
                user = self._invite(session, who, areas)
            elif (user.role, user.areas) != (who.role, areas):
                user.role, user.areas = who.role, areas
                session.execute(delete(Session).where(Session.user_id == user.id))
                audit.append(session, "oidc", "user.change", user.name, {"role": who.role, "areas": areas})
            user.shown_name = who.shown_name
            token = None
            if user.disabled:
                audit.append(session, user.name, "login.refused")
            else:
                token = self.sessions.open(session, user, "oidc")
        if token is None:
            raise LoginFailedError
        return token

    def person(self, token: str | None, *, acting: bool = True) -> Person | None:
        """As `Sessions.person`."""
        return self.sessions.person(token, acting=acting)

    def log_out(self, token: str) -> None:
        """As `Sessions.end`."""
        self.sessions.end(token)

    def change_password(self, person: Person, old: str, new: str) -> None:
        """Choose another password; every session of the account ends. Raises AccountError.

        A wrong present password counts as a failed login: who found an open console guesses no longer.
        """
        if not person.local:
            raise AccountError("the password of this account is kept by the login provider", "oidc")
        _good(new, person.name)
        with self._database.read() as session:
            known = session.get_one(User, person.id).password_hash
        right = self._passwords.fits(known, old)
        if right and old == new:
            raise AccountError("the new password is the old one", "password_same")
        hashed = self._passwords.hash(new) if right else ""
        with self._database.write() as session:
            user = session.get_one(User, person.id, with_for_update=True)
            right = right and user.password_hash == known
            if right:
                user.password_hash, user.must_change, user.failures = hashed, False, 0
                session.execute(delete(Session).where(Session.user_id == person.id))
                audit.append(session, person.name, "password.change")
            elif self._fail(session, user, clock.now_ms()):
                session.execute(delete(Session).where(Session.user_id == person.id))
        if not right:
            raise AccountError("the present password is another", "password_wrong")

    def prefer(self, person: Person, *, language: str | None = None, dark: bool | None = None) -> None:
        """Keep how somebody likes the console."""
        if language not in (None, "vi", "en"):
            raise AccountError("languages are vi and en", "language")
        with self._database.write() as session:
            user = session.get_one(User, person.id)
            user.language = language or user.language
            user.dark = user.dark if dark is None else dark

    def everybody(self, scope: Collection[str] | None = None) -> list[User]:
        """All accounts of the scope, by name."""
        with self._database.read() as session:
            found = list(session.scalars(select(User).order_by(User.name)))
        return [user for user in found if scope is None or _covers(scope, user.areas)]

    def _fail(self, session: Db, user: User, now_ms: int) -> bool:
        """Count a wrong password; True when it locks the account."""
        user.failures += 1
        locked = user.failures >= self._settings.lock_after
        if locked:
            user.failures = 0
            user.locked_until_ms = now_ms + round(self._settings.lock_minutes * 60_000)
        audit.append(session, user.name, "login.failed", "", {"locked": locked})
        return locked

    def _invite(self, session: Db, who: Identity, areas: list[str]) -> User:
        # With an @, which no local name has: a name at the provider is never taken for one of ours.
        clean = re.sub(r"[^a-z0-9._-]+", "-", who.name.lower()).strip("-.")[:40] or "user"
        names = (f"{clean}@oidc", f"{clean}-{who.subject[:10]}@oidc")
        taken = set(session.scalars(select(User.name).where(User.name.in_(names))))
        user = _fresh(
            name=names[0] if names[0] not in taken else names[1],
            shown_name=who.shown_name,
            role=who.role,
            areas=areas,
            password_hash=NONE,
            must_change=False,
            subject=who.subject,
        )
        session.add(user)
        session.flush()
        audit.append(session, "oidc", "user.create", user.name, {"role": who.role, "areas": areas})
        return user

    def _account(self, session: Db, user_id: int, scope: Collection[str] | None) -> User:
        user = session.get(User, user_id, with_for_update=True)
        if user is None or (scope is not None and not _covers(scope, user.areas)):
            raise KeyError(user_id)
        return user

    def _is_governed(self, admins: Collection[User]) -> bool:
        """Whether somebody can give every right there is."""
        return any(
            user.role == "admin" and not user.disabled and self._areas.root in user.areas for user in admins
        )

    def _check(self, role: str, areas: Collection[str], scope: Collection[str] | None) -> None:
        if role not in ROLES:
            raise AccountError(f"roles are {', '.join(ROLES)}", "role")
        if not areas:
            raise AccountError("an account needs an area", "area")
        if unknown := [area for area in areas if area not in self._areas.names]:
            raise AccountError(
                f"there is no area {unknown[0][:100]!r}; there are {', '.join(self._areas.names)}", "area"
            )
        if scope is not None and not _covers(scope, areas):
            raise AccountError("nobody gives rights to areas that are not theirs", "scope")


def _fresh(**given: Any) -> User:
    """An account as each begins."""
    return User(language="vi", dark=False, disabled=False, failures=0, locked_until_ms=0, **given)


def _covers(scope: Collection[str], areas: Collection[str]) -> bool:
    return all(within(area, scope) for area in areas)


def _good(password: str, name: str) -> None:
    try:
        check_password(password, name)
    except PasswordError as error:
        raise AccountError(str(error), error.code) from None

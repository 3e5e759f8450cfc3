"""Accounts, roles, logins: who somebody is and what they may do."""

from pipeline.ioc.people.accounts import (
    AccountError,
    Accounts,
    Identity,
    LoginFailedError,
    TooManyLoginsError,
)
from pipeline.ioc.people.passwords import one_time_password
from pipeline.ioc.people.permissions import PERMISSIONS, ROLES, UNDIVIDED, Role, may, permitted
from pipeline.ioc.people.sessions import Person

__all__ = [
    "PERMISSIONS",
    "ROLES",
    "UNDIVIDED",
    "AccountError",
    "Accounts",
    "Identity",
    "LoginFailedError",
    "Person",
    "Role",
    "TooManyLoginsError",
    "may",
    "one_time_password",
    "permitted",
]

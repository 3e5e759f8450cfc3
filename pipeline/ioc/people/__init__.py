"""Accounts, roles, logins: who somebody is and what they may do."""

from pipeline.ioc.people.accounts import (
    AccountError,
    Accounts,
    LoginFailedError,
    Person,
)
from pipeline.ioc.people.permissions import PERMISSIONS, Role, may

__all__ = [
    "PERMISSIONS",
    "AccountError",
    "Accounts",
    "LoginFailedError",
    "Person",
    "Role",
    "may",
]

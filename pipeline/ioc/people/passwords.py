"""Passwords: what is a good one, and whether one is right. Kept as argon2id."""

from __future__ import annotations

import re
import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 200
NONE = "!"
"""In place of a hash: no password fits."""
_COMMON = re.compile(
    r"password|passw0rd|matkhau|mật khẩu|admin|ngatu|welcome|qwerty|asdfgh|letmein|iloveyou|anhyeuem|vietnam"
    r"|tayninh|canhsat|giaothong|congan|csgt|0?123456789?0?|12345678|1234|abcdef|abc123|(.)\1\1+"
)
_FEWEST_LEFT = 6
_CLEAR = "abcdefghjkmnpqrstuvwxyz23456789"
"""What is not taken for something else when it is read out or written down."""


class PasswordError(Exception):
    """The password is not good enough; the message says why, the code names it for translation."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Passwords:
    """Threads may share it."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """`hasher`: argon2id with the library's parameters (RFC 9106, low memory) unless given."""
        self._hasher = hasher or PasswordHasher()
        # Each check takes 64 MB and a core: a flood of logins waits in line.
        self._in_turn = threading.BoundedSemaphore(2)
        # Checked where there is no such name, so that it takes as long as where there is one.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """What is kept of it."""
        with self._in_turn:
            return self._hasher.hash(password)

    def fits(self, known: str | None, password: str) -> bool:
        """Whether it is the password; takes as long where there is none to fit (None)."""
        try:
            with self._in_turn:
                right = self._hasher.verify(known or self._nobody, password[: LONGEST + 1])
            return right and known is not None
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def is_old(self, known: str) -> bool:
        """Whether it was hashed with parameters of the past."""
        return self._hasher.check_needs_rehash(known)


def one_time_password() -> str:
    """One that is told to somebody, who must choose another: 20 letters (99 bits) in groups."""
    while True:
        groups = ("".join(secrets.choice(_CLEAR) for _ in range(5)) for _ in range(4))
        password = "-".join(groups)
        try:
            check_password(password, "")
        except PasswordError:
            continue  # by chance it holds what everybody takes
        return password


def check_password(password: str, name: str) -> None:
    """Raise PasswordError for what is quickly guessed.

    Long rather than intricate (NIST SP 800-63B, 3.1.1): what is left besides one's name and the words that
    everybody takes must still be something.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordError(f"a password has {SHORTEST} to {LONGEST} characters", "password_length")
    if "\x00" in password or not password.isprintable():
        raise PasswordError("a password has characters that can be seen", "password_length")
    rest = _COMMON.sub("", password.lower().replace(name, ""))
    if len(set(password)) < 5 or len(rest) < _FEWEST_LEFT:
        raise PasswordError("this password is too easy to guess", "password_easy")

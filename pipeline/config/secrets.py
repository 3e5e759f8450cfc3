"""Passwords: named in the configuration, kept in the environment or in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import model_validator

from pipeline.config.base import Settings


class Login(Settings):
    """A user name and where its password is; the password itself is never part of the configuration."""

    username: str | None = None
    password_env: str | None = None
    """Name of the environment variable that holds the password."""
    password_file: Path | None = None
    """File whose first line is the password."""

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_env and self.password_file:
            raise ValueError("give password_env or password_file, not both")
        return self

    def password(self) -> str | None:
        """The secret, read now, so that a rotated one is taken up at the next connection.

        Raises ValueError naming the variable or file, never its content, when it cannot be had.
        """
        return read_secret("password", self.password_env, self.password_file)


def read_secret(name: str, variable: str | None, file: Path | None) -> str | None:
    """What the environment variable or the file's first line holds; None where neither is given.

    Raises ValueError naming the variable (key NAME_env) or file (key NAME_file), never its content.
    """
    if variable is not None:
        secret = os.environ.get(variable)
        if secret is None:
            raise ValueError(f"environment variable {variable} ({name}_env) is not set")
        return secret
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{name}_file {file} cannot be read: {type(error).__name__}") from None
        if not lines or not lines[0]:
            raise ValueError(f"{name}_file {file} is empty")
        return lines[0]
    return None

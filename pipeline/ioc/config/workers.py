"""Workers that the console may ask for stills and scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from pipeline.config.base import Settings
from pipeline.config.secrets import read_secret


class WorkerAccess(Settings):
    """One worker's metrics port, and the token that it asks for (`worker.operator` there)."""

    url: str
    """http://HOST:PORT, or https:// of a proxy before it."""
    token_env: str | None = None
    """Name of the environment variable that holds the token."""
    token_file: Path | None = None
    """File whose first line is the token."""
    ca_file: Path | None = None
    """Certificates to trust for https://, instead of the machine's own."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("must be http://HOST:PORT or https://HOST")
        if parts.username or parts.password or parts.query:
            raise ValueError("holds a login; give token_env or token_file")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if bool(self.token_env) == bool(self.token_file):
            raise ValueError("give either token_env or token_file")
        return self

    def token(self) -> str:
        """The secret, read now. Raises ValueError naming the variable or file, never its content."""
        return read_secret("token", self.token_env, self.token_file) or ""

"""Logging in through an OpenID Connect provider of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Settings
from pipeline.config.secrets import read_secret

LOCAL = ("localhost", "127.0.0.1", "::1")


class Grant(Settings):
    """What one value of the claim gives."""

    value: Annotated[str, Field(min_length=1, max_length=200)]
    role: Literal["viewer", "reviewer", "supervisor", "operator"]
    """Nobody becomes admin through the provider: admins are local accounts."""
    areas: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]


class OidcSettings(Settings):
    """Authorization Code with PKCE. Whom no grant fits may not log in."""

    issuer: str
    """As the provider's discovery document writes it, without /.well-known/..."""
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    client_secret_env: str | None = None
    """Name of the environment variable that holds the secret; neither: a public client."""
    client_secret_file: Path | None = None
    """File whose first line is the secret."""
    redirect_url: str
    """Our own address as people reach it, ending in /login/oidc/callback; registered with the provider."""
    scope: str = "openid profile"
    claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:/.-]{1,200}$")] = "groups"
    """Claim of the ID token that grants are looked up in, a text or a list; dots lead into objects."""
    grants: Annotated[tuple[Grant, ...], Field(min_length=1, max_length=200)]
    """The first that fits gives the role; those of the same role that fit give the areas."""
    ca_file: Path | None = None
    """CA that signed the provider's certificate, where the system does not know it."""
    label: Annotated[str, Field(min_length=1, max_length=60)] = "SSO"
    """How the login page calls it."""

    @field_validator("issuer", "redirect_url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        local = parts.scheme == "http" and parts.hostname in LOCAL
        if not parts.netloc or not (parts.scheme == "https" or local) or parts.query or parts.fragment:
            raise ValueError("must be an https:// address, without query (http:// on localhost alone)")
        if parts.username or parts.password:
            raise ValueError("holds a login; give client_id, and client_secret_env or client_secret_file")
        return url

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.client_secret_env and self.client_secret_file:
            raise ValueError("give client_secret_env or client_secret_file, not both")
        if not self.redirect_url.endswith("/login/oidc/callback"):
            raise ValueError("redirect_url must end in /login/oidc/callback")
        if "openid" not in self.scope.split():
            raise ValueError("scope must name openid")
        return self

    def client_secret(self) -> str | None:
        """The secret, read now. Raises ValueError naming variable or file, never its content."""
        return read_secret("client_secret", self.client_secret_env, self.client_secret_file)

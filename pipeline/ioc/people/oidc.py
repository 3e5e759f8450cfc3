"""Logging in through an OpenID Connect provider: Authorization Code with PKCE, state and nonce.

Nothing that comes back is believed before the ID token's signature, issuer, audience, end and nonce are.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from pipeline.ioc.config.oidc import LOCAL, OidcSettings
from pipeline.ioc.people.accounts import Identity

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by the provider's private key alone: neither "none", nor HMAC with what others may know."""
TIMEOUT_S = 10.0
LEEWAY_S = 60
KEEP_S = 3600.0
"""How long the provider's documents are taken for granted."""
KEYS_AGAIN_S = 60.0
"""A key that is not known has the keys fetched anew, no more often than this."""
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class OidcError(Exception):
    """The login did not succeed; the message is for the log, whoever tries is told no more than that."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that was begun, as the browser that began it keeps it."""

    state: str
    nonce: str
    verifier: str


class Provider:
    """Threads may share it. The provider is asked when somebody logs in, not before."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._fetched_s = self._keys_s = -KEEP_S

    def begin(self) -> tuple[str, Attempt]:
        """Where to send the browser, and what it must bring back. Raises OidcError."""
        attempt = Attempt(*(secrets.token_urlsafe(32) for _ in range(3)))
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._known()["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url), attempt

    def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """Who it is, from the parameters that the browser came back with. Raises OidcError."""
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise OidcError("the state is not the one that this browser was sent with")
        if "error" in answer:
            raise OidcError(f"the provider says {answer['error'][:100]!r}")
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            raise OidcError("the answer is of another issuer")
        if not answer.get("code"):
            raise OidcError("the answer has no code")
        try:
            with self._session() as session:
                token = session.fetch_token(
                    self._known()["token_endpoint"], code=answer["code"], code_verifier=attempt.verifier
                )
        except (requests.RequestException, AuthlibBaseError, ValueError) as error:
            raise OidcError(f"the code was not taken: {_short(error)}") from error
        return self._identity(self._claims(token, attempt.nonce))

    def _claims(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        text = token.get("id_token")
        if not isinstance(text, str):
            raise OidcError("the answer holds no ID token")
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        try:
            try:
                decoded = jwt.decode(text, self._key_set(), registry=registry)
            except InvalidKeyIdError:
                decoded = jwt.decode(text, self._key_set(anew=True), registry=registry)
            wanted = {
                "iss": {"essential": True, "value": self.settings.issuer},
                "aud": {"essential": True, "value": self.settings.client_id},
            }
            mine = {"nonce": nonce, "client_id": self.settings.client_id}
            if isinstance(token.get("access_token"), str):
                mine["access_token"] = token["access_token"]
            claims = CodeIDToken(decoded.claims, decoded.header, wanted, mine)
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise OidcError(f"the ID token is not right: {_short(error)}") from error
        return claims  # type: ignore[no-any-return]

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        found: Any = claims
        for part in self.settings.claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        told = found if isinstance(found, list) else [found]
        values = {value for value in told if isinstance(value, str)}
        fitting = [grant for grant in self.settings.grants if grant.value in values]
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise OidcError("the ID token has no subject")
        if not fitting:
            raise OidcError(f"no grant fits what {self.settings.claim} of {subject[:60]!r} says")
        role = fitting[0].role
        name = _text(claims.get("preferred_username")) or _text(claims.get("email")) or subject
        return Identity(
            subject=hashlib.sha256(f"{self.settings.issuer}\n{subject}".encode()).hexdigest(),
            name=name,
            shown_name=(_text(claims.get("name")) or _text(name) or "?")[:100],
            role=role,
            areas=tuple({area: 0 for grant in fitting if grant.role == role for area in grant.areas}),
        )

    def _known(self) -> dict[str, Any]:
        """The discovery document."""
        with self._lock:
            if self._metadata is None or time.monotonic() - self._fetched_s > KEEP_S:
                issuer = self.settings.issuer
                found = self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != issuer:
                    raise OidcError(f"the provider calls itself another issuer than {issuer}")
                for name in _ENDPOINTS:
                    if not isinstance(found.get(name), str) or not self._is_safe(found[name]):
                        raise OidcError(f"the provider's {name} is no https:// address")
                self._metadata, self._fetched_s = found, time.monotonic()
            return self._metadata

    def _key_set(self, *, anew: bool = False) -> KeySet:
        url = self._known()["jwks_uri"]
        with self._lock:
            age_s = time.monotonic() - self._keys_s
            if self._keys is None or age_s > KEEP_S or (anew and age_s > KEYS_AGAIN_S):
                self._keys, self._keys_s = KeySet.import_key_set(self._fetch(url)), time.monotonic()  # type: ignore[arg-type]
            return self._keys

    def _fetch(self, url: str) -> dict[str, Any]:
        try:
            with self._session() as session:
                answer = session.get(url, withhold_token=True, allow_redirects=False)
                answer.raise_for_status()
                found = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise OidcError(f"{url} cannot be read: {_short(error)}") from error
        if not isinstance(found, dict):
            raise OidcError(f"{url} is no JSON object")
        return found

    def _session(self) -> Any:
        try:
            secret = self.settings.client_secret()
        except ValueError as error:
            raise OidcError(str(error)) from error
        session = OAuth2Session(
            client_id=self.settings.client_id,
            client_secret=secret,
            scope=self.settings.scope,
            redirect_uri=self.settings.redirect_url,
            code_challenge_method="S256",
            default_timeout=TIMEOUT_S,
        )
        session.trust_env = False  # neither a .netrc nor a proxy's variables decide where this goes
        if self.settings.ca_file is not None:
            session.verify = str(self.settings.ca_file)
        return session

    def _is_safe(self, url: str) -> bool:
        ours, theirs = urlsplit(self.settings.issuer), urlsplit(url)
        return theirs.scheme == "https" or (ours.scheme == "http" and theirs.hostname in LOCAL)


def _text(value: object) -> str:
    return "".join(c for c in value if c.isprintable()).strip()[:100] if isinstance(value, str) else ""


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"

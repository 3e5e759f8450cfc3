"""Logging in through a provider: a real one over HTTP, and what a false one would send."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from starlette.testclient import TestClient

from pipeline.ioc.config.oidc import OidcSettings
from pipeline.ioc.console.login import login_router
from pipeline.ioc.console.oidc import oidc_router
from pipeline.ioc.people.oidc import Attempt, OidcError, Provider
from tests.ioc.issuer import Issuer
from tests.ioc.office import HOATHANH, PASSWORD, TRANGBANG, Office, office

CALLBACK = "https://ioc.example/login/oidc/callback"


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    running.tamper, running.sign = (lambda claims: claims), running.signed
    running.claims = {"sub": "mai-17", "preferred_username": "mai", "name": "Mai", "groups": ["hoathanh"]}
    return running


def settings(issuer: Issuer, tmp_path: Path, /, **fields: Any) -> OidcSettings:
    (tmp_path / "secret").write_text(f"{issuer.secret}\n")
    values: dict[str, Any] = {
        "issuer": issuer.url,
        "client_id": issuer.client_id,
        "client_secret_file": tmp_path / "secret",
        "redirect_url": CALLBACK,
        "grants": [
            {"value": "hoathanh", "role": "reviewer", "areas": [HOATHANH]},
            {"value": "trangbang", "role": "reviewer", "areas": [TRANGBANG]},
            {"value": "all", "role": "viewer", "areas": ["tayninh"]},
        ],
    }
    return OidcSettings.model_validate(values | fields)


@pytest.fixture
def provider(issuer: Issuer, tmp_path: Path) -> Provider:
    return Provider(settings(issuer, tmp_path))


def back(url: str) -> dict[str, str]:
    """What the browser brings back from the provider."""
    answer = requests.get(url, allow_redirects=False, timeout=10)
    query = requests.utils.urlparse(answer.headers["Location"]).query
    return dict(part.split("=", 1) for part in requests.utils.unquote(query).split("&"))


def test_a_login_tells_who_it_is_and_what_they_may(provider: Provider, issuer: Issuer) -> None:
    url, attempt = provider.begin()
    who = provider.finish(attempt, back(url))
    assert (who.name, who.shown_name, who.role, who.areas) == ("mai", "Mai", "reviewer", (HOATHANH,))
    issuer.claims["groups"] = ["trangbang", "all", "hoathanh", 7, None]
    url, attempt = provider.begin()
    assert provider.finish(attempt, back(url)).areas == (HOATHANH, TRANGBANG)


def _without_nonce(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name != "nonce"}


FALSE = {
    "nonce of another login": lambda c: {**c, "nonce": "x" * 43},
    "no nonce": _without_nonce,
    "another audience": lambda c: {**c, "aud": "somebody-else"},
    "several audiences, made for another": lambda c: {**c, "aud": ["ngatu-ioc", "x"], "azp": "x"},
    "another issuer": lambda c: {**c, "iss": "https://evil.example"},
    "expired": lambda c: {**c, "iat": int(time.time()) - 900, "exp": int(time.time()) - 300},
    "no end": lambda c: {name: value for name, value in c.items() if name != "exp"},
    "not yet": lambda c: {**c, "nbf": int(time.time()) + 900},
    "no subject": lambda c: {name: value for name, value in c.items() if name != "sub"},
    "odd subject": lambda c: {**c, "sub": 17},
    "another access token": lambda c: {**c, "at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "no group that counts": lambda c: {**c, "groups": ["admin", "admins"]},
    "groups of another shape": lambda c: {**c, "groups": {"hoathanh": True}},
}


@pytest.mark.parametrize("what", FALSE)
def test_a_token_that_is_not_right_lets_nobody_in(provider: Provider, issuer: Issuer, what: str) -> None:
    issuer.tamper = FALSE[what]
    url, attempt = provider.begin()
    with pytest.raises(OidcError, match="no grant fits" if "group" in what else "ID token is not right"):
        provider.finish(attempt, back(url))


def test_a_signature_that_is_not_the_providers_lets_nobody_in(provider: Provider, issuer: Issuer) -> None:
    another = RSAKey.generate_key(2048, {"kid": "k1"})
    signed = issuer.signed({"sub": "x"})
    for sign in (
        issuer.unsigned,
        issuer.signed_with_what_everybody_knows,
        lambda claims: issuer.signed(claims, another),
        lambda claims: issuer.unsigned(claims) + signed.rpartition(".")[2],
        lambda claims: "not.a.token",
        lambda claims: "",
    ):
        issuer.sign = sign
        url, attempt = provider.begin()
        with pytest.raises(OidcError):
            provider.finish(attempt, back(url))


def test_what_the_browser_brings_must_be_of_its_own_login(provider: Provider, issuer: Issuer) -> None:
    url, mine = provider.begin()
    _, others = provider.begin()
    answer = back(url)
    for attempt, changed in (
        (others, answer),
        (mine, {**answer, "state": ""}),
        (mine, {**answer, "iss": "https://evil.example"}),
        (mine, {**answer, "error": "access_denied"}),
        (mine, {"state": answer["state"]}),
        (mine, {**answer, "code": "guessed"}),
    ):
        with pytest.raises(OidcError):
            provider.finish(attempt, changed)
    # A code that was stolen is worth nothing without the verifier that this browser has.
    with pytest.raises(OidcError, match="not taken"):
        provider.finish(Attempt(mine.state, mine.nonce, others.verifier), answer)
    with pytest.raises(OidcError, match="not taken"):
        provider.finish(mine, answer)  # it counts once, right or wrong


def test_a_provider_that_is_not_the_one_configured_is_not_asked(issuer: Issuer, tmp_path: Path) -> None:
    for fields, told in (
        ({"issuer": f"{issuer.url}/"}, "another issuer"),
        ({"issuer": "http://127.0.0.1:1"}, "cannot be read"),
        ({"client_secret_file": tmp_path / "nothing"}, "cannot be read"),
    ):
        with pytest.raises(OidcError, match=told):
            Provider(settings(issuer, tmp_path, **fields)).begin()
    for fields in (
        {"issuer": "http://sso.example.org"},
        {"issuer": "https://user:word@sso.example.org"},
        {"redirect_url": "https://ioc.example/"},
        {"scope": "profile"},
        {"client_secret_env": "X"},
        {"grants": []},
        {"grants": [{"value": "boss", "role": "admin", "areas": ["tayninh"]}]},
    ):
        with pytest.raises(ValidationError):
            settings(issuer, tmp_path, **fields)


@pytest.fixture
def ioc(tmp_path: Path, issuer: Issuer) -> Iterator[Office]:
    made = office(tmp_path)
    oidc = settings(issuer, tmp_path)
    made.the = replace(made.the, config=made.the.config.model_copy(update={"oidc": oidc}))
    made.app.include_router(login_router(made.the))
    made.app.include_router(oidc_router(made.the, Provider(oidc)))
    yield made
    made.the.database.close()


def through(client: TestClient) -> Any:
    """To the provider and back."""
    there = client.get("/login/oidc", follow_redirects=False)
    location = requests.get(there.headers["location"], allow_redirects=False, timeout=10).headers["Location"]
    return client.get(location, follow_redirects=False)


def test_somebody_logs_in_and_keeps_what_the_provider_says_today(ioc: Office, issuer: Issuer) -> None:
    local = ioc.hire("mai", "supervisor")
    browser = ioc.anybody()
    assert "/login/oidc" in browser.get("/login").text
    answer = through(browser)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=strict"))
    me = browser.get("/api/v1/me").json()
    # Called like a local account, and yet not that one.
    assert (me["name"], me["role"], me["areas"]) == ("mai@oidc", "reviewer", [HOATHANH])
    browser.headers["x-csrf-token"] = me["csrf_token"]
    body = {"old": "!", "new": "a password of my own"}
    assert browser.post("/api/v1/me/password", json=body).status_code == 422
    for name in ("mai@oidc", "mai@oidc "):
        body = {"name": name, "password": "!"}
        assert ioc.anybody().post("/api/v1/login", json=body).status_code == 401
    # Less tomorrow: the session of yesterday is over.
    issuer.claims["groups"] = "all"
    again = ioc.anybody()
    through(again)
    assert again.get("/api/v1/me").json()["role"] == "viewer"
    assert browser.get("/api/v1/me").status_code == 401
    accounts = {user.name: user for user in ioc.the.accounts.everybody()}
    assert len(accounts) == 2
    # An admin locks it; rights are the provider's to give.
    boss = ioc.client("boss", "admin")
    url = f"/api/v1/users/{accounts['mai@oidc'].id}"
    assert boss.patch(url, json={"role": "admin"}).status_code == 422
    assert boss.patch(url, json={"password": PASSWORD}).status_code == 422
    assert boss.patch(url, json={"disabled": True}).status_code == 200
    assert again.get("/api/v1/me").status_code == 401
    assert through(ioc.anybody()).status_code == 401
    assert ioc.the.accounts.log_in(local.name, PASSWORD)


def test_a_browser_that_began_no_login_gets_no_session(ioc: Office) -> None:
    one, other = ioc.anybody(), ioc.anybody()
    there = one.get("/login/oidc", follow_redirects=False)
    attempt = there.headers["set-cookie"]
    assert all(part in attempt for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/login/oidc"))
    location = requests.get(there.headers["location"], allow_redirects=False, timeout=10).headers["Location"]
    # An attacker's own code, slipped to somebody: with no login begun, and with one of another state.
    assert other.get(location, follow_redirects=False).status_code == 401
    other.get("/login/oidc", follow_redirects=False)
    answer = other.get(location, follow_redirects=False)
    assert answer.status_code == 401
    assert "ngatu_session" not in answer.headers.get("set-cookie", "")
    assert ioc.the.accounts.everybody() == []

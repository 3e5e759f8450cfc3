"""A small OpenID Connect provider over HTTP: discovery, keys, PKCE, tokens signed with RSA."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

Claims = dict[str, Any]


class Issuer:
    """Lets everybody in as `claims` says. `tamper` and `sign` make what a false provider would."""

    def __init__(self, client_id: str = "ngatu-ioc", secret: str = "s3cret of the test") -> None:
        self.client_id, self.secret = client_id, secret
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
        self.claims: Claims = {"sub": "mai-17", "preferred_username": "mai", "name": "Nguyễn Thị Mai"}
        self.tamper: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] = self.signed
        self._codes: dict[str, dict[str, str]] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._get(self)

            def do_POST(self) -> None:
                issuer._post(self)

            def log_message(self, *words: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def signed(self, claims: Claims, key: RSAKey | None = None) -> str:
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key or self.key)

    def unsigned(self, claims: Claims) -> str:
        parts = (json.dumps({"alg": "none"}), json.dumps(claims))
        return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts) + "."

    def signed_with_what_everybody_knows(self, claims: Claims) -> str:
        return jwt.encode(
            {"alg": "HS256", "kid": "k1"}, claims, OctKey.import_key(self.key.as_pem(private=False))
        )

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            _answer(
                request,
                {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/keys",
                    "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
                },
            )
        elif parts.path == "/keys":
            _answer(request, {"keys": [self.key.as_dict(private=False)]})
        elif parts.path == "/authorize":
            assert asked["client_id"] == self.client_id
            assert asked["response_type"] == "code"
            assert asked["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"], "iss": self.url})
            request.send_response(302)
            request.send_header("Location", f"{asked['redirect_uri']}?{back}")
            request.end_headers()
        else:
            _answer(request, {}, 404)

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self._codes.pop(form.get("code", ""), None)  # once
        basic = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or request.headers.get("Authorization") != f"Basic {basic}"
            or challenge != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            _answer(request, {"error": "invalid_grant"}, 400)
            return
        now_s = int(time.time())
        claims = {
            **self.claims,
            "iss": self.url,
            "aud": self.client_id,
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": asked["nonce"],
        }
        token = self.sign(self.tamper(claims))
        _answer(request, {"access_token": "opaque", "token_type": "Bearer", "id_token": token})


def _answer(request: BaseHTTPRequestHandler, content: Any, status: int = 200) -> None:
    body = json.dumps(content).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)

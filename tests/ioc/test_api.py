"""The API as a client meets it: who may call what, and what hostile callers get."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from sqlalchemy import text as sql

from pipeline.ioc import api
from pipeline.ioc.people.permissions import PERMISSIONS, ROLES
from tests.events import examples
from tests.ioc.office import HOATHANH, PASSWORD, Office, office

ROUTES = [
    (method, route.path)
    for info in pkgutil.iter_modules(api.__path__, "pipeline.ioc.api.")
    for route in getattr(import_module(info.name), "router", APIRouter()).routes
    if isinstance(route, APIRoute)
    for method in route.methods
]
FILLED = {"{case_id}": "x", "{file}": "at.jpg", "{user_id}": "999"}


@pytest.fixture
def ioc(tmp_path: Path) -> Iterator[Office]:
    made = office(tmp_path)
    yield made
    made.the.database.close()


def test_every_route_is_in_the_table_and_nothing_else_is() -> None:
    assert sorted(ROUTES) == sorted(PERMISSIONS)


def test_each_role_may_call_what_the_table_says_and_nothing_else(ioc: Office) -> None:
    clients = {role: ioc.client(role, role) for role in ROLES} | {None: ioc.anybody()}
    for (method, path), allowed in PERMISSIONS.items():
        if allowed is None or path in ("/api/v1/live", "/api/v1/logout"):
            continue
        for mark, value in FILLED.items():
            path = path.replace(mark, value)
        for role, client in clients.items():
            status = client.request(method, path).status_code
            if role is None:
                assert status == 401, (method, path)
            elif role in allowed:
                assert status in (200, 201, 404, 422), (role, method, path, status)
            else:
                assert status == 403, (role, method, path, status)


def test_a_stream_and_a_logout_need_a_login_too(ioc: Office) -> None:
    assert ioc.anybody().get("/api/v1/live").status_code == 401
    assert ioc.anybody().post("/api/v1/logout").status_code == 401
    assert ioc.client("op", "operator").get("/api/v1/live").status_code == 403


def test_a_change_without_the_token_or_from_another_site_is_refused(ioc: Office) -> None:
    case_id = ioc.act()
    mai = ioc.client("mai", "reviewer")
    token = mai.headers["x-csrf-token"]
    url = f"/api/v1/cases/{case_id}/claim"
    for headers in (
        {"x-csrf-token": ""},
        {"x-csrf-token": "0" * 64},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://ioc.example.evil.example"},
        {"sec-fetch-site": "cross-site"},
    ):
        assert mai.post(url, headers=headers).status_code == 403, headers
    assert mai.post(url, headers={"origin": "https://ioc.example"}).status_code == 200
    other = ioc.client("lan", "reviewer")
    assert other.post(url, headers={"x-csrf-token": token}).status_code == 403


def test_the_cookie_is_out_of_reach_and_a_session_brought_along_is_not_taken_over(ioc: Office) -> None:
    ioc.hire("mai", "reviewer")
    client = ioc.anybody()
    client.cookies.set("ngatu_session", "chosen-by-an-attacker")
    answer = client.post("/api/v1/login", json={"name": "mai", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"))
    assert "chosen-by" not in cookie
    stolen = cookie.split(";")[0].partition("=")[2]
    client = ioc.client("mai", "reviewer")
    assert client.post("/api/v1/logout").status_code == 200
    assert client.get("/api/v1/me").status_code == 401
    fresh = ioc.anybody()
    fresh.cookies.set("ngatu_session", stolen)
    assert fresh.get("/api/v1/me").status_code == 200  # of another login
    ioc.the.accounts.change(ioc.the.accounts.person(stolen).id, by="test", role="viewer")
    assert fresh.get("/api/v1/me").status_code == 401  # what changes rights ends sessions


def test_failures_lock_an_account_and_tell_nothing(ioc: Office) -> None:
    ioc.hire("mai", "reviewer")
    client = ioc.anybody()
    told = set()
    for name, password in [("nobody", PASSWORD), ("x" * 200, "p"), ("\x00", "p")] + [("mai", "wrong")] * 3:
        answer = client.post("/api/v1/login", json={"name": name, "password": password})
        told.add((answer.status_code, answer.text))
    answer = client.post("/api/v1/login", json={"name": "mai", "password": PASSWORD})
    told.add((answer.status_code, answer.text))
    assert len(told) == 1
    assert told.pop()[0] == 401


def test_sessions_expire(ioc: Office) -> None:
    client = ioc.client("mai", "reviewer")
    with ioc.the.database.write() as session:
        session.execute(sql("UPDATE sessions SET seen_ms = seen_ms - 31 * 60000"))
    assert client.get("/api/v1/me").status_code == 401
    assert client.get("/api/v1/me").status_code == 401


def test_what_an_open_page_asks_for_by_itself_keeps_no_session_alive(ioc: Office) -> None:
    case = f"/api/v1/cases/{ioc.act()}"
    client = ioc.client("mai", "reviewer")

    def kept_by(path: str) -> bool:
        with ioc.the.database.write() as session:
            session.execute(sql("UPDATE sessions SET seen_ms = seen_ms - 60000"))
        with ioc.the.database.read() as session:
            before = session.scalar(sql("SELECT max(seen_ms) FROM sessions"))
        assert client.get(path).status_code == 200
        with ioc.the.database.read() as session:
            return session.scalar(sql("SELECT max(seen_ms) FROM sessions")) != before

    pictures = (f"{case}/thumbnail", f"{case}/files/at.jpg")
    for path in ("/api/v1/wall", "/api/v1/cameras", "/api/v1/cameras/cam-1", *pictures):
        assert not kept_by(path), path
    assert kept_by("/api/v1/cases")
    assert kept_by(case)


def test_the_first_admin_gets_a_password_once_and_must_change_it(ioc: Office) -> None:
    password = ioc.the.accounts.begin()
    assert password is not None
    assert ioc.the.accounts.begin() is None
    client = ioc.anybody()
    assert client.post("/api/v1/login", json={"name": "admin", "password": password}).status_code == 200
    client.headers["x-csrf-token"] = client.get("/api/v1/me").json()["csrf_token"]
    assert client.get("/api/v1/users").status_code == 403
    for new in (password, "short", "adminadmin1234", "a" * 20):
        answer = client.post("/api/v1/me/password", json={"old": password, "new": new})
        assert answer.status_code == 422, new
    body = {"old": password, "new": "quite another one"}
    assert client.post("/api/v1/me/password", json=body).status_code == 200
    assert client.get("/api/v1/me").status_code == 401


def test_the_last_admin_stays(ioc: Office) -> None:
    boss = ioc.client("boss", "admin")
    mine = boss.get("/api/v1/users").json()[0]["id"]
    assert boss.patch(f"/api/v1/users/{mine}", json={"role": "viewer"}).status_code == 422
    body = {
        "name": "mai",
        "shown_name": "Mai",
        "role": "reviewer",
        "areas": ["nowhere"],
        "password": "x" * 20,
    }
    assert boss.post("/api/v1/users", json=body).status_code == 422


def test_an_officer_reviews_a_case(ioc: Office) -> None:
    case_id = ioc.act()
    mai, lan = ioc.client("mai", "reviewer"), ioc.client("lan", "reviewer")
    (row,) = mai.get("/api/v1/cases").json()["rows"]
    assert (row["id"], row["plate"], row["state"]) == (case_id, "59P231316", "open")
    assert mai.post(f"/api/v1/cases/{case_id}/claim").status_code == 200
    told = lan.post(f"/api/v1/cases/{case_id}/claim")
    assert (told.status_code, told.json()["kind"]) == (409, "claimed")
    assert "Mai" in told.json()["detail"]
    body = {"decision": "reject", "reason": "emergency_vehicle", "note": "<b>xe cứu thương</b>"}
    assert mai.post(f"/api/v1/cases/{case_id}/decisions", json=body).json() == {"state": "rejected"}
    case = lan.get(f"/api/v1/cases/{case_id}").json()
    assert case["history"][0]["note"] == "<b>xe cứu thương</b>"
    assert mai.get("/api/v1/cases").json()["rows"] == []
    assert mai.get("/api/v1/cases?state=rejected").json()["rows"][0]["id"] == case_id


def test_a_decision_may_say_what_its_officer_saw(ioc: Office) -> None:
    case_id = ioc.act()
    url = f"/api/v1/cases/{case_id}/decisions"
    mai, lan = ioc.client("mai", "reviewer"), ioc.client("lan", "reviewer")
    assert mai.post(url, json={"decision": "second_look", "seen": 0}).status_code == 201
    late = lan.post(url, json={"decision": "confirm", "seen": 0})
    assert (late.status_code, late.json()["kind"]) == (409, "changed")
    for seen in (-1, "x", 10**30):
        assert lan.post(url, json={"decision": "confirm", "seen": seen}).status_code in (409, 422)
    assert lan.post(url, json={"decision": "confirm", "seen": 1}).json() == {"state": "confirmed"}


def test_evidence_is_served_in_ranges_to_those_who_may_see_it(ioc: Office) -> None:
    case_id = ioc.act()
    url = f"/api/v1/cases/{case_id}/files/clip.mp4"
    mai = ioc.client("mai", "viewer")
    whole = mai.get(url)
    assert (whole.status_code, len(whole.content), whole.headers["content-type"]) == (200, 10240, "video/mp4")
    for asked, status, content in (
        ("bytes=0-9", 206, whole.content[:10]),
        ("bytes=10000-", 206, whole.content[10000:]),
        ("bytes=-5", 206, whole.content[-5:]),
        ("bytes=10239-99999999", 206, whole.content[-1:]),
        ("bytes=10240-", 416, b""),
        ("bytes=9-3", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=-", 200, whole.content),
        ("bytes=0-1,4-5", 200, whole.content),
        ("lines=1-2", 200, whole.content),
    ):
        answer = mai.get(url, headers={"range": asked})
        assert (answer.status_code, answer.content) == (status, content), asked
    assert mai.get(f"/api/v1/cases/{case_id}/thumbnail").headers["content-type"] == "image/jpeg"
    page = mai.get(f"/api/v1/cases/{case_id}/files/notes.html")
    assert page.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in page.headers["content-security-policy"]
    town = ioc.client("town", "viewer", "tayninh/trangbang")
    for path in ("files/clip.mp4", "thumbnail", "verification", ""):
        assert town.get(f"/api/v1/cases/{case_id}/{path}".rstrip("/")).status_code == 404
    assert ioc.anybody().get(url).status_code == 401


def test_evidence_that_was_changed_or_lies_elsewhere_is_not_served(ioc: Office) -> None:
    case_id = ioc.act()
    mai = ioc.client("mai", "viewer")
    verification = f"/api/v1/cases/{case_id}/verification"
    assert mai.get(verification).json()["ok"] is True
    (still,) = (ioc.folder / "evidence").rglob("at.jpg")
    still.write_bytes(still.read_bytes() + b"x")
    assert mai.get(f"/api/v1/cases/{case_id}/files/at.jpg").status_code == 409
    found = mai.get(verification).json()
    assert not found["ok"]
    assert [one["file"] for one in found["files"] if not one["ok"]] == ["at.jpg"]
    for name in ("manifest.json", "..%2f..%2fioc.sqlite", "%2e%2e/%2e%2e/ioc.sqlite", "%2e%2e", "at.jpg%00"):
        assert mai.get(f"/api/v1/cases/{case_id}/files/{name}").status_code in (404, 422), name


def test_every_answer_carries_the_headers(ioc: Office) -> None:
    for path in ("/api/v1/health", "/api/v1/me", "/nothing", "/api/v1/openapi.json"):
        headers = ioc.anybody().get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


HOSTILE = ("'; DROP TABLE cases; --", "<script>alert(1)</script>", "{{7*7}}", "\u202e", "%00", "../" * 9)


def test_hostile_text_in_events_and_in_filters_stays_text(ioc: Office) -> None:
    for n, text in enumerate(HOSTILE):
        ioc.act(track=n, camera={"id": "cam-1", "name": text, "place": text}, facts={text: text})
    mai = ioc.client("mai", "reviewer")
    rows = mai.get("/api/v1/cases").json()["rows"]
    assert {row["place"] for row in rows} == set(HOSTILE)
    for text in HOSTILE:
        for field in ("plate", "rule", "camera", "area", "cursor"):
            answer = mai.get("/api/v1/cases", params={field: text})
            assert answer.status_code in (200, 422)
    assert len(mai.get("/api/v1/cases").json()["rows"]) == len(HOSTILE)


def test_no_value_of_a_parameter_brings_the_service_down(ioc: Office) -> None:
    """A walk through the OpenAPI document with values that hurt elsewhere."""
    case_id = ioc.act()
    boss, mai = ioc.client("boss", "admin"), ioc.client("mai", "supervisor")
    document = boss.get("/api/v1/openapi.json").json()
    odd: list[Any] = ["", "\x00", "\ud7ff", "-1", "9" * 30, "1e400", "NaN", "null", "a" * 5000, "'\"<>&"]
    called = 0
    for path, methods in document["paths"].items():
        if path.endswith(("/live", "/logout", "/password")):
            continue
        for method, operation in methods.items():
            names = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
            filled = path.replace("{case_id}", case_id).replace("{file}", "at.jpg").replace("{user_id}", "77")
            for value in odd:
                for client in (boss, mai):
                    query = dict.fromkeys(names, value)
                    body = dict.fromkeys(("name", "password", "decision", "note", "plate", "role"), value)
                    answer = client.request(
                        method, filled, params=query, json=body if method != "get" else None
                    )
                    assert answer.status_code < 500, (method, path, value, answer.text)
                    called += 1
    assert called > 300


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name": 1}', b"\xff", b"[" * 50_000])
def test_a_body_that_is_none_is_refused(ioc: Office, body: bytes) -> None:
    answer = ioc.anybody().post("/api/v1/login", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422 or answer.status_code == 400


def test_what_counts_tell_is_of_ones_own_areas(ioc: Office) -> None:
    ioc.act(track=1)
    ioc.act("cam-2", track=2)
    hour = round(examples.START_S * 1000) // 3_600_000 * 3_600_000
    url = f"/api/v1/counts?from_ms={hour}&to_ms={hour + 1}"
    town = ioc.client("town", "viewer", HOATHANH)
    assert sum(one["count"] for one in town.get(url).json()) == 1
    assert [camera["id"] for camera in town.get("/api/v1/cameras").json()] == ["cam-1"]
    assert [area["path"] for area in town.get("/api/v1/areas").json()] == [HOATHANH]
    assert json.loads(ioc.client("boss", "admin").get("/api/v1/audit").text)[0]["actor"]

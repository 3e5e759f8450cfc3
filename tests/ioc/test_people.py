"""Who may log in, change accounts, and read what was done; dead letters; how large a body may be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.ioc.api.security import MAX_BODY
from pipeline.ioc.config.settings import SessionSettings
from pipeline.ioc.ingest.letters import PAGE
from pipeline.ioc.ingest.writer import Batch, Letter, Writer
from pipeline.ioc.people import Accounts, LoginFailedError, one_time_password
from pipeline.ioc.people.passwords import Passwords, check_password
from pipeline.ioc.people.throttle import Throttle
from tests.events import examples
from tests.ioc.office import HOATHANH, PASSWORD, ROOT, TRANGBANG, Office, office

FAILURES = 5


@pytest.fixture
def ioc(tmp_path: Path) -> Iterator[Office]:
    made = office(tmp_path)
    yield made
    made.the.database.close()


def told(client: TestClient, **query: object) -> list[tuple[str, str, str]]:
    """The audit log as an account sees it, oldest first."""
    found = client.get("/api/v1/audit", params=query).json()
    return [(one["actor"], one["action"], one["subject"]) for one in reversed(found)]


def letters(ioc: Office, *of: Letter) -> None:
    Writer(ioc.the.database, ioc.the.areas).write(Batch(letters=of))


def test_an_address_that_fails_too_often_is_refused_whatever_it_tries(tmp_path: Path) -> None:
    ioc = office(tmp_path)
    settings = SessionSettings(lock_after=50, address_failures=FAILURES)
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    accounts = Accounts(ioc.the.database, settings, ioc.the.areas, quick)
    ioc = Office(replace(ioc.the, accounts=accounts), tmp_path)
    ioc.hire("mai", "reviewer")

    def status(address: str, name: str, password: str) -> int:
        client = TestClient(ioc.app, base_url="https://ioc.example", client=(address, 50_000))
        return client.post("/api/v1/login", json={"name": name, "password": password}).status_code

    # Those that succeed do not count; another name each time does not help.
    assert {status("10.1.1.1", "mai", PASSWORD) for _ in range(2 * FAILURES)} == {200}
    assert [status("10.1.1.1", f"nobody{n}", "x") for n in range(FAILURES)] == [401] * FAILURES
    assert status("10.1.1.1", "nobody", "x") == 429
    assert status("10.1.1.1", "mai", PASSWORD) == 429
    assert status("10.1.1.2", "mai", PASSWORD) == 200
    # A subscriber of IPv6 has a /64 of addresses.
    assert [status(f"2001:db8::{n}", "mai", "x") for n in range(1, FAILURES + 2)] == [401] * FAILURES + [429]
    assert status("2001:db8:0:1::1", "mai", PASSWORD) == 200
    ioc.the.database.close()


def test_an_address_is_free_again_after_a_while() -> None:
    throttle = Throttle(2, within_ms=1000)
    assert [throttle.take("10.1.1.1", now_ms) for now_ms in (0, 600, 900, 1100, 1200)] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_an_admin_of_one_area_cannot_see_or_change_accounts_of_another(ioc: Office) -> None:
    boss, town = ioc.client("boss", "admin"), ioc.client("town", "admin", TRANGBANG)
    for name, areas in (("lan", [TRANGBANG]), ("mai", [HOATHANH]), ("both", [HOATHANH, TRANGBANG])):
        ioc.the.accounts.create(name, name, "reviewer", areas, "just some words", by="test")
    before = {one["name"]: one for one in boss.get("/api/v1/users").json()}
    assert {one["name"] for one in town.get("/api/v1/users").json()} == {"town", "lan"}
    for name in ("mai", "both", "boss"):
        one = before[name]["id"]
        for change in ({"role": "admin"}, {"disabled": True}, {"password": PASSWORD}, {"areas": [TRANGBANG]}):
            assert town.patch(f"/api/v1/users/{one}", json=change).status_code == 404, (name, change)
        assert town.delete(f"/api/v1/users/{one}/sessions").status_code == 404
    # Nor give anybody, themselves included, rights beyond.
    for name in ("lan", "town"):
        for areas in ([ROOT], [HOATHANH], [TRANGBANG, HOATHANH], []):
            answer = town.patch(f"/api/v1/users/{before[name]['id']}", json={"areas": areas})
            assert answer.status_code == 422, (name, areas)
    new = {"name": "new", "shown_name": "New", "role": "viewer", "password": "just some words"}
    for areas in ([ROOT], [HOATHANH], [TRANGBANG, HOATHANH]):
        assert town.post("/api/v1/users", json={**new, "areas": areas}).status_code == 422
    after = {one["name"]: one for one in boss.get("/api/v1/users").json()}
    assert after == before
    assert town.post("/api/v1/users", json={**new, "areas": [TRANGBANG]}).status_code == 201
    assert town.patch(f"/api/v1/users/{before['lan']['id']}", json={"role": "viewer"}).status_code == 200


def test_an_admin_unlocks_and_resets_and_ends_what_was_open(ioc: Office) -> None:
    boss, mai = ioc.client("boss", "admin"), ioc.client("mai", "reviewer")

    def status(password: str) -> int:
        login = {"name": "mai", "password": password}
        return ioc.anybody().post("/api/v1/login", json=login).status_code

    one = next(user["id"] for user in boss.get("/api/v1/users").json() if user["name"] == "mai")
    assert [status("wrong") for _ in range(3)] == [401] * 3
    assert status(PASSWORD) == 401
    assert boss.patch(f"/api/v1/users/{one}", json={"disabled": False}).status_code == 200
    assert status(PASSWORD) == 200
    assert mai.get("/api/v1/me").status_code == 401
    once = one_time_password()
    assert boss.patch(f"/api/v1/users/{one}", json={"password": once}).status_code == 200
    assert (status(PASSWORD), status(once)) == (401, 200)
    fresh = ioc.anybody()
    fresh.post("/api/v1/login", json={"name": "mai", "password": once})
    assert fresh.get("/api/v1/me").json()["must_change"] is True
    assert fresh.get("/api/v1/cases").status_code == 403
    assert boss.patch(f"/api/v1/users/{one}", json={"disabled": True}).status_code == 200
    assert status(once) == 401
    assert fresh.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("new", "typed", "enters"),
    [
        ("brand new secret 77", PASSWORD, False),
        ("brand new secret 77", "brand new secret 77", True),
        (PASSWORD, PASSWORD, True),  # the same, hashed anew
    ],
)
def test_a_password_reset_during_a_login_counts_at_once(
    ioc: Office, monkeypatch: pytest.MonkeyPatch, new: str, typed: str, *, enters: bool
) -> None:
    mai, accounts = ioc.hire("mai", "reviewer"), ioc.the.accounts
    fits = Passwords.fits

    def slowly(passwords: Passwords, known: str | None, password: str) -> bool:
        right = fits(passwords, known, password)
        monkeypatch.undo()
        accounts.change(mai.id, by="admin", password=new)
        return right

    monkeypatch.setattr(Passwords, "fits", slowly)
    if enters:
        person = accounts.person(accounts.log_in("mai", typed))
        assert person is not None
        assert person.must_change
    else:
        with pytest.raises(LoginFailedError):
            accounts.log_in("mai", typed)
        accounts.log_in("mai", new)


def test_ones_own_sessions_are_told_and_the_others_ended(ioc: Office) -> None:
    here, other = ioc.client("mai", "reviewer"), ioc.client("mai", "reviewer")
    lan = ioc.client("lan", "reviewer")
    assert [one["here"] for one in here.get("/api/v1/me/sessions").json()].count(True) == 1
    assert len(here.get("/api/v1/me/sessions").json()) == 2
    assert here.delete("/api/v1/me/sessions").json() == {"ended": 1}
    assert other.get("/api/v1/me").status_code == 401
    assert here.get("/api/v1/me").status_code == lan.get("/api/v1/me").status_code == 200


def test_a_one_time_password_is_a_good_one_and_never_the_same() -> None:
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        check_password(password, "mai")


def test_the_audit_log_is_seen_by_area_and_filtered(ioc: Office) -> None:
    here, there = ioc.act("cam-2", 1), ioc.act("cam-1", 2)
    town = ioc.client("town", "supervisor", TRANGBANG)
    ioc.client("boss", "admin")
    mai, lan = ioc.hire("mai", "reviewer"), ioc.hire("lan", "supervisor")
    ioc.the.desk.decide(mai, here, "second_look")
    ioc.the.desk.decide(mai, there, "second_look")
    ioc.the.desk.hold(lan, there, held=True, reason="a complaint")
    # Of the town's log: what was done to its case, and by themselves. No login, account or case of others.
    assert ("mai", "case.decide", here) in told(town)
    assert {(actor, subject) for actor, _, subject in told(town)} == {("mai", here), ("town", "")}
    for query in (
        {"subject": there},
        {"actor": "lan"},
        {"action": "user"},
        {"actor": "mai", "action": "login"},
    ):
        assert told(town, **query) == []
    boss = ioc.client("boss", "admin")
    assert told(boss, subject=there) == [("mai", "case.decide", there), ("lan", "case.hold", there)]
    assert told(boss, action="case.hold") == [("lan", "case.hold", there)]
    assert {one[1] for one in told(boss, action="case")} == {"case.decide", "case.hold"}
    assert {one[0] for one in told(boss, actor="mai")} == {"mai"}
    assert told(boss, action="cas") == told(boss, actor="ma") == []
    # By time: an entry of long ago, which the chain shows as changed.
    with ioc.the.database.write() as session:
        session.execute(text("UPDATE audit SET at_ms = 1000 WHERE action = 'case.hold'"))
    assert told(boss, to_ms=2000) == [("lan", "case.hold", there)]
    recent = told(boss, from_ms=1001)
    assert recent
    assert ("lan", "case.hold", there) not in recent
    assert boss.get("/api/v1/audit/chain").json()["ok"] is False
    assert town.get("/api/v1/audit/chain").status_code == 403


def test_a_dead_letter_is_taken_in_again_once(ioc: Office) -> None:
    good, late = examples.candidate(track_id=1), examples.candidate(track_id=2)
    known = ioc.act(track=3)
    again = examples.candidate("cam-1", 3, examples.START_S)
    assert again.id == known
    letters(
        ioc,
        Letter("topic/0/1", "the area was not known", good.to_json(), "outbox"),
        Letter("topic/0/2", "it is no JSON", "{", "kafka"),
        Letter("topic/0/3", "it was cut", late.to_json()),
        Letter("topic/0/4", "the database was too old", again.to_json(), "outbox"),
    )
    op = ioc.client("op", "operator")
    by_origin = {one["origin"]: one for one in op.get("/api/v1/dead-letters").json()}
    assert [by_origin[f"topic/0/{n}"]["can_retry"] for n in (1, 2, 3, 4)] == [True, True, False, True]

    def retry(number: int) -> tuple[int, dict[str, str]]:
        answer = op.post(f"/api/v1/dead-letters/{by_origin[f'topic/0/{number}']['id']}/retry")
        return answer.status_code, answer.json()

    assert retry(1) == (200, {"event_id": good.id})
    assert retry(1)[0] == 404
    assert retry(2) == (422, {"detail": "it is no JSON"})
    assert retry(3)[0] == 422
    # One whose event is there already changes nothing, and is gone.
    assert retry(4) == (200, {"event_id": known})
    assert {one["origin"] for one in op.get("/api/v1/dead-letters").json()} == {"topic/0/2", "topic/0/3"}
    mai = ioc.client("mai", "reviewer")
    assert {row["id"] for row in mai.get("/api/v1/cases").json()["rows"]} == {good.id, known}
    boss = ioc.client("boss", "admin")
    assert told(boss, action="letter.retry") == [
        ("op", "letter.retry", good.id),
        ("op", "letter.retry", known),
    ]
    town = ioc.client("town", "operator", TRANGBANG)
    assert town.post("/api/v1/dead-letters/retry").status_code == 403


def test_all_dead_letters_are_taken_in_by_the_page(ioc: Office) -> None:
    events = [examples.candidate(track_id=track) for track in range(PAGE + 5)]
    letters(ioc, Letter("topic/1/0", "it is no JSON", "[", "outbox"))
    letters(ioc, *(Letter(f"topic/0/{n}", "?", one.to_json(), "outbox") for n, one in enumerate(events)))
    op = ioc.client("op", "operator")
    first = op.post("/api/v1/dead-letters/retry").json()
    assert (first["taken"], first["refused"]) == (PAGE, 0)
    rest = op.post("/api/v1/dead-letters/retry", params={"before": first["next"]}).json()
    assert rest == {"taken": 5, "refused": 1, "next": None}
    assert [one["origin"] for one in op.get("/api/v1/dead-letters").json()] == ["topic/1/0"]
    assert ioc.the.desk.waiting(ioc.hire("mai", "reviewer")) == PAGE + 5


def test_a_body_tells_its_length_beforehand_and_has_an_end(ioc: Office) -> None:
    client = ioc.anybody()
    login = json.dumps({"name": "x", "password": "y"}).encode()
    kind = {"content-type": "application/json"}

    def sent(content: bytes | Iterator[bytes], **headers: str) -> int:
        return client.post("/api/v1/login", content=content, headers={**kind, **headers}).status_code

    assert sent(login) == 401
    assert sent(iter([login])) == 411  # chunked: of no length
    assert sent(b" " * (MAX_BODY - len(login)) + login) == 401
    assert sent(b" " * (MAX_BODY - len(login) + 1) + login) == 413
    for length in ("-1", "+5", "1e3", "9" * 13, str(MAX_BODY + 1), "0x10", ""):
        assert sent(login, **{"content-length": length}) == 413, length
    # Before anybody is asked who they are, and on pages, too.
    assert client.post("/account", content=iter([b"x"])).status_code == 411
    started = time.monotonic()
    assert client.post("/login", content=b"x" * (MAX_BODY + 1)).status_code == 413
    assert time.monotonic() - started < 5

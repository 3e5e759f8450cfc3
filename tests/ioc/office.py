"""A service with people in it, cases and real evidence, for tests of API and desk."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from PIL import Image
from starlette.testclient import TestClient

from pipeline.events.event import Event
from pipeline.ioc.api import create_api
from pipeline.ioc.config import DatabaseSettings, EvidenceStores, IocConfig, ReviewSettings
from pipeline.ioc.config.areas import AreaSettings
from pipeline.ioc.config.settings import SessionSettings
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.ioc.people import Accounts, Person
from pipeline.ioc.services import Services, build
from tests.events import examples
from tests.ioc.acts import parsed, with_data

PASSWORD = "a long enough secret"
ROOT, HOATHANH, TRANGBANG = "tayninh", "tayninh/hoathanh", "tayninh/trangbang"
AREA_SETTINGS = AreaSettings(
    id="tayninh",
    name="Tây Ninh",
    areas=(
        AreaSettings(id="hoathanh", name="Hòa Thành", cameras=("cam-1",)),
        AreaSettings(id="hoathanh2", name="Another", cameras=("cam-3",)),
        AreaSettings(id="trangbang", name="Trảng Bàng", cameras=("cam-2",)),
    ),
)


@dataclass
class Office:
    """The service and its application."""

    the: Services
    folder: Path

    def __post_init__(self) -> None:
        self.app = create_api(self.the)

    def hire(self, name: str, role: str, area: str = ROOT) -> Person:
        """An account that has chosen its password, logged in for calls to the desk."""
        client = self.client(name, role, area)
        person = self.the.accounts.person(client.cookies["ngatu_session"])
        assert person is not None
        return person

    def client(self, name: str, role: str, area: str = ROOT) -> TestClient:
        """The same as a client of the API that sends its CSRF token."""
        known = {user.name for user in self.the.accounts.everybody()}
        first = "another long secret"
        if name not in known:
            self.the.accounts.create(name, name.title(), role, [area], first, by="test")
            token = self.the.accounts.log_in(name, first)
            person = self.the.accounts.person(token)
            assert person is not None
            self.the.accounts.change_password(person, first, PASSWORD)
        client = self.anybody()
        answer = client.post("/api/v1/login", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["x-csrf-token"] = client.get("/api/v1/me").json()["csrf_token"]
        return client

    def anybody(self) -> TestClient:
        """Not logged in. Cookies are for HTTPS only."""
        return TestClient(self.app, base_url="https://ioc.example", raise_server_exceptions=False)

    def act(self, key: str = "cam-1", track: int = 1, at_s: float = examples.START_S, **data: Any) -> str:
        """A case with real stills; returns its id."""
        event = with_evidence(examples.candidate(key, track, at_s), self.folder / "evidence")
        Writer(self.the.database, self.the.areas).write(Batch([parsed(with_data(event, **data))]))
        return event.id


def office(tmp_path: Path, database: DatabaseSettings | None = None, **review: Any) -> Office:
    config = IocConfig(
        database=database or DatabaseSettings(path=tmp_path / "ioc.sqlite"),
        outboxes=(tmp_path / "worker",),
        evidence=EvidenceStores(url=str(tmp_path / "evidence")),
        areas=AREA_SETTINGS,
        review=ReviewSettings(**review),
        sessions=SessionSettings(lock_after=3),
    )
    the = build(config)
    # As argon2 must take long, and a test must not.
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    accounts = Accounts(the.database, config.sessions, the.areas, quick)
    return Office(replace(the, accounts=accounts), tmp_path)


def with_evidence(event: Event, root: Path) -> Event:
    """The event with a bundle that really lies there, and whose hashes fit."""
    bundle = f"2026-05-28/{event.key}/{event.id}"
    folder = root / bundle
    folder.mkdir(parents=True)
    items = []
    for role, color in (("before", "#456"), ("at", "#654"), ("after", "#465")):
        out = io.BytesIO()
        Image.new("RGB", (640, 360), color).save(out, "JPEG")
        items.append(item(folder, role, f"{role}.jpg", "image/jpeg", out.getvalue()))
    items.append(item(folder, "clip", "clip.mp4", "video/mp4", bytes(range(256)) * 40))
    items.append(item(folder, "notes", "notes.html", "text/html", b"<script>alert(1)</script>"))
    manifest = b'{"manifest": true}'
    (folder / "manifest.json").write_bytes(manifest)
    evidence = {
        "bundle": bundle,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        "signature_key_id": "9f2c",
        "items": items,
        "missing": [],
    }
    return replace(event, data={**event.data, "evidence": evidence})


def item(folder: Path, role: str, file: str, media_type: str, content: bytes) -> dict[str, Any]:
    (folder / file).write_bytes(content)
    return {
        "role": role,
        "file": file,
        "media_type": media_type,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "captured_at": "2026-05-28T20:26:40.000Z",
    }

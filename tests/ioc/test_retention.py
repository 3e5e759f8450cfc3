"""Evidence goes when its days are over, and not before; what is held does not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from pipeline.ioc.config import DatabaseSettings
from pipeline.ioc.config.keeping import Periods, RetentionSettings
from pipeline.ioc.config.settings import IocConfig
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.ioc.retention import Gone, Retention
from pipeline.ioc.review import ReviewError
from pipeline.ioc.store import audit
from tests.events import examples
from tests.ioc.acts import parsed, with_data
from tests.ioc.office import AREA_SETTINGS, Office, office, with_evidence

DAY_S = 86_400.0
SETTINGS = RetentionSettings(
    rejected_days=30, confirmed_days=365, rules={"speeding": Periods(rejected_days=None, confirmed_days=90)}
)


@pytest.fixture
def ioc(tmp_path: Path, settings: DatabaseSettings) -> Iterator[Office]:
    made = office(tmp_path, settings)
    yield made
    made.the.database.close()


def act(ioc: Office, days_old: float, rule: str = "red_light", track: int = 1) -> str:
    """A case so old, with a bundle whose manifest names it."""
    event = examples.candidate("cam-1", track, time.time() - days_old * DAY_S)
    event = with_evidence(event, ioc.folder / "evidence")
    manifest = json.dumps({"event_id": event.id}).encode()
    (bundle(ioc, event.data) / "manifest.json").write_bytes(manifest)
    (bundle(ioc, event.data) / "manifest.sig").write_bytes(b"sig")
    evidence = {**event.data["evidence"], "manifest_sha256": hashlib.sha256(manifest).hexdigest()}
    event = with_data(event, evidence=evidence, rule=rule)
    Writer(ioc.the.database, ioc.the.areas).write(Batch([parsed(event)]))
    return event.id


def bundle(ioc: Office, data: Any) -> Path:
    return ioc.folder / "evidence" / str(data["evidence"]["bundle"])


def folder(ioc: Office, case_id: str) -> Path:
    return ioc.folder / "evidence" / "2026-05-28" / "cam-1" / case_id


def decided(ioc: Office, case_id: str, state: str, days_ago: float = 400) -> str:
    """As an officer decided so long ago."""
    verdict = {"confirmed": "confirm", "rejected": "reject"}[state]
    person = ioc.hire("mai", "reviewer")
    ioc.the.desk.decide(person, case_id, verdict, reason="no_violation" if verdict == "reject" else "")
    with ioc.the.database.write() as session:
        back = {"by": round(days_ago * DAY_S * 1000), "id": case_id}
        session.execute(text("UPDATE decisions SET at_ms = at_ms - :by WHERE case_id = :id"), back)
    return case_id


def retention(ioc: Office, settings: RetentionSettings = SETTINGS) -> Retention:
    config = ioc.the.config.model_copy(update={"retention": settings})
    return Retention(config, ioc.the.database)


def test_evidence_goes_by_rule_and_decision_and_the_case_stays(ioc: Office) -> None:
    late = decided(ioc, act(ioc, 40, track=1), "rejected")
    young = decided(ioc, act(ioc, 20, track=2), "rejected")
    just_decided = decided(ioc, act(ioc, 40, track=3), "rejected", days_ago=5)
    confirmed = decided(ioc, act(ioc, 100, track=4), "confirmed")
    speeding = decided(ioc, act(ioc, 100, "speeding", track=5), "confirmed")
    for_ever = decided(ioc, act(ioc, 5000, "speeding", track=6), "rejected")
    undecided = act(ioc, 5000, track=7)

    planned = retention(ioc).sweep(dry_run=True)
    assert [(g.rule, g.standing, g.days, g.cases) for g in planned.gone] == [
        ("red_light", "rejected", 30, 1),
        ("speeding", "confirmed", 90, 1),
    ]
    size = sum(each.stat().st_size for each in folder(ioc, late).iterdir() if "manifest" not in each.name)
    assert planned.gone[0].bytes == size
    assert folder(ioc, late).is_dir()

    swept = retention(ioc).sweep(dry_run=False)
    assert swept == planned
    gone = {case for case in (late, speeding) if not folder(ioc, case).exists()}
    assert gone == {late, speeding}
    for kept in (young, just_decided, confirmed, for_ever, undecided):
        assert len(list(folder(ioc, kept).iterdir())) == 7, kept
    person = ioc.hire("mai", "reviewer")
    view = ioc.the.desk.case(person, late)
    assert (view.row.state, view.act.rule, view.evidence_gone_ms > 0) == ("rejected", "red_light", True)
    client = ioc.client("mai", "reviewer")
    assert client.get(f"/api/v1/cases/{late}/files/at.jpg").status_code == 404
    assert client.get(f"/api/v1/cases/{late}").json()["evidence_gone_ms"] == view.evidence_gone_ms
    assert client.get(f"/api/v1/cases/{late}/evidence").status_code == 404
    assert client.get(f"/api/v1/cases/{late}/notice").status_code == 200
    with ioc.the.database.read() as session:
        assert not audit.verify(session).problem
        told = session.execute(text("SELECT subject FROM audit WHERE action = 'evidence.expire'")).scalars()
        assert set(told) == gone
    assert retention(ioc).sweep(dry_run=False).gone == []


def test_what_is_held_does_not_go_until_the_hold_is_lifted(ioc: Office) -> None:
    case_id = decided(ioc, act(ioc, 40), "rejected")
    boss = ioc.client("boss", "supervisor")
    url = f"/api/v1/cases/{case_id}/hold"
    assert ioc.client("mai", "reviewer").put(url, json={"held": True, "reason": "trial"}).status_code == 403
    assert boss.put(url, json={"held": True, "reason": " "}).status_code == 422
    assert boss.put(url, json={"held": False, "reason": "nothing to lift"}).status_code == 422
    assert boss.put(url, json={"held": True, "reason": "Tòa án yêu cầu"}).status_code == 200
    told = boss.get(f"/api/v1/cases/{case_id}").json()["hold"]
    assert (told["user"], told["reason"]) == ("Boss", "Tòa án yêu cầu")
    swept = retention(ioc).sweep(dry_run=False)
    assert (swept.gone, swept.held, folder(ioc, case_id).is_dir()) == ([], 1, True)

    admin = ioc.client("root", "admin")
    assert admin.put(url, json={"held": False, "reason": "Vụ án đã xong"}).status_code == 200
    assert len(retention(ioc).sweep(dry_run=False).gone) == 1
    assert not folder(ioc, case_id).exists()
    with pytest.raises(ReviewError, match="expired already"):
        ioc.the.desk.hold(ioc.hire("boss", "supervisor"), case_id, held=True, reason="too late")
    with ioc.the.database.read() as session:
        actions = session.execute(text("SELECT action FROM audit WHERE action LIKE 'case.%hold'")).scalars()
        assert list(actions) == ["case.hold", "case.release_hold"]


def test_an_event_deletes_nothing_but_its_own_and_an_absent_disk_expires_nothing(ioc: Office) -> None:
    victim = act(ioc, 1)
    theirs = ioc.the.desk.case(ioc.hire("mai", "reviewer"), victim).act.evidence
    thief = examples.candidate("cam-1", 2, time.time() - 40 * DAY_S)
    data = {**thief.data, "evidence": json.loads(theirs.model_dump_json())}
    Writer(ioc.the.database, ioc.the.areas).write(Batch([parsed(replace(thief, data=data))]))
    decided(ioc, thief.id, "rejected")
    swept = retention(ioc).sweep(dry_run=False)
    assert (swept.refused, "another case" in swept.problems[0]) == (1, True)
    assert len(list(folder(ioc, victim).iterdir())) == 7

    changed = decided(ioc, act(ioc, 40, track=3), "rejected")
    (folder(ioc, changed) / "manifest.json").write_text("{}")
    swept = retention(ioc).sweep(dry_run=False)
    assert (swept.refused, folder(ioc, changed).is_dir()) == (2, True)

    (ioc.folder / "evidence").rename(ioc.folder / "unmounted")
    (ioc.folder / "evidence").mkdir()
    swept = retention(ioc).sweep(dry_run=False)
    assert (swept.gone, swept.refused) == ([], 2)
    assert "is it mounted?" in swept.problems[0]


def test_undecided_evidence_outlives_its_deadline() -> None:
    with pytest.raises(ValueError, match=r"undecided_days must be longer than review\.notice_days"):
        IocConfig(outboxes=(Path("w"),), areas=AREA_SETTINGS, retention=RetentionSettings(undecided_days=10))


def test_the_command_says_what_would_go(tmp_path: Path) -> None:
    made = office(tmp_path)
    case_id = decided(made, act(made, 40), "rejected")
    made.the.database.close()
    config = {
        "database": {"path": "ioc.sqlite"},
        "outboxes": ["worker"],
        "evidence": {"url": "evidence"},
        "areas": AREA_SETTINGS.model_dump(mode="json"),
        "retention": {"rejected_days": 30},
    }
    (tmp_path / "ioc.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "pipeline.cli", "ioc", "retention", str(tmp_path / "ioc.yaml"), "--json"]

    def run(*more: str) -> dict[str, Any]:
        result = subprocess.run(
            [*command, *more], capture_output=True, text=True, timeout=120, env=os.environ, check=False
        )
        assert result.returncode == 0, result.stderr
        return dict(json.loads(result.stdout))

    told = run("--dry-run")
    assert (told["dry_run"], folder(made, case_id).is_dir()) == (True, True)
    [gone] = told["gone"]
    assert Gone(**gone).cases == 1
    assert run()["gone"] == [gone]
    assert not folder(made, case_id).exists()

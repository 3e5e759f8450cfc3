"""Evidence in a real S3-compatible server (S3Proxy): served, checked, expired as from a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import s3fs
from sqlalchemy import text

from pipeline.ioc.config import EvidenceStores
from pipeline.ioc.config.keeping import RetentionSettings, S3Settings
from pipeline.ioc.desk.bundles import Bundles, StoreAwayError
from pipeline.ioc.desk.files import EvidenceFiles
from pipeline.ioc.retention import Retention
from tests.ioc.office import Office, office
from tests.ioc.test_retention import act, decided, folder

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "s3"
# The server's jars are fetched once on a machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Server:
    process: subprocess.Popen[str]
    settings: S3Settings

    def bundles(self, **fields: object) -> EvidenceStores:
        s3 = self.settings.model_copy(update=fields)
        return EvidenceStores(url="s3://evidence/workers", s3=s3)

    def files(self) -> s3fs.S3FileSystem:
        return s3fs.S3FileSystem(
            key="ngatu",
            secret="ngatu-secret",
            endpoint_url=self.settings.endpoint_url,
            use_listings_cache=False,
            skip_instance_cache=True,
        )


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("S3_SECRET", "ngatu-secret")
    command = [sys.executable, str(SCRIPT), str(tmp_path / "s3")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), url
            made = Server(
                process,
                S3Settings(endpoint_url=url, region="us-east-1", username="ngatu", password_env="S3_SECRET"),
            )
            # Not mkdir: it takes a bucket for there when the server tells its region, as S3Proxy does of any.
            made.files().call_s3("create_bucket", Bucket="evidence")
            yield made
        finally:
            process.terminate()


@pytest.fixture
def ioc(tmp_path: Path) -> Iterator[Office]:
    made = office(tmp_path)
    yield made
    made.the.database.close()


def test_evidence_on_s3_is_served_checked_and_expires(
    server: Server, ioc: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = decided(ioc, act(ioc, 40, track=1), "rejected")
    kept = act(ioc, 1, track=2)
    local = folder(ioc, case_id)
    still = (local / "at.jpg").read_bytes()
    store = server.files()
    for each in (case_id, kept):
        there = f"evidence/workers/2026-05-28/cam-1/{each}"
        store.put(str(folder(ioc, each)) + "/", there + "/", recursive=True)
        shutil.rmtree(folder(ioc, each))
    stores = server.bundles()
    config = ioc.the.config.model_copy(
        update={"evidence": stores, "retention": RetentionSettings(rejected_days=30)}
    )
    object.__setattr__(ioc.the, "files", EvidenceFiles(stores))
    mai = ioc.client("mai", "reviewer")
    url = f"/api/v1/cases/{case_id}"
    assert mai.get(f"{url}/files/at.jpg").content == still
    part = mai.get(f"{url}/files/at.jpg", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, still[10:20])
    found = mai.get(f"{url}/verification").json()
    assert (found["ok"], len(found["files"])) == (True, 6)
    assert mai.get(f"{url}/evidence").status_code == 200
    store.pipe_file(f"evidence/workers/2026-05-28/cam-1/{case_id}/clip.mp4", b"another")
    assert mai.get(f"{url}/verification").json()["ok"] is False

    swept = Retention(config, ioc.the.database).sweep(dry_run=False)
    assert (len(swept.gone), swept.problems) == (1, [])
    left = store.find("evidence")
    assert len(left) == 7
    assert all(kept in path for path in left)
    with ioc.the.database.read() as session:
        detail = session.scalar(text("SELECT detail FROM audit WHERE action = 'evidence.expire'"))
        assert '"found":true' in str(detail)

    # Who is refused, or finds nobody there, learns nothing of what is kept: nothing expires then.
    monkeypatch.setenv("S3_WRONG", "wrong")
    refused = Bundles(server.bundles(password_env="S3_WRONG"))
    with pytest.raises(StoreAwayError):
        refused.read("edge-7", f"2026-05-28/cam-1/{kept}/at.jpg", 10)
    with pytest.raises(FileNotFoundError):
        Bundles(stores).read("edge-7", "2026-05-28/cam-1/nobody/at.jpg", 10)
    server.process.terminate()
    server.process.wait(timeout=20)
    decided(ioc, kept, "rejected")
    with ioc.the.database.write() as session:
        back = {"by": 50 * 86_400_000, "id": kept}
        session.execute(text("UPDATE cases SET at_ms = at_ms - :by WHERE id = :id"), back)
    began = time.monotonic()
    swept = Retention(config, ioc.the.database).sweep(dry_run=False)
    assert (swept.gone, swept.refused) == ([], 1)
    assert time.monotonic() - began < 60
    assert mai.get(f"/api/v1/cases/{kept}/files/at.jpg").status_code == 404

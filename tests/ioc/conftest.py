"""A database of each kind, empty, with today's tables."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pipeline.ioc.config import DatabaseSettings
from pipeline.ioc.store import Database, open_database
from tests.kafka_fixture import locked

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "postgres"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running PostgreSQL that all workers of a test run share. The last one out stops it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    # Not below pytest's folder: PostgreSQL runs as an account of its own, which may not look in there.
    name = hashlib.sha256(str(shared).encode()).hexdigest()[:12]
    directory = Path(tempfile.gettempdir()) / f"ngatu-postgres-{name}"
    users = shared / "postgres-users"
    users.mkdir(exist_ok=True)
    mine = users / str(os.getpid())
    with locked(shared / "postgres.lock"):
        mine.touch()
        url = _run("start", "--dir", str(directory), "--port", "0")
    yield url
    with locked(shared / "postgres.lock"):
        mine.unlink()
        if not any(Path(f"/proc/{user.name}").exists() for user in users.iterdir()):
            _run("stop", "--dir", str(directory))
            shutil.rmtree(directory)


@pytest.fixture
def postgres_settings(postgres_url: str) -> Iterator[DatabaseSettings]:
    """A database of one's own."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, user="ngatu", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield DatabaseSettings(url=postgres_url.replace("/postgres", f"/{name}"), username="ngatu")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseSettings:
    if request.param == "sqlite":
        return DatabaseSettings(path=tmp_path / "ioc.sqlite")
    found: DatabaseSettings = request.getfixturevalue("postgres_settings")
    return found


@pytest.fixture
def database(settings: DatabaseSettings) -> Iterator[Database]:
    opened = open_database(settings)
    yield opened
    opened.close()


def _run(*arguments: str) -> str:
    result = subprocess.run(
        [str(SCRIPT), *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()

"""One database, SQLite or PostgreSQL, brought to the newest schema when it is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import (
    JSON,
    URL,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Integer,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pipeline.ioc.config import DatabaseSettings
from pipeline.ioc.store.models import Base

MIGRATION_LOCK = 7_201_168
"""Key of PostgreSQL's advisory lock: of several services that start at once, one migrates."""


class StoreError(Exception):
    """The database cannot be used now; the message says which and why, without its password."""


class JsonText(str):
    """JSON as text: goes into a JSON column as it is."""

    __slots__ = ()


class Database:
    """Threads may share it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writing = engine.execution_options(writing=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed at the end, or not at all."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def insert(self, table: Any) -> Any:
        """An INSERT of the dialect's own, which knows ON CONFLICT."""
        if self.is_sqlite:
            from sqlalchemy.dialects.sqlite import insert as sqlite_insert

            return sqlite_insert(table)
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)

    def insert_new(self, session: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> set[str]:
        """Insert what is not there yet, in one statement; returns the primary keys of what was new.

        `rows` have the same columns each, JSON as JsonText; the table has one column as its key.
        """
        if not rows:
            return set()
        (key,) = inspect(table).primary_key
        if self.is_sqlite:
            statement = self.insert(table).on_conflict_do_nothing().returning(key)
            return set(session.scalars(statement, list(rows)))
        # One array for each column instead of one parameter for each value: a statement that stays the same
        # and is prepared once. Strings go as text: a cast to VARCHAR(n) would cut them without a word.
        columns = [table.__table__.columns[name] for name in rows[0]]
        names = ", ".join(f'"{column.name}"' for column in columns)
        arrays = ", ".join(f"%b::{_array_type(column)[0]}[]" for column in columns)
        values = ", ".join(f'"{column.name}"{_array_type(column)[1]}' for column in columns)
        statement = (
            f'INSERT INTO "{table.__tablename__}" ({names}) SELECT {values} '  # noqa: S608 - names of our own
            f'FROM unnest({arrays}) AS new({names}) ON CONFLICT DO NOTHING RETURNING "{key.name}"'
        )
        parameters = tuple([row[column.name] for row in rows] for column in columns)
        return set(session.connection().exec_driver_sql(statement, parameters).scalars())

    def alone(self, session: Session, key: int) -> bool:
        """Whether this transaction is the only one that has this key now; it has it until it ends.

        SQLite serves one service alone: there it always is.
        """
        if self.is_sqlite:
            return True
        return bool(session.scalar(select(func.pg_try_advisory_xact_lock(key))))

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def open_database(settings: DatabaseSettings) -> Database:
    """Connect and migrate. Raises StoreError when that cannot be."""
    try:
        url = _url(settings)
        engine = create_engine(
            url, pool_pre_ping=True, pool_size=10, max_overflow=20, json_serializer=_as_json
        )
        if url.get_backend_name() == "sqlite":
            settings.path.parent.mkdir(parents=True, exist_ok=True)
            settings.path.touch(mode=0o640)
            _tame_sqlite(engine)
        with engine.execution_options(writing=True).begin() as connection:
            if url.get_backend_name() == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            migrate(connection)
    except (SQLAlchemyError, OSError, ValueError) as error:
        name = settings.url or settings.path
        raise StoreError(f"database {name} cannot be opened: {_reason(error)}") from error
    return Database(engine)


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest version."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _url(settings: DatabaseSettings) -> URL:
    if settings.url is None:
        return URL.create("sqlite", database=str(settings.path))
    url = make_url(settings.url).set(drivername="postgresql+psycopg")
    return url.set(username=settings.username, password=settings.password())


def _tame_sqlite(engine: Engine) -> None:
    """WAL, enforced keys, and transactions that begin when we say so: writers wait for each other at once."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "busy_timeout = 10000",
            "temp_store = MEMORY",
            "cache_size = -65536",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _as_json(value: object) -> str:
    return value if isinstance(value, JsonText) else json.dumps(value)


def _array_type(column: ColumnElement[Any]) -> tuple[str, str]:
    """Element type of the array that holds the column's values, and a cast to the column's own."""
    match column.type:
        case JSON():
            return "text", "::jsonb"
        case Integer():
            return "bigint", ""
        case Float():
            return "float8", ""
    return "text", ""


def _reason(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__

"""The IOC's memory: tables, migrations, and reading and writing them on SQLite and PostgreSQL alike."""

from pipeline.ioc.store.database import Database, JsonText, StoreError, open_database

__all__ = ["Database", "JsonText", "StoreError", "open_database"]

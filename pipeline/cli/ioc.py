"""`ngatu ioc`: the service with its console, and its audit log."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from pipeline.cli.common import AsJson, LogLevel, LogsFrom, err, fail, out, print_json

ioc_app = typer.Typer(help="The IOC: store, review console and API.", no_args_is_help=True)
audit_app = typer.Typer(help="The log of who did what.", no_args_is_help=True)
ioc_app.add_typer(audit_app, name="audit")

IocFile = Annotated[Path, typer.Argument(help="The IOC's configuration (YAML).", metavar="CONFIG")]


@ioc_app.command()
def serve(
    config_file: IocFile,
    log_level: LogsFrom = LogLevel.INFO,
) -> None:
    """Take events in and serve console and API until SIGTERM or Ctrl-C."""
    config = _load(config_file)
    from pipeline.ioc.serve import serve as run
    from pipeline.ioc.store import StoreError
    from pipeline.worker.logs import configure_logs

    configure_logs(log_level)
    try:
        run(config, lambda text: err.print(text, markup=False), partial(configure_logs, log_level))
    except StoreError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{config.server.host}:{config.server.port} cannot be served: {error.strerror or error}")


@audit_app.command()
def verify(config_file: IocFile, as_json: AsJson = False) -> None:
    """Walk the chain of the audit log; fails where it is broken."""
    config = _load(config_file)
    from pipeline.ioc.store import StoreError, audit, open_database

    try:
        database = open_database(config.database)
    except StoreError as error:
        fail(str(error))
    with database.read() as session:
        found = audit.verify(session)
    if as_json:
        print_json({"ok": not found.problem, **asdict(found)})
    elif not found.problem:
        out.print(f"ok: {found.entries} entries, head {found.head}")
    if found.problem:
        fail(f"the audit log is broken: {found.problem}")


@ioc_app.command()
def retention(
    config_file: IocFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove evidence whose days are over, as the service does by itself; held cases are left alone."""
    config = _load(config_file)
    from sqlalchemy.exc import SQLAlchemyError

    from pipeline.ioc.retention import Retention
    from pipeline.ioc.store import StoreError, open_database

    try:
        swept = Retention(config, open_database(config.database)).sweep(dry_run=dry_run)
    except (StoreError, SQLAlchemyError) as error:
        fail(f"the database does not answer: {getattr(error, 'orig', error)}")
    if as_json:
        print_json({"dry_run": dry_run, **asdict(swept)})
    else:
        table = Table("rule", "decision", "days", "cases", "files", "MB", box=None)
        for each in swept.gone:
            row = (each.rule, each.standing, each.days, each.cases, each.files, f"{each.bytes / 1e6:.1f}")
            table.add_row(*map(str, row))
        if swept.gone:
            out.print(table)
        word = "would go" if dry_run else "gone"
        cases = sum(each.cases for each in swept.gone)
        out.print(f"{word}: evidence of {cases} cases, {sum(each.bytes for each in swept.gone)} bytes")
        out.print(f"held: {swept.held} cases")
    if swept.problems:
        fail(f"evidence of {swept.refused} cases could not be removed:", *swept.problems)


def _load(path: Path) -> Any:
    from pipeline.config.document import ConfigError

    try:
        from pipeline.ioc.config import load_ioc
    except ImportError as error:  # a worker's installation has none of it
        fail(f"the IOC is not installed ({error.name} is missing): pip install ngatu[ioc]")
    try:
        return load_ioc(path)
    except ConfigError as error:
        fail(*error.problems)

"""`ngatu ioc`: the service with its console, and its audit log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.common import AsJson, err, fail, out, print_json

ioc_app = typer.Typer(help="The IOC: store, review console and API.", no_args_is_help=True)
audit_app = typer.Typer(help="The log of who did what.", no_args_is_help=True)
ioc_app.add_typer(audit_app, name="audit")

IocFile = Annotated[Path, typer.Argument(help="The IOC's configuration (YAML).", metavar="CONFIG")]


@ioc_app.command()
def serve(
    config_file: IocFile,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Take events in and serve console and API until SIGTERM or Ctrl-C."""
    config = _load(config_file)
    from pipeline.ioc.serve import serve as run
    from pipeline.ioc.store import StoreError
    from pipeline.worker.logs import configure_logs

    configure_logs(log_level)
    try:
        run(config, lambda text: err.print(text, markup=False))
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

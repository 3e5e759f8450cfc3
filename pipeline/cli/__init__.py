"""The commands, thin: parse, call, print."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli import tools, worker
from pipeline.cli.backtest import backtest
from pipeline.cli.calibrate import calibrate
from pipeline.cli.common import out
from pipeline.cli.demo import demo
from pipeline.cli.ioc import ioc_app
from pipeline.cli.law import law_app
from pipeline.cli.models import models_app
from pipeline.cli.sim import sim_app

app = typer.Typer(
    name="ngatu",
    help=(
        "Ngã Tư: traffic-camera video analytics.\n\n"
        "A worker reads cameras, detects and tracks road users, judges what they do, proves each candidate "
        "with pictures, a clip and a signed manifest, and publishes it to Kafka. Nothing is lost on the way: "
        "what has not been acknowledged stays on this box's disk.\n\n"
        "See it work with [bold]ngatu demo[/]. Begin with [bold]ngatu check CONFIG[/], then "
        "[bold]ngatu run CONFIG[/]. An example to copy: configs/examples/worker.yaml."
    ),
    epilog="Exit codes: 0 well, 1 something is not well, 2 the command was not understood.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(ioc_app, name="ioc")
app.add_typer(models_app, name="models")
app.add_typer(law_app, name="law")
app.add_typer(sim_app, name="sim")
for command in (
    demo,
    worker.run,
    worker.check,
    worker.events,
    worker.verify,
    calibrate,
    backtest,
    tools.replay,
    tools.schema,
    tools.bench,
):
    app.command()(command)


def main() -> None:
    """Entry point of `ngatu`."""
    app()


def _version(value: bool) -> None:
    if value:
        out.print(f"ngatu {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass

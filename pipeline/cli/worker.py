"""Commands of those who run workers: run, check, events, verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pipeline.cli.common import (
    AsJson,
    ConfigFile,
    LogLevel,
    LogsFrom,
    configuration,
    err,
    fail,
    load,
    out,
    print_json,
    scenes_of,
)


def run(
    config_file: ConfigFile,
    status: Annotated[
        bool, typer.Option(help="Show one line per camera while running; needs a terminal.")
    ] = True,
    log_level: LogsFrom = LogLevel.INFO,
) -> None:
    """Run a worker until SIGTERM or Ctrl-C; it then finishes its evidence and exits within ten seconds.

    A camera whose scene file cannot be used is not judged until the file is mended; the others are.
    Logs go to standard error: readable lines on a terminal, JSON elsewhere.
    """
    from pipeline.config.load import ConfigError
    from pipeline.events.errors import EventsError
    from pipeline.evidence import EvidenceError
    from pipeline.perception.errors import PerceptionError
    from pipeline.rules import RuleError
    from pipeline.scene import Scene
    from pipeline.worker.box import Worker
    from pipeline.worker.logs import configure_logs
    from pipeline.worker.run import run_until_stopped

    config = configuration(config_file)
    scenes, problems = scenes_of(config)
    if not scenes:
        fail(*problems)
    table = status and sys.stdout.isatty()
    configure_logs(LogLevel.WARNING if table and log_level is LogLevel.INFO else log_level)
    try:
        worker = Worker(config, {camera_id: Scene(scene) for camera_id, scene in scenes.items()})
    except ConfigError as error:
        fail(*error.problems)
    except (PerceptionError, EventsError, EvidenceError, RuleError) as error:
        fail(str(error))
    except OSError as error:
        port = f"{config.worker.metrics_host}:{config.worker.metrics_port}"
        fail(
            f"the worker cannot start: {error.strerror or error} (data_dir {config.worker.data_dir}, {port})"
        )
    run_until_stopped(worker, out if table else None)


def check(
    config_file: ConfigFile,
    as_json: AsJson = False,
    offline: Annotated[bool, typer.Option(help="Do not open cameras and broker.")] = False,
) -> None:
    """Open every camera, the model, the broker and the disk, and print what is well and what is not."""
    from pipeline.worker.check import findings
    from pipeline.worker.logs import configure_logs

    config, scenes = load(config_file)
    configure_logs("error")
    found = list(findings(config, scenes, offline=offline))
    if as_json:
        print_json([{"what": f.what, "ok": f.ok, "detail": f.detail} for f in found])
    else:
        table = Table("", "what", "found", box=None, pad_edge=False)
        for finding in found:
            mark = Text("ok", "green") if finding.ok else Text("NOT OK", "bold red")
            # Text, not markup: paths and addresses may hold [brackets].
            table.add_row(mark, Text(finding.what), Text(finding.detail))
        out.print(table)
    if not all(f.ok for f in found):
        raise typer.Exit(1)


def events(
    config_file: ConfigFile,
    as_json: AsJson = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each new event.")] = False,
    only: Annotated[
        str | None,
        typer.Option("--type", help="violation.candidate, violation.incomplete, security.incident, ..."),
    ] = None,
    tally: Annotated[
        bool,
        typer.Option(
            "--tally",
            help="Only count: candidates, incomplete ones and what they lack, by kind of act.",
        ),
    ] = False,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="What the broker never takes or nobody can read, and why.")
    ] = False,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="With --set-aside: send these again, but no old states of cameras."),
    ] = False,
) -> None:
    """Read the events that wait in the outbox, and those of rules on trial; works while the worker runs."""
    from pipeline.events.errors import EventsError
    from pipeline.events.event import EventType, rfc3339, to_structured_json
    from pipeline.events.read import read_events
    from pipeline.events.tally import Tally
    from pipeline.worker.board import tally_table
    from pipeline.worker.box import outbox_path

    config = configuration(config_file)
    try:
        wanted = EventType(only) if only else None
    except ValueError:
        fail(f"there is no event type {only!r}; known: {', '.join(EventType)}")
    if tally and follow:
        fail("--tally counts what is there: leave out --follow")
    if retry and not set_aside:
        fail("--retry is for what was set aside: add --set-aside")
    if set_aside:
        if tally or follow or only:
            fail("--set-aside shows all that was set aside: leave out --tally, --follow and --type")
        _set_aside(outbox_path(config), as_json, retry)
        return
    counted = Tally()
    try:
        for event in read_events(outbox_path(config), only=wanted, follow=follow):
            if tally:
                counted.add(event)
            elif as_json:
                sys.stdout.write(to_structured_json(event) + "\n")
                sys.stdout.flush()
            else:
                shadow = "  (shadow: not published)" if event.is_shadow else ""
                out.print(
                    f"{rfc3339(event.time)}  {event.type:<20} {event.key:<16} {event.subject}{shadow}",
                    markup=False,
                )
    except EventsError as error:
        fail(str(error))
    except KeyboardInterrupt:
        pass
    if tally and as_json:
        print_json(counted.as_json())
    elif tally:
        out.print(tally_table(counted))


def _set_aside(path: Path, as_json: bool, retry: bool) -> None:
    from pipeline.events.errors import EventsError
    from pipeline.events.read import read_set_aside, send_again

    try:
        again = send_again(path) if retry else 0
        for aside in read_set_aside(path):
            if as_json:
                print_json({"id": aside.id, "type": aside.type, "reason": aside.reason, "body": aside.body})
            else:
                out.print(f"{aside.type:<20} {aside.id}  {aside.reason}", markup=False)
    except EventsError as error:
        fail(str(error))
    if retry:
        err.print(f"{again} are sent again", markup=False)


def verify(
    directories: Annotated[
        list[Path], typer.Argument(help="Bundles, or folders of bundles.", metavar="DIR...")
    ],
    trust: Annotated[
        list[Path] | None,
        typer.Option(help="Public key (signing.pub) of a worker, or a folder of them; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check evidence: every hash, the signature, and nothing added; names the first thing that is wrong.

    Without --trust the signature only shows that the bundle is unchanged since it was made, not who made it.
    """
    from pipeline.evidence import EvidenceError, load_public_keys, verify_tree

    try:
        trusted = load_public_keys(trust) if trust else None
    except EvidenceError as error:
        fail(str(error))
    results = [result for directory in directories for result in verify_tree(directory, trusted)]
    for result in results:
        if as_json:
            print_json(
                {
                    "path": str(result.path),
                    "ok": result.ok,
                    "problem": result.problem,
                    "event": result.event_id,
                    "key": result.key_id,
                    "trusted": result.trusted,
                    "missing": [part.role for part in result.missing],
                }
            )
        else:
            out.print(f"{result.path}: {result.sentence}", markup=False)
    if not results:
        fail("no bundle found; a bundle is a directory with a manifest.json")
    if not all(result.ok and (result.trusted or trusted is None) for result in results):
        raise typer.Exit(1)

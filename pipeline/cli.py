"""The commands, thin: parse, call, print. Results go to standard output, all else to standard error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from pipeline import __version__

app = typer.Typer(
    name="ngatu",
    help=(
        "Ngã Tư: traffic-camera video analytics.\n\n"
        "A worker reads cameras, detects and tracks road users, judges what they do, proves each candidate "
        "with pictures, a clip and a signed manifest, and publishes it to Kafka. Nothing is lost on the way: "
        "what has not been acknowledged stays on this box's disk.\n\n"
        "Begin with [bold]ngatu check CONFIG[/], then [bold]ngatu run CONFIG[/]. An example to copy: "
        "configs/examples/worker.yaml."
    ),
    epilog="Exit codes: 0 well, 1 something is not well, 2 the command was not understood.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
models_app = typer.Typer(help="Detector models: which are known, and how to get one.", no_args_is_help=True)
app.add_typer(models_app, name="models")

ConfigFile = Annotated[Path, typer.Argument(help="The worker's configuration (YAML).", metavar="CONFIG")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """Entry point of `ngatu`."""
    app()


def _fail(*sentences: str) -> NoReturn:
    for sentence in sentences:
        err.print(f"ngatu: {sentence}", markup=False)
    raise typer.Exit(1)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=None) + "\n")


def _load(path: Path) -> tuple[Any, dict[str, Any]]:
    """Configuration, and the scene settings of every camera."""
    from pipeline.config.load import ConfigError, load_config, load_scene
    from pipeline.scene import SceneSettings

    try:
        config = load_config(path)
        scenes = {
            camera.id: load_scene(camera.scene) if camera.scene else SceneSettings()
            for camera in config.cameras
        }
    except ConfigError as error:
        _fail(*error.problems)
    return config, scenes


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


@app.command()
def run(
    config_file: ConfigFile,
    status: Annotated[
        bool, typer.Option(help="Show one line per camera while running; needs a terminal.")
    ] = True,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run a worker until SIGTERM or Ctrl-C; it then finishes its evidence and exits within ten seconds.

    Logs go to standard error: readable lines on a terminal, JSON elsewhere.
    """
    from pipeline.events.errors import EventsError
    from pipeline.evidence import EvidenceError
    from pipeline.perception.errors import PerceptionError
    from pipeline.rules import RuleError
    from pipeline.scene import Scene
    from pipeline.worker.box import Worker
    from pipeline.worker.logs import configure_logs
    from pipeline.worker.run import run_until_stopped

    config, scenes = _load(config_file)
    table = status and sys.stdout.isatty()
    configure_logs("warning" if table and log_level == "info" else log_level)
    try:
        worker = Worker(config, {camera_id: Scene(scene) for camera_id, scene in scenes.items()})
    except (PerceptionError, EventsError, EvidenceError, RuleError) as error:
        _fail(str(error))
    except OSError as error:
        port = f"{config.worker.metrics_host}:{config.worker.metrics_port}"
        _fail(
            f"the worker cannot start: {error.strerror or error} (data_dir {config.worker.data_dir}, {port})"
        )
    run_until_stopped(worker, out if table else None)


@app.command()
def check(
    config_file: ConfigFile,
    as_json: AsJson = False,
    offline: Annotated[bool, typer.Option(help="Do not open cameras and broker.")] = False,
) -> None:
    """Open every camera, the model, the broker and the disk, and print what is well and what is not."""
    from pipeline.worker.check import findings
    from pipeline.worker.logs import configure_logs

    config, scenes = _load(config_file)
    configure_logs("error")
    found = list(findings(config, scenes, offline=offline))
    if as_json:
        _print_json([{"what": f.what, "ok": f.ok, "detail": f.detail} for f in found])
    else:
        table = Table("", "what", "found", box=None, pad_edge=False)
        for finding in found:
            mark = "[green]ok[/]" if finding.ok else "[bold red]NOT OK[/]"
            table.add_row(mark, finding.what, finding.detail)
        out.print(table)
    if not all(f.ok for f in found):
        raise typer.Exit(1)


@app.command()
def events(
    config_file: ConfigFile,
    as_json: AsJson = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each new event.")] = False,
    only: Annotated[
        str | None,
        typer.Option("--type", help="violation.candidate, traffic.flow or camera.health."),
    ] = None,
) -> None:
    """Read the events that wait in the outbox; works while the worker runs."""
    from pipeline.events.errors import EventsError
    from pipeline.events.event import EventType, rfc3339, to_structured_json
    from pipeline.events.read import read_events
    from pipeline.worker.box import outbox_path

    config, _ = _load(config_file)
    try:
        wanted = EventType(only) if only else None
    except ValueError:
        _fail(f"there is no event type {only!r}; known: {', '.join(EventType)}")
    try:
        for event in read_events(outbox_path(config), only=wanted, follow=follow):
            if as_json:
                sys.stdout.write(to_structured_json(event) + "\n")
                sys.stdout.flush()
            else:
                out.print(
                    f"{rfc3339(event.time)}  {event.type:<20} {event.key:<16} {event.subject}", markup=False
                )
    except EventsError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        pass


@app.command()
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
        _fail(str(error))
    results = [result for directory in directories for result in verify_tree(directory, trusted)]
    for result in results:
        if as_json:
            _print_json(
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
        _fail("no bundle found; a bundle is a directory with a manifest.json")
    if not all(result.ok and (result.trusted or trusted is None) for result in results):
        raise typer.Exit(1)


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Video files.", metavar="FILE...")],
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.", min=0, max=65535)] = 8554,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    once: Annotated[
        bool, typer.Option("--once", help="End a stream with its file; a new connection starts it anew.")
    ] = False,
) -> None:
    """Serve video files as looping RTSP cameras that send their time, until Ctrl-C."""
    from pipeline.cameras.replay import ReplayError, serve_forever

    def ready(urls: dict[str, str]) -> None:
        for url in urls.values():
            out.print(url, markup=False)

    try:
        serve_forever(files, host, port, ready, once=once)
    except ReplayError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        pass


@app.command()
def schema(
    name: Annotated[
        str | None,
        typer.Argument(help="An event type, `config` or `scene`; nothing prints all event types."),
    ] = None,
) -> None:
    """Print JSON Schemas: of events for those who consume them, of files for editors."""
    from pipeline.config.load import config_schema, scene_schema
    from pipeline.events.event import EventType
    from pipeline.events.schema import json_schema

    known: dict[str, Any] = {kind.value: kind for kind in EventType}
    if name is None:
        value: Any = {kind: json_schema(EventType(kind)) for kind in known}
    elif name in known:
        value = json_schema(known[name])
    elif name == "config":
        value = config_schema()
    elif name == "scene":
        value = scene_schema()
    else:
        _fail(f"there is no schema {name!r}; known: {', '.join([*known, 'config', 'scene'])}")
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


MODELS_DIR = Path("models")
ModelsDir = Annotated[Path, typer.Option("--dir", help="Where the .onnx files are.")]


@models_app.command("list")
def models_list(directory: ModelsDir = MODELS_DIR, as_json: AsJson = False) -> None:
    """List the models that are known or in DIR: whether they are there, classes, size, SHA-256."""
    from pipeline.perception.errors import PerceptionError
    from pipeline.perception.models import catalogue

    try:
        entries = catalogue(directory)
    except PerceptionError as error:
        _fail(str(error))
    if as_json:
        _print_json(
            [
                {
                    "name": entry.name,
                    "path": str(entry.path),
                    "present": entry.present,
                    "size_bytes": entry.size_bytes,
                    "sha256": entry.sha256,
                    "title": entry.card.title,
                    "license": entry.card.license,
                }
                for entry in entries
            ]
        )
        return
    table = Table("model", "here", "MB", "sha256", "what", "license", box=None, pad_edge=False)
    for entry in entries:
        size = f"{entry.size_bytes / 1e6:.1f}" if entry.size_bytes else ""
        here = "yes" if entry.present else "no"
        table.add_row(entry.name, here, size, (entry.sha256 or "")[:12], entry.card.title, entry.card.license)
    out.print(table)


@models_app.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="A name from `ngatu models list`.")],
    directory: ModelsDir = MODELS_DIR,
) -> None:
    """Fetch a model whose SHA-256 is known, or export it through Ultralytics (extra `export`)."""
    from rich.progress import BarColumn, DownloadColumn, Progress

    from pipeline.perception.errors import PerceptionError
    from pipeline.perception.models import pull

    with Progress("{task.description}", BarColumn(), DownloadColumn(), console=err) as progress:
        task = progress.add_task(name, total=None)
        try:
            path = pull(
                name, directory, lambda done, total: progress.update(task, completed=done, total=total)
            )
        except PerceptionError as error:
            _fail(str(error))
    out.print(str(path), markup=False)


@app.command()
def bench(
    clip: Annotated[Path, typer.Argument(help="Video file (H.264 or H.265).")],
    model: Annotated[Path, typer.Option(help="Detector (.onnx).")],
    scene: Annotated[
        Path | None, typer.Option(help="Scene file: its rules run, and their acts are events.")
    ] = None,
    rate_hz: Annotated[float, typer.Option("--rate", help="Pictures analysed a second and camera.")] = 6.0,
    cameras: Annotated[
        int, typer.Option(help="Run with this many cameras; 0 searches for the most that are held.", min=0)
    ] = 0,
    most: Annotated[int, typer.Option(help="Search no further than this many cameras.", min=1)] = 64,
    seconds: Annotated[float, typer.Option(help="Measured time of a run, after its warm-up.", min=1)] = 15.0,
    brokers: Annotated[
        str | None,
        typer.Option("--kafka", help="host:port of a broker: measures events up to its acknowledgement."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure this machine: cameras held in real time, cost of a frame, latency, memory.

    The clip is served by RTSP from a process of its own, as often as there are cameras.
    """
    from dataclasses import asdict

    from pipeline.cameras.replay import ReplayError
    from pipeline.config import KafkaSettings, ModelSettings
    from pipeline.config.load import ConfigError, load_scene
    from pipeline.perception.errors import PerceptionError
    from pipeline.scene import SceneSettings
    from pipeline.worker import bench as benching
    from pipeline.worker.logs import configure_logs

    configure_logs("error")
    try:
        plan = benching.BenchPlan(
            clip,
            ModelSettings(path=model),
            load_scene(scene) if scene else SceneSettings(),
            KafkaSettings(brokers=(brokers,)) if brokers else None,
            rate_hz,
            seconds,
        )

        def tell(result: benching.BenchResult) -> None:
            verdict = "held" if result.held else "NOT held"
            rate = f"{result.slowest_hz:g} of {result.asked_hz:g} a second"
            err.print(f"{result.cameras} cameras: {verdict}, slowest {rate}, {result.cores_used:g} cores")

        if cameras:
            results = [benching.one(plan, cameras)]
            tell(results[0])
            held = cameras if results[0].held else 0
        else:
            results, held = benching.search(plan, most, tell)
    except ConfigError as error:
        _fail(*error.problems)
    except (ReplayError, PerceptionError, RuntimeError) as error:
        _fail(str(error))
    if as_json:
        _print_json({"cameras_held": held, "runs": [asdict(result) for result in results]})
        return
    shown = next((r for r in reversed(results) if r.cameras == held), results[-1])
    table = Table("figure", "value", box=None, pad_edge=False)
    for name, value in asdict(shown).items():
        table.add_row(name, "-" if value is None else str(value))
    out.print(table)
    out.print(f"cameras held in real time: {held}")


if __name__ == "__main__":
    main()

"""`ngatu demo`: the synthetic city's cameras, a worker that watches them, and a console for what it finds."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.common import AsJson, err, fail, load, out, print_json
from pipeline.cli.demo_console import OFFICER, Console, ConsoleError, console, wait_for_cases
from pipeline.cli.sim import film_with_bar

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.ioc.config import IocConfig
    from pipeline.worker.board import Board

CONFIG = Path("configs/demo/worker.yaml")
SEED, DURATION_S, WIDTH_PX, RATE_HZ = 2, 60.0, 1280, 12.5
"""Of the film: the first demo makes it in some three minutes on two idle cores. In this development city
much happens where the cameras look."""
FIRST_FRAME_S = 60.0
"""Patience with cameras that do not come."""
MARK = ".ngatu-demo"
TOKEN_ENV = "NGATU_DEMO_WORKER_TOKEN"  # noqa: S105 - the name of where it is
IOC_CONFIG = "ioc.yaml"
"""The console's configuration, beside the worker's."""
SHOWN_S = 20.0
"""Patience with the console: what the worker told last is shown within this time."""


def demo(
    config_file: Annotated[Path, typer.Argument(help="The demo's configuration.", metavar="CONFIG")] = CONFIG,
    for_s: Annotated[
        float | None, typer.Option("--for", help="End this many seconds after the first frame.", min=1)
    ] = None,
    expect: Annotated[
        str,
        typer.Option(
            help="Kinds that must be found, with commas between: ends when all are, fails if one is not.",
            metavar="KIND,...",
        ),
    ] = "",
    model: Annotated[Path | None, typer.Option(help="Another detector (.onnx) than CONFIG's.")] = None,
    port: Annotated[
        int, typer.Option(help="TCP port of the cameras; 0 takes a free one.", min=0, max=65535)
    ] = 8554,
    console_port: Annotated[
        int | None,
        typer.Option(
            help="TCP port of the console; 0 takes a free one. Default: 8000, or the next free one.",
            min=0,
            max=65535,
        ),
    ] = None,
    with_console: Annotated[bool, typer.Option("--console/--no-console", help="Serve the console.")] = True,
    status: Annotated[bool, typer.Option(help="Show the live table; needs a terminal.")] = True,
    as_json: AsJson = False,
) -> None:
    """See it work without a camera: films a synthetic city (once), serves it as RTSP, watches it, and opens a
    console in which violations appear as they happen.

    Runs until Ctrl-C, then says where the evidence lies.
    """
    from pipeline.cameras.replay import ReplayError, served
    from pipeline.config.load import ConfigError
    from pipeline.events.errors import EventsError
    from pipeline.evidence import EvidenceError
    from pipeline.perception.errors import PerceptionError
    from pipeline.rules import RULES, RuleError
    from pipeline.scene import Scene
    from pipeline.worker.board import Board
    from pipeline.worker.box import Worker
    from pipeline.worker.logs import configure_logs
    from pipeline.worker.run import run_until_stopped

    config, scenes = load(config_file)
    ioc_config = _console_config(config_file, console_port) if with_console else None
    if model is not None:
        config = config.model_copy(update={"model": config.model.model_copy(update={"path": model})})
    if not config.model.path.is_file():
        fail(f"no detector {_short(config.model.path)}: `make train` makes one, or give another with --model")
    expected = [kind for kind in expect.split(",") if kind]
    if unknown := [kind for kind in expected if kind not in RULES]:
        fail(f"--expect: there is no rule {unknown[0]!r}; known: {', '.join(RULES)}")
    if expected and for_s is None:
        fail("--expect needs --for SECONDS: a run without an end cannot miss anything")
    live = status and not as_json and out.is_terminal
    configure_logs("error" if live else "warning")
    board = Board()
    shown: dict[str, Any] | None = None

    def over() -> bool:
        if for_s is None:
            return False
        found_all = bool(expected) and not set(expected) - board.kinds().keys()
        return found_all or time.monotonic() > (
            began_s + FIRST_FRAME_S if board.first_frame_s is None else board.first_frame_s + for_s
        )

    try:
        with ExitStack() as until_end:
            until_end.enter_context(_emptied(config.worker.data_dir))
            film = film_with_bar("demo", "dev", SEED, DURATION_S, WIDTH_PX, RATE_HZ, None)
            files = [path for camera in film.cameras for path in (camera.main, camera.sub)]
            server = until_end.enter_context(served(files, port, together=True))
            config = _with_urls(config, server.urls)
            began_s = time.monotonic()
            if ioc_config is not None:
                config = _for_console(config)
            worker = Worker(config, {name: Scene(scene) for name, scene in scenes.items()}, board)
            (first, *others) = (url for name, url in server.urls.items() if name.endswith("-main"))
            also = ", ".join(url.rpartition("/")[2] for url in others)
            err.print(f"cameras, for any player too: {first}, {also}", markup=False)
            if ioc_config is not None:
                ioc_config = _with_worker(ioc_config, config, worker.monitor.port)
            opened = until_end.enter_context(console(ioc_config)) if ioc_config is not None else None
            if opened is not None and ioc_config is not None:
                _introduce(opened, ioc_config.server.port)
            run_until_stopped(worker, out if live else None, below=lambda: board.render(expected), over=over)
            if opened is not None:
                shown = _shown(opened, board)
    except ConfigError as error:
        fail(*error.problems)
    except ReplayError as error:
        fail(f"{error}" + ("; `--port 0` takes a free one" if port else ""))
    except ConsoleError as error:
        fail(f"the console cannot be served: {error}; `--no-console` goes without")
    except (PerceptionError, EventsError, EvidenceError, RuleError, OSError) as error:
        fail(str(error))
    missing = [kind for kind in expected if not board.kinds()[kind]]
    _tell(config_file, config, board, expected, missing, as_json, shown)
    lost = shown is not None and shown["kinds"] != dict(board.kinds())
    if missing or (expected and lost) or (for_s is not None and board.first_frame_s is None):
        raise typer.Exit(1)


def _console_config(config_file: Path, port: int | None) -> IocConfig | None:
    """The console's configuration; None where there is none, or an installation without it."""
    path = config_file.with_name(IOC_CONFIG)
    if not path.is_file():
        return None
    try:
        from pipeline.ioc.config import load_ioc
    except ImportError:
        err.print("no console: it is not installed (pip install ngatu[ioc])", markup=False)
        return None
    from pipeline.config.document import ConfigError

    try:
        config = load_ioc(path)
    except ConfigError as error:
        fail(*error.problems)
    server = config.server if port is None else config.server.model_copy(update={"port": port})
    return config.model_copy(update={"server": server})


def _for_console(config: Config) -> Config:
    """The worker's configuration, so that the console shows its stills and draws its scenes: with a token
    that this process and its console alone have.
    """
    from pipeline.config.root import OperatorSettings

    os.environ[TOKEN_ENV] = secrets.token_urlsafe(24)
    here = config.worker.model_copy(update={"operator": OperatorSettings(token_env=TOKEN_ENV)})
    return config.model_copy(update={"worker": here})


def _with_worker(ioc_config: IocConfig, config: Config, port: int) -> IocConfig:
    """The console's configuration with that worker, wherever its port came to lie."""
    from pipeline.ioc.config.workers import WorkerAccess

    access = WorkerAccess(url=f"http://{config.worker.metrics_host}:{port}", token_env=TOKEN_ENV)
    return ioc_config.model_copy(update={"workers": (access,)})


def _introduce(opened: Console, wanted_port: int) -> None:
    if wanted_port and not opened.url.endswith(f":{wanted_port}"):
        err.print(f"port {wanted_port} is taken: the console has the next free one", markup=False)
    for name, password, what in (
        (OFFICER, opened.officer_password, "reviews cases"),
        ("admin", opened.admin_password, "manages accounts; one-time, to be changed"),
    ):
        err.print(f"log in as  {name:8} password {password:20} ({what})", markup=False)
    err.print(f"open {opened.url}", style="bold", markup=False)


def _shown(opened: Console, board: Board) -> dict[str, Any]:
    """What the console shows of what the worker found, by its API."""
    try:
        kinds = wait_for_cases(opened, board.kinds(), SHOWN_S)
    except OSError as error:
        err.print(f"ngatu: the console: {error}", markup=False)
        return {"url": opened.url, "cases": 0, "kinds": {}}
    return {"url": opened.url, "cases": kinds.total(), "kinds": dict(kinds)}


@contextmanager
def _emptied(data_dir: Path) -> Iterator[None]:
    """The folder without what an earlier demo left, but for its key, and for this demo alone."""
    mark = data_dir / MARK
    if not mark.exists() and data_dir.is_dir() and any(data_dir.iterdir()):
        fail(f"{_short(data_dir)} holds something that is no demo's: empty it, or change worker.data_dir")
    data_dir.mkdir(parents=True, exist_ok=True)
    with mark.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fail(f"another demo works in {_short(data_dir)}: end it first")
        for path in data_dir.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name.startswith("outbox."):
                path.unlink()
        yield


def _with_urls(config: Config, urls: Mapping[str, str]) -> Config:
    """The cameras as they are served now: the last part of an address names the film."""

    def here(stream: Any) -> Any:
        if stream is None:
            return None
        name = stream.url.rpartition("/")[2]
        if name not in urls:
            fail(f"the city has no stream {name!r}; there are {', '.join(urls)}")
        return stream.model_copy(update={"url": urls[name]})

    cameras = tuple(
        camera.model_copy(update={"detect": here(camera.detect), "record": here(camera.record)})
        for camera in config.cameras
    )
    return config.model_copy(update={"cameras": cameras})


def _tell(
    config_file: Path,
    config: Config,
    board: Board,
    expected: list[str],
    missing: list[str],
    as_json: bool,
    shown: dict[str, Any] | None,
) -> None:
    from pipeline.worker.box import evidence_root

    root = evidence_root(config)
    if as_json:
        found = [{**asdict(one), "time": one.time.isoformat()} for one in board.found()]
        print_json(
            {
                "kinds": dict(board.kinds()),
                "tally": board.tally.as_json(),
                "missing": missing,
                "analysed_hz": board.rates_hz(),
                "evidence": str(root),
                "console": shown,
                "acts": found,
            }
        )
    else:
        command = "ngatu" if shutil.which("ngatu") else _short(Path(sys.prefix) / "bin" / "ngatu")
        out.print(board.summary(expected), markup=False)
        out.print(f"evidence, a folder each, until the next demo: {_short(root)}", markup=False)
        out.print(f"look on:  {command} events {config_file} --tally", markup=False)
        out.print(f"          {command} verify {_short(root)}", markup=False)
        if shown is not None:
            out.print(f"          {command} ioc serve {config_file.with_name(IOC_CONFIG)}", markup=False)
    if shown is not None and shown["kinds"] != dict(board.kinds()):
        err.print(
            f"ngatu: the console shows {shown['cases']} cases of {board.kinds().total()} acts", markup=False
        )
    if board.first_frame_s is None:
        err.print("ngatu: no camera sent a picture", markup=False)
    if missing:
        rates = ", ".join(f"{camera_id} {rate:.1f}" for camera_id, rate in board.rates_hz().items())
        err.print(
            f"ngatu: not found: {', '.join(missing)}; pictures analysed a second: {rates or 'none'} "
            f"(asked: {config.cameras[0].analysis.rate_hz:g}; a machine that is too busy sees too little)",
            markup=False,
        )
    sys.stdout.flush()


def _short(path: Path) -> Path:
    here, path = Path.cwd(), path.resolve()
    return path.relative_to(here) if path.is_relative_to(here) else path

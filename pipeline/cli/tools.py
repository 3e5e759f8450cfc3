"""Commands for trying and measuring: replay, schema, bench."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from pipeline.cli.common import AsJson, err, fail, out, print_json


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
        fail(str(error))
    except KeyboardInterrupt:
        pass


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
        fail(f"there is no schema {name!r}; known: {', '.join([*known, 'config', 'scene'])}")
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


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
        fail(*error.problems)
    except (ReplayError, PerceptionError, RuntimeError) as error:
        fail(str(error))
    if as_json:
        print_json({"cameras_held": held, "runs": [asdict(result) for result in results]})
        return
    shown = next((r for r in reversed(results) if r.cameras == held), results[-1])
    table = Table("figure", "value", box=None, pad_edge=False)
    for name, value in asdict(shown).items():
        table.add_row(name, "-" if value is None else str(value))
    out.print(table)
    out.print(f"cameras held in real time: {held}")

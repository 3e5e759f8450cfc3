"""`ngatu sim`: film the synthetic city, and serve it as cameras."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from pipeline.cli.common import err, fail

if TYPE_CHECKING:
    from pipeline.sim.film import Film

sim_app = typer.Typer(
    help="A synthetic city with known truth: cameras for those who have none.", no_args_is_help=True
)

FILMING_CPU_S = 0.1
"""Processor time of a picture of 1280x720, drawn and encoded; one of 1920x1080 takes half as much again."""

Name = Annotated[str, typer.Argument(help="A scenario; `ngatu sim list` names them.", metavar="SCENARIO")]
Family = Annotated[str, typer.Option(help="train, dev or heldout: cities that share no seed.")]
Seed = Annotated[int, typer.Option(help="Which city of the family.", min=0)]
Duration = Annotated[
    float | None, typer.Option("--duration", help="Seconds; the scenario's own unless given.")
]
Width = Annotated[int, typer.Option(help="Width of the main stream in pixels, 16:9.", min=320, max=3840)]
Rate = Annotated[float, typer.Option("--rate", help="Pictures a second.", min=1, max=60)]
Folder = Annotated[
    Path | None, typer.Option("--out", help="Folder for films; the user's cache unless given.")
]


@sim_app.command("list")
def list_scenarios() -> None:
    """Name the scenarios, with their cameras and how long they are."""
    from pipeline.sim.scenario import CATALOGUE

    for one in CATALOGUE.values():
        sys.stdout.write(f"{one.name:<16} {one.duration_s:5.0f} s  {', '.join(one.cameras)}\n")


@sim_app.command()
def render(
    name: Name,
    family: Family = "dev",
    seed: Seed = 0,
    duration_s: Duration = None,
    width: Width = 1920,
    rate_hz: Rate = 25.0,
    out: Folder = None,
) -> None:
    """Film a scenario: main and sub stream, truth and scene file of every camera. Done once, then kept."""
    film = film_with_bar(name, family, seed, duration_s, width, rate_hz, out)
    sys.stdout.write(f"{film.folder}\n")


@sim_app.command()
def scenes(
    name: Name,
    folder: Annotated[Path, typer.Argument(help="Where to; files of the same names are replaced.")],
) -> None:
    """Write the scene file of every camera of a scenario, from its ground plan: examples to look at."""
    from pipeline.sim.errors import SimError
    from pipeline.sim.scenario import scenario
    from pipeline.sim.scenes import write_scenes

    try:
        for path in write_scenes(scenario(name), folder):
            sys.stdout.write(f"{path}\n")
    except SimError as error:
        fail(str(error))


@sim_app.command()
def serve(
    name: Name,
    family: Family = "dev",
    seed: Seed = 0,
    duration_s: Duration = None,
    width: Width = 1920,
    rate_hz: Rate = 25.0,
    out: Folder = None,
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.", min=0, max=65535)] = 8554,
) -> None:
    """Serve every camera of a scenario as RTSP, main and sub stream; films it first if need be."""
    from pipeline.cameras.replay import ReplayError, serve_forever

    film = film_with_bar(name, family, seed, duration_s, width, rate_hz, out)
    files = [path for camera in film.cameras for path in (camera.main, camera.sub)]

    def ready(urls: dict[str, str]) -> None:
        sys.stdout.write("".join(f"{url}\n" for url in urls.values()))
        sys.stdout.flush()
        err.print(f"scene files and truth: {film.folder}", markup=False)

    try:
        serve_forever(files, "127.0.0.1", port, ready, together=True)
    except ReplayError as error:
        fail(str(error))
    except KeyboardInterrupt:
        pass


def film_with_bar(
    name: str,
    family: str,
    seed: int,
    duration_s: float | None,
    width: int,
    rate_hz: float,
    out: Path | None,
) -> Film:
    """The film, made now with a progress bar unless it is there. Ends with a sentence where it cannot be."""
    from pipeline.sim.errors import SimError
    from pipeline.sim.film import cache_folder, film, film_folder
    from pipeline.sim.scenario import scenario

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "pictures,", TimeRemainingColumn())
    size = (width // 2 * 2, width * 9 // 32 * 2)
    cache = out or cache_folder()
    try:
        # An unknown family is refused by `scenario` itself, with the ones there are.
        chosen = scenario(name, family, seed, duration_s)  # type: ignore[arg-type]
        folder = film_folder(chosen, cache, size=size, rate_hz=rate_hz)
        if folder.is_dir():
            err.print(f"the city was filmed before: {folder}", markup=False)
            return film(chosen, cache, size=size, rate_hz=rate_hz)
        cpu_s = FILMING_CPU_S * chosen.duration_s * rate_hz * len(chosen.cameras)
        err.print(
            f"filming the synthetic city once, {len(chosen.cameras)} cameras, "
            f"{chosen.duration_s:.0f} s: some {max(1, round(cpu_s / (os.cpu_count() or 1) / 60))} minutes "
            f"of this machine if it is idle; kept in {cache}",
            markup=False,
        )
        with Progress(*columns, console=err, transient=True) as bars:
            task = bars.add_task("filming", total=None)
            return film(
                chosen,
                cache,
                size=size,
                rate_hz=rate_hz,
                progress=lambda done, total: bars.update(task, completed=done, total=total),
            )
    except SimError as error:
        fail(str(error))
    except KeyboardInterrupt:
        err.print("ngatu: stopped; nothing of the unfinished film is kept", markup=False)
        raise typer.Exit(130) from None

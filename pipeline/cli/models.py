"""`ngatu models`: which detectors are known, and how to get one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipeline.cli.common import AsJson, err, fail, out, print_json

models_app = typer.Typer(help="Detector models: which are known, and how to get one.", no_args_is_help=True)

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
        fail(str(error))
    if as_json:
        print_json(
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
            fail(str(error))
    out.print(str(path), markup=False)

"""What the commands share: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

ConfigFile = Annotated[Path, typer.Argument(help="The worker's configuration (YAML).", metavar="CONFIG")]


class LogLevel(StrEnum):
    """What is logged at least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LogsFrom = Annotated[
    LogLevel, typer.Option("--log-level", case_sensitive=False, help="What is logged at least.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(*sentences: str) -> NoReturn:
    """End with exit code 1, each sentence on a line of its own."""
    for sentence in sentences:
        err.print(f"ngatu: {sentence}", markup=False)
    raise typer.Exit(1)


def print_json(value: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def load(path: Path) -> tuple[Any, dict[str, Any]]:
    """Configuration, and the scene settings of every camera; ends with every problem told."""
    config = configuration(path)
    scenes, problems = scenes_of(config)
    if problems:
        fail(*problems)
    return config, scenes


def configuration(path: Path) -> Any:
    """Configuration, whatever its scenes are like; ends with every problem told."""
    from pipeline.config.load import ConfigError, load_config

    try:
        return load_config(path)
    except ConfigError as error:
        fail(*error.problems)


def scenes_of(config: Any) -> tuple[dict[str, Any], list[str]]:
    """The scene settings of every camera whose file can be used, and what is wrong with the other files."""
    from pipeline.config.load import ConfigError, load_scene
    from pipeline.scene import SceneSettings

    scenes: dict[str, SceneSettings] = {}
    problems: dict[str, None] = {}  # each once: cameras may share a scene file
    for camera in config.cameras:
        try:
            scenes[camera.id] = load_scene(camera.scene) if camera.scene else SceneSettings()
        except ConfigError as error:
            problems |= dict.fromkeys(error.problems)
    return scenes, list(problems)

"""Reads configuration and scene files: every problem at once, with file, line, key and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from pipeline.config.document import ConfigError, Document, Loc, read
from pipeline.config.root import Config
from pipeline.config.validation import did_you_mean, note, validate
from pipeline.rules import RULES
from pipeline.scene import SceneSettings

__all__ = ["ConfigError", "config_schema", "load_config", "load_scene", "scene_schema"]

M = TypeVar("M", bound=BaseModel)


def load_config(path: Path) -> Config:
    """The worker's configuration; relative paths in it are taken from the file's folder.

    Raises ConfigError listing every problem.
    """
    document = read(path)
    _refuse_scene(document)
    refuse_variables(document, document.data, ())
    _absolute_addresses(document.data, path.resolve().parent)
    config = validate(document, Config, document.data)
    document.refuse()
    return absolute(config, path.resolve().parent)


def load_scene(path: Path, text: str | None = None) -> SceneSettings:
    """A camera's scene: the file, or `text` that is to become it.

    Raises ConfigError listing every problem, impossible geometry included.
    """
    document = read(path, text)
    scene = validate(document, SceneSettings, document.data)
    rules = document.data.get("rules")
    for name, parameters in rules.items() if isinstance(rules, dict) else ():
        loc: Loc = ("rules", name)
        if name not in RULES:
            known = f"known rules: {', '.join(RULES)}"
            note(document, loc, f"there is no such rule{did_you_mean(name, list(RULES))} ({known})")
            continue
        if isinstance(parameters, dict):
            validate(document, RULES[name].parameters, parameters, loc)
        if scene is not None and (lacking := RULES[name].lacks(scene)) is not None:
            note(document, loc, f"is on, but the scene lacks {lacking}; draw it or remove the rule")
    document.refuse()
    return scene


def config_schema() -> dict[str, Any]:
    """JSON Schema of a worker's configuration file, for editors."""
    return {"title": "Ngã Tư worker", **Config.model_json_schema()}


def scene_schema() -> dict[str, Any]:
    """JSON Schema of a scene file, for editors, with the parameters of every rule."""
    schema = SceneSettings.model_json_schema()
    rules = {}
    for name, rule in RULES.items():
        parameters = rule.parameters.model_json_schema()
        rules[name] = {**parameters, "type": ["object", "null"]}
    old = schema["properties"]["rules"]
    schema["properties"]["rules"] = {
        "type": "object",
        "description": old["description"],
        "default": {},
        "properties": rules,
        "additionalProperties": False,
    }
    return schema


def refuse_variables(document: Document, value: Any, loc: Loc) -> None:
    """Note every ${...}: nothing expands it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            refuse_variables(document, inner, (*loc, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            refuse_variables(document, inner, (*loc, i))
    elif isinstance(value, str) and "${" in value:
        note(
            document,
            loc,
            "variables (${...}) are not expanded; write the value, or name a secret by password_env",
        )


def _refuse_scene(document: Document) -> None:
    """Raise ConfigError for a scene file where a worker's configuration is wanted."""
    keys = document.data.keys()
    if keys & SceneSettings.model_fields.keys() and not keys & Config.model_fields.keys():
        found = "this is a scene file; give the worker's configuration that names it under cameras[].scene"
        raise ConfigError([document.at(1, found)])


def _absolute_addresses(data: Any, folder: Path) -> None:
    """Turn relative file addresses (file:clips/a.mp4, file://clips/a.mp4) into absolute ones, in place."""
    cameras = data.get("cameras")
    for camera in cameras if isinstance(cameras, list) else ():
        for key in ("detect", "record"):
            stream = camera.get(key) if isinstance(camera, dict) else None
            url = stream.get("url") if isinstance(stream, dict) else None
            if not isinstance(stream, dict) or not isinstance(url, str) or not url.startswith("file:"):
                continue
            relative = url.removeprefix("file:").removeprefix("//").removeprefix("localhost/")
            if (relative and not url.startswith(("file:/", "file://localhost/"))) or _has_host(url):
                stream["url"] = f"file://{quote(str(folder))}/{relative}"


def _has_host(url: str) -> bool:
    try:
        return urlsplit(url).netloc not in ("", "localhost")
    except ValueError:
        return False


def absolute(model: M, folder: Path) -> M:
    """The model with every relative path in it taken from `folder`."""
    return model.model_copy(update={name: _resolved(value, folder) for name, value in model})


def _resolved(value: Any, folder: Path) -> Any:
    if isinstance(value, BaseModel):
        return absolute(value, folder)
    if isinstance(value, tuple):
        return tuple(_resolved(item, folder) for item in value)
    if isinstance(value, Path):
        return folder / value.expanduser()
    return value

"""Reads configuration and scene files: every problem at once, with file, line, key and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ValidationError

from pipeline.config.document import ConfigError, Document, Loc, dotted, read
from pipeline.config.root import Config
from pipeline.rules import RULES
from pipeline.scene import SceneProblemsError, SceneSettings

__all__ = ["ConfigError", "config_schema", "load_config", "load_scene", "scene_schema"]

M = TypeVar("M", bound=BaseModel)

_WORDS = {
    "model_type": "must be a mapping of keys",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys",
}
"""What pydantic says in words of Python."""


def load_config(path: Path) -> Config:
    """The worker's configuration; relative paths in it are taken from the file's folder.

    Raises ConfigError listing every problem.
    """
    document = read(path)
    _refuse_variables(document, document.data, ())
    _absolute_addresses(document.data, path.resolve().parent)
    config = _validate(document, Config, document.data)
    _raise(document)
    return _absolute(config, path.resolve().parent)


def load_scene(path: Path) -> SceneSettings:
    """A camera's scene. Raises ConfigError listing every problem, impossible geometry included."""
    document = read(path)
    scene = _validate(document, SceneSettings, document.data)
    rules = document.data.get("rules")
    for name, parameters in rules.items() if isinstance(rules, dict) else ():
        loc: Loc = ("rules", name)
        if name not in RULES:
            known = f"known rules: {', '.join(RULES)}"
            _problem(document, loc, f"there is no such rule{_did_you_mean(name, list(RULES))} ({known})")
            continue
        if isinstance(parameters, dict):
            _validate(document, RULES[name].parameters, parameters, loc)
        if scene is not None and (lacking := RULES[name].lacks(scene)) is not None:
            _problem(document, loc, f"is on, but the scene lacks {lacking}; draw it or remove the rule")
    _raise(document)
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


def _raise(document: Document) -> None:
    if document.problems:
        place = re.compile(r":(\d+): ")

        def line(problem: str) -> int:
            found = place.search(problem)
            return int(found[1]) if found else 0

        raise ConfigError(sorted(dict.fromkeys(document.problems), key=line))


def _problem(document: Document, loc: Loc, text: str) -> None:
    where = f"{dotted(loc)}: " if loc else ""
    document.problems.append(document.at(document.line_of(loc), f"{where}{text}"))


def _validate(document: Document, model: type[M], data: Any, above: Loc = ()) -> M:
    """The model, or, with its problems noted in the document, nothing worth using."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        for detail in details:
            if detail["type"] == "too_short" and any(
                len(d["loc"]) > len(detail["loc"]) and d["loc"][: len(detail["loc"])] == detail["loc"]
                for d in details
            ):
                continue  # short of good items only: each bad one is named by itself
            for loc, text in _explain(model, detail):
                _problem(document, (*above, *loc), text)
        return None  # type: ignore[return-value]


def _explain(model: type[BaseModel], detail: Any) -> Iterator[tuple[Loc, str]]:
    loc: Loc = tuple(detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, SceneProblemsError):
        for inner, text in cause.problems:
            yield (*loc, *inner), text
    elif detail["type"] == "extra_forbidden":
        known = _keys_at(model, loc[:-1])
        key = str(loc[-1])
        meant = _did_you_mean(key, known)
        yield loc, f"unknown key{meant or '; known here: ' + ', '.join(known)}"
    elif detail["type"] == "missing":
        yield loc[:-1], f"{loc[-1]} is missing; add `{loc[-1]}:`"
    elif isinstance(cause, ValueError):
        yield loc, str(cause)
    else:
        given = detail["input"]
        shown = "" if isinstance(given, dict | list | tuple) else f", not {_short(given)}"
        text = _WORDS.get(detail["type"]) or str(detail["msg"]).replace("Tuple", "List")
        yield loc, f"{text[0].lower()}{text[1:]}{shown}"


def _short(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{str(value).lower()} (quote it where the word is meant)"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _did_you_mean(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _keys_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """Keys that the model knows at a place in it."""
    here: list[type[BaseModel]] = [model]
    for part in loc:
        if isinstance(part, str):
            annotations = [m.model_fields[part].annotation for m in here if part in m.model_fields]
            here = [inner for annotation in annotations for inner in _models_in(annotation)]
    return [key for m in here for key in m.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _refuse_variables(document: Document, value: Any, loc: Loc) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_variables(document, inner, (*loc, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _refuse_variables(document, inner, (*loc, i))
    elif isinstance(value, str) and "${" in value:
        _problem(
            document,
            loc,
            "variables (${...}) are not expanded; write the value, or name a secret by password_env",
        )


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


def _absolute(model: M, folder: Path) -> M:
    """The model with every relative path in it taken from `folder`."""
    return model.model_copy(update={name: _resolved(value, folder) for name, value in model})


def _resolved(value: Any, folder: Path) -> Any:
    if isinstance(value, BaseModel):
        return _absolute(value, folder)
    if isinstance(value, tuple):
        return tuple(_resolved(item, folder) for item in value)
    if isinstance(value, Path):
        return folder / value.expanduser()
    return value

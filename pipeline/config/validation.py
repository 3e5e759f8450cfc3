"""From plain data to a model: what pydantic refuses becomes problems with line, key and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pipeline.config.document import Document, Loc, dotted

M = TypeVar("M", bound=BaseModel)

_WORDS = {
    "model_type": "must be a mapping of keys",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys",
}
"""What pydantic says in words of Python."""

_CHARACTERS = re.compile(r"\^(\[(?:A-Z)?a-z0-9\])?\[((?:A-Z)?a-z[^]]*)\]\{\d+,(\d+)\}\$")
"""The patterns of ids: characters of one set, the first often a letter or digit."""


def note(document: Document, loc: Loc, text: str) -> None:
    """Add a problem at a key to the document's."""
    where = f"{dotted(loc)}: " if loc else ""
    document.problems.append(document.at(document.line_of(loc), f"{where}{text}"))


def validate(document: Document, model: type[M], data: Any, above: Loc = ()) -> M:
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
                note(document, (*above, *loc), text)
        return None  # type: ignore[return-value]


def _explain(model: type[BaseModel], detail: Any) -> Iterator[tuple[Loc, str]]:
    loc: Loc = tuple(detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    if (problems := getattr(cause, "problems", None)) is not None:
        # A model that looks at itself as a whole, such as a scene: one error for all that it found.
        for inner, text in problems:
            yield (*loc, *inner), text
    elif detail["type"] == "extra_forbidden":
        known = _keys_at(model, loc[:-1])
        key = str(loc[-1])
        meant = did_you_mean(key, known)
        yield loc, f"unknown key{meant or '; known here: ' + ', '.join(known)}"
    elif detail["type"] == "missing":
        yield loc[:-1], f"{loc[-1]} is missing; add `{loc[-1]}:`"
    elif isinstance(cause, ValueError):
        yield loc, str(cause)
    else:
        given = detail["input"]
        shown = "" if isinstance(given, dict | list | tuple) else f", not {_short(given)}"
        text = (
            _WORDS.get(detail["type"]) or _characters(detail) or str(detail["msg"]).replace("Tuple", "List")
        )
        yield loc, f"{text[0].lower()}{text[1:]}{shown}"


def _characters(detail: Any) -> str | None:
    """What the pattern of an id asks for; None for other patterns and problems."""
    found = _CHARACTERS.fullmatch(detail.get("ctx", {}).get("pattern", ""))
    if found is None:
        return None
    first, allowed, more = found.groups()
    letters = "letters a-z, A-Z" if "A-Z" in allowed else "small letters a-z"
    digits = "digits" if "0-9" in allowed else ""
    others = " ".join(re.sub("A-Z|a-z|0-9", "", allowed))
    kinds = ", ".join(filter(None, [f"{letters} without accents", digits, others]))
    begin = "begin with a letter or digit and " if first else ""
    most = int(more) + (first is not None)
    return f"must {begin}hold only {kinds} ({most} at most)"


def _short(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{str(value).lower()} (quote it where the word is meant)"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint for a word that is nearly a known one; else ""."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _keys_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """Keys that the model knows at a place in it."""
    here: list[type[BaseModel]] = [model]
    for part in loc:
        if isinstance(part, str):
            annotations = [m.model_fields[part].annotation for m in here if part in m.model_fields]
            here = [inner for annotation in annotations for inner in _models_in(annotation)]
    return [field.alias or key for m in here for key, field in m.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]

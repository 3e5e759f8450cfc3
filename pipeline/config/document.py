"""YAML as plain data that remembers on which line each key stands. What cannot be trusted is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 512 * 1024
MAX_DEPTH = 20

Loc = tuple[str | int, ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ConfigError(Exception):
    """A file that cannot be used: one problem a line, each with file, line, key and what to do."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(slots=True)
class Document:
    """A parsed file."""

    path: Path
    data: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    """Where each key or item stands, counted from 1."""
    problems: list[str] = field(default_factory=list)

    def line_of(self, loc: Loc) -> int:
        """Line of the key, or of the nearest one above it that the file has."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def at(self, line: int, text: str) -> str:
        """A problem as it is shown."""
        return f"{self.path}:{line}: {text}"

    def refuse(self) -> None:
        """Raise ConfigError with the problems found so far, in order of their lines; nothing without any."""
        if self.problems:
            raise ConfigError(sorted(dict.fromkeys(self.problems), key=_line))


def _line(problem: str) -> int:
    found = re.search(r":(\d+): ", problem)
    return int(found[1]) if found else 0


def read(path: Path, text: str | None = None) -> Document:
    """Parse one YAML document: the file, or `text` that is to become it.

    Raises ConfigError for what is not readable, sane, or unique.
    """
    document = Document(path)
    text = _text(document, None if text is None else text.encode("utf-8", "surrogatepass"))
    try:
        for problem in _unsafe(document, text):
            raise ConfigError([problem])
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax(document, text, error)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError([document.at(line, f"a character YAML does not allow ({error.reason})")]) from None
    if node is None:
        raise ConfigError([document.at(1, "the file is empty")])
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            [document.at(1, "must be a mapping of keys (KEY: VALUE lines), not a list or a text")]
        )
    document.data = _build(document, node, (), yaml.SafeLoader(""))
    return document


def _text(document: Document, raw: bytes | None) -> str:
    path = document.path
    try:
        if raw is None:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError([f"{path}: larger than {MAX_BYTES // 1024} KiB; this is no configuration file"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([document.at(line, "not UTF-8; save the file as UTF-8")]) from None


def _unsafe(document: Document, text: str) -> list[str]:
    """Aliases (a few lines of them expand to gigabytes), own tags, several documents, endless nesting."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        name = getattr(event, "anchor", None)
        if name is not None:
            return [
                document.at(line, f"anchors and aliases (&{name}, *{name}) are not supported; write it out")
            ]
        tag = getattr(event, "tag", None)
        if tag is not None:
            return [document.at(line, f"tags ({tag}) are not supported; remove it")]
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                return [document.at(line, "a second document (---) in one file; keep one")]
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                return [document.at(line, f"nested more than {MAX_DEPTH} levels deep")]
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return []


def _syntax(document: Document, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    number = mark.line + 1 if mark is not None else 1
    lines = text.splitlines()
    source = lines[number - 1] if number <= len(lines) else ""
    if "\t" in source[: len(source) - len(source.lstrip())]:
        return document.at(number, "a tab in the indentation; YAML wants spaces")
    what = error.problem or "not valid YAML"
    context = f" ({error.context})" if error.context else ""
    return document.at(number, f"not valid YAML: {what}{context}; check indentation, colons and quotes")


def _build(document: Document, node: yaml.Node, loc: Loc, values: yaml.SafeLoader) -> Any:
    document.lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_build(document, item, (*loc, i), values) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        try:
            return values.construct_object(node)
        except (ValueError, yaml.YAMLError):
            line = node.start_mark.line + 1
            document.problems.append(
                document.at(line, f"{dotted(loc)}: {node.value!r} is not a value YAML knows")
            )
            return None
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append(document.at(line, f"{dotted(loc) or 'key'}: a key must be a plain word"))
            continue
        # As written: YAML 1.1 would read the keys on, off, yes and no as booleans.
        key = key_node.value
        inner = (*loc, key)
        if key in mapping:
            first = document.lines[inner]
            document.problems.append(
                document.at(line, f"{dotted(inner)}: given twice (first in line {first}); remove one")
            )
            continue
        document.lines[inner] = line
        mapping[key] = _build(document, value_node, inner, values)
    return mapping


def dotted(loc: Loc) -> str:
    """A place as operators read it: cameras[0].detect.url."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text

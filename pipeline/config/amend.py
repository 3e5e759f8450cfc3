"""Writes changed data back into a YAML text that a person wrote: what did not change stays as it stands,
comments and all. A value that did change is written anew, and loses the comments inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.document import MAX_DEPTH, ConfigError, read

_HERE = Path("text")


class AmendError(ValueError):
    """Data that no YAML file can hold."""


def amend(text: str, data: dict[str, Any]) -> str:
    """The text with `data` in place of what it held. Raises AmendError.

    Where the text cannot be amended piece by piece (flow style at its top, or not a readable file), all of it
    is written anew.
    """
    _refuse_unsound(data, 0)
    try:
        old = read(_HERE, text).data
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = text.splitlines()
        kept = _changed(lines, node, 0, len(lines), old, data)
        if kept is not None:
            amended = "\n".join(kept) + "\n"
            if read(_HERE, amended).data == data:
                return amended
    except (ConfigError, yaml.YAMLError):
        pass
    return dump(data)


def dump(data: Any) -> str:
    """The data as YAML: points and other lists of plain values in one line each. Raises AmendError."""
    try:
        return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    except (yaml.YAMLError, ValueError) as error:
        raise AmendError(str(error)) from None


def _refuse_unsound(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise AmendError(f"nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_unsound(key, depth + 1)
            _refuse_unsound(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _refuse_unsound(inner, depth + 1)
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise AmendError("holds half a character") from None
        if not value.isprintable():
            raise AmendError("holds a control character")


def _changed(
    lines: list[str], node: yaml.Node | None, first: int, end: int, old: Any, new: Any
) -> list[str] | None:
    """Lines `first` to before `end`, which hold `node` in block style, with `new` in place of `old`.

    None where that cannot be done piece by piece.
    """
    if isinstance(node, yaml.MappingNode) and isinstance(new, dict):
        return _changed_mapping(lines, node, first, end, old, new)
    if isinstance(node, yaml.SequenceNode) and isinstance(new, list):
        return _changed_list(lines, node, first, end, old, new)
    return None


def _changed_mapping(
    lines: list[str], node: yaml.MappingNode, first: int, end: int, old: Any, new: dict[str, Any]
) -> list[str] | None:
    if node.flow_style or not node.value or not new:
        return None
    column = node.value[0][0].start_mark.column
    out = lines[first : _from(lines, node.value[0][0].start_mark.line, first)]
    for (key_node, value_node), begin, stop in _spans(lines, [pair for pair in node.value], first, end):  # noqa: C416
        key = key_node.value
        if key not in new:
            continue
        if new[key] == old[key]:
            out += lines[begin:stop]
            continue
        at = key_node.start_mark.line
        inner = None
        if value_node.start_mark.line > at:
            inner = _changed(lines, value_node, at + 1, stop, old[key], new[key])
        if inner is not None:
            out += [*lines[begin : at + 1], *inner]
        else:
            out += [*lines[begin:at], *_indented(dump({key: new[key]}), column)]
    for key, value in new.items():
        if key not in old:
            out += _indented(dump({key: value}), column)
    return out


def _changed_list(
    lines: list[str], node: yaml.SequenceNode, first: int, end: int, old: list[Any], new: list[Any]
) -> list[str] | None:
    if node.flow_style or not node.value or not new:
        return None
    starts = [item.start_mark.line for item in node.value]
    if len(set(starts)) != len(starts):
        return None
    column = lines[starts[0]].find("-")
    out = lines[first : _from(lines, starts[0], first)]
    spans = list(_spans(lines, [(item, item) for item in node.value], first, end))
    left = list(range(len(old)))
    for item in new:
        which = next((i for was in (_same, _namesake, _renamed) for i in left if was(old[i], item)), None)
        if which is None:
            out += _indented(dump([item]), column)
            continue
        left.remove(which)
        (item_node, _), begin, stop = spans[which]
        inner = lines[begin:stop] if old[which] == item else None
        if inner is None:
            # Its first key stands behind the dash: it is looked at as if it stood below.
            at = item_node.start_mark.line
            bare = [*lines]
            bare[at] = bare[at].replace("-", " ", 1)
            inner = _changed(bare, item_node, at, stop, old[which], item)
            if inner is not None and inner[0][column : column + 1] == " ":
                inner[0] = f"{inner[0][:column]}-{inner[0][column + 1 :]}"
                inner = [*lines[begin:at], *inner]
            else:
                inner = [*lines[begin:at], *_indented(dump([item]), column)]
        out += inner
    return out


def _spans(
    lines: list[str], nodes: list[tuple[yaml.Node, yaml.Node]], first: int, end: int
) -> Iterator[tuple[tuple[yaml.Node, yaml.Node], int, int]]:
    """Each node with the lines that are its own: whole-line comments belong to what comes after them."""
    starts = [_from(lines, pair[0].start_mark.line, first) for pair in nodes]
    yield from zip(nodes, starts, [*starts[1:], end], strict=True)


def _from(lines: list[str], line: int, first: int) -> int:
    while line > first and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line


def _indented(text: str, column: int) -> list[str]:
    return [" " * column + line if line else line for line in text.splitlines()]


def _name(item: Any) -> Any:
    return item.get("id") if isinstance(item, dict) else None


def _same(old: Any, new: Any) -> bool:
    return bool(old == new)


def _namesake(old: Any, new: Any) -> bool:
    return _name(new) is not None and _name(old) == _name(new)


def _renamed(old: Any, new: Any) -> bool:
    """Whether they differ in nothing but their names."""
    return _name(new) is not None and isinstance(old, dict) and {**old, "id": new["id"]} == new


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    plain = all(not isinstance(inner, list | dict) for inner in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=plain)


_Dumper.add_representer(list, _list)

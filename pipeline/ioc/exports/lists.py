"""Selections of cases as CSV and JSON, a page in memory at a time."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from typing import Literal

from pipeline.ioc.desk import CaseRow, Desk, Filter
from pipeline.ioc.exports import ExportError
from pipeline.ioc.exports.words import VIETNAM
from pipeline.ioc.people import Person

Form = Literal["csv", "json"]
COLUMNS = (
    "id",
    "type",
    "rule",
    "camera",
    "place",
    "area",
    "at",
    "road_user",
    "plate",
    "confidence",
    "state",
    "days_left",
)
_BOM = "\ufeff"
"""By it spreadsheets know that the letters are UTF-8."""

# What makes a spreadsheet compute: at the beginning of a text, or where a program that separates by other
# characters than we do would see a beginning (OWASP, CSV injection).
_FORMULA = re.compile(r"(^|[;,|\t\r\n\"'])(\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")


def selection(desk: Desk, person: Person, wanted: Filter, form: Form, most: int) -> Iterator[bytes]:
    """The cases of a filter that the person may see, as a file in parts; written down in the audit log.

    Raises ExportError at once where there are more than `most`: a list is whole, or not there at all.
    """
    count = desk.count(person, wanted, most + 1)
    if count > most:
        raise ExportError(f"more than {most} cases: narrow the filter")
    detail = {name: value for name, value in asdict(wanted).items() if value not in ("", None, False)}
    desk.exported(person, f"cases.export_{form}", detail={**detail, "cases": count})
    pages = _pages(desk, person, wanted, most)
    return _as_csv(pages) if form == "csv" else _as_json(pages, wanted)


def _pages(desk: Desk, person: Person, wanted: Filter, most: int) -> Iterator[list[CaseRow]]:
    # What comes in meanwhile stays out, so that no page is cut off in the end.
    cursor, left = None, most
    while left > 0:
        page = desk.cases(person, wanted, cursor)
        rows = page.rows[:left]
        left -= len(rows)
        if rows:
            yield rows
        cursor = page.next
        if cursor is None:
            return


def _as_csv(pages: Iterator[list[CaseRow]]) -> Iterator[bytes]:
    """RFC 4180, every text in quotes."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    yield (_BOM + out.getvalue()).encode()
    for rows in pages:
        out.seek(0)
        out.truncate()
        for row in rows:
            cells = _cells(row)
            writer.writerow(
                [defused(cell) if isinstance(cell, str) else cell for cell in map(cells.get, COLUMNS)]
            )
        yield out.getvalue().encode()


def _as_json(pages: Iterator[list[CaseRow]], wanted: Filter) -> Iterator[bytes]:
    """One object; `count` comes last, so that a file without it is known to be cut off."""
    yield b'{"filter":' + _json(asdict(wanted)) + b',"cases":['
    count = 0
    for rows in pages:
        for row in rows:
            yield (b"\n," if count else b"\n") + _json(_cells(row))
            count += 1
    yield b'\n],"count":' + str(count).encode() + b"}\n"


def _cells(row: CaseRow) -> dict[str, str | int | float]:
    values = asdict(replace(row, confidence=round(row.confidence, 4)))
    values["at"] = datetime.fromtimestamp(row.at_ms / 1000, VIETNAM).isoformat(timespec="milliseconds")
    return {name: values[name] for name in COLUMNS}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def defused(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands before what would begin one."""
    return _FORMULA.sub(r"\1\2'\3", text)

"""`ngatu law`: what the catalogue says, and of what moment."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.cli.common import AsJson, fail, out, print_json

if TYPE_CHECKING:
    from pipeline.law import Band, Catalogue, LawEntry

law_app = typer.Typer(
    help="The law that acts are held against: decrees, articles, fines, and since when.", no_args_is_help=True
)

Folder = Annotated[
    Path | None, typer.Option(help="Folder of decrees instead of the shipped ones.", metavar="DIR")
]
At = Annotated[str | None, typer.Option(help="Date there, 2026-01-31; today unless given.", metavar="DATE")]


@law_app.command("list")
def list_(at: At = None, folder: Folder = None, as_json: AsJson = False) -> None:
    """Print every entry in force on a day."""
    from pipeline.events.blocks import entry_block
    from pipeline.law.catalogue import summary

    day = _day(at)
    entries = _catalogue(folder).on(day)
    if as_json:
        print_json(
            {
                "on": str(day),
                "entries": [
                    {"act": entry.act, "vehicles": _vehicles(entry), "conditions": _conditions(entry)}
                    | entry_block(entry).model_dump(mode="json")
                    for entry in entries
                ],
            }
        )
        return
    table = Table(box=None, pad_edge=False)
    for name in ("act", "vehicles", "point", "million VND", "points", "only"):
        table.add_column(name, no_wrap=name != "only")
    for entry in entries:
        table.add_row(
            entry.act,
            " ".join(_vehicles(entry)),
            f"{entry.article}.{entry.clause}.{entry.point}" + "*" * (not entry.sure),
            "-".join(f"{amount / 1e6:g}" for amount in entry.fine_vnd),
            f"-{entry.licence_points}" if entry.licence_points else "",
            _conditions(entry),
        )
    out.print(table)
    if not all(entry.sure for entry in entries):
        out.print("* to be compared with the official text before anybody relies on it", markup=False)
    out.print(f"{day}: {summary(entries)}", markup=False)


@law_app.command()
def show(
    act: Annotated[str, typer.Argument(help="Name of the rule, such as red_light.")],
    at: At = None,
    vehicle: Annotated[
        str | None, typer.Option(help="car, motorbike, ...; every vehicle unless given.")
    ] = None,
    over_kmh: Annotated[float | None, typer.Option("--over", help="km/h above the limit.", min=0)] = None,
    passengers: Annotated[int | None, typer.Option(help="Besides the rider.", min=0)] = None,
    motorway: Annotated[bool | None, typer.Option(help="On a motorway, or surely not.")] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Print what an event of this act would carry: the entries in force then, for this vehicle."""
    from pipeline.events.blocks import law_block
    from pipeline.law import Details
    from pipeline.law.catalogue import ZONE
    from pipeline.types import RoadUserKind

    catalogue = _catalogue(folder)
    if act not in catalogue.acts():
        fail(f"the catalogue has no act {act!r}; known: {', '.join(catalogue.acts())}")
    if vehicle is not None and vehicle not in list(RoadUserKind):
        fail(f"there is no vehicle {vehicle!r}; known: {', '.join(RoadUserKind)}")
    noon = datetime.combine(_day(at), datetime.min.time().replace(hour=12), ZONE)
    details = Details(None if over_kmh is None else (over_kmh, over_kmh), passengers, motorway)
    found = catalogue.in_force(
        act, None if vehicle is None else RoadUserKind(vehicle), noon.timestamp(), details
    )
    if as_json:
        print_json({"act": act, "vehicle": vehicle, "law": law_block(found).model_dump(mode="json")})
        return
    for entry in found.entries:
        only = _conditions(entry)
        out.print(
            f"[bold]{escape(entry.citation)}[/]  {', '.join(_vehicles(entry))}" + f"  ({only})" * bool(only)
        )
        out.print(f"  {entry.title.vi} / {entry.title.en}", markup=False)
        taken = f", {entry.licence_points} licence points" if entry.licence_points else ""
        until = f" to {entry.effective_to}" if entry.effective_to else ""
        fine = "-".join(f"{amount:,}".replace(",", " ") for amount in entry.fine_vnd)
        out.print(f"  {fine} VND{taken}; in force from {entry.effective_from}{until}", markup=False)
        if entry.note is not None:
            out.print(f"  {entry.note.vi} / {entry.note.en}", markup=False)
        for amendment in entry.amended_by:
            out.print(f"  {amendment.note.vi} / {amendment.note.en}", markup=False)
        out.print(f"  {'verified' if entry.verified else 'NOT VERIFIED'}: {entry.source}", markup=False)
    if found.reason:
        out.print(f"{found.on}: {found.reason}", markup=False)


def _day(at: str | None) -> date:
    from pipeline.law.catalogue import local_date

    if at is None:
        return local_date(datetime.now(UTC).timestamp())
    try:
        return date.fromisoformat(at)
    except ValueError:
        fail(f"--at {at}: must be a date such as 2026-01-31")


def _catalogue(folder: Path | None) -> Catalogue:
    from pipeline.config.load import ConfigError
    from pipeline.law.load import load_law

    try:
        return load_law(folder)
    except ConfigError as error:
        fail(*error.problems)


def _vehicles(entry: LawEntry) -> list[str]:
    return sorted(kind.value for kind in entry.vehicles)


def _conditions(entry: LawEntry) -> str:
    parts = [
        f"{_words(band)} {what}"
        for what, band in (("km/h over", entry.over_kmh), ("passengers", entry.passengers))
        if band is not None
    ]
    if entry.motorway is not None:
        parts.append("motorway" if entry.motorway else "no motorway")
    return ", ".join(parts)


def _words(band: Band) -> str:
    if band.low == band.high:
        return f"{band.low:g}"
    low = "" if math.isinf(band.low) else f"{'from' if band.with_low else 'above'} {band.low:g}"
    high = "" if math.isinf(band.high) else f"{'to' if band.with_high else 'below'} {band.high:g}"
    return f"{low} {high}".strip()

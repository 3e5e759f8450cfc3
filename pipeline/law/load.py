"""Reads a folder of decrees: every problem of every file at once, with file, line, key and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import combinations
from pathlib import Path

from pipeline.config.document import ConfigError, Document, Loc, read
from pipeline.config.validation import did_you_mean, note, validate
from pipeline.law.catalogue import Amendment, Catalogue, LawEntry
from pipeline.law.settings import DecreeSettings, EntrySettings, ProvisionSettings
from pipeline.rules import RULES, SECURITY

_PACKAGED = Path(__file__).parent / "decrees"
SHIPPED = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "configs" / "law"
"""The catalogue that comes with us: configs/law/ in a checkout, packed into the wheel beside this file."""

MOST_FILES = 50


def load_law(folder: Path | None = None) -> Catalogue:
    """The decrees of a folder, or the shipped ones. Raises ConfigError listing every problem."""
    folder = folder or SHIPPED
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError as error:
        raise ConfigError([f"{folder}: the law's folder cannot be read: {error.strerror}"]) from None
    if not paths:
        raise ConfigError([f"{folder}: holds no .yaml file: the law needs one file for each decree"])
    if len(paths) > MOST_FILES:
        raise ConfigError([f"{folder}: holds {len(paths)} .yaml files, {MOST_FILES} at most are decrees"])
    problems: list[str] = []
    read_ones: list[tuple[Document, DecreeSettings]] = []
    for path in paths:
        try:
            document = read(path)
            decree = validate(document, DecreeSettings, document.data)
            if decree is not None:
                _check(document, decree)
            document.refuse()
            read_ones.append((document, decree))
        except ConfigError as error:
            problems += error.problems
    problems += _overlaps(read_ones)
    if problems:
        raise ConfigError(problems)
    return Catalogue([entry for _, decree in read_ones for entry in _entries(decree)])


def _check(document: Document, decree: DecreeSettings) -> None:
    """Note what contradicts itself within one file."""
    acts = [name for name in RULES if name not in SECURITY]
    for i, provision in enumerate(decree.provisions):
        loc: Loc = ("provisions", i)
        if provision.act not in acts:
            hint = did_you_mean(provision.act, acts) or f"; known: {', '.join(acts)}"
            note(document, (*loc, "act"), f"no rule sees an act named {provision.act!r}{hint}")
        first, last = decree.period(provision)
        if last is not None and last < first:
            key = "effective_to" if provision.effective_to else "effective_from"
            note(document, (*loc, key), f"ends on {last}, before it begins on {first}")
        for (_, one), (j, other) in combinations(enumerate(provision.entries), 2):
            if problem := _clash(one, other):
                note(document, (*loc, "entries", j), problem)


def _clash(one: EntrySettings, other: EntrySettings) -> str:
    """Why both cannot stand in one provision; "" when they can."""
    if _at(one) == _at(other):
        return f"{_at(one)} is given twice for the same act and vehicles; remove one"
    if None not in (one.motorway, other.motorway) and one.motorway != other.motorway:
        return ""
    for key in ("over_kmh", "passengers"):
        a, b = getattr(one, key), getattr(other, key)
        if a is not None and b is not None and a.band().overlaps(b.band()):
            return f"{key} overlaps that of {_at(one)}: one value would have two fines"
    return ""


def _at(entry: EntrySettings) -> str:
    return f"{entry.article}.{entry.clause}.{entry.point}"


def _overlaps(decrees: list[tuple[Document, DecreeSettings]]) -> Iterator[str]:
    """Provisions of one act and vehicle that are in force at once, in one file or two."""
    all_of_them = [
        (document, decree, i, provision)
        for document, decree in decrees
        for i, provision in enumerate(decree.provisions)
    ]
    for one, other in combinations(all_of_them, 2):
        vehicles = sorted(set(one[3].vehicles) & set(other[3].vehicles))
        if one[3].act != other[3].act or not vehicles:
            continue
        mine, yours = other[1].period(other[3]), one[1].period(one[3])
        if _apart(mine, yours):
            continue
        line = one[0].line_of(("provisions", one[2]))
        document, _, i, provision = other
        yield document.at(
            document.line_of(("provisions", i)),
            f"provisions[{i}]: {provision.act} of {', '.join(vehicles)} is in force {_shown(mine)}, and by "
            f"{one[0].path}:{line} {_shown(yours)}: end one of them with `effective_to:`",
        )


def _apart(one: tuple[date, date | None], other: tuple[date, date | None]) -> bool:
    (first, last), (begin, end) = one, other
    return (last is not None and last < begin) or (end is not None and end < first)


def _shown(period: tuple[date, date | None]) -> str:
    first, last = period
    return f"from {first}" + (f" to {last}" if last is not None else "")


def _entries(decree: DecreeSettings) -> Iterator[LawEntry]:
    amendments = tuple(one.amendment() for one in decree.amendments)
    for provision in decree.provisions:
        for entry in provision.entries:
            yield _entry(decree, provision, entry, *decree.period(provision), amendments)


def _entry(
    decree: DecreeSettings,
    provision: ProvisionSettings,
    entry: EntrySettings,
    first: date,
    last: date | None,
    amendments: tuple[Amendment, ...],
) -> LawEntry:
    return LawEntry(
        act=provision.act,
        vehicles=frozenset(provision.vehicles),
        decree=decree.decree,
        article=entry.article,
        clause=entry.clause,
        point=entry.point,
        title=(entry.title or provision.title).text(),
        fine_vnd=entry.fine_vnd,
        licence_points=entry.licence_points,
        effective_from=first,
        effective_to=last,
        source=decree.source,
        verified=entry.verified,
        amended_by=amendments,
        over_kmh=entry.over_kmh.band() if entry.over_kmh else None,
        passengers=entry.passengers.band() if entry.passengers else None,
        motorway=entry.motorway,
        note=entry.note.text() if entry.note else None,
    )

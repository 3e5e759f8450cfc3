"""How Vietnamese number plates are written, and which misreadings that makes certain.

A form says, line by line, which characters may stand where. The facts (codes in use, letters never used,
order of letters and digits) are those of domain knowledge from secondary copies; nothing here was checked
against a gazette. A plate that fits no form, foreign ones among them, is left as it was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.types import PlateColor, RoadUserKind

Floats = npt.NDArray[np.float64]

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""What a plate is spelt with; the columns of every array of probabilities."""
INDEX = {character: column for column, character in enumerate(ALPHABET)}

PROVINCES = frozenset(str(n) for n in range(11, 100)) - {"13", "42", "44", "45", "46", "87", "91", "96"}
"""The 81 codes in use."""

Form = Literal["car", "joint", "motorbike", "diplomatic", "military"]

_DIGITS = "0123456789"
_FIRST = "ABCDEFGHKLMNPSTUVXYZ"
"""Letters of a series: I, J, O, Q and W are never used; the first is no R, the second no G."""
_SECOND = "ABCDEFHKLMNPRSTUVXYZ"
_ANY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES = {"9": _DIGITS, "A": _FIRST, "B": _SECOND, "S": _SECOND + _DIGITS[1:], "L": _ANY}
_JOINT = ("LD", "DA", "KT", "MK", "MD", "TD", "HC", "CD")
"""Two-letter series of cars: joint ventures, projects, the army's firms, ... (from memory)."""
_ENVOY = ("NG", "QT", "CV", "NN")
"""Diplomats, international bodies, their staff, other foreigners (the last two from memory)."""

_ALIKE = {
    "0": "DOQUC",
    "1": "ILTJ",
    "2": "Z",
    "4": "A",
    "5": "S",
    "6": "GC",
    "7": "TZY",
    "8": "B",
    "A": "4",
    "B": "8",
    "C": "0G6",
    "D": "0OQ",
    "G": "6C",
    "I": "1LT",
    "J": "1U",
    "L": "1",
    "O": "0DQC",
    "Q": "0DO",
    "R": "AKP",
    "S": "5",
    "T": "17",
    "U": "0V",
    "W": "VM",
    "Y": "7V",
    "Z": "27",
}
"""Read as the key, may be one of the value; what stands on plates only, glyphs that share most strokes."""

_MOST_CHANGES = 2
_CLEARLY = 5.0
"""Of several look-alikes the likeliest is taken when it is so many times likelier than the next."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to write a form: for each line, the characters allowed at each place."""

    form: Form
    lines: tuple[tuple[str, ...], ...]
    code_first: bool = True
    """Starts with a province's code."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What the grammar makes of a reading."""

    lines: tuple[str, ...]
    form: Form | None
    """None: fits no form, lines are as they were read."""
    changes: int

    @property
    def province(self) -> str | None:
        """The province's code, where the form has one."""
        return None if self.form in (None, "military") else self.lines[0][:2]


def _places(text: str) -> tuple[str, ...]:
    """ "99A" as sets of characters; a lower-case letter stands for itself."""
    return tuple(_CLASSES.get(symbol, symbol.upper()) for symbol in text)


def _patterns() -> Iterator[Pattern]:
    for number in ("99999", "9999"):
        yield Pattern("car", (_places("99A" + number),))
        yield Pattern("car", (_places("99A"), _places(number)))
    for series in _JOINT:
        yield Pattern("joint", (_places("99" + series.lower() + "99999"),))
    yield Pattern("motorbike", (_places("99AS"), _places("99999")))
    yield Pattern("motorbike", ((*_places("99A"), _DIGITS[1:]), _places("9999")))
    for series in _ENVOY:
        yield Pattern("diplomatic", (_places("99999" + series.lower() + "99"),))
        yield Pattern("diplomatic", (_places("99999"), _places(series.lower() + "99")))
        if series in ("NG", "QT"):
            # The others could be a motorbike's series.
            yield Pattern("diplomatic", (_places("99" + series.lower()), _places("99999")))
    for lines in ((_places("LL9999"),), (_places("LL"), _places("9999"))):
        yield Pattern("military", lines, code_first=False)


_PATTERNS = tuple(_patterns())


def correct(
    lines: Sequence[str], color: PlateColor | None = None, likely: Sequence[Floats] | None = None
) -> Correction:
    """Fit `lines` (characters of ALPHABET) to the grammar, changing only what it makes certain.

    A character that cannot stand where it was read is changed to the look-alike that can. Where several
    can, `likely` (for each line (N, 36) probabilities over ALPHABET) must favour one of them clearly.
    Of the fits with fewest changes there must be one alone, else nothing is changed. Military plates are
    only looked for on red ground: their pattern is short enough to be met by chance.
    """
    read = tuple(lines)
    found: dict[tuple[str, ...], tuple[int, Form]] = {}
    for pattern in _PATTERNS:
        if pattern.form == "military" and color != "red":
            continue
        fit = _fit(pattern, read, likely)
        if fit is not None and (fit[0] not in found or fit[1] < found[fit[0]][0]):
            found[fit[0]] = (fit[1], pattern.form)
    if not found:
        return Correction(read, None, 0)
    fewest = min(changes for changes, _ in found.values())
    best = [(text, form) for text, (changes, form) in found.items() if changes == fewest]
    if len(best) > 1:
        return Correction(read, None, 0)
    text, form = best[0]
    return Correction(text, form, fewest)


def borne_by(correction: Correction, kind: RoadUserKind | None) -> Form | None:
    """The form as a vehicle of that kind bears it; None as kind: nothing is known.

    Two lines like 29LD / 123.45 are a motorbike's or those of a joint venture's car: the vehicle tells.
    """
    either = correction.form == "motorbike" and correction.lines[0][2:] in _JOINT
    return "joint" if either and kind not in (None, RoadUserKind.MOTORBIKE) else correction.form


def suits(form: Form | None, kind: RoadUserKind | None) -> bool:
    """Whether a vehicle of that kind may bear a plate of that form; None: nothing is known."""
    if kind is RoadUserKind.MOTORBIKE:
        return form not in ("car", "joint")
    return form != "motorbike" or kind is None


def four_digits(line: str) -> bool:
    """Whether the number that ends a plate's last line is one of the old ones: without separators."""
    return len(line) - len(line.rstrip(_DIGITS)) == 4


def lost_a_digit(text: str) -> bool:
    """Whether a last line, separators included, has four digits but is parted as five are: 480.3 or 80.33.

    That is what something in front of a plate's end, or of one digit, leaves of 480.33; without the point it
    would be a whole plate of the old kind. Those have no separators within the number.
    """
    number = _number(text)
    return sum(map(str.isdigit, number)) == 4 and not number.isdigit()


def _number(text: str) -> str:
    """What stands between the first and the last digit after a line's last letter."""
    after = max((at for at, character in enumerate(text) if character.isalpha()), default=-1)
    digits = [at for at, character in enumerate(text) if at > after and character.isdigit()]
    return text[digits[0] : digits[-1] + 1] if digits else ""


def _fit(
    pattern: Pattern, read: tuple[str, ...], likely: Sequence[Floats] | None
) -> tuple[tuple[str, ...], int] | None:
    """The lines that `pattern` makes of `read`, and how many characters that changed."""
    if len(pattern.lines) != len(read):
        return None
    if any(len(places) != len(line) for places, line in zip(pattern.lines, read, strict=True)):
        return None
    changes = 0
    fitted = []
    for row, (places, line) in enumerate(zip(pattern.lines, read, strict=True)):
        text = ""
        for column, (allowed, character) in enumerate(zip(places, line, strict=True)):
            if character not in allowed:
                odds = None if likely is None else likely[row][column]
                changed = _instead(character, allowed, odds)
                changes += 1
                if changed is None or changes > _MOST_CHANGES:
                    return None
                character = changed
            text += character
        fitted.append(text)
    if pattern.code_first and fitted[0][:2] not in PROVINCES:
        return None
    return tuple(fitted), changes


def _instead(character: str, allowed: str, odds: Floats | None) -> str | None:
    """The one look-alike of `character` that is allowed, or None when that is not certain."""
    alike = [other for other in _ALIKE.get(character, "") if other in allowed]
    if len(alike) < 2 or odds is None:
        return alike[0] if len(alike) == 1 else None
    best, second = sorted(alike, key=lambda other: -odds[INDEX[other]])[:2]
    return best if odds[INDEX[best]] > _CLEARLY * odds[INDEX[second]] else None

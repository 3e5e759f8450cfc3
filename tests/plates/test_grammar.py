"""What is written like a plate stays, what cannot be so is mended only where one way is certain."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pipeline.plates.grammar import (
    ALPHABET,
    INDEX,
    PROVINCES,
    borne_by,
    correct,
    four_digits,
    lost_a_digit,
    suits,
)
from pipeline.sim.traffic import fleet
from pipeline.types import RoadUserKind

NEVER = ("13", "42", "44", "45", "46", "87", "91", "96")


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        (("70A12345",), "car"),
        (("70A", "12345"), "car"),
        (("70A1234",), "car"),
        (("70A", "1234"), "car"),
        (("60LD00584",), "joint"),
        (("59AB", "12345"), "motorbike"),
        (("60LD", "00584"), "motorbike"),
        (("59P2", "31316"), "motorbike"),
        (("59P2", "3131"), "motorbike"),
        (("29RA", "12345"), None),  # R never comes first
        (("29AR", "12345"), "motorbike"),
        (("29GA", "12345"), "motorbike"),
        (("59P0", "3131"), None),  # a series has no digit 0, and D would want five digits
        (("80011NG01",), "diplomatic"),
        (("80011", "NG01"), "diplomatic"),
        (("80NG", "01101"), "diplomatic"),
        (("41291QT45",), "diplomatic"),
        (("2A1234",), None),  # Cambodian: read, not forced
        (("PHNOMPENH", "2A1234"), None),
        (("49", "019BD"), None),
        (("TC1234",), None),
        (("70A123456",), None),
        (("70", "A12345"), None),
        ((), None),
        (("",), None),
    ],
)
def test_what_is_written_like_a_plate_is_left_alone(lines: tuple[str, ...], form: str | None) -> None:
    found = correct(lines)
    assert (found.lines, found.form, found.changes) == (lines, form, 0)


@pytest.mark.parametrize("lines", [("TC1234",), ("TC", "1234")])
def test_military_plates_are_red(lines: tuple[str, ...]) -> None:
    assert correct(lines, "red").form == "military"
    assert correct(lines, "red").province is None
    assert correct(lines, "white").form is None
    assert correct(("T01234",), "red").lines == ("T01234",)  # O, D or Q: not certain


@pytest.mark.parametrize("code", [f"{n:02d}" for n in range(100)])
def test_exactly_the_codes_in_use_are_plates(code: str) -> None:
    found = correct((f"{code}A12345",))
    in_use = 11 <= int(code) <= 99 and code not in NEVER
    assert (found.form is not None) is in_use
    assert found.province == (code if in_use else None)
    assert (code in PROVINCES) is in_use


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        ("70E-480.3", True),
        ("64C-84 16", True),
        ("31.31", True),
        (" 480.3-", True),
        ("70E-480.33", False),
        ("331.31", False),
        ("50Z-1630", False),
        ("1630.", False),
        ("59-P2", False),
        ("", False),
    ],
)
def test_four_digits_that_are_parted_are_what_is_left_of_five(line: str, lost: bool) -> None:
    assert lost_a_digit(line) is lost


@pytest.mark.parametrize(
    ("line", "four"), [("50Z1630", True), ("1630", True), ("70A12345", False), ("80NG01", False), ("", False)]
)
def test_old_numbers_have_four_digits(line: str, four: bool) -> None:
    assert four_digits(line) is four


def test_two_lines_of_two_letters_are_the_cars_or_the_motorbikes_that_bear_them() -> None:
    either, new = correct(("29LD", "12345")), correct(("29AB", "12345"))
    for kind in (RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK):
        assert borne_by(either, kind) == "joint"
        assert borne_by(new, kind) == "motorbike"
        assert borne_by(correct(("PHNOMPENH", "2A1234")), kind) is None
    for known in (RoadUserKind.MOTORBIKE, None):
        assert [borne_by(each, known) for each in (either, new)] == ["motorbike"] * 2


def test_cars_and_motorbikes_bear_plates_of_their_own() -> None:
    four_wheels = (RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK)
    assert [suits("motorbike", kind) for kind in four_wheels] == [False] * 3
    assert suits("motorbike", RoadUserKind.MOTORBIKE)
    assert not any(suits(form, RoadUserKind.MOTORBIKE) for form in ("car", "joint"))
    assert all(suits(form, kind) for form in ("diplomatic", "military") for kind in RoadUserKind)
    assert suits("motorbike", None)
    assert suits("car", None)


def test_there_are_81_codes() -> None:
    assert len(PROVINCES) == 81
    assert "70" in PROVINCES
    assert "62" in PROVINCES


@pytest.mark.parametrize("letter", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
def test_letters_stand_where_they_may(letter: str) -> None:
    unused = letter in "IJOQW"
    first = correct((f"70{letter}A", "12345"))
    second = correct((f"70A{letter}", "12345"))
    assert (first.form == "motorbike" and first.changes == 0) is not (unused or letter == "R")
    assert (second.form == "motorbike" and second.changes == 0) is not (unused or letter == "G")


@pytest.mark.parametrize(
    ("read", "mended"),
    [
        (("7OA12345",), "70A12345"),
        (("70812345",), "70B12345"),
        (("70012345",), None),  # D, C or U
        (("70A1Z345",), None),  # 2 or 7
        (("70A1B345",), "70A18345"),
        (("S9P2", "31316"), "59P231316"),
        (("59P2", "3I316"), "59P231316"),
        (("59P2", "D1316"), "59P201316"),
        (("59P0", "31316"), None),
        (("59P5", "3I31"), "59P53131"),
        (("B5D1", "OI611"), None),  # three changes are too many
        (("70A12X45",), None),  # X looks like no digit
        (("13A12345",), None),  # a code not in use: which digit is wrong?
        (("I3A12345",), None),
        (("70112345",), None),  # L or T
    ],
)
def test_only_what_is_certain_is_changed(read: tuple[str, ...], mended: str | None) -> None:
    found = correct(read)
    if mended is None:
        assert (found.lines, found.form) == (read, None)
    else:
        assert "".join(found.lines) == mended
        assert found.form is not None
        assert found.changes >= 1


def odds(text: str, **given: float) -> np.ndarray:
    """Sure of `text`, but for the characters given, at the first place that the grammar forbids."""
    likely = np.full((len(text), len(ALPHABET)), 1e-6)
    likely[np.arange(len(text)), [INDEX[c] for c in text]] = 0.9
    for character, chance in given.items():
        likely[2, INDEX[character]] = chance
    return likely


def test_what_the_recogniser_saw_decides_between_look_alikes() -> None:
    assert correct(("70112345",), None, [odds("70112345", T=0.08, L=0.001)]).lines == ("70T12345",)
    assert correct(("70112345",), None, [odds("70112345", T=0.001, L=0.08)]).lines == ("70L12345",)
    assert correct(("70112345",), None, [odds("70112345", T=0.05, L=0.04)]).form is None
    assert correct(("70012345",), None, [odds("70012345", D=0.3)]).lines == ("70D12345",)


def test_valid_plates_are_never_changed() -> None:
    rng = random.Random(7)
    for kind in (RoadUserKind.CAR, RoadUserKind.TRUCK, RoadUserKind.MOTORBIKE):
        for _ in range(400):
            plate = fleet.plate(kind, rng)
            assert plate is not None
            split = 4 if kind is RoadUserKind.MOTORBIKE else 3
            lines = (plate.text,) if plate.lines == 1 else (plate.text[:split], plate.text[split:])
            found = correct(lines, plate.color)
            assert (found.lines, found.changes) == (lines, 0)
            assert found.form == ("motorbike" if split == 4 else "car")
            assert found.province == plate.text[:2]


def test_one_misread_character_never_makes_another_valid_plate_in_silence() -> None:
    """A look-alike in a place that forbids it comes back as it was, or nothing is claimed."""
    rng = random.Random(3)
    alike = {"0": "OQ", "1": "I", "5": "S", "8": "B", "B": "8", "D": "0", "S": "5", "A": "4"}
    mended = 0
    for _ in range(300):
        plate = fleet.plate(RoadUserKind.CAR, rng)
        assert plate is not None
        place = rng.randrange(len(plate.text))
        wrong = rng.choice(alike.get(plate.text[place], plate.text[place]))
        if wrong == plate.text[place]:
            continue
        found = correct((plate.text[:place] + wrong + plate.text[place + 1 :],))
        assert found.form is None or found.lines == (plate.text,)
        mended += found.form is not None
    assert mended > 50


@pytest.mark.parametrize("text", ["ÂĐ", "７0A12345", "70A12345" * 50, "-.", "\x00", "😀" * 8])
def test_strange_text_fits_nothing(text: str) -> None:
    assert correct((text,)).form is None

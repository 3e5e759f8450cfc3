"""Several readings say more than one."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.plates.grammar import ALPHABET, INDEX
from pipeline.plates.vote import vote


def read(*lines: str, sure: float = 0.95, **doubts: float) -> list[np.ndarray]:
    """Lines with the same certainty in each character; a doubted character (its letter) has its own."""
    found = []
    for line in lines:
        likely = np.full((len(line), len(ALPHABET)), (1 - sure) / 40)
        for place, character in enumerate(line):
            likely[place, INDEX[character]] = doubts.get(character, sure)
        found.append(likely)
    return found


def test_the_majority_wins_each_character_by_itself() -> None:
    readings = [(read("59P2", "31316"), 1.0), (read("59P2", "81316"), 1.0), (read("S9P2", "31316"), 1.0)]
    assert vote(readings).lines == ("59P2", "31316")


def test_a_sure_reading_outweighs_two_unsure_ones() -> None:
    readings = [(read("70A", "12345"), 30.0), (read("70A", "12845"), 8.0), (read("70A", "12845"), 8.0)]
    assert vote(readings).lines == ("70A", "12345")


@pytest.mark.parametrize("lost", range(8))
def test_a_lost_character_does_not_shift_the_others(lost: int) -> None:
    text = "70A12345"
    whole, short = (read(text), 1.0), (read(text[:lost] + text[lost + 1 :]), 1.0)
    assert vote([whole, short, whole]).lines == (text,)
    assert vote([short, whole, whole]).lines == (text,)


@pytest.mark.parametrize("place", range(9))
def test_a_character_that_one_alone_saw_is_dropped(place: int) -> None:
    text = "70A12345"
    longer = text[:place] + "X" + text[place:]
    assert vote([(read(longer), 1.0), (read(text), 0.9), (read(text), 0.9)]).lines == (text,)


def test_the_break_between_lines_is_voted_on_as_well() -> None:
    two, one = read("59P2", "31316"), read("59P231316")
    assert vote([(two, 1.0), (one, 0.8), (two, 0.7)]).lines == ("59P2", "31316")
    assert vote([(one, 1.0), (two, 0.8), (one, 0.7)]).lines == ("59P231316",)


def test_disagreement_lowers_confidence_and_agreement_does_not_raise_it_above_what_was_read() -> None:
    sure = vote([(read("70A12345"), 1.0)] * 3)
    torn = vote([(read("70A12345"), 1.0), (read("70A12845"), 1.0)])
    assert sure.confidence == pytest.approx(0.95**8)
    assert torn.confidence < 0.6 * sure.confidence


def test_what_was_outvoted_by_nothing_lowers_confidence() -> None:
    cut = vote([(read("70E4803"), 1.1), (read("70E48033"), 1.0)])
    assert cut.lines == ("70E4803",)
    assert cut.confidence < 0.6 * 0.95**7


def test_nothing_read_gives_nothing() -> None:
    assert vote([]).lines == ()
    assert vote([]).confidence == 0.0
    assert vote([([np.zeros((0, 36))], 1.0)]).confidence == 0.0

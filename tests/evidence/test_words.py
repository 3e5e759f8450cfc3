"""Everything that a plate's reading may say has words."""

from __future__ import annotations

from typing import get_args

from pipeline.evidence.words import PLATE_CAUSES, PLATE_OUTCOMES
from pipeline.types import PlateCause, PlateOutcome


def test_each_outcome_and_cause_of_a_plate_has_words() -> None:
    assert set(PLATE_OUTCOMES) == set(get_args(PlateOutcome))
    assert set(PLATE_CAUSES) == set(get_args(PlateCause))

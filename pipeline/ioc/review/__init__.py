"""Who may decide what on a case, and what comes of it: pure, no clock and no database."""

from pipeline.ioc.review.deadlines import acts_due_within, days_left
from pipeline.ioc.review.decide import (
    OPEN_STATES,
    REASONS,
    AlreadyDecidedError,
    ChangedError,
    ClaimedError,
    Outcome,
    ReviewError,
    SameOfficerError,
    Standing,
    decide,
)

__all__ = [
    "OPEN_STATES",
    "REASONS",
    "AlreadyDecidedError",
    "ChangedError",
    "ClaimedError",
    "Outcome",
    "ReviewError",
    "SameOfficerError",
    "Standing",
    "acts_due_within",
    "days_left",
    "decide",
]

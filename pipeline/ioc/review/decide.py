"""A case's way: open, perhaps confirmed once or sent to a second look, then confirmed or rejected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["confirm", "reject", "second_look"]
State = Literal["open", "confirmed_once", "second_look", "confirmed", "rejected", "incomplete"]

OPEN_STATES: tuple[State, ...] = ("open", "confirmed_once", "second_look")
"""Somebody still has to decide."""
REASONS = (
    "no_violation",
    "wrong_vehicle",
    "plate_wrong",
    "emergency_vehicle",
    "directed_by_police",
    "signal_fault",
    "poor_evidence",
    "duplicate",
    "other",
)
"""Why a case is rejected; "other" asks for a note."""


class ReviewError(Exception):
    """The family: this officer cannot decide this now; the message says why."""

    def __init__(self, message: str, who: str = "") -> None:
        super().__init__(message)
        self.who = who
        """Shown name of whoever was first."""


class AlreadyDecidedError(ReviewError):
    """Another decision came first, or there is nothing to decide."""


class ChangedError(ReviewError):
    """Somebody has decided on it since this officer looked."""


class ClaimedError(ReviewError):
    """Somebody else has taken it up."""


class SameOfficerError(ReviewError):
    """A second pair of eyes is needed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a case when somebody is about to decide."""

    state: str
    rule: str
    claimed_by: int | None
    """User id; counts until `claimed_until_ms`."""
    claimed_until_ms: int
    decided_by: Collection[int] = ()
    """Users who have decided on it before, one for each decision."""
    confirmed_by: Collection[int] = ()
    """Those of them who have confirmed it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision makes of a case."""

    state: State
    final: bool


def claim_holder(standing: Standing, user_id: int, now_ms: int) -> int | None:
    """The other officer who has it now; None when it is free or one's own."""
    held = standing.claimed_by is not None and standing.claimed_until_ms > now_ms
    return standing.claimed_by if held and standing.claimed_by != user_id else None


def decide(
    standing: Standing,
    verdict: Verdict,
    *,
    user_id: int,
    now_ms: int,
    reason: str,
    note: str,
    four_eyes: Collection[str],
    seen: int | None = None,
) -> Outcome:
    """What becomes of the case. Raises ReviewError when this officer cannot decide so.

    `seen`: how many decisions there were when the officer looked; None where that is not known.
    """
    if standing.state not in OPEN_STATES:
        raise AlreadyDecidedError(f"nothing is left to decide: the case is {standing.state}")
    if claim_holder(standing, user_id, now_ms) is not None:
        raise ClaimedError("another officer has taken the case up")
    if seen is not None and seen != len(standing.decided_by):
        raise ChangedError("somebody has decided on the case since: look at it again")
    # Who asked for a second look has confirmed nothing, and may once somebody else has.
    barred = {"confirmed_once": standing.confirmed_by, "second_look": standing.decided_by}
    if user_id in barred.get(standing.state, ()):
        raise SameOfficerError("another officer must look at the case: you have decided on it before")
    if verdict == "reject":
        if reason not in REASONS:
            raise ReviewError(f"a rejection needs one of the reasons {', '.join(REASONS)}")
        if reason == "other" and not note.strip():
            raise ReviewError("the reason other needs a note")
        return Outcome("rejected", final=True)
    if verdict == "second_look":
        return Outcome("second_look", final=False)
    if standing.rule in four_eyes and not any(other != user_id for other in standing.confirmed_by):
        return Outcome("confirmed_once", final=False)
    return Outcome("confirmed", final=True)

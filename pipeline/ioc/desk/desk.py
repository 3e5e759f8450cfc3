"""Looking at cases, taking them up and deciding, for one person at a time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from pipeline.ioc.config import AreaTree, ReviewSettings
from pipeline.ioc.config.areas import within
from pipeline.ioc.desk.queue import (
    PAGE,
    CaseRow,
    Filter,
    Page,
    count_query,
    cursor_of,
    page_query,
    row_of,
    waiting_in,
)
from pipeline.ioc.people import Person
from pipeline.ioc.review import (
    OPEN_STATES,
    AlreadyDecidedError,
    ChangedError,
    ClaimedError,
    ReviewError,
    Standing,
    decide,
)
from pipeline.ioc.review.decide import Verdict
from pipeline.ioc.store import Database, audit, clock, counters
from pipeline.ioc.store.act import Act, bare_plate
from pipeline.ioc.store.models import Case, CaseEvent, Decision, Hold, HourCount, ReviewEvent, User


class NotFoundError(Exception):
    """There is no such case, or this person may not know of it: one answer for both."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A decision that was made."""

    at_ms: int
    user: str
    decision: str
    reason: str
    note: str
    plate: str
    state: str


@dataclass(frozen=True, slots=True)
class HoldEntry:
    """Who wants the evidence of a case kept, and why."""

    at_ms: int
    user: str
    reason: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case with all that is known of it."""

    row: CaseRow
    act: Act
    worker: str
    claimed_by: str | None
    """Shown name of whoever has it now."""
    history: list[HistoryEntry]
    hold: HoldEntry | None = None
    """A legal hold: the evidence does not expire."""
    evidence_gone_ms: int = 0
    """When the evidence expired; 0 while it is kept."""


class Desk:
    """Threads may share it."""

    def __init__(self, database: Database, areas: AreaTree, settings: ReviewSettings) -> None:
        self._database = database
        self._areas = areas
        self.settings = settings

    def cases(self, person: Person, wanted: Filter, cursor: str | None = None) -> Page:
        """A page of the cases that the person may see. Raises ValueError for a cursor that is none."""
        now_ms = clock.now_ms()
        areas = self._areas_of(person, wanted.area)
        if areas is not None and not areas:
            return Page([], None)
        query = page_query(wanted, areas, cursor, now_ms, self.settings.notice_days)
        with self._database.read() as session:
            rows = [row_of(case, now_ms, self.settings.notice_days) for case in session.scalars(query)]
        more = len(rows) > PAGE
        rows = rows[:PAGE]
        return Page(rows, cursor_of(rows[-1]) if more else None)

    def case(self, person: Person, case_id: str) -> CaseView:
        """One case. Raises NotFoundError."""
        now_ms = clock.now_ms()
        with self._database.read() as session:
            case = self._case(session, person, case_id)
            row = row_of(case, now_ms, self.settings.notice_days)
            holder = session.get(User, row.claimed_by) if row.claimed_by is not None else None
            decisions = session.execute(
                select(Decision, User.shown_name)
                .join(User, User.id == Decision.user_id)
                .where(Decision.case_id == case_id)
                .order_by(Decision.at_ms, Decision.id)
            )
            history = [
                HistoryEntry(d.at_ms, name, d.decision, d.reason, d.note, d.plate, d.state)
                for d, name in decisions
            ]
            held = session.execute(
                select(Hold, User.shown_name)
                .join(User, User.id == Hold.user_id)
                .where(Hold.case_id == case_id)
            ).first()
            act = Act.model_validate(session.get_one(CaseEvent, case_id).data)
        return CaseView(
            row,
            act,
            case.worker,
            holder.shown_name if holder else None,
            history,
            HoldEntry(held[0].at_ms, held[1], held[0].reason) if held else None,
            case.evidence_gone_ms,
        )

    def claim(self, person: Person, case_id: str) -> None:
        """Take a case up, or keep it for longer. Raises NotFoundError, or ClaimedError naming who has it."""
        now_ms = clock.now_ms()
        with self._database.write() as session:
            self._case(session, person, case_id)
            free = or_(
                Case.claimed_by.is_(None), Case.claimed_by == person.id, Case.claimed_until_ms <= now_ms
            )
            taken = session.execute(
                update(Case)
                .where(Case.id == case_id, Case.state.in_(OPEN_STATES), free)
                .values(claimed_by=person.id, claimed_until_ms=now_ms + round(self.settings.claim_s * 1000))
                .returning(Case.id)
            ).first()
            if taken is None:
                self._tell_why(session, case_id)

    def release(self, person: Person, case_id: str) -> None:
        """Let a case go that the person has taken up."""
        with self._database.write() as session:
            self._case(session, person, case_id)
            session.execute(
                update(Case)
                .where(Case.id == case_id, Case.claimed_by == person.id)
                .values(claimed_by=None, claimed_until_ms=0)
            )

    def decide(
        self,
        person: Person,
        case_id: str,
        verdict: Verdict,
        *,
        reason: str = "",
        note: str = "",
        plate: str | None = None,
        seen: int | None = None,
    ) -> str:
        """Decide on a case; returns what it became. `plate` corrects the reading.

        `seen`: how many decisions the history had that the officer saw; another one since is refused.
        Decision, audit entry and the event to publish are one transaction. Raises NotFoundError, ReviewError.
        """
        now_ms = clock.now_ms()
        if plate is not None and not (len(plate) <= 20 and plate == bare_plate(plate)):
            raise ReviewError("a plate is written with capital letters and digits, without separators")
        if len(note) > 500 or "\x00" in note:
            raise ReviewError("a note has at most 500 characters")
        with self._database.write() as session:
            case = self._case(session, person, case_id, lock=True)
            made = select(Decision.user_id, Decision.decision).where(Decision.case_id == case_id)
            before = session.execute(made).all()
            standing = Standing(
                case.state,
                case.rule,
                case.claimed_by,
                case.claimed_until_ms,
                decided_by=[who for who, _ in before],
                confirmed_by=[who for who, what in before if what == "confirm"],
            )
            try:
                outcome = decide(
                    standing,
                    verdict,
                    user_id=person.id,
                    now_ms=now_ms,
                    reason=reason,
                    note=note,
                    four_eyes=self.settings.four_eyes,
                    seen=seen,
                )
            except ChangedError as error:
                raise ChangedError(str(error), _last_officer(session, case_id)) from None
            except (ClaimedError, AlreadyDecidedError):
                self._tell_why(session, case_id)
                raise
            if plate is not None:
                case.plate = plate
            case.state, case.claimed_by, case.claimed_until_ms = outcome.state, None, 0
            reason = reason if verdict == "reject" else ""
            session.add(
                Decision(
                    case_id=case_id,
                    at_ms=now_ms,
                    user_id=person.id,
                    decision=verdict,
                    reason=reason,
                    note=note,
                    plate=case.plate,
                    state=outcome.state,
                )
            )
            if outcome.final:
                counters.count_review(self._database, session, case, now_ms)
            detail = {"decision": verdict, "reason": reason, "plate": case.plate, "state": outcome.state}
            session.add(
                ReviewEvent(
                    id=str(uuid.uuid4()),
                    camera=case.camera,
                    at_ms=now_ms,
                    sent_ms=0,
                    data={
                        "schema_version": 1,
                        "case_id": case_id,
                        "case_type": case.type,
                        "camera": case.camera,
                        "rule": case.rule,
                        **detail,
                        "note": note,
                        "final": outcome.final,
                        "officer": person.name,
                    },
                )
            )
            audit.append(session, person.name, "case.decide", case_id, {**detail, "note": note})
        return outcome.state

    def hold(self, person: Person, case_id: str, *, held: bool, reason: str) -> None:
        """Set or lift the legal hold of a case. Raises NotFoundError, ReviewError."""
        if not 3 <= len(reason.strip()) <= 500 or "\x00" in reason:
            raise ReviewError("a legal hold is set and lifted with a reason of 3 to 500 characters")
        with self._database.write() as session:
            # Locked: what removes evidence that has expired locks the case, too, and looks for a hold then.
            case = self._case(session, person, case_id, lock=True)
            if held and case.evidence_gone_ms:
                raise ReviewError("the evidence of this case has expired already")
            known = session.get(Hold, case_id)
            if held == (known is not None):
                raise ReviewError("the case is held already" if held else "the case is not held")
            if known is None:
                hold = Hold(case_id=case_id, at_ms=clock.now_ms(), user_id=person.id, reason=reason.strip())
                session.add(hold)
            else:
                session.delete(known)
            action = "case.hold" if held else "case.release_hold"
            audit.append(session, person.name, action, case_id, {"reason": reason.strip()})

    def count(self, person: Person, wanted: Filter, most: int) -> int:
        """How many cases a filter leaves of those that the person may see, counted up to `most`."""
        areas = self._areas_of(person, wanted.area)
        if areas is not None and not areas:
            return 0
        query = count_query(wanted, areas, clock.now_ms(), self.settings.notice_days, most)
        with self._database.read() as session:
            return session.scalar(query) or 0

    def exported(
        self, person: Person, action: str, subject: str = "", detail: Mapping[str, object] | None = None
    ) -> None:
        """Write down that something leaves the house."""
        with self._database.write() as session:
            audit.append(session, person.name, action, subject, detail)

    def counts(self, person: Person, from_ms: int, to_ms: int) -> list[tuple[int, str, str, int]]:
        """(hour, rule, type, cases) of what the person may see, from the counters that ingest keeps."""
        hour, rule, kind = HourCount.hour_ms, HourCount.rule, HourCount.type
        query = (
            select(hour, rule, kind, HourCount.camera, func.sum(HourCount.count))
            .where(hour >= from_ms, hour < to_ms)
            .group_by(hour, rule, kind, HourCount.camera)
            .order_by(hour, rule, kind)
        )
        totals: dict[tuple[int, str, str], int] = {}
        with self._database.read() as session:
            for at, name, type_, camera, count in session.execute(query):
                if within(self._areas.area_of(camera), person.areas):
                    totals[at, name, type_] = totals.get((at, name, type_), 0) + int(count)
        return [(*key, count) for key, count in totals.items() if count]

    def waiting(self, person: Person) -> int:
        """How many cases wait for somebody to decide, counted up to 1000."""
        query = select(Case.id).where(*waiting_in(self._areas_of(person))).limit(1000)
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(query.subquery())) or 0

    def _areas_of(self, person: Person, below: str = "") -> list[str] | None:
        """Paths of the areas that the person may see; None where that is all."""
        if self._areas.root in person.areas and below in ("", self._areas.root):
            return None
        seen = [path for path in self._areas.names if within(path, person.areas)]
        return [path for path in seen if within(path, [below])] if below else seen

    def _case(self, session: Session, person: Person, case_id: str, *, lock: bool = False) -> Case:
        case = session.get(Case, case_id, with_for_update=lock) if _is_id(case_id) else None
        if case is None or not within(case.area, person.areas):
            raise NotFoundError(case_id[:128])
        return case

    def _tell_why(self, session: Session, case_id: str) -> None:
        session.expire_all()
        case = session.get_one(Case, case_id)
        if case.state not in OPEN_STATES:
            last = _last_officer(session, case_id)
            who = f" by {last}" if last else ""
            raise AlreadyDecidedError(f"the case is {case.state}{who}", last)
        holder = session.get(User, case.claimed_by) if case.claimed_by is not None else None
        name = holder.shown_name if holder is not None else ""
        raise ClaimedError(f"{name or 'another officer'} has taken the case up", name)


def _last_officer(session: Session, case_id: str) -> str:
    """Shown name of whoever decided last; "" where nobody has."""
    query = (
        select(User.shown_name)
        .join(Decision, Decision.user_id == User.id)
        .where(Decision.case_id == case_id)
        .order_by(Decision.at_ms.desc(), Decision.id.desc())
        .limit(1)
    )
    return session.scalar(query) or ""


def _is_id(text: str) -> bool:
    return 0 < len(text) <= 128 and text.isascii() and text.isprintable()

"""Claims, decisions, areas and the audit log, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from pipeline.ioc.config import DatabaseSettings
from pipeline.ioc.desk import Filter, NotFoundError
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.ioc.review import (
    AlreadyDecidedError,
    ChangedError,
    ClaimedError,
    ReviewError,
    SameOfficerError,
)
from pipeline.ioc.review.decide import Verdict
from pipeline.ioc.store import audit
from pipeline.ioc.store.models import Case, ReviewEvent
from tests.events import examples
from tests.ioc.acts import parsed, with_data
from tests.ioc.office import HOATHANH, Office, office

DAY_S = 86_400


@pytest.fixture
def ioc(tmp_path: Path, settings: DatabaseSettings) -> Iterator[Office]:
    made = office(tmp_path, settings, four_eyes=("speeding",), notice_days=10)
    yield made
    made.the.database.close()


def test_a_decision_its_audit_entry_and_its_event_come_together(ioc: Office) -> None:
    mai = ioc.hire("mai", "reviewer")
    case_id = ioc.act()
    ioc.the.desk.claim(mai, case_id)
    assert ioc.the.desk.case(mai, case_id).claimed_by == "Mai"
    assert ioc.the.desk.decide(mai, case_id, "confirm", plate="59P231317") == "confirmed"
    view = ioc.the.desk.case(mai, case_id)
    assert (view.row.state, view.row.plate, view.claimed_by) == ("confirmed", "59P231317", None)
    assert [(h.user, h.decision, h.plate) for h in view.history] == [("Mai", "confirm", "59P231317")]
    with ioc.the.database.read() as session:
        (event,) = session.scalars(select(ReviewEvent))
        assert event.data["case_id"] == case_id
        assert event.data["final"] is True
        assert audit.verify(session).problem == ""


def test_of_two_officers_one_decides_and_the_other_is_told_who(ioc: Office) -> None:
    people = [ioc.hire("mai", "reviewer"), ioc.hire("lan", "reviewer")]
    case_id = ioc.act()
    told: list[str] = []
    ready = threading.Barrier(2)

    def race(index: int) -> None:
        ready.wait()
        try:
            told.append(ioc.the.desk.decide(people[index], case_id, "confirm"))
        except AlreadyDecidedError as error:
            told.append(str(error))

    threads = [threading.Thread(target=race, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = ioc.the.desk.case(people[0], case_id).history
    assert len(winner) == 1
    assert sorted(told) == sorted(["confirmed", f"the case is confirmed by {winner[0].user}"])


def test_a_claim_keeps_others_off_until_it_ends(ioc: Office) -> None:
    mai, lan = ioc.hire("mai", "reviewer"), ioc.hire("lan", "reviewer")
    case_id = ioc.act()
    ioc.the.desk.claim(mai, case_id)
    ioc.the.desk.claim(mai, case_id)
    for attempt in (ioc.the.desk.claim, lambda who, case: ioc.the.desk.decide(who, case, "confirm")):
        with pytest.raises(ClaimedError, match="Mai"):
            attempt(lan, case_id)
    with ioc.the.database.write() as session:
        session.execute(text("UPDATE cases SET claimed_until_ms = 1"))
    ioc.the.desk.claim(lan, case_id)
    ioc.the.desk.release(mai, case_id)  # not hers any more
    assert ioc.the.desk.case(mai, case_id).claimed_by == "Lan"


def test_four_eyes_and_second_looks_need_somebody_else(ioc: Office) -> None:
    mai, lan = ioc.hire("mai", "reviewer"), ioc.hire("lan", "supervisor")
    fast, odd = ioc.act(track=1, rule="speeding"), ioc.act(track=2)
    assert ioc.the.desk.decide(mai, fast, "confirm") == "confirmed_once"
    assert ioc.the.desk.decide(mai, odd, "second_look") == "second_look"
    for case_id in (fast, odd):
        with pytest.raises(SameOfficerError):
            ioc.the.desk.decide(mai, case_id, "confirm")
        assert ioc.the.desk.decide(lan, case_id, "confirm") == "confirmed"


def test_a_second_look_is_not_one_of_the_four_eyes(ioc: Office) -> None:
    people = {name: ioc.hire(name, "reviewer") for name in ("mai", "lan", "ha")}

    def told(*steps: tuple[str, Verdict, str], rule: str = "speeding") -> None:
        case_id = ioc.act(track=next(tracks), rule=rule)
        for who, verdict, state in steps:
            if state == "another":
                with pytest.raises(SameOfficerError):
                    ioc.the.desk.decide(people[who], case_id, verdict)
            else:
                assert ioc.the.desk.decide(people[who], case_id, verdict) == state

    tracks = iter(range(10))
    asked = ("mai", "second_look", "second_look")
    told(
        asked,
        ("lan", "confirm", "confirmed_once"),
        ("lan", "confirm", "another"),
        ("ha", "confirm", "confirmed"),
    )
    # Two officers are enough: she who asked has confirmed nothing yet.
    told(asked, ("lan", "confirm", "confirmed_once"), ("mai", "confirm", "confirmed"))
    once = ("mai", "confirm", "confirmed_once")
    told(
        once,
        ("lan", "second_look", "second_look"),
        ("mai", "confirm", "another"),
        ("ha", "confirm", "confirmed"),
    )
    # Where one confirmation is enough, it is enough after a second look.
    told(asked, ("lan", "confirm", "confirmed"), rule="wrong_way")


def test_a_decision_counts_for_the_case_as_it_was_seen(ioc: Office) -> None:
    mai, lan = ioc.hire("mai", "reviewer"), ioc.hire("lan", "reviewer")
    case_id = ioc.act(rule="speeding")
    assert ioc.the.desk.decide(lan, case_id, "confirm", plate="59P231317", seen=0) == "confirmed_once"
    with pytest.raises(ChangedError) as told:
        ioc.the.desk.decide(mai, case_id, "confirm", plate="59P231316", seen=0)
    assert told.value.who == "Lan"
    view = ioc.the.desk.case(mai, case_id)
    assert (view.row.state, view.row.plate, len(view.history)) == ("confirmed_once", "59P231317", 1)
    assert ioc.the.desk.decide(mai, case_id, "confirm", seen=1) == "confirmed"
    # Of a case that is decided, that is told; and who does not say what they saw is not asked.
    with pytest.raises(AlreadyDecidedError):
        ioc.the.desk.decide(lan, case_id, "confirm", seen=0)
    other = ioc.act(track=2, rule="speeding")
    ioc.the.desk.decide(lan, other, "confirm")
    assert ioc.the.desk.decide(mai, other, "confirm") == "confirmed"


def test_a_rejection_says_why(ioc: Office) -> None:
    mai = ioc.hire("mai", "reviewer")
    case_id = ioc.act()
    for reason in ("", "because"):
        with pytest.raises(ReviewError):
            ioc.the.desk.decide(mai, case_id, "reject", reason=reason)
    with pytest.raises(ReviewError, match="note"):
        ioc.the.desk.decide(mai, case_id, "reject", reason="other", note=" ")
    assert ioc.the.desk.decide(mai, case_id, "reject", reason="emergency_vehicle") == "rejected"


def test_lists_are_paged_by_key_and_filtered(ioc: Office) -> None:
    mai = ioc.hire("mai", "reviewer")
    acts = [
        parsed(with_data(examples.candidate(track_id=n, at_s=examples.START_S + n % 3), rule="wrong_way"))
        for n in range(120)
    ]
    Writer(ioc.the.database, ioc.the.areas).write(Batch(acts))
    ids = [act.id for act in acts]
    other = ioc.act("cam-2", track=7)
    for oldest_first in (False, True):
        seen: list[str] = []
        cursor = None
        while True:
            page = ioc.the.desk.cases(mai, Filter(rule="wrong_way", oldest_first=oldest_first), cursor)
            seen += [row.id for row in page.rows]
            if (cursor := page.next) is None:
                break
        assert sorted(seen) == sorted(ids)
    assert [r.id for r in ioc.the.desk.cases(mai, Filter(camera="cam-2")).rows] == [other]
    assert [r.id for r in ioc.the.desk.cases(mai, Filter(area="tayninh/trangbang")).rows] == [other]
    assert ioc.the.desk.cases(mai, Filter(plate="59p2-3131.6")).rows
    assert not ioc.the.desk.cases(mai, Filter(plate="59P3")).rows
    # No plate begins with signs alone; a field that somebody has blanked narrows nothing.
    for plate, found in (("%%", 0), ("-", 0), ("_", 0), ("日本", 0), (" ", 121), ("", 121)):
        for state in ("queue", "all"):
            assert ioc.the.desk.count(mai, Filter(plate=plate, state=state), 1000) == found, (plate, state)
    for cursor in ("x", "MSA=", "%%%", "bm90IGE="):
        with pytest.raises(ValueError, match="cursor"):
            ioc.the.desk.cases(mai, Filter(), cursor)


def test_nobody_sees_what_lies_outside_their_areas(ioc: Office) -> None:
    here, beside = ioc.act("cam-1", track=1), ioc.act("cam-3", track=2)
    nobody = ioc.act("cam-unknown", track=3)
    town = ioc.hire("town", "reviewer", HOATHANH)
    assert [row.id for row in ioc.the.desk.cases(town, Filter(state="all")).rows] == [here]
    for case_id in (beside, nobody, "nothing", "x\x00", ""):
        for attempt in (
            ioc.the.desk.case,
            ioc.the.desk.claim,
            ioc.the.desk.release,
            lambda who, case: ioc.the.desk.decide(who, case, "confirm"),
        ):
            with pytest.raises(NotFoundError):
                attempt(town, case_id)
    hour = round(examples.START_S * 1000) // 3_600_000 * 3_600_000
    assert sum(c for *_, c in ioc.the.desk.counts(town, hour, hour + 1)) == 1
    assert sum(c for *_, c in ioc.the.desk.counts(ioc.hire("all", "viewer"), hour, hour + 1)) == 3


def test_days_left_are_told_and_filtered(ioc: Office) -> None:
    mai = ioc.hire("mai", "reviewer")
    now_s = time.time()
    for track, age_days in enumerate((0.1, 8.5, 9.5, 12.5)):
        ioc.act(track=track, at_s=now_s - age_days * DAY_S)
    rows = ioc.the.desk.cases(mai, Filter()).rows
    assert [row.days_left for row in rows] == [9, 1, 0, -3]
    assert [row.days_left for row in ioc.the.desk.cases(mai, Filter(days_left=0)).rows] == [0, -3]


def test_the_audit_log_tells_what_was_done_to_it(ioc: Office) -> None:
    mai = ioc.hire("mai", "reviewer")
    for track in range(3):
        ioc.the.desk.decide(mai, ioc.act(track=track), "confirm")

    def problem_after(statement: str) -> str:
        with ioc.the.database.engine.connect() as connection:
            transaction = connection.begin()
            connection.execute(text(statement))
            from sqlalchemy.orm import Session

            with Session(connection) as session:
                found = audit.verify(session).problem
            transaction.rollback()
            return found

    assert problem_after("UPDATE cases SET area = area") == ""
    assert "changed" in problem_after("UPDATE audit SET actor = 'lan' WHERE seq = 4")
    assert "missing" in problem_after("DELETE FROM audit WHERE seq = 3")
    assert "cut off" in problem_after("DELETE FROM audit WHERE seq > 3")
    assert problem_after("UPDATE audit SET detail = '{}' WHERE action = 'case.decide'")


def test_a_corrected_plate_is_a_plate(ioc: Office) -> None:
    mai = ioc.hire("mai", "reviewer")
    case_id = ioc.act()
    for plate in ("59-P2", "<b>", "x" * 21, "59p2"):
        with pytest.raises(ReviewError):
            ioc.the.desk.decide(mai, case_id, "confirm", plate=plate)
    with ioc.the.database.read() as session:
        assert session.get_one(Case, case_id).state == "open"

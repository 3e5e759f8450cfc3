"""Evidence that has been kept long enough goes; cases, events, decisions and the audit log stay.

A case at a time, under its lock: whoever sets a legal hold is either before, and nothing goes, or is told
that it is too late. A bundle goes only where its manifest is the one in the case's event and names the case
itself: an event can point at whatever it likes, and deletes nothing but its own.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, TextClause, and_, exists, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from pipeline.ioc.config import IocConfig
from pipeline.ioc.config.keeping import Standing
from pipeline.ioc.desk.bundles import Bundles, StoreAwayError
from pipeline.ioc.desk.files import MANIFEST, SIGNATURE
from pipeline.ioc.review import OPEN_STATES
from pipeline.ioc.review.deadlines import DAY_MS
from pipeline.ioc.store import Database, audit, clock
from pipeline.ioc.store.act import Act
from pipeline.ioc.store.models import KEPT, OPEN, Case, CaseEvent, Decision, Hold

log = structlog.get_logger(__name__)

PAGE = 200
MANIFEST_BYTES = 1_048_576
ACTOR = "retention"
_HELD = exists().where(Hold.case_id == Case.id)
_LAST_MS = select(func.max(Decision.at_ms)).where(Decision.case_id == Case.id).scalar_subquery()
_STANDINGS: tuple[Standing, ...] = ("confirmed", "rejected", "incomplete", "undecided")


@dataclass(frozen=True, slots=True)
class Gone:
    """Evidence of one rule and decision that went, or would go."""

    rule: str
    standing: Standing
    days: int
    cases: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one pass did, or would do."""

    gone: list[Gone]
    held: int
    """Cases that would have gone, were they not held."""
    problems: list[str]
    """What could not be removed, and why; at most 20."""
    refused: int
    """How many there are of these."""


@dataclass(frozen=True, slots=True)
class _Due:
    id: str
    rule: str
    standing: Standing
    days: int
    held: bool


class Retention:
    """One pass at a time; several services may share a database."""

    def __init__(self, config: IocConfig, database: Database) -> None:
        self._settings = config.retention
        self._every_s = config.retention.every_hours * 3600
        self._database = database
        self._bundles = Bundles(config.evidence)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Look now and then, where anything expires at all."""
        if self._settings.shortest:
            self._thread.start()

    def stop(self) -> None:
        """Finish the case at hand."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def sweep(self, *, dry_run: bool) -> Sweep:
        """Remove what has expired, or only say what would go. Raises SQLAlchemyError."""
        totals: dict[tuple[str, Standing, int], list[int]] = {}
        away: dict[str, str] = {}
        problems: list[str] = []
        held = refused = 0
        now_ms = clock.now_ms()
        for due in self._due(now_ms):
            if self._stop.is_set():
                break
            if due.held:
                held += 1
                continue
            try:
                found = self._look(due) if dry_run else self._expire(due, now_ms, away)
            except (StoreAwayError, _RefusedError) as error:
                refused += 1
                if len(problems) < 20:
                    problems.append(f"{due.id}: {error}")
                continue
            if found is not None:
                total = totals.setdefault((due.rule, due.standing, due.days), [0, 0, 0])
                for at, value in enumerate((1, *found)):
                    total[at] += value
        gone = [Gone(*key, *total) for key, total in sorted(totals.items())]
        return Sweep(gone, held, problems, refused)

    def _due(self, now_ms: int) -> Iterator[_Due]:
        """Cases whose days are over, oldest first, a page at a time."""
        for standing in _STANDINGS:
            shortest = self._settings.shortest.get(standing)
            after: tuple[int, str] = (-(2**62), "")
            while shortest is not None:
                with self._database.read() as session:
                    rows = session.execute(
                        select(Case.id, Case.at_ms, Case.rule, _HELD.label("held"), _LAST_MS.label("last_ms"))
                        .where(
                            *_standing(standing),
                            Case.at_ms < now_ms - shortest * DAY_MS,
                            or_(Case.at_ms > after[0], and_(Case.at_ms == after[0], Case.id > after[1])),
                        )
                        .order_by(Case.at_ms, Case.id)
                        .limit(PAGE)
                    ).all()
                for row in rows:
                    days = self._settings.days(row.rule, standing)
                    if days is not None and max(row.at_ms, row.last_ms or 0) < now_ms - days * DAY_MS:
                        yield _Due(row.id, row.rule, standing, days, row.held)
                if len(rows) < PAGE:
                    break
                after = (rows[-1].at_ms, rows[-1].id)

    def _look(self, due: _Due) -> tuple[int, int]:
        """Files and bytes, as the event has them."""
        with self._database.read() as session:
            act = Act.model_validate(session.get_one(CaseEvent, due.id).data)
        items = act.evidence.items if act.evidence.bundle is not None else ()
        return len(items), sum(item.size_bytes for item in items)

    def _expire(self, due: _Due, now_ms: int, away: dict[str, str]) -> tuple[int, int] | None:
        """Files and bytes that went; None where the case is not due any more."""
        with self._database.write() as session:
            case = session.scalar(
                select(Case)
                .where(Case.id == due.id, *_standing(due.standing))
                .with_for_update(skip_locked=True)
            )
            if case is None:
                return None
            # Asked once the case is locked: nobody sets a hold or decides from here on.
            held, last_ms = session.execute(select(_HELD, _LAST_MS).where(Case.id == due.id)).one()
            if held or (last_ms or 0) >= now_ms - due.days * DAY_MS:
                return None
            act = Act.model_validate(session.get_one(CaseEvent, due.id).data)
            files, size, found = self._remove(due.id, case.worker, act, away)
            case.evidence_gone_ms = now_ms
            detail = {
                "rule": due.rule,
                "decision": due.standing,
                "days": due.days,
                "files": files,
                "bytes": size,
                "found": found,
            }
            audit.append(session, ACTOR, "evidence.expire", due.id, detail)
        return files, size

    def _remove(self, case_id: str, worker: str, act: Act, away: dict[str, str]) -> tuple[int, int, bool]:
        """Files and bytes, and whether they were there. Raises StoreAwayError, _RefusedError."""
        evidence = act.evidence
        if evidence.bundle is None:
            return 0, 0, False
        url = self._bundles.url(worker)
        if url in away:
            raise StoreAwayError(away[url])
        try:
            manifest = self._bundles.read(worker, f"{evidence.bundle}/{MANIFEST}", MANIFEST_BYTES)
        except StoreAwayError as error:
            away[url] = str(error)
            raise
        except FileNotFoundError:
            # The worker's own retention was first. But where a disk is not mounted, nothing is there either.
            if not self._bundles.holds_anything(worker):
                away[url] = f"evidence store {url} is empty: is it mounted?"
                raise StoreAwayError(away[url]) from None
            return 0, 0, False
        if hashlib.sha256(manifest).hexdigest() != evidence.manifest_sha256:
            raise _RefusedError("its manifest was changed: nothing is removed")
        if not _names(manifest, case_id):
            raise _RefusedError("its event points at the bundle of another case: nothing is removed")
        # The manifest last: what a crash leaves is removed by the next pass.
        names = [*(item.file for item in evidence.items), SIGNATURE, MANIFEST]
        self._bundles.remove(worker, evidence.bundle, names)
        return len(evidence.items), sum(item.size_bytes for item in evidence.items), True

    def _run(self) -> None:
        wait_s = min(60.0, self._every_s)
        while not self._stop.wait(wait_s):
            wait_s = self._every_s
            try:
                swept = self.sweep(dry_run=False)
            except SQLAlchemyError as error:
                log.warning("retention_waits", reason=str(getattr(error, "orig", error))[:200])
                continue
            cases, size = sum(each.cases for each in swept.gone), sum(each.bytes for each in swept.gone)
            log.info("retention_swept", cases=cases, bytes=size, held=swept.held, refused=swept.refused)
            for problem in swept.problems:
                log.warning("evidence_not_removed", reason=problem)


class _RefusedError(Exception):
    """This bundle is not removed; the message says why."""


def _standing(standing: Standing) -> list[ColumnElement[bool] | TextClause]:
    """Conditions of cases with evidence, written so that the indexes serve."""
    if standing == "undecided":
        return [OPEN, Case.state.in_(OPEN_STATES), Case.evidence_gone_ms == 0]
    return [KEPT, Case.state == standing]


def _names(manifest: bytes, case_id: str) -> bool:
    try:
        told = json.loads(manifest)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("event_id") == case_id

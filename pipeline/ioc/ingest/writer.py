"""Batches of events into the database: one transaction each, every event once however often it comes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from pipeline.ioc.config import AreaTree
from pipeline.ioc.ingest.parse import Parsed, storable
from pipeline.ioc.store import Database, clock, counters
from pipeline.ioc.store.act import Act, FlowReport, HealthReport, bare_plate
from pipeline.ioc.store.models import (
    CameraState,
    Case,
    CaseEvent,
    DeadLetter,
    Flow,
    Health,
    Position,
)

MAX_LETTER_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class Letter:
    """Something that is no event."""

    origin: str
    reason: str
    body: str
    form: str = ""
    """How to read the body again: outbox or kafka; "" where it is not all that came."""
    headers: str = ""
    """Attributes that came beside the body, as JSON."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction takes in."""

    events: Sequence[Parsed] = ()
    letters: Sequence[Letter] = ()
    position: tuple[str, str, int] | None = None
    """Source, id and number of the event up to which an outbox is read with this batch."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch."""

    new: list[str]
    """Ids of cases that were not there before."""
    refused: list[Letter] = field(default_factory=list)
    """Events that the database does not take, which are dead letters now."""


@dataclass(slots=True)
class Totals:
    """Counted since the start."""

    stored: Counter[str] = field(default_factory=Counter)
    """New events per type."""
    repeated: int = 0
    shadows: int = 0
    dead_letters: int = 0


class Writer:
    """For one thread at a time."""

    def __init__(self, database: Database, areas: AreaTree, totals: Totals | None = None) -> None:
        self._database = database
        self._areas = areas
        self.totals = totals or Totals()

    def write(self, batch: Batch) -> Written:
        """Store the batch. Raises SQLAlchemyError when the database is away; what was kept is kept once.

        A batch that the database refuses for what it holds is halved until the event at fault is alone.
        """
        try:
            return Written(self._write(batch))
        except Exception as error:
            if not is_refusal(error) or not batch.events:
                raise
            if len(batch.events) > 1 or batch.letters:
                half = len(batch.events) // 2
                first = self.write(Batch(batch.events[:half], batch.letters))
                second = self.write(Batch(batch.events[half:], position=batch.position))
                return Written(first.new + second.new, first.refused + second.refused)
            letter = _refusal(batch.events[0], error)
            self._write(Batch(letters=[letter], position=batch.position))
            return Written([], [letter])

    def _write(self, batch: Batch) -> list[str]:
        now_ms = clock.now_ms()
        shown = [event for event in batch.events if not getattr(event.content, "shadow", False)]
        arrived = _once(shown)
        # Sorted, so that two services never wait for each other in a circle.
        events = sorted(arrived, key=lambda event: event.id)
        acts = [event for event in events if isinstance(event.content, Act)]
        health = [event for event in events if isinstance(event.content, HealthReport)]
        flow = [event for event in events if isinstance(event.content, FlowReport)]
        with self._database.write() as session:
            new_acts = self._acts(session, acts, now_ms)
            new_health = self._database.insert_new(session, Health, [_health_row(event) for event in health])
            self._cameras(session, arrived, now_ms)
            new_flow = self._database.insert_new(session, Flow, [_flow_row(event) for event in flow])
            reports = [event.content for event in flow if event.id in new_flow]
            counters.count_flow(self._database, session, reports)  # type: ignore[arg-type]
            letters = self._letters(session, batch.letters, now_ms)
            if batch.position is not None:
                source, last_id, seq = batch.position
                self._upsert(session, Position, {"source": source, "last_id": last_id, "seq": seq}, "source")
        self.totals.stored.update(event.type for event in acts if event.id in new_acts)
        self.totals.stored["camera.health"] += len(new_health)
        self.totals.stored["traffic.flow"] += len(new_flow)
        new = len(new_acts) + len(new_health) + len(new_flow)
        self.totals.repeated += len(shown) - new
        self.totals.shadows += len(batch.events) - len(shown)
        self.totals.dead_letters += letters
        return sorted(new_acts)

    def _acts(self, session: Session, acts: list[Parsed], now_ms: int) -> set[str]:
        rows = [self._case_row(event, now_ms) for event in acts]
        new = self._database.insert_new(session, Case, rows)
        self._complete(session, [event for event in acts if event.id not in new], now_ms)
        fresh = [event for event in acts if event.id in new]
        self._database.insert_new(session, CaseEvent, [{"case_id": e.id, "data": e.data} for e in fresh])
        self._count(session, fresh, 1)
        return new

    def _complete(self, session: Session, again: list[Parsed], now_ms: int) -> None:
        """A record that was incomplete and is whole now takes the place of what it was."""
        whole = {event.id: event for event in again if event.type == "violation.candidate"}
        if not whole:
            return
        lacking = session.scalars(
            select(Case)
            .where(Case.id.in_(whole), Case.state == "incomplete")
            .order_by(Case.id)
            .with_for_update()
        )
        for was in lacking.all():
            event = whole[was.id]
            before = (was.at_ms, was.rule, was.camera, was.type)
            row = self._case_row(event, now_ms)
            session.execute(update(Case).where(Case.id == event.id).values(row))
            session.execute(update(CaseEvent).where(CaseEvent.case_id == event.id).values(data=event.data))
            counters.count_acts(self._database, session, [before], -1)
            self._count(session, [event], 1)

    def _case_row(self, event: Parsed, now_ms: int) -> dict[str, Any]:
        act = event.content
        assert isinstance(act, Act)
        plate = bare_plate(act.plate.text)[:20] if act.plate is not None else ""
        return {
            "id": event.id,
            "type": event.type,
            "rule": act.rule,
            "camera": act.camera.id,
            "place": act.camera.name,
            "area": self._areas.area_of(act.camera.id),
            "worker": act.worker.id,
            "at_ms": event.at_ms,
            "received_ms": now_ms,
            "road_user": act.road_user[:20],
            "plate": plate,
            "confidence": act.confidence,
            "state": "incomplete" if event.type == "violation.incomplete" else "open",
            "claimed_until_ms": 0,
        }

    def _count(self, session: Session, events: list[Parsed], by: int) -> None:
        acts = [(event.at_ms, event.content, event.type) for event in events]
        keys = [(at_ms, act.rule, act.camera.id, kind) for at_ms, act, kind in acts if isinstance(act, Act)]
        counters.count_acts(self._database, session, keys, by)

    def _cameras(self, session: Session, arrived: list[Parsed], now_ms: int) -> None:
        """Take up where cameras stand, what their health is, and when they were last heard of."""
        newest: dict[str, dict[str, Any]] = {}
        told_ms = self._told_ms(session, arrived)
        heard: dict[str, list[int]] = {}
        # Of reports of one moment, the last to arrive is the newest.
        for event in sorted(arrived, key=lambda event: event.at_ms):
            report = event.content
            heard.setdefault(report.camera.id, []).append(min(event.at_ms, now_ms))
            if isinstance(report, HealthReport) and event.at_ms >= told_ms.get(report.camera.id, 0):
                since_ms = min(round(report.since.timestamp() * 1000), event.at_ms)
                row = self._camera_row(report.camera, report.state[:20], report.reason, since_ms)
                newest[report.camera.id] = row
            else:
                newest.setdefault(report.camera.id, self._camera_row(report.camera, "", "", 0))
        rows = [
            {**newest[id_], "first_ms": min(heard[id_]), "seen_ms": max(heard[id_])} for id_ in sorted(newest)
        ]
        if not rows:
            return
        statement = self._database.insert(CameraState)
        new = statement.excluded
        # One statement for each camera, in the order of their ids. Written again only where it tells more:
        # a change of health, or a minute more.
        later, seen = CameraState.since_ms <= new.since_ms, CameraState.seen_ms
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["id"],
                set_={
                    name: case((later, new[name]), else_=getattr(CameraState, name))
                    for name in ("name", "place", "area", "state", "reason", "since_ms")
                }
                | {"seen_ms": case((seen < new.seen_ms, new.seen_ms), else_=seen)},
                where=or_(and_(new.since_ms > 0, later), seen <= new.seen_ms - counters.MINUTE_MS),
            ),
            rows,
        )

    def _told_ms(self, session: Session, arrived: list[Parsed]) -> dict[str, int]:
        """When each camera's newest report was made, of those cameras that reports arrived of."""
        ids = {event.content.camera.id for event in arrived if isinstance(event.content, HealthReport)}
        if not ids:
            return {}
        newest = select(func.max(Health.at_ms)).where(Health.camera == CameraState.id).scalar_subquery()
        found = session.execute(select(CameraState.id, newest).where(CameraState.id.in_(ids)))
        return {id_: at_ms or 0 for id_, at_ms in found}

    def _camera_row(self, camera: Any, state: str, reason: str, since_ms: int) -> dict[str, Any]:
        return {
            "id": camera.id,
            "name": camera.name,
            "place": camera.place,
            "area": self._areas.area_of(camera.id),
            "state": state,
            "reason": reason,
            "since_ms": since_ms,
        }

    def _letters(self, session: Session, letters: Sequence[Letter], now_ms: int) -> int:
        rows = [
            {
                "at_ms": now_ms,
                "origin": storable(letter.origin)[:300],
                "reason": storable(letter.reason)[:500],
                "body": (kept := storable(letter.body[:MAX_LETTER_CHARS])),
                "form": letter.form if kept == letter.body else "",
                "headers": letter.headers,
            }
            for letter in letters
        ]
        if not rows:
            return 0
        statement = self._database.insert(DeadLetter).on_conflict_do_nothing().returning(DeadLetter.id)
        return len(session.scalars(statement, rows).all())

    def _upsert(self, session: Session, table: Any, row: dict[str, Any], key: str) -> None:
        rest = {name: value for name, value in row.items() if name != key}
        statement = self._database.insert(table).values(row)
        session.execute(statement.on_conflict_do_update(index_elements=[key], set_=rest))


def _once(events: Sequence[Parsed]) -> list[Parsed]:
    """Each id once, as and where its last repeat stands; but what was whole is not made incomplete again."""
    kept: dict[str, Parsed] = {}
    for event in events:
        was = kept.pop(event.id, event)
        whole = (was.type, event.type) == ("violation.candidate", "violation.incomplete")
        kept[event.id] = was if whole else event
    return list(kept.values())


def is_refusal(error: Exception) -> bool:
    """Whether it is what was to be stored that the database does not take: trying again cannot help."""
    if isinstance(error, OperationalError):
        # "Program limit exceeded": an index entry or a JSON value too large, nested too deeply.
        return str(getattr(error.orig, "sqlstate", "") or "").startswith("54")
    # Drivers raise the latter themselves: a number that fits no column, text that is no UTF-8.
    return isinstance(error, (DataError, IntegrityError, OverflowError, UnicodeError))


def digest(content: bytes) -> str:
    """Tells letters apart that came at the same place: a topic or an outbox may have been begun anew."""
    return hashlib.sha256(content).hexdigest()[:16]


def _refusal(event: Parsed, error: Exception) -> Letter:
    reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    head = json.dumps({"id": event.id, "type": event.type, "time_ms": event.at_ms})
    return Letter(
        # Named by its content, not by where it came from: sent again, it is the same letter.
        f"event {event.id} {digest(event.data.encode(errors='replace'))}",
        f"the database does not take it: {reason or type(error).__name__}",
        f'{head[:-1]}, "data": {event.data}}}',
        form="outbox",
    )


def move_cameras(database: Database, areas: AreaTree) -> int:
    """Bring cameras and their cases to where the configuration has them; returns how many cameras moved."""
    with database.write() as session:
        moved = 0
        for camera in session.scalars(select(CameraState)):
            if (area := areas.area_of(camera.id)) != camera.area:
                session.execute(update(Case).where(Case.camera == camera.id).values(area=area))
                camera.area = area
                moved += 1
        return moved


def _health_row(event: Parsed) -> dict[str, Any]:
    return {"id": event.id, "camera": event.content.camera.id, "at_ms": event.at_ms, "data": event.data}


def _flow_row(event: Parsed) -> dict[str, Any]:
    report = event.content
    assert isinstance(report, FlowReport)
    return {
        "id": event.id,
        "camera": report.camera.id,
        "start_ms": round(report.start.timestamp() * 1000),
        "end_ms": round(report.end.timestamp() * 1000),
        "observed_s": report.observed_s,
        "vehicles": report.vehicles,
        "data": event.data,
    }

"""Batches of events into the database: one transaction each, every event once however often it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pipeline.ioc.config import AreaTree
from pipeline.ioc.ingest.parse import Parsed, storable
from pipeline.ioc.store import Database, clock
from pipeline.ioc.store.act import Act, FlowReport, HealthReport, bare_plate
from pipeline.ioc.store.models import (
    CameraState,
    Case,
    CaseEvent,
    DeadLetter,
    Flow,
    Health,
    HourCount,
    Position,
)

HOUR_MS = 3_600_000
MAX_LETTER_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class Letter:
    """Something that is no event."""

    origin: str
    reason: str
    body: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction takes in."""

    events: Sequence[Parsed] = ()
    letters: Sequence[Letter] = ()
    position: tuple[str, str, int] | None = None
    """Source, id and number of the event up to which an outbox is read with this batch."""


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

    def write(self, batch: Batch) -> list[str]:
        """Store the batch; returns the ids of new cases. Raises SQLAlchemyError, having kept nothing."""
        now_ms = clock.now_ms()
        # The last of a repeat wins; sorted, so that two services never wait for each other in a circle.
        shown = [event for event in batch.events if not getattr(event.content, "shadow", False)]
        events = sorted({event.id: event for event in shown}.values(), key=lambda event: event.id)
        acts = [event for event in events if isinstance(event.content, Act)]
        health = [event for event in events if isinstance(event.content, HealthReport)]
        flow = [event for event in events if isinstance(event.content, FlowReport)]
        with self._database.write() as session:
            new_acts = self._acts(session, acts, now_ms)
            new_health = self._once(session, Health, [_health_row(event) for event in health])
            self._cameras(session, acts, health, now_ms)
            new_flow = self._once(session, Flow, [_flow_row(event) for event in flow])
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
        new = self._once(session, Case, rows)
        self._complete(session, [event for event in acts if event.id not in new], now_ms)
        fresh = [event for event in acts if event.id in new]
        self._once(session, CaseEvent, [{"case_id": e.id, "data": e.data} for e in fresh], key="case_id")
        self._count(session, fresh, 1)
        return new

    def _complete(self, session: Session, again: list[Parsed], now_ms: int) -> None:
        """A record that was incomplete and is whole now takes the place of what it was."""
        whole = {event.id: event for event in again if event.type == "violation.candidate"}
        if not whole:
            return
        lacking = session.scalars(
            select(Case.id).where(Case.id.in_(whole), Case.state == "incomplete").with_for_update()
        )
        for case_id in lacking.all():
            event = whole[case_id]
            old = session.get_one(CaseEvent, case_id).data
            before = Parsed(case_id, "violation.incomplete", event.at_ms, old, event.content)
            row = self._case_row(event, now_ms)
            session.execute(update(Case).where(Case.id == case_id).values(row))
            session.execute(update(CaseEvent).where(CaseEvent.case_id == case_id).values(data=event.data))
            self._count(session, [before], -1)
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
        counts: Counter[tuple[int, str, str, str]] = Counter()
        for event in events:
            assert isinstance(event.content, Act)
            act = event.content
            counts[event.at_ms // HOUR_MS * HOUR_MS, act.rule, act.camera.id, event.type] += by
        rows = [
            {"hour_ms": hour, "rule": rule, "camera": camera, "type": kind, "count": count}
            for (hour, rule, camera, kind), count in sorted(counts.items())
        ]
        if rows:
            statement = self._database.insert(HourCount)
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["hour_ms", "rule", "camera", "type"],
                    set_={"count": HourCount.count + statement.excluded.count},
                ),
                rows,
            )

    def _cameras(self, session: Session, acts: list[Parsed], health: list[Parsed], now_ms: int) -> None:
        newest: dict[str, dict[str, Any]] = {}
        for event in acts:
            newest.setdefault(event.content.camera.id, self._camera_row(event.content.camera, "", "", 0))
        for event in sorted(health, key=lambda event: event.at_ms):
            assert isinstance(event.content, HealthReport)
            report = event.content
            row = self._camera_row(report.camera, report.state[:20], report.reason, event.at_ms)
            newest[report.camera.id] = row
        known = [newest[camera] for camera in sorted(newest)]
        told = [row for row in known if row["since_ms"]]
        seen = [row for row in known if not row["since_ms"]]
        if seen:
            session.execute(self._database.insert(CameraState).on_conflict_do_nothing(), seen)
        if told:
            statement = self._database.insert(CameraState)
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["id"],
                    set_={name: statement.excluded[name] for name in told[0] if name != "id"},
                    where=CameraState.since_ms <= statement.excluded.since_ms,
                ),
                told,
            )

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
                "body": storable(letter.body[:MAX_LETTER_CHARS]),
            }
            for letter in letters
        ]
        if not rows:
            return 0
        statement = self._database.insert(DeadLetter).on_conflict_do_nothing().returning(DeadLetter.id)
        return len(session.scalars(statement, rows).all())

    def _once(self, session: Session, table: Any, rows: list[dict[str, Any]], key: str = "id") -> set[str]:
        """Insert what is not there yet; returns the keys of what was new."""
        if not rows:
            return set()
        column = getattr(table, key)
        statement = self._database.insert(table).on_conflict_do_nothing().returning(column)
        return set(session.scalars(statement, rows))

    def _upsert(self, session: Session, table: Any, row: dict[str, Any], key: str) -> None:
        rest = {name: value for name, value in row.items() if name != key}
        statement = self._database.insert(table).values(row)
        session.execute(statement.on_conflict_do_update(index_elements=[key], set_=rest))


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

"""Reading the audit log: who sees which of its entries."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select

from pipeline.ioc.config import AreaTree
from pipeline.ioc.config.areas import within
from pipeline.ioc.people import Person
from pipeline.ioc.store import Database, audit, clock
from pipeline.ioc.store.models import AuditEntry, Case

PAGE = 100


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What is looked for; "" looks for all."""

    actor: str = ""
    """Name of whoever did it."""
    action: str = ""
    """The action, or the word before its full stop: case, user, login."""
    subject: str = ""
    """Id of the case, or name of the account."""
    from_ms: int = 0
    to_ms: int | None = None
    """Before this moment."""


class AuditLog:
    """Threads may share it."""

    def __init__(self, database: Database, areas: AreaTree) -> None:
        self._database = database
        self._areas = areas
        self.checked: tuple[audit.AuditResult, int] | None = None
        """What `check` found last, and when (epoch ms)."""

    def entries(
        self, person: Person, wanted: LogFilter, before: int | None = None, most: int = PAGE
    ) -> list[AuditEntry]:
        """Newest first, `most` at a time; `before` is the last number of the page before.

        Who has not the whole area sees what was done to its cases, and what they did themselves: entries hold
        plates and notes.
        """
        query = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(most)
        if before is not None:
            query = query.where(AuditEntry.seq < before)
        if wanted.actor:
            query = query.where(AuditEntry.actor == wanted.actor)
        if wanted.action:
            inner = AuditEntry.action.startswith(f"{wanted.action}.", autoescape=True)
            query = query.where(or_(AuditEntry.action == wanted.action, inner))
        if wanted.subject:
            query = query.where(AuditEntry.subject == wanted.subject)
        if wanted.from_ms:
            query = query.where(AuditEntry.at_ms >= wanted.from_ms)
        if wanted.to_ms is not None:
            query = query.where(AuditEntry.at_ms < wanted.to_ms)
        if self._areas.root not in person.areas:
            seen = [path for path in self._areas.names if within(path, person.areas)]
            here = select(Case.id).where(Case.id == AuditEntry.subject, Case.area.in_(seen)).exists()
            query = query.where(or_(AuditEntry.actor == person.name, here))
        with self._database.read() as session:
            return list(session.scalars(query))

    def verify(self) -> audit.AuditResult:
        """Walk the whole chain."""
        with self._database.read() as session:
            return audit.verify(session)

    def check(self) -> tuple[audit.AuditResult, int]:
        """Walk the whole chain, and keep what was found for pages to show."""
        self.checked = (self.verify(), clock.now_ms())
        return self.checked

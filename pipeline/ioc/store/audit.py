"""Who did what: a chain in which each entry's hash covers the one before it.

A changed, removed, inserted or cut-off entry breaks the chain. Whoever can write the database can write a new
chain as a whole: a head that was kept elsewhere tells that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from pipeline.ioc.store import clock
from pipeline.ioc.store.models import AuditEntry, AuditHead

START = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What `verify` found."""

    entries: int
    head: str
    problem: str = ""
    """The first break; "" when the chain is whole."""


def append(
    session: Session, actor: str, action: str, subject: str = "", detail: Mapping[str, object] | None = None
) -> None:
    """Add an entry within the transaction of what it tells of."""
    head = session.get_one(AuditHead, 1, with_for_update=True)
    entry = AuditEntry(
        seq=head.seq + 1,
        at_ms=clock.now_ms(),
        actor=actor[:64],
        action=action,
        subject=subject[:200],
        detail=json.dumps(detail or {}, sort_keys=True, ensure_ascii=False, separators=(",", ":")),
        hash="",
    )
    entry.hash = _hash(entry, head.hash)
    session.add(entry)
    head.seq, head.hash = entry.seq, entry.hash
    session.flush()


def verify(session: Session) -> AuditResult:
    """Walk the whole chain."""
    before, seq = START, 0
    for entry in session.scalars(
        select(AuditEntry).order_by(AuditEntry.seq).execution_options(yield_per=1000)
    ):
        if entry.seq != seq + 1:
            return AuditResult(seq, before, f"entry {seq + 1} is missing")
        if entry.hash != _hash(entry, before):
            return AuditResult(seq, before, f"entry {entry.seq} or the one before it was changed")
        before, seq = entry.hash, entry.seq
    head = session.get_one(AuditHead, 1)
    if (head.seq, head.hash) != (seq, before):
        return AuditResult(seq, before, f"the log was cut off after entry {seq}")
    return AuditResult(seq, before)


def _hash(entry: AuditEntry, before: str) -> str:
    content = [before, entry.seq, entry.at_ms, entry.actor, entry.action, entry.subject, entry.detail]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()

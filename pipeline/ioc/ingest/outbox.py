"""Reads the outbox of a worker on this machine; the worker does not notice.

The file is opened read-only, and nothing stays open between two looks: a reader that held a transaction would
keep the worker from folding its write-ahead log. How far it was read is kept in our own database.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline.events.outbox_file import clear_errors, open_beside
from pipeline.ioc.ingest.parse import BadEventError, from_outbox
from pipeline.ioc.ingest.writer import Batch, Letter, Writer, digest
from pipeline.ioc.store import Database
from pipeline.ioc.store.models import Position

OUTBOX_NAME = "outbox.db"
BATCH = 500


class OutboxReader:
    """One outbox, from where it was left."""

    def __init__(self, data_dir: Path, database: Database) -> None:
        self.path = data_dir / OUTBOX_NAME
        self.source = str(self.path)
        self._database = database

    def step(self, writer: Writer) -> int:
        """Store the next events; returns how many were read. Raises EventsError when it cannot be read."""
        with self._database.read() as session:
            known = session.get(Position, self.source)
        with closing(open_beside(self.path)) as db, clear_errors(self.path):
            rows = self._rows(db, known)
        if not rows:
            return 0
        events, letters = [], []
        for seq, event_id, body in rows:
            try:
                events.append(from_outbox(body))
            except BadEventError as error:
                origin = f"{self.source}#{seq}.{event_id} {digest(body.encode(errors='replace'))}"
                letters.append(Letter(origin, str(error), body, form="outbox"))
        last_seq, last_id, _ = rows[-1]
        writer.write(Batch(events, letters, (self.source, last_id, last_seq)))
        return len(rows)

    def _rows(self, db: sqlite3.Connection, known: Position | None) -> list[tuple[int, str, str]]:
        seq = 0
        if known is not None:
            at = db.execute("SELECT id FROM events WHERE seq = ?", (known.seq,)).fetchone()
            # Another event there, or none: the outbox was begun anew. What comes twice is stored once.
            seq = known.seq if at == (known.last_id,) else 0
        query = "SELECT seq, id, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        return db.execute(query, (seq, BATCH)).fetchall()

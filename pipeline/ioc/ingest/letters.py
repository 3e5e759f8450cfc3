"""Dead letters: looking at them, and taking one in again once what was wrong has been mended."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update

from pipeline.ioc.config import AreaTree
from pipeline.ioc.ingest.parse import BadEventError, Parsed, from_kafka, from_outbox
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.ioc.people import Person
from pipeline.ioc.store import Database, audit
from pipeline.ioc.store.models import DeadLetter

PAGE = 50


class RetryError(Exception):
    """It is still no event; the message says why."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of some letters."""

    taken: int
    refused: int
    next: int | None
    """Where to go on, as `before`; None when these were the last."""


class DeadLetters:
    """Threads may share it."""

    def __init__(self, database: Database, areas: AreaTree) -> None:
        self._database = database
        self._areas = areas

    def page(self, before: int | None = None, most: int = PAGE) -> list[DeadLetter]:
        """Newest first; `before` is the last id of the page before."""
        query = select(DeadLetter).order_by(DeadLetter.id.desc()).limit(most)
        if before is not None:
            query = query.where(DeadLetter.id < before)
        with self._database.read() as session:
            return list(session.scalars(query))

    def count(self) -> int:
        """How many there are, counted up to 1000."""
        with self._database.read() as session:
            some = select(DeadLetter.id).limit(1000).subquery()
            return session.scalar(select(func.count()).select_from(some)) or 0

    def retry_some(self, person: Person, before: int | None = None, most: int = PAGE) -> Retried:
        """Take in what can be of the next `most`, newest first; for all, go on until `next` is None."""
        letters = self.page(before, most)
        taken = refused = 0
        for letter in letters:
            try:
                self.retry(person, letter.id)
            except RetryError:
                refused += 1
            except KeyError:
                pass  # somebody else was quicker
            else:
                taken += 1
        return Retried(taken, refused, letters[-1].id if len(letters) == most else None)

    def retry(self, person: Person, letter_id: int) -> str:
        """Take it in; returns the event's id, and the letter is gone. Raises KeyError, RetryError.

        Taking in twice has the effect of once: should the service stop in between, it is done again.
        """
        with self._database.read() as session:
            letter = session.get(DeadLetter, letter_id)
        if letter is None:
            raise KeyError(letter_id)
        try:
            event = _parsed(letter)
        except BadEventError as error:
            with self._database.write() as session:
                told = update(DeadLetter).where(DeadLetter.id == letter_id).values(reason=str(error)[:500])
                session.execute(told)
            raise RetryError(str(error)) from error
        written = Writer(self._database, self._areas).write(Batch([event]))
        if written.refused:
            raise RetryError(written.refused[0].reason)
        with self._database.write() as session:
            session.execute(delete(DeadLetter).where(DeadLetter.id == letter_id))
            audit.append(session, person.name, "letter.retry", event.id, {"origin": letter.origin})
        return event.id


def _parsed(letter: DeadLetter) -> Parsed:
    if letter.form == "outbox":
        return from_outbox(letter.body)
    if letter.form == "kafka":
        headers = json.loads(letter.headers or "{}")
        return from_kafka({name: text.encode() for name, text in headers.items()}, letter.body.encode())
    raise BadEventError("it was cut or altered to be kept: its sender has to send it again")

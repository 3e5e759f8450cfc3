"""Dead letters: what came and is no event, why, and taking it in again."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from nicegui import run, ui
from nicegui.events import KeyEventArguments
from starlette.responses import Response

from pipeline.ioc.console.frame import Visit, button, frame, local_time, visit
from pipeline.ioc.console.rows import Rows, Sure, pairs, visible
from pipeline.ioc.ingest.letters import PAGE
from pipeline.ioc.services import Services
from pipeline.ioc.store.models import DeadLetter

MOST_SHOWN = 20_000


class LettersPage:
    """One operator's view of them."""

    def __init__(self, here: Visit) -> None:
        self._here = here
        self._texts = texts = here.texts
        self._busy = asyncio.Lock()
        self._oldest: int | None = None
        self._count = frame(here, "dead_letters")
        with ui.element("div").classes("filters"):
            ui.label(texts("letters_hint")).classes("sub")
            ui.element("div").classes("grow")
            self._progress = ui.label("").classes("sub num").props("role=status").mark("progress")
            ui.label(texts("keys_letters")).classes("sub")
            button(texts("letter_retry_all"), "A", self._ask_all)
        head = [texts(key) for key in ("time", "letter_reason", "letter_origin", "letter_size")]
        self._rows: Rows[DeadLetter] = Rows(
            texts,
            "letters",
            head,
            name=lambda row: row.id,
            cells=self._cells,
            show=self._show,
            more=lambda: self.load(more=True),
        )
        self._sure = Sure(texts)
        ui.keyboard(self._key, ignore=["input", "select", "textarea"])

    async def load(self, *, more: bool = False) -> None:
        """Fetch the newest, or those before the last."""
        if not self._here.still_here():
            return
        letters = self._here.the.letters
        found = await run.io_bound(letters.page, self._oldest if more else None, PAGE + 1) or []
        goes_on, found = len(found) > PAGE, found[:PAGE]
        self._oldest = found[-1].id if found else None
        self._rows.fill(found, goes_on=goes_on, add=more)
        count = await run.io_bound(letters.count) or 0
        self._count.text = f"{'1000+' if count >= 1000 else count}"

    def _cells(self, row: DeadLetter) -> None:
        ui.label(local_time(row.at_ms)).props("role=cell").classes("num")
        ui.label(visible(row.reason)).props("role=cell").classes("one main")
        ui.label(visible(row.origin)).props("role=cell").classes("one sub")
        ui.label(f"{len(row.body):,}".replace(",", ".")).props("role=cell").classes("num sub")

    def _show(self, row: DeadLetter) -> None:
        texts = self._texts
        with ui.element("h2"):
            ui.label(visible(row.reason)).mark("reason")
        pairs(
            [
                (texts("time"), local_time(row.at_ms)),
                (texts("letter_origin"), visible(row.origin)),
                (texts("letter_size"), str(len(row.body))),
            ]
        )
        with ui.element("div").classes("acts"):
            button(texts("letter_retry"), "R", self._retry, "good", enabled=bool(row.form))
        if not row.form:
            ui.label(texts("letter_cut")).classes("sub wrap")
        if row.headers:
            ui.label(texts("letter_headers")).classes("main")
            ui.label(_laid_out(row.headers)).classes("raw")
        ui.label(texts("letter_body")).classes("main").style("margin-top:10px")
        ui.label(_laid_out(row.body)).classes("raw body").props("tabindex=0").mark("body")

    async def _retry(self) -> None:
        row = self._rows.chosen
        if row is None or not row.form or self._busy.locked():
            return
        async with self._busy:
            taken = await self._here.act(self._here.the.letters.retry, self._here.person, row.id)
            if taken is not None:
                ui.notify(f"{self._texts('letter_taken')}: {taken}", type="positive", position="bottom-right")
            await self.load()

    def _ask_all(self) -> None:
        if self._rows.chosen is not None and not self._sure.is_open:
            self._sure.ask(self._texts("letter_retry_all"), self._texts("sure_all"), self._retry_all)

    async def _retry_all(self) -> None:
        if self._busy.locked():
            return
        async with self._busy:
            taken = refused = 0
            before: int | None = None
            while True:
                done = await self._here.act(self._here.the.letters.retry_some, self._here.person, before)
                if done is None:
                    break
                taken, refused, before = taken + done.taken, refused + done.refused, done.next
                told = (
                    f"{self._texts('letter_taken')}: {taken} · {self._texts('letter_still_dead')}: {refused}"
                )
                self._progress.text = told
                if before is None:
                    break
            await self.load()

    async def _key(self, event: KeyEventArguments) -> None:
        key = await self._rows.key(event, free=not self._sure.is_open)
        if key == "r":
            await self._retry()
        elif key == "a":
            self._ask_all()


def letters_page(the: Services) -> None:
    """Register the page."""

    @ui.page("/dead-letters", title="Ngã Tư IOC")
    async def letters() -> Response | None:
        here = visit(the, ("GET", "/api/v1/dead-letters"))
        if isinstance(here, Response):
            return here
        await LettersPage(here).load()
        return None


def _laid_out(text: str) -> str:
    """JSON with a line for each value, else as it is; what cannot be seen is written out."""
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return visible(text[:MOST_SHOWN]) + (" …" if len(text) > MOST_SHOWN else "")

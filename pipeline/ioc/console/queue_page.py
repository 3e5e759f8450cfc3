"""The queue: rows to the left, the selected case to the right, decided on without leaving the keyboard."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import replace
from typing import Any, get_args

from nicegui import background_tasks, ui
from nicegui.events import KeyEventArguments
from starlette.responses import Response

from pipeline.ioc.config.areas import within
from pipeline.ioc.console.frame import (
    RejectDialog,
    Visit,
    button,
    decide,
    due_tag,
    frame,
    local_time,
    pressed,
    state_tag,
    visit,
)
from pipeline.ioc.console.keeping import draw_list_exports
from pipeline.ioc.console.side import Side
from pipeline.ioc.console.texts import catalogue
from pipeline.ioc.desk import CaseRow, CaseView, Filter
from pipeline.ioc.desk.feed import News
from pipeline.ioc.desk.queue import ListState
from pipeline.ioc.review import OPEN_STATES
from pipeline.ioc.review.decide import Verdict
from pipeline.ioc.services import Services

STATES: tuple[ListState, ...] = get_args(ListState)
GATHER_S = 0.5
"""What comes within this time is drawn at once."""
REST = 3.0
"""After drawing the list anew, this many times as long nothing is drawn."""


class QueuePage:
    """One officer's view of the queue."""

    def __init__(self, here: Visit, wanted: Filter) -> None:
        self._here = here
        self._texts = here.texts
        self._wanted = wanted
        self._rows: list[CaseRow] = []
        self._elements: dict[str, ui.element] = {}
        self._at = 0
        self._pages = 1
        self._next: str | None = None
        self._rejecting: CaseView | None = None
        self._decided = ""
        self._loading, self._busy = asyncio.Lock(), asyncio.Lock()
        self._waiting = frame(here, "all_cases" if wanted.state == "all" else "queue")
        self._filters()
        with ui.element("main").classes("split"):
            self._list = ui.element("div").classes("list").mark("list")
            self._side = Side(
                here,
                [
                    ("confirm", "C", lambda: self._decide(self._side.looked_at, "confirm"), "good"),
                    ("reject", "R", self._ask_why, "bad"),
                    ("second_look", "S", lambda: self._decide(self._side.looked_at, "second_look"), ""),
                ],
                self._open,
            )
        self._reject = RejectDialog(self._texts, self._rejected)
        ui.keyboard(self._key, ignore=["input", "select", "textarea"])

    async def load(self, *, more: bool = False, acting: bool = True) -> None:
        """Fetch as many pages as are shown, or one more; `acting`: because somebody did something."""
        async with self._loading:
            wanted, cursor = self._wanted, self._next if more else None
            if more and cursor is None:
                return
            found: list[CaseRow] = []
            for _ in range(1 if more else self._pages):
                page = await self._here.ask(self._here.the.desk.cases, wanted, cursor, acting=acting)
                if page is None:
                    return
                found += page.rows
                cursor = page.next
                if cursor is None:
                    break
            self._pages += more
            self._next = cursor
            self._take([*self._rows, *found] if more else found)
            self._draw()
        await self._count(acting)
        await self._show(acting=acting)

    def _take(self, found: list[CaseRow]) -> None:
        """Make these the rows; what the officer looks at stays selected, even where it has left the list."""
        on, shown = self._selected, self._side.view
        rows = {row.id: row for row in found}
        if on is not None and shown is not None and shown.row.id == on.id != self._decided:
            rows.setdefault(on.id, on)
        older = self._wanted.oldest_first
        self._rows = sorted(rows.values(), key=_moment, reverse=not older)
        # Itself, or the next one below.
        above = (
            sum((_moment(row) < _moment(on)) is older for row in rows.values() if row.id != on.id)
            if on
            else 0
        )
        self._at = min(above, max(0, len(rows) - 1))

    async def listen(self) -> None:
        """Take in what happens while a browser shows the page: a quarter of the time at most."""
        feed = self._here.the.feed
        queue = feed.subscribe()
        client = self._list.client
        behind = False
        try:
            while not client.is_deleted and not feed.stopped:
                news: list[News] = []
                with contextlib.suppress(TimeoutError):
                    news.append(await asyncio.wait_for(queue.get(), 1.0 if behind else 5.0))
                    await asyncio.sleep(GATHER_S)
                while not queue.empty():
                    news.append(queue.get_nowait())
                mine = {one.row.id: one.row for one in news if within(one.row.area, self._here.person.areas)}
                if not client.has_socket_connection or self._reject.is_open:
                    behind = behind or bool(mine)
                    continue
                if mine or behind or self._side.undrawn:
                    began_s = time.monotonic()
                    with self._list:
                        if not self._here.still_here(acting=False):
                            return
                        if behind:
                            await self.load(acting=False)
                        elif mine:
                            await self._take_in(mine)
                        else:
                            await self._show(acting=False)
                    behind = False
                    if not self._side.undrawn:  # else it was the browser that took long
                        await asyncio.sleep(REST * (time.monotonic() - began_s))
        finally:
            feed.unsubscribe(queue)

    async def _take_in(self, rows: dict[str, CaseRow]) -> None:
        known = {row.id for row in self._rows}
        if len(rows) > len(rows.keys() & known) or any(
            self._wanted.state == "queue" and row.state in ("confirmed", "rejected") for row in rows.values()
        ):
            await self.load(acting=False)
        else:
            self._rows = [rows.get(row.id, row) for row in self._rows]
            self._draw()
            await self._show(acting=False)

    async def _count(self, acting: bool) -> None:
        waiting = await self._here.ask(self._here.the.desk.waiting, acting=acting)
        if waiting is not None:
            self._waiting.text = f"{'1000+' if waiting >= 1000 else waiting} {self._texts('waiting')}"

    def _filters(self) -> None:
        texts, wanted = self._texts, self._wanted
        rules = {"": texts("any")} | {
            key.removeprefix("rule."): texts(key) for key in catalogue() if key.startswith("rule.")
        }
        areas = {"": texts("any")} | {
            path: " › ".join(self._here.the.areas.names[part] for part in _parents(path))
            for path in self._here.the.areas.names
            if within(path, self._here.person.areas)
        }
        days: dict[Any, str] = {None: texts("any")} | {n: f"{n} {texts('days')}" for n in (0, 1, 3, 5)}

        def changed(**fields: Any) -> None:
            self._wanted = replace(self._wanted, **fields)
            self._rows, self._at, self._pages = [], 0, 1
            self._side.clear()
            background_tasks.create(self._reload())

        with ui.element("search").classes("filters"):
            _select(
                texts("state"),
                {s: texts.named("state", s) for s in STATES},
                wanted.state,
                lambda v: changed(state=v),
            )
            _select(texts("kind"), rules, wanted.rule, lambda v: changed(rule=v))
            _select(texts("area"), areas, wanted.area, lambda v: changed(area=v))
            _select(texts("due_within"), days, wanted.days_left, lambda v: changed(days_left=v))
            ui.input(
                texts("plate"), value=wanted.plate, on_change=lambda e: changed(plate=(e.value or "")[:40])
            ).props("dense outlined debounce=300").style("width:130px").mark("filter-plate")
            ui.input(
                texts("camera"), value=wanted.camera, on_change=lambda e: changed(camera=_word(e.value))
            ).props("dense outlined debounce=300").style("width:150px")
            oldest = ui.checkbox(texts("oldest_first"), value=wanted.oldest_first).props("dense")
            oldest.on_value_change(lambda e: changed(oldest_first=e.value))
            draw_list_exports(self._here, lambda: self._wanted)

    async def _reload(self) -> None:
        with self._list:
            await self.load()

    def _draw(self) -> None:
        self._list.clear()
        self._elements = {}
        with self._list:
            if not self._rows:
                with ui.element("div").classes("none"):
                    ui.label(self._texts("empty")).classes("main")
                    ui.label(self._texts("empty_hint"))
            for index, row in enumerate(self._rows):
                self._draw_row(index, row)
            if self._next is not None:
                button(self._texts("more"), "M", lambda: self.load(more=True))
            key = "keys_queue"
            ui.label(f"{self._texts('keys')}: {self._texts(key)}").classes("foot")

    def _draw_row(self, index: int, row: CaseRow) -> None:
        on = "on" if index == self._at else ""
        made = self._elements[row.id] = ui.element("div").classes(f"entry {on}").mark("row")
        made.on("click", lambda: self._pick(index)).on("dblclick", lambda: self._open())
        self._fill_row(row)

    def _fill_row(self, row: CaseRow) -> None:
        texts, made = self._texts, self._elements[row.id]
        made.clear()
        with made:
            ui.element("img").props(f'src="/api/v1/cases/{row.id}/thumbnail" loading=lazy alt=""')
            with ui.element("div").style("min-width:0"):
                ui.label(texts.named("rule", row.rule)).classes("main")
                ui.label(f"{texts.named('road_user', row.road_user)} · {row.confidence:.0%}").classes("sub")
            ui.label(row.plate or "—").classes("plate")
            with ui.element("div").style("min-width:0"):
                ui.label(row.place).classes("main").style("font-weight:500")
                ui.label(self._here.the.areas.names.get(row.area, row.area)).classes("sub")
            with ui.element("div"):
                ui.label(local_time(row.at_ms, "%H:%M:%S")).classes("num main")
                ui.label(local_time(row.at_ms, "%d/%m/%Y")).classes("num sub")
            with ui.element("div"):
                due_tag(texts, row.days_left, row.state)
                if row.claimed_by not in (None, self._here.person.id):
                    ui.label(texts("claimed")).classes("tag warn")
                elif row.state != "open":
                    state_tag(texts, row.state)

    @property
    def _selected(self) -> CaseRow | None:
        return self._rows[self._at] if self._rows else None

    async def _show(self, *, acting: bool = True) -> None:
        """The selected case, to the right."""
        on = self._selected
        if self._side.view is None or on is None or self._side.view.row.id != on.id:
            self._side.clear()
        if on is None:
            return
        view = await self._here.ask(self._here.the.desk.case, on.id, acting=acting)
        if view is None or self._selected is None or self._selected.id != on.id:
            return
        if view.row != self._selected:
            self._rows[self._at] = view.row
            self._fill_row(view.row)
        await self._side.show(view)

    async def _pick(self, index: int) -> None:
        if not 0 <= index < len(self._rows):
            return
        if index == self._at:
            if self._side.view is None:
                await self._show()
            return
        if (old := self._elements.get(self._rows[self._at].id)) is not None:
            old.classes(remove="on")
        self._at = index
        made = self._elements[self._rows[index].id]
        made.classes(add="on")
        ui.run_javascript(f"getHtmlElement({made.id}).scrollIntoView({{block: 'nearest'}})")
        await self._show()

    def _open(self) -> None:
        if self._rows:
            ui.navigate.to(f"/cases/{self._rows[self._at].id}")

    async def _decide(self, view: CaseView | None, verdict: Verdict, **more: Any) -> None:
        """Decide on what the officer saw, whatever is selected; one decision at a time."""
        if view is None or not self._here.decides or self._busy.locked():
            return
        # The button that was pressed may be gone by now.
        async with self._busy:
            with self._list:
                if await decide(self._here, view, verdict, **more):
                    self._decided = view.row.id
                await self.load()
            self._decided = ""

    def _ask_why(self) -> None:
        self._rejecting = self._side.looked_at
        if self._rejecting is not None and self._rejecting.row.state in OPEN_STATES:
            self._reject.open()

    async def _rejected(self, reason: str, note: str) -> None:
        await self._decide(self._rejecting, "reject", reason=reason, note=note)

    async def _key(self, event: KeyEventArguments) -> None:
        key = await pressed(event, self._reject)
        if key in ("j", "arrowdown"):
            await self._pick(self._at + 1)
        elif key in ("k", "arrowup"):
            await self._pick(self._at - 1)
        elif key == "enter":
            self._open()
        elif key == "m" and self._next is not None:
            await self.load(more=True)
        elif event.action.repeat or not self._here.decides:
            return
        elif key == "c":
            await self._decide(self._side.looked_at, "confirm")
        elif key == "s":
            await self._decide(self._side.looked_at, "second_look")
        elif key == "r":
            self._ask_why()


def queue_page(the: Services) -> None:
    """Register the page."""

    @ui.page("/", title="Ngã Tư IOC")
    async def queue(state: str = "queue") -> Response | None:
        here = visit(the, ("GET", "/api/v1/cases"))
        if isinstance(here, Response):
            return here
        page = QueuePage(here, Filter(state=state if state in STATES else "queue"))
        await page.load()
        background_tasks.create(page.listen())
        return None


def _moment(row: CaseRow) -> tuple[int, str]:
    return row.at_ms, row.id


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _word(text: str | None) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "", text or "")[:64]


def _select(label: str, options: dict[Any, str], value: Any, changed: Any) -> None:
    ui.select(options, label=label, value=value, on_change=lambda e: changed(e.value)).props(
        "dense outlined options-dense"
    )

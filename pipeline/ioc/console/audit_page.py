"""The audit log: who did what, when, to which case; and whether its chain is whole."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from nicegui import run, ui
from nicegui.events import KeyEventArguments
from starlette.responses import Response

from pipeline.ioc.console.frame import VIETNAM, Visit, button, frame, local_time, visit
from pipeline.ioc.console.rows import Rows, choose, pairs, visible
from pipeline.ioc.console.texts import catalogue
from pipeline.ioc.desk.log import PAGE, LogFilter
from pipeline.ioc.services import Services
from pipeline.ioc.store.models import AuditEntry

DAY = timedelta(days=1)


class AuditPage:
    """One person's view of the log."""

    def __init__(self, here: Visit) -> None:
        self._here = here
        self._texts = texts = here.texts
        self._wanted = LogFilter()
        self._oldest: int | None = None
        frame(here, "audit_log")
        with ui.element("search").classes("filters"):
            self._filters()
            ui.element("div").classes("grow")
            self._chain = ui.element("div").classes("chainbox").props("role=status").mark("chain")
        head = [texts(key) for key in ("log_number", "time", "log_actor", "log_action", "log_subject")]
        self._rows: Rows[AuditEntry] = Rows(
            texts,
            "audit",
            head,
            name=lambda row: row.seq,
            cells=self._cells,
            show=self._show,
            more=lambda: self.load(more=True),
        )
        ui.keyboard(self._key, ignore=["input", "select", "textarea"])

    async def load(self, *, more: bool = False) -> None:
        """Fetch the newest entries, or those before the last."""
        if not self._here.still_here():
            return
        before = self._oldest if more else None
        log, who = self._here.the.log, self._here.person
        entries = await run.io_bound(log.entries, who, self._wanted, before, PAGE + 1) or []
        goes_on, entries = len(entries) > PAGE, entries[:PAGE]
        self._oldest = entries[-1].seq if entries else None
        self._rows.fill(entries, goes_on=goes_on, add=more)

    async def check(self, *, again: bool = False) -> None:
        """Show whether the chain is whole: as last found, or walked `again`. Not for everybody."""
        texts, log = self._texts, self._here.the.log
        if not self._here.may(("GET", "/api/v1/audit/chain")):
            return
        found = None if again else log.checked
        if found is None:
            self._chain.clear()
            with self._chain:
                ui.label(texts("chain_checking")).classes("tag")
            found = await self._here.act(log.check)
        if found is None:
            return
        result, at_ms = found
        self._chain.clear()
        with self._chain:
            ui.label(f"{texts('chain')}:").classes("sub")
            if result.problem:
                ui.label(f"✗ {texts('chain_bad')}: {result.problem}").classes("tag bad")
            else:
                told = f"✓ {texts('chain_ok')} · {result.entries} {texts('chain_entries')}"
                made = ui.label(told).classes("tag good")
                made.tooltip(f"{texts('chain_head')}: {result.head}\n{texts('chain_hint')}")
            ui.label(local_time(at_ms, "%H:%M:%S")).classes("sub num")
            button(texts("chain_check"), "V", lambda: self.check(again=True)).classes("small-act")

    def _filters(self) -> None:
        texts = self._texts
        words = {key.removeprefix("action."): texts(key) for key in catalogue() if key.startswith("action.")}
        actor = ui.input(texts("log_actor"), on_change=lambda e: self._changed(actor=_bare(e.value)))
        actor.props("dense outlined clearable debounce=300 maxlength=64").style("width:150px").mark("actor")
        choose(texts("log_action"), {"": texts("any")} | words, "", lambda v: self._changed(action=v)).mark(
            "action"
        )
        subject = ui.input(texts("log_subject"), on_change=lambda e: self._changed(subject=_bare(e.value)))
        subject.props("dense outlined clearable debounce=300 maxlength=200").style("width:170px").mark(
            "subject"
        )
        for key, field, later in (("log_from", "from_ms", False), ("log_to", "to_ms", True)):
            made = ui.input(
                texts(key),
                on_change=lambda e, field=field, later=later: self._changed(
                    **{field: _day_ms(e.value, later=later)}
                ),
            )
            made.props("dense outlined stack-label type=date").classes("date").mark(key)

    async def _changed(self, **fields: Any) -> None:
        self._wanted = replace(self._wanted, **fields)
        await self.load()

    def _cells(self, row: AuditEntry) -> None:
        ui.label(str(row.seq)).props("role=cell").classes("num sub")
        ui.label(local_time(row.at_ms)).props("role=cell").classes("num")
        ui.label(visible(row.actor)).props("role=cell").classes("one")
        ui.label(self._texts.named("action", row.action)).props("role=cell").classes("one main")
        ui.label(visible(row.subject) or "—").props("role=cell").classes("one sub")

    def _show(self, row: AuditEntry) -> None:
        texts = self._texts
        with ui.element("h2"):
            ui.label(texts.named("action", row.action))
        ui.label(f"{row.action} · {texts('log_number')} {row.seq}").classes("sub")
        pairs(
            [
                (texts("time"), local_time(row.at_ms)),
                (texts("log_actor"), visible(row.actor)),
                (texts("log_subject"), visible(row.subject) or "—"),
            ]
        )
        is_case = row.action.startswith("case.") and row.subject
        if is_case and self._here.may(("GET", "/api/v1/cases/{case_id}")):
            with ui.element("div").classes("acts"):
                button(texts("open_case"), "↵", self._open)
        details = [
            (texts.named("detail", name), self._told(name, value))
            for name, value in json.loads(row.detail).items()
        ]
        if details:
            with ui.element("div").classes("group"):
                ui.label(texts("log_detail")).classes("main")
                pairs(details)
        with ui.element("div").classes("group"):
            ui.label("SHA-256").classes("main")
            ui.label(row.hash).classes("hash")

    def _told(self, name: str, value: object) -> str:
        """A detail as people call it, else as it is."""
        if isinstance(value, list):
            return ", ".join(self._told(name, one) for one in value) or "—"
        if isinstance(value, bool):
            return self._texts(f"detail.{str(value).lower()}")
        if not isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        if name == "areas":
            return self._here.the.areas.names.get(value, visible(value))
        key = value if name == "decision" else f"{name}.{value}"
        known = name in ("role", "state", "reason", "by", "decision") and key in catalogue()
        return self._texts(key) if known else visible(value) or "—"

    def _open(self) -> None:
        row = self._rows.chosen
        is_case = row is not None and row.action.startswith("case.") and row.subject
        if row is not None and is_case and self._here.may(("GET", "/api/v1/cases/{case_id}")):
            ui.navigate.to(f"/cases/{row.subject}")

    async def _key(self, event: KeyEventArguments) -> None:
        key = await self._rows.key(event)
        if key == "v":
            await self.check(again=True)
        elif key == "enter":
            self._open()


def audit_page(the: Services) -> None:
    """Register the page."""

    @ui.page("/audit", title="Ngã Tư IOC")
    async def audit() -> Response | None:
        here = visit(the, ("GET", "/api/v1/audit"))
        if isinstance(here, Response):
            return here
        page = AuditPage(here)
        await page.load()
        await ui.context.client.connected()
        await page.check()
        return None


def _bare(text: str | None) -> str:
    return "".join(letter for letter in (text or "").strip() if letter.isprintable())[:200]


def _day_ms(text: str | None, *, later: bool) -> int | None:
    """A day's beginning in Vietnam's time, or its end; none where no day is given."""
    try:
        day = datetime.strptime(text or "", "%Y-%m-%d").replace(tzinfo=VIETNAM)
        return round((day + DAY if later else day).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None if later else 0

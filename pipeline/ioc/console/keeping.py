"""Taking cases out of the house, and holding their evidence: what case page and queue share of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from pipeline.ioc.console.frame import Visit, button, local_time
from pipeline.ioc.desk import CaseView, Filter
from pipeline.ioc.people import may

CASE = "/api/v1/cases/{case_id}"


def draw_exports(here: Visit, view: CaseView) -> None:
    """Links to what can be taken out of a case, where this person may."""
    if not may(here.person.role, "GET", f"{CASE}/notice"):
        return
    address = CASE.replace("{case_id}", view.row.id)
    links = [("export_notice", f"{address}/notice")]
    if view.act.evidence.bundle is not None and not view.evidence_gone_ms:
        links += [
            ("export_bundle", f"{address}/evidence"),
            ("export_copy", f"{address}/evidence?form=copy"),
        ]
    with ui.element("div").classes("acts small exports"):
        for text, url in links:
            ui.link(here.texts(text), url).classes("act").props("download")


class HoldPanel:
    """Whether the evidence is held, or has expired; sets and lifts the hold."""

    def __init__(self, here: Visit, changed: Callable[[], Awaitable[None]]) -> None:
        self._here = here
        self._texts = here.texts
        self._changed = changed
        self._view: CaseView | None = None
        self._dialog = ui.dialog()
        with self._dialog, ui.card().style("min-width:420px;background:var(--card);color:var(--ink)"):
            self._title = ui.label("").classes("main")
            self._reason = ui.input(self._texts("hold_reason")).props(
                "dense outlined maxlength=500 autofocus"
            )
            self._reason.classes("w-full").mark("hold-reason").on("keydown.enter", self._set)
            with ui.element("div").classes("acts"):
                button(self._texts("save"), "↵", self._set, "good")
                button(self._texts("cancel"), "Esc", self._dialog.close)

    def draw(self, view: CaseView) -> None:
        """Within the panel of the evidence."""
        self._view, texts, hold = view, self._texts, view.hold
        if view.evidence_gone_ms:
            gone = local_time(view.evidence_gone_ms, "%d/%m/%Y")
            ui.label(f"{texts('evidence_expired')} {gone}").classes("tag warn").mark("expired")
        if hold is not None:
            ui.label(f"{texts('held')}: {hold.reason}").classes("tag warn wrap").mark("held")
            ui.label(f"{hold.user} · {local_time(hold.at_ms)}").classes("sub")
        if may(self._here.person.role, "PUT", f"{CASE}/hold") and (hold or not view.evidence_gone_ms):
            with ui.element("div").classes("acts small"):
                button(texts("hold_lift" if hold else "hold_set"), "H", self.open)

    @property
    def is_open(self) -> bool:
        """Whether it asks now: keys are then not meant for the page."""
        return bool(self._dialog.value)

    def open(self) -> None:
        """Ask for the reason."""
        view = self._view
        if view is None or not may(self._here.person.role, "PUT", f"{CASE}/hold"):
            return
        self._title.text = self._texts("hold_lift" if view.hold else "hold_set")
        self._reason.value = ""
        self._dialog.open()

    async def _set(self) -> None:
        view = self._view
        if view is None or len((self._reason.value or "").strip()) < 3:
            self._reason.run_method("focus")
            return
        self._dialog.close()
        await self._here.ask(
            self._here.the.desk.hold, view.row.id, held=view.hold is None, reason=self._reason.value
        )
        await self._changed()


def draw_list_exports(here: Visit, wanted: Callable[[], Filter]) -> None:
    """Buttons that take out what the list shows, as CSV and JSON."""
    if not may(here.person.role, "GET", "/api/v1/exports/cases"):
        return

    async def take(form: str) -> None:
        most = here.the.config.exports.most_cases
        count = await here.ask(here.the.desk.count, wanted(), most + 1)
        if count is None:
            return
        if count > most:
            ui.notify(f"{here.texts('export_too_many')} ({most})", type="warning", position="top")
            return
        fields: dict[str, Any] = {k: v for k, v in asdict(wanted()).items() if v not in ("", None, False)}
        ui.download.from_url(f"/api/v1/exports/cases?{urlencode({**fields, 'form': form})}")

    for form in ("csv", "json"):
        made = ui.element("button").classes("act small-act").props("type=button").mark(f"export-{form}")
        made.props(f'aria-label="{here.texts("export_list")} {form.upper()}"')
        made.on("click", lambda form=form: take(form))
        with made:
            ui.label(f"⇩ {form.upper()}")

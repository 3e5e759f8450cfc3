"""One case: what an officer needs to decide, on one screen."""

from __future__ import annotations

import asyncio
import math
import time
from functools import partial
from typing import Any

from nicegui import run, ui
from nicegui.events import KeyEventArguments
from starlette.responses import Response

from pipeline.evidence.words import measured
from pipeline.ioc.console.frame import (
    SEEN_S,
    RejectDialog,
    Visit,
    button,
    decide,
    draw_box,
    due_tag,
    frame,
    lacks,
    local_time,
    pressed,
    state_tag,
    visit,
)
from pipeline.ioc.console.keeping import HoldPanel, draw_exports
from pipeline.ioc.console.rows import pairs
from pipeline.ioc.console.signals import FACT, draw_signals, strips_of
from pipeline.ioc.console.texts import Texts
from pipeline.ioc.desk import CaseView, Filter, NotFoundError
from pipeline.ioc.desk.files import item_of
from pipeline.ioc.review import OPEN_STATES
from pipeline.ioc.review.decide import Verdict
from pipeline.ioc.services import Services
from pipeline.ioc.store.act import Item, Plate, bare_plate


class CasePage:
    """One officer's view of one case."""

    def __init__(self, here: Visit, view: CaseView) -> None:
        self._here = here
        self._texts = here.texts
        self._id = view.row.id
        self._view = view
        self._seen_s = math.inf
        self._correction: ui.input | None = None
        self._busy = asyncio.Lock()
        frame(here, "")
        with ui.element("main").classes("case"):
            self._head = ui.element("div").classes("head")
            self._draw_stills(view)
            with ui.element("div").classes("lower"):
                with ui.element("div"):
                    self._draw_clip(view)
                    self._draw_signals(view)
                    self._history = ui.element("section").classes("panel")
                with ui.element("div"):
                    self._plate = ui.element("section").classes("panel")
                    self._draw_plate(view)
                    self._draw_law(view)
                with ui.element("div"):
                    self._evidence = ui.element("section").classes("panel").mark("evidence")
                    self._draw_facts(view)
            ui.label(self._texts("keys_case")).classes("foot")
        self._reject = RejectDialog(self._texts, self._rejected)
        self._hold = HoldPanel(here, self._look_again)
        self._redraw(view)
        ui.keyboard(self._key, ignore=["input", "select", "textarea"])

    @property
    def can_decide(self) -> bool:
        """Whether a decision is still to be made, by this person."""
        return self._here.decides and self._view.row.state in OPEN_STATES

    async def begin(self) -> None:
        """Take the case up, now that it is drawn, and hold the evidence against its hashes."""
        self._seen_s = time.monotonic()
        if self.can_decide:
            await self._here.ask(self._here.the.desk.claim, self._id)
        await self._look_again()

    async def _look_again(self) -> None:
        view = await self._here.ask(self._here.the.desk.case, self._id)
        if view is None:
            return
        self._redraw(view)
        await self._verify(view)

    def _redraw(self, view: CaseView) -> None:
        texts, row, before = self._texts, view.row, self._view
        self._view = view
        # Not where nothing has changed: a correction may be half typed.
        if (row.plate, row.state) != (before.row.plate, before.row.state):
            self._draw_plate(view)
        self._head.clear()
        with self._head:
            ui.link("←", "/").classes("act").props(f'aria-label="{texts("back")}"')
            ui.label(texts.named("rule", row.rule)).classes("what")
            ui.label(row.plate or "—").classes("plate")
            state_tag(texts, row.state)
            due_tag(texts, row.days_left, row.state)
            if view.claimed_by and row.claimed_by != self._here.person.id:
                ui.label(f"{texts('claimed_by')} {view.claimed_by}").classes("tag warn").mark("claimed")
            ui.element("div").classes("grow")
            if self.can_decide:
                button(texts("confirm"), "C", lambda: self._decide("confirm"), "good")
                button(texts("reject"), "R", self._ask_why, "bad")
                button(texts("second_look"), "S", lambda: self._decide("second_look"))
            elif not self._here.decides:
                ui.label(texts("viewer_only")).classes("tag")
            button(texts("next"), "N", self._go_on)
        self._history.clear()
        with self._history:
            ui.label(texts("history")).classes("t")
            if not view.history:
                ui.label(texts("no_history")).classes("sub")
            for entry in view.history:
                reason = f" · {texts.named('reason', entry.reason)}" if entry.reason else ""
                ui.label(f"{entry.user}: {texts.named('state', entry.state)}{reason}").classes("main")
                note = f" · {entry.note}" if entry.note else ""
                ui.label(f"{local_time(entry.at_ms)}{note}").classes("sub wrap")

    def _draw_stills(self, view: CaseView) -> None:
        with ui.element("div").classes("stills"):
            for role in ("before", "at", "after"):
                sighting = getattr(view.act.moments, role)
                at = local_time(round(sighting.captured_at.timestamp() * 1000), "%H:%M:%S.%f")[:-3]
                with ui.element("figure").classes("shot mid" if role == "at" else "shot").style("margin:0"):
                    if (item := _kept(view, role)) is not None:
                        ui.element("img").props(f'src="{self._url(item.file)}" alt="{self._texts(role)}"')
                        draw_box(sighting.box)
                    else:
                        ui.label(self._texts("no_still")).classes("none")
                    with ui.element("figcaption").classes("cap"):
                        ui.label(self._texts(role))
                        ui.label(at).classes("num")

    def _draw_clip(self, view: CaseView) -> None:
        item = _kept(view, "clip")
        if item is None:
            with ui.element("section").classes("panel"):
                ui.label(self._texts("no_clip"))
            return
        ui.element("video").props(f'src="{self._url(item.file)}" controls preload=metadata muted')
        with ui.element("div").classes("acts small"):
            for text, key, by in (("frame_back", ",", -1), ("frame_on", ".", 1)):
                button(self._texts(text), key, partial(ui.run_javascript, f"ngatuStep({by})"))

    def _draw_signals(self, view: CaseView) -> None:
        strips = strips_of(view.act)
        if strips is not None:
            with self._panel(self._texts("signals")):
                draw_signals(self._texts, view.act, strips)

    def _draw_plate(self, view: CaseView) -> None:
        texts, plate = self._texts, view.act.plate
        self._correction = None
        self._plate.clear()
        with self._plate:
            ui.label(texts("plate")).classes("t")
        with self._plate, ui.element("div").classes("beside"):
            crop = _kept(view, "plate") or _kept(view, "crop")
            if crop is not None:
                ui.element("img").props(f'src="{self._url(crop.file)}" alt="{texts("plate")}"').style(
                    "max-width:180px;max-height:120px;border-radius:4px"
                )
            with ui.element("div").style("min-width:0"):
                ui.label(view.row.plate or texts("no_plate")).classes("plate big")
                if plate is not None:
                    read = " / ".join(plate.voted or plate.lines) or "—"
                    ui.label(f"{texts('plate_read')}: {read} · {plate.confidence:.0%}").classes("sub")
                    if told := _why_not(texts, plate):
                        ui.label(told).classes("sub wrap")
                if self._here.decides and view.row.state in OPEN_STATES:
                    self._correction = (
                        ui.input(texts("plate_correct"), value=view.row.plate)
                        .props("dense outlined maxlength=20")
                        .mark("plate")
                    )

    def _draw_law(self, view: CaseView) -> None:
        texts, law = self._texts, view.act.law
        with self._panel(texts("law")):
            if law is None or not law.entries:
                ui.label(texts("no_law")).classes("sub wrap")
            if law is not None and len(law.entries) > 1:
                ui.label(texts("law_undecided")).classes("sub wrap")
            for entry in law.entries if law else ():
                ui.label(texts.both(entry.title.model_dump())).classes("main wrap")
                ui.label(entry.citation).classes("sub wrap")
                fine = " – ".join(f"{amount:,}".replace(",", ".") for amount in entry.fine_vnd)
                points = f" · {texts('points')}: {entry.licence_points}" if entry.licence_points else ""
                ui.label(f"{texts('fine')}: {fine or '—'} VND{points}")
                for change in entry.amended_by:
                    ui.label(texts.both(change.note.model_dump())).classes("sub wrap")
                if not entry.verified:
                    ui.label(texts("not_verified")).classes("tag warn")

    def _draw_facts(self, view: CaseView) -> None:
        texts, act = self._texts, view.act
        told = list(measured(act.facts, "." if texts.language == "en" else ","))
        rest = {name: act.facts[name] for name in act.facts.keys() - {FACT, *(key for key, _, _ in told)}}
        clock = texts.named("source", act.time.source)
        with self._panel(texts("facts")):
            pairs(
                [
                    (texts("time"), local_time(view.row.at_ms)),
                    (texts("place"), f"{act.camera.name}, {act.camera.place}"),
                    (texts("road_user"), texts.named("road_user", act.road_user)),
                    *((texts.both({"vi": vi, "en": en}), value) for _, (vi, en), value in told),
                    *(
                        (f"{texts('lamps')} {name}", texts.named("lamp", lamp.color))
                        for name, lamp in act.lamps.items()
                    ),
                    (texts("confidence"), f"{act.confidence:.0%}"),
                    (texts("clock"), f"{clock}, {texts('uncertainty')} ±{act.time.uncertainty_ms:.0f} ms"),
                ]
            )
            if act.facts.get("advisory") is True:
                ui.label(texts("advisory")).classes("tag warn")
            if rest:
                with ui.element("details"):
                    with ui.element("summary"):
                        ui.label(texts("technical"))
                    # By the names that the rule's own page of documentation has.
                    pairs([(name, _shown(rest[name], name)) for name in sorted(rest)])

    async def _verify(self, view: CaseView) -> None:
        texts = self._texts
        found = await run.io_bound(self._here.the.files.verify, view) or []
        self._evidence.clear()
        with self._evidence:
            ui.label(texts("evidence")).classes("t")
            if not found and not view.evidence_gone_ms:
                ui.label(texts("evidence_none")).classes("tag warn")
            elif found and all(one.ok for one in found):
                ui.label(f"✓ {texts('evidence_ok')} · SHA-256 · {len(found)}").classes("tag good")
            for one in found:
                if not one.ok:
                    ui.label(f"{texts('evidence_bad')}: {one.file}").classes("tag bad")
            key = view.act.evidence.signature_key_id
            ui.label(f"{view.worker} · {key or '—'} · {self._id}").classes("sub wrap")
            if missing := (*view.act.missing, *view.act.evidence.missing):
                lacking = lacks(texts, missing)
                ui.label(f"{texts('missing')}: {lacking}").classes("tag warn wrap")
            self._hold.draw(view)
            draw_exports(self._here, view)

    def _panel(self, title: str) -> ui.element:
        panel = ui.element("section").classes("panel")
        with panel:
            ui.label(title).classes("t")
        return panel

    def _url(self, file: str) -> str:
        return f"/api/v1/cases/{self._id}/files/{file}"

    async def _decide(self, verdict: Verdict, **more: Any) -> None:
        if self._busy.locked() or not self._looked_at:
            return
        async with self._busy:
            if self._correction is not None:
                plate = bare_plate(self._correction.value or "")
                if plate != self._view.row.plate:
                    more["plate"] = plate
            done = await decide(self._here, self._view, verdict, **more)
            if done:
                await self._go_on()
            else:
                view = await self._here.ask(self._here.the.desk.case, self._id)
                if view is not None:
                    self._redraw(view)
                    self._seen_s = time.monotonic()

    @property
    def _looked_at(self) -> bool:
        """Whether the officer has had a look at what may be decided on."""
        return self.can_decide and time.monotonic() - self._seen_s >= SEEN_S

    def _ask_why(self) -> None:
        if self._looked_at:
            self._reject.open()

    async def _rejected(self, reason: str, note: str) -> None:
        await self._decide("reject", reason=reason, note=note)

    async def _go_on(self) -> None:
        """To the next case that waits and that nobody has taken up."""
        if self.can_decide and not self._busy.locked():
            await self._here.ask(self._here.the.desk.release, self._id)
        page = await self._here.ask(self._here.the.desk.cases, Filter())
        mine = (None, self._here.person.id)
        ids = [row.id for row in page.rows if row.claimed_by in mine] if page else []
        after = ids[ids.index(self._id) + 1 :] if self._id in ids else ids
        others = [one for one in (*after, *ids) if one != self._id]
        ui.navigate.to(f"/cases/{others[0]}" if others else "/")

    async def _key(self, event: KeyEventArguments) -> None:
        key = await pressed(event, self._reject)
        if event.action.repeat or self._hold.is_open:
            return
        if key == "c":
            await self._decide("confirm")
        elif key == "s":
            await self._decide("second_look")
        elif key == "r":
            self._ask_why()
        elif key == "n":
            await self._go_on()
        elif key == "h":
            self._hold.open()
        elif key == "escape":
            if self.can_decide:
                await self._here.ask(self._here.the.desk.release, self._id)
            ui.navigate.to("/")


def case_page(the: Services) -> None:
    """Register the page."""

    @ui.page("/cases/{case_id}", title="Ngã Tư IOC")
    async def case(case_id: str) -> Response | None:
        here = visit(the, ("GET", "/api/v1/cases/{case_id}"))
        if isinstance(here, Response):
            return here
        try:
            view = await run.io_bound(the.desk.case, here.person, case_id)
        except NotFoundError:
            view = None
        if view is None:
            return Response(here.texts("not_yours"), 404, media_type="text/plain; charset=utf-8")
        page = CasePage(here, view)
        await ui.context.client.connected()
        await page.begin()
        return None


def _kept(view: CaseView, role: str) -> Item | None:
    """The file of a role, while it is kept."""
    return None if view.evidence_gone_ms else item_of(view, role)


def _why_not(texts: Texts, plate: Plate) -> str:
    """Why a plate is not legible: in the officer's language where the event tells it in a word."""
    for word in (plate.cause, plate.outcome):
        if (told := texts.named("plate_cause", word or "", plate.reason)) != plate.reason:
            return told
    return plate.reason


def _shown(value: object, name: str = "") -> str:
    if isinstance(value, float) and name.endswith("_s") and 1e9 < value < 4e9:
        return local_time(round(value * 1000), "%H:%M:%S.%f")[:-3]
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value[:10])
    return str(value)[:200]

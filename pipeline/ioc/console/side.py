"""The case to the right of the queue, and since when the officer has had it before them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from nicegui import ui

from pipeline.ioc.console.frame import SEEN_S, Visit, button, draw_box, due_tag, lacks, local_time, state_tag
from pipeline.ioc.desk import CaseView
from pipeline.ioc.desk.files import item_of
from pipeline.ioc.review import OPEN_STATES

DRAWN_WITHIN_S = 10.0
"""What a browser has not drawn by then counts for nothing, and is to be drawn anew."""


class Side:
    """One case, drawn anew only where anything about it has changed.

    `acts`: text, key, what it does and class of each button that decides; `opens` leads to the case's page.
    """

    def __init__(
        self, here: Visit, acts: list[tuple[str, str, Callable[[], Any], str]], opens: Callable[[], None]
    ) -> None:
        self._here = here
        self._texts = here.texts
        self._acts = acts
        self._opens = opens
        self.view: CaseView | None = None
        """What is drawn."""
        self.undrawn = False
        """A browser did not draw it in time: it is to be shown anew."""
        self._seen_s = math.inf
        self._place = ui.element("aside").classes("side").mark("side")

    @property
    def looked_at(self) -> CaseView | None:
        """The case that the officer has before them, once they have had a look at it."""
        return self.view if time.monotonic() - self._seen_s >= SEEN_S else None

    def clear(self) -> None:
        """Show nothing."""
        self.view, self.undrawn = None, False
        self._place.clear()

    async def show(self, view: CaseView) -> None:
        """Show it, and wait until the browser does: on a slow line, keys before that meant another case."""
        if view == self.view:
            return
        self.view, self.undrawn, self._seen_s = view, False, math.inf
        self._place.clear()
        with self._place:
            self._draw(view)
        client = self._place.client
        try:
            if client.has_socket_connection:  # else the page itself is still to come
                await client.run_javascript("0", timeout=DRAWN_WITHIN_S)
        except TimeoutError:
            if self.view is view:
                self.view, self.undrawn = None, True
            return
        if self.view is view:
            self._seen_s = time.monotonic()

    def _draw(self, view: CaseView) -> None:
        texts, row = self._texts, view.row
        still = item_of(view, "at")
        if still is not None:
            source = f"/api/v1/cases/{row.id}/files/{still.file}"
            with ui.element("div").classes("seen"):
                ui.element("img").classes("still").props(f'src="{source}" alt="{texts("at")}"')
                draw_box(view.act.moments.at.box)
        else:
            ui.label(texts("no_still")).classes("none")
        with ui.element("div").style("display:flex;gap:14px;align-items:center;margin-top:10px"):
            ui.label(row.plate or texts("no_plate")).classes("plate big")
            state_tag(texts, row.state)
            due_tag(texts, row.days_left, row.state)
        ui.label(texts.named("rule", row.rule)).classes("main").style("font-size:18px")
        if view.history:
            last = view.history[-1]
            told = f"{texts('decided_by')} {last.user}: {texts.named('state', last.state)}"
            ui.label(f"{told} · {local_time(last.at_ms)}").classes("tag warn").mark("decided")
        if view.claimed_by and row.claimed_by != self._here.person.id:
            ui.label(f"{texts('claimed_by')} {view.claimed_by}").classes("tag warn")
        with ui.element("div").classes("acts"):
            if self._here.decides and row.state in OPEN_STATES:
                for text, key, act, kind in self._acts:
                    button(texts(text), key, act, kind)
            button(texts("open_case"), "↵", self._opens)
        with ui.element("div").classes("pairs"):
            for name, value in (
                (texts("time"), local_time(row.at_ms)),
                (texts("place"), f"{row.place}, {view.act.camera.place}"),
                (texts("area"), self._here.the.areas.names.get(row.area, row.area)),
                (texts("camera"), row.camera),
                (texts("road_user"), texts.named("road_user", row.road_user)),
                (texts("confidence"), f"{row.confidence:.0%}"),
            ):
                ui.label(name)
                ui.label(value)
            if view.act.lamps:
                ui.label(texts("lamps"))
                lamps = (
                    f"{name}: {texts.named('lamp', lamp.color)}" for name, lamp in view.act.lamps.items()
                )
                ui.label(", ".join(lamps))
            if missing := (*view.act.missing, *view.act.evidence.missing):
                ui.label(texts("missing"))
                ui.label(lacks(texts, missing))

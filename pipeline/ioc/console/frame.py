"""What every page shares: who looks, the bar above, the decision by key or button."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import run, ui
from nicegui.events import KeyEventArguments
from starlette.responses import RedirectResponse, Response

from pipeline.ioc.api.security import COOKIE
from pipeline.ioc.console.texts import Texts, catalogue
from pipeline.ioc.desk import CaseView, NotFoundError
from pipeline.ioc.ingest.letters import RetryError
from pipeline.ioc.people import AccountError, Person, permitted
from pipeline.ioc.review import (
    REASONS,
    AlreadyDecidedError,
    ChangedError,
    ClaimedError,
    ReviewError,
    SameOfficerError,
)
from pipeline.ioc.review.decide import Verdict
from pipeline.ioc.services import Services
from pipeline.ioc.store.act import Missing

HERE = Path(__file__).parent
LIVE = (HERE / "live.js").read_text("utf-8")
VIETNAM = timezone(timedelta(hours=7))
STATE_COLORS = {"confirmed": "good", "rejected": "bad", "second_look": "warn", "confirmed_once": "warn"}
KINDS = {
    ClaimedError: "claimed",
    AlreadyDecidedError: "decided",
    ChangedError: "changed",
    SameOfficerError: "same",
}
SEEN_S = 0.5
"""A decision counts once its case has been before the officer for so long: a key pressed twice must not
decide on the next case, too."""
CSS, SCRIPT = (HERE / "style.css").read_text("utf-8"), (HERE / "console.js").read_text("utf-8")


@dataclass(slots=True)
class Visit:
    """One page of one person."""

    the: Services
    token: str
    person: Person
    texts: Texts

    @property
    def decides(self) -> bool:
        """Whether this person may decide at all."""
        return self.person.role in ("reviewer", "supervisor")

    def still_here(self, *, acting: bool = True) -> bool:
        """Look again who this is: rights end while a page stays open. False once nobody is logged in.

        `acting`: somebody did something; what a page does by itself keeps no session alive.
        """
        person = self.the.accounts.person(self.token, acting=acting)
        if person is None or person.must_change:
            ui.navigate.to("/login")
            return False
        self.person = person
        return True

    async def ask(self, call: Callable[..., Any], *values: Any, acting: bool = True, **named: Any) -> Any:
        """Call the desk as this person, off the event loop; None after telling what is not allowed."""
        if not self.still_here(acting=acting):
            return None
        try:
            return await run.io_bound(call, self.person, *values, **named)
        except ReviewError as error:
            kind = "refused." + KINDS.get(type(error), "other")
            told = self.texts(kind) + (f": {error.who}" if error.who else "")
            ui.notify(told, type="warning", position="top", timeout=6000)
        except NotFoundError:
            ui.notify(self.texts("not_yours"), type="negative", position="top")
        return None

    async def act(self, call: Callable[..., Any], *values: Any, **named: Any) -> Any:
        """Call what changes accounts and the like, off the event loop; None after telling why not.

        What it returns, or True where it returns nothing.
        """
        if not self.still_here():
            return None
        try:
            value = await run.io_bound(call, *values, **named)
        except AccountError as error:
            ui.notify(self.texts(f"account_error.{error.code}"), type="warning", position="top", timeout=6000)
        except RetryError as error:
            ui.notify(f"{self.texts('still_dead')}: {error}", type="warning", position="top", timeout=6000)
        except KeyError:
            ui.notify(self.texts("not_yours"), type="negative", position="top")
        else:
            return True if value is None else value
        return None

    def may(self, needs: tuple[str, str]) -> bool:
        """Whether the person may call this route of the API."""
        return permitted(self.person.role, self.person.areas, self.the.areas.root, *needs)


PAGES: tuple[tuple[str, str, tuple[str, str]], ...] = (
    ("queue", "/", ("GET", "/api/v1/cases")),
    ("all_cases", "/?state=all", ("GET", "/api/v1/cases")),
    ("wall", "/wall", ("GET", "/api/v1/wall")),
    ("cameras", "/cameras", ("GET", "/api/v1/cameras")),
    ("accounts", "/accounts", ("GET", "/api/v1/users")),
    ("audit_log", "/audit", ("GET", "/api/v1/audit")),
    ("dead_letters", "/dead-letters", ("GET", "/api/v1/dead-letters")),
)
"""Of the bar: text, address, and the route whose permission the page needs."""


def home(here: Visit) -> str:
    """The first page that the person may see."""
    return next((at for _, at, needs in PAGES if here.may(needs)), "/password")


def visit(the: Services, needs: tuple[str, str]) -> Visit | Response:
    """Whose request this is, or where to go first; `needs`: the route of the API that shows the same."""
    request = ui.context.client.request
    token = request.cookies.get(COOKIE, "") if request is not None else ""
    person = the.accounts.person(token)
    if person is None:
        return RedirectResponse("/login", 303)
    if person.must_change:
        return RedirectResponse("/password", 303)
    here = Visit(the, token, person, Texts(person.language))
    return here if here.may(needs) else RedirectResponse(home(here), 303)


def run_script(
    here: Visit,
    script: str,
    families: tuple[str, ...],
    words: tuple[str, ...],
    sayings: tuple[str, ...],
    **more: Any,
) -> None:
    """Run live.js and then `script` in the browser; window.ngatuPage has what they need beside the API.

    That is: of the catalogue the texts whose keys begin with one of `families` or are among `words`, of
    `sayings` what those files translate, and `more`.
    """
    given = {
        "language": here.texts.language,
        "texts": {key: here.texts(key) for key in catalogue() if key.startswith(families) or key in words},
        "sayings": here.texts.sayings(*sayings),
        **more,
    }
    told = json.dumps(given, ensure_ascii=False).replace("<", "\\u003c")
    ui.add_head_html(
        f"<script>window.ngatuPage={told}</script><script>{LIVE}</script><script>{script}</script>"
    )


def frame(here: Visit, on: str) -> ui.label:
    """Style, script and bar; returns the label that counts what waits."""
    ui.add_css(CSS)
    ui.add_head_html(f"<script>{SCRIPT}</script>")
    dark = ui.dark_mode(here.person.dark)
    texts = here.texts

    def prefer(**wish: Any) -> None:
        if here.still_here():
            here.the.accounts.prefer(here.person, **wish)

    def turn() -> None:
        dark.toggle()
        prefer(dark=dark.value)

    def speak() -> None:
        prefer(language="vi" if texts.language == "en" else "en")
        ui.navigate.reload()

    with ui.element("header").classes("bar"):
        ui.label(texts("app")).classes("name")
        with ui.element("nav"):
            for page, address, needs in PAGES:
                if here.may(needs):
                    ui.link(texts(page), address).classes("on" if on == page else "")
        waiting = ui.label("").classes("pill").mark("waiting")
        ui.element("div").classes("grow")
        _plain_button(texts("language"), speak)
        _plain_button(texts("theme"), turn)
        role = f"{here.person.shown_name} · {texts.named('role', here.person.role)}"
        me = ui.link(role, "/account").classes("who on" if on == "my_account" else "who")
        me.props(f'title="{texts("my_account")}"')
        form = ui.element("form").props("method=post action=/logout").style("margin:0")
        with form, ui.element("button").props("type=submit"):
            ui.label(texts("log_out"))
    return waiting


def _plain_button(text: str, act: Callable[[], None]) -> None:
    with ui.element("button").props("type=button").on("click", lambda: act()):
        ui.label(text)


def button(
    text: str, key: str, act: Callable[[], Any], kind: str = "", *, enabled: bool = True
) -> ui.element:
    """A button that shows its key, where it has one."""
    made = ui.element("button").classes(f"act {kind}").props("type=button").on("click", lambda: act())
    with made, ui.element("span"):
        ui.label(text).style("display:inline")
        if key:
            with ui.element("kbd"):
                ui.label(key).style("display:inline")
    if not enabled:
        made.props("disabled")
    return made


class RejectDialog:
    """Why: by number key or click. "Other" asks for a note."""

    def __init__(self, texts: Texts, chosen: Callable[[str, str], Awaitable[None]]) -> None:
        self._chosen = chosen
        self._dialog = ui.dialog()
        with self._dialog, ui.card().style("min-width:380px;background:var(--card);color:var(--ink)"):
            ui.label(texts("reason")).classes("main")
            with ui.element("div").classes("reasons w-full"):
                for number, reason in enumerate(REASONS, 1):
                    made = ui.element("button").classes("act reason").props("type=button")
                    made.on("click", partial(self._choose, reason))
                    with made:
                        ui.label(f"{number}  {texts.named('reason', reason)}")
            self._note = ui.input(texts("note")).props("dense outlined maxlength=500").classes("w-full")

    @property
    def is_open(self) -> bool:
        """Whether it asks now."""
        return bool(self._dialog.value)

    def open(self) -> None:
        """Ask."""
        self._note.value = ""
        self._dialog.open()

    async def key(self, key: str) -> None:
        """A number chooses."""
        if key.isdigit() and 1 <= int(key) <= len(REASONS):
            await self._choose(REASONS[int(key) - 1])

    async def _choose(self, reason: str) -> None:
        if reason == "other" and not self._note.value.strip():
            self._note.run_method("focus")
            return
        self._dialog.close()
        await self._chosen(reason, self._note.value)


async def pressed(event: KeyEventArguments, dialog: RejectDialog) -> str:
    """The key that is meant for the page; "" where a modifier is held, or the dialog takes it."""
    held = event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta
    if not event.action.keydown or held:
        return ""
    key = str(event.key.name).lower()
    if not dialog.is_open:
        return key
    if not event.action.repeat:
        await dialog.key(key)
    return ""


async def decide(here: Visit, view: CaseView, verdict: Verdict, **more: Any) -> bool:
    """Decide on what the officer saw, and tell; False when it could not be."""
    state = await here.ask(here.the.desk.decide, view.row.id, verdict, seen=len(view.history), **more)
    if state is None:
        return False
    told = f"{here.texts('decided')}: {here.texts.named('state', state)}"
    ui.notify(told, type="positive", position="bottom-right")
    return True


def local_time(at_ms: int, form: str = "%d/%m/%Y %H:%M:%S") -> str:
    """In Vietnam's time, which has no summer time."""
    return datetime.fromtimestamp(at_ms / 1000, VIETNAM).strftime(form)


def due_tag(texts: Texts, days: int, state: str) -> None:
    """Days left, coloured by how few."""
    if state in ("confirmed", "rejected"):
        return
    kind = "bad" if days < 1 else "warn" if days < 4 else ""
    text = f"{-days} {texts('days')} {texts('overdue')}" if days < 0 else f"{days} {texts('days')}"
    ui.label(text).classes(f"tag {kind}")


def state_tag(texts: Texts, state: str) -> None:
    """What became of it."""
    ui.label(texts.named("state", state)).classes(f"tag {STATE_COLORS.get(state, '')}")


def lacks(texts: Texts, missing: Iterable[Missing]) -> str:
    """What a record lacks, each thing once: its parts and the files behind them have the same names."""
    return ", ".join(dict.fromkeys(texts.named("part", part.code or part.role) for part in missing))


def draw_box(box: tuple[float, float, float, float]) -> None:
    """The road user's box over a picture whose parent is as large as it is; the key O hides it."""
    left, top, right, bottom = (min(1.0, max(0.0, edge)) * 100 for edge in box)
    place = f"left:{left:.2f}%;top:{top:.2f}%;width:{right - left:.2f}%;height:{bottom - top:.2f}%"
    ui.element("div").classes("box").style(place)

"""One's own account: password, language, colours, open sessions."""

from __future__ import annotations

from nicegui import run, ui
from starlette.responses import Response

from pipeline.ioc.console.frame import Visit, button, frame, local_time, visit
from pipeline.ioc.console.rows import CSS, area_names, choose, pairs
from pipeline.ioc.services import Services


class MePage:
    """One person's view of their account."""

    def __init__(self, here: Visit) -> None:
        self._here = here
        self._texts = texts = here.texts
        frame(here, "my_account")
        ui.add_css(CSS)
        with ui.element("main").classes("me"):
            with ui.element("div").classes("stack"):
                with _panel(texts("my_account")):
                    self._who()
                with _panel(texts("appearance")):
                    self._looks()
                self._sessions = _panel(texts("sessions_open")).mark("sessions")
            with ui.element("div").classes("stack"), _panel(texts("choose_password")):
                self._password()

    async def load(self) -> None:
        """Fetch the open sessions."""
        texts, here = self._texts, self._here
        if not here.still_here():
            return
        logins = await run.io_bound(here.the.accounts.sessions.of, here.person.id, here.token) or []
        self._sessions.clear()
        with self._sessions:
            ui.label(texts("sessions_open")).classes("t")
            with ui.element("div").classes("logins"):
                for login in logins:
                    with ui.element("div").classes("login"):
                        ui.label(f"{texts('session_since')} {local_time(login.created_ms)}").classes("num")
                        if login.here:
                            ui.label(texts("session_here")).classes("tag good")
                        else:
                            ui.label(f"{texts('last_seen')}: {local_time(login.seen_ms)}").classes("sub num")
            if len(logins) > 1:
                with ui.element("div").classes("acts small"):
                    button(texts("session_end_others"), "", self._end_others)

    def _who(self) -> None:
        texts, person = self._texts, self._here.person
        names = area_names(self._here.the.areas.names, person.areas)
        with ui.element("h2"):
            ui.label(person.shown_name)
        pairs(
            [
                (texts("name"), person.name),
                (texts("role"), texts.named("role", person.role)),
                (texts("areas"), ", ".join(names.values())),
                (texts("account_source"), texts("source_local" if person.local else "source_oidc")),
            ]
        )

    def _looks(self) -> None:
        texts, here = self._texts, self._here
        languages = {"vi": "Tiếng Việt", "en": "English"}
        colors = {False: texts("light"), True: texts("dark")}

        async def prefer(**wish: object) -> None:
            if await here.act(here.the.accounts.prefer, here.person, **wish) is not None:
                ui.navigate.reload()

        choose(texts("language_name"), languages, texts.language, lambda v: prefer(language=v)).mark(
            "language"
        )
        choose(texts("theme_name"), colors, here.person.dark, lambda v: prefer(dark=v)).mark("theme")

    def _password(self) -> None:
        texts = self._texts
        if not self._here.person.local:
            ui.label(texts("account_error.oidc")).classes("sub wrap")
            return
        fields = [
            ui.input(texts(key), password=True)
            .props(f"dense outlined maxlength=200 autocomplete={hint}")
            .mark(key)
            for key, hint in (
                ("old_password", "current-password"),
                ("new_password", "new-password"),
                ("new_again", "new-password"),
            )
        ]
        ui.label(texts("password_rule")).classes("sub wrap")

        async def change() -> None:
            old, new, again = (field.value or "" for field in fields)
            if new != again:
                ui.notify(texts("not_the_same"), type="warning", position="top")
                return
            done = await self._here.act(self._here.the.accounts.change_password, self._here.person, old, new)
            for field in fields:
                field.value = ""
            if done is not None:
                ui.navigate.to("/login")

        for field in fields:
            field.on("keydown.enter", change)
        with ui.element("div").classes("acts"):
            button(texts("save"), "↵", change, "good")

    async def _end_others(self) -> None:
        if await self._here.act(self._here.the.accounts.end_others, self._here.person, self._here.token):
            ui.notify(self._texts("done"), type="positive", position="bottom-right")
        await self.load()


def me_page(the: Services) -> None:
    """Register the page."""

    @ui.page("/account", title="Ngã Tư IOC")
    async def account() -> Response | None:
        here = visit(the, ("GET", "/api/v1/me"))
        if isinstance(here, Response):
            return here
        await MePage(here).load()
        return None


def _panel(title: str) -> ui.element:
    panel = ui.element("section").classes("panel")
    with panel:
        ui.label(title).classes("t")
    return panel

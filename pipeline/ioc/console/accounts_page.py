"""Accounts, for admins: within their own areas, and nothing that the API would not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import run, ui
from nicegui.events import KeyEventArguments
from starlette.responses import Response

from pipeline.ioc.config.areas import within
from pipeline.ioc.console.account_dialogs import NewAccount, OneTime
from pipeline.ioc.console.frame import Visit, button, frame, local_time, visit
from pipeline.ioc.console.rows import Rows, Sure, area_names, choose, pairs
from pipeline.ioc.people import ROLES, one_time_password
from pipeline.ioc.people.sessions import Logins
from pipeline.ioc.services import Services
from pipeline.ioc.store import clock
from pipeline.ioc.store.models import User

NO_LOGINS = Logins(0, 0)


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and its open sessions."""

    user: User
    logins: Logins

    @property
    def state(self) -> str:
        """Whether it can be used, and why not."""
        if self.user.disabled:
            return "disabled"
        if self.user.locked_until_ms > clock.now_ms():
            return "locked"
        return "first" if self.user.must_change else "open"


STATE_TAGS = {"open": "good", "disabled": "bad", "locked": "warn", "first": "warn"}


class AccountsPage:
    """One admin's view of the accounts."""

    def __init__(self, here: Visit) -> None:
        self._here = here
        self._texts = texts = here.texts
        names = here.the.areas.names
        mine = [path for path in names if within(path, here.person.areas)]
        self._areas = area_names(names, mine)
        self._roles = {role: texts.named("role", role) for role in ROLES}
        self._sought = ""
        self._all: list[Account] = []
        self._count = frame(here, "accounts")
        with ui.element("search").classes("filters"):
            sought = ui.input(texts("account_find"), on_change=lambda event: self._find(event.value))
            sought.props("dense outlined clearable debounce=200").style("width:300px").mark("find")
            ui.element("div").classes("grow")
            ui.label(texts("keys_accounts")).classes("sub")
            button(texts("account_new"), "N", self._new, "good")
        head = [texts(key) for key in ("accounts", "role", "areas", "state", "last_seen")]
        self._rows: Rows[Account] = Rows(
            texts, "accounts", head, name=lambda row: row.user.id, cells=self._cells, show=self._show
        )
        self._sure = Sure(texts)
        self._once = OneTime(here)
        self._form = NewAccount(here, self._roles, self._areas, self._made)
        ui.keyboard(self._key, ignore=["input", "select", "textarea"])

    async def load(self, choose: int | None = None) -> None:
        """Fetch them."""
        if not self._here.still_here():
            return
        accounts = self._here.the.accounts
        users = await run.io_bound(accounts.everybody, self._here.person.areas) or []
        logins = await run.io_bound(accounts.sessions.open_ones) or {}
        self._all = [Account(user, logins.get(user.id, NO_LOGINS)) for user in users]
        self._fill(choose)

    def _find(self, text: str | None) -> None:
        self._sought = (text or "").strip().lower()
        self._fill()

    def _fill(self, choose: int | None = None) -> None:
        shown = [
            row
            for row in self._all
            if self._sought in f"{row.user.name} {row.user.shown_name} {self._role(row.user.role)}".lower()
        ]
        self._count.text = f"{len(shown)} / {len(self._all)}"
        self._rows.fill(shown, choose=choose)

    def _role(self, role: str) -> str:
        return self._texts.named("role", role)

    def _cells(self, row: Account) -> None:
        texts, user = self._texts, row.user
        with ui.element("div").props("role=cell"):
            ui.label(user.shown_name).classes("main")
            ui.label(user.name).classes("sub")
        ui.label(self._role(user.role)).props("role=cell").classes("one")
        ui.label(", ".join(self._here.the.areas.names.get(path, path) for path in user.areas)).props(
            "role=cell"
        ).classes("one")
        with ui.element("div").props("role=cell"):
            ui.label(texts(f"account_{row.state}")).classes(f"tag {STATE_TAGS[row.state]}")
        seen = local_time(row.logins.seen_ms, "%d/%m %H:%M") if row.logins.count else "—"
        ui.label(seen).props("role=cell").classes("num sub")

    def _show(self, row: Account) -> None:
        texts, user = self._texts, row.user
        local, own = user.subject is None, user.id == self._here.person.id
        with ui.element("h2"):
            ui.label(user.shown_name)
        ui.label(f"{user.name} · {texts('source_local' if local else 'source_oidc')}").classes("sub")
        with ui.element("div").style("margin:8px 0"):
            ui.label(texts(f"account_{row.state}")).classes(f"tag {STATE_TAGS[row.state]}").mark("state")
        told = [(texts("sessions"), str(row.logins.count))]
        if row.logins.count:
            told.append((texts("last_seen"), local_time(row.logins.seen_ms)))
        if row.state == "locked":
            told.append((texts("account_locked_until"), local_time(user.locked_until_ms)))
        pairs(told)
        with ui.element("div").classes("group"):
            role = choose(texts("role"), self._roles, user.role)
            areas = choose(texts("areas"), self._offered(user), list(user.areas), many=True)
            role.classes("field").mark("edit-role")
            areas.classes("field").mark("edit-areas")
            if local:
                with ui.element("div").classes("acts"):
                    button(texts("save"), "", lambda: self._change(row, role=role.value, areas=areas.value))
            else:
                role.disable()
                areas.disable()
                ui.label(texts("account_error.oidc")).classes("sub wrap")
        with ui.element("div").classes("group acts"):
            if local:
                button(texts("account_reset"), "P", self._reset)
            button(texts("account_end"), "E", self._end, enabled=row.logins.count > 0)
            if user.disabled:
                button(texts("account_enable"), "D", self._turn)
            else:
                button(texts("account_disable"), "D", self._turn, "bad", enabled=not own)
            if row.state == "locked":
                button(texts("account_unlock"), "U", self._unlock)

    def _offered(self, user: User) -> dict[str, str]:
        """Areas to choose from: the admin's own, and those that the configuration no longer has."""
        return self._areas | {path: path for path in user.areas if path not in self._areas}

    def _new(self) -> None:
        self._form.open()

    async def _made(self, name: str, password: str, user_id: int) -> None:
        await self.load(choose=user_id)
        self._once.tell(name, password)

    async def _change(self, row: Account, **fields: object) -> bool:
        done = await self._here.act(
            self._here.the.accounts.change,
            row.user.id,
            by=self._here.person.name,
            scope=self._here.person.areas,
            **fields,
        )
        if done:
            ui.notify(self._texts("done"), type="positive", position="bottom-right")
        await self.load()
        return done is not None

    def _ask(self, text: str, act: Callable[[], Awaitable[object]]) -> None:
        row = self._rows.chosen
        if row is not None:
            told = f"{self._texts(text)}: {row.user.shown_name}"
            self._sure.ask(told, self._texts("sure_end"), act)

    def _reset(self) -> None:
        row = self._rows.chosen
        if row is None or row.user.subject is not None:
            return

        async def reset() -> None:
            password = one_time_password()
            if await self._change(row, password=password):
                self._once.tell(row.user.name, password)

        self._ask("account_reset", reset)

    def _end(self) -> None:
        row = self._rows.chosen
        if row is None or not row.logins.count:
            return

        async def end() -> None:
            by, scope = self._here.person.name, self._here.person.areas
            await self._here.act(self._here.the.accounts.end_sessions, row.user.id, by=by, scope=scope)
            await self.load()

        self._ask("account_end", end)

    async def _turn(self) -> None:
        row = self._rows.chosen
        if row is not None and row.user.disabled:
            await self._change(row, disabled=False)
        elif row is not None and row.user.id != self._here.person.id:
            self._ask("account_disable", lambda: self._change(row, disabled=True))

    async def _unlock(self) -> None:
        if (row := self._rows.chosen) is not None and row.state == "locked":
            await self._change(row, disabled=False)

    async def _key(self, event: KeyEventArguments) -> None:
        free = not (self._sure.is_open or self._once.is_open or self._form.is_open)
        key = await self._rows.key(event, free=free)
        if key == "n":
            self._new()
        elif key == "p":
            self._reset()
        elif key == "e":
            self._end()
        elif key == "d":
            await self._turn()
        elif key == "u":
            await self._unlock()


def accounts_page(the: Services) -> None:
    """Register the page."""

    @ui.page("/accounts", title="Ngã Tư IOC")
    async def accounts() -> Response | None:
        here = visit(the, ("GET", "/api/v1/users"))
        if isinstance(here, Response):
            return here
        await AccountsPage(here).load()
        return None

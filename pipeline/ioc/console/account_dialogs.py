"""Dialogs of the accounts page: a new account, and the password that is shown once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from pipeline.ioc.console.frame import Visit, button
from pipeline.ioc.console.rows import choose
from pipeline.ioc.people import one_time_password


class OneTime:
    """Shows a one-time password, once."""

    def __init__(self, here: Visit) -> None:
        texts = here.texts
        self._dialog = ui.dialog().props("persistent")
        with self._dialog, ui.card().classes("asks"):
            ui.label(texts("once")).classes("main")
            self._name = ui.label("").classes("sub")
            self._password = ui.label("").classes("once").mark("once")
            ui.label(texts("once_hint")).classes("sub wrap")
            with ui.element("div").classes("acts"):
                button(texts("close"), "↵", self._close).props("autofocus")

    @property
    def is_open(self) -> bool:
        """Whether it is shown now."""
        return bool(self._dialog.value)

    def tell(self, name: str, password: str) -> None:
        """Show whose it is, and what."""
        self._name.text, self._password.text = name, password
        self._dialog.open()

    def _close(self) -> None:
        self._password.text = ""
        self._dialog.close()


class NewAccount:
    """Asks for what a new account needs."""

    def __init__(
        self,
        here: Visit,
        roles: Mapping[Any, str],
        areas: dict[str, str],
        made: Callable[[str, str, int], Awaitable[None]],
    ) -> None:
        """`made` is told name, one-time password and id."""
        self._here, self._made = here, made
        texts = here.texts
        self._dialog = ui.dialog()
        with self._dialog, ui.card().classes("asks"):
            ui.label(texts("account_new")).classes("main")
            self._name = ui.input(texts("name")).props(
                "dense outlined maxlength=64 autofocus autocomplete=off"
            )
            self._name.mark("new-name")
            self._shown = ui.input(texts("full_name")).props("dense outlined maxlength=100 autocomplete=off")
            self._shown.mark("new-shown")
            self._role = choose(texts("role"), roles, "viewer").mark("new-role")
            only = list(areas)[:1] if len(areas) == 1 else []
            self._areas = choose(texts("areas"), areas, only, many=True).mark("new-areas")
            ui.label(texts("account_new_hint")).classes("sub wrap")
            with ui.element("div").classes("acts"):
                button(texts("account_make"), "↵", self._make, "good")
                button(texts("cancel"), "Esc", self._dialog.close)
        for field in (self._name, self._shown):
            field.on("keydown.enter", self._make)

    @property
    def is_open(self) -> bool:
        """Whether it asks now."""
        return bool(self._dialog.value)

    def open(self) -> None:
        """Ask."""
        self._name.value = self._shown.value = ""
        self._dialog.open()

    async def _make(self) -> None:
        name, password = (self._name.value or "").strip().lower(), one_time_password()
        made = await self._here.act(
            self._here.the.accounts.create,
            name,
            self._shown.value or "",
            self._role.value,
            self._areas.value,
            password,
            by=self._here.person.name,
            scope=self._here.person.areas,
        )
        if made is not None:
            self._dialog.close()
            await self._made(name, password, made)

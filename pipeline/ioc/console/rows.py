"""Pages of those who run the house: rows to the left, what is chosen to the right, by key or click."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from nicegui import ui
from nicegui.events import KeyEventArguments

from pipeline.ioc.console.frame import HERE, button
from pipeline.ioc.console.texts import Texts

Row = TypeVar("Row")
CSS = (HERE / "rows.css").read_text("utf-8")


class Rows(Generic[Row]):
    """A list of which one row is chosen."""

    def __init__(
        self,
        texts: Texts,
        kind: str,
        head: Sequence[str],
        *,
        name: Callable[[Row], object],
        cells: Callable[[Row], None],
        show: Callable[[Row], None],
        more: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`kind`: class of the list, which sets its columns. `name`: what a row is known by.

        `cells` draws a row, one element for each of `head`; `show` draws what is beside. `more` fetches on.
        """
        self._texts = texts
        self._name, self._cells, self._show, self._more = name, cells, show, more
        self._rows: list[Row] = []
        self._drawn: list[ui.element] = []
        self._at = 0
        self._goes_on = False
        ui.add_css(CSS)
        with ui.element("main").classes("split rows"):
            with ui.element("div").classes(f"list {kind}").props("role=table"):
                with ui.element("div").classes("r h").props("role=row"):
                    for text in head:
                        ui.label(text).props("role=columnheader")
                self._list = ui.element("div").props("role=rowgroup").mark("rows")
            self._side = ui.element("aside").classes("side").mark("side")

    @property
    def chosen(self) -> Row | None:
        """The row that is chosen."""
        return self._rows[self._at] if self._rows else None

    def fill(
        self, rows: Sequence[Row], *, goes_on: bool = False, add: bool = False, choose: object = None
    ) -> None:
        """Show these, or these too; `choose` names the row to choose, instead of the one that was."""
        known = self.chosen
        wanted = choose if choose is not None or known is None else self._name(known)
        self._rows = [*self._rows, *rows] if add else list(rows)
        self._goes_on = goes_on
        names = [self._name(row) for row in self._rows]
        self._at = names.index(wanted) if wanted in names else min(self._at, max(0, len(names) - 1))
        self._list.clear()
        self._drawn = []
        with self._list:
            if not self._rows:
                with ui.element("div").classes("none"):
                    ui.label(self._texts("empty")).classes("main")
            for index, row in enumerate(self._rows):
                made = ui.element("div").classes("r on" if index == self._at else "r").mark("row")
                made.props(f"role=row tabindex=0 aria-selected={'true' if index == self._at else 'false'}")
                for sign in ("click", "focus"):
                    made.on(sign, lambda index=index: self.pick(index))
                with made:
                    self._cells(row)
                self._drawn.append(made)
            if goes_on and self._more is not None:
                with ui.element("div").classes("acts small"):
                    button(self._texts("more"), "M", self._more)
        self.draw_side()

    def draw_side(self) -> None:
        """Draw anew what is beside."""
        self._side.clear()
        if (row := self.chosen) is not None:
            with self._side:
                self._show(row)

    def pick(self, index: int) -> None:
        """Choose another row."""
        if not 0 <= index < len(self._rows) or index == self._at:
            return
        self._drawn[self._at].classes(remove="on").props("aria-selected=false")
        self._at = index
        made = self._drawn[index].classes(add="on").props("aria-selected=true")
        ui.run_javascript(f"getHtmlElement({made.id}).scrollIntoView({{block: 'nearest'}})")
        self.draw_side()

    async def key(self, event: KeyEventArguments, *, free: bool = True) -> str:
        """The key that is left for the page; "" when it was taken. `free`: no dialog is open."""
        held = event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta
        if not event.action.keydown or held or not free:
            return ""
        key = str(event.key.name).lower()
        if key in ("j", "arrowdown"):
            self.pick(self._at + 1)
        elif key in ("k", "arrowup"):
            self.pick(self._at - 1)
        elif key == "m" and self._goes_on and self._more is not None:
            await self._more()
        elif not event.action.repeat:
            return key
        return ""


class Sure:
    """Asks once more before something that cannot be taken back."""

    def __init__(self, texts: Texts) -> None:
        self._act: Callable[[], Awaitable[object]] | None = None
        self._dialog = ui.dialog()
        with self._dialog, ui.card().classes("asks"):
            self._title = ui.label("").classes("main")
            self._text = ui.label("").classes("wrap")
            with ui.element("div").classes("acts"):
                button(texts("sure"), "↵", self._yes, "bad").props("autofocus")
                button(texts("cancel"), "Esc", self._dialog.close)

    @property
    def is_open(self) -> bool:
        """Whether it asks now."""
        return bool(self._dialog.value)

    def ask(self, title: str, text: str, act: Callable[[], Awaitable[object]]) -> None:
        """Ask; `act` is done when the answer is yes."""
        self._title.text, self._text.text, self._act = title, text, act
        self._dialog.open()

    async def _yes(self) -> None:
        """It is meant."""
        act, self._act = self._act, None
        self._dialog.close()
        if act is not None:
            await act()


def pairs(of: Sequence[tuple[str, str]]) -> None:
    """Names and values."""
    with ui.element("div").classes("pairs"):
        for name, value in of:
            ui.label(name)
            ui.label(value)


def visible(text: str) -> str:
    """Text of strangers, with what cannot be seen written out: nothing turns a line around unseen."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def area_names(names: dict[str, str], paths: Sequence[str]) -> dict[str, str]:
    """Path to the names on the way to it, for lists to choose from."""
    return {path: " › ".join(names.get(part, part) for part in _parents(path)) for path in paths}


def choose(
    label: str, options: Any, value: Any, changed: Callable[[Any], Any] | None = None, *, many: bool = False
) -> ui.select:
    """A list to choose from, one or `many`."""
    made = ui.select(options, label=label, value=value, multiple=many)
    made.props("dense outlined options-dense" + (" use-chips" if many else ""))
    if changed is not None:
        made.on_value_change(lambda event: changed(event.value))
    return made


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]

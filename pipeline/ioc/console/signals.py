"""What the lamps showed around an act: a strip for each, with the decisive moment marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from nicegui import ui
from pydantic import Field, TypeAdapter, ValidationError

from pipeline.ioc.console.frame import HERE, local_time
from pipeline.ioc.console.rows import visible
from pipeline.ioc.console.texts import Texts
from pipeline.ioc.store.act import Act, Shown, Word

CSS = (HERE / "signals.css").read_text("utf-8")
COLORS = ("red", "yellow", "green", "off")
FACT = "lamp_shown"
_Second = Annotated[float, Field(ge=946_684_800, le=4_102_444_800, allow_inf_nan=False)]
_SHOWN: TypeAdapter[dict[str, list[tuple[float, float, str]]]] = TypeAdapter(
    Annotated[
        dict[Shown, Annotated[list[tuple[_Second, _Second, Word]], Field(max_length=500)]],
        Field(max_length=20),
    ]
)
"""Lamp to runs of one colour: from, until (epoch s), colour."""


@dataclass(frozen=True, slots=True)
class Strips:
    """What each lamp showed, over one span of time."""

    start_s: float
    end_s: float
    at_s: float
    """The decisive moment."""
    lamps: dict[str, list[tuple[float, float, str]]]

    def share(self, time_s: float) -> float:
        """Where a moment lies, 0 to 1."""
        return min(1.0, max(0.0, (time_s - self.start_s) / (self.end_s - self.start_s)))

    def age(self, lamp: str) -> tuple[str, str] | None:
        """What a lamp showed at the decisive moment, and for how many seconds; None where nobody saw.

        "≥" where nobody saw it change: memory begins there, or it was not read before.
        """
        before = "unknown"
        for start_s, end_s, color in self.lamps[lamp]:
            if start_s <= self.at_s <= end_s and color in COLORS:
                return color, f"{'' if before in COLORS else '≥ '}{self.at_s - start_s:.1f} s"
            before = color
        return None

    def seconds(self) -> Iterator[int]:
        """Whole seconds from the decisive moment that lie within."""
        yield from range(-int(self.at_s - self.start_s), int(self.end_s - self.at_s) + 1)


def strips_of(act: Act) -> Strips | None:
    """What the event tells; None where it tells nothing, or nothing that can be."""
    try:
        lamps = {name: runs for name, runs in _SHOWN.validate_python(act.facts.get(FACT)).items() if runs}
    except ValidationError:
        return None
    at_s = act.moments.at.captured_at.timestamp()
    times = [time_s for runs in lamps.values() for start_s, end_s, _ in runs for time_s in (start_s, end_s)]
    if not times or not 0.5 <= max(times) - min(times) <= 120 or not min(times) <= at_s <= max(times):
        return None
    return Strips(min(times), max(times), at_s, lamps)


def draw_signals(texts: Texts, act: Act, strips: Strips) -> None:
    """One strip for each lamp, over seconds from the decisive moment."""
    ui.add_css(CSS)
    span_s = strips.end_s - strips.start_s
    with ui.element("div").classes("signals"):
        for lamp, runs in strips.lamps.items():
            aged = strips.age(lamp)
            told = texts("signals_unseen")
            if aged is not None:
                told = f"{texts.named('lamp', aged[0])} · {texts('signals_for')} {aged[1]}"
            ui.label(f"{visible(lamp)}: {told}").classes("lampname")
            strip = ui.element("div").classes("strip").props("role=img")
            strip.props["aria-label"] = f"{lamp}: {_spoken(texts, strips, runs)}"
            with strip:
                for start_s, end_s, color in runs:
                    left, width = strips.share(start_s) * 100, (end_s - start_s) / span_s * 100
                    run = ui.element("div").classes(f"run {color if color in COLORS else 'unknown'}")
                    run.style(f"left:{left:.2f}%;width:{max(0.0, width):.2f}%")
                    if width > 14:
                        with run:
                            ui.label(texts.named("lamp", color))
                for role in ("before", "after"):
                    moment_s = getattr(act.moments, role).captured_at.timestamp()
                    if strips.start_s <= moment_s <= strips.end_s:
                        ui.element("div").classes("moment").style(f"left:{strips.share(moment_s) * 100:.2f}%")
                ui.element("div").classes("moment at").style(f"left:{strips.share(strips.at_s) * 100:.2f}%")
        with ui.element("div").classes("scale").props("aria-hidden=true"):
            for second in strips.seconds():
                if second % (1 if span_s <= 6 else 2) == 0:
                    place = f"left:{strips.share(strips.at_s + second) * 100:.2f}%"
                    ui.label(f"{second:+d} s" if second else "0").classes("at" if not second else "").style(
                        place
                    )
        at = local_time(round(strips.at_s * 1000), "%H:%M:%S.%f")[:-3]
        ui.label(f"▲ {texts('at')} {at} · ┊ {texts('before')}, {texts('after')}").classes("sub")


def _spoken(texts: Texts, strips: Strips, runs: list[tuple[float, float, str]]) -> str:
    return "; ".join(
        f"{texts.named('lamp', color)} {start_s - strips.at_s:+.1f} s … {end_s - strips.at_s:+.1f} s"
        for start_s, end_s, color in runs[:20]
    )

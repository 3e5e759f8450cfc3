"""What a worker has found so far: each act as it is stored, whole or not, for a screen or a report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from pipeline.events.event import ACTS, Event, EventType
from pipeline.events.tally import Tally
from pipeline.types import Frame
from pipeline.worker.telling import Observer

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Found:
    """An act on this box's disk."""

    event_id: str
    type: EventType
    rule: str
    camera_id: str
    road_user: str
    time: datetime
    """Of the act, UTC."""
    stored_after_s: float
    """Since the first frame was judged."""
    bundle: str | None
    """Folder below the evidence root; None where no evidence could be had."""
    missing: tuple[str, ...]
    """What a whole record needs and this one lacks, by code."""


class Board(Observer):
    """Keeps what was found, in the order it was stored. Times are of the host's monotonic clock."""

    def __init__(self) -> None:
        self.first_frame_s: float | None = None
        self.tally = Tally()
        self._found: list[Found] = []
        self._judged: Counter[str] = Counter()
        self._newest_s = 0.0

    def frame_judged(self, frame: Frame, at_s: float) -> None:
        """Count it, and note when the first one was."""
        self._newest_s = time.monotonic()
        if self.first_frame_s is None:
            self.first_frame_s = self._newest_s
        self._judged[frame.camera_id] += 1

    def event_stored(self, event: Event, at_s: float) -> None:
        """Keep it if it tells of an act, by a rule that is not on trial."""
        if event.type not in ACTS or event.is_shadow:
            return
        self.tally.add(event)
        self._found.append(
            Found(
                event.id,
                event.type,
                event.data["rule"],
                event.key,
                event.data["road_user"],
                event.time,
                time.monotonic() - (self.first_frame_s or time.monotonic()),
                event.data["evidence"]["bundle"],
                tuple(part["code"] for part in event.data["missing"]),
            )
        )

    def found(self) -> Sequence[Found]:
        """All so far."""
        return tuple(self._found)

    def rates_hz(self) -> dict[str, float]:
        """Frames judged a second, by camera, from the first one to the newest one of all."""
        if self.first_frame_s is None or self._newest_s <= self.first_frame_s:
            return {}
        span_s = self._newest_s - self.first_frame_s
        return {camera_id: round(count / span_s, 2) for camera_id, count in sorted(self._judged.items())}

    def kinds(self) -> Counter[str]:
        """How many of each, whole or not."""
        return self.tally.kinds()

    def render(self, expected: Sequence[str] = ()) -> RenderableType:
        """The newest ones, and how many of each kind; of those `expected`, zeros too."""
        table = Table(title="newest acts", box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("time", no_wrap=True)
        table.add_column("camera", no_wrap=True)
        table.add_column("kind", no_wrap=True)
        table.add_column("by", no_wrap=True)
        table.add_column("evidence", overflow="fold")
        if not self.found():
            table.add_row("", "", "none yet", "", "an act is told once the end of its clip is filmed")
        for one in self.found()[: -SHOWN - 1 : -1]:
            evidence = one.bundle or "none"
            if one.missing:
                evidence += f" [yellow]incomplete: {', '.join(one.missing)}[/]"
            clock = f"{one.time.astimezone():%H:%M:%S}"
            table.add_row(clock, one.camera_id, f"[bold]{one.rule}[/]", one.road_user, evidence)
        return Group(table, self.summary(expected))

    def summary(self, expected: Sequence[str] = ()) -> str:
        """One line: how many of each kind, and how many of all are whole."""
        kinds = self.kinds()
        named = [*expected, *sorted(kinds.keys() - set(expected))]
        counts = ", ".join(f"{name} {kinds[name]}" for name in named)
        total, different = kinds.total(), len(kinds)
        return (
            f"{total} act{'s' * (total != 1)} of {different} kind{'s' * (different != 1)}"
            + f": {counts}" * bool(counts)
            + f"; {told(self.tally.of)}" * bool(total)
        )


def told(of: Callable[[EventType], int]) -> str:
    """How many acts were told as what, in words."""
    return (
        f"candidates {of(EventType.VIOLATION)}, incomplete {of(EventType.INCOMPLETE)}, "
        f"incidents {of(EventType.SECURITY)}"
    )


def tally_table(tally: Tally) -> Table:
    """How many of each kind are whole, and what the others lack."""
    table = Table("kind", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("candidates", "incomplete", "incidents"):
        table.add_column(name, justify="right")
    table.add_column("missing")
    for rule in sorted(tally.kinds()):
        counts = (str(tally.acts[rule, kind] or "") for kind in ACTS)
        lacking = ", ".join(f"{code} {count}" for code, count in tally.lacking(rule).items())
        table.add_row(rule, *counts, lacking)
    return table

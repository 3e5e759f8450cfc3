"""One line per camera in a terminal, alive while the worker runs."""

from __future__ import annotations

from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from pipeline.worker.watch import NOT_JUDGED

_STATE_STYLE = {
    "up": "green",
    "connecting": "yellow",
    "stalled": "red",
    "down": "red",
    "stopped": "dim",
    NOT_JUDGED: "red",
}


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What the table shows of one camera."""

    camera_id: str
    state: str
    reason: str
    video: str
    """Codec and size."""
    decoded_hz: float
    analysed_hz: float
    clock: str
    """Time source, offset and uncertainty."""
    road_users: int
    lamps: str
    hits: int
    reconnects: int
    ring_s: float


@dataclass(frozen=True, slots=True)
class BoxStatus:
    """What stands below the table."""

    acts: str
    """How many were told, and as what."""
    proofs_waiting: int
    outbox_events: int
    sink: str
    cpu_share: float
    """Cores in use, cameras' processes included."""
    memory_mb: float
    """Proportional share of memory, cameras' processes included."""


def render(cameras: list[CameraStatus], box: BoxStatus) -> Table:
    """Draw the table."""
    table = Table(
        title="Ngã Tư",
        caption=(
            f"{box.acts} · proofs waiting {box.proofs_waiting} · outbox {box.outbox_events} · "
            f"{escape(box.sink)} · {box.cpu_share:.1f} cores · {box.memory_mb:.0f} MB"
        ),
        box=SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    for name, justify in (
        ("camera", "left"),
        ("state", "left"),
        ("video", "left"),
        ("in/s", "right"),
        ("seen/s", "right"),
        ("clock", "left"),
        ("users", "right"),
        ("lamps", "left"),
        ("ring s", "right"),
        ("hits", "right"),
        ("lost", "right"),
    ):
        # A narrow terminal breaks the words of these and leaves the figures whole.
        wraps = name in ("state", "video", "clock")
        table.add_column(name, justify=justify, no_wrap=not wraps, min_width=8 if wraps else None)  # type: ignore[arg-type]
    for c in cameras:
        style = _STATE_STYLE.get(c.state, "")
        state = f"[{style}]{c.state}[/]" if style else c.state
        if c.reason and c.state != "up":
            state += f" [dim]{escape(c.reason)}[/]"
        table.add_row(
            c.camera_id,
            state,
            c.video,
            f"{c.decoded_hz:.1f}",
            f"{c.analysed_hz:.1f}",
            c.clock,
            str(c.road_users),
            c.lamps,
            f"{c.ring_s:.0f}",
            str(c.hits),
            str(c.reconnects),
        )
    return table

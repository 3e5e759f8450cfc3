"""The newest encoded video of one stream, in memory, from key frame to key frame."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from pipeline.cameras.errors import CameraError

_MAX_STILL_DISTANCE_S = 1.0
"""A picture further from the asked moment would prove something else."""
_MAX_REORDER = 16
"""H.264 and H.265 allow no deeper reordering of pictures."""


class RingError(CameraError):
    """The ring does not hold what was asked for; the message says what it holds."""


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture."""

    data: bytes
    captured_at_s: float
    key: bool
    caps: str
    """GStreamer caps of the stream, the frame rate left out: units of equal caps can share a file."""
    connection: int


class Ring:
    """Access units in decode order, bounded in seconds (plus one group of pictures) and bytes.

    Whole groups are dropped from the old end, so that it always starts on a key frame. Thread-safe.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._groups: deque[list[AccessUnit]] = deque()
        self._lock = threading.Lock()
        self._bytes = 0
        self._recent: deque[float] = deque(maxlen=_MAX_REORDER)
        self._reorder = 0
        self._connection: int | None = None

    def append(self, unit: AccessUnit) -> None:
        """Add the next unit in decode order."""
        with self._lock:
            if not unit.key and not self._groups:
                return
            if unit.key:
                self._groups.append([])
            self._groups[-1].append(unit)
            self._bytes += len(unit.data)
            self._note_order(unit)
            self._evict(unit.captured_at_s)

    def finish(self) -> None:
        """The stream is over: nothing that came is waiting for anything before it."""
        with self._lock:
            self._reorder = 0

    @property
    def size_bytes(self) -> int:
        """Encoded bytes held."""
        return self._bytes

    @property
    def span_s(self) -> tuple[float, float] | None:
        """Capture time of the first picture, and the time up to which none is missing; None when empty.

        With B-frames a picture can arrive before earlier ones: those that may still come are counted out.
        """
        with self._lock:
            if not self._groups or not self._recent:
                return None
            complete = nlargest(self._reorder + 1, self._recent)[-1]
            return self._groups[0][0].captured_at_s, complete

    def nearest(self, time_s: float, together: Sequence[float] = ()) -> list[AccessUnit]:
        """What must be decoded, in order, to see the picture nearest to `time_s`, which is the last one.

        `together`: further moments of the same connection. Where time stepped back, as it does when a
        camera's first report comes, they tell which pass is meant; RingError where they are in both as well.
        """
        with self._lock:
            groups = list(self._groups)
        meant = _meant(groups, time_s, together)
        found: tuple[float, int, int] | None = None
        for number, group in enumerate(groups):
            for index, unit in enumerate(group):
                if meant is not None and unit.connection != meant:
                    continue
                distance = abs(unit.captured_at_s - time_s)
                if found is None or distance < found[0]:
                    found = (distance, number, index)
        if found is None or found[0] > _MAX_STILL_DISTANCE_S:
            raise RingError(self._lack(groups, time_s, time_s))
        _, number, index = found
        units = groups[number][: index + 1]
        if _leads(units[-1], units[0]) and number > 0:
            return groups[number - 1] + units
        return units

    def between(self, start_s: float, end_s: float) -> list[AccessUnit]:
        """The units to mux for [start_s, end_s], from the last key frame at or before its start.

        Where the stream changed in between (another size), the part that covers most of it. Where time was
        set back, all that was filmed since its start came first.
        """
        with self._lock:
            held = list(self._groups)
        groups = [group for group in held if group[0].captured_at_s <= end_s]
        passes = _holding(_passes(groups), start_s)
        begun = [
            number
            for number, group in enumerate(groups)
            if group[0].captured_at_s <= start_s
            and (not passes or any(unit.connection == passes[0] for unit in group))
        ]
        first = begun[-1] if begun else 0
        units = itertools.chain.from_iterable(groups[first:])
        runs = [_cut(list(run), end_s) for _, run in itertools.groupby(units, lambda unit: unit.caps)]
        best = max(runs, key=lambda run: _overlap(run, start_s, end_s), default=[])
        if not best or _overlap(best, start_s, end_s) < 0:
            raise RingError(self._lack(held, start_s, end_s))
        return best

    def _note_order(self, unit: AccessUnit) -> None:
        if unit.connection != self._connection:
            self._connection = unit.connection
            self._recent.clear()
        later = sum(1 for time_s in self._recent if time_s > unit.captured_at_s)
        self._reorder = max(self._reorder, later)
        self._recent.append(unit.captured_at_s)

    def _evict(self, now_s: float) -> None:
        while len(self._groups) > 1 and now_s - self._groups[1][0].captured_at_s >= self._seconds:
            self._drop_oldest()
        while self._groups and self._bytes > self._max_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._bytes -= sum(len(unit.data) for unit in self._groups.popleft())

    @staticmethod
    def _lack(groups: Iterable[list[AccessUnit]], start_s: float, end_s: float) -> str:
        units = [unit.captured_at_s for group in groups for unit in group]
        asked = f"{start_s:.2f}" if start_s == end_s else f"{start_s:.2f} to {end_s:.2f}"
        if not units:
            return f"the recording holds nothing near {asked}: no key frame has come yet"
        return f"the recording holds {min(units):.2f} to {max(units):.2f}, not {asked}"


def _passes(groups: Iterable[list[AccessUnit]]) -> dict[int, tuple[float, float]]:
    """First and last capture time of each connection, oldest connection first."""
    spans: dict[int, tuple[float, float]] = {}
    for unit in itertools.chain.from_iterable(groups):
        first_s, last_s = spans.get(unit.connection, (unit.captured_at_s, unit.captured_at_s))
        spans[unit.connection] = min(first_s, unit.captured_at_s), max(last_s, unit.captured_at_s)
    return spans


def _holding(passes: dict[int, tuple[float, float]], time_s: float) -> list[int]:
    """The connections during which it was that moment: several where time stepped back."""
    return [number for number, (first_s, last_s) in passes.items() if first_s <= time_s <= last_s]


def _meant(groups: Iterable[list[AccessUnit]], time_s: float, together: Sequence[float]) -> int | None:
    """The connection to look for that moment in, None where it is in none; RingError where in several."""
    passes = _passes(groups)
    meant = _holding(passes, time_s)
    if len(meant) > 1:
        for other_s in together:
            # A moment that the ring does not hold any more tells nothing.
            if others := _holding(passes, other_s):
                meant = [number for number in meant if number in others]
        if len(meant) != 1:
            raise RingError(
                f"{time_s:.2f} is in the recording twice: time stepped back, and nothing tells which is meant"
            )
    return meant[0] if meant else None


def _leads(unit: AccessUnit, key: AccessUnit) -> bool:
    """Whether it is a leading picture of the group that `key` opens: it leans on the group before.

    Where time was set back, a new connection begins, and what is earlier leads nothing.
    """
    return unit.connection == key.connection and unit.captured_at_s < key.captured_at_s


def _cut(run: list[AccessUnit], end_s: float) -> list[AccessUnit]:
    """The run without leading pictures that cannot be decoded, up to the first complete moment at `end_s`."""
    second_key = next((n for n, unit in enumerate(run) if n and unit.key), len(run))
    units = [unit for n, unit in enumerate(run) if n >= second_key or not _leads(unit, run[0])]
    last = max((n for n, unit in enumerate(units) if unit.captured_at_s <= end_s), default=0)
    newest = max(unit.captured_at_s for unit in units[: last + 1])
    while last + 1 < len(units) and units[last + 1].captured_at_s < newest:
        last += 1
    return units[: last + 1]


def _overlap(run: list[AccessUnit], start_s: float, end_s: float) -> float:
    times = [unit.captured_at_s for unit in run]
    return min(end_s, max(times)) - max(start_s, min(times))

"""The state of each lamp over time.

A single picture of a lamp lies: LEDs are dark in a quarter of all frames, headlights glare, lorries pass in
front. A colour counts when it was seen twice, and is kept no longer than flicker explains.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from pipeline.perception.lamps import LampReading, read_lamp
from pipeline.types import Lamp, LampColor, Picture, SignalState, on_grid

_CONFIRM_S = 0.15
"""Two sightings of a colour at least this far apart confirm it; a frame at 6 a second is 0.16 later."""
_LONGEST_HOLD_S = 1.0
"""A lit lamp that looks dark is believed to be lit for at most this long: at 6 frames a second and dark in a
quarter of them, five dark ones in a row come once in a thousand."""
_SHORTEST_HOLD_S = 0.4
_FLICKER_MEMORY_S = 10.0
_LEARNING_S = 3.0
"""A new colour gets the longest hold until its flicker is known."""
_SAME_PHASE_S = 5.0
"""A colour that was dark or hidden for no longer began when it did before: LEDs and shutter beat for seconds,
and no light gets through its other colours so fast."""
_BACKWARDS_S = 1.0
_LIT = frozenset({LampColor.RED, LampColor.YELLOW, LampColor.GREEN})


class SignalReader:
    """Reads all lamps of one camera."""

    def __init__(self, lamps: Sequence[Lamp]) -> None:
        self._lamps = tuple(lamps)
        self._memories = {lamp.id: _LampMemory(lamp.id) for lamp in lamps}

    def reset(self) -> None:
        """Forget what was seen: every lamp is unknown until it has been looked at again."""
        self._memories = {lamp.id: _LampMemory(lamp.id) for lamp in self._lamps}

    def update(self, picture: Picture, time_s: float) -> Mapping[str, SignalState]:
        """The state of every lamp, by its id, as of this picture."""
        return {
            lamp.id: self._memories[lamp.id].update(
                read_lamp(picture, lamp.layout, _head(picture, lamp)), time_s
            )
            for lamp in self._lamps
        }


class _LampMemory:
    """Temporal smoothing of one lamp. Its unit is capture time; frames may come at any rate."""

    def __init__(self, lamp_id: str) -> None:
        self._lamp_id = lamp_id
        self._last_s: float | None = None
        self._begin(0.0)

    def _begin(self, time_s: float) -> None:
        """Know nothing, since `time_s`."""
        self._color = LampColor.UNKNOWN
        self._since_s = time_s
        self._seen_s = time_s
        """When `_lit` was last seen."""
        self._lit: tuple[LampColor, float] | None = None
        """The last lit colour, and since when."""
        self._gaps: deque[tuple[float, float]] = deque()
        """(moment, seconds since the sighting before) of `_color`: how it flickers."""
        self._confidences: deque[float] = deque(maxlen=8)
        self._challenger: LampColor | None = None
        self._challenged_s = time_s
        self._dark_since_s: float | None = None

    def update(self, reading: LampReading, time_s: float) -> SignalState:
        """Take one reading and return the state after it.

        A colour that contradicts the one before makes the lamp unknown until one of them is confirmed.
        """
        if self._last_s is None or time_s < self._last_s - _BACKWARDS_S:
            self._begin(time_s)
        else:
            time_s = max(time_s, self._last_s)
        self._last_s = time_s
        if self._challenger is not None and time_s - self._challenged_s > _LONGEST_HOLD_S:
            self._challenger = None
        if reading.color in _LIT:
            self._dark_since_s = None
            self._take(reading, time_s)
        else:
            self._fade(reading.color, time_s)
        if self._challenger is not None:
            return SignalState(self._lamp_id, LampColor.UNKNOWN, self._challenged_s, 0.0)
        confidence = sum(self._confidences) / len(self._confidences) if self._confidences else 0.0
        return SignalState(self._lamp_id, self._color, self._since_s, on_grid(confidence))

    def _take(self, reading: LampReading, time_s: float) -> None:
        """A lit reading: it supports the present colour, or challenges it."""
        if reading.color is self._color:
            self._gaps.append((time_s, time_s - self._seen_s))
            while self._gaps[0][0] < time_s - _FLICKER_MEMORY_S:
                self._gaps.popleft()
            self._challenger = None
        elif reading.color is not self._challenger:
            self._challenger, self._challenged_s = reading.color, time_s
            return
        elif time_s - self._challenged_s >= _CONFIRM_S:
            self._change(reading.color, self._challenged_s)
        else:
            return
        self._seen_s = time_s
        self._confidences.append(reading.confidence)

    def _fade(self, color: LampColor, time_s: float) -> None:
        """Nothing lit is seen: a lit lamp is held for a while, then it is off, or hidden."""
        if color is LampColor.UNKNOWN:
            self._dark_since_s = None
        elif self._dark_since_s is None:
            self._dark_since_s = time_s
        if self._color in _LIT and time_s - self._seen_s <= self._hold_s(time_s):
            return
        if self._dark_since_s is None:
            if self._color is not LampColor.UNKNOWN:
                self._change(LampColor.UNKNOWN, time_s)
        elif self._color in _LIT or (
            self._color is LampColor.UNKNOWN and time_s - self._dark_since_s >= _LONGEST_HOLD_S
        ):
            self._change(LampColor.OFF, self._dark_since_s)
            self._confidences.append(1.0)

    def _hold_s(self, time_s: float) -> float:
        """How long darkness may be flicker: twice the longest that this lamp has lately been dark."""
        if time_s - self._since_s < _LEARNING_S:
            return _LONGEST_HOLD_S
        longest_s = max((gap_s for _, gap_s in self._gaps), default=0.0)
        return min(_LONGEST_HOLD_S, max(_SHORTEST_HOLD_S, 2 * longest_s))

    def _change(self, color: LampColor, since_s: float) -> None:
        self._challenger = None
        self._gaps.clear()
        self._confidences.clear()
        if color in _LIT:
            dark_s = since_s - self._seen_s
            if self._lit is not None and self._lit[0] is color and dark_s <= _SAME_PHASE_S:
                self._gaps.append((since_s, dark_s))
                since_s = self._lit[1]
            self._lit = color, since_s
        self._color, self._since_s = color, since_s


def _head(picture: Picture, lamp: Lamp) -> tuple[slice, slice]:
    """Rows and columns of the lamp's box; none where it lies outside the picture."""
    height, width = picture.shape[:2]
    left, top, right, bottom = lamp.box
    rows = slice(max(0, round(top * height)), min(height, round(bottom * height)))
    columns = slice(max(0, round(left * width)), min(width, round(right * width)))
    return rows, columns

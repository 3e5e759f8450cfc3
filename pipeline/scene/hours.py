"""Spans of the week: when something drawn in a scene is in force."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, model_validator

from pipeline.scene.drawn import Drawn

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
DAY_MINUTES = 24 * 60

_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


def _minutes(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 < value < 60:
            raise ValueError(f'must be a time of day: write "{value:02}:00" for {value} o\'clock')
        minutes = value  # what YAML makes of 22:00 without quotes: 60 times 22; of 1:00 the least, 60
    elif isinstance(value, str) and (match := _CLOCK.fullmatch(value.strip())):
        minutes = int(match[1]) * 60 + int(match[2])
    else:
        raise ValueError('must be a time of day such as "06:30"')
    if not 0 <= minutes <= DAY_MINUTES:
        raise ValueError('must be a time of day from "00:00" to "24:00"')
    return minutes


Clock = Annotated[int, BeforeValidator(_minutes, json_schema_input_type=str | int)]
"""Minutes since midnight, written as "HH:MM"."""


class HoursSettings(Drawn):
    """A span of the day, on some days of the week."""

    days: tuple[Day, ...] = DAYS
    """On which days it begins; left out: every day."""
    start: Clock = 0
    """From this time of day on, "HH:MM"."""
    end: Clock = DAY_MINUTES
    """Until this time of day; earlier than `start`: until then on the following day."""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same: leave both out for the whole day")
        return self

    def hold(self, local: datetime) -> bool:
        """Whether a moment, told in the scene's time zone, is in the span."""
        minute = local.hour * 60 + local.minute
        today, yesterday = DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)


def in_force(hours: Iterable[HoursSettings], time_s: float, time_zone: str) -> bool:
    """Whether a moment (UTC epoch seconds) is within any of the spans; always, where there are none."""
    spans = tuple(hours)
    local = datetime.fromtimestamp(time_s, ZoneInfo(time_zone))
    return not spans or any(span.hold(local) for span in spans)


def known_time_zone(name: str) -> str:
    """The name itself. Raises ValueError for one that this machine does not know."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"there is no time zone {name!r} on this machine: give an IANA name such as Asia/Ho_Chi_Minh"
        ) from error
    return name

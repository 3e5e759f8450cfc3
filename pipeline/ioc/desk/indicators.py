"""Indicators of transport and public order per area and period; docs/indicators.md defines each."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Select, func, select, union_all

from pipeline.ioc.config import AreaTree
from pipeline.ioc.config.areas import within
from pipeline.ioc.desk.desk import NotFoundError
from pipeline.ioc.desk.display import SECURITY, shown_areas
from pipeline.ioc.people import Person
from pipeline.ioc.store import Database, clock
from pipeline.ioc.store.counters import BLOCK_MS, DAY_MS, HOUR_MS, ROAD_USERS, VEHICLES, VIETNAM_MS, block_of
from pipeline.ioc.store.models import (
    BlockCount,
    CameraState,
    DayCount,
    ReviewBlock,
    ReviewDay,
    ReviewTime,
    ReviewTimeBlock,
    TrafficBlock,
    TrafficDay,
)

LONGEST_DAYS = 400
_SUMS = ("observed_ms", *ROAD_USERS, "speed_sum", "speed_weight", "level_ms", "congested_ms")
UNITS = {
    "violations": ("transport", "acts"),
    "violations_by_kind": ("transport", "acts"),
    "violations_incomplete": ("transport", "acts"),
    "confirmed": ("transport", "cases"),
    "rejected": ("transport", "cases"),
    "confirmation_rate": ("transport", "share"),
    "confirmation_rate_by_kind": ("transport", "share"),
    "median_review_minutes": ("transport", "min"),
    "vehicles": ("transport", "vehicles"),
    "vehicles_by_class": ("transport", "vehicles"),
    "vehicles_per_camera_hour": ("transport", "vehicles/h"),
    "mean_speed_kmh": ("transport", "km/h"),
    "congestion_hours": ("transport", "h"),
    "congestion_share": ("transport", "share"),
    "security_incidents": ("public_order", "incidents"),
    "security_by_kind": ("public_order", "incidents"),
    "cameras": ("operation", "cameras"),
    "observed_hours": ("operation", "h"),
    "camera_uptime": ("operation", "share"),
}
"""Indicator to sector and unit."""


class Indicators:
    """Threads may share it."""

    def __init__(self, database: Database, areas: AreaTree) -> None:
        self._database = database
        self._areas = areas

    def of(self, person: Person, area: str, first: date, last: date) -> dict[str, Any]:
        """Of an area ("" for all that the person has) and of each area right below it, first to last day.

        Raises NotFoundError for an area that the person may not see, ValueError for a period that is none.
        """
        if not first <= last <= first + timedelta(days=LONGEST_DAYS):
            raise ValueError(f"`from` must not be after `to`, nor more than {LONGEST_DAYS} days before it")
        seen = [path for path in self._areas.names if within(path, person.areas)]
        if area and area not in seen:
            raise NotFoundError(area[:128])
        scope = [path for path in seen if within(path, [area])] if area else seen
        from_ms, to_ms = _begin_of(first), _begin_of(last) + DAY_MS
        facts = self._facts(scope, from_ms, to_ms)
        shown = shown_areas(scope)
        return {
            "from": first.isoformat(),
            "to": last.isoformat(),
            "time_zone": "+07:00",
            "made_at": datetime.fromtimestamp(clock.now_ms() // 1000, UTC).isoformat(),
            "areas": [
                {"area": path, "name": self._areas.names[path], "indicators": _tell(facts, path)}
                for path in shown
            ],
        }

    def _facts(self, scope: list[str], from_ms: int, to_ms: int) -> dict[str, _Facts]:
        facts: dict[str, _Facts] = defaultdict(_Facts)
        until_ms = min(to_ms, clock.now_ms())
        with self._database.read() as session:
            cameras = session.execute(
                select(CameraState.id, CameraState.area, CameraState.first_ms).where(
                    CameraState.area.in_(scope)
                )
            ).all()
            area_of = {camera: area for camera, area, _ in cameras}
            for _, area, first_ms in cameras:
                if first_ms < until_ms:
                    facts[area].cameras += 1
                    # None of a period that is yet to come.
                    facts[area].expected_ms += max(0, until_ms - max(from_ms, first_ms))

            def summed(days: Any, blocks: Any, keys: Sequence[str], *sums: str) -> Iterable[Any]:
                return session.execute(_summed(days, blocks, keys, sums or ("count",), from_ms, to_ms))

            counts = summed(DayCount, BlockCount, ("camera", "rule", "type"))
            for camera, rule, kind, count in counts:
                if camera in area_of:
                    facts[area_of[camera]].acts[rule, kind] += int(count)
            reviews = summed(ReviewDay, ReviewBlock, ("camera", "rule", "state"))
            for camera, rule, state, count in reviews:
                if camera in area_of:
                    facts[area_of[camera]].reviews[rule, state] += int(count)
            for area, minutes, count in summed(ReviewTime, ReviewTimeBlock, ("area", "minutes")):
                if area in scope:
                    facts[area].waited[minutes] += int(count)
            for camera, *values in summed(TrafficDay, TrafficBlock, ("camera",), *_SUMS):
                if camera in area_of:
                    for name, value in zip(_SUMS, values, strict=True):
                        facts[area_of[camera]].traffic[name] += float(value)
        return facts


def _summed(
    days: Any, blocks: Any, keys: Sequence[str], sums: Sequence[str], from_ms: int, to_ms: int
) -> Select[Any]:
    """Keys and sums over whole days: of blocks that lie within, and of the days around."""
    inner_ms, outer_ms = block_of(from_ms + BLOCK_MS - 1), block_of(to_ms)
    parts = []
    for table, span, begin, end in (
        (days, days.day_ms, from_ms, min(inner_ms, to_ms)),
        (blocks, blocks.block_ms, inner_ms, outer_ms),
        (days, days.day_ms, max(outer_ms, inner_ms), to_ms),
    ):
        if begin < end:
            columns = (getattr(table, name) for name in (*keys, *sums))
            parts.append(select(*columns).where(span >= begin, span < end))
    all_ = union_all(*parts).subquery().c
    by = [all_[name] for name in keys]
    return select(*by, *(func.sum(all_[name]) for name in sums)).group_by(*by)


class _Facts:
    """Of one area, without those below."""

    def __init__(self) -> None:
        self.cameras = 0
        self.expected_ms = 0
        self.acts: Counter[tuple[str, str]] = Counter()
        self.reviews: Counter[tuple[str, str]] = Counter()
        self.waited: Counter[int] = Counter()
        self.traffic: dict[str, float] = defaultdict(float)

    def add(self, other: _Facts) -> None:
        self.cameras += other.cameras
        self.expected_ms += other.expected_ms
        self.acts.update(other.acts)
        self.reviews.update(other.reviews)
        self.waited.update(other.waited)
        for name, value in other.traffic.items():
            self.traffic[name] += value


def _tell(facts: Mapping[str, _Facts], path: str) -> dict[str, Any]:
    """The indicators of an area with all below it."""
    all_ = _Facts()
    for area, here in facts.items():
        if within(area, [path]):
            all_.add(here)
    violations: Counter[str] = Counter()
    security: Counter[str] = Counter()
    for (rule, kind), count in all_.acts.items():
        (security if kind == SECURITY else violations)[rule] += count
    confirmed = _by_rule(all_.reviews, "confirmed")
    rejected = _by_rule(all_.reviews, "rejected")
    traffic = all_.traffic
    vehicles = sum(round(traffic[kind]) for kind in VEHICLES)
    observed_hours = traffic["observed_ms"] / HOUR_MS
    return {
        "violations": violations.total(),
        "violations_by_kind": dict(sorted(violations.items())),
        "violations_incomplete": sum(
            n for (_, kind), n in all_.acts.items() if kind == "violation.incomplete"
        ),
        "confirmed": confirmed.total(),
        "rejected": rejected.total(),
        "confirmation_rate": _share(confirmed.total(), confirmed.total() + rejected.total()),
        "confirmation_rate_by_kind": {
            rule: _share(confirmed[rule], confirmed[rule] + rejected[rule])
            for rule in sorted(confirmed.keys() | rejected.keys())
        },
        "median_review_minutes": _lower_median(all_.waited),
        "vehicles": vehicles,
        "vehicles_by_class": {kind: round(traffic[kind]) for kind in VEHICLES},
        "vehicles_per_camera_hour": round(vehicles / observed_hours, 1) if observed_hours else None,
        "mean_speed_kmh": round(traffic["speed_sum"] / traffic["speed_weight"], 1)
        if traffic["speed_weight"]
        else None,
        "congestion_hours": round(traffic["congested_ms"] / HOUR_MS, 3),
        "congestion_share": _share(traffic["congested_ms"], traffic["level_ms"]),
        "security_incidents": security.total(),
        "security_by_kind": dict(sorted(security.items())),
        "cameras": all_.cameras,
        "observed_hours": round(observed_hours, 3),
        "camera_uptime": _share(min(traffic["observed_ms"], all_.expected_ms), all_.expected_ms),
    }


def as_csv(found: Mapping[str, Any]) -> str:
    """One line for each area, indicator and kind."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(("from", "to", "area", "name", "sector", "indicator", "kind", "value", "unit"))
    for area in found["areas"]:
        for indicator, value in area["indicators"].items():
            sector, unit = UNITS[indicator]
            split: Iterable[tuple[str, Any]] = value.items() if isinstance(value, dict) else [("", value)]
            for kind, number in split:
                shown = "" if number is None else number
                lines.writerow(
                    (
                        found["from"],
                        found["to"],
                        area["area"],
                        area["name"],
                        sector,
                        indicator,
                        kind,
                        shown,
                        unit,
                    )
                )
    return out.getvalue()


def _by_rule(reviews: Mapping[tuple[str, str], int], wanted: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for (rule, state), count in reviews.items():
        if state == wanted:
            found[rule] += count
    return found


def _lower_median(waited: Mapping[int, int]) -> int | None:
    """The least value that half of all do not exceed; as is of counts in steps what it is of each."""
    half, seen = sum(waited.values()) / 2, 0
    for minutes in sorted(waited):
        seen += waited[minutes]
        if seen >= half:
            return minutes
    return None


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _begin_of(day: date) -> int:
    zone = timezone(timedelta(milliseconds=VIETNAM_MS))
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)

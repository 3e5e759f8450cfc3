"""Counters that are kept as events and decisions come, so that no page ever counts cases.

Each is written in the transaction of what it counts. Rows are written in the order of their keys, so that
services that share a database never wait for each other in a circle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pipeline.ioc.store.act import FlowReport
from pipeline.ioc.store.database import Database
from pipeline.ioc.store.models import (
    BlockCount,
    Case,
    DayCount,
    HourCount,
    ReviewBlock,
    ReviewDay,
    ReviewTime,
    ReviewTimeBlock,
    TrafficBlock,
    TrafficDay,
    TrafficHour,
)

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
BLOCK_MS = 16 * DAY_MS
VIETNAM_MS = 7 * HOUR_MS
"""Ahead of UTC; there is no summer time."""
VEHICLES = ("bicycle", "motorbike", "car", "bus", "truck")
ROAD_USERS = ("person", *VEHICLES)
CONGESTED = ("E", "F")


def hour_of(at_ms: int) -> int:
    """Beginning of the hour."""
    return at_ms // HOUR_MS * HOUR_MS


def day_of(at_ms: int) -> int:
    """Beginning of the day, by Vietnam's time."""
    return (at_ms + VIETNAM_MS) // DAY_MS * DAY_MS - VIETNAM_MS


def block_of(at_ms: int) -> int:
    """Beginning of the block of 16 days, which are whole days of Vietnam's time."""
    return (at_ms + VIETNAM_MS) // BLOCK_MS * BLOCK_MS - VIETNAM_MS


def waited_minutes(from_ms: int, to_ms: int) -> int:
    """How long something took, as it is kept: whole minutes, tens of them from 2 h, hours from a day on."""
    minutes = max(0, to_ms - from_ms) // MINUTE_MS
    step = 1 if minutes < 120 else 10 if minutes < 1440 else 60
    return minutes // step * step


def count_acts(
    database: Database, session: Session, acts: Iterable[tuple[int, str, str, str]], by: int
) -> None:
    """Acts as (epoch ms, rule, camera, type), each counted `by` (1 or -1)."""
    hours: Counter[tuple[int, str, str, str]] = Counter()
    days: Counter[tuple[int, str, str, str]] = Counter()
    blocks: Counter[tuple[int, str, str, str]] = Counter()
    for at_ms, *key in acts:
        hours[hour_of(at_ms), *key] += by  # type: ignore[index]
        days[day_of(at_ms), *key] += by  # type: ignore[index]
        blocks[block_of(at_ms), *key] += by  # type: ignore[index]
    _add(database, session, HourCount, ("hour_ms", "rule", "camera", "type"), hours)
    _add(database, session, DayCount, ("day_ms", "rule", "camera", "type"), days)
    _add(database, session, BlockCount, ("block_ms", "rule", "camera", "type"), blocks)


def count_review(database: Database, session: Session, case: Case, at_ms: int) -> None:
    """A final decision on a case, which is `case.state` now."""
    day = day_of(at_ms)
    reviews = Counter({(day, case.rule, case.camera, case.state): 1})
    _add(database, session, ReviewDay, ("day_ms", "rule", "camera", "state"), reviews)
    reviews = Counter({(block_of(at_ms), case.rule, case.camera, case.state): 1})
    _add(database, session, ReviewBlock, ("block_ms", "rule", "camera", "state"), reviews)
    minutes = waited_minutes(case.received_ms, at_ms)
    _add(
        database, session, ReviewTime, ("day_ms", "area", "minutes"), Counter({(day, case.area, minutes): 1})
    )
    waited = Counter({(block_of(at_ms), case.area, minutes): 1})
    _add(database, session, ReviewTimeBlock, ("block_ms", "area", "minutes"), waited)


def count_flow(database: Database, session: Session, reports: Iterable[FlowReport]) -> None:
    """Spans of traffic; each belongs to the hour, the day and the block in which it begins."""
    hours: dict[tuple[int, str], dict[str, Any]] = {}
    days: dict[tuple[int, str], dict[str, Any]] = {}
    blocks: dict[tuple[int, str], dict[str, Any]] = {}
    for report in reports:
        start_ms, new = round(report.start.timestamp() * 1000), _traffic(report)
        spans = ((hours, hour_of(start_ms)), (days, day_of(start_ms)), (blocks, block_of(start_ms)))
        for sums, at in spans:
            row = sums.get(key := (at, report.camera.id))
            sums[key] = new if row is None else {name: row[name] + value for name, value in new.items()}
    _add_traffic(database, session, TrafficHour, "hour_ms", hours)
    _add_traffic(database, session, TrafficDay, "day_ms", days)
    _add_traffic(database, session, TrafficBlock, "block_ms", blocks)


def _add_traffic(
    database: Database,
    session: Session,
    table: type[TrafficHour | TrafficDay | TrafficBlock],
    span: str,
    found: dict[tuple[int, str], dict[str, Any]],
) -> None:
    if found:
        statement = database.insert(table)
        rows = [{span: at, "camera": camera, **found[at, camera]} for at, camera in sorted(found)]
        sums = {name: getattr(table, name) + statement.excluded[name] for name in next(iter(found.values()))}
        session.execute(statement.on_conflict_do_update(index_elements=[span, "camera"], set_=sums), rows)


def _traffic(report: FlowReport) -> dict[str, Any]:
    observed_ms = round(report.observed_s * 1000)
    speed_sum = speed_weight = 0.0
    for lane in report.lanes:
        if lane.mean_speed_kmh is not None:
            weight = max(1, sum(count.count for count in report.counts if count.lane == lane.lane))
            speed_sum += lane.mean_speed_kmh * weight
            speed_weight += weight
    levels = [lane.level_of_service for lane in report.lanes if lane.level_of_service is not None]
    congested = bool(levels) and 2 * sum(level in CONGESTED for level in levels) >= len(levels)
    return {
        "observed_ms": observed_ms,
        **{kind: report.counted.get(kind, 0) for kind in ROAD_USERS},
        "speed_sum": speed_sum,
        "speed_weight": speed_weight,
        "level_ms": observed_ms if levels else 0,
        "congested_ms": observed_ms if congested else 0,
    }


def _add(
    database: Database, session: Session, table: Any, names: Sequence[str], counts: Counter[Any]
) -> None:
    rows = [dict(zip((*names, "count"), (*key, count), strict=True)) for key, count in sorted(counts.items())]
    if rows:
        statement = database.insert(table)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=list(names), set_={"count": table.count + statement.excluded.count}
            ),
            rows,
        )

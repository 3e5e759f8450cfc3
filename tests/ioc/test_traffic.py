"""Traffic as it comes in: parts of a minute add up, and one odd speed does not cost a minute's counts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from pipeline.events.build import build_flow
from pipeline.events.event import Event
from pipeline.ioc.ingest.parse import BadEventError, Parsed, from_outbox
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.ioc.store import Database
from pipeline.ioc.store.act import FlowReport
from pipeline.ioc.store.models import Flow, TrafficBlock, TrafficDay, TrafficHour
from pipeline.types import FlowCount, LaneState, RoadUserKind
from tests.events import examples
from tests.ioc.acts import AREAS, parsed

START_S = 1_700_000_040.0


def part(start_s: float, end_s: float, cars: int, kmh: float, level: Any) -> Event:
    counts = [FlowCount("cam-1", start_s, end_s, "north", RoadUserKind.CAR, cars)]
    return build_flow(
        counts,
        examples.camera("cam-1"),
        examples.ORIGIN,
        start_s=start_s,
        end_s=end_s,
        observed_s=end_s - start_s,
        lanes=[LaneState(START_S, "north", kmh, 3.0, 0, None, level)],
    )


def test_two_parts_of_a_minute_add_up_to_it(database: Database) -> None:
    parts = [
        parsed(part(START_S, START_S + 20, 2, 40.0, "B")),
        parsed(part(START_S + 20.5, START_S + 60, 8, 10.0, "F")),
    ]
    writer = Writer(database, AREAS)
    writer.write(Batch([parts[0]]))
    writer.write(Batch(parts))
    with database.read() as session:
        assert sorted(session.scalars(select(Flow.vehicles))) == [2, 8]
        for table in (TrafficHour, TrafficDay, TrafficBlock):
            (row,) = session.scalars(select(table)).all()
            assert (row.car, row.observed_ms, row.level_ms, row.congested_ms) == (10, 59_500, 59_500, 39_500)
            assert row.speed_sum / row.speed_weight == pytest.approx((2 * 40 + 8 * 10) / 10)


def with_speed(speed: object) -> Parsed:
    event = part(START_S, START_S + 60, 5, 40.0, "B")
    lanes = [{**event.data["lanes"][0], "mean_speed_kmh": speed}]
    return from_outbox(replace(event, data={**event.data, "lanes": lanes}).to_json())


@pytest.mark.parametrize("speed", [-3.5, 400.5, 10**400])
def test_a_speed_that_cannot_be_is_none_and_the_counts_stay(speed: float) -> None:
    """Workers before told the net speed of a lane in which most came against it."""
    report = with_speed(speed).content
    assert isinstance(report, FlowReport)
    assert (report.lanes[0].mean_speed_kmh, report.lanes[0].level_of_service) == (None, None)
    assert report.vehicles == 5


def test_what_is_no_speed_at_all_is_still_no_event() -> None:
    for speed in ("fast", [1.0], {}):
        with pytest.raises(BadEventError, match="mean_speed_kmh"):
            with_speed(speed)
    with pytest.raises(BadEventError):
        from_outbox(
            json.dumps(
                {"id": "a", "type": "traffic.flow", "time_ms": 1_700_000_000_000, "data": {"lanes": [7]}}
            )
        )
    report = with_speed(40.0).content
    assert isinstance(report, FlowReport)
    assert (report.lanes[0].mean_speed_kmh, report.lanes[0].level_of_service) == (40.0, "B")

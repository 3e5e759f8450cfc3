from __future__ import annotations

import jsonschema
import pytest

from pipeline.events.build import build_flow, build_health
from pipeline.events.event import EventType
from pipeline.events.schema import json_schema
from pipeline.types import CameraHealth, LaneState
from tests.events.examples import ORIGIN, camera

LANE = LaneState(1_700_000_040.0, "north", 31.27, 12.0, 3, 17.96, "C")


def test_lanes_stand_beside_the_counts_with_occupancy_of_the_time_seen() -> None:
    event = build_flow(
        (),
        camera("cam"),
        ORIGIN,
        start_s=1_700_000_040.0,
        end_s=1_700_000_100.0,
        observed_s=48.0,
        lanes=(LANE,),
    )
    jsonschema.validate(event.data, json_schema(EventType.FLOW))
    assert event.data["lanes"] == [
        {
            "lane": "north",
            "mean_speed_kmh": 31.3,
            "occupancy": 0.25,
            "queue_vehicles": 3,
            "queue_m": 18.0,
            "level_of_service": "C",
        }
    ]


@pytest.mark.parametrize(("observed_s", "occupancy"), [(0.0, None), (6.0, 1.0)])
def test_occupancy_is_a_share_or_unknown(observed_s: float, occupancy: float | None) -> None:
    event = build_flow(
        (), camera("cam"), ORIGIN, start_s=0.0, end_s=60.0, observed_s=observed_s, lanes=(LANE,)
    )
    assert event.data["lanes"][0]["occupancy"] == occupancy


def test_health_tells_whether_the_picture_fits() -> None:
    health = CameraHealth("cam", "up", 1_700_000_000.0)
    for fits in (None, True, False):
        event = build_health(health, camera("cam"), ORIGIN, notices=("moved",), fits_scene=fits)
        jsonschema.validate(event.data, json_schema(EventType.HEALTH))
        assert event.data["fits_scene"] is fits

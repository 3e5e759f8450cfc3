from __future__ import annotations

from dataclasses import replace

import jsonschema
import pytest

from pipeline.events.build import build_flow, build_health
from pipeline.events.errors import EventsError
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


def test_a_speed_below_nothing_is_no_event() -> None:
    with pytest.raises(EventsError, match=r"lanes|mean_speed_kmh"):
        build_flow(
            (), camera("cam"), ORIGIN, start_s=0.0, end_s=60.0, observed_s=60.0,
            lanes=(replace(LANE, mean_speed_kmh=-3.5),),
        )  # fmt: skip


def test_parts_of_a_minute_have_ids_of_their_own_and_the_same_whenever_told() -> None:
    spans = [(0.0, 20.5), (20.7, 60.0), (0.0, 60.0), (0.0, 20.5)]
    ids = [
        build_flow((), camera("cam"), ORIGIN, start_s=start, end_s=end, observed_s=1.0).id
        for start, end in spans
    ]
    assert len(set(ids)) == 3
    assert ids[0] == ids[3]


def test_health_tells_whether_the_picture_fits() -> None:
    health = CameraHealth("cam", "up", 1_700_000_000.0)
    for fits in (None, True, False):
        event = build_health(
            health, camera("cam"), ORIGIN, told_s=health.since_s, notices=("moved",), fits_scene=fits
        )
        jsonschema.validate(event.data, json_schema(EventType.HEALTH))
        assert event.data["fits_scene"] is fits


def test_what_is_told_again_within_a_state_is_another_event() -> None:
    health = CameraHealth("cam", "up", 1_700_000_000.0)
    ahead = replace(health, reason="the camera's clock is 5.3 s ahead of this host's")
    told = [
        build_health(each, camera("cam"), ORIGIN, told_s=1_700_000_000.0 + at_s, notices=notices)
        for each, at_s, notices in (
            (health, 0, ()), (ahead, 60, ()), (health, 90, ()), (health, 90, ("full",)), (health, 99, ()),
        )
    ]  # fmt: skip
    assert len({event.id for event in told}) == 5
    assert {event.data["since"] for event in told} == {"2023-11-14T22:13:20.000Z"}
    assert told[1].time > told[0].time
    again = build_health(health, camera("cam"), ORIGIN, told_s=1_700_000_090.0)
    assert again.id == told[2].id, "the same telling, made twice, must be dropped as a repeat"

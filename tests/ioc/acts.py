"""Events as the IOC gets them, made by the worker's own code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.events.event import Event, to_kafka
from pipeline.ioc.config import AreaSettings, AreaTree
from pipeline.ioc.ingest.parse import Parsed, from_outbox
from tests.events import examples

AREAS = AreaTree(
    AreaSettings(
        id="tayninh",
        name="Tây Ninh",
        areas=(
            AreaSettings(id="hoathanh", name="Hòa Thành", cameras=("cam-1",)),
            AreaSettings(id="hoathanh2", name="Not below Hòa Thành", cameras=("cam-3",)),
            AreaSettings(id="trangbang", name="Trảng Bàng", cameras=("cam-2",)),
        ),
    )
)


def parsed(event: Event) -> Parsed:
    return from_outbox(event.to_json())


def candidates(count: int, camera: str = "cam-1") -> list[Parsed]:
    """Acts a second apart, oldest first."""
    return [parsed(examples.candidate(camera, track, examples.START_S + track)) for track in range(count)]


def with_data(event: Event, **fields: Any) -> Event:
    return replace(event, data={**event.data, **fields})


def kafka_record(event: Event) -> tuple[dict[str, bytes], bytes]:
    message = to_kafka(event)
    return dict(message.headers), bytes(message.value)

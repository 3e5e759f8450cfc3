"""Confirmed violations and traffic in the words of FIWARE's data models (NGSI-LD), without any plate.

Attributes are those of smart-data-models/dataModel.Transportation: TrafficViolation and TrafficFlowObserved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from pipeline.ioc.config import AreaTree
from pipeline.ioc.config.areas import within
from pipeline.ioc.config.display import Position
from pipeline.ioc.desk.queue import CaseRow
from pipeline.ioc.people import Person
from pipeline.ioc.store import Database, clock
from pipeline.ioc.store.counters import HOUR_MS, VEHICLES, hour_of
from pipeline.ioc.store.models import CameraState, TrafficHour

MEDIA_TYPE = "application/ld+json"
CONTEXT = [
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
    "https://raw.githubusercontent.com/smart-data-models/dataModel.Transportation/master/context.jsonld",
]


class Exchange:
    """Threads may share it."""

    def __init__(self, database: Database, areas: AreaTree, positions: Mapping[str, Position]) -> None:
        self._database = database
        self._areas = areas
        self._positions = positions

    def violations(self, rows: Iterable[CaseRow]) -> list[dict[str, Any]]:
        """TrafficViolation for each of some confirmed cases."""
        return [
            _entity(
                "TrafficViolation",
                row.id,
                self._positions.get(row.camera),
                titleCode=row.rule,
                reportId=row.id,
                equipmentId=row.camera,
                equipmentType="camera",
                observationDateTime=_moment(row.at_ms),
                areaServed=self._areas.names.get(row.area, row.area),
            )
            for row in rows
        ]

    def flow(self, person: Person) -> list[dict[str, Any]]:
        """TrafficFlowObserved for each camera of the person's areas: the last full hour."""
        hour = hour_of(clock.now_ms()) - HOUR_MS
        with self._database.read() as session:
            found = session.execute(
                select(TrafficHour, CameraState)
                .join(CameraState, CameraState.id == TrafficHour.camera)
                .where(TrafficHour.hour_ms == hour)
                .order_by(CameraState.id)
            ).all()
        return [
            _entity(
                "TrafficFlowObserved",
                camera.id,
                self._positions.get(camera.id),
                name=camera.name,
                areaServed=self._areas.names.get(camera.area, camera.area),
                dateObservedFrom=_moment(hour),
                dateObservedTo=_moment(hour + HOUR_MS),
                intensity=sum(getattr(row, kind) for kind in VEHICLES),
                averageVehicleSpeed=round(row.speed_sum / row.speed_weight, 1) if row.speed_weight else None,
                congested=2 * row.congested_ms >= row.level_ms if row.level_ms else None,
            )
            for row, camera in found
            if within(camera.area, person.areas)
        ]


def _entity(kind: str, key: str, position: Position | None, **values: Any) -> dict[str, Any]:
    entity: dict[str, Any] = {"id": f"urn:ngsi-ld:{kind}:{key}", "type": kind}
    entity |= {
        name: {"type": "Property", "value": value} for name, value in values.items() if value is not None
    }
    if position is not None:
        point = {"type": "Point", "coordinates": [position[1], position[0]]}
        entity["location"] = {"type": "GeoProperty", "value": point}
    return {**entity, "@context": CONTEXT}


def _moment(at_ms: int) -> dict[str, str]:
    text = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {"@type": "DateTime", "@value": text.replace("+00:00", "Z")}

"""The envelope: what every event carries whatever it tells of, its deterministic id, and CloudEvents 1.0."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

NAMESPACE = UUID("6f0d6d0e-3a55-5d0f-9f3b-6a1f2c8f7c11")
"""Root of all event ids (UUID version 5). Never changes: a repeat is recognised by its id."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EventType(StrEnum):
    """What an event tells of."""

    VIOLATION = "violation.candidate"
    """Whole: an officer can decide on it."""
    INCOMPLETE = "violation.incomplete"
    """An act of which something is missing, such as a legible plate."""
    SECURITY = "security.incident"
    HEALTH = "camera.health"
    FLOW = "traffic.flow"


@dataclass(frozen=True, slots=True)
class Event:
    """One event, ready for the outbox. `data` is JSON-able and fits the schema of `type`."""

    id: str
    type: EventType
    source: str
    """/workers/WORKER/cameras/CAMERA."""
    subject: str
    time: datetime
    """The moment that the event tells of: UTC, whole milliseconds."""
    key: str
    """Camera id: events of one camera keep their order within a topic."""
    data: Mapping[str, Any]

    @property
    def is_shadow(self) -> bool:
        """Whether it tells of a rule on trial: kept, never sent."""
        return self.data.get("shadow") is True

    def to_json(self) -> str:
        """The event as the outbox keeps it; `from_json` reads it back."""
        content = {
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time_ms": milliseconds(self.time.timestamp()),
            "key": self.key,
            "data": self.data,
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Event:
        """Read what `to_json` wrote, bytes in UTF-8. Raises ValueError for anything else."""
        try:
            content = json.loads(text)
            return cls(
                id=content["id"],
                type=EventType(content["type"]),
                source=content["source"],
                subject=content["subject"],
                time=moment(content["time_ms"] / 1000),
                key=content["key"],
                data=content["data"],
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not an event: {error!r}") from error


def event_id(*parts: object) -> str:
    """The same id for the same parts, on every worker and at every time (UUID version 5 of their JSON)."""
    return str(uuid5(NAMESPACE, json.dumps([str(part) for part in parts], ensure_ascii=False)))


def milliseconds(time_s: float) -> int:
    """Epoch seconds to whole epoch milliseconds, as ids and events count them."""
    return round(time_s * 1000)


def moment(time_s: float) -> datetime:
    """Epoch seconds to an aware datetime in UTC, rounded to the millisecond."""
    return EPOCH + timedelta(milliseconds=milliseconds(time_s))


def rfc3339(time: datetime) -> str:
    """UTC with milliseconds and a Z, as RFC 3339 writes it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


ACTS = (EventType.VIOLATION, EventType.INCOMPLETE, EventType.SECURITY)
"""What a rule saw, whole or not."""


def schema_id(event_type: EventType, version: int) -> str:
    """The `$id` of the type's JSON Schema: its events' `dataschema`."""
    return f"urn:ngatu:schema:{event_type}:v{version}"


def to_cloudevent(event: Event) -> CloudEvent:
    """CloudEvents 1.0, with `partitionkey` as the extension says."""
    attributes = {
        "id": event.id,
        "type": str(event.type),
        "source": event.source,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": "application/json",
        # Its own: an event of an earlier version may have waited in the outbox.
        "dataschema": schema_id(event.type, event.data["schema_version"]),
        "partitionkey": event.key,
    }
    return CloudEvent(attributes, dict(event.data))


def to_kafka(event: Event) -> kafka.KafkaMessage:
    """CloudEvents' Kafka binding, binary mode: attributes in headers, data alone as the value."""
    return kafka.to_binary(to_cloudevent(event), JSONFormat())


def to_structured_json(event: Event) -> str:
    """The whole CloudEvent as one line of JSON, for people and pipes."""
    return JSONFormat().write(to_cloudevent(event)).decode()

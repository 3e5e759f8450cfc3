"""The tables. Moments are epoch milliseconds in UTC: they sort and compare alike on every database.

What lists and counts need stands in narrow tables with indexes; whole events lie apart, read one at a time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Identity, Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = JSON().with_variant(JSONB(), "postgresql")
PlateText = String(20).with_variant(String(20, collation="C"), "postgresql")
"""Compared letter by letter whatever the database's language: the index then finds beginnings."""
Serial = BigInteger().with_variant(Integer(), "sqlite")

OPEN = text("state IN ('open', 'confirmed_once', 'second_look')")
"""States in which somebody still has to decide; the queue's index holds only these."""
REJECTED = text("state = 'rejected'")
"""Rarer than confirmed ones: found in an area without reading those."""
HAS_PLATE = text("plate <> ''")
KEPT = text("evidence_gone_ms = 0 AND state IN ('confirmed', 'rejected', 'incomplete')")
"""Evidence of which nobody has to decide any more: what retention looks through."""
WAITING = text("sent_ms = 0")


class Base(DeclarativeBase):
    """All tables of the IOC."""


class Case(Base):
    """An act that somebody decides on: what lists show, filter and sort by."""

    __tablename__ = "cases"
    __table_args__ = (
        Index("cases_by_time", "at_ms", "id"),
        Index("cases_queue", "at_ms", "id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("cases_queue_by_rule", "rule", "at_ms", "id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("cases_queue_by_state", "state", "at_ms", "id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("cases_queue_by_camera", "camera", "at_ms", "id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("cases_queue_by_type", "type", "at_ms", "id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index(
            "cases_rejected_by_area",
            "area",
            "at_ms",
            "id",
            sqlite_where=REJECTED,
            postgresql_where=REJECTED,
        ),
        Index("cases_by_rule", "rule", "at_ms", "id"),
        Index("cases_by_camera", "camera", "at_ms", "id"),
        Index("cases_by_area", "area", "at_ms", "id"),
        Index(
            "cases_by_plate",
            "plate",
            "at_ms",
            sqlite_where=text("plate <> ''"),
            postgresql_where=text("plate <> ''"),
        ),
        Index("cases_by_arrival", "received_ms"),
        Index("cases_kept", "at_ms", "id", sqlite_where=KEPT, postgresql_where=KEPT),
    )

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    type: Mapped[str] = mapped_column(String(40))
    rule: Mapped[str] = mapped_column(String(64))
    camera: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(200))
    area: Mapped[str] = mapped_column(String(200))
    worker: Mapped[str] = mapped_column(String(64))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    received_ms: Mapped[int] = mapped_column(BigInteger)
    road_user: Mapped[str] = mapped_column(String(20))
    plate: Mapped[str] = mapped_column(PlateText)
    """As read, or as an officer corrected it; "" when there is none."""
    confidence: Mapped[float]
    state: Mapped[str] = mapped_column(String(20))
    claimed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    claimed_until_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    evidence_gone_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """When its evidence expired; 0 while it is kept."""


class CaseEvent(Base):
    """The whole event of a case, as it came."""

    __tablename__ = "case_events"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(Json)


class Hold(Base):
    """A legal hold: the evidence of this case does not expire."""

    __tablename__ = "holds"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str] = mapped_column(String(500))


class Decision(Base):
    """What an officer decided, and when. Never changed."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index("decisions_by_case", "case_id", "at_ms"),
        Index("decisions_by_time", "at_ms"),
    )

    id: Mapped[int] = mapped_column(Serial, Identity(), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    decision: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(500))
    plate: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    """What the case became."""


class CameraState(Base):
    """The newest that is known of a camera."""

    __tablename__ = "cameras"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    place: Mapped[str] = mapped_column(String(200))
    area: Mapped[str] = mapped_column(String(200), index=True)
    state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(500))
    since_ms: Mapped[int] = mapped_column(BigInteger)
    first_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the first that came of it."""
    seen_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the newest event of any type, to a minute: one that says nothing any more is told by it."""


class Health(Base):
    """A change of a camera's state."""

    __tablename__ = "health"
    __table_args__ = (Index("health_by_camera", "camera", "at_ms"),)

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]] = mapped_column(Json)


class Flow(Base):
    """Road users counted over one span at one camera."""

    __tablename__ = "flow"
    __table_args__ = (Index("flow_by_camera", "camera", "start_ms"),)

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64))
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int] = mapped_column(BigInteger)
    observed_s: Mapped[float]
    vehicles: Mapped[int]
    data: Mapped[dict[str, Any]] = mapped_column(Json)


class HourCount(Base):
    """Cases per hour, rule and camera, kept by ingest: the dashboard never counts cases."""

    __tablename__ = "hour_counts"

    hour_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    rule: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    type: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class DayCount(Base):
    """The same per day of Vietnam's time: weeks and months read a twenty-fourth of the rows."""

    __tablename__ = "day_counts"

    day_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    rule: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    type: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class _Traffic:
    """What is summed of traffic at one camera."""

    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    observed_ms: Mapped[int] = mapped_column(BigInteger)
    """How long the camera was really seen."""
    person: Mapped[int] = mapped_column(BigInteger)
    bicycle: Mapped[int] = mapped_column(BigInteger)
    motorbike: Mapped[int] = mapped_column(BigInteger)
    car: Mapped[int] = mapped_column(BigInteger)
    bus: Mapped[int] = mapped_column(BigInteger)
    truck: Mapped[int] = mapped_column(BigInteger)
    speed_sum: Mapped[float]
    """Mean speed of each lane and minute in km/h, times its weight."""
    speed_weight: Mapped[float]
    """Vehicles of the lane in the minute, at least 1 each."""
    level_ms: Mapped[int] = mapped_column(BigInteger)
    """Observed while the level of service was known."""
    congested_ms: Mapped[int] = mapped_column(BigInteger)
    """Of it, while half the lanes or more stood at E or F."""


class BlockCount(Base):
    """The same per block of 16 days, for periods that hold whole ones."""

    __tablename__ = "block_counts"

    block_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    rule: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    type: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class TrafficHour(_Traffic, Base):
    """Traffic at one camera in one hour, summed over its minutes by ingest."""

    __tablename__ = "traffic_hours"

    hour_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, sort_order=-1)


class TrafficDay(_Traffic, Base):
    """The same per day of Vietnam's time."""

    __tablename__ = "traffic_days"

    day_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, sort_order=-1)


class TrafficBlock(_Traffic, Base):
    """The same per block of 16 days."""

    __tablename__ = "traffic_blocks"

    block_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, sort_order=-1)


class ReviewDay(Base):
    """Final decisions per day on which they were made, rule and camera."""

    __tablename__ = "review_days"

    day_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    rule: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(20), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class ReviewBlock(Base):
    """The same per block of 16 days."""

    __tablename__ = "review_blocks"

    block_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    rule: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(20), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class ReviewTime(Base):
    """How many final decisions of a day and area took how long: medians are read from it."""

    __tablename__ = "review_times"

    day_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    area: Mapped[str] = mapped_column(String(200), primary_key=True)
    """The camera's at the time of the decision."""
    minutes: Mapped[int] = mapped_column(Integer, primary_key=True)
    """From arrival to decision, cut to whole minutes below 2 h, to tens below a day, to hours above."""
    count: Mapped[int] = mapped_column(BigInteger)


class ReviewTimeBlock(Base):
    """The same per block of 16 days."""

    __tablename__ = "review_time_blocks"

    block_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    area: Mapped[str] = mapped_column(String(200), primary_key=True)
    minutes: Mapped[int] = mapped_column(Integer, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class DeadLetter(Base):
    """What came and is no event."""

    __tablename__ = "dead_letters"

    id: Mapped[int] = mapped_column(Serial, Identity(), primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    origin: Mapped[str] = mapped_column(String(300), unique=True)
    """Topic, partition and offset, or outbox and number, and a digest: a repeat is not kept twice."""
    reason: Mapped[str] = mapped_column(String(500))
    body: Mapped[str] = mapped_column(Text)
    form: Mapped[str] = mapped_column(String(10), default="", server_default="")
    """How to read it again: outbox or kafka; "" when it was cut or altered to be kept."""
    headers: Mapped[str] = mapped_column(Text, default="", server_default="")
    """Attributes that came beside the body, as JSON; "" where there were none."""


class Position(Base):
    """How far an outbox has been read."""

    __tablename__ = "positions"

    source: Mapped[str] = mapped_column(String(500), primary_key=True)
    last_id: Mapped[str] = mapped_column(String(200))
    seq: Mapped[int] = mapped_column(BigInteger)


class User(Base):
    """Somebody who may log in."""

    __tablename__ = "users"
    __table_args__ = (Index("users_by_subject", "subject", unique=True),)

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    shown_name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    areas: Mapped[list[str]] = mapped_column(Json)
    language: Mapped[str] = mapped_column(String(5), default="vi")
    dark: Mapped[bool] = mapped_column(default=False)
    disabled: Mapped[bool] = mapped_column(default=False)
    must_change: Mapped[bool] = mapped_column(default=False)
    failures: Mapped[int] = mapped_column(default=0)
    locked_until_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    subject: Mapped[str | None] = mapped_column(String(300))
    """Who it is at the OIDC provider, as hash of issuer and subject; None for local accounts."""


class Session(Base):
    """A login. Only the hash of its token is kept."""

    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int] = mapped_column(BigInteger)


class AuditEntry(Base):
    """Who did what, each entry chained to the one before by its hash."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("audit_by_actor", "actor", "seq"),
        Index("audit_by_subject", "subject", "seq"),
        Index("audit_by_time", "at_ms"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str] = mapped_column(Text)
    """Canonical JSON."""
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The chain's end: locked by whoever adds to it, and what a cut-off chain is told by."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))


class ReviewEvent(Base):
    """A decision on its way to the broker; written in the decision's own transaction."""

    __tablename__ = "review_events"
    __table_args__ = (
        Index(
            "review_events_waiting",
            "seq",
            sqlite_where=text("sent_ms = 0"),
            postgresql_where=text("sent_ms = 0"),
        ),
    )

    seq: Mapped[int] = mapped_column(Serial, Identity(), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    camera: Mapped[str] = mapped_column(String(64))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]] = mapped_column(Json)
    sent_ms: Mapped[int] = mapped_column(BigInteger, default=0)


class SceneVersion(Base):
    """A camera's scene file as somebody saved it, or as it was found on its worker. Never changed."""

    __tablename__ = "scene_versions"

    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """Counted from 1."""
    at_ms: Mapped[int] = mapped_column(BigInteger)
    author: Mapped[str] = mapped_column(String(64))
    """Empty: found on the worker, written there by hand."""
    note: Mapped[str] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))

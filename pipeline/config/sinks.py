"""Where things go: events to the outbox and Kafka, evidence and tracks to the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.base import Settings
from pipeline.config.secrets import Login


class OutboxSettings(Settings):
    """The durable queue on this box's disk."""

    max_megabytes: Annotated[float, Field(ge=1)] = 20_480.0
    """Outbox and evidence together; bounded as well by `max_disk_share`."""
    max_disk_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the file system that outbox and evidence may fill."""
    reserve_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Last part of the bound, kept for violations: traffic.flow is refused first."""

    def bound_bytes(self, disk_bytes: int) -> float:
        """Of outbox and evidence together, on a file system of so many bytes."""
        return min(self.max_megabytes * 1e6, self.max_disk_share * disk_bytes)


class KafkaSettings(Login):
    """The broker."""

    brokers: Annotated[tuple[str, ...], Field(min_length=1)]
    """host:port of one or more brokers."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    ca_file: Path | None = None
    violations_topic: str = "its.violations.v1"
    security_topic: str = "its.security.v1"
    flow_topic: str = "its.flow.v1"
    cameras_topic: str = "its.cameras.v1"

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        if self.security_protocol.startswith("SASL") and (
            self.sasl_mechanism is None
            or self.username is None
            or not (self.password_env or self.password_file)
        ):
            raise ValueError(
                f"{self.security_protocol} needs sasl_mechanism, username, and password_env or password_file"
            )
        return self


class TracksSettings(Settings):
    """What rules saw, stored so that `ngatu backtest` can run other rules over it. Holds no picture."""

    enabled: bool = False
    """Store the tracks of every camera, below data_dir in tracks/."""
    retention_days: Annotated[float, Field(gt=0, le=3650)] = 7.0
    """A day's file is removed when nothing has been added to it for this long."""
    max_megabytes: Annotated[float, Field(ge=1)] = 2048.0
    """All cameras together; the oldest days go first."""


class PlatesSettings(Settings):
    """Number plates of vehicles in acts."""

    enabled: bool = True
    """Read them: about a fifth of a second of one core for each vehicle, never more than one core. Without a
    plate every violation is violation.incomplete."""


class EvidenceSettings(Settings):
    """What is kept as proof."""

    before_s: Annotated[float, Field(ge=0.5, le=120)] = 4.0
    """The clip starts this long before the act's start."""
    after_s: Annotated[float, Field(ge=0.5, le=120)] = 3.0
    """The clip ends this long after the act's end."""
    wait_s: Annotated[float, Field(ge=1, le=120)] = 8.0
    """Patience beyond `after_s` for a camera that lags or is gone; then what is there must do."""
    retention_days: Annotated[float, Field(gt=0, le=365)] = 30.0
    """Bundles whose event the broker has acknowledged are removed after this long, or earlier, down to
    `least_days`, where the outbox's bound has no room for them; others never. At most a year: for as long the
    outbox knows that an event was sent."""
    least_days: Annotated[float, Field(ge=0, le=365)] = 7.0
    """No bundle goes before this, or before `retention_days` where that is less: the box rather refuses new
    acts. An acknowledged act still waits for its officer."""

    @model_validator(mode="after")
    def _least_is_no_more_than_all(self) -> Self:
        if "least_days" in self.model_fields_set and self.least_days > self.retention_days:
            raise ValueError(f"least_days ({self.least_days:g}) must be retention_days at most")
        return self

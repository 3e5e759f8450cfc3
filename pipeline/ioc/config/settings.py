"""The whole configuration of one IOC service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, field_validator, model_validator

from pipeline.config import KafkaSettings
from pipeline.config.base import Settings
from pipeline.config.secrets import Login
from pipeline.ioc.config.areas import AreaSettings, AreaTree, problems
from pipeline.ioc.config.display import CitizensSettings, ExchangeSettings, MapSettings
from pipeline.ioc.config.keeping import ExportSettings, NoticeSettings, RetentionSettings, S3Settings
from pipeline.ioc.config.oidc import OidcSettings
from pipeline.ioc.config.workers import WorkerAccess


class ServerSettings(Settings):
    """Where console and API are served. Put a TLS proxy before it; this speaks plain HTTP."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    secure_cookies: bool = True
    """Cookies go over HTTPS only (browsers count localhost as such); false for trials in a closed net."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """Addresses of the TLS proxy: whom a request comes from is taken from its X-Forwarded-For."""


class DatabaseSettings(Login):
    """SQLite in a file, or PostgreSQL 15 or later by URL."""

    path: Path = Path("data/ioc.sqlite")
    """The embedded database, where there is no `url`."""
    url: str | None = None
    """postgresql://host:port/name; user and password are given apart."""

    @field_validator("url")
    @classmethod
    def _is_postgresql_without_login(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme != "postgresql" or not parts.path.strip("/"):
                raise ValueError("must be postgresql://HOST:PORT/DATABASE")
            if parts.username or parts.password or "password" in parts.query:
                raise ValueError("holds a login; give username, and password_env or password_file")
        return url


class IocKafkaSettings(KafkaSettings):
    """The broker that workers publish to."""

    group: str = "ngatu-ioc"
    """Consumer group: services with the same one share the partitions."""
    reviews_topic: str = "its.reviews.v1"
    """Decisions are published here."""
    dead_letter_topic: str = "its.deadletter.v1"
    """What is no event goes here, with the reason."""


class EvidenceStores(Settings):
    """Where workers' evidence lies: a folder, or a URL that fsspec knows."""

    url: str = "data/evidence"
    """Of every worker that `workers` does not name. A plain path is relative to this file."""
    workers: dict[str, str] = Field(default_factory=dict)
    """Worker id to URL or path."""
    max_megabytes: Annotated[float, Field(gt=0, le=1024)] = 64.0
    """Larger files are not served: each is held in memory while its hash is checked."""
    s3: S3Settings = S3Settings()
    """For s3:// URLs."""


class ReviewSettings(Settings):
    """How officers work on cases."""

    claim_s: Annotated[float, Field(ge=30, le=7200)] = 300.0
    """A case that an officer has taken up is free again after this long."""
    notice_days: Annotated[int, Field(ge=1, le=365)] = 10
    """The owner is to be told within this many days of the act (Thông tư 73/2024/TT-BCA, not verified)."""
    four_eyes: tuple[str, ...] = ()
    """Rules whose violations two different officers must confirm."""


class SessionSettings(Settings):
    """How long a login lasts."""

    idle_minutes: Annotated[float, Field(ge=1, le=1440)] = 30.0
    max_hours: Annotated[float, Field(ge=0.1, le=168)] = 12.0
    lock_after: Annotated[int, Field(ge=3, le=100)] = 5
    """Wrong passwords in a row that lock an account."""
    lock_minutes: Annotated[float, Field(ge=1, le=1440)] = 15.0
    address_failures: Annotated[int, Field(ge=5, le=10_000)] = 30
    """Failed logins from one address, whichever names it tries, ..."""
    address_minutes: Annotated[float, Field(ge=1, le=1440)] = 10.0
    """... within so many minutes: then it has to wait. Offices behind one address share it."""


class IocConfig(Settings):
    """One IOC. Relative paths are relative to this file."""

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    kafka: IocKafkaSettings | None = None
    """Events come from here."""
    outboxes: tuple[Path, ...] = ()
    """Data folders of workers on this machine that publish nowhere: their outboxes are read."""
    evidence: EvidenceStores = EvidenceStores()
    workers: tuple[WorkerAccess, ...] = ()
    """Workers whose stills are shown and whose scenes are drawn here."""
    areas: AreaSettings
    review: ReviewSettings = ReviewSettings()
    sessions: SessionSettings = SessionSettings()
    oidc: OidcSettings | None = None
    """People may log in through this provider, too."""
    retention: RetentionSettings = RetentionSettings()
    notice: NoticeSettings = NoticeSettings()
    exports: ExportSettings = ExportSettings()
    map: MapSettings = MapSettings()
    citizens: CitizensSettings = CitizensSettings()
    exchange: ExchangeSettings = ExchangeSettings()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kafka is None and not self.outboxes:
            raise ValueError("events must come from somewhere: give kafka, or outboxes")
        if found := list(problems(self.areas)):
            raise ValueError("; ".join(found))
        known = AreaTree(self.areas).names
        for grant in self.oidc.grants if self.oidc is not None else ():
            if unknown := [area for area in grant.areas if area not in known]:
                raise ValueError(f"oidc.grants: {grant.value!r} gives area {unknown[0]!r}, which is none")
        if self.retention.shortest.get("undecided", 36_500) <= self.review.notice_days:
            raise ValueError("retention.undecided_days must be longer than review.notice_days")
        return self

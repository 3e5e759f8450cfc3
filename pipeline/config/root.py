"""The whole configuration of one worker."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.config.base import Settings
from pipeline.config.camera import CameraId, CameraSettings
from pipeline.config.model import ModelSettings
from pipeline.config.secrets import read_secret
from pipeline.config.sinks import (
    EvidenceSettings,
    KafkaSettings,
    OutboxSettings,
    PlatesSettings,
    TracksSettings,
)

SHORTEST_TOKEN = 16


class OperatorSettings(Settings):
    """What the console's scene editor needs of this worker, on its metrics port: stills, scene files,
    back-tests. For whoever brings the token."""

    token_env: str | None = None
    """Name of the environment variable that holds the token."""
    token_file: Path | None = None
    """File whose first line is the token."""

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if bool(self.token_env) == bool(self.token_file):
            raise ValueError("give either token_env or token_file")
        return self

    def token(self) -> str:
        """The secret, read now. Raises ValueError naming the variable or file, never its content."""
        token = read_secret("token", self.token_env, self.token_file) or ""
        if len(token) < SHORTEST_TOKEN:
            raise ValueError(f"the worker's token is shorter than {SHORTEST_TOKEN} characters")
        return token


class WorkerSettings(Settings):
    """This box."""

    id: CameraId = "edge"
    """Names the worker in events, metrics and its signing key."""
    data_dir: Path = Path("data")
    """Outbox, evidence and the worker's signing key; relative to the configuration file."""
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9108
    """Prometheus /metrics, /healthz and /readyz; 0 takes a free port."""
    operator: OperatorSettings | None = None
    """Lets a console show stills and change scenes, through the same port."""


class Config(Settings):
    """One worker: its cameras, its model and its sinks. Relative paths are relative to this file."""

    worker: WorkerSettings = WorkerSettings()
    model: ModelSettings
    cameras: Annotated[tuple[CameraSettings, ...], Field(min_length=1)]
    kafka: KafkaSettings | None = None
    """Without it, events stay in the outbox, where `ngatu events` reads them."""
    outbox: OutboxSettings = OutboxSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    plates: PlatesSettings = PlatesSettings()
    law: Path | None = None
    """Folder with a YAML file for each decree, instead of the shipped ones (configs/law)."""
    tracks: TracksSettings = TracksSettings()

    @model_validator(mode="after")
    def _camera_ids_differ(self) -> Self:
        twice = [camera_id for camera_id, count in Counter(c.id for c in self.cameras).items() if count > 1]
        if twice:
            raise ValueError(f"camera id used more than once: {', '.join(twice)}")
        return self

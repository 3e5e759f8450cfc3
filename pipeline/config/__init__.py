"""Typed configuration of a worker: models here, loading and its error messages in `load`."""

from pipeline.config.camera import CameraSettings, StreamSettings
from pipeline.config.model import ModelSettings
from pipeline.config.root import Config, WorkerSettings
from pipeline.config.sinks import (
    EvidenceSettings,
    KafkaSettings,
    OutboxSettings,
    PlatesSettings,
    TracksSettings,
)

__all__ = [
    "CameraSettings",
    "Config",
    "EvidenceSettings",
    "KafkaSettings",
    "ModelSettings",
    "OutboxSettings",
    "PlatesSettings",
    "StreamSettings",
    "TracksSettings",
    "WorkerSettings",
]

"""The detector model and how it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.config.base import Settings


class ModelSettings(Settings):
    """An ONNX detector."""

    path: Path
    """The .onnx file; a .yaml of the same name beside it may say layout, classes, input size."""
    heads: Path | None = None
    """A small model that tells riders' heads on a closer look (models/ngatu_heads_int8.onnx), for no_helmet,
    too_many_riders and abandoned_object: the detector need not know them then. None leaves it to the
    detector."""
    providers: tuple[str, ...] = ("tensorrt", "cuda", "openvino", "cpu")
    """Execution providers by preference; the first that is there wins, and the choice is logged."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Detections below are dropped (half of it, but no less than 0.1, still keeps a known track alive)."""
    iou: Annotated[float, Field(gt=0, lt=1)] = 0.55
    """Non-maximum suppression: overlap above which two boxes of one class are one."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Inference threads; 0 takes the machine's cores."""
    batch: Annotated[int, Field(ge=1, le=64)] = 1
    """Pictures a run, of different cameras; models with a fixed batch of 1 ignore it."""

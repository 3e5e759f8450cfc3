"""The 8-bit copy of the model of heads: well under half the time of the exact one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.perception.closer import tensor
from scripts.detector.quantize import Feed, eight_bit
from scripts.heads.tiles import Tiles

CALIBRATED_ON = 512
"""Tiles whose activations set the ranges."""
_BATCH = 32


def quantize(model: Path, tiles: Tiles, seed: int) -> Path:
    """Write NAME_int8.onnx beside `model`, calibrated on some of `tiles`."""
    order = np.random.default_rng(seed).permutation(len(tiles.pictures))[:CALIBRATED_ON]
    return eight_bit(model, _shown(tiles, order.tolist()), lambda nodes: nodes[nodes.index("/out/Conv") :])


def _shown(tiles: Tiles, order: list[int]) -> Iterator[Feed]:
    for start in range(0, len(order), _BATCH):
        yield {"tiles": tensor(tiles.pictures[order[start : start + _BATCH]])}

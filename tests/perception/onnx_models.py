"""Small ONNX models that answer every picture with the same tensor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 64
CELLS = 64 + 16 + 4
"""Grid cells at 64 pixels with strides 8, 16, 32."""


def constant_model(
    path: Path,
    output: np.ndarray[Any, Any],
    *,
    batch: int | str = 1,
    size: tuple[int | str, int | str] = (SIZE, SIZE),
    channels: int = 3,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a model that gives `output` (without batch axis) for each picture of a batch."""
    value = numpy_helper.from_array(output[None].astype(np.float32), "value")
    rest = numpy_helper.from_array(np.array(output.shape, np.int64), "rest")
    zero = numpy_helper.from_array(np.array([0], np.int64), "zero")
    nodes = [
        helper.make_node("Shape", ["images"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["count"]),
        helper.make_node("Concat", ["count", "rest"], ["wanted"], axis=0),
        helper.make_node("Expand", ["value", "wanted"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, channels, *size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, *output.shape])],
        [value, rest, zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, str(path))
    return path


def names(*given: str) -> dict[str, str]:
    """Metadata as Ultralytics writes it."""
    return {
        "names": str(dict(enumerate(given))),
        "imgsz": f"[{SIZE}, {SIZE}]",
        "stride": "32",
        "task": "detect",
    }

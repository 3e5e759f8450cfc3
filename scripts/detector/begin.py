"""Training that goes on from a published ONNX file: the weights are all there is of the run that made it.

The exporter folds batch normalisation into the convolutions. Here each gets one again that changes nothing
as it is, with the mean and variance that real pictures have there, so that training can move it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from pipeline.perception.layouts import LAYOUTS
from pipeline.perception.letterbox import letterbox

LEAST_VARIANCE = 1e-6
"""Of a channel that pictures leave alone."""


class OtherModelError(ValueError):
    """An export of another network, or of other classes."""


def pictures(files: Iterable[Path], size: tuple[int, int]) -> torch.Tensor:
    """Files as a batch (n, 3, high, wide), RGB 0..1; `size` is wide, high."""
    chosen = list(files)
    batch = np.empty((len(chosen), 3, size[1], size[0]), np.float32)
    for row, file in enumerate(chosen):
        letterbox(cv2.imread(str(file)), size, LAYOUTS["yolov8"].input, batch[row])
    return torch.from_numpy(batch)


def weights_of(graph: onnx.GraphProto) -> dict[str, torch.Tensor]:
    """Every stored tensor of an export, by its name."""
    return {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}


@torch.no_grad()
def take_over(model: nn.Module, file: Path, shown: torch.Tensor) -> None:
    """Give `model` the weights of an export of its own architecture; `shown` are pictures, see above.

    Raises OtherModelError for a file of another architecture or other classes.
    """
    weights = weights_of(onnx.load(str(file)).graph)
    folded = {
        name: part
        for name, part in model.named_modules()
        if isinstance(getattr(part, "bn", None), nn.BatchNorm2d)
    }
    for name, part in folded.items():
        part.conv.weight.copy_(_of(weights, f"{name}.conv.weight", part.conv.weight))
        stand_by(part.bn, _of(weights, f"{name}.conv.bias", part.bn.bias))
    for name, part in model.named_modules():
        if isinstance(part, nn.Conv2d) and part.bias is not None:
            part.weight.copy_(_of(weights, f"{name}.weight", part.weight))
            part.bias.copy_(_of(weights, f"{name}.bias", part.bias))
    measure([part.bn for part in folded.values()], model, shown)


@torch.no_grad()
def stand_by(norm: nn.BatchNorm2d, bias: torch.Tensor) -> None:
    """Make it add `bias` and nothing else, as the export does."""
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)


@torch.no_grad()
def measure(norms: list[nn.BatchNorm2d], model: nn.Module, shown: torch.Tensor) -> None:
    """Give each norm the mean and variance of what comes to it, and move the rest so that nothing changes."""
    sums = {norm: [torch.zeros_like(norm.bias), torch.zeros_like(norm.bias), 0] for norm in norms}

    def note(norm: nn.BatchNorm2d, given: tuple[torch.Tensor]) -> None:
        seen = sums[norm]
        seen[0] = seen[0] + given[0].sum((0, 2, 3))
        seen[1] = seen[1] + (given[0] ** 2).sum((0, 2, 3))
        seen[2] += given[0].numel() // given[0].shape[1]

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    was_training = model.training
    model.eval()
    for batch in shown.split(8):
        model(batch)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        total, squares, count = sums[norm]
        if not count:
            continue
        mean = total / count
        variance = (squares / count - mean**2).clamp_min(LEAST_VARIANCE)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)


def _of(weights: dict[str, torch.Tensor], name: str, like: torch.Tensor) -> torch.Tensor:
    found = weights.get(name)
    if found is None or found.shape != like.shape:
        told = "is missing" if found is None else f"is {tuple(found.shape)}"
        raise OtherModelError(
            f"{name} {told}, this model wants {tuple(like.shape)}: not an export of its architecture"
        )
    return found

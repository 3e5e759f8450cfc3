"""The network, its training with PyTorch (extra `train`) and its export to ONNX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import nn
from torch.nn import functional

from pipeline.perception.closer import STRIDE, TILE_PX, tensor
from scripts.detector.begin import OtherModelError, measure, stand_by, weights_of
from scripts.heads.tiles import Tiles

CELLS = TILE_PX // STRIDE
SPREAD = 0.2
"""Standard deviation of a head's peak in the maps, of its height; at least LEAST_SPREAD cells."""
LEAST_SPREAD = 0.7
HEIGHT_WEIGHT = 0.05
MEASURED_ON = 256
"""Tiles that say what an export's batch normalisation would have measured."""


def _block(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


class HeadNet(nn.Module):
    """(N, 3, TILE_PX, TILE_PX) to (N, 3, CELLS, CELLS): helmet and bare 0..1, height in the tile's pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _block(3, 24, 2)
        self.down = nn.ModuleList(
            [
                nn.Sequential(_block(24, 48, 2), _block(48, 48)),
                nn.Sequential(_block(48, 96, 2), _block(96, 96), _block(96, 96)),
                nn.Sequential(_block(96, 128, 2), _block(128, 128), _block(128, 128)),
            ]
        )
        self.across = nn.ModuleList([nn.Conv2d(128, 96, 1), nn.Conv2d(96, 48, 1), nn.Conv2d(48, 24, 1)])
        self.mix = nn.ModuleList([_block(96, 96), _block(48, 48), _block(24, 32)])
        self.out = nn.Conv2d(32, 3, 1)
        with torch.no_grad():
            self.out.bias.copy_(torch.tensor([-4.0, -4.0, 0.0]))

    def logits(self, tiles: torch.Tensor) -> torch.Tensor:
        """The same before the sigmoid, and the height in tens of pixels."""
        levels = [self.stem(tiles)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for across, mix in zip(self.across, self.mix, strict=True):
            x = functional.interpolate(across(x), scale_factor=2.0, mode="nearest") + levels.pop()
            x = mix(x)
        made: torch.Tensor = self.out(x)
        return made

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        made = self.logits(tiles)
        return torch.cat([made[:, :2].sigmoid(), functional.softplus(made[:, 2:]) * 10], dim=1)


def maps(heads: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(N, H, 4) of Tiles as (N, 4, CELLS, CELLS): peaks with and without a helmet, the height, and where it
    counts."""
    count = len(heads)
    made = np.zeros((count, 4, CELLS, CELLS), np.float32)
    cells = (np.arange(CELLS) + 0.5) * STRIDE
    for number, row in zip(*np.nonzero(~np.isnan(heads[..., 0])), strict=True):
        x, y, high, helmet = heads[number, row]
        spread = max(SPREAD * high, LEAST_SPREAD * STRIDE)
        peak = np.exp(-(((cells[None] - x) ** 2 + (cells[:, None] - y) ** 2) / (2 * spread**2)))
        kind = 0 if helmet else 1
        made[number, kind] = np.maximum(made[number, kind], peak)
        there = peak > 0.5
        made[number, 2][there], made[number, 3][there] = high, 1.0
        column, line = (min(max(int(at // STRIDE), 0), CELLS - 1) for at in (x, y))
        made[number, kind, line, column] = 1.0
    return made


def loss_of(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Focal loss of the peaks (Law and Deng, CornerNet, 2018), and the heights' error."""
    heat, target = made[:, :2], wanted[:, :2]
    sure = heat.sigmoid().clamp(1e-5, 1 - 1e-5)
    is_head = (target == 1.0).float()
    found = is_head * (1 - sure) ** 2 * sure.log()
    nothing = (1 - is_head) * (1 - target) ** 4 * sure**2 * (1 - sure).log()
    heads = is_head.sum().clamp(min=1)
    high = functional.softplus(made[:, 2]) * 10
    wrong = ((high - wanted[:, 2]).abs() * wanted[:, 3]).sum() / wanted[:, 3].sum().clamp(min=1)
    return -(found + nothing).sum() / heads + HEIGHT_WEIGHT * wrong


@torch.no_grad()
def take_over(net: HeadNet, file: Path, shown: torch.Tensor) -> None:
    """Give `net` the weights of an export of it, see detector.begin; `shown` are tiles as it takes them.

    Raises OtherModelError for an export of another network.
    """
    graph = onnx.load(str(file)).graph
    weights = weights_of(graph)
    # The exporter names a convolution's output after its module.
    folded = {node.output[0].split("/")[-2]: node.input[1:] for node in graph.node if node.op_type == "Conv"}
    parts = dict(net.named_modules())
    norms = []
    for name, conv in parts.items():
        if not isinstance(conv, nn.Conv2d):
            continue
        weight, bias = (weights.get(key) for key in folded.get(name, ("", "")))
        if weight is None or bias is None or weight.shape != conv.weight.shape:
            raise OtherModelError(f"no {name} of {tuple(conv.weight.shape)} in it: not an export of HeadNet")
        conv.weight.copy_(weight)
        if conv.bias is not None:
            conv.bias.copy_(bias)
            continue
        sequence, _, place = name.rpartition(".")
        norm = parts[f"{sequence}.{int(place) + 1}"]
        assert isinstance(norm, nn.BatchNorm2d)
        stand_by(norm, bias)
        norms.append(norm)
    measure(norms, net, shown)


def learn(
    tiles: Tiles,
    epochs: int,
    batch: int,
    seed: int,
    progress: Callable[[int, float], None],
    *,
    rate: float,
    start: Path | None = None,
) -> HeadNet:
    """Train from scratch, or go on from the export `start`, with `rate` as the highest learning rate.

    `progress` gets each epoch's number and mean loss. Raises OtherModelError for an export of something else.
    """
    torch.manual_seed(seed)
    dice = np.random.default_rng(seed)
    net = HeadNet().to(memory_format=torch.channels_last)  # three times as fast on a CPU
    if start is not None:
        few = np.linspace(0, len(tiles.pictures) - 1, min(MEASURED_ON, len(tiles.pictures))).astype(int)
        take_over(net, start, torch.from_numpy(tensor(tiles.pictures[few])))
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01)
    steps = max(1, len(tiles.pictures) // batch)
    half = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # twice as fast where the CPU knows it
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps)
    for epoch in range(1, epochs + 1):
        order, total = dice.permutation(len(tiles.pictures)), 0.0
        for step in range(steps):
            chosen = np.sort(order[step * batch : (step + 1) * batch])
            pictures, heads = _varied(tiles.pictures[chosen], tiles.heads[chosen], dice)
            seen = torch.from_numpy(pictures).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                made = net.logits(seen)
            loss = loss_of(made.float(), torch.from_numpy(maps(heads)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        progress(epoch, total / steps)
    return net.to(memory_format=torch.contiguous_format).eval()


def _varied(
    pictures: npt.NDArray[np.uint8], heads: npt.NDArray[np.float32], dice: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mirrored, brighter or darker, paler, tinted and noisier, and moved by some pixels."""
    made, heads, count = tensor(pictures), heads.copy(), len(pictures)
    for number in np.flatnonzero(dice.random(count) < 0.5):
        made[number] = made[number, :, :, ::-1]
        heads[number, :, 0] = TILE_PX - heads[number, :, 0]
    for number, (across, down) in enumerate(dice.integers(-6, 7, (count, 2))):
        made[number] = np.roll(made[number], (down, across), (1, 2))
        heads[number, :, :2] += (across, down)
    gain = dice.uniform(0.6, 1.4, (count, 1, 1, 1)) * dice.uniform(0.9, 1.1, (count, 3, 1, 1))
    lift = dice.uniform(-0.1, 0.1, (count, 1, 1, 1))
    grey = made.mean(axis=1, keepdims=True)
    pale = dice.uniform(0.0, 0.6, (count, 1, 1, 1)) * (dice.random((count, 1, 1, 1)) < 0.3)
    made = (made * (1 - pale) + grey * pale) * gain + lift
    made += dice.normal(0, 1, made.shape) * dice.uniform(0, 0.05, (count, 1, 1, 1))
    return np.clip(made, 0, 1).astype(np.float32), heads


def export(net: HeadNet, path: Path) -> None:
    """Write it as ONNX; any number of tiles a run."""
    torch.onnx.export(
        net,
        (torch.zeros(2, 3, TILE_PX, TILE_PX),),
        str(path),
        input_names=["tiles"],
        output_names=["maps"],
        dynamic_axes={"tiles": {0: "n"}, "maps": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )

"""Training with Ultralytics (extra `train`): a YOLO11-nano from scratch on 16:9 pictures, on CPU or GPU."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import DEFAULT_CFG

from pipeline.perception.classes import KINDS, MOTORBIKE, PERSON
from scripts.detector import begin
from scripts.detector.pictures import NAMES
from scripts.detector.real import PREFIX

ARCHITECTURE = "yolo11n.yaml"
INPUT = (640, 384)
"""Width and height of the model's input in pixels: a 640x360 sub stream, to the next multiple of 32."""

MEASURED_ON = 64
"""Pictures that say what an export's batch normalisation would have measured."""

REAL_DOUBT = 0.3
"""Weight of "nothing here" in real pictures: the model that labelled them misses what is small."""


def bfloat16_pays() -> bool:
    """Whether this CPU multiplies bfloat16 itself: training is then twice as fast."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class _AskedLoss(nn.Module):
    """Class loss, weighted by how much is known: nothing is asked where nobody labelled."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = nn.BCEWithLogitsLoss(reduction="none")
        self.asked: torch.Tensor | None = None
        """(batch, 1, classes): 1, or 0 where a class is not labelled."""
        self.doubted: torch.Tensor | None = None
        """(batch, 1, 1): weight of "there is nothing here", below 1 where labels have gaps."""

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self.loss(scores, targets)
        if self.asked is None or self.doubted is None:
            return loss
        found = targets.sum(dim=-1, keepdim=True) > 0
        return loss * self.asked * torch.where(found, 1.0, self.doubted)


class CityDetector(DetectionModel):
    """YOLO with a half-precision forward pass on CPUs that have it, and the loss above."""

    def init_criterion(self) -> Any:
        criterion = super().init_criterion()
        criterion.bce = _AskedLoss()
        return criterion

    def loss(self, batch: dict[str, Any], preds: Any = None) -> Any:
        if getattr(self, "criterion", None) is None:
            self.criterion = self.init_criterion()
        self.criterion.bce.asked, self.criterion.bce.doubted = _known(batch)
        if preds is None:
            half = self.training and batch["img"].device.type == "cpu" and bfloat16_pays()
            with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
                preds = self.forward(batch["img"])
            preds = _single(preds) if half else preds
        return self.criterion(preds, batch)


def _known(batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """What the labels of each picture can be asked, see _AskedLoss."""
    asked = torch.ones(len(batch["im_file"]), 1, len(NAMES))
    doubted = torch.ones(len(asked), 1, 1)
    for row, file in enumerate(batch["im_file"]):
        if Path(file).name.startswith(PREFIX):
            asked[row, :, len(KINDS) :] = 0
            doubted[row] = REAL_DOUBT
            kinds = batch["cls"][batch["batch_idx"] == row]
            # Where motorbikes ride, the other model calls half of their riders persons.
            if (kinds == MOTORBIKE).any():
                asked[row, :, PERSON] = 0
    return asked.to(batch["img"].device), doubted.to(batch["img"].device)


def _single(value: Any) -> Any:
    """Tensors back in single precision, however they are nested: the loss wants it."""
    if isinstance(value, torch.Tensor):
        return value.float()
    if isinstance(value, dict):
        return {key: _single(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_single(one) for one in value)
    return value


class CityTrainer(DetectionTrainer):
    """Ultralytics' trainer with our model; on a CPU in channels-last order, which is a fifth faster."""

    start: Path | None = None
    """An export to go on from."""

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> nn.Module:
        model = CityDetector(cfg, nc=self.data["nc"], ch=self.data["channels"], verbose=verbose)
        if weights is not None:
            model.load(weights)
        if self.start is not None:
            files = sorted(Path(self.data["train"]).glob("*.jpg"))
            chosen = files[:: math.ceil(len(files) / MEASURED_ON)]
            begin.take_over(model, self.start, begin.pictures(chosen, INPUT))
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        # Rectangular in training too: every picture has the same shape, so they can still be shuffled.
        from ultralytics.data import build_yolo_dataset

        return build_yolo_dataset(self.args, img_path, batch, self.data, mode=mode, rect=True, stride=32)

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch


def learn(
    data: Path,
    runs: Path,
    *,
    epochs: int,
    batch: int,
    seed: int,
    threads: int,
    rate: float,
    start: Path | None = None,
    resume: bool = False,
) -> Path:
    """Train on data/train against data/dev; the best weights' file. Shows Ultralytics' progress bar.

    `rate`: the first learning rate; `start`: weights (*.pt) or export (*.onnx) of an earlier run to go on
    from, with a new schedule; `resume`: this run's own last ones. Raises begin.OtherModelError for an export
    of another architecture.
    """
    export_given = start is not None and start.suffix == ".onnx"
    described = data / "data.yaml"
    described.write_text(
        yaml.safe_dump(
            {
                "path": str(data.resolve()),
                "train": "train/images",
                "val": "dev/images",
                "names": dict(enumerate(NAMES)),
            }
        )
    )
    settings: dict[str, Any] = {
        "model": ARCHITECTURE,
        "data": str(described),
        "epochs": epochs,
        "batch": batch,
        "nbs": batch,
        "imgsz": INPUT[0],
        "rect": True,
        "pretrained": False if start is None or export_given else str(start.resolve()),
        "optimizer": "AdamW",
        "lr0": rate,
        "lrf": 0.02,
        "cos_lr": True,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "warmup_epochs": 0.3,
        "warmup_bias_lr": 0.0,
        "scale": 0.45,
        "translate": 0.1,
        "hsv_h": 0.02,
        "hsv_s": 0.6,
        "hsv_v": 0.45,
        "amp": False,
        "workers": 2,
        "seed": seed,
        "project": str(runs.resolve()),
        "name": "ngatu_nano",
        "exist_ok": True,
        "plots": False,
        "val": True,
        "cache": "ram",
    }
    if resume:
        settings = {"resume": str(runs / "ngatu_nano" / "weights" / "last.pt")}
    trainer = CityTrainer(cfg=DEFAULT_CFG, overrides=settings)
    trainer.start = start if export_given and not resume else None
    # Ultralytics leaves a core to the loaders, but ours have little to do.
    trainer.add_callback("on_train_start", lambda _: torch.set_num_threads(threads))
    trainer.train()
    return Path(trainer.best)


def export(weights: Path) -> Path:
    """Weights to ONNX (opset 17, one picture or a batch), beside them."""
    wide, high = INPUT
    return Path(
        YOLO(str(weights)).export(
            format="onnx", imgsz=(high, wide), opset=17, simplify=True, dynamic=False, nms=False
        )
    )

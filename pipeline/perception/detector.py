"""Pictures in, road users' boxes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.config.model import ModelSettings
from pipeline.perception.classes import KINDS, PARTS, project_ids
from pipeline.perception.errors import PerceptionError
from pipeline.perception.layouts import Candidates, Floats
from pipeline.perception.letterbox import Placement, letterbox
from pipeline.perception.model import load_model
from pipeline.types import Picture

_MOST_CANDIDATES = 2000
"""Suppression is quadratic: a picture of noise must not stall a worker."""


class Detector:
    """One model; `detect` may be called from several threads at once.

    >>> detector = Detector(ModelSettings(path=Path("yolox_nano_416.onnx")))
    >>> [detections] = detector.detect([picture])
    """

    def __init__(self, settings: ModelSettings, threads_per_run: int = 1) -> None:
        """Load the model; raises PerceptionError when that cannot be done."""
        self.model = load_model(settings, threads_per_run)
        self.settings = settings
        self.lowest = settings.confidence / 2
        """Weaker detections than `settings.confidence`, down to this, keep a known track alive where they are
        above 0.1: BoT-SORT takes no others."""
        self._project_ids = project_ids(self.model.names)
        if not (self._project_ids >= 0).any():
            raise PerceptionError(
                f"model {settings.path} knows none of the project's classes: it names "
                f"{', '.join(self.model.names[:10])}"
            )

    @property
    def sha256(self) -> str:
        """SHA-256 of the model file, hexadecimal."""
        return self.model.sha256

    @property
    def names(self) -> tuple[str, ...]:
        """The model's own class names."""
        return self.model.names

    @property
    def classes(self) -> frozenset[str]:
        """Names of the project's classes (`classes.KINDS` and `classes.PARTS`) that it knows."""
        known = (*(kind.value for kind in KINDS), *PARTS)
        return frozenset(known[index] for index in self._project_ids if index >= 0)

    @property
    def riders_in_box(self) -> bool:
        """Whether a rider is part of the two-wheeler's box, and never a person."""
        return self.model.riders_in_box

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the model's input in pixels."""
        return self.model.size

    def detect(self, pictures: Sequence[Picture]) -> list[sv.Detections]:
        """Find road users in each picture.

        Boxes are xyxy float32 in picture pixels; class ids count through `classes.KINDS` and then
        `classes.PARTS`; confidence is at least half of the configured one. Raises PerceptionError when
        the model fails on these pictures.
        """
        step = self.model.batch or self.settings.batch
        return [
            detections
            for start in range(0, len(pictures), step)
            for detections in self._detect_batch(pictures[start : start + step])
        ]

    def _detect_batch(self, pictures: Sequence[Picture]) -> list[sv.Detections]:
        width, height = self.model.size
        tensor = np.empty((self.model.batch or len(pictures), 3, height, width), np.float32)
        tensor[len(pictures) :] = 0
        placements = [
            letterbox(picture, self.model.size, self.model.form, out)
            for picture, out in zip(pictures, tensor, strict=False)
        ]
        outputs = self.model.run(tensor)
        return [
            self.finish(self.model.layout.decode(output, self.model.size, self.lowest), placement)
            for output, placement in zip(outputs, placements, strict=False)
        ]

    def finish(self, candidates: Candidates, placement: Placement) -> sv.Detections:
        """Keep the project's classes, back in picture pixels, each thing once."""
        xyxy, scores, classes = candidates
        ids = self._project_ids[np.clip(classes, 0, len(self._project_ids) - 1)]
        usable = np.flatnonzero(
            (ids >= 0) & (classes >= 0) & (classes < len(self._project_ids)) & np.isfinite(xyxy).all(axis=1)
        )
        if len(usable) > _MOST_CANDIDATES:
            usable = usable[np.argsort(-scores[usable])[:_MOST_CANDIDATES]]
        boxes = placement.to_picture(xyxy[usable])
        has_area = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
        usable, boxes = usable[has_area], boxes[has_area]
        if not len(usable):
            return sv.Detections(
                xyxy=np.empty((0, 4), np.float32),
                confidence=np.empty(0, np.float32),
                class_id=np.empty(0, np.intp),
            )
        kept = each_once(boxes, scores[usable], ids[usable], self.lowest, self.settings.iou)
        return sv.Detections(
            xyxy=boxes[kept], confidence=scores[usable][kept], class_id=ids[usable][kept].astype(np.intp)
        )


def each_once(
    boxes: Floats, scores: Floats, classes: npt.NDArray[np.intp], least: float, iou: float
) -> npt.NDArray[np.intp]:
    """Rows to keep of boxes (N, 4): of those of one class that overlap more than `iou`, the surest; none
    below a score of `least`."""
    # The stubs ask for lists; arrays are taken as well and are not copied element by element.
    xywh: Any = np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), axis=1)
    weights: Any = scores
    groups: Any = classes.astype(np.int32)
    kept = cv2.dnn.NMSBoxesBatched(xywh, weights, groups, least, iou)
    return np.asarray(kept, dtype=np.intp).reshape(-1)

"""Text in pictures: where its lines are, and what each says. rapidocr's models, run on one thread."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import rapidocr
from rapidocr.ch_ppocr_det.main import TextDetector
from rapidocr.ch_ppocr_det.utils import DetPreProcess
from rapidocr.ch_ppocr_rec.main import TextRecognizer
from rapidocr.utils.parse_parameters import ParseParams

from pipeline.plates.errors import PlateError
from pipeline.plates.grammar import ALPHABET
from pipeline.types import Picture

Quad = npt.NDArray[np.float32]
"""(4, 2) corners in pixels: top left, top right, bottom right, bottom left of the text."""
Floats = npt.NDArray[np.float64]

_SEPARATORS = "-. ·:"
_DETECTOR = "PP-OCRv6_det_small.onnx"
_RECOGNISER = "PP-OCRv6_rec_small.onnx"
_SHORTEST_PX = 32
"""The text detector's stride."""
_BATCH = 6
_FINER = 8
"""The library rounds corners to whole pixels: told of a picture so many times larger, to parts of one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text as the recogniser sees it."""

    text: str
    """Characters of ALPHABET and separators, greedily decoded."""
    likely: Floats
    """(N, 36): for each character but separators, the probability of each of ALPHABET. Not normalised: what
    the recogniser gave to other glyphs is lacking."""

    @property
    def plain(self) -> str:
        """Without separators."""
        return "".join(character for character in self.text if character in ALPHABET)

    @property
    def confidence(self) -> float:
        """Probability of the least certain character; 0 for a line without any."""
        return float(self.likely.max(axis=1).min()) if len(self.likely) else 0.0


class TextReader:
    """The two models; threads may share it. Raises PlateError when rapidocr lacks them."""

    def __init__(self) -> None:
        folder = Path(rapidocr.__file__).parent
        # It gives its logger a handler and a level of its own, on stderr.
        logging.getLogger("RapidOCR").setLevel(logging.WARNING)
        try:
            settings = ParseParams.load(folder / "config.yaml")
            engine = settings.EngineConfig.onnxruntime
            engine.intra_op_num_threads = engine.inter_op_num_threads = 1
            for part, model in ((settings.Det, _DETECTOR), (settings.Rec, _RECOGNISER)):
                # Named, so that nothing is ever fetched from the network.
                part.model_path = str(folder / "models" / model)
                part.engine_cfg = engine
                part.font_path = None
            self._detector: Any = TextDetector(settings.Det)
            self._recogniser: Any = TextRecognizer(settings.Rec)
        except Exception as error:  # rapidocr's and onnxruntime's errors share no base class
            raise PlateError(
                f"rapidocr's models cannot be loaded: {error}; run scripts/setup, which installs them"
            ) from error
        self._mean, self._std = np.array(settings.Det.mean), np.array(settings.Det.std)

    def quads(self, picture: Picture, long_side_px: int) -> list[Quad]:
        """Lines of text in `picture`, searched for at the given size of its longer side."""
        height, width = picture.shape[:2]
        scale = long_side_px / max(height, width)
        size = (max(_SHORTEST_PX, round(width * scale)), max(_SHORTEST_PX, round(height * scale)))
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        tensor = DetPreProcess(long_side_px, "max", self._mean, self._std)(scaled)
        finer = (height * _FINER, width * _FINER)
        boxes, _ = self._detector.postprocess_op(self._detector.session(tensor), finer)
        return [np.asarray(box / _FINER, np.float32) for box in boxes]

    def lines(self, pictures: Sequence[Picture]) -> list[Line]:
        """What each upright picture of one line says."""
        found: list[Line] = []
        for start in range(0, len(pictures), _BATCH):
            found += self._recognise(pictures[start : start + _BATCH])
        return found

    def _recognise(self, pictures: Sequence[Picture]) -> list[Line]:
        height_px = self._recogniser.rec_image_shape[1]
        widest = max(picture.shape[1] / picture.shape[0] for picture in pictures)
        # Wide enough for the widest, whole strides: the library pads to 320 px, which only costs time.
        ratio = max(8 * np.ceil(widest * height_px / 8) + 8, 64) / height_px
        tensor = np.stack([self._recogniser.resize_norm_img(picture, ratio) for picture in pictures])
        return [self._decode(steps) for steps in self._recogniser.session(tensor.astype(np.float32))]

    @cached_property
    def _columns(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Columns of the recogniser's output: of ALPHABET, of its lower case, and of the separators."""
        place: dict[str, int] = {}
        for column, glyph in enumerate(self._recogniser.postprocess_op.character):
            place.setdefault(glyph, column)
        lower = [place[character.lower()] for character in ALPHABET]
        return (
            np.array([place[character] for character in ALPHABET]),
            np.array(lower),
            np.array([place[character] for character in _SEPARATORS]),
        )

    def _decode(self, steps: npt.NDArray[np.float32]) -> Line:
        """Connectionist temporal classification (Graves 2006), greedy: runs of one symbol are one, blanks
        part them. Glyphs that no plate bears are passed over."""
        upper, lower, separators = self._columns
        likely = steps[:, upper].astype(np.float64)
        letters = upper != lower
        likely[:, letters] += steps[:, lower[letters]]
        best = likely.argmax(axis=1)
        symbols = np.stack([steps[:, 0], steps[:, separators].max(axis=1), likely.max(axis=1)])
        kind = symbols.argmax(axis=0)
        text, peaks = "", []
        last: tuple[int, int] = (0, 0)
        for step, which in enumerate(kind.tolist()):
            now = (which, int(best[step]) if which == 2 else 0)
            if which == 1 and now != last:
                text += _SEPARATORS[int(steps[step, separators].argmax())]
            elif which == 2 and now != last:
                text += ALPHABET[now[1]]
                peaks.append(step)
            elif which == 2 and likely[step].max() > likely[peaks[-1]].max():
                peaks[-1] = step
            last = now
        return Line(text, likely[peaks] if peaks else np.zeros((0, len(ALPHABET))))

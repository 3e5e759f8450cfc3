"""Keeps what a camera showed when its scene was drawn, and says when it shows something else.

The reference is taken by itself, in the first seconds that a scene is seen, and kept in
DATA_DIR/references/CAMERA-SCENE.png, where SCENE stands for all that is drawn in the scene file. So a scene
that is drawn anew gets a new reference, and so does one whose picture somebody has removed. That a camera
does not fit is kept beside it (.json): a restart does not make it fit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import structlog

from pipeline.perception.moved import Comparison, Complex, Fit, Grey, MovedCamera
from pipeline.scene import SceneSettings
from pipeline.types import Frame

log = structlog.get_logger(__name__)

UNDRAWN = frozenset(("rules", "time_zone"))
"""Parts of a scene that do not lie in the picture."""


def drawing(scene: SceneSettings) -> str | None:
    """A name for all that is drawn in a scene; None where nothing is: it cannot be in the wrong place."""
    drawn = scene.model_dump_json(exclude=set(UNDRAWN), exclude_defaults=True)
    return hashlib.sha256(drawn.encode()).hexdigest()[:12] if drawn != "{}" else None


class View:
    """One camera's picture against its scene."""

    def __init__(self, camera_id: str, scene: SceneSettings, folder: Path) -> None:
        self._camera_id = camera_id
        self._folder = folder
        self._drawing = drawing(scene)
        self._path = folder / f"{camera_id}-{self._drawing}.png" if self._drawing else None
        self._moved: MovedCamera | None = None
        if self._path is not None:
            reference = self._load()
            self._moved = MovedCamera(reference, self._load_state() if reference is not None else None)
        self._stored = self._moved is None or self._moved.reference is not None

    def is_of(self, scene: SceneSettings) -> bool:
        """Whether that scene is drawn as this view's: then what is known of this one holds for it."""
        return drawing(scene) == self._drawing

    @property
    def fits(self) -> bool | None:
        """Whether the picture fits the scene; None while that is not known, or nothing is drawn."""
        if self._moved is None or self._moved.state is Fit.UNKNOWN:
            return None
        return self._moved.state is Fit.FITS

    @property
    def notice(self) -> str:
        """What is wrong and what to do, as a sentence; "" where nothing is."""
        if self._moved is None or self.fits is not False:
            return ""
        now = self._moved.comparison
        if now.other_shape:
            what = "was set differently: the picture has another shape than the scene was drawn on"
        elif self._moved.state is Fit.STRANGE:
            what = "shows another place than its scene was drawn on, or nothing of it can be made out"
        else:
            what = (
                f"was moved: its picture lies {_percent(now.across)} across and {_percent(now.down)} down "
                "from where its scene was drawn"
            )
        return (
            f"the camera {what}; rules that judge by places are suspended. Turn it back, or draw and "
            f"calibrate its scene anew; if it is right as it is, remove {self._path} and restart the worker"
        )

    def observe(self, frame: Frame) -> bool:
        """Take up a frame. Whether the picture has ceased to fit, or fits again."""
        if self._moved is None:
            return False
        moved = self.fits is False
        if self._moved.observe(frame.picture, frame.time.captured_at_s):
            self._store_state(self._moved)
        if not self._stored and self._moved.reference is not None:
            self._store(self._moved.reference)
        return (self.fits is False) is not moved

    def look(self, frame: Frame) -> Complex | None:
        """A frame by itself, for `fit_of`; None while there is no reference."""
        return self._moved.look(frame.picture) if self._moved is not None else None

    def fit_of(self, looks: Sequence[Complex]) -> Fit:
        """What frames of a few seconds say together."""
        assert self._moved is not None
        return self._moved.fit_of(looks)

    def _load(self) -> Grey | None:
        assert self._path is not None
        if not self._path.is_file():
            return None
        picture = cv2.imread(str(self._path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            log.warning("reference_unreadable", camera=self._camera_id, path=str(self._path))
            return None
        return np.asarray(picture, dtype=np.uint8)

    def _load_state(self) -> Comparison | None:
        """What an earlier run knew; None where the picture fitted, or that was not known."""
        assert self._path is not None
        try:
            kept = json.loads(self._path.with_suffix(".json").read_text(encoding="utf-8"))
            return Comparison(
                Fit(kept["fit"]),
                float(kept["across"]),
                float(kept["down"]),
                int(kept["votes"]),
                bool(kept["other_shape"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError):
            log.warning("reference_state_unreadable", camera=self._camera_id, path=str(self._path))
            return None

    def _store_state(self, moved: MovedCamera) -> None:
        assert self._path is not None
        kept = self._path.with_suffix(".json")
        try:
            if moved.state is Fit.FITS:
                kept.unlink(missing_ok=True)
            else:
                part = kept.with_suffix(".json.part")
                part.write_text(json.dumps(asdict(moved.comparison)), encoding="utf-8")
                part.replace(kept)
        except OSError as error:
            # Still known while this worker runs.
            log.warning("reference_state_not_kept", camera=self._camera_id, reason=error.strerror)

    def _store(self, reference: Grey) -> None:
        assert self._path is not None
        self._stored = True
        part = self._path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(cv2.imencode(".png", reference)[1].tobytes())
            part.replace(self._path)
            for kind in ("png", "json"):
                for old in self._folder.glob(f"{self._camera_id}-????????????.{kind}"):
                    if old != self._path:
                        old.unlink()
        except OSError as error:
            # Still known while this worker runs.
            log.warning("reference_not_kept", camera=self._camera_id, reason=error.strerror)
        else:
            log.info("reference_taken", camera=self._camera_id, path=str(self._path))


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"

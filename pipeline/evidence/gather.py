"""From a hit to a bundle: stills, crop, overlay and clip out of a camera's ring, described and signed.

What cannot be had is listed with its reason; only a disk that takes nothing at all is an error.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import structlog

from pipeline import __version__
from pipeline.config import CameraSettings, EvidenceSettings
from pipeline.evidence.annotate import annotate
from pipeline.evidence.composite import compose
from pipeline.evidence.errors import EvidenceError
from pipeline.evidence.manifest import ORIGINALS, Manifest, describe, originals_digest
from pipeline.evidence.panels import close_up
from pipeline.evidence.record import Around, LawNote, Record, Shot
from pipeline.evidence.signing import SigningKey
from pipeline.evidence.store import EvidenceStore, Stage, disk_error
from pipeline.types import (
    Box,
    Clip,
    EvidenceBundle,
    Hit,
    MissingItem,
    Picture,
    PlateReading,
    Recording,
    RecordingError,
    Still,
)

log = structlog.get_logger(__name__)

ROLES = ("before", "at", "after", "crop", "annotated", "clip", "composite")
"""What a bundle holds when nothing is missing."""

STILL_TOLERANCE_S = 0.5
"""A frame further than this from the moment asked for shows another moment: two frames at 4 a second."""

CLIP_TOLERANCE_S = 0.5
"""A clip may start or end this much inside its span: it is made of whole frames."""

_CROP_MARGIN = 0.15
_PLATE_MARGIN = 0.15
_JPEG_QUALITY = 92
_WAIT_STEP_S = 0.25


class EvidenceMaker:
    """Makes the bundles of one worker; threads may share it."""

    def __init__(
        self,
        root: Path,
        settings: EvidenceSettings,
        key: SigningKey,
        model: tuple[str, str],
        worker_id: str,
    ) -> None:
        """`model` is the detector's name and the SHA-256 of its file."""
        self.store = EvidenceStore(root, settings, key)
        self._settings = settings
        self._key = key
        self._model = model
        self._worker_id = worker_id
        self._hurry = threading.Event()

    def hurry(self) -> None:
        """From now on wait for no camera, in calls under way too: the worker is stopping."""
        self._hurry.set()

    def make(
        self,
        hit: Hit,
        event_id: str,
        recording: Recording,
        camera: CameraSettings,
        *,
        around: Around | None = None,
        law: LawNote | None = None,
        read_plate: Callable[[], PlateReading | None] = lambda: None,
        pressed: Callable[[], bool] = lambda: False,
    ) -> EvidenceBundle:
        """Gather, sign and store the evidence of `hit`; the one that is there already when it is a repeat.

        `around`, `law` and `read_plate` are for the composite: without `around` everything but the judged is
        hidden in it. `read_plate` is called last, once all that the ring may let go of has been taken; None
        from it: to this record no plate belongs. `pressed`: others wait, and the composite, which takes most
        of the time, is left out.

        Blocks until the ring holds the clip's end, but no longer than `after_s` + `wait_s` of the settings,
        and not at all after `hurry`; then what is there must do. Raises EvidenceError when nothing can be
        written.
        """
        final = self.store.path_of(hit, event_id)
        if final.is_dir():
            return self.store.load(final).bundle
        until_s = time.monotonic() + self._settings.after_s + self._settings.wait_s
        with self.store.stage(event_id) as stage:
            gathering = _Gathering(stage)
            # Stills first: the ring may let go of them while the clip's end is still to come.
            self._wait(recording, hit.after.time_s, until_s)
            shots = gathering.stills(hit, recording)
            if "at" in shots:
                draw = partial(
                    annotate,
                    hit=hit,
                    captured_at_s=shots["at"].captured_at_s,
                    camera=camera,
                    event_id=event_id,
                    worker_id=self._worker_id,
                )
                gathering.derive(shots["at"], hit.at.box, draw)
            start_s = hit.before.time_s - self._settings.before_s
            end_s = hit.after.time_s + self._settings.after_s
            self._wait(recording, end_s, until_s)
            gathering.take_clip(recording, start_s, end_s)
            plate = read_plate()
            if "at" in shots and pressed():
                gathering.miss("composite", "too many acts at once: no time to draw it")
            elif "at" in shots:
                gathering.compose(
                    Record(
                        hit=hit,
                        event_id=event_id,
                        worker_id=self._worker_id,
                        camera=camera,
                        shots=shots,
                        digest=originals_digest(gathering.stage.items),
                        seen={}
                        if around is None
                        else {r: around.seen(s.captured_at_s) for r, s in shots.items()},
                        way=() if around is None else around.way(),
                        plate=plate,
                        plate_picture=_plate_picture(plate, shots, recording),
                        law=law,
                        missing=tuple(gathering.missing),
                    )
                )
            bundle = self._publish(gathering, hit, event_id, camera, final)
        log.info(
            "evidence_made",
            camera=hit.camera_id,
            event_id=event_id,
            items=len(bundle.items),
            missing=[part.role for part in bundle.missing],
        )
        return bundle

    def _wait(self, recording: Recording, time_s: float, until_s: float) -> None:
        """Wait in short steps, so that `hurry` is heard."""
        while not self._hurry.is_set():
            began_s = time.monotonic()
            step_s = min(_WAIT_STEP_S, until_s - began_s)
            if step_s <= 0 or recording.wait_until(time_s, step_s):
                return
            if time.monotonic() - began_s < step_s / 2:
                # An early no: the camera will never get there.
                return

    def _publish(
        self, gathering: _Gathering, hit: Hit, event_id: str, camera: CameraSettings, final: Path
    ) -> EvidenceBundle:
        while True:
            manifest, raw = self._manifest(gathering, hit, event_id, camera)
            try:
                gathering.stage.close(raw, base64.b64encode(self._key.sign(raw)) + b"\n")
                named = self.store.publish(gathering.stage, final)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not gathering.make_room(error):
                    raise disk_error(final, error) from error
                continue
            if not named:
                return self.store.load(final).bundle
            return manifest.bundle(final, hashlib.sha256(raw).hexdigest())

    def _manifest(
        self, gathering: _Gathering, hit: Hit, event_id: str, camera: CameraSettings
    ) -> tuple[Manifest, bytes]:
        try:
            manifest = describe(
                hit,
                event_id=event_id,
                created_at_s=time.time(),
                software=f"ngatu {__version__}",
                worker_id=self._worker_id,
                camera=camera,
                model=self._model,
                clip=gathering.clip,
                items=gathering.stage.items,
                missing=gathering.missing,
                key=self._key,
            )
            return manifest, manifest.canonical()
        except (ValueError, OverflowError) as error:
            raise EvidenceError(f"hit of rule {hit.rule} cannot be put in a manifest: {error}") from error


class _Gathering:
    """What has been got into a stage so far, and what could not be."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.missing: list[MissingItem] = []
        self.clip: Clip | None = None

    def miss(self, role: str, reason: str) -> None:
        """List a part that cannot be had."""
        self.missing.append(MissingItem(role, reason))

    def stills(self, hit: Hit, recording: Recording) -> dict[str, Shot]:
        """The three stills, the very bytes that came out of the ring; returns those that can be looked at."""
        moments = {"before": hit.before.time_s, "at": hit.at.time_s, "after": hit.after.time_s}
        shots: dict[str, Shot] = {}
        for (role, asked_s), still in zip(
            moments.items(), recording.stills(tuple(moments.values())), strict=True
        ):
            if isinstance(still, RecordingError):
                self.miss(role, str(still))
                continue
            off_s = still.captured_at_s - asked_s
            if abs(off_s) > STILL_TOLERANCE_S:
                self.miss(
                    role, f"the nearest frame is {abs(off_s):.2f} s too {'late' if off_s > 0 else 'early'}"
                )
                continue
            self._put(role, f"{role}.jpg", "image/jpeg", still.jpeg, still.captured_at_s)
            picture = _decoded(still)
            if picture is not None:
                shots[role] = Shot(picture, still.captured_at_s)
        if "at" not in shots:
            had = any(item.role == "at" for item in self.stage.items)
            reason = "is no readable JPEG" if had else "is not there"
            for role in ("crop", "annotated", "composite"):
                self.miss(role, f"the still of the decisive moment {reason}")
        return shots

    def derive(self, shot: Shot, box: Box, draw: Callable[[Picture], Picture]) -> None:
        """The vehicle's crop and the annotated copy of `shot`."""
        # PNG: a plate in the crop keeps every pixel that the camera sent.
        self._encode("crop", "crop.png", "image/png", shot, lambda: crop(shot.picture, box), [])
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        self._encode("annotated", "annotated.jpg", "image/jpeg", shot, lambda: draw(shot.picture), quality)

    def compose(self, record: Record) -> None:
        """The page for the officer."""
        # Small letters on colours would fray with halved colour resolution.
        sharp = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY, *sharp]
        shot = record.shots["at"]
        self._encode(
            "composite", "composite.jpg", "image/jpeg", shot, lambda: compose(record).draw(), quality
        )

    def take_clip(self, recording: Recording, start_s: float, end_s: float) -> None:
        """The clip, and which of its ends is lacking."""
        path = self.stage.path / "clip.mp4"
        try:
            clip = recording.clip(start_s, end_s, path)
            self.stage.adopt("clip", path.name, "video/mp4", clip.start_s)
        except (RecordingError, OSError) as error:
            path.unlink(missing_ok=True)
            self.miss("clip", str(error) if isinstance(error, RecordingError) else _not_written(error))
            return
        self.clip = clip
        if clip.start_s > start_s + CLIP_TOLERANCE_S:
            self.miss(
                "clip.before", f"the clip starts {clip.start_s - start_s:.2f} s late: the ring held no more"
            )
        if clip.end_s < end_s - CLIP_TOLERANCE_S:
            self.miss("clip.after", f"the clip ends {end_s - clip.end_s:.2f} s early: the ring held no more")

    def make_room(self, error: OSError) -> bool:
        """Give up the largest file for the manifest's sake; False when there is none left.

        With an original goes the composite: it shows the digest of them all, and may call the record whole.
        """
        dropped = self.stage.drop_largest()
        if dropped is None:
            return False
        self.miss(dropped.role, _not_written(error))
        if dropped.role == "clip":
            self.clip = None
            self.missing = [part for part in self.missing if not part.role.startswith("clip.")]
        if dropped.role in ORIGINALS and self.stage.drop("composite") is not None:
            self.miss("composite", f"it was drawn when {dropped.role} was still there")
        return True

    def _encode(
        self,
        role: str,
        file: str,
        media_type: str,
        shot: Shot,
        make: Callable[[], Picture],
        parameters: list[int],
    ) -> None:
        try:
            done, data = cv2.imencode(Path(file).suffix, make(), parameters)
        except (cv2.error, OSError, ValueError) as error:
            self.miss(role, f"it cannot be drawn: {error}")
            return
        if not done:
            self.miss(role, "it cannot be encoded")
            return
        self._put(role, file, media_type, data.tobytes(), shot.captured_at_s)

    def _put(self, role: str, file: str, media_type: str, data: bytes, captured_at_s: float) -> None:
        try:
            self.stage.write(role, file, media_type, data, captured_at_s)
        except OSError as error:
            self.miss(role, _not_written(error))


def crop(picture: Picture, box: Box) -> Picture:
    """The part of `picture` in `box` with a margin, at full resolution.

    Raises ValueError when the box lies outside of the picture.
    """
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    margin_x, margin_y = (right - left) * _CROP_MARGIN, (bottom - top) * _CROP_MARGIN
    x0, x1 = (round(min(max(x, 0.0), 1.0) * width) for x in (left - margin_x, right + margin_x))
    y0, y1 = (round(min(max(y, 0.0), 1.0) * height) for y in (top - margin_y, bottom + margin_y))
    if x0 >= x1 or y0 >= y1:
        raise ValueError("the vehicle's box lies outside of the picture")
    return picture[y0:y1, x0:x1]


def _not_written(error: OSError) -> str:
    return f"it could not be written: {error.strerror or error}"


def _decoded(still: Still) -> Picture | None:
    try:
        picture = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(picture, np.uint8)


def _plate_picture(
    plate: PlateReading | None, shots: Mapping[str, Shot], recording: Recording
) -> Picture | None:
    """The plate where it was read largest, of those pictures that said what was voted."""
    if plate is None or not plate.sights:
        return None
    voted = "".join(plate.voted)
    best = max(plate.sights, key=lambda sight: (_plain("".join(sight.lines)) == voted, sight.char_px))
    for shot in shots.values():
        if shot.captured_at_s == best.captured_at_s:
            return close_up(shot.picture, best.box, _PLATE_MARGIN)
    [still] = recording.stills([best.captured_at_s])
    picture = None if isinstance(still, RecordingError) else _decoded(still)
    return None if picture is None else close_up(picture, best.box, _PLATE_MARGIN)


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isalnum())

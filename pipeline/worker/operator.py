"""What a console's scene editor asks a worker for: stills, scene files, checks, back-tests.

Below /v1/ of the metrics port, for whoever brings the token:

    GET  /v1/cameras                     ids, names, states, SHA-256 of the scene in force
    GET  /v1/cameras/ID/still            the newest picture, as it is analysed; ?full=1: in its full size
    GET  /v1/cameras/ID/scene            the scene file as it is; ETag
    POST /v1/cameras/ID/check            a scene file: what `ngatu check` says of it
    POST /v1/cameras/ID/backtest?hours=1 a scene file: what it would change on stored tracks
    PUT  /v1/cameras/ID/scene            a scene file in place of the one that If-Match names
"""

from __future__ import annotations

import hmac
import json
import math
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import cv2
import structlog

from pipeline.config import Config
from pipeline.config.load import ConfigError, load_scene
from pipeline.perception.detector import Detector
from pipeline.scene import SceneSettings
from pipeline.types import Still
from pipeline.worker.check import lamps_known, rules_served, scene_fits
from pipeline.worker.http import Answer, Asked
from pipeline.worker.scenes import SceneFileError, SceneFiles, digest
from pipeline.worker.watch import CameraWatch

log = structlog.get_logger(__name__)

TRIAL_S = 90.0
"""A back-test that takes longer is ended."""
LONGEST_HOURS = 24.0
JPEG_QUALITY = 85

_PATH = re.compile(r"/v1/cameras/([a-z0-9][a-z0-9._-]{0,62})/(still|scene|check|backtest)")


class _Refused(Exception):  # noqa: N818 - an answer, no error
    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.answer = _json(status, {"detail": detail, **more})


class OperatorDesk:
    """Threads may share it."""

    def __init__(
        self,
        config: Config,
        watches: Mapping[str, CameraWatch],
        scenes: SceneFiles,
        detector: Detector,
        tracks: Path,
    ) -> None:
        """Raises OSError where the token cannot be had."""
        assert config.worker.operator is not None
        try:
            self._token = config.worker.operator.token().encode()
        except ValueError as error:
            raise OSError(f"worker.operator: {error}") from None
        self._config, self._watches, self._scenes = config, watches, scenes
        self._detector, self._tracks = detector, tracks
        self._trying = threading.Lock()
        self._writing = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        """See http.Desk."""
        if not hmac.compare_digest(asked.token.encode(), self._token):
            return _json(401, {"detail": "the worker's token is missing or wrong"})
        try:
            return self._answer(asked)
        except _Refused as refused:
            return refused.answer
        except SceneFileError as error:
            return _json(409, {"detail": str(error)})
        except Exception:
            log.exception("operator_failed", path=asked.path[:100])
            return _json(500, {"detail": "the worker could not do it; its log says why"})

    def _answer(self, asked: Asked) -> Answer:
        if asked.path == "/v1/cameras" and asked.method == "GET":
            return _json(200, self._cameras())
        found = _PATH.fullmatch(asked.path)
        if found is None or found[1] not in self._watches:
            raise _Refused(404, "there is no such camera here, or nothing of that name of it")
        camera_id, what = found[1], found[2]
        match asked.method, what:
            case "GET", "still":
                return self._still(camera_id, full="full=1" in asked.query)
            case "GET", "scene":
                text = self._scenes.read(camera_id)
                return Answer(
                    200, "application/yaml", text.encode(), (("ETag", f'"{digest(text.encode())}"'),)
                )
            case "POST", "check":
                return _json(200, {"findings": self._findings(camera_id, self._scene(asked))})
            case "POST", "backtest":
                self._scene(asked)
                return _json(200, self._tried(camera_id, asked))
            case "PUT", "scene":
                return self._put(camera_id, asked)
        raise _Refused(405, "not so")

    def _cameras(self) -> list[dict[str, Any]]:
        state = self._scenes.state()
        return [
            {
                "id": camera_id,
                "name": watch.settings.name,
                "place": watch.settings.place,
                "state": watch.health.state if watch.health else "connecting",
                "fits_scene": watch.view.fits if watch.view is not None else None,
                "scene_sha256": state[camera_id][0] if camera_id in state else None,
                "notice": state[camera_id][1] if camera_id in state else "",
            }
            for camera_id, watch in self._watches.items()
        ]

    def _still(self, camera_id: str, *, full: bool) -> Answer:
        watch = self._watches[camera_id]
        frame = watch.still
        if frame is None:
            raise _Refused(503, "the camera has shown nothing yet")
        if full:
            (still,) = watch.camera.stills([frame.time.captured_at_s - 0.5])
            if isinstance(still, Still):
                return _picture(still.jpeg, still.captured_at_s)
        done, jpeg = cv2.imencode(".jpg", frame.picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise _Refused(503, "the picture cannot be encoded")
        return _picture(jpeg.tobytes(), frame.time.captured_at_s)

    def _scene(self, asked: Asked) -> SceneSettings:
        try:
            return load_scene(Path("scene"), asked.body.decode())
        except UnicodeDecodeError:
            raise _Refused(422, "not UTF-8", problems=["scene:1: not UTF-8"]) from None
        except ConfigError as error:
            raise _Refused(422, "this scene cannot be", problems=error.problems) from None

    def _findings(self, camera_id: str, scene: SceneSettings) -> list[dict[str, Any]]:
        watch, config = self._watches[camera_id], self._config
        found = list(rules_served(camera_id, scene, config.model, self._detector))
        found += lamps_known(watch.settings, scene)
        width, height = watch.health.size if watch.health else (0, 0)
        if width and height:
            found.append(scene_fits(watch.settings, scene, width, height, self._detector.input_size))
        return [{"what": one.what, "ok": one.ok, "detail": one.detail} for one in found]

    def _tried(self, camera_id: str, asked: Asked) -> dict[str, Any]:
        if not self._config.tracks.enabled:
            raise _Refused(409, "this worker stores no tracks: switch them on, `tracks: {enabled: true}`")
        hours = _hours(asked.query)
        if not self._trying.acquire(blocking=False):
            raise _Refused(409, "another back-test runs on this worker; try again")
        try:
            wanted = {
                "tracks": str(self._tracks),
                "camera": camera_id,
                "scene": asked.body.decode(),
                "against": self._scenes.read(camera_id),
                "hours": hours,
            }
            command = [sys.executable, "-m", "pipeline.worker.trial"]
            done = subprocess.run(  # noqa: S603 - our own module, everything else by standard input
                command, input=json.dumps(wanted).encode(), capture_output=True, timeout=TRIAL_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise _Refused(409, f"took longer than {TRIAL_S:g} s: choose fewer hours") from None
        finally:
            self._trying.release()
        if done.returncode != 0:
            log.error("trial_failed", camera=camera_id, reason=done.stderr.decode("utf-8", "replace")[-1000:])
            raise _Refused(500, "the back-test failed; the worker's log says why")
        found: dict[str, Any] = json.loads(done.stdout)
        if "refused" in found:
            raise _Refused(409, found["refused"])
        return found

    def _put(self, camera_id: str, asked: Asked) -> Answer:
        self._scene(asked)
        text = asked.body.decode()
        with self._writing:
            if digest(self._scenes.read(camera_id).encode()) != asked.if_match:
                raise _Refused(412, "the scene file was changed meanwhile: look at it anew")
            self._scenes.write(camera_id, text)
        sha256 = digest(asked.body)
        log.info("scene_written", camera=camera_id, sha256=sha256[:12])
        return _json(200, {"sha256": sha256})


def _hours(query: str) -> float:
    try:
        hours = float(parse_qs(query).get("hours", ["1"])[0])
    except ValueError:
        hours = math.nan
    if not 0 < hours <= LONGEST_HOURS:
        raise _Refused(422, f"hours: more than 0, and {LONGEST_HOURS:g} at most")
    return hours


def _picture(jpeg: bytes, captured_at_s: float) -> Answer:
    return Answer(200, "image/jpeg", jpeg, (("X-Captured-At", f"{captured_at_s:.3f}"),))


def _json(status: int, value: Any) -> Answer:
    return Answer(status, "application/json", json.dumps(value, ensure_ascii=False).encode())

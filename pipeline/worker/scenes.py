"""Takes up changed scene files while the worker runs; a file that cannot be used changes nothing, and where
the worker started with one, its camera is not judged until it can be."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from pipeline.config import CameraSettings
from pipeline.config.document import ConfigError
from pipeline.config.load import load_scene
from pipeline.rules import RuleError, build_rules
from pipeline.scene import Scene

log = structlog.get_logger(__name__)

LOOK_S = 0.5
"""How often the files are looked at. A changed one is read once it has stayed the same for one more look:
not every editor writes at once."""

KEPT = "the changed scene file was not taken up, the one before stays"
WITHOUT = "the camera is not judged until its scene file can be used; mend it, no restart is needed"

Sign = tuple[int, int, int] | None


class SceneFileError(Exception):
    """A scene file that cannot be had or written; the message says which, and what to do."""


@dataclass(slots=True)
class _File:
    path: Path
    seen: Sign
    sha256: str
    """Of the file's content when it was last looked into."""
    in_force: str
    """Of the content that the camera is judged by; "" where that was changed before it was looked into."""
    judged: bool
    """Whether the camera has a scene at all."""
    changing: bool = False
    notice: str = ""

    def refuse(self, camera_id: str, error: ConfigError) -> None:
        """Say why it is not taken up."""
        reason = "; ".join(error.problems[:3])
        self.notice = f"{KEPT if self.judged else WITHOUT}: {reason}"
        log.error("scene_refused", camera=camera_id, judged=self.judged, reason=reason)


class SceneFiles:
    """The scene files of one worker's cameras. `look` is called by one thread; the rest by any."""

    def __init__(
        self,
        cameras: Iterable[CameraSettings],
        in_force: Mapping[str, Scene],
        adopt: Callable[[str, Scene], None],
        tell: Callable[[str], None],
    ) -> None:
        """`in_force` has the scene of every camera that is judged. A file that says something else by now is
        taken up by the next look, and so is that of a camera that is not judged. `adopt` is given a changed
        scene, `tell` is called when a camera's `notice` has changed.
        """
        self._adopt, self._tell = adopt, tell
        self._files: dict[str, _File] = {}
        for camera in cameras:
            if camera.scene is not None:
                self._files[camera.id] = _found(camera.id, camera.scene, in_force.get(camera.id))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scenes", daemon=True)

    def start(self) -> None:
        """Look at the files until `stop`."""
        if self._files:
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def notice(self, camera_id: str) -> str:
        """Why a changed file was not taken up; "" where the one in force is the one on the disk."""
        file = self._files.get(camera_id)
        return file.notice if file is not None else ""

    def state(self) -> Mapping[str, tuple[str, str]]:
        """Camera id to SHA-256 of the content in force, and why the file's is not."""
        return {camera_id: (file.in_force, file.notice) for camera_id, file in self._files.items()}

    def read(self, camera_id: str) -> str:
        """The file's text. Raises SceneFileError."""
        path = self._path(camera_id)
        content = _bytes(path)
        if content is None:
            raise SceneFileError(f"{path} cannot be read: is it there, and may the worker's user read it?")
        return content.decode("utf-8-sig", "replace")

    def write(self, camera_id: str, text: str) -> None:
        """Put another file in its place, whole or not at all; it is taken up by the next looks.

        Raises SceneFileError where the folder cannot be written, and where other cameras have the same file:
        what was drawn on one camera's picture would be theirs too.
        """
        path = self._path(camera_id)
        sharing = [one for one, file in self._files.items() if _place(file.path) == _place(path)]
        if sharing != [camera_id]:
            others = ", ".join(one for one in sharing if one != camera_id)
            raise SceneFileError(
                f"{path} is the scene of {others} too: in the worker's configuration, give each camera "
                "a file of its own"
            )
        part = ""
        try:
            handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
            Path(part).chmod(mode)
            Path(part).replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                Path(part).unlink()
            cure = "give the worker's user the right to its folder"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                cure = "make room there"
            elif error.errno == errno.EROFS:
                cure = (
                    "move it to where the worker may write (as a service: /var/lib/ngatu/scenes) and name it "
                    "there in the configuration"
                )
            raise SceneFileError(f"{path} cannot be written: {error.strerror}; {cure}") from None

    def look(self) -> None:
        """Look at every file once."""
        for camera_id, file in self._files.items():
            sign = _sign(file.path)
            if sign != file.seen:
                file.seen, file.changing = sign, True
            elif file.changing:
                file.changing = False
                self._look_into(camera_id, file)

    def _path(self, camera_id: str) -> Path:
        file = self._files.get(camera_id)
        if file is None:
            raise SceneFileError(
                f"camera {camera_id} has no scene file in the worker's configuration: add `scene: FILE` to it"
            )
        return file.path

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except Exception:
                # The box runs on for months, whatever is wrong with one file.
                log.exception("scenes_failed")

    def _look_into(self, camera_id: str, file: _File) -> None:
        content = _bytes(file.path)
        sha256 = digest(content or b"")
        if sha256 == file.sha256:
            return
        file.sha256 = sha256
        before = file.notice
        try:
            if content is None or sha256 != file.in_force:
                self._adopt(camera_id, _scene(file.path, content))
        except ConfigError as error:
            file.refuse(camera_id, error)
        else:
            file.in_force, file.judged, file.notice = sha256, True, ""
            log.info("scene_taken_up", camera=camera_id, sha256=sha256[:12])
        if file.notice != before:
            self._tell(camera_id)


def _found(camera_id: str, path: Path, in_force: Scene | None) -> _File:
    """As it lies there; it may have been saved since its scene was read, while models were loaded."""
    seen, content = _sign(path), _bytes(path)
    sha256, found = digest(content or b""), _File(path, seen, "", "", judged=in_force is not None)
    try:
        scene = _scene(path, content)
    except ConfigError as error:
        if in_force is None:
            found.sha256 = sha256
            found.refuse(camera_id, error)
    else:
        if in_force is not None and scene.settings == in_force.settings:
            found.sha256 = found.in_force = sha256
    found.changing = not found.sha256
    return found


def _place(path: Path) -> Path:
    """What writing replaces: a link itself, not the file that it leads to."""
    return path.parent.resolve() / path.name


def _scene(path: Path, content: bytes | None) -> Scene:
    """Raises ConfigError."""
    if content is None:
        raise ConfigError([f"{path}: is gone, or the worker's user may not read it"])
    # What is not UTF-8 is refused here as it is where the worker starts.
    scene = Scene(load_scene(path, content.decode("utf-8-sig", "surrogateescape")))
    try:
        build_rules(scene)
    except RuleError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    return scene


def digest(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _sign(path: Path) -> Sign:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None

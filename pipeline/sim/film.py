"""Films a scenario: an H.264 main and sub stream a camera, its truth and scene file beside them, made once.

FOLDER/NAME-FAMILY-SEED-…/south-main.mp4  south-sub.mp4  south.jsonl  south.yaml  acts.jsonl
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402 - the version must be chosen first

from pipeline.sim.city import City  # noqa: E402
from pipeline.sim.errors import SimError  # noqa: E402
from pipeline.sim.render import Renderer  # noqa: E402
from pipeline.sim.scenario import Scenario  # noqa: E402
from pipeline.sim.scenes import write_scenes  # noqa: E402
from pipeline.sim.truth import frame_line, write_acts  # noqa: E402
from pipeline.types import Picture  # noqa: E402

SUB_SIZE = (640, 360)
MAIN_KBPS, SUB_KBPS = 4000, 500

Progress = Callable[[int, int], None]
"""Pictures drawn so far, and all."""


@dataclass(frozen=True, slots=True)
class CameraFilm:
    """One camera's files."""

    camera_id: str
    main: Path
    sub: Path
    truth: Path
    scene: Path


@dataclass(frozen=True, slots=True)
class Film:
    """A filmed scenario."""

    folder: Path
    cameras: tuple[CameraFilm, ...]
    acts: Path


def film(
    scenario: Scenario,
    cache: Path,
    *,
    size: tuple[int, int] = (1920, 1080),
    rate_hz: float = 25.0,
    progress: Progress = lambda done, total: None,
) -> Film:
    """The scenario's film out of `cache`, or made now. Whole or not there: a kill leaves nothing half done.

    `size` is the main stream's, in pixels, of the shape that the camera has. Raises SimError.
    """
    folder = cache / _name(scenario, size, rate_hz)
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".filming-") as work:
            part = Path(work) / "film"
            part.mkdir()
            _make(scenario, part, size, rate_hz, progress)
            try:
                part.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    return Film(folder, tuple(_files(folder, camera) for camera in scenario.cameras), folder / "acts.jsonl")


def _make(
    scenario: Scenario, folder: Path, size: tuple[int, int], rate_hz: float, progress: Progress
) -> None:
    poses = [replace(pose, width_px=size[0], height_px=size[1]) for pose in scenario.poses()]
    layout = scenario.site().layout
    city = City(scenario)
    total = int(scenario.duration_s * rate_hz) * len(poses)
    with ExitStack() as open_files:
        rolls = []
        for pose in poses:
            files = _files(folder, pose.id)
            truth = open_files.enter_context(files.truth.open("w", encoding="utf-8"))
            encoder = open_files.enter_context(_Encoder(files, size, rate_hz))
            rolls.append((Renderer(layout, pose, scenario.conditions), encoder, truth))
        for frame, moment in enumerate(city.moments(rate_hz)):
            for number, (renderer, encoder, truth) in enumerate(rolls):
                drawn = renderer.draw(moment)
                encoder.write(drawn.picture)
                truth.write(frame_line(moment, drawn.seen, frame) + "\n")
                progress(frame * len(rolls) + number + 1, total)
    write_acts(folder / "acts.jsonl", city.acts)
    write_scenes(scenario, folder)
    about = {"scenario": asdict(scenario), "size": size, "rate_hz": rate_hz}
    (folder / "scenario.json").write_text(json.dumps(about, indent=1, default=str), encoding="utf-8")


def _files(folder: Path, camera: str) -> CameraFilm:
    return CameraFilm(
        camera,
        folder / f"{camera}-main.mp4",
        folder / f"{camera}-sub.mp4",
        folder / f"{camera}.jsonl",
        folder / f"{camera}.yaml",
    )


def _name(scenario: Scenario, size: tuple[int, int], rate_hz: float) -> str:
    """Tells films of one scenario apart by all that shapes them, the city's own code included."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".glsl", ".frag", ".vert"):
            code.update(path.read_bytes())
    code.update(json.dumps([asdict(scenario), size, rate_hz], default=str).encode())
    return f"{scenario.name}-{scenario.family}-{scenario.seed}-{code.hexdigest()[:12]}"


class _Encoder:
    """Pictures in, two MP4 files out."""

    def __init__(self, files: CameraFilm, size: tuple[int, int], rate_hz: float) -> None:
        Gst.init(None)
        self._gap_ns = round(Gst.SECOND / rate_hz)
        self._written = 0
        key = round(2 * rate_hz)
        encode = f"speed-preset=veryfast tune=zerolatency key-int-max={key} bitrate="
        tail = "! video/x-h264,profile=high ! h264parse ! mp4mux ! filesink"
        self._pipeline: Any = Gst.parse_launch(
            f"appsrc name=feed format=time block=true max-buffers=4 ! videoconvert ! tee name=split "
            f"split. ! queue max-size-buffers=4 ! x264enc {encode}{MAIN_KBPS} {tail} name=main "
            f"split. ! queue max-size-buffers=4 ! videoscale ! video/x-raw,width={SUB_SIZE[0]},"
            f"height={SUB_SIZE[1]} ! x264enc {encode}{SUB_KBPS} {tail} name=sub"
        )
        self._pipeline.get_by_name("main").set_property("location", str(files.main))
        self._pipeline.get_by_name("sub").set_property("location", str(files.sub))
        self._feed = self._pipeline.get_by_name("feed")
        rate = f"{round(rate_hz * 1000)}/1000"
        self._feed.set_property(
            "caps",
            Gst.Caps.from_string(f"video/x-raw,format=BGR,width={size[0]},height={size[1]},framerate={rate}"),
        )

    def __enter__(self) -> Self:
        self._pipeline.set_state(Gst.State.PLAYING)
        return self

    def write(self, picture: Picture) -> None:
        """Append a picture."""
        buffer = Gst.Buffer.new_wrapped(picture.tobytes())
        buffer.pts, buffer.duration = self._written * self._gap_ns, self._gap_ns
        self._written += 1
        if self._feed.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
            raise SimError(f"the film cannot be written: {self._trouble()}")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        try:
            if kind is None:
                self._feed.emit("end-of-stream")
                wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
                message = self._pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, wanted)
                if message is None or message.type == Gst.MessageType.ERROR:
                    told = message.parse_error()[0].message if message else "the encoder does not end"
                    raise SimError(f"the film cannot be written: {told}")
        finally:
            self._pipeline.set_state(Gst.State.NULL)

    def _trouble(self) -> str:
        message = self._pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        return str(message.parse_error()[0].message) if message else "the encoder has stopped"


def cache_folder() -> Path:
    """Where films are kept between runs: $XDG_CACHE_HOME/ngatu/city."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ngatu" / "city"

"""Films a scenario: an H.264 main and sub stream a camera, its truth and scene file beside them, made once.

FOLDER/NAME-FAMILY-SEED-…/south-main.mp4  south-sub.mp4  south.jsonl  south.yaml  acts.jsonl
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from pipeline.sim.errors import SimError
from pipeline.sim.reel import CameraFilm, Reel, shoot
from pipeline.sim.scenario import Scenario
from pipeline.sim.scenes import write_scenes

Progress = Callable[[int, int], None]
"""Pictures drawn so far, and all."""

_WORK = ".filming"


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

    Each camera is filmed by a process of its own, as many at once as there are cores. `size` is the main
    stream's, in pixels, of the shape that the camera has; one that shall read plates is filmed no smaller
    than its own picture. Raises SimError naming the camera, if it is one's.
    """
    folder = film_folder(scenario, cache, size=size, rate_hz=rate_hz)
    if not folder.is_dir():
        with _alone(cache) as work:
            if not folder.is_dir():
                _make(scenario, work, size, rate_hz, progress)
                work.rename(folder)
    # Anew for a film that was there too: they follow the rules that there are.
    write_scenes(scenario, folder)
    return Film(
        folder,
        tuple(CameraFilm.of(folder, camera) for camera in scenario.cameras),
        folder / "acts.jsonl",
    )


def film_folder(
    scenario: Scenario, cache: Path, *, size: tuple[int, int] = (1920, 1080), rate_hz: float = 25.0
) -> Path:
    """Where `film` keeps this film; a folder only once it is whole.

    The name tells films of one scenario apart by all that shapes the pictures and their truth, the city's own
    code included.
    """
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".glsl", ".frag", ".vert") and path.name != "scenes.py":
            code.update(path.read_bytes())
    code.update(json.dumps([asdict(scenario), size, rate_hz], default=str).encode())
    return cache / f"{scenario.name}-{scenario.family}-{scenario.seed}-{code.hexdigest()[:12]}"


def cache_folder() -> Path:
    """Where films are kept between runs: $XDG_CACHE_HOME/ngatu/city."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ngatu" / "city"


@contextmanager
def _alone(cache: Path) -> Iterator[Path]:
    """An empty folder to film in. One filming at a time takes all cores: others wait here."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{_WORK}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            work = cache / _WORK
            # What a killed run left.
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise SimError(
            f"films cannot be kept in {cache}: {error.strerror}; give a folder that can be written"
        ) from error


def _make(
    scenario: Scenario, folder: Path, size: tuple[int, int], rate_hz: float, progress: Progress
) -> None:
    # First, because it refuses what cannot be.
    write_scenes(scenario, folder)
    about = {"scenario": asdict(scenario), "size": size, "rate_hz": rate_hz}
    (folder / "scenario.json").write_text(json.dumps(about, indent=1, default=str), encoding="utf-8")
    acts = folder / "acts.jsonl"
    reels = [
        Reel(scenario, camera, folder, size, rate_hz, acts if number == 0 else None)
        for number, camera in enumerate(scenario.cameras)
    ]
    _shoot_all(reels, int(scenario.duration_s * rate_hz) * len(reels), progress)


def _shoot_all(reels: Sequence[Reel], total: int, progress: Progress) -> None:
    """As many at once as there are cores; the first that fails ends all."""
    context = multiprocessing.get_context("spawn")
    waiting = list(reels)
    running: dict[Connection, tuple[Reel, SpawnProcess]] = {}
    done = 0
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                reel = waiting.pop(0)
                hears, tells = context.Pipe(duplex=False)
                process = context.Process(target=shoot, args=(reel, tells), daemon=True)
                process.start()
                tells.close()
                running[hears] = (reel, process)
            progress(done, total)
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                reel, process = running[ready]
                try:
                    trouble = ready.recv()
                except EOFError:
                    process.join()
                    del running[ready]
                    trouble = _how_it_ended(process)
                else:
                    done += 1
                if trouble is not None:
                    raise SimError(f"camera {reel.camera_id!r} cannot be filmed: {trouble}")
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    progress(done, total)


def _how_it_ended(process: SpawnProcess) -> str | None:
    code = process.exitcode or 0
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}; is there memory enough?"
    return f"its process ended with {code}, see above" if code else None
